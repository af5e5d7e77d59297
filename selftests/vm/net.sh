# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Network of the test machine, for scripts that start guests.
#
#   net_bridge BR [CIDR]          a bridge, up, without spanning tree
#   net_tap TAP [BR] [OPTION]...  a tap with a vnet header, up, in the bridge;
#                                 "multi_queue" for guests with several queues
#   net_macvtap NAME LOWER        a macvtap in bridge mode
#   net_del IF...

net_bridge()
{
	modprobe -q bridge
	ip link add "$1" type bridge stp_state 0 forward_delay 0 mcast_snooping 0 || return 1
	# No address of the host's own unless asked for, and no chatter.
	sysctl -q "net.ipv6.conf.$1.disable_ipv6=1"
	[ -z "${2:-}" ] || ip addr add "$2" dev "$1" || return 1
	ip link set "$1" up
}

net_tap()
{
	local tap=$1 br=${2:-}
	shift
	[ $# -eq 0 ] || shift

	modprobe -q tun
	ip tuntap add "$tap" mode tap vnet_hdr "$@" || return 1
	sysctl -q "net.ipv6.conf.$tap.disable_ipv6=1"
	[ -z "$br" ] || ip link set "$tap" master "$br" || return 1
	ip link set "$tap" up
}

net_macvtap()
{
	modprobe -q macvtap
	ip link add link "$2" name "$1" type macvtap mode bridge || return 1
	ip link set "$1" up
}

net_del()
{
	local link

	for link; do
		ip link del "$link"
	done
}
