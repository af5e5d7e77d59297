# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Which accelerator can QEMU really use here? A /dev/kvm node proves nothing:
# it exists on machines that cannot run a guest, and there QEMU hangs or dies
# late. So boot something.
#
# Sourced after common.sh.

# accel_probe KERNEL - does a kernel come up under KVM within ten seconds?
# Its "init" is a static busybox that says hello and powers off.
accel_probe()
{
	local tmp ok=1

	tmp=$(mktemp -d) || return 1
	mkdir -p "$tmp/root/bin"
	cp "$(command -v busybox)" "$tmp/root/bin/busybox"
	cat >"$tmp/root/init" <<-'INIT'
		#!/bin/busybox sh
		echo "ivshm accel probe: up"
		/bin/busybox poweroff -f
	INIT
	chmod +x "$tmp/root/init"
	(cd "$tmp/root" && find . | cpio -o -H newc --quiet) >"$tmp/initrd"
	timeout -k 2 10 qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
		-accel kvm -cpu host -m 256 -kernel "$1" -initrd "$tmp/initrd" \
		-append "console=ttyS0 quiet panic=-1" -serial "file:$tmp/console" </dev/null >/dev/null 2>&1
	grep -q "ivshm accel probe: up" "$tmp/console" 2>/dev/null && ok=0
	rm -rf "$tmp"
	return "$ok"
}

# accel_find KERNEL - print kvm or tcg, and on stderr why it is tcg
accel_find()
{
	local flag vendor

	flag=$(grep -m1 -o -w -E 'svm|vmx' /proc/cpuinfo)
	case $flag in
	svm) vendor=amd ;;
	vmx) vendor=intel ;;
	*)
		say "no svm or vmx in /proc/cpuinfo: emulating (slow)"
		echo tcg
		return
		;;
	esac
	if ! { [ -r /dev/kvm ] && [ -w /dev/kvm ]; }; then
		say "no access to /dev/kvm: emulating (slow)"
		echo tcg
	elif ! grep -q '[1Y]' "/sys/module/kvm_$vendor/parameters/nested" 2>/dev/null; then
		# The test machine runs KVM guests of its own.
		say "kvm_$vendor does not nest here: emulating (slow)"
		echo tcg
	elif ! accel_probe "$1"; then
		say "/dev/kvm is there but no kernel boots with it: emulating (slow)"
		echo tcg
	else
		echo kvm
	fi
}

# accel KERNEL - the same, asked once per boot of this machine.
# IVSHM_VM_ACCEL=kvm|tcg overrides.
accel()
{
	local memo

	if [ -n "${IVSHM_VM_ACCEL:-}" ]; then
		echo "$IVSHM_VM_ACCEL"
		return
	fi
	memo=$IVSHM_CACHE/accel.$(cat /proc/sys/kernel/random/boot_id)
	if [ ! -s "$memo" ]; then
		rm -f "$IVSHM_CACHE"/accel.*
		accel_find "$1" >"$memo.$$"
		mv "$memo.$$" "$memo"
	fi
	cat "$memo"
}
