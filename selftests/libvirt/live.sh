#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The first domain of Documentation/libvirt.rst, started by a real libvirtd in the
# test machine, with the files that "make install-host" brings:
#
#   libvirtd, as its package has it ── virsh start ──▶ QEMU ── vm-a (port) ── br0
#     AppArmor: a profile for each guest                192.0.2.1           192.0.2.254
#     cgroups: devices of cgroup_device_acl only

# shellcheck source=../vm/guest.sh
. "$IVSHM_TOP/selftests/vm/guest.sh"
# shellcheck source=../vm/net.sh
. "$IVSHM_TOP/selftests/vm/net.sh"
# shellcheck source=../lib/module.sh
. "$IVSHM_TOP/selftests/lib/module.sh"
# shellcheck source=../lib/ktap.sh
. "$IVSHM_TOP/selftests/lib/ktap.sh"

here=$IVSHM_TOP/selftests/libvirt
ivmctl=$IVSHM_TOP/tools/ivmctl/ivmctl
work=/run/libvirt-test
images=/var/lib/libvirt/images
qemu_log=/var/log/libvirt/qemu/guest-a.log
profiles=/sys/kernel/security/apparmor/profiles
patience=$(guest_patience)
mkdir -p "$work/xml"

for command in libvirtd virtlogd virsh apparmor_parser udevadm; do
	if ! command -v "$command" >/dev/null; then
		echo "1..0 # SKIP no $command; make deps installs it"
		exit "$KSFT_SKIP"
	fi
done

# wait_for SECONDS COMMAND... - until it succeeds
wait_for()
{
	local end=$((SECONDS + $1))
	shift

	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "waited in vain for: $*"
			return 1
		fi
		sleep 0.3
	done
}

