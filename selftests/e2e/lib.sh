# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2034 # variables for those who source it
#
# What the end-to-end tests share. Sourced by "run".
#
#   guest a            guest b            guest c            netns "far"
#   eth0  eth1         eth0  eth1         eth0               eth0 eth1
#     |     |            |     |            |                  |    |
#  [vnet0]  |         [vnet1]  |         [vnet2]            [far0]  |
#     |     |            |     |            |                  |    |
#   ==+==br0: 192.0.2.254/24===|============+==================+    |
#           |                  |                                    |
#        [mvt0]             [mvt1]  macvtap, bridge mode            |
#           |                  |                                    |
#         ==+==low0: a veth====+====================================+
#
#   br0   192.0.2.0/24    a .1   b .2   c .3   far .99   the host .254
#   low0  198.51.100.0/24 a .1   b .2          far .99
#
# Every card of a guest is served by /dev/ivshm-net.

# shellcheck source=../vm/guest.sh
. "$IVSHM_TOP/selftests/vm/guest.sh"
# shellcheck source=../vm/net.sh
. "$IVSHM_TOP/selftests/vm/net.sh"
# shellcheck source=../lib/ktap.sh
. "$IVSHM_TOP/selftests/lib/ktap.sh"

ivmctl=$IVSHM_TOP/tools/ivmctl/ivmctl
work=/run/e2e
events="$work/events"
mkdir -p "$work"
[ -p "$work/hold" ] || mkfifo "$work/hold"

# How much to send, how long to couple and uncouple, how long to wait (seconds).
# The debug kernel is slow, and there for what only it can tell: it runs what
# moves frames and what takes things away under traffic ("full" is 0), and its
# guests need more than a millisecond to come up with receive buffers, and a pair is not
# idle because a test takes long.
options=() idle=''
case $IVSHM_VM_KERNEL in
debug) full=0 tcp_s=5 spread_s=10 size_mb=4 rounds=8 patience=60 udp_rate=200K few=1 options=(park-us 1000000) idle=600 ;;
*) full=1 tcp_s=1 spread_s=3 size_mb=8 rounds=12 patience=20 udp_rate=1M few=20 ;;
esac

declare -A address=([a]=192.0.2.1 [b]=192.0.2.2 [c]=192.0.2.3 [d]=192.0.2.4 [e]=192.0.2.5
	[far]=192.0.2.99 [host]=192.0.2.254)
declare -A port_of=([a]=vnet0 [b]=vnet1 [c]=vnet2 [d]=vnet3 [e]=vnet4)

read -ra guests <<<"${IVSHM_E2E_GUESTS:-a b c}"

say() { printf '%s\n' "$*"; }

# wait_for SECONDS COMMAND... - until it succeeds
wait_for()
{
	local deadline=$((SECONDS + $1))
	shift

	until "$@"; do
		if [ $SECONDS -ge $deadline ]; then
			say "waited in vain for: $*"
			return 1
		fi
		sleep 0.2
	done
}

# --- the network -----------------------------------------------------------------

network()
{
	modprobe -q -a tun bridge macvtap veth
	net_bridge br0 192.0.2.254/24 &&
		net_tap vnet0 br0 && net_tap vnet1 br0 && net_tap vnet2 br0 || return
	ip netns add far &&
		ip link add far0 type veth peer name eth0 netns far &&
		ip link add low0 type veth peer name eth1 netns far || return
	sysctl -q net.ipv6.conf.far0.disable_ipv6=1 net.ipv6.conf.low0.disable_ipv6=1
	ip netns exec far sysctl -q net.ipv6.conf.all.disable_ipv6=1
	ip link set far0 master br0 up && ip link set low0 up &&
		ip -n far link set lo up &&
		ip -n far addr add 192.0.2.99/24 dev eth0 && ip -n far link set eth0 up &&
		ip -n far addr add 198.51.100.99/24 dev eth1 && ip -n far link set eth1 up &&
		net_macvtap mvt0 low0 && net_macvtap mvt1 low0
}

network_gone()
{
	local link

	ip netns del far
	for link in vnet3 vnet4 vnet5 vnet6 vnet7 br1; do
		[ ! -e "/sys/class/net/$link" ] || net_del "$link"
	done
	net_del vnet0 vnet1 vnet2 low0 br0
}

