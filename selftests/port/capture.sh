#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ivmctl capture. In the test machine, as root, with the module loaded, in a
# network namespace of its own.

# shellcheck source=../lib/ktap.sh
. "$IVSHM_TOP/selftests/lib/ktap.sh"

[ -n "${CAPTURE_NETNS:-}" ] || CAPTURE_NETNS=1 exec unshare -n "$0"
# shellcheck source=../lib/ivmctl.sh
. "$IVSHM_TOP/selftests/lib/ivmctl.sh"

on_and_off()
{
	ip tuntap add vnet0 mode tap && ip tuntap add a-long-name-0 mode tap || return
	says 0 '' capture && [ ! -s "$out" ] || return
	says 0 'tcpdump -i mon-vnet0' capture on vnet0 || return
	says 0 'tcpdump -i ivshmmon' capture on a-long-name-0 || return
	says 0 'tcpdump -i ivshmmon' capture on || return
	# Again: it is there.
	ip link set mon-vnet0 down && says 0 'mon-vnet0' capture on vnet0 || return
	ip link show mon-vnet0 up | grep -q mon-vnet0@vnet0 || return
	says 0 '' -j capture show && [ "$(grep -o '"state":"up"' "$out" | wc -l)" = 3 ] &&
		grep -q '"name":"mon-vnet0","ifindex":[0-9]*,"port":"vnet0","all":false' "$out" || return
	says 0 '(all)' capture show || return
	says 0 '' capture off vnet0 && ! ip link show mon-vnet0 2>/dev/null || return
	says 0 '' capture off && says 0 '' capture show && [ ! -s "$out" ]
}

refused()
{
	says 1 'port "vnet0" is not captured' capture off vnet0 &&
		says 1 'no such interface' capture on vnet7 &&
		says 2 'usage: ' capture show vnet0 &&
		says 2 'PORT' capture on -x &&
		says 0 '' capture show && [ ! -s "$out" ]
}

unprivileged()
{
	setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all --inh-caps=-all \
		"$ivmctl" capture on vnet0 >"$out" 2>&1 && return 1
	cat "$out"
	grep -q 'not permitted' "$out"
}

# No solicitations, no reports: there is nothing to be seen but frames of guests.
silent()
{
	"$ivmctl" capture on vnet0 >/dev/null && ip link set vnet0 up && sleep 2 &&
		[ "$("$ivmctl" -j capture show | grep -o '"frames_[a-z]*":0' | wc -l)" = 2 ] &&
		"$ivmctl" capture off
}

ktap_test "capture: on, off and show" on_and_off
ktap_test "capture: refused" refused
ktap_test "capture: without privilege" unprivileged
ktap_test "capture: the host says nothing there" silent
ktap_done
