# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Paths between two real guests, for "inside". Each has a card on each path:
#
#   guest a                                          guest b
#     eth0 --[vnet0]-----br0----[vnet1]-- eth0         direct, uplink
#     eth1 --[vhost0]---brvhost-[vhost1]- eth1         bridge
#     eth2 --[mvt0]-----low0----[mvt1]--- eth2         macvtap
#
# Prints what counters grew by while something was sent; guests.py makes figures
# of that. A round in which the emulator lost a guest is done again.

# shellcheck source=../vm/guest.sh
. "$IVSHM_TOP/selftests/vm/guest.sh"
# shellcheck source=../vm/net.sh
. "$IVSHM_TOP/selftests/vm/net.sh"
# shellcheck source=../vm/traffic.sh
. "$IVSHM_TOP/selftests/vm/traffic.sh"

ivmctl=$IVSHM_TOP/tools/ivmctl/ivmctl
guests_work=/run/bench-guests
tracing=/sys/kernel/tracing

guests_paths='bridge direct uplink macvtap'
guests_rounds=5
# No round begins after so many seconds.
guests_time=240
tcp_seconds=3
pps_seconds=2

declare -A card=([direct]=eth0 [uplink]=eth0 [bridge]=eth1 [macvtap]=eth2)
declare -A net=([direct]=10.0.0 [uplink]=10.0.0 [bridge]=10.9.0 [macvtap]=10.8.0)
declare -A devs=([direct]='vnet0 vnet1' [uplink]='vnet0 vnet1' [bridge]='vhost0 vhost1'
	[macvtap]='mvt0 mvt1')
declare -A mac_of_b=() virtio=()

guests_network()
{
	net_bridge br0 && net_tap vnet0 br0 && net_tap vnet1 br0 &&
		net_bridge brvhost && net_tap vhost0 brvhost && net_tap vhost1 brvhost &&
		ip link add low0 type dummy && ip link set low0 up &&
		net_macvtap mvt0 low0 && net_macvtap mvt1 low0
}

guests_begin()
{
	local guest n

	for guest in a b; do
		n=$([ $guest = a ] && echo 0 || echo 1)
		guest_start $guest \
			--tap "vnet$n" --ip "10.0.0.$((n + 1))/24" --vhost /dev/ivshm-net \
			--tap "vhost$n" --ip "10.9.0.$((n + 1))/24" \
			--macvtap "mvt$n" --ip "10.8.0.$((n + 1))/24" \
			--mac "$(cat "/sys/class/net/mvt$n/address")" || return
	done
	guest_wait a b && guest_bg b server 'iperf3 -s' || return
	for n in 0 1 2; do
		mac_of_b[eth$n]=$(guest_run b "cat /sys/class/net/eth$n/address") &&
			virtio[eth$n]=$(guest_run b "basename \$(readlink /sys/class/net/eth$n/device)") || return
	done
	guests_workers
}

# The threads that serve the rings: of ivshm and of vhost.
guests_workers()
{
	workers=()
	while read -r pid; do
		workers+=("/proc/$pid/status")
	done < <(ps -e -o pid=,comm= | awk '$2 ~ /^(vhost-[0-9]|ivshm-)/ { print $1 }')
}

# vhost counts no kicks; KVM passes them all through one function.
guests_probe()
{
	echo 'p:bench/kick kvm:ioeventfd_write' >>$tracing/kprobe_events &&
		echo 1 >$tracing/events/bench/kick/enable
}

# --- counters, as lines "NAME VALUE" ---------------------------------------------

