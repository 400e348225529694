# SPDX-License-Identifier: Apache-2.0
"""Every server by a stock client, every client against a stock server: 50 requests
with three statuses each, found once on the server's side and once on the client's,
with the right service, method, path and status, in records and in /metrics.

All of them run at the same time, once per backend, under one `redtap trace` and one
`redtap run`; a second namespace with the same ports and programs is out of scope."""

import collections
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

import pytest

from conftest import BACKENDS
from lib.agent import Redtap, Trace
from lib.netns import Netns
from lib.procs import Procs, run
from lib.util import E2E_DIR, SLOW, need, wait_until

SERVERS_HERE = E2E_DIR / "servers_matrix"
CLIENTS_HERE = E2E_DIR / "clients_matrix"
STATUSES = {"200": 30, "404": 15, "500": 5}
REQUESTS = sum(STATUSES.values())

# name: (port, service name, command line with {port} and {dir})
SERVERS = {
    "nginx": (8001, "nginx", "nginx -p {dir} -c {dir}/nginx.conf -e stderr"),
    "apache2": (8002, "apache2", "apache2 -DFOREGROUND -f {dir}/apache2.conf"),
    "haproxy": (8003, "haproxy", "haproxy -q -db -f {dir}/haproxy.cfg"),
    "caddy": (8004, "caddy", "caddy run --config {dir}/Caddyfile --adapter caddyfile"),
    "node": (8005, "node_server", "node {here}/node_server.js {port}"),
    "http.server": (8006, "http_server", "{python} {here}/http_server.py {port}"),
    "gunicorn": (
        8007,
        "wsgi_app",  # a launcher's name says nothing: the application it runs
        "{python} {gunicorn} -w 2 -b 127.0.0.1:{port} --chdir {here} wsgi_app:app",
    ),
    "uvicorn": (
        8008,
        "asgi_app",
        "{python} {uvicorn} --host 127.0.0.1 --port {port} --log-level error"
        " --app-dir {here} asgi_app:app",
    ),
    "go": (8009, "go_server", "{programs}/go_server {port}"),
    "java": (8010, "java_server", "java -Xshare:auto -jar {programs}/java_server.jar {port}"),
    "php": (8011, "php_router", "php -S 127.0.0.1:{port} {here}/php_router.php"),
    "webrick": (8012, "webrick_server", "ruby {here}/webrick_server.rb {port}"),
}
PROXIED = 8020  # nginx behind haproxy
# They send by one thread and read by another. On one processor the second comes to it when the
# first has left the kernel: bpf/README.md says what may become of their order otherwise.
TWO_THREADS = {"caddy", "go", "java", "go client", "java client"}

# name: (port of nginx it goes to, service name, command line)
CLIENTS = {
    "curl": (8021, "curl", "{python} {here}/run_curl.py {port}"),
    "wget": (8022, "wget", "{python} {here}/run_wget.py {port}"),
    "urllib": (8023, "urllib_client", "{python} {here}/urllib_client.py {port}"),
    "node fetch": (8024, "node_client", "node {here}/node_client.js {port}"),
    "go client": (8025, "go_client", "{programs}/go_client {port}"),
    "java client": (8026, "JavaClient", "java -Xshare:auto -cp {programs} JavaClient {port}"),
}
NGINX_PORTS = [SERVERS["nginx"][0], PROXIED, *(c[0] for c in CLIENTS.values())]

# What the table at the end says: {(row, backend): "server side / client side"}
TABLE = collections.OrderedDict()


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The compiled ones, made once, by the standard library alone."""
    out = tmp_path_factory.mktemp("programs")
    env = {
        **os.environ,
        "GOCACHE": str(out / "cache"),
        "GOPATH": str(out / "gopath"),
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    for name, folder in (("go_server", SERVERS_HERE), ("go_client", CLIENTS_HERE)):
        run([need("go"), "build", "-o", out / name, folder / f"{name}.go"], 120, env=env)
    sources = [SERVERS_HERE / "JavaServer.java", CLIENTS_HERE / "JavaClient.java"]
    run([need("javac"), "-d", out, *sources], 60)
    classes = sorted(p.name for p in out.glob("JavaServer*.class"))
    jar = [need("jar"), "--create", "--file", out / "java_server.jar", "--main-class=JavaServer"]
    run([*jar, *classes], 60, cwd=out)
    return out


def fill(folder, template, **values):
    text = (SERVERS_HERE / template).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    (folder / template).write_text(text)


def prepare(folder):
    """The configurations and folders of servers that need them, below `folder`."""
    folder.chmod(0o755)  # apache2's workers are www-data
    (folder / "www").mkdir()
    (folder / "www" / "item.txt").write_text("an item\n")
    listen = "\n".join(f"\t\tlisten 127.0.0.1:{p};" for p in NGINX_PORTS)
    fill(folder, "nginx.conf", DIR=folder, LISTEN=listen)
    modules = "/usr/lib/apache2/modules"
    fill(folder, "apache2.conf", DIR=folder, PORT=SERVERS["apache2"][0], MODULES=modules)
    fill(folder, "haproxy.cfg", PORT=SERVERS["haproxy"][0], BACKEND=PROXIED)
    fill(folder, "Caddyfile", PORT=SERVERS["caddy"][0])


def command(line, **values):
    """The arguments of a row's command line, the program by its full path."""
    words = line.split()
    words[0] = words[0] if words[0].startswith("{") else need(words[0])
    return [word.format(python=sys.executable, **values) for word in words]


