# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# KTAP from shell scripts.
#
#   ktap_plan N                 "1..N" (first line of all is the version)
#   ktap_test NAME COMMAND...   "ok" when COMMAND succeeds, "# SKIP" when it
#                               returns 4 (KSFT_SKIP), else "not ok"; what it
#                               prints becomes diagnostics
#   ktap_ok|ktap_not_ok|ktap_skip NAME [WHY]
#   ktap_done                   exits: 0, or 1 when anything failed
#
# Without ktap_plan, ktap_done prints the plan. After a test of ktap_test that
# failed, the function named in $ktap_on_failure is called, if any.

ktap_count=0
ktap_failed=0
ktap_planned=''
ktap_on_failure=:
# shellcheck disable=SC2034 # for the scripts that source this
KSFT_SKIP=4

echo "KTAP version 1"

ktap_plan()
{
	ktap_planned=$1
	echo "1..$1"
}

ktap_ok()
{
	ktap_count=$((ktap_count + 1))
	echo "ok $ktap_count $1"
}

ktap_not_ok()
{
	ktap_count=$((ktap_count + 1))
	ktap_failed=$((ktap_failed + 1))
	[ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/# /'
	echo "not ok $ktap_count $1"
}

ktap_skip()
{
	ktap_count=$((ktap_count + 1))
	echo "ok $ktap_count $1 # SKIP ${2:-}"
}

ktap_test()
{
	local name=$1 rc start=$SECONDS
	shift

	"$@" 2>&1 </dev/null | sed -u 's/^/# /'
	rc=${PIPESTATUS[0]}
	# Where the time goes.
	[ $((SECONDS - start)) -lt 5 ] || echo "# that took $((SECONDS - start)) s"
	case $rc in
	0) ktap_ok "$name" ;;
	4) ktap_skip "$name" ;;
	*)
		ktap_not_ok "$name" "exit status $rc"
		"$ktap_on_failure"
		;;
	esac
	return "$rc"
}

ktap_done()
{
	[ -n "$ktap_planned" ] || echo "1..$ktap_count"
	if [ -n "$ktap_planned" ] && [ "$ktap_count" != "$ktap_planned" ]; then
		echo "# planned $ktap_planned tests, ran $ktap_count"
		exit 1
	fi
	[ "$ktap_failed" = 0 ]
	exit
}
