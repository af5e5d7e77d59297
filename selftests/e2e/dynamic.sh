# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154 # variables of lib.sh
# shellcheck disable=SC2015 # "A && B || C": C is for either of them to fail
#
# A dynamic coupling of three guests: frames between them go direct and arrive
# intact, all others take the bridge.

declared_before_start()
{
	couple lan0 dynamic vnet0 vnet1 vnet2 &&
		coupling_is lan0 waiting &&
		[ "$("$ivmctl" coupling show lan0 | grep -o '(absent)' | wc -l)" = 3 ]
}

all_running()
{
	local guest
	local -A macvtap_of=([a]=mvt0 [b]=mvt1)

	for guest in "${guests[@]}"; do
		wait_for 5 port_is "${port_of[$guest]}" running || return
		[ -z "${macvtap_of[$guest]:-}" ] || wait_for 5 port_is "${macvtap_of[$guest]}" running || return
	done
}

engages_at_start()
{
	joined lan0 a b && joined lan0 a c && joined lan0 b c && coupling_is lan0 coupled
}

all_pairs() { "$1" a b && "$1" b c && "$1" c a; }
# All of them in "make check-long".
most_pairs() { if [ "$full" = 1 ] && [ -n "${IVSHM_E2E_LONG:-}" ]; then all_pairs "$1"; else "$1" a b; fi; }

send_both_ways()
{
	send_begin "$1" "$2" 7000 && send_begin "$2" "$1" 7001 &&
		send_end "$1" "$2" 7000 && send_end "$2" "$1" 7001
}

# The heart of the matter, from three sides: the module's counters, those of the
# taps, in which direct frames are counted as others, and a capture on the bridge.
goes_direct()
{
	local taps direct bytes=$((size_mb << 20)) n

	joined lan0 a b || return
	stats vnet0 vnet1 vnet2 >"$work/before"
	taps=$(($(tap_frames vnet0) + $(tap_frames vnet1)))
	watch_begin br0 tcp port 7000 || return
	send a b || return
	watch_end
	taps=$(($(tap_frames vnet0) + $(tap_frames vnet1) - taps))
	direct=$(($(grown "$work/before" vnet0 tx_direct_frames) +
		$(grown "$work/before" vnet1 tx_direct_frames)))

	n=$(grown "$work/before" vnet0 tx_direct_bytes)
	say "vnet0 sent $n bytes direct, $(grown "$work/before" vnet0 tx_uplink_bytes) to the uplink;" \
		"the taps counted $taps frames, $direct of them direct, the bridge saw $watched"
	[ "$n" -ge $bytes ] &&
		[ "$(grown "$work/before" vnet1 rx_direct_bytes)" -ge $bytes ] &&
		[ "$(grown "$work/before" vnet1 tx_direct_frames)" -gt 0 ] &&
		[ "$(grown "$work/before" vnet0 tx_uplink_bytes)" -lt 10000 ] &&
		[ "$(grown "$work/before" vnet1 rx_uplink_bytes)" -lt 10000 ] &&
		[ "$(grown "$work/before" vnet2 rx_direct_bytes)" -lt 10000 ] &&
		[ $((taps - direct)) -lt 50 ] && [ $((direct - taps)) -lt 50 ] && [ "$watched" = 0 ]
}

# One copy for each byte, and no socket buffer.
is_copied_once()
{
	local copied got name port

	copied=0 got=0
	for port in vnet0 vnet1; do
		copied=$((copied + $(grown "$work/before" $port copied_bytes)))
		got=$((got + $(grown "$work/before" $port rx_direct_bytes)))
		for name in skbs segmented bounced ring_errors drop_malformed drop_too_big drop_offload drop_memory; do
			[ "$(grown "$work/before" $port $name)" = 0 ] || { say "$port: $name"; return 1; }
		done
	done
	say "$got bytes received direct, $copied copied"
	[ "$copied" = "$got" ]
}

