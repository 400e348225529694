# SPDX-License-Identifier: Apache-2.0
"""Two backends load and attach here, and `redtap doctor` names the true reason
where one does not. Doctor's scope is its own process: it captures nothing."""

import os
import pathlib
import re
import shutil
import sys
import tempfile

import pytest

from lib.agent import Redtap, binary, clean_env
from lib.procs import Procs, run
from lib.util import ROOT_DIR, need

NO_TRACEFS = ["/sys/kernel/tracing", "/sys/kernel/debug"]
BTF = "CONFIG_DEBUG_INFO_BTF"
PRIVILEGE = "CAP_BPF and CAP_PERFMON, or root"


@pytest.fixture
def program():
    """A copy that any user may run."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="redtap-bpf-"))
    folder.chmod(0o755)
    shutil.copy(binary(), folder / "redtap")
    (folder / "redtap").chmod(0o755)
    yield folder / "redtap"
    shutil.rmtree(folder)


def doctor(program, *flags, wrap=()):
    """(exit status, {item: (verdict, rest of the line)}, closing line)"""
    done = run([*wrap, program, "doctor", *flags], check=False, env=clean_env())
    assert done.stderr == "", done.stderr
    lines = done.stdout.splitlines()
    items = {}
    for line in lines[1:-1]:
        verdict, text = line[:4].strip(), line[5:]
        assert verdict in ("ok", "no", "--"), line
        item = text.split(":")[0].split(" (")[0]
        assert item not in items, f"twice: {line}"
        items[item] = (verdict, text)
    return done.returncode, items, lines[-1]


def hidden(*places):
    """A command prefix: these folders are empty, in a mount namespace of its own."""
    script = "".join(f"mount -t tmpfs none {p} && " for p in places) + 'exec "$@"'
    return [need("unshare"), "--mount", need("sh"), "-c", script, "sh"]


def without(*caps):
    drop = ",".join("-" + c for c in caps)
    return [need("setpriv"), f"--inh-caps={drop}", f"--bounding-set={drop}"]


def nobody():
    ids = ["--reuid=65534", "--regid=65534", "--clear-groups"]
    return [need("setpriv"), *ids, "--inh-caps=-all", "--bounding-set=-all"]


def test_all_backends(program):
    status, items, last = doctor(program)
    assert status == 0
    assert {k: v[0] for k, v in items.items() if k.startswith("backend")} == {
        "backend sock": "ok",
        "backend event": "ok",
        "backend fentry": items["BPF trampolines"][0],
        "backend syscall": "ok",
    }
    steady = items["tracepoint programs that are not preempted"][0] == "ok"
    assert last == f"redtap will use the backend {'sock' if steady else 'event'}"
    for item in ("kernel BTF", "BPF ring buffer", "socket storage", "tracefs",
                 "BPF iterators over files"):
        assert items[item][0] == "ok", items[item]
    # Some kernels have these and refuse them.
    verdict, text = items["BPF iterators over maps"]
    assert verdict == "ok" or "this kernel refuses: " in text, text


def test_names_of_features(program):
    """--disable-feature takes what is in brackets behind each, as its help says."""
    said = run([program, "doctor", "--help"]).stdout
    assert "a kernel feature that `redtap doctor` lists, by its short name" in said
    lines = [text for item, (_, text) in doctor(program)[1].items()
             if not item.startswith(("CAP_", "backend "))]
    names = [re.search(r" \((\w+)[);]", x)[1] for x in lines]
    table = (ROOT_DIR / "include/redtap/features.def").read_text()
    assert names == [x.lower() for x in re.findall(r"^FEATURE\((\w+)", table, re.M)]
    flags = [word for name in names for word in ("--disable-feature", name)]
    assert run([program, "config", *flags], env=clean_env()).stderr == ""


def test_trampolines(program):
    """Where the kernel refuses them, one sentence says so, and another backend is taken."""
    status, items, auto = doctor(program)
    verdict, text = items["backend fentry"]
    if verdict == "ok":
        pytest.skip("this kernel allows trampolines")
    assert status == 0 and "attach to kernel functions (" in text, text
    status, _, last = doctor(program, "--backend", "fentry")
    assert status == 1
    assert last == ("the backend fentry does not work here; without --backend redtap will use "
                    + auto.removeprefix("redtap will use the backend "))


def test_what_the_status_means(program):
    """One backend that works is not enough where --backend names another."""
    said = run([program, "doctor", "--help"]).stdout.replace("\n", " ")
    assert "0 when `redtap run` with the same options has a backend, else 1." in said
    fewer = ["--disable-feature", "tracefs"]
    assert doctor(program, *fewer)[0] == 0
    status, _, last = doctor(program, *fewer, "--backend", "syscall")
    assert status == 1 and last.startswith("the backend syscall does not work here"), last


def test_preempted_programs(program):
    """A backend that this kernel skips runs of is told so, and taken after the others."""
    status, items, last = doctor(program, "--disable-feature", "steady_tp")
    assert (status, last) == (0, "redtap will use the backend event")
    for name in ("sock", "syscall"):
        verdict, text = items[f"backend {name}"]
        assert verdict == "ok" and text.endswith("skips some runs"), text
    assert items["backend event"][1].endswith(")")
    # Without tracefs there is no other: a doubtful one is better than none.
    status, _, last = doctor(program, "--disable-feature", "steady_tp",
                             "--disable-feature", "tracefs")
    assert (status, last) == (0, "redtap will use the backend sock")


@pytest.mark.parametrize("backend", ["sock", "event", "syscall"])
def test_override(program, backend):
    status, _, last = doctor(program, "--backend", backend)
    assert (status, last) == (0, f"redtap will use the backend {backend}")


def test_tracefs_hidden(program):
    """Not mounted where it is looked for: redtap mounts its own, unseen by others."""
    status, items, last = doctor(program, "--backend", "syscall", wrap=hidden(*NO_TRACEFS))
    assert items["tracefs"][0] == "ok"
    assert (status, last) == (0, "redtap will use the backend syscall")


def test_tracefs_hidden_and_no_right_to_mount(program):
    wrap = [*hidden(*NO_TRACEFS), *without("sys_admin")]
    status, items, last = doctor(program, wrap=wrap)
    assert items["tracefs"][0] == "no" and "CAP_SYS_ADMIN" in items["tracefs"][1]
    assert items["CAP_SYS_ADMIN"][0] == "--"
    verdict, text = items["backend syscall"]
    assert verdict == "no" and "needs tracefs" in text
    # the sock backend needs none of it
    assert items["backend sock"][0] == "ok"
    assert (status, last) == (0, "redtap will use the backend sock")
    status, _, last = doctor(program, "--backend", "syscall", wrap=wrap)
    assert (status, last) == (1, "the backend syscall does not work here; without --backend redtap "
                                 "will use sock")


def test_no_btf(program):
    status, items, last = doctor(program, wrap=hidden("/sys/kernel/btf"))
    assert status == 1 and last.startswith("no backend works here")
    assert items["kernel BTF"][0] == "no" and BTF in items["kernel BTF"][1]
    for item in ("backend sock", "backend fentry", "backend syscall", "backend event"):
        verdict, text = items[item]
        assert verdict == "no" and BTF in text, text
    # the rest does not hang on it, and is not blamed
    assert items["privileges to load BPF"][0] == items["BPF ring buffer"][0] == "ok"


def test_unprivileged(program):
    status, items, last = doctor(program, wrap=nobody())
    assert status == 1 and last.startswith("no backend works here")
    for item in ("privileges to load BPF", "backend sock", "backend fentry", "backend syscall",
                 "BPF ring buffer"):
        verdict, text = items[item]
        assert verdict == "no" and PRIVILEGE in text, text
    assert {v[0] for k, v in items.items() if k.startswith("CAP_")} == {"--"}
    assert items["kernel BTF"][0] == "ok"


# Behind it bpf(2) ends with EPERM.
FORBID_BPF = """
import ctypes, os, platform, struct, sys
nr = {"x86_64": 321, "aarch64": 280}[platform.machine()]
ins = [(0x20, 0, 0, 0), (0x15, 0, 1, nr), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in ins))
prog = struct.pack("HxxxxxxP", len(ins), ctypes.addressof(code))
assert ctypes.CDLL(None).prctl(22, 2, prog) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""
FORBIDDEN = [
    pytest.param(["unshare", "--map-root-user"], "user namespace", id="user-namespace"),
    pytest.param([sys.executable, "-c", FORBID_BPF], "seccomp", id="seccomp"),
]


