#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whether the folder of a cross build holds a program for arm64 with BPF programs
# for arm64 in it.
#
#   tools/check_cross.sh [FOLDER]     default: $RT_CROSS, or build/arm64
#
# Prints one line per finding; exit status 1 when there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

folder=${1:-${RT_CROSS:-build/arm64}}
wrong=0
finding() { echo "$folder/$1: $2"; wrong=1; }

# The machine that a file's ELF header names.
machine() { readelf -h "$folder/$1" 2>/dev/null | sed -n 's/^ *Machine: *//p'; }

for f in redtap redtap.bpf.o redtap.skel.h legacy.bpf.o legacy.skel.h; do
	[ -s "$folder/$f" ] || { finding "$f" "is not there"; exit 1; }
done

[ "$(machine redtap)" = AArch64 ] ||
	finding redtap "is for '$(machine redtap)', not for AArch64"
readelf -lW "$folder/redtap" | grep -q 'interpreter: /lib/ld-linux-aarch64.so.1' ||
	finding redtap "does not ask for arm64's loader"

for src in bpf/*.bpf.c; do
	o=${src%.c}.o
	[ "$(machine "$o")" = "Linux BPF" ] || finding "$o" "is for '$(machine "$o")', not for BPF"
done

# An ELF header of BPF is the same everywhere. What tells the architecture is
# which of pt_regs the programs read: named in their types, which are embedded.
for f in redtap.bpf.o legacy.bpf.o redtap; do
	grep -q orig_x0 "$folder/$f" || finding "$f" "does not read arm64's registers"
	! grep -q orig_ax "$folder/$f" || finding "$f" "reads x86's registers"
done
exit $wrong
