# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# ivmctl in the test machine, for scripts that test what it says.
#
#   says STATUS TEXT ARGUMENTS...   it ends with STATUS and says TEXT; all that it
#                                   said is in $out, too
#
# $work is a directory that goes away with the script.

ivmctl=$IVSHM_TOP/tools/ivmctl/ivmctl
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
out=$work/out

says()
{
	local status=$1 text=$2 rc=0
	shift 2

	"$ivmctl" "$@" >"$out" 2>&1 || rc=$?
	cat "$out"
	[ "$rc" = "$status" ] && [[ "$(<"$out")" == *"$text"* ]]
}