@pytest.mark.parametrize("wrap, reason", FORBIDDEN)
def test_capabilities_that_are_not_enough(program, netns, wrap, reason):
    """All bits are there, and bpf(2) is refused: that is the reason, not an old kernel."""
    status, items, last = doctor(program, wrap=wrap)
    assert status == 1 and last.startswith("no backend works here")
    assert items["CAP_BPF"][0] == items["CAP_SYS_ADMIN"][0] == "ok"
    verdict, text = items["privileges to load BPF"]
    assert verdict == "no" and reason in text, text
    for item in ("BPF ring buffer", "backend sock"):
        verdict, text = items[item]
        assert verdict == "no" and PRIVILEGE in text, text
    argv = [*wrap, program, "run", "--netns", netns.path, "--listen", "127.0.0.1:0"]
    done = run(argv, check=False, env=clean_env())
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done
    assert "not permitted: " in done.stderr and reason in done.stderr, done.stderr


def test_capabilities_instead_of_root(program):
    """Root in name only: what the two capabilities allow is enough to capture."""
    keep = "+bpf,+perfmon,+dac_read_search"
    wrap = [need("setpriv"), f"--inh-caps=-all,{keep}", f"--bounding-set=-all,{keep}"]
    status, items, last = doctor(program, wrap=wrap)
    assert items["CAP_BPF"][0] == items["CAP_PERFMON"][0] == "ok"
    assert items["CAP_SYS_ADMIN"][0] == items["CAP_NET_ADMIN"][0] == "--"
    assert (status, last) == (0, "redtap will use the backend sock")


