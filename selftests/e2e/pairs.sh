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
# denied: that takes the bridge. Before that c and d are on a cable, which is there before
# d is; after it a and d talk past the host that is between their subnets, and all four
# are a network without a bridge.

# Bytes a second. Much less than guests can do, and more than the smallest burst.
pairs_rate=500000

# A cable that waits for d: not one frame of it, nor of c since then, takes the bridge.
pairs_guests()
{
	local n rc=0

	net_bridge br1 203.0.113.254/24 && ip link set vnet2 master br1 &&
		net_tap vnet3 br1 multi_queue && uncouple_all || return
	printf '[coupling cable]\ntype = static\nmembers = vnet2 vnet3\n' >"$work/cable.conf"
	"$ivmctl" apply "$work/cable.conf" && coupling_is cable waiting || return
	stats vnet2 >"$work/before"
	start_guest d && guest_wait d && wait_for 10 port_is vnet3 running &&
		pair_is cable vnet2 vnet3 'coupled static' && reaches c d && reaches d c || return
	n=$(counter vnet3 tx_uplink_frames)
	[ "$n" = 0 ] || { say "vnet3 sent $n frames to the uplink"; rc=1; }
	n=$(grown "$work/before" vnet2 tx_uplink_frames)
	[ "$n" = 0 ] || { say "vnet2 sent $n frames to the uplink"; rc=1; }
	[ "$(counter vnet3 tx_direct_frames)" -gt 0 ] || rc=1
	prepare_guest d && uncouple_all && reaches c d && return $rc
}

# Frames of "one" wait for long, and it is not idle because a test takes long: a guest may
# not be there for a while, here in the emulator, and what is lost is to tell of something
# else.
pairs_file()
{
	cat <<-END
	[coupling one]
	type = dynamic
	upper = br0
	idle = 600
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
	# Twice is once, and what is saved says the same.
	"$ivmctl" diff "$work/pairs.conf" && "$ivmctl" save >"$work/saved.conf" &&
		"$ivmctl" diff "$work/saved.conf" && joined one a b && two_joined &&
		coupling_is one coupled && coupling_is two coupled
}

# Members that a rule makes come and go with the bridge; nothing is on the bridge
# that they left.
pairs_follow()
{
	local rc=0

	ip link set vnet1 master br1 || return
	[ "$(pairs_there)" = "$(printf '%s\n' 'two vnet2 vnet3' 'two vnet3 vnet2')" ] ||
		{ say "coupled are:" "$(pairs_there)"; rc=1; }
	coupling_is one waiting || { say "one is $(coupling_state one)"; rc=1; }
	stats vnet1 >"$work/before"
	cut_off a b || rc=1
	reaches b c || rc=1
	[ "$(grown "$work/before" vnet1 tx_direct_frames)" = 0 ] || { say "vnet1 still sends direct"; rc=1; }
	ip link set vnet1 master br0 && joined one a b && cut_off b c || rc=1
	return $rc
}

# As if it were not there, while guests talk, and there again.
pairs_disabled()
{
	local line state rc=0

	line=$(wc -l <"$events")
	stats vnet0 >"$work/before"
	"$ivmctl" coupling change one disabled yes && coupling_is one disabled || return
	reaches a b || rc=1
	[ "$(grown "$work/before" vnet0 tx_uplink_frames)" -gt 0 ] || { say "nothing took the uplink"; rc=1; }
	"$ivmctl" coupling change one disabled no && joined one a b && coupling_is one coupled || rc=1
	for state in disabled ready coupled; do
		tail -n "+$((line + 1))" "$events" |
			grep -q "\"event\":\"coupling\".*\"coupling\":\"one\".*\"new\":\"$state\"" ||
			{ say "no event tells that one is $state"; rc=1; }
	done
	return $rc
}

# What is tried and not confirmed is as before, and nobody noticed.
pairs_tried()
{
	local rc=0

	stats vnet0 >"$work/before"
	guest_bg a talk "ping -q -c 30 -i 0.1 -W 2 ${address[b]}" || return
	printf '[coupling one]\ntype = dynamic\nupper = br0\npark-us = 1000000\n' >"$work/try.conf"
	"$ivmctl" try 2 "$work/try.conf" </dev/null >"$work/tried" 2>&1 && rc=1
	grep -q 'taken back' "$work/tried" || { cat "$work/tried"; rc=1; }
	guest_bg_wait -t 60 a talk >"$work/talk" || { cat "$work/talk"; rc=1; }
	"$ivmctl" diff "$work/pairs.conf" && joined one a b && two_joined || rc=1
	return $rc
}

