# SPDX-License-Identifier: Apache-2.0
"""Servers behind a load balancer that sends a header of the PROXY protocol first: each
connection's first request is found as any other, and without the header's bytes.

haproxy makes a connection for each request; nginx reads the header apart, apache2 with the
request. The servers' own logs say what was served, and that the header came
(nginx's also the request's size: apache2's would be with the header)."""

import collections

from lib.util import need, wait_until

VERSIONS = {"send-proxy": 0, "send-proxy-v2": 1}
REQUESTS = 40  # through each of the load balancer's ports
FRONT = {"nginx": 8100, "apache2": 8110}  # plus the number of the version
BEHIND = {"nginx": 8200, "apache2": 8210}

HAPROXY = """
global
	nbthread 2
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
	option http-server-close
	http-reuse never
"""
LISTEN = """
listen {name}
	bind 127.0.0.1:{front}
	server behind 127.0.0.1:{behind} {version}
"""
NGINX = """
daemon off;
user root;
worker_processes 2;
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
	log_format test "$server_port $proxy_protocol_addr $request_method $uri $status $request_length";
	access_log {dir}/nginx.log test;
	client_body_temp_path {dir}/body;
	proxy_temp_path {dir}/proxy;
	fastcgi_temp_path {dir}/fastcgi;
	uwsgi_temp_path {dir}/uwsgi;
	scgi_temp_path {dir}/scgi;
	server {{
		listen 127.0.0.1:{port} proxy_protocol;
		listen 127.0.0.1:{port_2} proxy_protocol;
		location ~ 7$ {{ return 404; }}
		location / {{ return 204; }}
	}}
}}
"""
APACHE2 = """
ServerName localhost
ServerRoot {dir}
PidFile {dir}/apache2.pid
DefaultRuntimeDir {dir}
Mutex file:{dir}
ErrorLog /dev/stderr
LogLevel warn
User www-data
Group www-data
Listen 127.0.0.1:{port}
Listen 127.0.0.1:{port_2}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
LoadModule remoteip_module /usr/lib/apache2/modules/mod_remoteip.so
RemoteIPProxyProtocol On
LogFormat "%{{local}}p %a %m %U %>s -" test
CustomLog {dir}/apache2.log test
DocumentRoot {dir}
RewriteEngine On
RewriteRule 7$ - [R=404,L]
RewriteRule . - [R=204,L]
"""


def start(netns, folder):
    """Both servers and the load balancer before them."""
    haproxy = HAPROXY
    for server, text in (("nginx", NGINX), ("apache2", APACHE2)):
        ports = {"port": BEHIND[server], "port_2": BEHIND[server] + 1}
        (folder / f"{server}.conf").write_text(text.format(dir=folder, **ports))
        for version, nr in VERSIONS.items():
            haproxy += LISTEN.format(name=f"{server}-{nr}", front=FRONT[server] + nr,
                                     behind=BEHIND[server] + nr, version=version)
    (folder / "haproxy.cfg").write_text(haproxy)
    for argv, ports in (
        (("nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"), BEHIND["nginx"]),
        (("apache2", "-DFOREGROUND", "-f", folder / "apache2.conf"), BEHIND["apache2"]),
        (("haproxy", "-q", "-db", "-f", folder / "haproxy.cfg"), FRONT["nginx"]),
    ):
        process = netns.popen([need(argv[0]), *argv[1:]], name=argv[0])
        netns.wait_listen(process, ports, ports + 1)


def test_behind_a_load_balancer(netns, redtap, trace, tmp_path):
    agent, tracer = redtap(), trace()
    start(netns, tmp_path)
    for server in FRONT:
        for nr in VERSIONS.values():
            conn = netns.http(FRONT[server] + nr)
            for i in range(REQUESTS):
                conn.request("DELETE" if i % 2 else "GET", f"/{server}/{nr}/{'x' * i}{i}")
                reply = conn.getresponse()
                reply.read()
                assert reply.status == (404 if i % 10 == 7 else 204)
            conn.close()
    want = len(VERSIONS) * REQUESTS
    tracer.wait_for(want * len(BEHIND), role="client", service="haproxy")
    for server in BEHIND:
        log = tmp_path / f"{server}.log"
        wait_until(lambda: len(log.read_text().splitlines()) >= want, 10)
        logged = collections.Counter()
        for line in log.read_text().splitlines():
            port, peer, method, path, status, length = line.split()
            assert peer == "127.0.0.1"  # by the header: the load balancer's client
            logged[port, method, path, status, length] += 1
        assert logged.total() == want
        ports = {BEHIND[server] + nr for nr in VERSIONS.values()}
        tracer.wait_for(want, role="server", service=server)
        for role, side in (("server", "local_port"), ("client", "peer_port")):
            have = collections.Counter(
                (str(x[side]), x["method"], x["path"], str(x["status"]),
                 str(x["request_bytes"]) if server == "nginx" else "-")
                for x in tracer.exchanges() if x["role"] == role and x[side] in ports
            )  # fmt: skip
            assert have == logged
    m = agent.settle()
    for server in BEHIND:
        assert m.server_count(service_name=server) == want
    assert m.server_count(service_name="haproxy") == m.client_count(service_name="haproxy")
    assert m.server_count(service_name="haproxy") == want * len(BEHIND)
    m.assert_conserved()
