# SPDX-License-Identifier: Apache-2.0
"""Mistakes and refusals: one sentence, the right exit status, nothing left behind.

Status 2: the user's mistake on the command line or in the configuration.
Status 1: the system refuses."""

import contextlib
import os
import pathlib
import shutil
import socket
import tempfile

import pytest

from lib.agent import binary, clean_env, redtap_cli
from lib.procs import run
from lib.util import need

MISTAKE, REFUSED = 2, 1


def sentence(done, status):
    """The one line on stderr of a run that failed with this status."""
    said = f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == status, said
    lines = [x for x in done.stderr.splitlines() if x.strip()]
    assert len(lines) == 1, said
    assert done.stdout == "", said
    line = lines[0]
    assert "libbpf:" not in line and len(line) <= 300, said
    return line


def run_scoped(netns, *args, **kw):
    return redtap_cli("run", "--netns", netns.path, "--listen", "127.0.0.1:0", *args, **kw)


# name, file content, what the sentence must say besides the file and the line
CONFIGS = [
    ("unknown_key", "metrcs:\n  ttl: 1h\n", 1, ["metrcs", "metrics"]),
    ("unknown_nested", "metrics:\n  ttl: 1h\n  max_serie: 5\n", 3, ["max_serie", "max_series"]),
    ("bad_duration", "metrics:\n  ttl: soon\n", 2, ["ttl", "soon"]),
    ("bad_number", "metrics:\n  max_series: many\n", 2, ["max_series", "many"]),
    ("negative", "metrics:\n  max_series: -1\n", 2, ["max_series", "-1"]),
    ("bad_boolean", "routes:\n  infer: perhaps\n", 2, ["infer", "perhaps"]),
    ("bad_choice", "backend: socks\n", 1, ["socks", "sock"]),
    ("bad_ring", "ring_size: 12345\n", 1, ["12345"]),
    ("bad_port", "port: [80, 99999]\n", 1, ["99999"]),
    ("bad_range", "port: ['90-80']\n", 1, ["90-80"]),
    ("scalar_for_map", "metrics: yes please\n", 1, ["metrics"]),
    ("syntax", "metrics: {ttl: 1h\nx: y\n", None, []),
    ("tab", "metrics:\n\tttl: 1h\n", 2, []),
    ("twice", "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", 2, ["listen"]),
    ("service_without_name", "services:\n  - exe: nginx\n", 2, ["name"]),
    ("service_key", "services:\n  - name: x\n    exee: nginx\n", 3, ["exee", "exe"]),
]


@pytest.mark.parametrize(
    "content, line, words", [c[1:] for c in CONFIGS], ids=[c[0] for c in CONFIGS]
)
@pytest.mark.parametrize("command", ["run", "config"])
def test_wrong_configuration(netns, tmp_path, command, content, line, words):
    path = tmp_path / "redtap.yaml"
    path.write_text(content)
    scope = ["--netns", netns.path, "--listen", "127.0.0.1:0"] if command == "run" else []
    said = sentence(redtap_cli(command, "--config", path, *scope), MISTAKE)
    assert "redtap.yaml" in said
    if line:
        assert f"redtap.yaml:{line}" in said or f"line {line}" in said, said
    for word in words:
        assert word in said, said


@pytest.mark.parametrize("kind", ["missing", "directory", "binary", "huge"])
def test_unreadable_configuration(netns, tmp_path, kind):
    path = tmp_path / "redtap.yaml"
    if kind == "directory":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(bytes(range(256)) * 20)
    elif kind == "huge":
        path.write_text("- [" * 100000)
    assert "redtap.yaml" in sentence(run_scoped(netns, "--config", path), MISTAKE)


def test_forbidden_configuration(netns, tmp_path):
    """A file that this user may not read."""
    with open_folder() as folder:
        path = folder / "redtap.yaml"
        path.write_text("metrics:\n  ttl: 1h\n")
        path.chmod(0o600)
        done = run([*unprivileged(), folder / "redtap", "config", "--config", path], check=False)
        assert "redtap.yaml" in sentence(done, MISTAKE)


