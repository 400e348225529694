#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""All backends side by side in a guest, `fentry` among them: the same records of the same
2,000 requests, times between the clocks of both ends; the same of what curl asks nginx in as
many ways; and what each reads of a server that moves its bytes by io_uring. Exit status 1 when
a line is red.

    tests/vm/same.py --build build [--kernel 6.12]... [--backend fentry]...
"""
import argparse
import json
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools" / "vm"), str(ROOT / "tests" / "e2e" / "lib")]

import records  # noqa: E402
from guest import Guest  # noqa: E402
from kernels import VmError  # noqa: E402

BACKENDS = ["sock", "event", "syscall", "fentry"]
# Before Linux 6.5, sendfile is a call of its own to `fentry`; and iterators differ.
KERNELS = {"6.12": BACKENDS, "6.1": ["syscall", "fentry"]}
PORTS = {"fentry": 9733, "sock": 9734}  # `redtap run` besides, for its counters
MODES = ["single", "msg", "multi", "fixed", "thread", "half"]  # of uring.c
REQUESTS = 40
# Between the hooks of one call there is the emulated way out of it, and three other programs.
USUAL_NS = 10_000_000

NGINX = """\
daemon off; master_process off; user root; pid /tmp/nginx.pid; error_log /tmp/nginx.log;
events { worker_connections 64; }
http {
	access_log off; sendfile on; gzip_types *; gzip_min_length 1;
	client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fcgi;
	uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
	server {
		listen 8081; listen 8082 proxy_protocol; listen unix:/tmp/http.sock; root /tmp/www;
		location /empty { return 200 ok; }
		location /chunked/ { alias /tmp/www/; gzip on; }
	}
}
"""
# What SCRIPT has curl ask: method, path, status.
SHAPES = Counter({
    ("GET", "/empty", 200): 4, ("GET", "/small", 200): 1, ("GET", "/big", 200): 2,
    ("HEAD", "/small", 200): 1, ("GET", "/none", 404): 1, ("POST", "/empty", 200): 1,
    ("GET", "/chunked/big", 200): 1, ("GET", "/big", 206): 1, ("GET", "/huge", 200): 1,
})
HUGE = 64 << 20

SCRIPT = """
cd /tmp
part() { echo "@@ $*"; }
ready() { until grep -q "$1" $2; do sleep 0.1; done; }
for b in @BACKENDS@; do
	redtap trace --format json --backend $b >$b.json 2>$b.err & agents="$agents $!"
	ready "capturing with backend" $b.err
