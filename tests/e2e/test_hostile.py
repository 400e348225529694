# SPDX-License-Identifier: Apache-2.0
"""Where a kernel or its keepers give less: features forced off one by one, types from a file,
places that are not mounted, capabilities cut down. Exact by the fallback, or one sentence."""

import os
import pathlib
import re
import shutil
import socket
import tempfile
import time

import pytest

from lib import load
from lib.agent import READY_LINE, Redtap, binary, clean_env, redtap_cli
from lib.procs import run
from lib.util import ROOT_DIR, need

REQUESTS, CONNECTIONS = 2000, 16
UNIX = "} server { listen unix:%s/http.sock; location /empty { return 200 ok; }"


@pytest.fixture
def start(netns, procs):
    """start(*flags, wrap=, backend=): `redtap run` on whatever backend it takes, ready."""
    made = []

    def one(*flags, backend=None, **kw):
        made.append(procs.add(Redtap(netns, backend, *flags, **kw)))
        made[-1].wait_ready()
        return made[-1]

    yield one
    for agent in made:
        agent.stop()


@pytest.fixture
def traffic(netns, tmp_path):
    """check(agent): requests by ab through nginx; and on an open TCP and an open Unix
    connection one each, which only the sweep can find. Each must be counted once."""
    nginx = load.Nginx(netns, tmp_path, extra=UNIX % tmp_path)

    def check(agent):
        result = load.ab(netns, "http://127.0.0.1:8080/empty", REQUESTS, CONNECTIONS, True)
        assert result["complete"] == REQUESTS, result["text"]
        unix = netns.socket(socket.AF_UNIX)
        unix.connect(str(tmp_path / "http.sock"))
        conns = [netns.http(8080), netns.http_over(unix)]
        for conn in conns:
            conn.request("GET", "/empty")
            assert conn.getresponse().read() == b"ok"
        want = REQUESTS + len(conns)
        m = agent.wait_metrics(lambda m: min(m.server_count(), m.client_count()) >= want)
        good = {"http_response_status_code": "200", "error_type": None}
        assert m.server_count(**good) == m.client_count(**good) == want
        for conn in conns:
            conn.close()
        m = agent.settle()
        assert m.server_count() == m.client_count() == want
        assert m.losses() == {}
        m.assert_conserved()
        return m

    check.server = nginx.process
    return check


# --- features forced off ----------------------------------------------------

# feature: (flags beside it, the backend that must come out)
FALLBACKS = [
    ("sock_length", [], "syscall"),
    ("sk_storage", [], "sock"),
    ("task_regs", [], "sock"),
    ("task_regs", ["--backend", "syscall"], "syscall"),
    ("iter", [], "sock"),
    ("iter", ["--disable-feature", "iter_files"], "sock"),
    ("iter", ["--backend", "syscall"], "syscall"),
    ("iter_files", [], "sock"),
    # The object for old kernels, which has the one backend that they can carry.
    ("atomic", [], "syscall"),
    ("func_args", [], "syscall"),
    ("tracefs", [], "sock"),
    ("fentry", [], "sock"),
    ("steady_tp", [], "event"),
    ("steady_fn", [], "sock"),
    ("uprobe", [], "sock"),
    ("pid_ns", [], "sock"),
]
# feature: (flags beside it, what the sentence must say)
NO_FALLBACK = [
    ("btf", [], "kernel BTF"),
    ("privilege", [], "privileges to load BPF"),
    ("ringbuf", [], "BPF ring buffer"),
    ("lockdown", [], "no kernel lockdown"),
    ("sock_length", ["--backend", "sock"], "socket length tracepoints"),
    ("atomic", ["--backend", "sock"], "atomic exchange in BPF programs"),
    ("func_args", ["--backend", "event"], "pointers handed to global functions"),
    ("tracefs", ["--backend", "syscall"], "tracefs"),
    ("fentry", ["--backend", "fentry"], "BPF trampolines"),
]


def backend_line(agent):
    [line] = [x for x in agent.stderr if READY_LINE in x]
    return re.search(READY_LINE + r" (\w+)", line)[1]


def test_every_feature_is_forced_off_here():
    text = (ROOT_DIR / "include/redtap/features.def").read_text()
    rows = {x.lower() for x in re.findall(r"^FEATURE\((\w+),", text, re.M)}
    assert rows == {row[0] for row in FALLBACKS + NO_FALLBACK}


@pytest.mark.parametrize("feature, flags, backend", FALLBACKS)
def test_fallback(start, traffic, feature, flags, backend):
    agent = start("--disable-feature", feature, *flags)
    assert backend_line(agent) == backend
    traffic(agent)


