# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Things every test script needs: where the tree and the cache are, messages,
# locks, and directories that appear in the cache only when complete.
#
# Sourced, never executed.

IVSHM_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
IVSHM_CACHE=${IVSHM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ivshm}
export IVSHM_TOP IVSHM_CACHE
mkdir -p "$IVSHM_CACHE"

# depmod, modprobe and ip live in sbin, which an ordinary user's PATH lacks.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

PROG=${0##*/}

say() { printf '%s: %s\n' "$PROG" "$*" >&2; }

die()
{
	say "$*"
	exit 1
}

# need COMMAND PACKAGE - fail early and name what to install
need()
{
	command -v "$1" >/dev/null || die "$1 is missing; run \"make deps\" (Debian package: $2)"
}

# with_lock NAME COMMAND... - one process at a time, machine-wide for this user.
# The lock's descriptor is closed in the command, so that a daemon it leaves
# behind cannot hold the lock for ever.
with_lock()
{
	local name=$1 fd rc=0

	shift
	exec {fd}>"$IVSHM_CACHE/lock.$name"
	if ! flock -n "$fd"; then
		say "waiting for another process to finish: $name"
		flock "$fd"
	fi
	"$@" {fd}>&- || rc=$?
	exec {fd}>&-
	return "$rc"
}

# cache_make NAME FUNCTION - print the path of the complete directory NAME in
# the cache; when it is not there, have FUNCTION fill a temporary directory, its
# working directory, and rename that. FUNCTION returns non-zero when a step
# fails; "set -e" would not do in it, bash ignores that in what a condition calls.
cache_make()
{
	local dir=$IVSHM_CACHE/$1

	[ -e "$dir/.complete" ] || with_lock "$1" cache_fill "$dir" "$2" >&2 || return 1
	echo "$dir"
}

cache_fill()
{
	local dir=$1 tmp

	[ -e "$dir/.complete" ] && return 0
	rm -rf "$dir" "$dir".tmp.*
	tmp=$dir.tmp.$$
	mkdir -p "$tmp" || return 1
	if ! (cd "$tmp" && "$2"); then
		say "could not make $dir (remains are in $tmp)"
		return 1
	fi
	touch "$tmp/.complete"
	mv "$tmp" "$dir"
}

# hash of strings and of files: short, for names in the cache
hash_of() { sha256sum | cut -c1-12; }
