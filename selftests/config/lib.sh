# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What tests of ivmctl against the module share. Sourcing it puts the script into
# network and mount namespaces of its own and a working directory that goes away.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
top=$PWD
ivmctl=$top/tools/ivmctl/ivmctl
here=$top/selftests/config

if [ -z "${IVSHM_CONFIG_INSIDE:-}" ]; then
	if [ ! -d /sys/module/ivshm ]; then
		echo "1..0 # SKIP the module is not loaded"
		exit 4
	fi
	IVSHM_CONFIG_INSIDE=1 exec unshare --net --mount "$here/${0##*/}"
fi
# That of this network namespace.
mount -t sysfs sysfs /sys || exit 1

# shellcheck source=../lib/ktap.sh
. "$top/selftests/lib/ktap.sh"

export LC_ALL=C
unset NO_COLOR
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# run STATUS ARGUMENTS... - ivmctl, which is to exit with STATUS; output in out, err
run()
{
	local want=$1 rc=0
	shift

	"$ivmctl" "$@" >out 2>err || rc=$?
	[ "$rc" = "$want" ] && return
	echo "ivmctl $*: exit status $rc, not $want"
	cat out err
	return 1
}

# says FILE TEXT - it is in it
says()
{
	grep -q -F -- "$2" "$1" && return
	echo "\"$2\" is not in $1:"
	cat "$1"
	return 1
}

# state - all couplings, without what changes by itself
state() { "$ivmctl" save; }

# same_as FILE - the couplings are what "state" said then
same_as()
{
	state >state.now && diff "$1" state.now
}

# clear - no coupling at all
clear() { "$ivmctl" apply - </dev/null >/dev/null; }

