# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154 # variables of lib.sh
#
# Live migration: guest c moves to another QEMU, while guest a sends to it and it
# sends to guest a. Two QEMUs do not share a tap, so each place has its own; the
# coupling knows all of them from the start, as it would on another host.
#
#   guest c on vnet2 --> on vnet2m --> by vhost-net on vnet2v --> on vnet2

move_c()
{
	guest_migrate c --tap "$1" --ip "${address[c]}/24" --vhost "$2" && port_of[c]=$1
}

# stream_begin FROM TO PORT - send pieces of /data until told to stop; the stream
# is never over before somebody looks
stream_begin()
{
	guest_bg "$2" "receive$3" "nc -l -p $3 <>/tmp/hold | sha256sum" &&
		guest_bg "$1" "stream$3" "rm -f /tmp/stop$3 /tmp/copy$3; mkfifo /tmp/copy$3
			sha256sum </tmp/copy$3 &
			sleep 0.5
			n=0
			while [ ! -e /tmp/stop$3 ]; do
				dd if=/data bs=256k count=1 skip=\$((n % (4 * $size_mb))) 2>/dev/null
				n=\$((n + 1))
				sleep 0.05
			done | tee /tmp/copy$3 | nc ${address[$2]} $3
			wait"
}

stream_end()
{
	local sent got

	guest_run "$1" "touch /tmp/stop$3"
	sent=$(guest_bg_wait -t 60 "$1" "stream$3") || { say "sending $1 to $2 failed"; return 1; }
	got=$(guest_bg_wait -t 60 "$2" "receive$3") || { say "receiving failed"; return 1; }
	[ -n "$sent" ] && [ "$got" = "$sent" ] && return
	say "$1 to $2: sent $sent, received $got"
	return 1
}

streams_begin() { stream_begin a c 7200 && stream_begin c a 7201; }
streams_end()
{
	local rc=0

	stream_end a c 7200 || rc=1
	stream_end c a 7201 || rc=1
	return $rc
}

# By nothing but the streams.
both_direct()
{
	local port=${port_of[c]}

	wait_for "$patience" pair_is lan0 vnet0 "$port" 'coupled *' &&
		wait_for "$patience" pair_is lan0 "$port" vnet0 'coupled *'
}

# c_reaches WHOM... - or say what came of it at the tap, and what the bridge, the guest
# and the host take it to be
c_reaches()
{
	local whom capture rc=0

	tcpdump -l -n -i "${port_of[c]}" "ether host $(guest_run c 'cat /sys/class/net/eth0/address')" \
		>"$work/capture" 2>&1 &
	capture=$!
	wait_for "$patience" grep -q listening "$work/capture"
	for whom; do
		reaches c "$whom" && continue
		rc=1
		"$ivmctl" -s port show "${port_of[c]}"
		bridge fdb show br br0 | grep "$(guest_run c 'cat /sys/class/net/eth0/address')"
		bridge -d link show dev "${port_of[c]}"
		ip neigh show to "${address[c]}"
		guest_run c "ip neigh; cat /proc/uptime; sleep 1; cat /proc/uptime; cat /proc/interrupts | grep virtio
			grep eth0 /proc/net/dev"
		reaches c "$whom" || say "it never does"
		break
	done
	kill $capture
	wait $capture 2>/dev/null
	[ $rc = 0 ] || cat "$work/capture"
	return $rc
}

# direct_now - both streams go direct, and nothing of them over the bridge
direct_now()
{
	local port=${port_of[c]} n rc=0

	both_direct || return
	stats vnet0 "$port" >"$work/before"
	sleep 2
	for n in vnet0 "$port"; do
		say "$n: $(grown "$work/before" "$n" tx_direct_bytes) bytes direct," \
			"$(grown "$work/before" "$n" tx_uplink_bytes) by the uplink"
		[ "$(grown "$work/before" "$n" tx_direct_bytes)" -gt 100000 ] || rc=1
		[ "$(grown "$work/before" "$n" tx_uplink_bytes)" -lt 10000 ] || rc=1
	done
	return $rc
}

moves_to_ivshm()
{
	local rc=0

	joined lan0 a c && streams_begin && direct_now || return
	move_c vnet2m /dev/ivshm-net && direct_now || rc=1
	port_is vnet2 stopped || { say "vnet2 is $(port_state vnet2)"; rc=1; }
	streams_end || rc=1
	c_reaches host far || rc=1
	return $rc
}

moves_to_vhost_and_back()
{
	local rc=0

	joined lan0 a c && streams_begin && both_direct || return
	move_c vnet2v /dev/vhost-net || rc=1
	stats vnet0 >"$work/before"
	sleep 2
	say "beside vhost-net vnet0 sent $(grown "$work/before" vnet0 tx_uplink_bytes) bytes by the uplink"
	[ "$(grown "$work/before" vnet0 tx_uplink_bytes)" -gt 100000 ] || rc=1
	[ "$(grown "$work/before" vnet0 tx_direct_frames)" = 0 ] || rc=1
	move_c vnet2 /dev/ivshm-net && direct_now || rc=1
	streams_end || rc=1
	c_reaches host far || rc=1
	return $rc
}

# Tests run in shells of their own: where is the guest by now?
find_c()
{
	local port

	for port in vnet2 vnet2m; do
		! port_is $port running || port_of[c]=$port
	done
}

# Nobody's frames were worse off for it.
moves_cleanly()
{
	local port name rc=0

	for port in vnet0 vnet2 vnet2m; do
		for name in ring_errors drop_malformed drop_too_big drop_memory; do
			[ "$(counter $port $name)" = 0 ] || { say "$port: $name $(counter $port $name)"; rc=1; }
		done
	done
	return $rc
}

test_migrate()
{
	uncouple_all && couple lan0 dynamic vnet0 vnet1 vnet2 vnet2m
	net_tap vnet2m br0 && net_tap vnet2v br0
	ktap_test "a guest moves under traffic: streams intact, and direct again" moves_to_ivshm
	find_c
	ktap_test "a guest moves to vhost-net and back: streams intact, and direct again" moves_to_vhost_and_back
	ktap_test "no errors and no frames lost by them" moves_cleanly
	uncouple lan0
	find_c
	# After a failure it may be elsewhere; the parts that follow want it here.
	[ "${port_of[c]}" = vnet2 ] || move_c vnet2 /dev/ivshm-net
	net_del vnet2m vnet2v
}