def asked(process):
    """The requests a client says it made: a list of (number, method, status)."""
    if process.wait(60) != 0:
        pytest.fail(process.output())
    lines = [line.split() for line in process.stdout if line]
    return [(int(n), method, int(status)) for n, method, status in lines]


class Matrix:
    """One run of everything. With backend None: no redtap, to see the pairs alone.

    truth      {port: [(number, method, status)]} as the clients say
    failed     {port: why}: servers and clients that did not do their part
    records    what `redtap trace` said"""

    def __init__(self, backend, programs):
        self.backend, self.programs = backend, programs
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rt-matrix-"))
        self.procs = Procs()
        self.spaces = []
        self.truth, self.failed, self.records = {}, {}, []
        try:
            prepare(self.folder)
            self._run()
        finally:
            self.procs.close()
            for space in self.spaces:
                space.close()
            shutil.rmtree(self.folder)

    def _netns(self):
        self.spaces.append(Netns(self.procs))
        return self.spaces[-1]

    def _run(self):
        inside, outside = self._netns(), self._netns()
        agents = []
        if self.backend:
            agents = [cls(inside, self.backend) for cls in (Trace, Redtap)]
            for agent in agents:
                self.procs.add(agent).wait_ready()
        strangers = self._outside(outside)
        self._servers(inside)
        self._clients(inside)
        for process in strangers:
            assert len(asked(process)) == REQUESTS
        if agents:
            self._collect(*agents)
        self.nginx_log = (self.folder / "access.log").read_text().splitlines()

    def _start(self, netns, name, line, **values):
        env = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
        env |= {"HOME": str(self.folder), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": ""}
        env |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        argv = command(line, dir=self.folder, programs=self.programs, **values)
        if name in TWO_THREADS:
            argv = [need("taskset"), "-c", str(max(os.sched_getaffinity(0))), *argv]
        return netns.popen(argv, name=name, env=env, cwd=self.folder)

    def _servers(self, netns):
        started = {}
        for name, (port, _, line) in SERVERS.items():
            more = {x: need(x) for x in ("gunicorn", "uvicorn") if x == name}
            started[name] = self._start(netns, name, line, port=port, here=SERVERS_HERE, **more)
        for name, process in started.items():
            port = SERVERS[name][0]
            try:
                netns.wait_listen(process, port, timeout=40)
            except pytest.fail.Exception as e:
                self.failed[port] = str(e)
        netns.wait_listen(started["nginx"], *NGINX_PORTS)

    def _clients(self, netns):
        """A few at a time: the machine may be small."""
        todo = [
            (name, port, "{python} {here}/stock_client.py {port}")
            for name, (port, _, _) in SERVERS.items()
            if port not in self.failed
        ]
        todo += [(name, port, line) for name, (port, _, line) in CLIENTS.items()]
        running = {}
        deadline = time.monotonic() + 120 * SLOW
        while todo or running:
            while todo and len(running) < 4:
                name, port, line = todo.pop()
                running[port] = self._start(netns, name, line, port=port, here=CLIENTS_HERE)
            if time.monotonic() > deadline:
                for process in running.values():
                    process.kill()
            for port in [p for p, process in running.items() if not process.alive()]:
                try:
                    self.truth[port] = asked(running.pop(port))
                except pytest.fail.Exception as e:
                    self.failed[port] = str(e)
            time.sleep(0.02)
        self.truth[PROXIED] = self.truth.get(SERVERS["haproxy"][0], [])

    def _outside(self, netns):
        """The same programs, ports and paths in a namespace that is not in scope."""
        port = SERVERS["http.server"][0]
        server = netns.popen([sys.executable, SERVERS_HERE / "http_server.py", str(port)])
        netns.wait_listen(server, port)
        client = [sys.executable, CLIENTS_HERE / "stock_client.py", str(port)]
        return [netns.popen([*client, prefix]) for prefix in ("/outside/", "/item/")]

    def _collect(self, trace, agent):
        wanted = 2 * sum(len(t) for t in self.truth.values())
        try:
            wait_until(lambda: len(trace.exchanges()) >= wanted, 5)
        except pytest.fail.Exception:
            pass  # the row that lacks one says so
        self.metrics = agent.settle()
        time.sleep(0.3 * SLOW)
        self.records = trace.exchanges()
        trace.stop()
        agent.stop()


@pytest.fixture(scope="module")
def alone(programs):
    return Matrix(None, programs)


@pytest.fixture(scope="module", params=BACKENDS)
def matrix(request, programs):
    return Matrix(request.param, programs)


def key(exchange):
    return exchange["path"], exchange["method"], exchange["status"]


def compare(matrix, role, port, service):
    """(found, problems): the records at one port and side against the client's word."""
    side = {"server": "local_port", "client": "peer_port"}[role]
    records = [x for x in matrix.records if x["role"] == role and x[side] == port]
    have = collections.Counter(map(key, records))
    want = collections.Counter((f"/item/{n}", m, s) for n, m, s in matrix.truth[port])
    problems = []
    for what, difference in (("missing", want - have), ("too many", have - want)):
        if difference:
            sample = sorted(difference.elements())[:8]
            problems.append(f"{role} side, {what} {sum(difference.values())}: {sample}")
    services = collections.Counter(x["service"] for x in records)
    if records and set(services) != {service}:
        problems.append(f"{role} side, services {dict(services)}, not {service}")
    for x in records:
        is_error = x["status"] >= (500 if role == "server" else 400)
        if (x["error"] or None) != (str(x["status"]) if is_error else None):
            problems.append(f"{role} side, error of {x}")
            break
    return sum((want & have).values()), problems


def judge(matrix, row, port, server, client):
    """Both sides of one port, written to the table; fails with all that is wrong."""
    problems, found = [], []
    for role, service in (("server", server), ("client", client)):
        n, wrong = compare(matrix, role, port, service)
        found.append(n)
        problems += wrong
    mark = "" if not problems else "  FAILED"
    cell = f"{found[0]}/{REQUESTS} {found[1]}/{REQUESTS}{mark}"
    TABLE.setdefault(row, {})[matrix.backend] = cell
    records = [x for x in matrix.records if port in (x["local_port"], x["peer_port"])]
    sample = "\n".join(json.dumps(x) for x in records[:3])
    assert not problems, "\n".join([*problems, sample])


def check_truth(matrix, port):
    """What the client saw is what was planned: the servers do as they should."""
    assert port not in matrix.failed, matrix.failed[port]
    asked_for = matrix.truth[port]
    assert sorted(n for n, _, _ in asked_for) == list(range(REQUESTS))
    statuses = collections.Counter(str(status) for _, _, status in asked_for)
    assert statuses == STATUSES
    assert {method for _, method, _ in asked_for} == {"GET", "POST", "HEAD"}


@pytest.mark.parametrize("name", [*SERVERS, *CLIENTS])
def test_pair_alone(alone, name):
    """Without redtap: servers and clients agree with the plan and with one another."""
    check_truth(alone, {**SERVERS, **CLIENTS}[name][0])


def test_nginx_agrees_with_its_clients(alone):
    """The stock server's own log has the same requests as the clients' words."""
    logged = collections.Counter(line for line in alone.nginx_log)
    said = collections.Counter(
        f"{port} {method} /item/{n} {status}"
        for port in NGINX_PORTS
        for n, method, status in alone.truth[port]
    )
    assert logged == said


@pytest.mark.parametrize("name", SERVERS)
def test_server(matrix, name):
    port, service, _ = SERVERS[name]
    check_truth(matrix, port)
    judge(matrix, name, port, service, "stock_client")


def test_proxy_to_its_server(matrix):
    """The client side of haproxy, and the server behind it."""
    judge(matrix, "haproxy → nginx", PROXIED, "nginx", "haproxy")


@pytest.mark.parametrize("name", CLIENTS)
def test_client(matrix, name):
    port, service, _ = CLIENTS[name]
    check_truth(matrix, port)
    judge(matrix, name, port, "nginx", service)


def test_metrics_agree(matrix):
    """Counts by service and status in /metrics are those of the clients' words."""
    servers, clients = collections.Counter(), collections.Counter()
    for port, truth in matrix.truth.items():
        server = {p: service for p, service, _ in SERVERS.values()}.get(port, "nginx")
        client = {p: service for p, service, _ in CLIENTS.values()}.get(port, "stock_client")
        client = "haproxy" if port == PROXIED else client
        for _, _, status in truth:
            servers[server, str(status)] += 1
            clients[client, str(status)] += 1
    for count, want in (
        (matrix.metrics.server_count, servers),
        (matrix.metrics.client_count, clients),
    ):
        have = {
            (service, status): count(service_name=service, http_response_status_code=status)
            for service, status in want
        }
        assert have == dict(want)
        assert count() == sum(want.values())
    matrix.metrics.assert_conserved()


def test_nothing_from_outside(matrix):
    """No record beyond those of the plan: none twice, none of another namespace."""
    assert not [x for x in matrix.records if not x["path"].startswith("/item/")]
    want = 2 * sum(len(t) for t in matrix.truth.values())
    assert len(matrix.records) == want


def test_table(capsys):
    """Prints what was found, server side and client side, per row and backend."""
    width = max([len(row) for row in TABLE] + [8])
    lines = ["", "requests found / expected: on the server's side, on the client's side"]
    lines.append(f"{'':{width}}  " + "  ".join(f"{b:22}" for b in BACKENDS))
    for row, cells in TABLE.items():
        lines.append(f"{row:{width}}  " + "  ".join(f"{cells.get(b, '-'):22}" for b in BACKENDS))
    with capsys.disabled():
        print("\n".join(line.rstrip() for line in lines))
    assert TABLE
