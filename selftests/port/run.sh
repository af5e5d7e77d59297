#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: run.sh [DIR] [PROGRAM | @LIST | ^LIST]...
#
# Runs the programs in DIR (default: out beside this script), or those named,
# listed in the file LIST beside this script, or, with ^, not listed there, as
# root, and prints KTAP. The module is loaded from IVSHM_KO if it is not loaded
# yet, and then taken out again: which fails if something is left.

here=$(cd "$(dirname "$0")" && pwd -P)
dir=${1:-$here/out}
[ $# -eq 0 ] || shift
all() { for prog in "$dir"/*_test; do echo "${prog##*/}"; done; }
listed() { grep -v '^#' "$here/$1"; }
names=()
for arg; do
	case $arg in
	@*) mapfile -t -O ${#names[@]} names < <(listed "${arg#@}") ;;
	^*) mapfile -t -O ${#names[@]} names < <(all | grep -v -x -F "$(listed "${arg#^}")") ;;
	*) names+=("$arg") ;;
	esac
done
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(all)

loaded=0
failed=0
n=0

echo "KTAP version 1"
modprobe -q -a tun tap vhost_net
if [ ! -d /sys/module/ivshm ]; then
	if [ -z "${IVSHM_KO:-}" ]; then
		echo "1..0 # SKIP the module is not loaded and IVSHM_KO does not say where it is"
		exit 4
	fi
	insmod "$IVSHM_KO" || { echo "Bail out! insmod $IVSHM_KO"; exit 1; }
	loaded=1
fi
echo "1..$((${#names[@]} + loaded))"

for name in "${names[@]}"; do
	n=$((n + 1))
	start=$SECONDS
	# No test may leave anything behind for the next.
	timeout -k 5 "${IVSHM_PORT_TIMEOUT:-400}" "$dir/$name" 2>&1 | sed -u 's/^/    /'
	status=${PIPESTATUS[0]}
	echo "# $name: $((SECONDS - start)) s"
	if [ "$status" -eq 0 ]; then
		echo "ok $n $name"
	else
		echo "not ok $n $name # status $status"
		failed=1
	fi
done

if [ "$loaded" = 1 ]; then
	n=$((n + 1))
	# Grace periods and work items may hold it for a moment.
	for ((try = 0; try < 50; try++)); do
		rmmod ivshm 2>/dev/null && break
		sleep 0.1
	done
	if [ -d /sys/module/ivshm ]; then
		echo "not ok $n rmmod"
		failed=1
	else
		echo "ok $n rmmod"
	fi
fi
exit "$failed"
