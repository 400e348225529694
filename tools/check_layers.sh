#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who may include whom. A file includes its own layer and those below it:
#
#   include
#   user/util
#   user/config  user/meta  user/metrics  user/bpf
#   user/proto   user/red   user/span     user/collect
#   user/export  user/http
#   user/agent.c
#   user/cli
#   user/main.c
#
# bpf/ includes bpf/, include/, vmlinux/ and libbpf's BPF-side headers; include/
# includes include/ and the two sides' type headers. Nobody includes by "../".
#
# Prints one line per finding; exit status 1 when there is one.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

files=$(find user bpf include -name '*.[ch]' -o -name '*.def' | sort)
[ -n "$files" ] || { echo "check_layers.sh: found no files to check" >&2; exit 1; }

# shellcheck disable=SC2086
awk '
function layer(path) {
	if (path ~ /^include\//) return 1
	if (path ~ /^user\/util\//) return 2
	if (path ~ /^user\/(config|meta|metrics|bpf)\//) return 3
	if (path ~ /^user\/(proto|red|span|collect)\//) return 4
	if (path ~ /^user\/(export|http|web)\//) return 5
	if (path ~ /^user\/agent\.[ch]$/) return 6
	if (path ~ /^user\/cli\//) return 7
	if (path == "user/main.c") return 8
	return 0
}
function bad(why) { printf "%s:%d: %s\n", FILENAME, FNR, why; found = 1 }

# The file in the tree that an include in quotes means, "" for a generated one.
function resolve(from, name,	dir) {
	if (name ~ /^redtap\//) return "include/" name
	if (name ~ /^(redtap|legacy)\.skel\.h$/) return "user/bpf/" name
	dir = from
	sub(/[^\/]*$/, "", dir)
	if (exists(dir name)) return dir name
	if (from ~ /^include\// && name !~ /\//) return dir name
	return "user/" name
}
function exists(path,	line, r) { r = (getline line < path) >= 0; close(path); return r }

FNR == 1 {
	own = layer(FILENAME)
	if (FILENAME ~ /^user\// && !own) bad("belongs to no layer")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	name = $0
	sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
	if (name ~ /\.\.\//) { bad("includes \"" name "\" by a path that climbs"); next }
	if (FILENAME ~ /^bpf\//) {
		if (name ~ /^redtap\// || name ~ /^(vmlinux|regs)\.h$/ || exists("bpf/" name)) next
		dir = FILENAME; sub(/[^\/]*$/, "", dir)
		if (!exists(dir name)) bad("bpf/ may not include \"" name "\"")
		next
	}
	if (FILENAME ~ /^include\// && name == "vmlinux.h") next
	target = resolve(FILENAME, name)
	to = layer(target)
	if (!to) bad("includes \"" name "\", which belongs to no layer")
	else if (to > own) bad("includes \"" name "\" of a layer above its own")
	next
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	name = $0
	sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
	if (FILENAME ~ /^bpf\// && name !~ /^bpf\/(bpf_(helpers|tracing|core_read|endian)|usdt\.bpf)\.h$/ \
	    && name !~ /^(linux|asm)\//)
		bad("bpf/ may not include <" name ">")
	if (FILENAME ~ /^include\// && name !~ /^std(bool|int|def)\.h$/)
		bad("include/ may not include <" name ">: both compilers read it")
}

END { exit found }
' $files
status=$?
[ $status = 0 ] && echo "layers: $(echo "$files" | wc -l) files, clean"
exit $status
