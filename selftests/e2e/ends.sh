# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154 # variables of lib.sh
# shellcheck disable=SC2015 # "A && B || C": C is for either of them to fail
#
# Two ends that negotiated different things: guest e has three cards, each unlike that
# of guest a, with a network of its own on the same bridge.
#
#   guest a              guest e
#     eth0          eth0     eth1     eth2
#   [vnet0]       [vnet5]  [vnet6]  [vnet7]     198.18.1.0, 198.18.2.0, 198.18.3.0
#   ==+==============+========+========+==br0

# Legacy, with a header of 10 bytes, and no offload of any kind.
ends_plain=disable-legacy=off,disable-modern=on,mrg_rxbuf=off,csum=off,gso=off,host_tso4=off,host_tso6=off,host_ecn=off,host_ufo=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off,event_idx=off,indirect_desc=off
# Modern, large buffers instead of merged ones, another ring; its queues are polled.
ends_large=mrg_rxbuf=off,rx_queue_size=1024
# It sends segments to be made by others, and takes none.
ends_takes_none=guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off,rx_queue_size=512

ends_guest()
{
	local n v="--vhost /dev/ivshm-net" rc=0

	net_tap vnet5 br0 && net_tap vnet6 br0 && net_tap vnet7 br0 || return
	# shellcheck disable=SC2086 # two words
	guest_start e --tap vnet5 --ip 198.18.1.2/24 $v --dev-opts "$ends_plain" \
		--tap vnet6 --ip 198.18.2.2/24 $v --dev-opts "$ends_large" --net-opts poll-us=50 \
		--tap vnet7 --ip 198.18.3.2/24 $v --dev-opts "$ends_takes_none" &&
		guest_wait e && prepare_guest e || return
	for n in 1 2 3; do
		# One answers for its own address only: all are on the same bridge.
		guest_run a "ip addr add 198.18.$n.1/24 dev eth0" &&
			guest_run e "echo 1 >/proc/sys/net/ipv4/conf/eth$((n - 1))/arp_ignore" || rc=1
	done
	return $rc
}

# has_bit PORT BIT - what the guest negotiated of what the device knows
has_bit()
{
	local features

	features=$("$ivmctl" -j port show "$1" | sed -n 's/.*"features":"\(0x[0-9a-f]*\)".*/\1/p')
	[ -n "$features" ] && [ $((features >> $2 & 1)) = 1 ]
}

ends_differ()
{
	say "$("$ivmctl" -j port show | grep -o '"port":"vnet[0-9]*"\|"features":"[^"]*"' | paste -s -d ' ')"
	# Merged buffers, and virtio 1.
	has_bit vnet0 15 && has_bit vnet0 32 &&
		! has_bit vnet5 15 && ! has_bit vnet5 32 &&
		! has_bit vnet6 15 && has_bit vnet6 32 &&
		has_bit vnet7 15 && has_bit vnet7 32
}

# ends_meet N - all of it both ways, and direct
ends_meet()
{
	local n=$1 port=vnet$((4 + $1)) deadline=$((SECONDS + patience)) end rc=0

	until pair_is lan0 vnet0 "$port" 'coupled *' && pair_is lan0 "$port" vnet0 'coupled *'; do
		[ $SECONDS -lt $deadline ] || { say "vnet0 and $port do not join"; return 1; }
		reaches a "198.18.$n.2" 2 >/dev/null
	done
	stats vnet0 "$port" >"$work/before"
	send a e 7400 "198.18.$n.2" && send e a 7401 "198.18.$n.1" || rc=1
	udp a "198.18.$n.2" -t 1 -b 2M --bidir || rc=1
	for end in vnet0 "$port"; do
		say "$end: $(grown "$work/before" "$end" tx_direct_frames) frames," \
			"$(grown "$work/before" "$end" tx_direct_bytes) bytes direct;" \
			"$(grown "$work/before" "$end" segmented) of them segmented or checksummed here"
		[ "$(grown "$work/before" "$end" tx_direct_bytes)" -ge $((size_mb << 20)) ] || rc=1
		[ "$(grown "$work/before" "$end" drop_offload)" = 0 ] || { say "$end: drop_offload"; rc=1; }
		[ "$(grown "$work/before" "$end" ring_errors)" = 0 ] || { say "$end: ring_errors"; rc=1; }
	done
	return $rc
}

# What the receiver does not take, its sender's worker does.
ends_plain() { ends_meet 1 && [ "$(grown "$work/before" vnet0 segmented)" -gt 20 ]; }
ends_large() { ends_meet 2 && [ "$(grown "$work/before" vnet0 segmented)" = 0 ]; }
ends_takes_none() { ends_meet 3 && [ "$(grown "$work/before" vnet0 segmented)" -gt 20 ]; }

ends_gone()
{
	local n

	for n in 1 2 3; do
		guest_run a "ip addr del 198.18.$n.1/24 dev eth0"
	done
	uncouple_all && guest_stop e && net_del vnet5 vnet6 vnet7
}

test_ends()
{
	ktap_test "a guest with three unlike cards starts" ends_guest || {
		guest_log e
		guest_kill e
		net_del vnet5 vnet6 vnet7
		return
	}
	uncouple_all && couple lan0 dynamic vnet0 vnet5 vnet6 vnet7
	ktap_test "they negotiated different things" ends_differ
	ktap_test "legacy, header of 10 bytes, no offloads: direct, data intact" ends_plain
	ktap_test "large buffers, not merged, polled: direct, data intact" ends_large
	ktap_test "takes no segments: direct, data intact" ends_takes_none
	ktap_test "the guest with unlike cards stops" ends_gone
}