# Pings that nobody answers: one direction joins, and is parted when it is over; an answer
# or two of ARP are below the threshold of the other one.
pairs_one_way()
{
	local i rc=0 line

	pairs_file | sed 's/^idle = .*/threshold = 6\nidle = 3/' >"$work/idle.conf"
	"$ivmctl" apply "$work/idle.conf" && reaches a b &&
		wait_for 30 pair_is one vnet0 vnet1 'uplink *' &&
		wait_for 30 pair_is one vnet1 vnet0 'uplink *' || return
	line=$(wc -l <"$events")
	guest_run b 'sysctl -q -w net.ipv4.icmp_echo_ignore_all=1'
	guest_run a "ping -q -c 60 -i 0.02 -W 1 ${address[b]} >/dev/null"
	guest_run b 'sysctl -q -w net.ipv4.icmp_echo_ignore_all=0'
	pair_is one vnet0 vnet1 'coupled traffic' || { pair one vnet0 vnet1; rc=1; }
	pair_is one vnet1 vnet0 'uplink *' || { pair one vnet1 vnet0; rc=1; }
	wait_for 30 pair_is one vnet0 vnet1 'uplink idle' || rc=1
	for i in '"old":"uplink","new":"joining","reason":"traffic"' '"old":"joining","new":"coupled","reason":"traffic"' \
		'"old":"coupled","new":"uplink","reason":"idle"'; do
		tail -n "+$((line + 1))" "$events" | grep '"src":"vnet0","dst":"vnet1"' | grep -q "$i" ||
			{ say "no event of vnet0 -> vnet1 has $i"; rc=1; }
	done
	"$ivmctl" apply "$work/pairs.conf" && joined one a b || rc=1
	return $rc
}

# Each guest's MAC and IP address, at its port, with where its receive ring is.
pairs_addresses()
{
	local guest rc=0 mac

	# Who asks all of them tells all of them.
	for guest in a b c d; do
		guest_run $guest 'ip neigh flush dev eth0 >/dev/null 2>&1'
	done
	reaches a b && reaches b a && reaches c d && reaches d c || return
	for guest in a b c d; do
		mac=$(guest_run "$guest" 'cat /sys/class/net/eth0/address')
		"$ivmctl" address show port "${port_of[$guest]}" >"$work/addresses"
		grep -q "^$mac .* learned .*0x[0-9a-f]" "$work/addresses" &&
			grep -q "^${address[$guest]} .* learned .*0x[0-9a-f]" "$work/addresses" && continue
		say "not there: $mac or ${address[$guest]}"
		cat "$work/addresses"
		rc=1
	done
	return $rc
}

