# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154 # variables of lib.sh
# shellcheck disable=SC2015 # "A && B || C": C is for either of them to fail
#
# Two couplings on two bridges, as a configuration file declares them:
#
#   guest a   guest b      guest c   guest d
#   [vnet0]   [vnet1]      [vnet2]   [vnet3]
#   ==+=========+==br0     ==+=========+==br1
#      coupling one           coupling two
#
# "one" takes whatever is on br0. In "two" vnet2 has a rate, and what vnet3 sends is
# denied: that takes the bridge.

# Bytes a second. Much less than guests can do, and more than the smallest burst.
pairs_rate=500000

pairs_guests()
{
	net_bridge br1 && ip link set vnet2 master br1 && net_tap vnet3 br1 multi_queue &&
		start_guest d && guest_wait d && prepare_guest d &&
		wait_for 10 port_is vnet3 running
}

# Frames of "one" wait for long: a guest may not be there for a while, here in the
# emulator, and what is lost is to tell of something else.
pairs_file()
{
	cat <<-END
	[coupling one]
	type = dynamic
	upper = br0
	park-us = 1000000

	[coupling two]
	type = dynamic
	members = vnet2 vnet3
	rate-bytes = $pairs_rate
	park-us = 500000
	deny = vnet3:vnet2
	END
}

# What there is, as "COUPLING SENDER RECEIVER" lines.
pairs_there()
{
	"$ivmctl" coupling show | awk '
		/^[^ ].*: / { sub(/:$/, "", $1); name = $1 }
		$2 == "->" { print name, $1, $3 }' | sort
}

pairs_apply()
{
	local want

	uncouple_all && pairs_file >"$work/pairs.conf" && "$ivmctl" apply "$work/pairs.conf" || return
	want=$(printf '%s\n' 'one vnet0 vnet1' 'one vnet1 vnet0' 'two vnet2 vnet3' 'two vnet3 vnet2')
	[ "$(pairs_there)" = "$want" ] || { say "coupled are:" "$(pairs_there)"; return 1; }
	# Twice is once.
	"$ivmctl" diff "$work/pairs.conf" && joined one a b && two_joined
}

# One direction of it, that is.
two_joined()
{
	local deadline=$((SECONDS + patience))

	until pair_is two vnet2 vnet3 'coupled *'; do
		if [ $SECONDS -ge $deadline ]; then
			say "vnet2 and vnet3 do not join: $(pair two vnet2 vnet3)"
			return 1
		fi
		reaches c d 2 >/dev/null
	done
	pair_is two vnet3 vnet2 'uplink denied'
}

# Each guest reaches those of its own bridge only.
pairs_apart()
{
	reaches a b && reaches c d && reaches d c && cut_off a d && cut_off c b
}

# Data one way, what is denied the other way: that takes the bridge, all of it.
pairs_denied()
{
	local size=$((pairs_rate * 4)) direct uplink rc=0

	stats vnet2 vnet3 >"$work/before"
	watch_begin br1 tcp port 7000 and src "${address[d]}" || return
	guest_run c "head -c $size /data >/part; sha256sum </part >/part.sum" &&
		guest_bg d receive "nc -l -p 7000 <>/tmp/hold | sha256sum" &&
		guest_run -t 90 c "for i in 1 2 3 4 5; do nc ${address[d]} 7000 </part && exit; sleep 0.5; done; exit 1" &&
		[ "$(guest_bg_wait d receive)" = "$(guest_run c 'cat /part.sum')" ] || { say "the data did not arrive"; rc=1; }
	watch_end
	direct=$(grown "$work/before" vnet2 tx_direct_bytes)
	uplink=$(grown "$work/before" vnet3 tx_uplink_frames)
	say "vnet2 sent $direct bytes direct; vnet3 $(grown "$work/before" vnet3 tx_direct_frames) frames," \
		"and $uplink to the uplink; the bridge saw $watched of them"
	[ "$direct" -ge "$size" ] && [ "$(grown "$work/before" vnet3 tx_direct_frames)" = 0 ] &&
		[ "$uplink" -ge 5 ] && [ "$watched" -ge 5 ] &&
		[ "$(grown "$work/before" vnet3 drop_denied)" = 0 ] &&
		pair_is two vnet3 vnet2 'uplink denied' || rc=1
	return $rc
}

# pairs_speed PORT SECONDS - bytes a second that it sends direct
pairs_speed()
{
	local bytes time

	time=$(date +%s%N) bytes=$(counter "$1" tx_direct_bytes)
	sleep "$2"
	bytes=$(($(counter "$1" tx_direct_bytes) - bytes)) time=$((($(date +%s%N) - time) / 1000))
	echo $((bytes * 1000000 / time))
}

