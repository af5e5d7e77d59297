# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154 # variables of lib.sh
# shellcheck disable=SC2015 # "A && B || C": C is for either of them to fail
#
# The life of guest c: it is stopped, suspended, inflated, saved, rebooted, gets
# another card, and its tap is taken away. Nobody says a word to the coupling: it
# was declared once, and engages again each time.

# The same for "guest_start" and "guest_restore". A card can be plugged into
# "hotslot", with descriptor 45 for its device.
c_options=(--tap vnet2 --ip "${address[c]}/24" --vhost /dev/ivshm-net --open "45=/dev/ivshm-net"
	--extra "-action reboot=reset -device pcie-root-port,id=hotslot,chassis=1 -device virtio-balloon-pci")

# event_told PORT STATE - since the last look
events_seen=0
events_look() { events_seen=$(wc -l <"$events"); }
event_told()
{
	tail -n "+$((events_seen + 1))" "$events" |
		grep -q "\"event\":\"port\".*\"port\":\"$1\".*\"new\":\"$2\""
}

# back - guest c's port runs again, and what it says to guest a goes direct
back()
{
	wait_for "$patience" port_is vnet2 running && joined lan0 a c && reaches c host &&
		wait_for "$patience" event_told vnet2 running
}

# away - guest c's port has stopped, and guest a has lost nothing else
away()
{
	wait_for "$patience" port_is vnet2 stopped && wait_for "$patience" event_told vnet2 stopped &&
		pair_is lan0 vnet0 vnet2 'uplink *' && reaches a host 1
}

restarted()
{
	events_look
	guest_stop c && away || return
	events_look
	guest_start c "${c_options[@]}" && guest_wait c && prepare_guest c && back
}

stopped_and_continued()
{
	joined lan0 a c || return
	events_look
	guest_hmp c stop && away || return
	events_look
	guest_hmp c cont && back && send a c
}

# As far as devices are concerned: their drivers stop and start them.
suspended()
{
	joined lan0 a c || return
	events_look
	guest_bg c suspend 'echo 1 >/sys/module/suspend/parameters/pm_test_delay
		echo devices >/sys/power/pm_test && echo mem >/sys/power/state' &&
		wait_for "$patience" event_told vnet2 stopped && guest_bg_wait c suspend && back
}

balloon_is() { guest_hmp c "info balloon" | grep -q "actual=$1\\b"; }

# In and out, while the guest is sent to.
ballooned()
{
	local rc=0

	joined lan0 a c && send_begin a c || return
	guest_hmp c "balloon 144" && wait_for $((4 * patience)) balloon_is 144 || rc=1
	guest_hmp c "balloon 192" && wait_for $((4 * patience)) balloon_is 192 || rc=1
	send_end a c || rc=1
	return $rc
}

card_is_there() { guest_run c "[ -e /sys/class/net/eth1 ]"; }
card_joined()
{
	guest_run c "ping -q -c 2 -i 0.1 -W 2 203.0.113.1 >/dev/null" &&
		pair_is lan0 vnet3 vnet0 'coupled *' && pair_is lan0 vnet0 vnet3 'coupled *'
}

plugged()
{
	local what rc=0

	events_look
	net_tap vnet3 br0 || return
	guest_hmp c "netdev_add tap,id=hot0,ifname=vnet3,script=no,downscript=no,vhost=on,vhostfd=45" &&
		guest_hmp c "device_add virtio-net-pci,netdev=hot0,id=hot,bus=hotslot,mac=52:54:00:0c:0c:0c,romfile=" || rc=1
	wait_for "$patience" card_is_there && guest_run a "ip addr add 203.0.113.1/24 dev eth0" &&
		guest_run c "ip link set eth1 up && ip addr add 203.0.113.3/24 dev eth1" || rc=1
	wait_for "$patience" card_joined || { pair lan0 vnet3 vnet0; rc=1; }
	guest_hmp c "device_del hot" || rc=1
	wait_for "$patience" port_is vnet3 stopped || rc=1
	! card_is_there || { say "the card is still there"; rc=1; }
	guest_hmp c "netdev_del hot0" || rc=1
	net_del vnet3
	for what in running stopped gone; do
		wait_for "$patience" event_told vnet3 $what || rc=1
	done
	guest_run a "ip addr del 203.0.113.1/24 dev eth0"
	reaches a c || rc=1
	return $rc
}

moved_to_another_namespace()
{
	local rc=0

	joined lan0 a c || return
	events_look
	ip link set vnet2 netns far || return
	! port_is vnet2 running && wait_for "$patience" event_told vnet2 gone || { say "the port is still there"; rc=1; }
	cut_off a c || rc=1
	events_look
	ip -n far link set vnet2 netns 1 && ip link set vnet2 master br0 up && back || rc=1
	return $rc
}

saved_and_restored()
{
	local file="$work/c.saved"

	joined lan0 a c && guest_run c "echo here >/tmp/mark" || return
	events_look
	guest_save c "$file" && away || return
	events_look
	say "saved in $(du -m "$file" | cut -f1) MiB"
	guest_restore c "$file" "${c_options[@]}" || return
	rm -f "$file"
	guest_run c "grep -q here /tmp/mark" && back && send a c
}

rebooted()
{
	joined lan0 a c || return
	events_look
	rm -f "$guest_dir/c/ready"
	guest_hmp c system_reset && wait_for "$patience" event_told vnet2 stopped && guest_wait c &&
		guest_run c "[ ! -e /tmp/mark ]" && back
}

# The tap goes under the guest; another of its name comes, with another QEMU.
tap_deleted()
{
	local rc=0

	joined lan0 a c || return
	events_look
	ip link del vnet2 || return
	wait_for "$patience" event_told vnet2 gone || rc=1
	reaches a host && cut_off a c || rc=1
	guest_stop c || rc=1
	events_look
	net_tap vnet2 br0 && start_guest c && guest_wait c && prepare_guest c && back || rc=1
	return $rc
}

test_life()
{
	uncouple_all && couple lan0 dynamic vnet0 vnet1 vnet2 vnet3
	ktap_test "QEMU ends, and another comes with the same tap: engages again" restarted
	ktap_test "stop and cont: engages again" stopped_and_continued
	ktap_test "a guest suspends and resumes its devices: engages again" suspended
	ktap_test "a balloon is inflated and deflated under traffic: data intact" ballooned
	ktap_test "a card is plugged in and unplugged: engages, and parts" plugged
	ktap_test "a tap is moved to another namespace and back: engages again" moved_to_another_namespace
	ktap_test "a guest is saved, and restored by another QEMU: engages again" saved_and_restored
	ktap_test "a guest is reset: engages again" rebooted
	ktap_test "a tap is deleted, and made anew: engages again" tap_deleted
	uncouple lan0
}