# What the bridge would not let pass does not pass.
pairs_isolated()
{
	local rc=0

	bridge link set dev vnet2 isolated on && bridge link set dev vnet3 isolated on || return
	guest_bg c talk "ping -q -c 100 -i 0.1 -W 1 ${address[d]}"
	wait_for "$patience" pair_is two vnet2 vnet3 'uplink isolated' || { pair two vnet2 vnet3; rc=1; }
	guest_run c 'killall ping' >/dev/null
	guest_bg_wait -t 60 c talk >/dev/null
	cut_off c d || rc=1
	bridge link set dev vnet2 isolated off && bridge link set dev vnet3 isolated off && two_joined || rc=1
	return $rc
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
	# Not above it. Below it a stream may be that waits for processors; how exact it is
	# tests see that do not.
	[ "$off" -lt 10 ] && [ "$off" -gt -50 ] || rc=1
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
	# No three seconds without data: so long nobody is without a processor.
	awk '/sec .*bits\/sec/ && !/sender|receiver/ { n = / 0.00 (bits|Kbits)/ ? n + 1 : 0; if (n > m) m = n }
		END { exit m > 2 }' "$work/stream" || { say "it stood still:"; cat "$work/stream"; rc=1; }
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

pairs_route()
{
	sysctl -q net.ipv4.ip_forward=1 &&
		guest_run a "ip route add 203.0.113.0/24 via ${address[host]}" &&
		guest_run d "ip addr add 203.0.113.4/24 dev eth0 && ip route add ${address[a]}/32 via 203.0.113.254"
}

pairs_unroute()
{
	sysctl -q net.ipv4.ip_forward=0 && guest_run a 'ip route del 203.0.113.0/24' &&
		guest_run d "ip route del ${address[a]}/32 && ip addr del 203.0.113.4/24 dev eth0"
}

# a and d have a gateway between them, which sees what only it can do.
pairs_routed()
{
	local guest mac rc=0 deadline n before ttl

	uncouple_all && pairs_route && reaches a 203.0.113.4 || return
	{
		for guest in a d; do
			mac=$(guest_run "$guest" 'cat /sys/class/net/eth0/address')
			[ $guest = a ] && printf '[address %s]\n' "${address[a]}" || printf '[address 203.0.113.4]\n'
			printf 'port = %s\nlladdr = %s\n' "${port_of[$guest]}" "$mac"
		done
		printf '[coupling routed]\ntype = dynamic\nmembers = vnet0 203.0.113.4\nmatch = ip\npark-us = 1000000\n'
	} >"$work/routed.conf"
	"$ivmctl" apply "$work/routed.conf" || return
	deadline=$((SECONDS + patience))
	until pair_is routed vnet0 vnet3 'coupled *' && pair_is routed vnet3 vnet0 'coupled *'; do
		[ $SECONDS -lt $deadline ] ||
			{ say "$(pair routed vnet0 vnet3), $(pair routed vnet3 vnet0)"; rc=1; break; }
		reaches a 203.0.113.4 2 >/dev/null
	done
	# A hop less: nothing counted the lifetime down.
	ttl=$(guest_run a 'ping -c 1 -W 2 203.0.113.4 | sed -n "s/.*ttl=\([0-9]*\).*/\1/p"')
	[ "$ttl" = 64 ] || { say "the packets' lifetime is $ttl"; rc=1; }
	stats vnet0 vnet3 >"$work/before"
	before=$(cat /sys/class/net/br1/statistics/tx_bytes)
	send a d 7000 203.0.113.4 || rc=1
	n=$(grown "$work/before" vnet0 tx_direct_bytes)
	say "vnet0 sent $n bytes direct; the gateway forwarded $(($(cat /sys/class/net/br1/statistics/tx_bytes) - before))"
	[ "$n" -ge $((size_mb << 20)) ] &&
		[ $(($(cat /sys/class/net/br1/statistics/tx_bytes) - before)) -lt 100000 ] || rc=1
	# One hop to go: that is for the gateway, where it ends.
	guest_run a '! ping -q -c 1 -W 2 -t 1 203.0.113.4 >/dev/null' || { say "a packet outlived its last hop"; rc=1; }
	reaches a host && reaches d 203.0.113.254 && reaches a b && reaches d c || rc=1
	"$ivmctl" apply - </dev/null && pairs_unroute || rc=1
	return $rc
}

# link_local GUEST - its IPv6 address
link_local()
{
	# "fe80...34 02 40 20 80 eth0", all digits of it
	guest_run "$1" 'cat /proc/net/if_inet6' |
		sed -n '/ eth0$/s/^\(fe80\)0\{12\}\(....\)\(....\)\(....\)\(....\) .*/\1::\2:\3:\4:\5/p' |
		sed 's/:0*\([^:]\)/:\1/g'
}

# reaches_six GUEST WHOM - by neighbour discovery
reaches_six()
{
	local out

	out=$(guest_run "$1" "ping6 -q -c 3 -i 0.1 -W 2 -I eth0 $(link_local "$2")") && return
	say "$1 does not reach $2 at $(link_local "$2"):" "$out"
	return 1
}

# On no bridge at all, and none of them knows any other.
pairs_lan()
{
	local guest rc=0 port

	for port in vnet0 vnet1 vnet2 vnet3; do
		ip link set $port nomaster || return
	done
	printf '[coupling lan]\ntype = static\nmembers = vnet?\npark-us = 1000000\n' >"$work/lan.conf"
	"$ivmctl" apply "$work/lan.conf" || return
	stats vnet0 vnet1 vnet2 vnet3 >"$work/before"
	for guest in a b c d; do
		guest_run $guest 'ip neigh flush dev eth0 >/dev/null 2>&1'
	done
	reaches a d && reaches d b && reaches b c && reaches c a && cut_off a host && cut_off d host || rc=1
	reaches_six a d && reaches_six d b && reaches_six b c || rc=1
	[ "$(grown "$work/before" vnet0 tx_flooded)" -gt 0 ] || { say "nothing was flooded"; rc=1; }
	for port in vnet0 vnet1 vnet2 vnet3; do
		[ "$(grown "$work/before" $port tx_uplink_frames)" = 0 ] || { say "$port used the uplink"; rc=1; }
	done
	uncouple_all && ip link set vnet0 master br0 && ip link set vnet1 master br0 &&
		ip link set vnet2 master br1 && ip link set vnet3 master br1 && reaches a b && reaches c d || rc=1
	return $rc
}

pairs_gone()
{
	uncouple_all && guest_stop d && wait_for 10 port_is vnet3 stopped &&
		ip link set vnet2 master br0 && net_del vnet3 br1 && reaches c a
}

test_pairs()
{
	ktap_test "a fourth guest starts, on a second bridge, into a cable" pairs_guests || {
		guest_log d
		return
	}
	ktap_test "two couplings of a file: applied, those that it says are coupled" pairs_apply
	ktap_test "another file is tried and taken back" pairs_tried
	ktap_test "a member moves to the other bridge and back" pairs_follow
	ktap_test "a coupling is disabled, and enabled" pairs_disabled
	ktap_test "two bridges: who is on the other one is not reached" pairs_apart
	ktap_test "one direction joins and is parted, the other is not" pairs_one_way
	ktap_test "the address table has all guests" pairs_addresses
	ktap_test "what is denied takes the bridge" pairs_denied
	ktap_test "ports isolated by the bridge: isolated" pairs_isolated
	ktap_test "a rate holds, and holds nobody else" pairs_limited
	ktap_test "a coupling goes and comes: the other's stream does not notice" pairs_removed
	ktap_test "two subnets: direct, past the gateway" pairs_routed
	ktap_test "four guests without a bridge" pairs_lan
	ktap_test "the fourth guest stops" pairs_gone
}