start_guest()
{
	local v="--vhost /dev/ivshm-net"

	# shellcheck disable=SC2086 # two words
	case $1 in
	a) guest_start a --tap vnet0 --ip 192.0.2.1/24 $v \
		--macvtap mvt0 --mac "$(cat /sys/class/net/mvt0/address)" --ip 198.51.100.1/24 $v ;;
	b) guest_start b --tap vnet1 --ip 192.0.2.2/24 $v \
		--macvtap mvt1 --mac "$(cat /sys/class/net/mvt1/address)" --ip 198.51.100.2/24 $v ;;
	c) guest_start c --tap vnet2 --ip 192.0.2.3/24 $v ;;
	d) guest_start d --tap vnet3 --ip 192.0.2.4/24 $v --queues 4 ;;
	e) guest_start e --tap vnet4 --ip 192.0.2.5/24 $v --queues 4 ;;
	esac
}

# What every guest needs to have: something to send, and room to receive.
prepare_guest()
{
	# From "hold" nothing ever comes, not even an end, on which nc would hang up.
	guest_run -t 120 "$1" "
		mkfifo /tmp/hold
		sysctl -q -w net.core.rmem_max=8388608 net.core.wmem_max=8388608
		dd if=/dev/urandom of=/data bs=1M count=$size_mb 2>/dev/null
		sha256sum </data >/data.sum" &&
		guest_bg "$1" servers 'iperf3 -s -p 5201 & iperf3 -s -p 5202'
}

# --- what the module says ----------------------------------------------------------

# counter PORT NAME
counter() { "$ivmctl" -j port show "$1" | grep -o "\"$2\":[0-9]*" | cut -d: -f2; }

# stats PORT... - all counters of these ports, "PORT.COUNTER VALUE", for later
stats()
{
	local port

	for port; do
		"$ivmctl" -j port show "$port" | grep -o '"[a-z_]*":[0-9]*' |
			tr -d '"' | sed "s/^/$port./; s/:/ /"
	done
}

# grown FILE PORT COUNTER - by how much it grew since "stats ... >FILE"
grown()
{
	local before

	before=$(awk -v k="$2.$3" '$1 == k { print $2 }' "$1")
	echo $(($(counter "$2" "$3") - before))
}

port_state() { "$ivmctl" port show "$1" 2>/dev/null | awk -v p="$1" '$1 == p { print $2 }'; }
port_is() { [ "$(port_state "$1")" = "$2" ]; }
coupling_state() { "$ivmctl" coupling show "$1" | sed -n '1s/.*, //p'; }
coupling_is() { [ "$(coupling_state "$1")" = "$2" ]; }

# pair COUPLING SRC DST - its state and reason
pair()
{
	"$ivmctl" coupling show "$1" | awk -v s="$2" -v d="$3" \
		'$1 == s && $2 == "->" && $3 == d { sub(/:$/, "", $7); print $4, $7 }'
}
# The last one may be a pattern.
# shellcheck disable=SC2053
pair_is() { [[ $(pair "$1" "$2" "$3") == $4 ]]; }

couple()
{
	local long=()

	[ -z "$idle" ] || [ "$2" != dynamic ] || long=(idle "$idle")
	"$ivmctl" coupling add "$@" "${options[@]}" "${long[@]}"
}

uncouple() { "$ivmctl" coupling del "$1"; }

# After a test that failed there may be some left.
uncouple_all()
{
	local name

	for name in $("$ivmctl" coupling show | sed -n 's/^\([^ :]*\): .*/\1/p'); do
		uncouple "$name" || return
	done
}

# joined COUPLING GUEST GUEST - ping until both directions go direct
joined()
{
	local a=${port_of[$2]} b=${port_of[$3]} deadline=$((SECONDS + patience))

	until pair_is "$1" "$a" "$b" 'coupled *' && pair_is "$1" "$b" "$a" 'coupled *'; do
		if [ $SECONDS -ge $deadline ]; then
			say "$a and $b do not join: $(pair "$1" "$a" "$b"), $(pair "$1" "$b" "$a")"
			return 1
		fi
		reaches "$2" "$3" 2 >/dev/null
	done
}

