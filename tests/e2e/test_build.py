# SPDX-License-Identifier: Apache-2.0
"""What is missing for the build is said in one sentence, before a compiler says it in many."""

import os

import pytest

from lib.procs import run
from lib.util import ROOT_DIR, need


@pytest.mark.parametrize(
    "given, missing",
    [
        (["CLANG=no-clang", "BPFTOOL=no-bpftool"], "no-clang no-bpftool"),
        (["LLVM_STRIP=no-strip"], "no-strip"),
        # as where none of its packages is there
        (["CC=gcc -nostdinc"], "uthash.h"),
        ([], None),
    ],
)
def test_prerequisites(tmp_path, given, missing):
    flag = tmp_path / ".prerequisites"
    argv = [need("make"), "-s", "-C", ROOT_DIR, f"BUILD={tmp_path}", *given, flag]
    # These tests may themselves be run by make.
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = run(argv, check=False, env=env)
    assert flag.exists() == (missing is None)
    if missing:
        said = f"missing for the build: {missing}. Run tools/setup.sh build (as root) first."
        assert done.returncode == 2 and said in done.stderr.split("\n"), done
    else:
        assert (done.returncode, done.stderr) == (0, ""), done
