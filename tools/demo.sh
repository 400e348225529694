#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real nginx in a network namespace of its own, under load, and what redtap
# says about it without nginx knowing. Leaves nothing behind, however it ends.
#
#   tools/demo.sh [PROGRAM]      default: build/redtap; needs root
#
# DEMO_SECONDS=10: how long the load lasts.
set -euo pipefail
cd "$(dirname "$0")/.."

# All that is asked here is on this machine, whatever proxy leads out of it.
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

redtap=${1:-build/redtap}
seconds=${DEMO_SECONDS:-10}
ns=redtap-demo-$$
tmp=
pids=()

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

cleanup() {
	local status=$? pid
	trap - EXIT INT TERM
	if [ $status != 0 ] && [ -s "$tmp/redtap.log" ]; then
		echo "demo: failed; redtap said:" >&2
		tail -n 20 "$tmp/redtap.log" >&2
	fi
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in "${pids[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
	ip netns del "$ns" 2>/dev/null || true
	[ -z "$tmp" ] || rm -rf "$tmp"
	exit $status
}

[ "$(id -u)" = 0 ] || die "needs root: it loads BPF programs and makes a network namespace"
[ -x "$redtap" ] || die "there is no $redtap: run make"
trap cleanup EXIT
trap 'exit 130' INT TERM
tmp=$(mktemp -d)
chmod 755 "$tmp"

port=$(/usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
metrics=http://127.0.0.1:$port

# Waits until a command succeeds, for 10 s at most.
wait_for() {
	local i
	for ((i = 0; i < 200; i++)); do
		if "$@" >/dev/null 2>&1; then
			return 0
		fi
		sleep 0.05
	done
	return 1
}

start_nginx() {
	mkdir "$tmp/www"
	head -c 300000 /dev/zero >"$tmp/www/report.pdf"
	cat >"$tmp/nginx.conf" <<-CONF
		daemon off;
		worker_processes 2;
		pid $tmp/nginx.pid;
		error_log $tmp/error.log;
		events { worker_connections 256; }
		http {
			log_format demo '\$request_method \$uri \$status';
			access_log $tmp/access.log demo;
			client_body_temp_path $tmp/body;
			proxy_temp_path $tmp/proxy;
			fastcgi_temp_path $tmp/fastcgi;
			uwsgi_temp_path $tmp/uwsgi;
			scgi_temp_path $tmp/scgi;
			keepalive_requests 1000000;
			upstream backend { server 127.0.0.1:8081; keepalive 16; }
			server {
				listen 127.0.0.1:8080;
				root $tmp/www;
				location = / { return 200 "hello\n"; }
				location /users/ { return 200 "{}\n"; }
				location /checkout { return 500 "out of order\n"; }
				location /report.pdf { limit_rate 1m; }
				location /orders {
					proxy_pass http://backend;
					proxy_http_version 1.1;
					proxy_set_header Connection "";
				}
			}
			server {
				listen 127.0.0.1:8081;
				location / { return 201 "created\n"; }
			}
		}
	CONF
	ip netns exec "$ns" nginx -p "$tmp" -e "$tmp/error.log" -c "$tmp/nginx.conf" &
	pids+=($!)
	wait_for ip netns exec "$ns" curl -sf http://127.0.0.1:8080/ ||
		die "nginx did not start: $(cat "$tmp/error.log")"
}

start_redtap() {
	"$redtap" run --netns "/run/netns/$ns" --exe '*/nginx' --listen "127.0.0.1:$port" \
		>"$tmp/redtap.log" 2>&1 &
	pids+=($!)
	wait_for curl -sf "$metrics/readyz" || die "redtap did not get ready"
}

# About a thousand requests a second of five kinds, and slow downloads.
run_traffic() {
	cat >"$tmp/mix.lua" <<-'LUA'
		function delay() return math.random(5, 20) end
		function request()
			local n = math.random(100)
			if n <= 40 then return wrk.format("GET", "/users/" .. math.random(1000)) end
			if n <= 70 then return wrk.format("GET", "/") end
			if n <= 90 then return wrk.format("POST", "/orders", nil, "{\"item\": 7}") end
			if n <= 97 then return wrk.format("GET", "/no/such/page") end
			return wrk.format("POST", "/checkout", nil, "{}")
		end
	LUA
	ip netns exec "$ns" wrk -t 1 -c 16 -d "$seconds" -s "$tmp/mix.lua" http://127.0.0.1:8080/ \
		>"$tmp/wrk.txt" &
	local load=$! end=$((SECONDS + seconds))
	pids+=("$load")
	while [ $SECONDS -lt $end ]; do
		ip netns exec "$ns" curl -sf -o /dev/null http://127.0.0.1:8080/report.pdf ||
			die "a download failed"
	done
	wait "$load" || die "wrk failed: $(cat "$tmp/wrk.txt")"
	sleep 2.5
}

ip netns add "$ns" || die "cannot make a network namespace"
ip -n "$ns" link set lo up
start_nginx
: >"$tmp/access.log"
start_redtap
say "nginx runs in network namespace $ns; $("$redtap" version | head -n 1) watches from outside."
echo "$seconds seconds of load: wrk on five routes, curl on a slow download ..."
run_traffic

curl -sf "$metrics/metrics" >"$tmp/page"
say "Requests by route, as redtap sees them"
/usr/bin/python3 tools/red_table.py "$seconds" <"$tmp/page" || die "no request was seen"

say "The same requests in nginx's own access log (it is its own backend for /orders)"
sed -E 's|/users/[0-9]+|/users/{id}|' "$tmp/access.log" | sort | uniq -c | sort -rn | sed 's/^/  /'

say "An excerpt of $metrics/metrics"
grep -E '^# (HELP|TYPE) http_server_request_duration_seconds ' "$tmp/page" || true
grep '^http_server_request_duration_seconds' "$tmp/page" | grep '"/users' |
	grep -E 'le="(0.005|0.01|\+Inf)"|_sum|_count' || true
grep -E '^redtap_(exchanges_(started|finished|aborted|evicted)|records|records_lost)_total' \
	"$tmp/page" || true
