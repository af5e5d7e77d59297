# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154 # variables of lib.sh
# shellcheck disable=SC2015 # "A && B || C": C is for either of them to fail
#
# Changes under traffic: coupling and uncoupling, death and return of a guest.

# toggle SECONDS TIMES - couple and uncouple so long and so often
toggle()
{
	local end=$((SECONDS + $1)) n=0

	while [ $SECONDS -lt $end ] || [ $n -lt "$2" ]; do
		uncouple lan0 || return
		sleep 0.3
		couple lan0 dynamic vnet0 vnet1 vnet2 || return
		sleep 0.7
		n=$((n + 1))
	done
	say "uncoupled and coupled $n times"
}

drops()
{
	local port name n=0

	for port in vnet0 vnet1; do
		for name in full park_limit no_peer malformed too_big offload uplink isolated memory; do
			n=$(grown "$work/before" $port drop_$name)
			[ "$n" = 0 ] || say "$port: drop_$name $n"
		done
	done
}

# beats SECONDS - print for how many hundredths of a second at most a shell got
# no processor: here, or as a script for a guest
beats()
{
	cat <<-END
		now() { read -r up idle </proc/uptime; t=\${up%.*}\${up#*.}; }
		now; last=\$t; end=\$((t + $1 * 100)); max=0
		while [ \$last -lt \$end ]; do
			sleep 0.2; now
			[ \$((t - last)) -le \$max ] || max=\$((t - last))
			last=\$t
		done
		echo \$max
	END
}

# Was one of the machines as good as off for a second? Then no stream went on.
starved()
{
	local gap rc=1

	for gap in "here $(cat "$work/beats")" "a $(guest_bg_wait -t 90 a beats)" \
		"b $(guest_bg_wait -t 90 b beats)"; do
		say "longest time without a processor, hundredths of a second: $gap"
		[ "${gap#* }" -lt 100 ] || rc=0
	done
	return $rc
}

# A stream that is checked, one whose intervals are looked at, and datagrams that
# carry numbers, all at once.
toggled_under_traffic()
{
	local length=$((rounds + 10)) times=$((rounds / 4)) rc=0 out began
	# That a guest had no processor for a while is to be no loss, either.
	local options=(park-us 1000000)

	"$ivmctl" coupling change lan0 "${options[@]}" && joined lan0 a b || return
	stats vnet0 vnet1 >"$work/before"
	bash -c "$(beats "$length")" >"$work/beats" &
	guest_bg a beats "$(beats "$length")" && guest_bg b beats "$(beats "$length")" &&
		guest_bg a stream "iperf3 -c ${address[b]} -p 5201 -t $length -i 2 -f k" &&
		guest_bg b dgrams "iperf3 -c ${address[a]} -p 5202 -u -b $udp_rate -l 500 -w 4M -t $length -i 0" &&
		send_begin b a || return
	sleep 1
	began=$SECONDS
	toggle "$rounds" "$times" || rc=1
	[ $((SECONDS - began)) -lt "$length" ] || { say "too slow: traffic was over before"; rc=1; }
	send_end b a || rc=1

	out=$(guest_bg_wait -t 90 a stream) || { say "$out"; rc=1; }
	grep -E 'sender|receiver' <<<"$out"
	# "[  5]   2.00-4.00   sec  12.5 MBytes  52429 Kbits/sec    0    500 KBytes"
	if grep -E '^\[ .*sec +0\.00 Bytes' <<<"$out" && ! starved; then
		say "the stream stood still"
		rc=1
	fi
	out=$(guest_bg_wait -t 90 b dgrams) || { say "$out"; rc=1; }
	grep receiver <<<"$out"
	if ! grep -q ' 0/[0-9]* (0%) *receiver' <<<"$out" || grep -q -i out-of-order <<<"$out"; then
		say "datagrams were lost or overtaken:" "$out"
		rc=1
	fi
	drops
	# Both paths had their share.
	for out in tx_direct_frames tx_uplink_frames; do
		[ "$(grown "$work/before" vnet0 $out)" -ge "$few" ] || { say "$out did not grow"; rc=1; }
	done
	return $rc
}

# The same with a static coupling, which has no frames of the uplink.
static_under_traffic()
{
	local n rc=0

	uncouple lan0 || return
	send_begin a b || return
	for ((n = 0; n < 4; n++)); do
		couple cross static vnet0 vnet1 || rc=1
		sleep 0.7
		uncouple cross || rc=1
		sleep 0.3
	done
	send_end a b || rc=1
	couple lan0 dynamic vnet0 vnet1 vnet2 || rc=1
	return $rc
}

# The last guest dies. If there are three, the other two go on.
killed_under_traffic()
{
	local victim=${guests[-1]} port pid rc=0

	port=${port_of[$victim]}
	joined lan0 a "$victim" && guest_bg a to_victim "timeout 20 iperf3 -c ${address[$victim]} -t 30" || return
	if [ "$victim" = c ]; then
		joined lan0 a b && guest_bg c to_b "iperf3 -c ${address[b]} -p 5202 -t 30" &&
			send_begin a b || return
	fi
	sleep 2
	pid=$(guest_pid "$victim")
	guest_kill "$victim" || rc=1
	[ ! -e "/proc/$pid" ] || { say "QEMU is still there"; rc=1; }
	if [ "$victim" = c ]; then
		send_end a b && reaches a b || rc=1
		pair_is lan0 vnet0 vnet1 'coupled *' || { say "the others are apart: $(pair lan0 vnet0 vnet1)"; rc=1; }
	fi
	wait_for 10 pair_is lan0 vnet0 "$port" 'uplink exit' || { pair lan0 vnet0 "$port"; rc=1; }
	! port_is "$port" running || { say "$port still runs"; rc=1; }
	"$ivmctl" coupling show lan0 | grep -q "$port (absent)" || { say "$port is still a member"; rc=1; }
	! "$ivmctl" address show | grep -q "$port" || { say "$port still owns addresses"; rc=1; }
	say "the coupling is $(coupling_state lan0)"
	reaches a host || rc=1
	return $rc
}

returns_after_kill()
{
	local victim=${guests[-1]}

	start_guest "$victim" && guest_wait "$victim" && prepare_guest "$victim" &&
		joined lan0 a "$victim" && send "$victim" a || return
	[ "$victim" = b ] || joined lan0 "$victim" b
}

driver_reloaded()
{
	local rc=0

	joined lan0 a b || return
	# shellcheck disable=SC2016 # for the guest to expand
	guest_run b 'basename "$(readlink -f /sys/class/net/eth0/device)" >/tmp/eth0
		cat /tmp/eth0 >/sys/bus/virtio/drivers/virtio_net/unbind' || return
	wait_for 10 port_is vnet1 stopped || rc=1
	pair_is lan0 vnet0 vnet1 'uplink not-running' || { pair lan0 vnet0 vnet1; rc=1; }
	[ "${guests[-1]}" = b ] || reaches a c || rc=1
	guest_run b "cat /tmp/eth0 >/sys/bus/virtio/drivers/virtio_net/bind
		ip link set eth0 up; ip addr add ${address[b]}/24 dev eth0" || return
	wait_for 10 port_is vnet1 running || rc=1
	joined lan0 a b && send a b || rc=1
	return $rc
}

rmmod_refused()
{
	local out

	out=$(rmmod ivshm 2>&1) && return 1
	grep -q 'in use' <<<"$out" && reaches a b
}

test_live()
{
	uncouple_all && couple lan0 dynamic vnet0 vnet1 vnet2
	ktap_test "coupled and uncoupled under traffic: nothing lost, nothing overtaken" toggled_under_traffic
	ktap_test "static coupling made and removed under traffic: data intact" static_under_traffic
	ktap_test "rmmod is refused while guests run" rmmod_refused
	uncouple lan0
}

test_death()
{
	uncouple_all && couple lan0 dynamic vnet0 vnet1 vnet2
	ktap_test "QEMU killed under traffic: who is left goes on" killed_under_traffic
	ktap_test "the guest started again: engages again" returns_after_kill
	ktap_test "driver in a guest reloaded: engages again" driver_reloaded
	uncouple lan0
}
