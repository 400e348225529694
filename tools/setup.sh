#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages redtap needs: for building, testing, benching
# and the demo. Run it as often as you like: it asks for root, the network and
# the package lists only when something is missing.
#
#   tools/setup.sh                 build, test, bench and demo
#   tools/setup.sh build vm        these groups; further ones are vm and cross
#   tools/setup.sh --sysroot arm64 fetches what the build links with for another
#                                  architecture and prints where: needs no root
#
# A package that starts a service when it is installed is kept from doing so.
set -euo pipefail

# One word per package. A|B: the first of them that this release has.
# CMD?PKG: only when there is no command of that name yet.
# CLANG in a name stands for clang's major version.
declare -A PACKAGES
PACKAGES[build]="gcc make libc6-dev pkg-config clang llvm bpftool git
	libbpf-dev libelf-dev zlib1g-dev libcjson-dev libmicrohttpd-dev libyaml-dev uthash-dev
	libcap-dev"
PACKAGES[test]="libcmocka-dev libclang-rt-CLANG-dev pahole shellcheck
	python3 python3-pytest python3-requests python3-prometheus-client
	nginx-light|nginx apache2 haproxy caddy golang-go default-jdk-headless php-cli
	ruby ruby-webrick gunicorn python3-uvicorn uvicorn node?nodejs
	curl wget wrk apache2-utils prometheus
	iproute2 socat strace libcap2-bin procps util-linux mount"
PACKAGES[bench]="python3 nginx-light|nginx wrk curl iproute2 procps util-linux mount
	linux-perf"
PACKAGES[demo]="python3 nginx-light|nginx wrk curl iproute2 procps"
PACKAGES[vm]="qemu-system-x86 qemu-system-arm binutils python3 libcap2-bin
	nginx-light|nginx curl"
PACKAGES[cross]="gcc-aarch64-linux-gnu binutils python3"

POLICY=/usr/sbin/policy-rc.d
policy_is_ours=0
# Another apt at work is waited for, this long.
APT="apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0"

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

cleanup() {
	if [ "$policy_is_ours" = 1 ]; then
		rm -f "$POLICY"
	fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

declare -A INSTALLED
read_installed() {
	local state name
	INSTALLED=()
	while read -r state name; do
		if [ "$state" = ii ]; then
			INSTALLED[$name]=1
		fi
	done < <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n')
}

# Whether the package lists offer $1.
offered() {
	# Not `grep -q`: it would end apt-cache by SIGPIPE, and with it the pipe fails.
	apt-cache policy "$1" 2>/dev/null | grep 'Candidate: [^(]' >/dev/null
}

clang_major() {
	if command -v clang >/dev/null; then
		clang --version | sed -n 's/.*clang version \([0-9]*\).*/\1/p' | head -n 1
	else
		apt-cache depends clang 2>/dev/null |
			sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1 || :
	fi
}

# Turns the words of the named groups into the packages that are missing.
missing_packages() {
	local group word pkg first major
	read_installed
	for group in "$@"; do
		for word in ${PACKAGES[$group]}; do
			case $word in
			*\?*)
				command -v "${word%%\?*}" >/dev/null && continue
				word=${word#*\?}
				;;
			esac
			if [ "${word/CLANG/}" != "$word" ]; then
				major=$(clang_major)
				word=${word/CLANG/${major:-N}}
			fi
			first=
			for pkg in ${word//|/ }; do
				if [ -n "${INSTALLED[$pkg]-}" ]; then
					continue 2
				fi
				if [ -z "$first" ] && offered "$pkg"; then
					first=$pkg
				fi
			done
			echo "${first:-${word%%|*}}"
		done
	done | sort -u
}

# Fills main's `missing` for main's `groups`.
find_missing() {
	local list
	list=$(missing_packages "${groups[@]}")
	missing=()
	[ -z "$list" ] || mapfile -t missing <<<"$list"
}

# Runs apt-get, again when it fails: locks and mirrors have bad moments.
apt_retry() {
	local try
	for try in 1 2 3; do
		if $APT "$@" </dev/null; then
			return 0
		fi
		if [ "$try" != 3 ]; then
			say "apt-get $1 failed, trying again in $((try * 5)) s"
			sleep $((try * 5))
		fi
	done
	return 1
}

# The libraries that the build group names, and the C library.
sysroot() {
	local word
	local -a dev=()
	for word in ${PACKAGES[build]}; do
		[ "${word%-dev}" = "$word" ] || dev+=("$word")
	done
	"$(dirname "$0")/vm/sysroot.py" "$1" "${dev[@]}"
}

main() {
	local groups group
	groups=("$@")
	[ $# -gt 0 ] || groups=(build test bench demo)
	if [ "${1-}" = --sysroot ]; then
		[ $# = 2 ] || die "usage: tools/setup.sh --sysroot ARCHITECTURE"
		sysroot "$2"
		return
	fi
	for group in "${groups[@]}"; do
		case $group in
		build | test | bench | demo | vm | cross) ;;
		-h | --help) sed -n '3,12s/^# \{0,1\}//p' "$0"; return 0 ;;
		*) die "there is no group '$group': build, test, bench, demo, vm, cross" ;;
		esac
	done

	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		die "this is not Debian or a kin of it: install these by hand:" \
			"$(for group in "${groups[@]}"; do echo "${PACKAGES[$group]}"; done)"
	fi

	local -a missing
	find_missing
	if [ ${#missing[@]} = 0 ]; then
		say "everything for ${groups[*]} is installed"
		return 0
	fi
	say "missing for ${groups[*]}: ${missing[*]}"
	[ "$(id -u)" = 0 ] || die "installing packages needs root: sudo tools/setup.sh ${groups[*]}"

	export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
	say "fetching the package lists"
	apt_retry update || say "the package lists could not be refreshed, going on with those at hand"
	# Only now are all candidates (and clang's version) known.
	find_missing

	if [ ! -e "$POLICY" ]; then
		say "keeping new services from starting by a temporary $POLICY"
		policy_is_ours=1
		printf '#!/bin/sh\nexit 101\n' >"$POLICY"
		chmod 755 "$POLICY"
	fi
	say "installing ${#missing[@]} packages"
	# Some cross compilers conflict with packages that are there: those stay.
	apt_retry install --no-install-recommends --no-remove "${missing[@]}" ||
		die "apt-get could not install all of: ${missing[*]}"

	find_missing
	[ ${#missing[@]} = 0 ] || die "still missing after the installation: ${missing[*]}"
	say "done: everything for ${groups[*]} is installed"
}

main "$@"
