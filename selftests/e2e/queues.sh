# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154 # variables of lib.sh
# shellcheck disable=SC2015 # "A && B || C": C is for either of them to fail
#
# Cards with several queues: guests d and e with four each, beside a with one.
#
# A guest starts with as many queues in use as it has processors, here one.

mq_guests()
{
	local guest

	net_tap vnet3 br0 multi_queue && net_tap vnet4 br0 multi_queue &&
		start_guest d && start_guest e && guest_wait d e || return
	for guest in d e; do
		prepare_guest "$guest" && wait_for 10 port_is "${port_of[$guest]}" running || return
		wait_for 10 queues_are "$guest" 4 1 || return
	done
}

# queues_are GUEST ATTACHED USED
queues_are()
{
	[ "$(counter "${port_of[$1]}" queues)" = "$2" ] &&
		[ "$(counter "${port_of[$1]}" queues_used)" = "$3" ]
}

# use_queues GUEST N - as its administrator does; the module follows
use_queues()
{
	guest_run "$1" "ethtool -L eth0 combined $2" && wait_for 10 queues_are "$1" 4 "$2" && return
	"$ivmctl" -j port show "${port_of[$1]}"
	return 1
}

# rx_queues GUEST - packets that each of its queues received, in their order
rx_queues() { guest_run "$1" "ethtool -S eth0" | awk '/rx_queue_[0-9]*_packets:/ { print $2 }'; }

# spread FROM TO MIN - flows of FROM go direct and come in at least MIN queues
spread()
{
	local from=$1 to=$2 n before after direct uplink used

	joined lan0 "$from" "$to" || return
	stats "${port_of[$to]}" >"$work/before"
	mapfile -t before < <(rx_queues "$to")
	tcp "$from" "$to" -t "$spread_s" -P 8 || return
	mapfile -t after < <(rx_queues "$to")
	used=0
	for n in "${!after[@]}"; do
		after[n]=$((after[n] - before[n]))
		[ "${after[n]}" -lt 8 ] || used=$((used + 1))
	done
	direct=$(grown "$work/before" "${port_of[$to]}" rx_direct_frames)
	uplink=$(grown "$work/before" "${port_of[$to]}" rx_uplink_frames)
	say "queues of $to: ${after[*]} packets; $direct frames direct, $uplink by the bridge"
	[ "$used" -ge "$3" ] && [ "$direct" -gt $((10 * uplink)) ] && [ "$direct" -gt 50 ]
}

mq_spread()
{
	uncouple_all && couple lan0 dynamic vnet0 vnet3 vnet4 &&
		use_queues d 4 && use_queues e 4 &&
		spread d e 2 && spread e d 2
}

# By a hash of the flow, and all to the one queue.
mq_unequal()
{
	spread a e 2 && spread e a 1 && use_queues d 2 && spread d e 2 && use_queues d 4
}

mq_intact() { send_both_ways d e && send_both_ways a d; }

mq_changes()
{
	local end n changes=0 rc=0 count out

	joined lan0 d e && joined lan0 e d || return
	stats vnet3 vnet4 >"$work/before"
	guest_bg d stream "iperf3 -c ${address[e]} -p 5201 -P 4 -t $((rounds + 6)) -f k" &&
		send_begin e d || return
	end=$((SECONDS + rounds))
	while [ $SECONDS -lt "$end" ]; do
		for count in 2 4 1 4; do
			use_queues e "$count" || rc=1
			use_queues d "$count" || rc=1
			changes=$((changes + 2))
		done
	done
	say "$changes changes"
	send_end e d || rc=1
	out=$(guest_bg_wait -t 120 d stream) || { say "$out"; rc=1; }
	grep -E 'SUM.*(sender|receiver)' <<<"$out"
	for out in full park_limit no_peer malformed too_big offload uplink isolated memory; do
		n=$(($(grown "$work/before" vnet3 drop_$out) + $(grown "$work/before" vnet4 drop_$out)))
		[ "$n" = 0 ] || say "drop_$out: $n"
	done
	return $rc
}

mq_gone()
{
	uncouple_all && guest_stop d e && wait_for 10 port_is vnet3 stopped &&
		net_del vnet3 vnet4
}

test_queues()
{
	ktap_test "two guests with four queues each start" mq_guests || {
		guest_log d; guest_log e
		return
	}
	ktap_test "four queues: flows go direct, to several queues" mq_spread
	ktap_test "one, two and four queues: flows go direct" mq_unequal
	ktap_test "four queues: data arrives intact" mq_intact
	ktap_test "ethtool -L under traffic: data intact" mq_changes
	ktap_test "the guests with four queues stop" mq_gone
}