done
for x in @AGENTS@; do
	redtap run --backend ${x%%:*} --listen 127.0.0.1:${x##*:} 2>${x%%:*}.run &
	agents="$agents $!"
	ready "capturing with backend" ${x%%:*}.run
done
rings() {
	for port in @PORTS@; do
		wget -q -O - http://127.0.0.1:$port/metrics | grep "^redtap_blind_operations_total"
	done
}
part "rings"; rings
traffic() {
	name=$1; shift
	"$@" go >$name.out &
	ready ready $name.out; touch go; ready "^{" $name.out
	sleep 3; part $name; cat $name.out
	part "rings $name"; rings
	rm go; wait $!
}
traffic talk talk

mkdir www; head -c 500 /dev/urandom >www/small; head -c 1000000 /dev/urandom >www/big
truncate -s @HUGE@ www/huge
nginx -e /tmp/nginx.log -c /etc/nginx.conf & web=$!
at=http://127.0.0.1:8081
until [ -S http.sock ]; do sleep 0.1; done
ask() { curl -sS -o /dev/null "$@" 2>&1; }
part shapes
ask $at/empty -o /dev/null $at/small -o /dev/null $at/big  # on one connection, by sendfile
ask -I $at/small
ask $at/none
ask --data-binary @www/small $at/empty
ask --compressed $at/chunked/big
ask -r 10-19 $at/big
ask --http1.0 $at/empty
ask -H "Connection: close" $at/empty
ask --haproxy-protocol http://127.0.0.1:8082/empty
ask --unix-socket http.sock http://a/big
ask -m 2 --limit-rate 10k $at/huge | sed "s/ with .*//"  # closes in the middle: a reset
sleep 2; kill $web

for m in @MODES@; do traffic $m uring $m @REQUESTS@; done
kill $agents; wait
for b in @BACKENDS@; do part "json $b"; cat $b.json; part "err $b"; cat $b.err; done
part end
"""

ASKED = len("GET /ring HTTP/1.1\r\nHost: a.example\r\n\r\n")
ANSWERED = len("HTTP/1.1 201 Created\r\nContent-Length: 700\r\n\r\n") + 700


def script(backends):
    ports = {b: port for b, port in PORTS.items() if b in backends}
    text = SCRIPT
    for name, words in (
            ("BACKENDS", backends), ("AGENTS", [f"{b}:{port}" for b, port in ports.items()]),
            ("PORTS", ports.values()), ("MODES", MODES), ("REQUESTS", [REQUESTS]),
            ("HUGE", [HUGE])):
        text = text.replace(f"@{name}@", " ".join(map(str, words)))
    return text


def need(program):
    path = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not path:
        raise VmError(f"{program} is missing: run tools/setup.sh vm")
    return path


def parts(text):
    return {m[1]: m[2] for m in re.finditer(r"^@@ (.*)\n((?:(?!@@ ).*\n)*)", text, re.M)}


def program(text):
    """What talk or uring printed: (pids, account)."""
    first, second = text.splitlines()
    return set(map(int, first.split()[1:])), json.loads(second)


def wrong_sums(told, account):
    """Each side's durations, all of a kind together, between its own clocks; no tolerance."""
    for b, found in told.items():
        for role in ("server", "client"):
            for path, (status, count, inner, outer) in account[role].items():
                mine = [x["duration_ns"] for x in found
                        if (x["role"], x["path"], x["status"], x["error"] in ("", str(status)))
                        == (role, path, status, True)]
                if len(mine) != count:
                    yield f"{b} {role} {path}: {len(mine)} records instead of {count}"
                elif not inner <= sum(mine) <= outer:
                    yield f"{b} {role} {path}: {sum(mine)} ns, not within {inner} and {outer}"


def judge_same(got, told):
    pids, account = program(got["talk"])
    if account["error"]:
        return [account["error"]]
    mine = {b: [x for x in found if x["pid"] in pids] for b, found in told.items()}
    wrong = records.differences(mine)[:10] + list(wrong_sums(mine, account))
    return wrong or apart(mine)


def apart(told):
    """Whether the backends' times of the same records are."""
    wrong, pairs = [], records.pairs(told)
    for field in ("duration_ns", "ttfb_ns"):
        spread = sorted(records.spread(p, field) for p in pairs)
        middle = spread[len(spread) // 2]
        if middle > USUAL_NS:
            wrong.append(f"{field}: apart by {middle} ns in the middle")
        print(f"    {len(pairs)} records, {field} apart by {middle} ns in the middle, "
              f"{spread[-1]} at most")
    return wrong


def judge_shapes(got, told):
    mine = {b: [x for x in found if x["service"] in ("nginx", "curl")]
            for b, found in told.items()}
    wrong = records.differences(mine)
    for b, found in mine.items():
        for role in ("server", "client"):
            have = Counter((x["method"], x["path"], x["status"]) for x in found
                           if x["role"] == role)
            if have != SHAPES:
                wrong.append(f"{b} {role}: {dict(have)}")
        sizes = {(x["role"], x["error"], 0 < x["response_bytes"] < HUGE) for x in found
                 if x["path"] == "/huge"}
        if ("server", "connection_reset", True) not in sizes:
            wrong.append(f"{b}: the answer that was cut short is told as {sizes}")
    return wrong + [got["shapes"]] if wrong else apart(mine)


def rings(text, told):
    """{backend: operations of io_uring that were not read}"""
    values = re.findall(r'by="io_uring"[^}]*\} (\d+)', text)
    return dict(zip((b for b in PORTS if b in told), map(int, values)))


def told_of_server(mode, backend):
    """(records, status of each) of the io_uring server; see bpf/README.md."""
    if backend == "fentry":
        return (0, None) if mode == "fixed" else (REQUESTS, 201)
    return (REQUESTS, 0) if mode == "half" else (0, None)


def judge_ring(mode, got, told, before):
    pids, account = program(got[mode])
    if account["error"] or account["requests"] != REQUESTS:
        return [f"{mode}: {account}"]
    wrong = []
    for b in before:
        mine = [x for x in told[b] if x["pid"] in pids]
        client = [x for x in mine if x["role"] == "client"]
        server = [x for x in mine if x["role"] == "server"]
        count, status = told_of_server(mode, b)
        for name, found, n, code in (("client", client, REQUESTS, 201),
                                     ("server", server, count, status)):
            good = [x for x in found if (x["status"], x["error"], x["request_bytes"],
                    x["response_bytes"]) == (code, "", ASKED, ANSWERED)]
            if len(found) != n or len(good) != n:
                wrong.append(f"{b} {name}: {len(good)} right of {len(found)} records, "
                             f"instead of {n}: {found[:1]}")
        unread = rings(got[f"rings {mode}"], told)[b] - before[b]
        want = account["recvs"] + account["sends"]
        if b == "fentry" and mode != "fixed":
            want = 0
        if unread != want:
            wrong.append(f"{b}: {unread} operations of io_uring not read, instead of {want}")
    return wrong


def run(build, kernel, backends):
    with tempfile.NamedTemporaryFile("w", prefix="redtap-nginx-") as conf:
        conf.write(NGINX)
        conf.flush()
        guest = Guest(kernel=kernel, command=script(backends), timeout=400, files=[
            (build / "redtap", "/bin/redtap"), (build / "vm/talk", "/bin/talk"),
            (build / "vm/uring", "/bin/uring"), (need("nginx"), "/bin/nginx"),
            (need("curl"), "/bin/curl"), (conf.name, "/etc/nginx.conf")])
        return guest.run()


def judge(result, backends):
    """[(what, what is wrong with it)]"""
    got = parts(result.stdout)
    if "end" not in got:
        return [("all", ["the guest did not come to its end", result.stdout[-3000:],
                         result.stderr[-2000:], result.console[-1500:]])]
    told = {b: [json.loads(line) for line in got[f"json {b}"].splitlines()] for b in backends}
    rows = [(f"the same records by {', '.join(backends)}", judge_same(got, told)),
            ("the same of what nginx answers curl", judge_shapes(got, told))]
    before = rings(got["rings talk"], told)
    for mode in MODES:
        rows.append((f"io_uring, {mode}", judge_ring(mode, got, told, before)))
        before = rings(got[f"rings {mode}"], told)
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--build", default="build", help="where redtap and the test programs are")
    p.add_argument("--kernel", action="append", help=f"default: {' '.join(KERNELS)}")
    p.add_argument("--backend", action="append", help="default: all that the kernel carries")
    args = p.parse_args()
    bad = 0
    for kernel in args.kernel or KERNELS:
        backends = args.backend or KERNELS.get(kernel, BACKENDS)
        result = run(Path(args.build), kernel, backends)
        if result.status is None:
            # An emulator's crash is not the kernel's answer; a second one is.
            result = run(Path(args.build), kernel, backends)
        for name, wrong in judge(result, backends):
            bad += bool(wrong)
            print(f"{'RED' if wrong else 'ok':4}{result.kernel}  {name}", *wrong, sep="\n    ",
                  flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except VmError as e:
        print(f"vm: {e}", file=sys.stderr)
        sys.exit(125)
