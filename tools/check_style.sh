#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The rules of style a script can hold: sizes, banned functions, licence tags,
# blanks at line ends, leftovers, and a README in every folder.
#
#   tools/check_style.sh            checks every file of the tree
#   CLANG_FORMAT=1 tools/check_style.sh   and the layout of C files, by clang-format
#
# Prints one line per finding; exit status 1 when there is one.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

MAX_FILE=1000
MAX_FUNCTION=150
found=0

# Reads findings from stdin and remembers that there were some.
report() {
	local line
	while IFS= read -r line; do
		echo "$line"
		found=1
	done
}

# Folders of data need no README, and no licence tag in their files.
DATA='(^|/)(corpus|data|fixtures)/|^tests/proto/[^/]+/'
# These folders are spoken for by the README above them.
COVERED='^(\.ci|include/redtap|bpf/lib|vmlinux/[a-z0-9]+|tests/[a-z0-9]+/lib|tools/deploy)$'

if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
	mapfile -t all < <(git ls-files --cached --others --exclude-standard | sort -u)
else
	mapfile -t all < <(find . -type f -not -path './build/*' -not -path './.git/*' \
		-not -name '*.pyc' | sed 's|^\./||' | sort)
fi
files=()
for f in "${all[@]}"; do
	if [ -f "$f" ] && grep -Iq . "$f"; then
		files+=("$f")
	fi
done
[ ${#files[@]} -gt 0 ] || { echo "check_style.sh: found no files to check" >&2; exit 1; }

code=()
c_files=()
scripts=()
for f in "${files[@]}"; do
	[[ $f =~ $DATA ]] && continue
	case $f in
	*.c | *.h) c_files+=("$f"); code+=("$f") ;;
	*.sh | .ci/run | tests/vm/smoke) scripts+=("$f"); code+=("$f") ;;
	tools/vm/run) code+=("$f") ;;
	*.def | *.py | *.go | *.java | *.js | *.php | *.rb | *.lua | Makefile) code+=("$f") ;;
	esac
done

report < <(for f in "${code[@]}"; do
	n=$(wc -l <"$f")
	[ "$n" -le $MAX_FILE ] || echo "$f: $n lines, the limit is $MAX_FILE"
	head -n 5 "$f" | grep -q 'SPDX-License-Identifier: ' ||
		echo "$f: no SPDX-License-Identifier in its first five lines"
done)

report < <(for f in "${code[@]}"; do
	case $f in
	bpf/*.[ch] | vmlinux/*.h)
		head -n 5 "$f" | grep -q 'SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause' ||
			echo "$f: BPF sources are under 'GPL-2.0 OR BSD-2-Clause'" ;;
	user/*.[ch])
		head -n 5 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
			echo "$f: user-space sources are under 'Apache-2.0'" ;;
	esac
done)

report < <(grep -nE '[[:blank:]]+$' "${code[@]}" |
	sed 's/^\([^:]*:[0-9]*\):.*/\1: blank at the end of the line/')
# The words are cut in two here, so that this file does not find itself.
report < <(grep -nwE 'TO''DO|FIX''ME|XX''X' "${files[@]}" |
	sed 's/^\([^:]*:[0-9]*\):.*/\1: a leftover; do it, or say it in a README/')
report < <(/usr/bin/python3 tools/c_scan.py $MAX_FUNCTION "${c_files[@]}" 2>&1 ||
	[ $? = 1 ] || echo "tools/c_scan.py: did not come to its end")
# A file of the program opens with a comment on what it owns and who calls it.
report < <(printf '%s\n' "${c_files[@]}" | grep '^user/.*\.c$' | while read -r f; do
	sed -n '2,4p' "$f" | grep -q '^/\*' || echo "$f: does not open with a comment on what it owns"
done)

report < <(printf '%s\n' "${files[@]}" | grep / | sed 's|/[^/]*$||' | sort -u | while read -r d; do
	[[ $d/ =~ $DATA || $d =~ $COVERED || -f $d/README.md ]] || echo "$d: no README.md"
done)

report < <(shellcheck -S warning -f gcc "${scripts[@]}" 2>&1 ||
	[ $? = 1 ] || echo "shellcheck: is missing (package shellcheck), or did not come to its end")
if [ "${CLANG_FORMAT:-0}" = 1 ]; then
	report < <(for f in "${c_files[@]}"; do
		case $f in
		vmlinux/*) ;;
		*) clang-format --dry-run -Werror "$f" >/dev/null 2>&1 ||
			echo "$f: clang-format would change it" ;;
		esac
	done)
fi

[ $found = 0 ] && echo "style: ${#files[@]} files, clean"
exit $found
