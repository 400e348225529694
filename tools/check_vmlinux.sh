#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whether every type and field that vmlinux/ declares exists in a kernel, with
# the same kind and size. Offsets are relocated at load time and not compared.
#
#   tools/check_vmlinux.sh [BTF]     default: the running kernel's
#
# Prints one line per finding; exit status 1 when there is one.
set -euo pipefail
cd "$(dirname "$0")/.."

btf=${1:-/sys/kernel/btf/vmlinux}
arch=$(uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
bpftool=/usr/sbin/bpftool
[ -x $bpftool ] || bpftool=bpftool

die() { echo "check_vmlinux.sh: $*" >&2; exit 1; }
[ -r "$btf" ] || die "cannot read the kernel's types from $btf"
for c in gcc pahole $bpftool; do
	command -v "$c" >/dev/null || die "needs $c: run tools/setup.sh build test"
done

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# The host's compiler keeps types nobody uses; for sizes the two targets agree.
echo '#include "vmlinux.h"' >"$tmp/ours.c"
gcc -g -fno-eliminate-unused-debug-types -w -Iinclude -Ivmlinux -I"vmlinux/$arch" \
	-c -o "$tmp/ours.o" "$tmp/ours.c"
pahole --btf_encode_detached="$tmp/ours.btf" "$tmp/ours.o"
$bpftool btf dump file "$tmp/ours.btf" format raw >"$tmp/ours.txt"
$bpftool btf dump file "$btf" format raw >"$tmp/kernel.txt"

/usr/bin/python3 tools/btf_compare.py "$tmp/ours.txt" "$tmp/kernel.txt" \
	vmlinux/vmlinux.h "vmlinux/$arch/regs.h"
