#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: run_tests.sh DIR STRESS_SECONDS FUZZ_RUNS
#
# Runs the programs in DIR and prints KTAP. "make run_tests" calls this.

dir=$1 seconds=$2 runs=$3
n=0 failed=0

# run NAME PREFIX PROGRAM [ARG]...: its output becomes part of ours, but of a
# fuzzer's only what it says last, if it succeeds.
run()
{
	name=$1 prefix=$2
	shift 2
	n=$((n + 1))
	if [ ! -x "$1" ]; then
		echo "ok $n $name # SKIP $(basename "$1") needs clang's fuzzer runtime"
		return
	fi
	"$@" >"$dir/log" 2>&1
	status=$?
	case $name$status in
	fuzz_*0) tail -n 1 "$dir/log" | sed "s/^/$prefix/" ;;
	*) sed "s/^/$prefix/" "$dir/log" ;;
	esac
	if [ $status -eq 0 ]; then
		echo "ok $n $name"
	elif [ $status -eq 4 ]; then
		echo "ok $n $name # SKIP"
	else
		echo "not ok $n $name # status $status"
		failed=1
	fi
}

echo "KTAP version 1"
echo "1..6"
run suites "    " "$dir/vring_user"
run stress_honest "# " "$dir/vring_stress" honest "$seconds"
run wakeups "# " "$dir/vring_wakeups" "$seconds"
run stress_hostile "# " "$dir/vring_stress" hostile "$seconds"
run fuzz_random "# " "$dir/fuzz_random" "-runs=$((runs / 10))"
run fuzz_guided "# " "$dir/fuzz_vring" "-runs=$runs" -seed=1 -max_len=512 \
	"-artifact_prefix=$dir/"
exit $failed