# cards PATH - as both guests count them; one process each, they are slow
cards()
{
	local guest

	for guest in a b; do
		guest_run $guest "
			cd /sys/class/net/${card[$1]}/statistics
			awk -v guest=$guest -v queue=${virtio[${card[$1]}]}- '
				FILENAME !~ /^.proc/ { print guest \".\" FILENAME, \$1 }
				index(\$NF, queue) == 1 { print guest \".\" substr(\$NF, length(queue) + 1), \$2 }
				/^Tcp: [0-9]/ { print guest \".retransmits\", \$13 }
			' rx_packets rx_bytes tx_packets rx_dropped tx_dropped /proc/interrupts /proc/net/snmp" ||
			return
		echo
	done
}

host_counters()
{
	local dev

	echo "ticks $(host_ticks)"
	awk '/^cpu / { print "guest_ticks", $10 + $11 }' /proc/stat
	(
		cd /sys/kernel/debug/kvm &&
			grep . exits halt_exits irq_exits signal_exits insn_emulation irq_injections pf_taken |
			sed 's/:/ /'
	)
	awk '$1 == "kick" { print "kicks", $2 }' $tracing/kprobe_profile
	awk '/^voluntary/ { n += $2 } END { print "wakeups", n }' "${workers[@]}"
	for dev in ${devs[$1]}; do
		grep . "/sys/class/net/$dev/statistics"/{rx,tx}_dropped | sed "s/.*\//$dev./; s/:/ /"
		case $dev in
		vnet*)
			"$ivmctl" -j port show "$dev" | grep -o '"[a-z_]*":[0-9]*' |
				tr -d '"' | sed "s/^/$dev./; s/:/ /"
			;;
		esac
	done
}

# measured CASE PATH COMMAND... - COMMAND sets $row, more members of the object.
# The cards were looked at before, and are again for what comes next.
measured()
{
	local name=$1 path=$2 w=$guests_work
	shift 2

	host_counters "$path" >$w/host
	"$@" || return
	host_counters "$path" >$w/host.after
	cards "$path" >$w/cards.after || return
	printf 'bench: guests %s {"path": "%s"%s, "counters": {%s}}\n' "$name" "$path" "$row" \
		"$(awk 'NR == FNR { was[$1] = $2; next }
			$1 in was && $2 != was[$1] {
				printf "%s\"%s\": %d", comma, $1, $2 - was[$1]
				comma = ", "
			}' <(cat $w/host $w/cards) <(cat $w/host.after $w/cards.after))"
	mv $w/cards.after $w/cards
}

case_ping()
{
	traffic_ping a "$1" 100 0.02 || return
	row=$(printf ', "round_trips": %d, "p50_us": %.0f, "p99_us": %.0f' "$(wc -w <<<"$times")" \
		"$(percentile 50 "$times")e3" "$(percentile 99 "$times")e3")
}

case_tcp()
{
	traffic_tcp a "$1" $tcp_seconds || return
	row=", \"mbits_per_s\": $mbits, \"mb\": $mb"
}

case_pps()
{
	traffic_pktgen a "$2" "${mac_of_b[$2]}" "$1" 64 $pps_seconds || return
	row=", \"sent\": $sent, \"sent_us\": $sent_us"
}

# --- rounds ------------------------------------------------------------------------

guests_path()
{
	local address=${net[$1]}.2

	# It finds the way, and whoever may join the pair sees the two.
	guest_run a "ping -q -c 5 -i 0.1 $address" >"$guests_work/ping" ||
		{ cat "$guests_work/ping"; return 1; }
	cards "$1" >$guests_work/cards &&
		measured ping "$1" case_ping "$address" &&
		measured tcp "$1" case_tcp "$address" &&
		measured pps-64 "$1" case_pps "$address" "${card[$1]}"
}

guests_round()
{
	local path rc

	for path in $guests_paths; do
		if [ "$path" = direct ]; then
			"$ivmctl" coupling add bench dynamic vnet0 vnet1 || return
		fi
		guests_path "$path"
		rc=$?
		if [ "$path" = direct ]; then
			"$ivmctl" coupling del bench || return
		fi
		[ $rc = 0 ] || { echo "bench-failed: guests $path"; return 1; }
	done
}

guests()
{
	local round=0 lost=0 rc=0 bad out=$guests_work/round

	mkdir -p $guests_work
	if ! { guests_network && guests_begin && guests_probe; }; then
		return 1
	fi
	echo "bench-about: guests: $(qemu-system-x86_64 --version | head -n 1), up after $SECONDS s"
	while [ $round -lt $guests_rounds ] && [ $SECONDS -lt $guests_time ]; do
		guests_round >"$out" 2>&1
		bad=$?
		if ! { guest_sound a && guest_sound b; }; then
			lost=$((lost + 1))
			echo "# so the round that it was lost in does not count"
			[ $lost -le 3 ] && guest_kill a b && guests_begin || return
			continue
		fi
		if [ $bad = 0 ]; then
			cat "$out"
		else
			# Figures of all paths or of none.
			grep -v '^bench: ' "$out"
			rc=1
		fi
		round=$((round + 1))
		echo "# round $round of $guests_rounds done after $SECONDS s"
	done
	guest_stop a b && return $rc
}
