# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154 # variables of lib.sh
# shellcheck disable=SC2015 # "A && B || C": C is for either of them to fail
#
# Static couplings: a cable between two, a switch of its own for more; no way to
# the uplink. And a coupling of macvtaps.

crossover()
{
	local rc=0 name n

	uncouple_all && couple cross static vnet0 vnet1 && coupling_is cross coupled &&
		pair_is cross vnet0 vnet1 'coupled static' || return
	# With nothing in the neighbour tables: broadcasts go across too.
	guest_run a 'ip neigh flush dev eth0 >/dev/null 2>&1'
	stats vnet0 vnet1 >"$work/before"
	reaches a b && reaches b a && send_both_ways a b && tcp_both_ways a b && udp_both_ways a b || rc=1
	for name in vnet0 vnet1; do
		n=$(grown "$work/before" $name tx_uplink_frames)
		[ "$n" = 0 ] || { say "$name sent $n frames to the uplink"; rc=1; }
		# What the tap held before the coupling still comes.
		n=$(grown "$work/before" $name rx_uplink_frames)
		[ "$n" -lt 20 ] || { say "$name received $n frames from the uplink"; rc=1; }
	done
	return $rc
}

crossover_is_closed()
{
	stats vnet0 vnet1 >"$work/before"
	cut_off a host && cut_off b far && cut_off c a || return
	# What came from the bridge's side was discarded and counted.
	say "discarded: $(grown "$work/before" vnet0 drop_isolated)"
	[ "$(grown "$work/before" vnet0 drop_isolated)" -gt 0 ]
}

removed_opens()
{
	uncouple cross && reaches a host && reaches b far && reaches c a
}

missing_peer()
{
	local rc=0

	uncouple_all && couple cross static vnet0 vnet9 && coupling_is cross waiting || return
	stats vnet0 >"$work/before"
	cut_off a b && cut_off a host || rc=1
	[ "$(grown "$work/before" vnet0 drop_no_peer)" -gt 0 ] || { say "drop_no_peer does not grow"; rc=1; }
	[ "$(grown "$work/before" vnet0 tx_uplink_frames)" = 0 ] || { say "frames left by the uplink"; rc=1; }
	uncouple cross && reaches a host || rc=1
	return $rc
}

switch_of_three()
{
	local guest rc=0

	uncouple_all && couple tri static vnet0 vnet1 vnet2 || return
	for guest in a b c; do
		guest_run $guest 'ip neigh flush dev eth0 >/dev/null 2>&1'
	done
	stats vnet0 vnet1 vnet2 >"$work/before"
	all_pairs reaches && reaches b a && reaches c b && reaches a c || rc=1
	[ "$(grown "$work/before" vnet0 tx_flooded)" -gt 0 ] || { say "no broadcast was flooded"; rc=1; }
	most_pairs tcp_both_ways && most_pairs udp_both_ways && send_both_ways b c || rc=1
	# What is for one does not go to all.
	[ "$(grown "$work/before" vnet0 rx_direct_bytes)" -lt $((size_mb << 20)) ] ||
		[ "$(grown "$work/before" vnet0 tx_direct_bytes)" -gt 100000 ] || rc=1
	cut_off a host && cut_off c far || rc=1
	for guest in vnet0 vnet1 vnet2; do
		[ "$(grown "$work/before" $guest tx_uplink_frames)" = 0 ] || { say "$guest used the uplink"; rc=1; }
	done
	uncouple tri && reaches a host || rc=1
	return $rc
}

# --- macvtap ---------------------------------------------------------------------------

mac_reaches() { reaches "$1" "$2" 5; }

macvtap_joined()
{
	local tries

	for ((tries = 0; tries < 10; tries++)); do
		reaches a 198.51.100.2 >/dev/null
		pair_is mac mvt0 mvt1 'coupled *' && pair_is mac mvt1 mvt0 'coupled *' && return
	done
	say "$(pair mac mvt0 mvt1), $(pair mac mvt1 mvt0)"
	return 1
}

macvtap_direct()
{
	uncouple_all && couple mac dynamic mvt0 mvt1 && macvtap_joined || return
	stats mvt0 mvt1 >"$work/before"
	send a b 7000 198.51.100.2 && tcp a 198.51.100.2 -t 1 --bidir || return
	[ "$(grown "$work/before" mvt0 tx_direct_bytes)" -ge $((size_mb << 20)) ] &&
		[ "$(grown "$work/before" mvt0 tx_uplink_bytes)" -lt 10000 ] &&
		reaches a 198.51.100.99 && reaches b 198.51.100.99
}

macvtap_mode()
{
	local rc=0

	ip link set mvt0 type macvtap mode private || return
	guest_run a 'ping -q -c 4 -i 0.3 -W 1 198.51.100.2' >/dev/null && { say "the mode has no effect"; rc=1; }
	pair_is mac mvt0 mvt1 'uplink mode' || { pair mac mvt0 mvt1; rc=1; }
	ip link set mvt0 type macvtap mode bridge || rc=1
	macvtap_joined || rc=1
	return $rc
}

macvtap_removed()
{
	uncouple mac || return
	stats mvt0 mvt1 >"$work/before"
	reaches a 198.51.100.2 && [ "$(grown "$work/before" mvt0 tx_direct_frames)" = 0 ]
}

test_static()
{
	ktap_test "static, two guests: all of it goes direct" crossover
	ktap_test "static, two guests: nothing else comes in or out" crossover_is_closed
	ktap_test "static, removed: the host is there again" removed_opens
	ktap_test "static, peer missing: dropped and counted" missing_peer
	ktap_test "static, three guests: a switch of their own" switch_of_three
	ktap_test "macvtap: frames go direct, others reach the lower device" macvtap_direct
	ktap_test "macvtap not in bridge mode: mode" macvtap_mode
	ktap_test "macvtap, uncoupled: frames take the lower device" macvtap_removed
}