# The rate, of a stream that takes all that it gets; the other coupling has none.
pairs_limited()
{
	local limited other off rc=0

	guest_bg c stream "iperf3 -c ${address[d]} -p 5201 -t 11 -f k" || return
	# A stream takes a moment to find out what there is, and the burst is over then.
	sleep 3
	limited=$(pairs_speed vnet2 6)
	guest_bg_wait -t 60 c stream >"$work/stream" || { cat "$work/stream"; rc=1; }
	guest_bg a stream "iperf3 -c ${address[b]} -p 5201 -t 4 -f k" || return
	sleep 1
	other=$(pairs_speed vnet0 2)
	guest_bg_wait -t 60 a stream >"$work/stream" || { cat "$work/stream"; rc=1; }
	off=$(((limited - pairs_rate) * 100 / pairs_rate))
	say "vnet2 sent $limited bytes a second, of $pairs_rate: $off % more; vnet0 $other"
	[ "${off#-}" -lt 10 ] || rc=1
	[ "$other" -gt $((pairs_rate * 2)) ] || rc=1
	# No rule of another kind did it.
	pair_is two vnet2 vnet3 'coupled *' && [ "$(counter vnet2 parked)" -gt 0 ] || rc=1
	return $rc
}

# pairs_quiet PORT - of all that drops frames or takes them elsewhere nothing grew
pairs_quiet()
{
	local name n rc=0

	while read -r name; do
		n=$(grown "$work/before" "$1" "$name")
		[ "$n" = 0 ] || { say "$1: $name grew by $n"; rc=1; }
	done < <(sed -n "s/^$1\.\(drop_[a-z_]*\) .*/\1/p" "$work/before")
	# ARP is for all.
	n=$(grown "$work/before" "$1" tx_uplink_frames)
	[ "$n" -lt 20 ] || { say "$1 sent $n frames to the uplink"; rc=1; }
	return $rc
}

# One coupling goes and comes under a stream of each: the other's does not notice.
pairs_removed()
{
	local rc=0 i n=0 before after

	joined one a b && two_joined || return
	stats vnet0 vnet1 vnet2 vnet3 >"$work/before"
	before=$(wc -l <"$events")
	guest_bg c stream "iperf3 -c ${address[d]} -p 5201 -t 14 -f k" &&
		guest_bg a stream "iperf3 -c ${address[b]} -p 5201 -t 12 -f k" && send_begin b a || return
	for ((i = 0; i < 4; i++)); do
		sleep 1
		"$ivmctl" coupling del two || rc=1
		[ "$(pairs_there)" = "$(printf '%s\n' 'one vnet0 vnet1' 'one vnet1 vnet0')" ] || rc=1
		sleep 1
		"$ivmctl" apply "$work/pairs.conf" || rc=1
	done
	send_end b a || rc=1
	guest_bg_wait -t 60 a stream >"$work/stream" || rc=1
	grep -E 'sender|receiver' "$work/stream"
	# No second without data.
	awk '/sec .*bits\/sec/ && !/sender|receiver/ && / 0.00 (bits|Kbits)/ { n++ } END { exit n > 0 }' \
		"$work/stream" || { say "it stood still:"; cat "$work/stream"; rc=1; }
	guest_bg_wait -t 60 c stream >"$work/stream" || { cat "$work/stream"; rc=1; }
	pairs_quiet vnet0 && pairs_quiet vnet1 || rc=1
	pair_is one vnet0 vnet1 'coupled *' && pair_is one vnet1 vnet0 'coupled *' || rc=1
	# And nothing was told of it, while the other one was told of each time.
	after=$(tail -n "+$((before + 1))" "$events")
	if grep -q '"coupling":"one"' <<<"$after"; then
		say "what was told of the other:"
		grep '"coupling":"one"' <<<"$after"
		rc=1
	fi
	n=$(grep -c '"event":"coupling".*"coupling":"two".*"new":"gone"' <<<"$after")
	[ "$n" = 4 ] || { say "$n events tell of its end"; rc=1; }
	n=$(grown "$work/before" vnet2 tx_uplink_bytes)
	say "without the coupling vnet2 sent $n bytes to the uplink"
	[ "$n" -gt 100000 ] || rc=1
	return $rc
}

pairs_gone()
{
	uncouple_all && guest_stop d && wait_for 10 port_is vnet3 stopped &&
		ip link set vnet2 master br0 && net_del vnet3 br1 && reaches c a
}

test_pairs()
{
	ktap_test "a fourth guest starts, on a second bridge" pairs_guests || {
		guest_log d
		return
	}
	ktap_test "two couplings of a file: applied, those that it says are coupled" pairs_apply
	ktap_test "two bridges: who is on the other one is not reached" pairs_apart
	ktap_test "what is denied takes the bridge" pairs_denied
	ktap_test "a rate holds, and holds nobody else" pairs_limited
	ktap_test "a coupling goes and comes: the other's stream does not notice" pairs_removed
	ktap_test "the fourth guest stops" pairs_gone
}