@pytest.mark.parametrize(
    "args, words",
    [
        (["--lisen", "127.0.0.1:0"], ["--lisen", "--listen"]),
        (["--backend", "kprobe"], ["kprobe"]),
        (["--backend"], ["--backend"]),
        (["--ring-size", "abc"], ["ring-size", "abc"]),
        (["--ring-size=-1"], ["ring-size", "-1"]),
        (["--port", "0"], ["port", "0"]),
        (["--port", "80-"], ["port", "80-"]),
        (["--log-level", "loud"], ["loud"]),
        (["--disable-feature", "sk_storag"], ["sk_storag", '"sk_storage"']),
        (["--disable-feature", "nonsense"], ["nonsense", "redtap doctor"]),
        (["--btf", "/does/not/exist"], ["--btf /does/not/exist", "No such file"]),
        (["--btf", "/etc/hostname"], ["--btf /etc/hostname", "no BTF"]),
        (["--btf", "/etc"], ["--btf /etc", "no regular file"]),
        (["--listen", "nonsense"], ["nonsense"]),
        (["--listen", "127.0.0.1:99999"], ["99999"]),
        (["--pid", "abc"], ["pid", "abc"]),
        (["--metrics-ttl", "5 fortnights"], ["metrics-ttl", "5 fortnights"]),
        (["stray"], ["stray"]),
    ],
)
def test_wrong_flags(netns, args, words):
    said = sentence(redtap_cli("run", "--netns", netns.path, *args), MISTAKE)
    for word in words:
        assert word in said, said


def test_memory_for_no_route(netns, redtap):
    """16 are bytes, and a histogram alone is more: requests are counted all the same, but dearly."""
    for memory, told in ("16", 1), ("16M", 0), ("0", 0):
        agent = redtap("--routes-memory", memory)
        said = [x for x in agent.stderr if "routes.memory" in x]
        assert len(said) == told and all("warning: " in x and " 16 bytes" in x for x in said), said


def test_wrong_environment(netns):
    said = sentence(run_scoped(netns, env={"REDTAP_RING_SIZE": "plenty"}), MISTAKE)
    assert "REDTAP_RING_SIZE" in said and "plenty" in said


def test_wrong_subcommand():
    said = sentence(redtap_cli("rnu"), MISTAKE)
    assert "rnu" in said and "run" in said


@pytest.mark.parametrize("command", ["run", "trace"])
@pytest.mark.parametrize(
    "flag, value, status",
    [
        ("--netns", "/run/netns/does-not-exist", REFUSED),
        ("--netns", "999999999", REFUSED),
        ("--netns", "/etc/hostname", MISTAKE),
        ("--cgroup", "/sys/fs/cgroup/does-not-exist", REFUSED),
        ("--cgroup", "/etc/hostname", MISTAKE),
        ("--pid", "4194304", REFUSED),
        ("--pid", "12x", MISTAKE),
    ],
)
def test_scope_that_does_not_exist(netns, command, flag, value, status):
    """What is not there may come, and a service manager starts redtap again; what is of another
    kind is a mistake."""
    args = ["--listen", "127.0.0.1:0"] if command == "run" else []
    done = redtap_cli(command, "--netns", netns.path, flag, value, *args)
    assert value in sentence(done, status)


def test_port_in_use(netns, backend):
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        done = redtap_cli("run", "--netns", netns.path, "--backend", backend, "--listen", address)
    said = sentence(done, REFUSED)
    assert address in said and "in use" in said


def test_address_of_another_host(netns):
    done = redtap_cli("run", "--netns", netns.path, "--listen", "192.0.2.1:9733")
    assert "192.0.2.1:9733" in sentence(done, REFUSED)


