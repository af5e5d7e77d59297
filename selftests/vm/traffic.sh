# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2034 # variables for those who source it
#
# Traffic between guests, and what the host did meanwhile, for the demonstration
# and the benchmark. Sourced after guest.sh. What fails prints why.
#
#   traffic_tcp FROM ADDRESS SECONDS      a TCP stream to ADDRESS, where iperf3
#                                         listens; sets $mbits and $mb (10^6
#                                         bytes), as received
#   traffic_ping FROM ADDRESS COUNT GAP   sets $times, a number in ms for each
#   traffic_pktgen FROM CARD MAC ADDRESS SIZE SECONDS
#                                         datagrams of one frame each, as fast as
#                                         the guest's pktgen can; sets $sent and
#                                         $sent_us, the time that it took
#   host_ticks        ticks in which processors of the host were not idle, without
#                     those in which they ran code of guests
#   guest_exits       exits of all guests so far
#   percentile P "NUMBER..."              "-" if there are none
#   median "NUMBER..."

# user + nice + system + irq + softirq - guest - guest_nice
host_ticks() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 - $10 - $11 }' /proc/stat; }
guest_exits() { cat /sys/kernel/debug/kvm/exits; }

percentile()
{
	tr ' ' '\n' <<<"$2" | grep . | sort -n | awk -v p="$1" '
		{ v[NR] = $1 }
		END {
			at = p * NR / 100
			if (!NR)
				print "-"
			else if (at == int(at) && at < NR)
				printf "%.4g\n", (v[at] + v[at + 1]) / 2
			else
				printf "%.4g\n", v[at == int(at) ? at : int(at) + 1]
		}'
}

median() { percentile 50 "$1"; }

traffic_tcp()
{
	local out row

	out=$(guest_run -t 60 "$1" "iperf3 --connect-timeout 10000 -c $2 -t $3 -i 0 -f k")
	# [  5]   0.00-4.03   sec  64.0 MBytes  133000 Kbits/sec      receiver
	row=$(awk '/receiver/ && $7 > 0 {
			split($3, t, "-")
			printf "%.1f %.3f\n", $7 / 1000, $7 / 8000 * (t[2] - t[1])
		}' <<<"$out")
	if [ -z "$row" ]; then
		printf '%s\n' "$out"
		return 1
	fi
	read -r mbits mb <<<"$row"
}

traffic_ping()
{
	local out

	times=''
	out=$(guest_run "$1" "ping -c $3 -i $4 $2") &&
		times=$(grep -o 'time=[0-9.]*' <<<"$out" | cut -d= -f2 | tr '\n' ' ')
	[ -n "$times" ] && return
	printf '%s\n' "$out"
	return 1
}

traffic_pktgen()
{
	local out row

	# "start" returns when all is sent, which is never, or when somebody stops it.
	out=$(guest_run "$1" "
		cd /proc/net/pktgen && echo rem_device_all >kpktgend_0 && echo add_device $2 >kpktgend_0 || exit
		for set in 'count 0' 'clone_skb 0' 'delay 0' 'pkt_size $5' 'dst_mac $3' 'dst $4'; do
			echo \$set >$2 || exit
		done
		{ sleep $6; echo stop >pgctrl; } &
		echo start >pgctrl
		grep -A 1 Result: $2")
	# Result: OK: 3000123(c2990000+d10123) usec, 12345 (64byte,0frags)
	row=$(sed -n 's/^Result: OK: \([0-9]*\)(.*) usec, \([0-9]*\) (.*/\2 \1/p' <<<"$out")
	case $row in
	'' | 0\ *)
		printf '%s\n' "$out"
		return 1
		;;
	esac
	read -r sent sent_us <<<"$row"
}