def own_pids():
    """A command prefix: a pid namespace of its own, and the /proc that belongs to it."""
    return [need("unshare"), "--fork", "--pid", "--mount-proc", "--kill-child"]


def test_pid_namespace(program):
    """It captures, but what pids mean is another thing."""
    assert doctor(program)[1]["the host's pid namespace"][0] == "ok"
    status, items, last = doctor(program, wrap=own_pids())
    verdict, text = items["the host's pid namespace"]
    assert verdict == "no" and "hostPID: true" in text
    assert (status, last) == (0, "redtap will use the backend sock")


def test_pids_of_the_scope(program):
    """Those that `redtap run` ends over with the same options are no less wrong here."""
    assert doctor(program, "--pid", "1", "--pid", str(os.getpid()))[0] == 0
    for wrap, pid, words in (((), "4194304", "there is no process 4194304"),
                             (own_pids(), "1", "in a pid namespace of its own")):
        status, items, last = doctor(program, "--pid", pid, wrap=wrap)
        assert status == 1 and last.startswith("no backend works here"), last
        verdict, text = items["backend sock"]
        assert verdict == "no" and f"--pid {pid}: " in text and words in text, text


@pytest.mark.parametrize("command", ["run", "trace"])
def test_pid_namespace_pid_is_refused(program, netns, command):
    flags = ["--netns", netns.path, "--pid", "1"]
    done = run([*own_pids(), program, command, *flags], check=False, env=clean_env())
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and len(lines) == 1 and done.stdout == "", done
    assert "--pid 1" in lines[0] and "hostPID: true" in lines[0], lines


def test_pid_namespace_warning(netns):
    """Said once at the start; in the host's namespace not at all."""
    procs = Procs()
    try:
        for wrap, times in ((own_pids(), 1), ((), 0)):
            agent = procs.add(Redtap(netns, "sock", wrap=wrap))
            agent.wait_ready()
            if times:
                agent.wait_line("pid namespace", 5, "stderr")
            said = [x for x in agent.stderr if "warning" in x and "pid namespace" in x]
            assert len(said) == times, agent.output()
    finally:
        procs.close()
