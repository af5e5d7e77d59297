# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154,SC2034 # variables of lib.sh, and for it
#
# Guest d is behind a vIOMMU, an emulated VT-d: its card gets IOVAs, and QEMU answers
# the device IOTLB's misses. Guest a, without one, and guest d exchange data.

# Each frame costs several messages, and QEMU a turn for each: less data than elsewhere.
iommu_kb=512

# With no arguments all of the data again.
iommu_data()
{
	guest_run a "[ -e /data.all ] || { mv /data /data.all; mv /data.sum /data.all.sum; }
		if [ -n '$1' ]; then
			dd if=/data.all of=/data bs=1k count=$1 2>/dev/null && sha256sum </data >/data.sum
		else
			mv /data.all /data && mv /data.all.sum /data.sum
		fi"
}

# What the guest's kernel does with the card's addresses: "DMA" flushes each mapping
# that goes at once, "DMA-FQ" all of them now and then.
iommu_type()
{
	guest_run d 'cat /sys/class/net/eth0/device/../iommu_group/type'
}

behind_iommu()
{
	local type features size_mb=1

	net_tap vnet3 br0 &&
		guest_start d --iommu intel --tap vnet3 --ip "${address[d]}/24" \
			--vhost /dev/ivshm-net --append iommu.strict=1 &&
		guest_wait d && prepare_guest d || return
	iommu_data "$iommu_kb" || return
	type=$(iommu_type)
	features=$("$ivmctl" -j port show vnet3 | sed -n 's/.*"features":"\(0x[0-9a-f]*\)".*/\1/p')
	say "the card's addresses: $type; features $features"
	[ "$type" = DMA ] && [ $((features >> 33 & 1)) = 1 ] && port_is vnet3 running
}

iommu_uplink()
{
	reaches d host && reaches d far && reaches a d && send d a
}

# All of it both ways, and direct.
iommu_direct()
{
	local port rc=0

	joined lan0 a d || return
	stats vnet0 vnet3 >"$work/before"
	send a d && send d a || return
	for port in vnet0 vnet3; do
		say "$port: $(grown "$work/before" "$port" tx_direct_bytes) bytes direct," \
			"$(grown "$work/before" "$port" tx_uplink_bytes) by the uplink"
		[ "$(grown "$work/before" "$port" tx_direct_bytes)" -ge $((iommu_kb << 10)) ] || rc=1
		[ "$(grown "$work/before" "$port" tx_uplink_bytes)" -lt 100000 ] || rc=1
	done
	return $rc
}

iommu_lazy()
{
	guest_run d 'echo DMA-FQ >/sys/class/net/eth0/device/../iommu_group/type' &&
		[ "$(iommu_type)" = DMA-FQ ] && iommu_direct && udp_both_ways a d
}

iommu_cleanly()
{
	local port name rc=0

	for port in vnet0 vnet3; do
		for name in ring_errors drop_malformed drop_too_big; do
			[ "$(counter $port $name)" = 0 ] || { say "$port: $name $(counter $port $name)"; rc=1; }
		done
	done
	return $rc
}

test_iommu()
{
	uncouple_all
	ktap_test "a guest behind a vIOMMU starts" behind_iommu || {
		guest_log d
		guest_kill d
		iommu_data ''
		net_del vnet3
		return
	}
	ktap_test "vIOMMU: by the uplink" iommu_uplink
	couple lan0 dynamic vnet0 vnet3
	ktap_test "vIOMMU, each mapping flushed: direct, both ways" iommu_direct
	ktap_test "vIOMMU, flushed now and then: direct, both ways" iommu_lazy
	ktap_test "vIOMMU: no errors" iommu_cleanly
	uncouple lan0
	iommu_data ''
	guest_stop d
	net_del vnet3
}