v() { timeout 120 virsh -q -c qemu:///system "$@"; }

udev_rule()
{
	module_load && make -s -C "$IVSHM_TOP" install-host || return 1
	# What the machine made of the file's name alone is not the rule's doing.
	chmod 0600 /dev/ivshm-net && chown root:root /dev/ivshm-net
	/lib/systemd/systemd-udevd --daemon || return 1
	udevadm trigger --action=add --settle /sys/class/misc/ivshm-net
	stat -c '%a %U:%G' /dev/ivshm-net
	[ "$(stat -c '%a %U:%G' /dev/ivshm-net)" = '660 root:kvm' ]
}

apparmor_enforces()
{
	[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] ||
		{ echo "this kernel has no AppArmor"; return "$KSFT_SKIP"; }
	mountpoint -q /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security || return 1
	apparmor_parser --replace --skip-cache /etc/apparmor.d/usr.sbin.libvirtd \
		/etc/apparmor.d/usr.lib.libvirt.virt-aa-helper &&
		grep -q '^libvirtd (enforce)' "$profiles"
}

libvirtd_starts()
{
	guest_kvm || { echo "no KVM in the test machine"; return "$KSFT_SKIP"; }
	virtlogd --daemon && libvirtd --daemon || return 1
	wait_for 60 v uri || return 1
	v version
	if grep -q '^libvirtd' "$profiles" 2>/dev/null; then
		v capabilities | grep -q '<model>apparmor</model>'
	fi
}

# The document's own, with a kernel to boot, and less memory. Emulated machines are
# to keep guests off their first processor, see guest.sh.
domain()
{
	local cpus=''

	[ "$IVSHM_VM_ACCEL" = kvm ] || [ "$(nproc)" = 1 ] || cpus=" cpuset='1-$(($(nproc) - 1))'"
	"$here/xml-blocks" -v DIR="$work/xml" "$IVSHM_TOP/Documentation/libvirt.rst" >/dev/null &&
		cp "$IVSHM_GUEST_KERNEL" "$images/kernel" && cp "$IVSHM_GUEST_INITRD" "$images/initrd" || return 1
	sed -e "s|<memory.*|<memory unit='MiB'>192</memory>|" -e "s|<vcpu>|<vcpu$cpus>|" \
		-e "s|</type>|&<kernel>$images/kernel</kernel><initrd>$images/initrd</initrd><cmdline>quiet panic=-1 mitigations=off nokaslr no5lvl net.ifnames=0 cryptomgr.notests pci=noearly,lastbus=0 guest.nic=eth0,192.0.2.1/24,</cmdline>|" \
		"$work/xml/01.xml" >"$work/guest-a.xml"
	net_bridge br0 192.0.2.254/24 && v define "$work/guest-a.xml" --validate
}

qemu_pid() { cat /run/libvirt/qemu/guest-a.pid; }
devices() { find "/proc/$(qemu_pid)/fd" -lname "$1" | wc -l; }

refusal() { sed 's/^/libvirt: /' "$work/err"; tail -n 2 "$qemu_log"; }

# plug NAME - an interface of its own
plug()
{
	cat >"$work/nic.xml" <<-END
		<interface type='bridge'><source bridge='br0'/><target dev='$1'/><model type='virtio'/>
		<driver name='vhost'/><backend vhost='/dev/ivshm-net'/></interface>
	END
	v attach-device guest-a "$work/nic.xml" --live 2>"$work/err"
}

starts()
{
	v start guest-a 2>"$work/err" || { refusal; return 1; }
	grep -o -E -e "-netdev '[^']*'" "$qemu_log" | tail -n 1
	grep -e '-netdev' "$qemu_log" | tail -n 1 | grep -q -E '"vhost":true,"vhostfd":"[0-9]+"' &&
		[ "$(devices /dev/ivshm-net)" = 1 ] && [ "$(devices /dev/vhost-net)" = 0 ]
}

confined()
{
	[ -e "$profiles" ] || return "$KSFT_SKIP"
	cat "/proc/$(qemu_pid)/attr/apparmor/current"
	# libvirtd, too: what it opened is what QEMU's profile may be asked about.
	grep -q '^libvirtd (enforce)' "/proc/$(pidof libvirtd)/attr/apparmor/current" || return 1
	grep -q '^libvirt-.*(enforce)' "/proc/$(qemu_pid)/attr/apparmor/current"
}

port_runs() { "$ivmctl" port show vm-a 2>/dev/null | grep -q running; }
answers() { ping -c 1 -W 2 192.0.2.1 >/dev/null; }

is_a_port()
{
	wait_for "$patience" port_runs && wait_for 60 answers && return
	refusal
	return 1
}

# Not in that of a vCPU, which may be pinned; libvirt's emulatorpin is for it.
worker_is_with_emulator()
{
	grep . "/proc/$(pgrep -x ivshm-vm-a)/cgroup"
	diff "/proc/$(pgrep -x ivshm-vm-a)/cgroup" "/proc/$(qemu_pid)/cgroup"
}

# The guest's cgroup has no right to open the device, and needs none.
cgroup_is_closed()
{
	local cgroup

	cgroup=/sys/fs/cgroup$(sed 's/^0:://' "/proc/$(qemu_pid)/cgroup")
	echo "$cgroup"
	[ "$cgroup" != /sys/fs/cgroup/ ] || return 1
	bash -c "echo \$\$ >'$cgroup/cgroup.procs' || exit 2
		: <>/dev/kvm || exit 3
		! : <>/dev/ivshm-net"
}

# reload - the profile of the running guest, from what it includes now
reload()
{
	local profile

	profile=$(cut -d ' ' -f 1 "/proc/$(qemu_pid)/attr/apparmor/current")
	apparmor_parser --replace --skip-cache "/etc/apparmor.d/libvirt/$profile"
}

refused_without_rule()
{
	local rc=0

	[ -e "$profiles" ] || return "$KSFT_SKIP"
	mv /etc/apparmor.d/abstractions/libvirt-qemu.d/ivshm "$work/rule"
	{ reload && ! plug vm-b; } || rc=1
	mv "$work/rule" /etc/apparmor.d/abstractions/libvirt-qemu.d/ivshm
	reload || rc=1
	refusal
	dmesg | grep -E 'apparmor="DENIED".*"/dev/ivshm-net"' || rc=1
	return "$rc"
}

plugged()
{
	# The name of what was refused is not free again.
	plug vm-c || { refusal; return 1; }
	[ "$(devices /dev/ivshm-net)" = 2 ]
}

stops()
{
	v destroy guest-a && wait_for 10 no_ports
}
no_ports() { ! "$ivmctl" port show | grep -q running; }

# <driver name='vhost'/> makes it an error that the device is not there.
missing_is_told()
{
	wait_for 10 module_unload || return 1
	! v start guest-a 2>"$work/err" || return 1
	refusal
	grep -q 'vhost-net was requested' "$work/err"
}

ktap_test "udev: /dev/ivshm-net is 0660 root:kvm" udev_rule || ktap_done
ktap_test "AppArmor enforces libvirt's profiles" apparmor_enforces
ktap_test "libvirtd starts" libvirtd_starts || ktap_done
ktap_test "the domain of the document is defined" domain || ktap_done
ktap_test "it starts, and QEMU has /dev/ivshm-net" starts || ktap_done
ktap_test "AppArmor: the guest is confined" confined
ktap_test "the port runs, and the guest answers" is_a_port
ktap_test "cgroup: the worker is with QEMU's main thread" worker_is_with_emulator
ktap_test "cgroup: the guest could not open the device itself" cgroup_is_closed
ktap_test "AppArmor: without our rule nothing is plugged in" refused_without_rule
ktap_test "an interface is plugged into the running guest" plugged
ktap_test "the guest stops" stops
ktap_test "no device: told, not worked around" missing_is_told
ktap_done
