# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154,SC2034 # variables of lib.sh, and for it
# shellcheck disable=SC2015 # "A && B || C": C is for either of them to fail
#
# What a host does to the memory of a guest, here d, while that exchanges data with
# guest a.  It is started once, in a cgroup of its own, and moves on:
#
#   anonymous memory   ──▶ memfd               ──▶ hugetlbfs     ──▶ a file
#   on vnet3               on vnet4                on vnet3          on vnet4
#   swap, KSM, THP,        balloon: holes in it    pages of 2 MiB    write-back,
#   fork, cgroup                                                     memory is plugged in

memory_cgroup=/sys/fs/cgroup/e2e
memory_dir="$work/memory"
ksm=/sys/kernel/mm/ksm
thp=/sys/kernel/mm/transparent_hugepage
# How much is swapped out, and what the kernel is to have done to so many pages.
case $IVSHM_VM_KERNEL in
debug) memory_out_mb=12 memory_pages=500 memory_merged=100 ;;
*) memory_out_mb=64 memory_pages=4000 memory_merged=1000 ;;
esac
# Memory that may be plugged in above 4 GiB would have its kernel set aside 64 MiB for
# bounce buffers.
d_options=(--ip "${address[d]}/24" --vhost /dev/ivshm-net
	--append "memhp_default_state=online_kernel swiotlb=noforce"
	--extra "-device virtio-balloon-pci -m 192,slots=2,maxmem=1G")

# In a shell that is in the cgroup, and is nicer than others.
memory_guest()
{
	net_tap vnet3 br0 && net_tap vnet4 br0 || return
	mkdir -p "$memory_dir" "$memory_cgroup" &&
		echo '+memory +cpuset' >/sys/fs/cgroup/cgroup.subtree_control || return
	(
		echo "$BASHPID" >"$memory_cgroup/cgroup.procs" &&
			renice -n 1 -p "$BASHPID" >/dev/null &&
			guest_start d --tap vnet3 "${d_options[@]}"
	) && guest_wait d && prepare_guest d && wait_for "$patience" port_is vnet3 running
}

# Tests run in shells of their own: where is the guest by now?
find_d()
{
	local port

	for port in vnet3 vnet4; do
		! port_is $port running || port_of[d]=$port
	done
}

# under_traffic COMMAND... - while a and d send to each other, direct
under_traffic()
{
	local port rc=0

	joined lan0 a d && stats vnet0 "${port_of[d]}" >"$work/before" &&
		stream_begin a d 7300 && stream_begin d a 7301 || return
	"$@" || rc=1
	# Also after it.
	sleep 1
	stream_end a d 7300 || rc=1
	stream_end d a 7301 || rc=1
	for port in vnet0 "${port_of[d]}"; do
		[ "$(grown "$work/before" "$port" tx_direct_bytes)" -gt 100000 ] ||
			{ say "$port sent nothing direct"; rc=1; }
		[ "$(grown "$work/before" "$port" ring_errors)" = 0 ] ||
			{ say "a ring of $port broke"; rc=1; }
	done
	return $rc
}

# did EVENT SINCE [N] - the kernel has, so many times, since it had so many
events_of() { awk -v k="$1" '$1 == k { print $2 }' /proc/vmstat; }
did()
{
	[ $(($(events_of "$1") - $2)) -ge "${3:-1}" ]
}

worker_of() { pgrep -x "ivshm-$1"; }
may_use() { grep -q -P "^Cpus_allowed_list:\\t$2\$" "/proc/$1/status"; }

# A worker is where its VMM is, as nice, and goes where it, or its cgroup, is told to.
worker_follows()
{
	local pid last rc=0

	pid=$(worker_of vnet3) && [ "$(wc -w <<<"$pid")" = 1 ] || return
	say "$(ps -o pid=,ni=,comm= -p "$pid") in $(cat "/proc/$pid/cgroup")"
	diff "/proc/$pid/cgroup" "/proc/$(guest_pid d)/cgroup" || rc=1
	[ "$(ps -o ni= -p "$pid" | tr -d ' ')" = 1 ] || rc=1
	# For good: QEMU is kept off the first processor anyway, see guest_start.
	last=$(($(nproc) - 1))
	[ $last -gt 0 ] || return $rc
	echo $last >"$memory_cgroup/cpuset.cpus" && wait_for 5 may_use "$pid" $last || rc=1
	pid=$(worker_of vnet0) || return
	taskset -p -c 0 "$pid" >/dev/null && may_use "$pid" 0 && reaches a d || rc=1
	taskset -p -c "0-$last" "$pid" >/dev/null
	return $rc
}

# The same for memory: a file of the device costs its cgroup what it takes.
memory_is_charged()
{
	local cgroup=/sys/fs/cgroup/e2e-files rc=0

	mkdir $cgroup || return
	(
		kernel() { awk '$1 == "kernel" { print $2 }' $cgroup/memory.stat; }
		echo "$BASHPID" >$cgroup/cgroup.procs
		for fd in 20 21 22 23; do
			eval "exec $fd<>/dev/ivshm-net"
		done
		n=$(kernel)
		say "four files: $n bytes"
		[ "$n" -gt 400000 ] || exit
		for fd in 20 21 22 23; do
			eval "exec $fd>&-"
		done
		# What is freed is freed after a grace period, and counted in batches.
		less() { [ "$(kernel)" -lt $((n / 2)) ]; }
		wait_for 10 less || { say "still $(kernel) bytes"; exit 1; }
	) || rc=1
	rmdir $cgroup || rc=1
	return $rc
}

