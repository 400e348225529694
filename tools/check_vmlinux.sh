#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whether every type and field that vmlinux/ declares exists in a kernel, with
# the same kind and size; offsets are relocated at load time and not compared.
# And whether its numbers of system calls are those of the UAPI headers, for each
# architecture that these have.
#
#   tools/check_vmlinux.sh [BTF]             default: the running kernel's
#   tools/check_vmlinux.sh --arch arm64 [BTF]
#                                            default: that of Debian's newest 6.12
#
# Prints one line per finding; exit status 1 when there is one.
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
arch=$host
if [ "${1-}" = --arch ]; then
	arch=${2-}
	shift 2
fi
bpftool=/usr/sbin/bpftool
[ -x $bpftool ] || bpftool=bpftool

die() { echo "check_vmlinux.sh: $*" >&2; exit 1; }
[ -d "vmlinux/$arch" ] || die "there is no vmlinux/$arch"
for c in gcc pahole $bpftool; do
	command -v "$c" >/dev/null || die "needs $c: run tools/setup.sh build test"
done
if [ -n "${1-}" ]; then
	btf=$1
elif [ "$arch" = "$host" ]; then
	btf=/sys/kernel/btf/vmlinux
else
	btf=$(tools/vm/btf.py --arch "${arch/x86/amd64}" --kernel 6.12)
fi
[ -r "$btf" ] || die "cannot read the kernel's types from $btf"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
wrong=0

# The generic numbers are arm64's; x86 has a table of its own.
for table in arm64:asm-generic/unistd.h x86:asm/unistd_64.h; do
	regs=vmlinux/${table%%:*}/regs.h
	{
		printf '#include <%s>\ntypedef unsigned long u64;\ntypedef int s32;\n' "${table#*:}"
		echo "#include \"$regs\""
		sed -n 's/^\tRT_NR_\([a-z0-9_]*\) = .*/_Static_assert(RT_NR_\1 == __NR_\1, \n\t"RT_NR_\1 is not that call");/p' "$regs"
	} >"$tmp/numbers.c"
	grep -q _Static_assert "$tmp/numbers.c" || die "found no call numbers in $regs"
	echo "#include <${table#*:}>" | gcc -E - >/dev/null 2>&1 || continue
	if ! gcc -w -I. -fsyntax-only "$tmp/numbers.c" 2>"$tmp/errors"; then
		echo "$regs: $(grep -m 1 error: "$tmp/errors")"
		wrong=1
	fi
done

# The host's compiler keeps types nobody uses; for sizes the two targets agree.
echo '#include "vmlinux.h"' >"$tmp/ours.c"
gcc -g -fno-eliminate-unused-debug-types -w -Iinclude -Ivmlinux -I"vmlinux/$arch" \
	-c -o "$tmp/ours.o" "$tmp/ours.c"
pahole --btf_encode_detached="$tmp/ours.btf" "$tmp/ours.o"
$bpftool btf dump file "$tmp/ours.btf" format raw >"$tmp/ours.txt"
$bpftool btf dump file "$btf" format raw >"$tmp/kernel.txt"

/usr/bin/python3 tools/btf_compare.py "$tmp/ours.txt" "$tmp/kernel.txt" \
	vmlinux/vmlinux.h "vmlinux/$arch/regs.h" || wrong=1
exit $wrong
