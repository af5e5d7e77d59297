# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Measuring a path between guests a and b: throughput, round trip, and what it
# costs the host. Sourced by "inside", after guest.sh and traffic.sh.
#
#   measure PATH ADDRESS   one round; PATH is vhost, uplink or direct, ADDRESS
#                          is that of guest b; prints a row
#   measure_report         medians of all rounds, and a verdict
#
# Host CPU time: all the time in which the processors of the host were busy,
# without that in which they ran code of guests ("user + nice + system + irq +
# softirq - guest" of /proc/stat), from the start of iperf3 to its end, divided
# by the bytes that it transferred. So it has in it worker threads, bridge,
# interrupts, the exits of KVM and what QEMU does.

declare -A samples=()
hz=$(getconf CLK_TCK)
seconds=4

# round_trip PATH ADDRESS - of each of some pings; sets $rtt
round_trip()
{
	# The first ones do not count: they find the path.
	guest_run a "ping -q -c 3 -i 0.1 $2 >/dev/null"
	traffic_ping a "$2" 20 0.1 || return
	# shellcheck disable=SC2154 # set by it
	samples[$1.rtt]+=" $times"
	rtt=$(median "$times")
}

# traffic PATH ADDRESS - one TCP stream from a to b; sets $mbits, $cpu, $exits
traffic()
{
	local ticks mb

	exits=$(guest_exits)
	ticks=$(host_ticks)
	traffic_tcp a "$2" $seconds || return
	ticks=$(($(host_ticks) - ticks))
	exits=$(($(guest_exits) - exits))
	read -r mbits cpu exits <<<"$(awk -v hz="$hz" -v ticks="$ticks" -v exits="$exits" \
		-v mbits="$mbits" -v mb="$mb" 'BEGIN {
			printf "%.0f %.2f %.0f\n", mbits, ticks * 1000 / hz / mb, exits / mb
		}')"
	samples[$1.mbits]+=" $mbits"
	samples[$1.cpu]+=" $cpu"
	samples[$1.exits]+=" $exits"
}

measure_row() { printf '%-29s %10s %9s %15s %9s\n' "$@"; }
measure_header() { measure_row "path" "TCP Mbit/s" "ping ms" "host ms per MB" "exits/MB"; }

path_name()
{
	case $1 in
	vhost) echo "vhost-net + bridge" ;;
	uplink) echo "ivshm uplink (not coupled)" ;;
	direct) echo "ivshm coupled" ;;
	esac
}

measure()
{
	local mbits=- cpu=- rtt=- exits=- rc=0

	round_trip "$1" "$2" && traffic "$1" "$2" || rc=1
	printf '      '
	measure_row "$(path_name "$1")" "$mbits" "$rtt" "$cpu" "$exits"
	return $rc
}

# verdict WHAT A B - the coupled path is better when A / B is above 1
verdict()
{
	local what=$1 text

	text=$(awk -v a="$2" -v b="$3" 'BEGIN {
		if (!(a + 0) || !(b + 0))
			print "no figures"
		else if (a / b > 1)
			printf "better by a factor of %.2f\n", a / b
		else
			printf "not better: factor %.2f\n", a / b
	}')
	printf '  %-22s %s\n' "$what" "$text"
	[[ $text == better* ]] || behind+=("$what")
}

measure_report()
{
	local path what
	local -A m=()
	local -a behind=()

	measure_header
	for path in vhost uplink direct; do
		for what in mbits rtt cpu exits; do
			m[$path.$what]=$(median "${samples[$path.$what]:-}")
		done
		measure_row "$(path_name $path)" "${m[$path.mbits]}" "${m[$path.rtt]}" \
			"${m[$path.cpu]}" "${m[$path.exits]}"
	done

	printf '\nCoupled against vhost-net + bridge, in this run:\n'
	verdict "throughput" "${m[direct.mbits]}" "${m[vhost.mbits]}"
	verdict "round trip" "${m[vhost.rtt]}" "${m[direct.rtt]}"
	verdict "host CPU time per MB" "${m[vhost.cpu]}" "${m[direct.cpu]}"
	if [ ${#behind[@]} -gt 0 ]; then
		printf 'So the coupled path was NOT ahead in everything.\n'
	fi
	cat <<-NOTE

	Host ms per MB: milliseconds for which processors of the host were busy with
	anything but guest code (/proc/stat: user+nice+system+irq+softirq-guest),
	while iperf3 ran, per 10^6 bytes it transferred. Exits: of KVM, same window.
	NOTE
}