@pytest.mark.parametrize("feature, flags, words", NO_FALLBACK)
def test_no_fallback(netns, feature, flags, words):
    """One sentence that names the feature, status 1; and doctor lists it."""
    flags = ["--disable-feature", feature, *flags]
    done = redtap_cli("run", "--netns", netns.path, "--listen", "127.0.0.1:0", *flags)
    assert done.returncode == 1 and done.stdout == "", done
    [line] = done.stderr.splitlines()
    assert f"needs {words}, which --disable-feature turned off" in line
    done = redtap_cli("doctor", *flags)
    last = done.stdout.splitlines()[-1]
    wanted = flags[flags.index("--backend") + 1] if "--backend" in flags else "?"
    assert done.returncode == 1
    assert last.startswith(("no backend works here", f"the backend {wanted} does not work here"))
    [line] = [x for x in done.stdout.splitlines() if "disabled by --disable-feature" in x]
    assert line == f"no   {words} ({feature}): disabled by --disable-feature"


# --- the kernel's types from a file -----------------------------------------


@pytest.fixture
def open_folder(monkeypatch):
    """A folder that any user may enter; the program under test is a copy in it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="redtap-e2e-"))
    folder.chmod(0o755)
    shutil.copy(binary(), folder / "redtap")
    (folder / "redtap").chmod(0o755)
    monkeypatch.setenv("RT_E2E_BIN", str(folder / "redtap"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def btf_file(open_folder):
    return shutil.copy("/sys/kernel/btf/vmlinux", open_folder / "types.btf")


def test_types_from_a_file(start, traffic, btf_file):
    agent = start("--btf", btf_file)
    assert backend_line(agent) == "sock"
    traffic(agent)


TYPED = {
    "bpf_get_current_task_btf",
    "bpf_task_pt_regs",
    "bpf_sk_storage_get",
    "bpf_sk_storage_get_tracing",
}
HIDDEN_BTF = ["--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh"]


@pytest.mark.alone  # `event`, as in conftest.py
def test_kernel_without_types(start, traffic, btf_file):
    """Only what attaches without them, or to nothing (user space runs it): no program of type
    tracing, none of the helpers that return or take a typed pointer; and it is exact."""
    agent = start("--btf", btf_file, wrap=[need("unshare"), *HIDDEN_BTF])
    assert backend_line(agent) == "event"
    bpftool = need("bpftool")
    ever = set()
    for prog in agent.bpf_objects()["prog"]:
        about = run([bpftool, "prog", "show", "id", str(prog)]).stdout
        assert re.match(r"\d+: ((raw_)?tracepoint|syscall) ", about), about
        code = run([bpftool, "prog", "dump", "xlated", "id", str(prog)]).stdout
        called = set(re.findall(r"\(85\) call (bpf_\w+)", code))
        assert not called & TYPED, about
        ever |= called
    assert ever  # the dumps are read
    traffic(agent)


def test_kernel_without_types_and_no_file(netns):
    argv = [binary(), "run", "--netns", netns.path, "--listen", "127.0.0.1:0"]
    done = run([need("unshare"), *HIDDEN_BTF, *argv], check=False, env=clean_env())
    [line] = done.stderr.splitlines()
    assert done.returncode == 1 and "no BTF" in line and "--btf" in line


# --- capabilities -----------------------------------------------------------

BOTH = ("bpf", "perfmon")
TRACEFS = "/sys/kernel/tracing"
MOUNTED = f"mount -t tracefs none {TRACEFS}"
UNMOUNTED = f"mount -t tmpfs none {TRACEFS} && mount -t tmpfs none /sys/kernel/debug"
# The root of cgroup v2: every process is below it.
CGROUP = re.search(r"^\S+ (\S+) cgroup2 ", pathlib.Path("/proc/mounts").read_text(), re.M)[1]
# What the README's table says: the feature, flags, its capabilities, how tracefs is.
EXACT = [
    ("sock", ["--backend", "sock"], BOTH, "true"),
    ("event", ["--backend", "event"], (*BOTH, "dac_read_search"), MOUNTED),
    ("syscall", ["--backend", "syscall"], (*BOTH, "dac_read_search"), MOUNTED),
    ("no tracefs", ["--backend", "syscall"], ("sys_admin", "dac_read_search"), UNMOUNTED),
    ("cgroup", ["--cgroup", CGROUP], BOTH, "true"),
]


def with_caps(caps, setup="true"):
    """A command prefix: a user who has no other process, with exactly these capabilities,
    after `setup` in a mount namespace of its own."""
    names = ",".join("cap_" + c for c in caps)
    ids = ["--keep=1", "--groups=", "--gid=61234", "--uid=61234"]
    caps = [f"--inh={names}", f"--addamb={names}"] if names else []
    shell = [need("unshare"), "--mount", need("sh"), "-c", setup + ' && exec "$@"', "sh"]
    return [*shell, need("capsh"), *ids, *caps, "--", "-c", 'exec "$@"', "sh"]


@pytest.mark.parametrize("flags, caps, setup", [x[1:] for x in EXACT], ids=[x[0] for x in EXACT])
def test_minimum_of_capabilities(start, traffic, open_folder, flags, caps, setup):
    traffic(start(*flags, wrap=with_caps(caps, setup)))


def fewer():
    """One capability fewer than the minimum: the sentence names it, status 1."""
    for name, flags, caps, setup in EXACT[:4]:
        for cap in caps:
            rest = {c for c in caps if c != cap}
            rest |= set(BOTH) if cap == "sys_admin" else set()  # which stands for them
            cap_name = "CAP_" + cap.upper()
            yield pytest.param(flags, rest, setup, cap_name, id=f"{name}-{cap}")
    netns = ["--netns", "1"]
    yield pytest.param(netns, BOTH, "true", "CAP_SYS_PTRACE", id="netns-sys_ptrace")
    port = ["--listen", "127.0.0.1:80"]
    yield pytest.param(port, BOTH, "true", "CAP_NET_BIND_SERVICE", id="listen-net_bind_service")


@pytest.mark.parametrize("flags, caps, setup, cap", fewer())
def test_one_capability_fewer(netns, open_folder, flags, caps, setup, cap):
    argv = [binary(), "run", "--netns", netns.path, "--listen", "127.0.0.1:0", *flags]
    done = run([*with_caps(caps, setup), *argv], check=False, env=clean_env())
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (1, "", 1), done
    assert cap in lines[0], lines


def test_with_ptrace(netns, start, traffic, open_folder):
    """Other users' processes: in scope by executable and pid, named by a path."""
    flags = ["--exe", "nginx", "--exe", "ab", "--exe", "python*"]
    flags += ["--netns", traffic.server.pid, "--services", "web=exe:/usr/sbin/ng*"]
    agent = start(*flags, wrap=with_caps((*BOTH, "sys_ptrace")))
    # A new executable is out of scope until it was looked at: let that be before it counts. This
    # one waits for who writes what it is to send, and nobody does.
    os.mkfifo(fifo := open_folder / "fifo")
    waits = netns.popen([need("ab"), "-p", fifo, "http://127.0.0.1:1/"], name="ab")
    time.sleep(0.5)
    waits.kill()
    m = traffic(agent)
    assert m.server_count(service_name="web") == m.server_count()


