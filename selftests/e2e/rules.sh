# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154 # variables of lib.sh
# shellcheck disable=SC2015 # "A && B || C": C is for either of them to fail
#
# What the bridge would stop, a dynamic coupling does not let through. For each
# rule: the pair goes back to the uplink and says why, the rule has its effect,
# and when it is gone the pair is joined again.

# rule REASON cut|pass DO UNDO - vnet0 -> vnet1, while guest a pings b
rule()
{
	local reason=$1 effect=$2 apply=$3 undo=$4 rc=0

	joined lan0 a b || return
	if ! eval "$apply"; then
		eval "$undo"
		return 1
	fi
	wait_for "$patience" pair_is lan0 vnet0 vnet1 "uplink $reason" ||
		{ pair lan0 vnet0 vnet1; rc=1; }
	case $effect in
	cut) cut_off a b || rc=1 ;;
	pass) reaches a b || rc=1 ;;
	esac
	eval "$undo" || rc=1
	joined lan0 a b || rc=1
	grep -q "\"src\":\"vnet0\",\"dst\":\"vnet1\".*\"reason\":\"$reason\"" "$events" ||
		{ say "no event tells $reason"; rc=1; }
	return $rc
}

# Above what the receiver takes: no reason to part the pair, but these frames do
# not go direct; the bridge drops them.
mtu_is_kept()
{
	local rc=0

	joined lan0 a b && ip link set vnet1 mtu 1000 || return
	stats vnet0 >"$work/before"
	guest_run a "! ping -q -c 3 -i 0.2 -W 1 -s 1300 ${address[b]} >/dev/null" ||
		{ say "frames above the MTU arrive"; rc=1; }
	[[ $(pair lan0 vnet0 vnet1) == *" mtu" ]] || { pair lan0 vnet0 vnet1; rc=1; }
	[ "$(grown "$work/before" vnet0 tx_uplink_frames)" -ge 3 ] || rc=1
	reaches a b || rc=1
	ip link set vnet1 mtu 1500 || rc=1
	return $rc
}

# "bypass yes" is the administrator's word that the bridge is not to be asked.
bypass_is_kept()
{
	local rc=0

	uncouple lan0 && couple lan0 dynamic vnet0 vnet1 bypass yes || return
	bridge link set dev vnet0 isolated on && bridge link set dev vnet1 isolated on || return
	reaches a b && pair_is lan0 vnet0 vnet1 'coupled *' || { pair lan0 vnet0 vnet1; rc=1; }
	bridge link set dev vnet0 isolated off
	bridge link set dev vnet1 isolated off
	uncouple lan0 && couple lan0 dynamic vnet0 vnet1 vnet2 || rc=1
	return $rc
}

# The address moves to another port of the bridge: frames follow it at once.
address_moves()
{
	local mac rc=0

	joined lan0 a b || return
	mac=$(guest_run b 'cat /sys/class/net/eth0/address')
	bridge fdb replace "$mac" dev far0 master static sticky || return
	wait_for "$patience" pair_is lan0 vnet0 vnet1 'uplink fdb' || { pair lan0 vnet0 vnet1; rc=1; }
	cut_off a b || rc=1
	bridge fdb del "$mac" dev far0 master || rc=1
	# The bridge learns from what b sends.
	reaches b host || rc=1
	joined lan0 a b || rc=1
	return $rc
}

rules_end()
{
	guest_run a 'rm -f /tmp/talk; killall ping' >/dev/null
	uncouple lan0
}

test_rules()
{
	local nft_drop="nft -f - <<<'table bridge e2e { chain c { type filter hook forward priority 0; policy drop; }; }'"

	uncouple_all && couple lan0 dynamic vnet0 vnet1 vnet2
	guest_bg a talk "touch /tmp/talk; while [ -e /tmp/talk ]; do ping -q -c 1000 -i 0.2 ${address[b]}; done"

	ktap_test "a filter of the bridge: filter" rule filter cut "$nft_drop" 'nft delete table bridge e2e'
	ktap_test "no bridge: no-upper" rule no-upper cut \
		'ip link set vnet0 nomaster' 'ip link set vnet0 master br0'
	ktap_test "an address at another port: fdb" address_moves
	[ "$full" = 1 ] || { rules_end; return; }
	ktap_test "two bridges: other-upper" rule other-upper cut \
		'net_bridge br1 && ip link set vnet1 master br1' 'ip link set vnet1 master br0; ip link del br1'
	ktap_test "both ports isolated: isolated" rule isolated cut \
		'bridge link set dev vnet0 isolated on && bridge link set dev vnet1 isolated on' \
		'bridge link set dev vnet0 isolated off; bridge link set dev vnet1 isolated off'
	# Without spanning tree, the one state that lasts.
	ktap_test "a port is disabled: stp" rule stp cut \
		'bridge link set dev vnet1 state 0' 'bridge link set dev vnet1 state 3'
	ktap_test "a locked port: locked" rule locked any \
		'bridge link set dev vnet0 learning off locked on' \
		'bridge link set dev vnet0 learning on locked off'
	ktap_test "tc drops at a port: filter" rule filter cut \
		'tc qdisc add dev vnet0 clsact && tc filter add dev vnet0 ingress matchall action drop' \
		'tc qdisc del dev vnet0 clsact'
	ktap_test "tc limits the rate of a port: filter" rule filter pass \
		'tc qdisc add dev vnet1 root tbf rate 10mbit burst 20k latency 50ms' 'tc qdisc del dev vnet1 root'
	ktap_test "VLAN filtering: vlan" rule vlan pass \
		'ip link set br0 type bridge vlan_filtering 1' 'ip link set br0 type bridge vlan_filtering 0'
	ktap_test "a port is down: down" rule down cut 'ip link set vnet1 down' 'ip link set vnet1 up'
	ktap_test "the bridge is down: down" rule down cut 'ip link set br0 down' 'ip link set br0 up'
	ktap_test "frames above the receiver's MTU: mtu" mtu_is_kept
	ktap_test "bypass: the bridge's rules are not asked" bypass_is_kept
	rules_end
}