@contextlib.contextmanager
def open_folder():
    """A folder that any user may enter, with a copy of the program."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="redtap-e2e-"))
    try:
        folder.chmod(0o755)
        shutil.copy(binary(), folder / "redtap")
        (folder / "redtap").chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)


def unprivileged():
    return [
        need("setpriv"),
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
    ]


@pytest.mark.parametrize("command", ["run", "trace"])
def test_unprivileged_user(netns, backend, command):
    with open_folder() as folder:
        argv = [folder / "redtap", command, "--netns", netns.path, "--backend", backend]
        argv += ["--listen", "127.0.0.1:0"] if command == "run" else []
        done = run([*unprivileged(), *argv], check=False, env=clean_env())
    said = sentence(done, REFUSED)
    assert "CAP_" in said or "root" in said, said


def test_unprivileged_doctor():
    """It says what is missing, on stdout, and ends with 1."""
    with open_folder() as folder:
        argv = [*unprivileged(), folder / "redtap", "doctor"]
        done = run(argv, check=False, env=clean_env())
    assert done.returncode == 1, done.stdout + done.stderr
    for word in ("CAP_BPF", "CAP_PERFMON", "no backend works"):
        assert word in done.stdout, done.stdout


def without_btf(*argv):
    """The command with /sys/kernel/btf hidden, in a mount namespace of its own."""
    hide = 'mount -t tmpfs none /sys/kernel/btf && exec "$@"'
    return [need("unshare"), "--mount", need("sh"), "-c", hide, "sh", *map(str, argv)]


@pytest.mark.parametrize("command", ["run", "trace"])
def test_no_btf(netns, backend, command):
    argv = [binary(), command, "--netns", netns.path, "--backend", backend]
    argv += ["--listen", "127.0.0.1:0"] if command == "run" else []
    said = sentence(run(without_btf(*argv), check=False, env=clean_env()), REFUSED)
    assert "BTF" in said, said


def test_no_btf_doctor():
    done = run(without_btf(binary(), "doctor"), check=False, env=clean_env())
    assert done.returncode == 1
    assert [x for x in done.stdout.splitlines() if "BTF" in x], done.stdout


def test_doctor_here():
    """One line per item, the backend that will be used, status 0."""
    done = redtap_cli("doctor", check=True)
    text = done.stdout
    for item in ("BTF", "ring buffer", "sock", "syscall", "tracefs", "uprobes", "lockdown"):
        assert item.lower() in text.lower(), f"{item} is not in:\n{text}"
    assert len(text.splitlines()) <= 30
    assert done.stderr == ""


def test_failed_start_leaves_nothing(netns, backend):
    """The port is taken only after the kernel side is up: then everything must come down."""
    before = set(os.listdir("/sys/fs/bpf"))
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for _ in range(3):
            sentence(
                redtap_cli(
                    *("run", "--netns", netns.path, "--backend", backend),
                    *("--listen", "127.0.0.1:%d" % taken.getsockname()[1]),
                ),
                REFUSED,
            )
    assert set(os.listdir("/sys/fs/bpf")) == before


def test_config_faces(tmp_path):
    """File, environment and flags: the later wins, and each value says where it came from."""
    path = tmp_path / "redtap.yaml"
    path.write_text("metrics:\n  ttl: 2h\n  max_series: 100\nlog:\n  level: debug\n")
    done = redtap_cli(
        "config", "--config", path, "--metrics-ttl", "3h",
        env={"REDTAP_METRICS_MAX_SERIES": "200", "REDTAP_METRICS_TTL": "4h"}, check=True,
    )  # fmt: skip
    lines = {x.split(":")[0].strip(): x for x in done.stdout.splitlines() if ":" in x}
    assert "3h" in lines["ttl"] and "--metrics-ttl" in lines["ttl"], done.stdout
    assert "200" in lines["max_series"] and "REDTAP_METRICS_MAX_SERIES" in lines["max_series"]
    assert "debug" in done.stdout and "redtap.yaml:5" in done.stdout
    # the result is a configuration itself, and reads back to the same
    again = tmp_path / "again.yaml"
    again.write_text(done.stdout)
    values = [x.split("#")[0].rstrip() for x in done.stdout.splitlines()]
    back = redtap_cli("config", "--config", again, check=True).stdout
    assert [x.split("#")[0].rstrip() for x in back.splitlines()] == values