def test_without_ptrace(netns, start, traffic, open_folder):
    """Said once; a process that cannot be looked at is out of scope of --exe, not in it."""
    nothing = start("--exe", "nginx", wrap=with_caps(BOTH))
    m = traffic(start("--services", "web=exe:/usr/sbin/ng*", wrap=with_caps(BOTH)))
    assert m.server_count(service_name="nginx") == m.server_count()
    said = [x for x in nothing.stderr if "CAP_SYS_PTRACE" in x]
    assert len(said) == 1 and "--exe does not match" in said[0], nothing.output()
    assert nothing.metrics().server_count() == 0


@pytest.mark.parametrize("caps", [BOTH, ("sys_admin",)])
def test_statistics(start, open_folder, caps):
    agent = start("--self-bpf-stats", wrap=with_caps(caps))
    said = [x for x in agent.stderr if "CAP_SYS_ADMIN" in x]
    assert len(said) == (0 if "sys_admin" in caps else 1), agent.output()


def test_listening_below_1024(netns, start, open_folder):
    """Tried in a namespace of its own: the port there is nobody else's."""
    caps = (*BOTH, "net_bind_service")
    argv = [*with_caps(caps), binary(), "run", "--netns", netns.path, "--listen", "127.0.0.1:80"]
    agent = netns.popen(argv, env=clean_env())
    agent.wait_line(READY_LINE)
    agent.signal(15)
    assert agent.wait() == 0


@pytest.mark.alone  # `event`; and a setting of the whole machine
def test_perf_event_paranoid(start, traffic, open_folder):
    """3 takes CAP_SYS_ADMIN on Debian's kernels, CAP_PERFMON on others. Put back as it was."""
    knob = pathlib.Path("/proc/sys/kernel/perf_event_paranoid")
    before = knob.read_text()
    try:
        knob.write_text("3")
        traffic(start("--backend", "event", wrap=with_caps(EXACT[3][2], MOUNTED)))
    finally:
        knob.write_text(before)