# --- traffic -----------------------------------------------------------------------

# reaches GUEST WHOM [COUNT] - ping
reaches()
{
	local to=${address[$2]:-$2} n=${3:-3} out

	out=$(guest_run "$1" "ping -q -c $n -i 0.1 -W 2 $to") && return
	say "$1 does not reach $2:" "$out"
	return 1
}

# cut_off GUEST WHOM - ping does not get through
cut_off()
{
	local to=${address[$2]:-$2}

	guest_run "$1" "! ping -q -c 2 -i 0.1 -W 1 $to >/dev/null" && return
	say "$1 still reaches $2"
	return 1
}

# send FROM TO [PORT [ADDRESS]] - all of /data by TCP; the sums must agree
send()
{
	send_begin "$@" && send_end "$@"
}

send_begin()
{
	local from=$1 to=$2 port=${3:-7000} to_address=${4:-${address[$2]}}

	guest_bg "$to" "receive$port" "nc -l -p $port <>/tmp/hold | sha256sum" &&
		guest_bg "$from" "send$port" "for i in 1 2 3 4 5 6 7 8 9; do
			nc $to_address $port </data && exit
			sleep 0.5
		done; exit 1"
}

send_end()
{
	local from=$1 to=$2 port=${3:-7000} got sent

	guest_bg_wait -t 150 "$from" "send$port" || { say "sending $from to $to failed"; return 1; }
	got=$(guest_bg_wait -t 30 "$to" "receive$port") || { say "receiving failed"; return 1; }
	sent=$(guest_run "$from" "cat /data.sum")
	[ -n "$sent" ] && [ "$got" = "$sent" ] && return
	say "$from to $to: sent $sent, received $got"
	return 1
}

# tcp FROM TO [ARGS...] - iperf3; prints the receiver's lines
tcp()
{
	local from=$1 to=${address[$2]:-$2} out
	shift 2

	out=$(guest_run -t 90 "$from" "iperf3 --connect-timeout 10000 -c $to -f k $*") || { say "$out"; return 1; }
	grep receiver <<<"$out"
	# All of them received something.
	awk '/receiver/ { n++; if ($0 ~ / 0.00 (bits|Kbits|Bytes)/) bad = 1 } END { exit bad || !n }' <<<"$out" && return
	say "$out"
	return 1
}

# tcp_both_ways A B, udp_both_ways A B - in both directions at once
tcp_both_ways() { tcp "$1" "$2" -t "$tcp_s" --bidir; }

# udp FROM TO ARGS... - as "tcp"; what comes must come in order
udp()
{
	local from=$1 to=${address[$2]:-$2} out
	shift 2

	out=$(guest_run -t 90 "$from" "iperf3 --connect-timeout 10000 -c $to -u -f k -l 1000 $*") || { say "$out"; return 1; }
	grep receiver <<<"$out"
	if grep -q -i 'out-of-order' <<<"$out"; then
		say "not in order:" "$out"
		return 1
	fi
	# "... 1200 Kbits/sec  0.120 ms  0/150 (0%)  receiver": more than half of it
	awk '/receiver/ {
		n++
		for (i = 1; i <= NF; i++)
			if (split($i, part, "/") == 2 && part[2] ~ /^[0-9]+$/ && part[1] * 2 > part[2])
				bad = 1
	} END { exit bad || !n }' <<<"$out" && return
	say "$out"
	return 1
}

udp_both_ways() { udp "$1" "$2" -t 1 -b 5M --bidir; }

# --- the bridge's view ---------------------------------------------------------------

# watch_begin IF FILTER... - count what passes IF, up to 200 frames
watch_begin()
{
	local dev=$1
	shift

	tcpdump -l -n -c 200 -i "$dev" "$@" >"$work/capture" 2>&1 &
	watch_pid=$!
	wait_for "$patience" grep -q listening "$work/capture"
}

watch_end()
{
	# tcpdump looks at what is left before it ends.
	kill -INT "$watch_pid" 2>/dev/null
	wait "$watch_pid" 2>/dev/null
	watched=$(grep -c ' IP ' "$work/capture")
}

# tap_frames PORT - how many frames of its guest the tap's statistics have
tap_frames() { cat "/sys/class/net/$1/statistics/rx_packets"; }