swap_on()
{
	modprobe -q zram
	echo $((256 << 20)) >/sys/block/zram0/disksize && mkswap /dev/zram0 >/dev/null &&
		swapon /dev/zram0
}

swapped_out_and_in()
{
	local out in n

	out=$(events_of pswpout) in=$(events_of pswpin)
	# It fails when it has not got as much as it was told to get.
	for ((n = 0; n < memory_out_mb; n += 4)); do
		echo 4M >"$memory_cgroup/memory.reclaim" 2>/dev/null
	done
	# All that it has: it is there again, and what it was.
	[ "$(guest_run -t 120 d 'sha256sum </data')" = "$(guest_run d 'cat /data.sum')" ] || return
	say "$(($(events_of pswpout) - out)) pages out, $(($(events_of pswpin) - in)) in"
	did pswpout "$out" "$memory_pages" && did pswpin "$in" 20
}
swapped()
{
	local rc=0

	swap_on || { say "no zram here"; return "$KSFT_SKIP"; }
	under_traffic swapped_out_and_in || rc=1
	swapoff /dev/zram0 || rc=1
	echo 1 >/sys/block/zram0/reset
	return $rc
}

ksm_has() { [ "$(cat $ksm/pages_sharing)" -ge "$memory_merged" ]; }
ksm_is_empty() { [ "$(cat $ksm/pages_sharing)" = 0 ]; }
merged_and_parted()
{
	local rc=0

	# Guests of the same kernel have much in common.
	echo 2000 >$ksm/pages_to_scan && echo 5 >$ksm/sleep_millisecs && echo 1 >$ksm/run || return
	wait_for $((4 * patience)) ksm_has || rc=1
	say "$(cat $ksm/pages_sharing) pages are somebody else's, too"
	# All of them at once.
	echo 2 >$ksm/run && ksm_is_empty || rc=1
	echo 0 >$ksm/run
	return $rc
}
merged() { under_traffic merged_and_parted; }

huge_made_and_split()
{
	local split made rc=0

	made=$(events_of thp_collapse_alloc)
	echo 4096 >$thp/khugepaged/pages_to_scan
	echo 100 >$thp/khugepaged/alloc_sleep_millisecs
	echo 10 >$thp/khugepaged/scan_sleep_millisecs
	wait_for $((2 * patience)) did thp_collapse_alloc "$made" 4 || rc=1
	split=$(events_of thp_split_page)
	echo 1 >/sys/kernel/debug/split_huge_pages && did thp_split_page "$split" 4 || rc=1
	say "$(($(events_of thp_collapse_alloc) - made)) huge pages made," \
		"$(($(events_of thp_split_page) - split)) split"
	return $rc
}
huge()
{
	local sleep rc=0

	sleep=$(cat $thp/khugepaged/scan_sleep_millisecs)
	under_traffic huge_made_and_split || rc=1
	echo "$sleep" >$thp/khugepaged/scan_sleep_millisecs
	return $rc
}

# QEMU forks for whoever is to take what it sends; and its log comes and goes.
migration_is() { guest_hmp d "info migrate" | grep -q "^Migration status: $1"; }
forks()
{
	local rc=0

	guest_hmp d "migrate_set_parameter max-bandwidth 1M" &&
		guest_hmp d 'migrate -d "exec:cat >/dev/null"' &&
		wait_for "$patience" migration_is active || return
	pgrep -P "$(guest_pid d)" >/dev/null || { say "it has no child"; rc=1; }
	sleep 2
	guest_hmp d migrate_cancel && wait_for "$patience" migration_is cancelled || rc=1
	guest_hmp d "migrate_set_parameter max-bandwidth 128M" || rc=1
	return $rc
}
forked() { under_traffic forks; }

# d_moves RAM TAP - to memory of another kind
d_moves()
{
	guest_migrate d --ram "$1" --tap "$2" "${d_options[@]}" && port_of[d]=$2 &&
		wait_for "$patience" port_is "$2" running
}

d_balloon_is() { guest_hmp d "info balloon" | grep -q "actual=$1\\b"; }
# Each page is a hole of its own: an emulated machine makes some 600 in a second, whatever
# serves the card.
in_and_out()
{
	guest_hmp d "balloon 152" && wait_for $((4 * patience)) d_balloon_is 152 &&
		guest_hmp d "balloon 192" && wait_for $((4 * patience)) d_balloon_is 192
}
# Blocks of the memory that are there; those of a hole are not.
in_memfd()
{
	local before

	d_moves memfd vnet4 || return
	before=$(awk '/^Shmem:/ { print $2 }' /proc/meminfo)
	under_traffic in_and_out || return
	say "shared memory, KiB: $before before, $(awk '/^Shmem:/ { print $2 }' /proc/meminfo) after"
}

