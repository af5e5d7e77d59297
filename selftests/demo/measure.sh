# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Measuring a path between guests a and b: throughput, round trip, and what it
# costs the host. Sourced by "inside", after guest.sh.
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

host_ticks() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 - $10 - $11 }' /proc/stat; }
guest_exits() { cat /sys/kernel/debug/kvm/exits; }

# median "NUMBER..." - of all the numbers; "-" if there are none
median()
{
	tr ' ' '\n' <<<"$1" | grep . | sort -n | awk '
		{ v[NR] = $1 }
		END {
			if (!NR)
				print "-"
			else
				printf "%.4g\n", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
		}'
}

# round_trip PATH ADDRESS - of each of some pings; sets $rtt
round_trip()
{
	local out times

	# The first ones do not count: they find the path.
	out=$(guest_run a "ping -q -c 3 -i 0.1 $2 >/dev/null; ping -c 20 -i 0.1 $2") &&
		times=$(grep -o 'time=[0-9.]*' <<<"$out" | cut -d= -f2 | tr '\n' ' ')
	if [ -z "$times" ]; then
		printf '%s\n' "$out"
		return 1
	fi
	samples[$1.rtt]+=" $times"
	rtt=$(median "$times")
}

# traffic PATH ADDRESS - one TCP stream from a to b; sets $mbits, $cpu, $exits
traffic()
{
	local ticks out row

	exits=$(guest_exits)
	ticks=$(host_ticks)
	out=$(guest_run -t 60 a "iperf3 --connect-timeout 10000 -c $2 -t $seconds -i 0 -f k")
	ticks=$(($(host_ticks) - ticks))
	exits=$(($(guest_exits) - exits))
	# [  5]   0.00-4.03   sec  64.0 MBytes  133000 Kbits/sec      receiver
	row=$(awk -v hz="$hz" -v ticks="$ticks" -v exits="$exits" '
		/receiver/ && $7 > 0 {
			split($3, t, "-")
			mb = $7 / 8000 * (t[2] - t[1])
			printf "%.0f %.2f %.0f\n", $7 / 1000, ticks * 1000 / hz / mb, exits / mb
		}' <<<"$out")
	if [ -z "$row" ]; then
		printf '%s\n' "$out"
		return 1
	fi
	read -r mbits cpu exits <<<"$row"
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