others_take_the_bridge()
{
	local guest

	for guest in a b c; do
		reaches $guest host && reaches $guest far || return
		ip netns exec far ping -q -c 2 -i 0.2 -W 2 "${address[$guest]}" >/dev/null ||
			{ say "far does not reach $guest"; return 1; }
	done
	# By broadcast.
	guest_run a 'ip neigh flush dev eth0 >/dev/null 2>&1' && reaches a far && reaches a b && reaches a host
}

# far -> a, and a -> far, while a and b exchange data of their own
far_transfer()
{
	local sum

	stats vnet0 >"$work/before"
	send_begin a b || return
	ip netns exec far timeout 120 busybox nc -l -p 7100 <>"$work/hold" >"$work/far" &
	guest_run -t 120 a "for i in 1 2 3 4 5; do
		nc 192.0.2.99 7100 </data && exit; sleep 0.5; done; exit 1" || return
	wait $!
	sum=$(sha256sum <"$work/far")
	rm -f "$work/far"
	send_end a b || return
	[ "$sum" = "$(guest_run a 'cat /data.sum')" ] || { say "far got something else"; return 1; }
	# Offloads on: what the tap takes counts its headers once per large frame.
	[ "$(grown "$work/before" vnet0 tx_uplink_bytes)" -ge $((size_mb << 20)) ] &&
		[ "$(grown "$work/before" vnet0 tx_direct_bytes)" -ge $((size_mb << 20)) ]
}

removed_takes_the_bridge()
{
	local taps bytes=$((size_mb << 20))

	uncouple lan0 || return
	stats vnet0 vnet1 >"$work/before"
	taps=$(tap_frames vnet0)
	watch_begin vnet1 tcp port 7000 || return
	send a b || return
	watch_end
	taps=$(($(tap_frames vnet0) - taps))
	say "vnet0 sent $(grown "$work/before" vnet0 tx_uplink_bytes) bytes to the uplink;" \
		"its tap passed $taps frames, a capture of vnet1 saw $watched"
	[ "$(grown "$work/before" vnet0 tx_direct_frames)" = 0 ] &&
		[ "$(grown "$work/before" vnet1 rx_direct_frames)" = 0 ] &&
		[ "$(grown "$work/before" vnet0 tx_uplink_bytes)" -ge $bytes ] &&
		[ "$taps" -gt 50 ] && [ "$watched" -gt 50 ]
}

threshold_is_kept()
{
	uncouple_all && couple lan0 dynamic vnet0 vnet1 threshold 30 || return
	reaches a b 5 || return
	pair_is lan0 vnet0 vnet1 'uplink no-traffic' || { pair lan0 vnet0 vnet1; return 1; }
	guest_run a "ping -q -c 100 -i 0.01 ${address[b]}" >/dev/null
	pair_is lan0 vnet0 vnet1 'coupled traffic' || { pair lan0 vnet0 vnet1; return 1; }
	uncouple lan0
}

idle_parts()
{
	uncouple_all && couple lan0 dynamic vnet0 vnet1 idle 2 && joined lan0 a b || return
	wait_for 15 pair_is lan0 vnet0 vnet1 'uplink idle' &&
		wait_for 15 coupling_is lan0 ready && joined lan0 a b && uncouple lan0
}

test_dynamic()
{
	ktap_test "a coupling declared before engages when the guests start" engages_at_start
	ktap_test "three guests, all pairs: ping" all_pairs reaches
	ktap_test "TCP both ways at once" most_pairs tcp_both_ways
	[ "$full" = 0 ] || ktap_test "UDP both ways at once, in order" most_pairs udp_both_ways
	ktap_test "data arrives intact" most_pairs send_both_ways
	ktap_test "coupled: frames go direct, the bridge sees none" goes_direct
	ktap_test "coupled: one copy for each byte, no socket buffers" is_copied_once
	ktap_test "coupled: host and others on the bridge are reached" others_take_the_bridge
	[ "$full" = 0 ] || ktap_test "coupled: data for others arrives intact, over the bridge" far_transfer
	ktap_test "uncoupled: frames take the bridge, none goes direct" removed_takes_the_bridge
	[ "$full" = 1 ] || return 0
	ktap_test "threshold: little traffic does not join a pair" threshold_is_kept
	ktap_test "idle: a silent pair is parted, and joined again" idle_parts
}