in_hugetlb()
{
	local n rc=0

	# Room for it has to be in pieces of this size.
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 >/proc/sys/vm/compact_memory
	echo 96 >/proc/sys/vm/nr_hugepages
	n=$(cat /proc/sys/vm/nr_hugepages)
	if [ "$n" -lt 96 ]; then
		say "only $n huge pages are to be had"
		rc=$KSFT_SKIP
	else
		d_moves hugetlb vnet3 && under_traffic sleep 1 || rc=1
		n=$(awk '/^HugePages_Free:/ { print $2 }' /proc/meminfo)
		say "of 96 huge pages $n are free"
		[ "$rc" != 0 ] || [ "$n" -lt 64 ] || rc=1
	fi
	[ "$rc" = 0 ] || echo 0 >/proc/sys/vm/nr_hugepages
	return "$rc"
}

# Each time its pages are clean and write-protected, and frames write to them again.
written_back()
{
	local n before

	before=$(events_of nr_written)
	for n in 1 2 3; do
		sync "$memory_dir/ram" || return
		sleep 1
	done
	n=$(($(events_of nr_written) - before))
	say "$n pages written back"
	[ "$n" -gt 100 ] || ! mountpoint -q "$memory_dir"
}
in_file()
{
	# A file system that writes back; else one that has only memory.
	modprobe -q -a loop ext4
	truncate -s 300M "$work/memory.img" && mkfs.ext4 -q "$work/memory.img" &&
		mount -o loop "$work/memory.img" "$memory_dir" 2>/dev/null ||
		say "no ext4 here: a file in tmpfs"
	d_moves "file:$memory_dir/ram" vnet4 || return
	echo 0 >/proc/sys/vm/nr_hugepages
	under_traffic written_back
}

d_has() { [ "$(guest_run d "awk '/^MemTotal/ { print int(\$2 / 1024) }' /proc/meminfo")" -ge "$1" ]; }
d_has_dimms() { [ "$(guest_hmp d "info memory-devices" | grep -c '^Memory device')" = "$1" ]; }
dimms()
{
	local n rc=0

	# The first for the kernel: whatever it allocates from now on may be there.
	guest_hmp d "object_add memory-backend-ram,id=more0,size=128M" &&
		guest_hmp d "device_add pc-dimm,id=dimm0,memdev=more0" &&
		wait_for "$patience" d_has 250 || return
	guest_run d 'dd if=/dev/zero of=/tmp/fill bs=1M count=64 2>/dev/null; rm /tmp/fill' || rc=1
	# The second can be taken away again.
	guest_run d "echo online_movable >/sys/devices/system/memory/auto_online_blocks" &&
		guest_hmp d "object_add memory-backend-ram,id=more1,size=128M" &&
		guest_hmp d "device_add pc-dimm,id=dimm1,memdev=more1" &&
		wait_for "$patience" d_has 370 || rc=1
	d_has_dimms 2 || rc=1
	n=$((SECONDS + patience))
	# A guest may refuse while something is there.
	until d_has_dimms 1; do
		[ $SECONDS -lt $n ] || { guest_hmp d "info memory-devices"; return 1; }
		guest_hmp d "device_del dimm1" >/dev/null
		sleep 1
	done
	return $rc
}
plugged_in() { under_traffic dimms; }

memory_gone()
{
	local port name rc=0

	for port in vnet0 vnet3 vnet4; do
		for name in ring_errors drop_malformed drop_too_big; do
			[ "$(counter $port $name)" = 0 ] || { say "$port: $name $(counter $port $name)"; rc=1; }
		done
	done
	uncouple_all && guest_stop d || rc=1
	net_del vnet3 vnet4
	! mountpoint -q "$memory_dir" || umount "$memory_dir" || rc=1
	rm -f "$work/memory.img" "$memory_dir/ram"
	echo 0 >/proc/sys/vm/nr_hugepages
	rmdir "$memory_cgroup" || rc=1
	return $rc
}

test_memory()
{
	ktap_test "a guest starts in a cgroup of its own" memory_guest || {
		guest_log d
		guest_kill d
		net_del vnet3 vnet4
		return
	}
	uncouple_all && couple lan0 dynamic vnet0 vnet3 vnet4
	ktap_test "its worker has its cgroup, its nice value, and a name" worker_follows
	ktap_test "open files are charged to their cgroup" memory_is_charged
	ktap_test "anonymous memory is swapped out and in: data intact" swapped
	ktap_test "anonymous memory is merged and parted: data intact" merged
	ktap_test "huge pages are made and split: data intact" huge
	ktap_test "QEMU forks: data intact" forked
	ktap_test "in a memfd, a balloon makes holes: data intact" in_memfd
	find_d
	ktap_test "in huge pages of hugetlbfs: data intact" in_hugetlb
	find_d
	ktap_test "in a file that is written back: data intact" in_file
	find_d
	ktap_test "memory is plugged in and unplugged: data intact" plugged_in
	ktap_test "the guest in its cgroup stops" memory_gone
}
