# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154 # variables of lib.sh
# shellcheck disable=SC2015 # "A && B || C": C is for either of them to fail
#
# Regions as devices of unmodified QEMUs. Guests d and e have three of them each:
#
#   region plain   ivshmem-plain      its BAR mapped by way of sysfs
#   region bell    ivshmem-doorbell   by "ivmctl region serve"; "meet", a process here,
#                                     is a peer, too. Debian's kernel has no driver:
#                                     programs have the device by VFIO, for which
#                                     the guests have a vIOMMU
#   region disk    nvdimm             a disk that both have
#
# Peer 0 is "meet", 1 guest d, 2 guest e.

# shellcheck source=../lib/initrd.sh
. "$IVSHM_TOP/selftests/lib/initrd.sh"

ivshmem_programs=$IVSHM_TOP/selftests/e2e/out
ivshmem_socket=$work/bell
meet_in=$work/meet.in meet_out=$work/meet.out serve_out=$work/serve.out

# As the guests have them.
ivshmem_plain=/sys/bus/pci/devices/0000:00:10.0
ivshmem_bell=/sys/bus/pci/devices/0000:00:11.0

# meet_says LINE [TIMES] - so often at least, in a while
meet_says() { wait_for "$patience" meet_said "$@"; }
meet_said() { [ "$(grep -c -x "$1" "$meet_out")" -ge "${2:-1}" ]; }
meet_do() { echo "$*" >"$meet_in"; }

# What udev does where it runs.
region_named()
{
	"$ivmctl" region add "$1" size "$2" && mkdir -p /dev/ivshm &&
		ln -sf "../ivshm$("$ivmctl" -j region show "$1" | grep -o '"number":[0-9]*' | cut -d: -f2)" \
			"/dev/ivshm/$1"
}

ivshmem_served()
{
	region_named plain 4M && region_named bell 1M && region_named disk 16M || return
	"$ivmctl" region serve bell "$ivshmem_socket" vectors 4 >"$serve_out" 2>&1 </dev/null &
	echo $! >"$work/serve.pid"
	wait_for "$patience" grep -q '^serving region bell' "$serve_out" || return
	"$ivshmem_programs/meet" "$ivshmem_socket" 4 >"$meet_out" 2>&1 <"$meet_in" &
	echo $! >"$work/meet.pid"
	meet_says 'id 0' && meet_says "memory $((1 << 20))"
}

ivshmem_files()
{
	rm -rf "$work/files"
	mkdir -p "$work/files/ivshmem" "$work/files/bin" &&
		cp "$ivshmem_programs/bar" "$ivshmem_programs/relay" "$work/files/bin/" &&
		modules_into "$work/files/ivshmem" "$IVSHM_VM_STOCK_DIR" \
			vfio_iommu_type1 vfio-pci nfit nd_pmem ext4
}

# With room for memory above 4 GiB Linux would set a third of a small guest aside for
# bounce buffers.
ivshmem_guest()
{
	guest_start "$1" --iommu intel --files "$work/files" --append "swiotlb=2048" --extra "-machine nvdimm=on
		-m slots=1,maxmem=1G
		-object memory-backend-file,id=plain,mem-path=/dev/ivshm/plain,size=4M,share=on
		-device ivshmem-plain,memdev=plain,addr=0x10
		-chardev socket,id=bell,path=$ivshmem_socket
		-device ivshmem-doorbell,chardev=bell,vectors=4,addr=0x11
		-object memory-backend-file,id=disk,mem-path=/dev/ivshm/disk,size=16M,share=on
		-device nvdimm,memdev=disk"
}

# Interrupts of an emulated vIOMMU are not remapped. Some modules are there before, and
# some want a processor that has instructions of their own.
ivshmem_modules()
{
	# shellcheck disable=SC2016 # for the guest's shell
	guest_run "$1" 'while read -r ko; do
			case $ko in vfio_iommu_type1.ko) how=allow_unsafe_interrupts=1 ;; *) how= ;; esac
			insmod /ivshmem/modules/$ko $how 2>/dev/null
		done </ivshmem/modules/order
		[ -d /sys/bus/pci/drivers/vfio-pci ] && [ -b /dev/pmem0 ]'
}

ivshmem_guests()
{
	ivshmem_files && ivshmem_guest d && meet_says 'came 1' && ivshmem_guest e &&
		meet_says 'came 2' && guest_wait d e && ivshmem_modules d && ivshmem_modules e
}

# all_of FILE-IN-GUESTS REGION - what one writes the others read, all of it
all_of()
{
	guest_run d "bar $1/resource2 fill 5" && guest_run e "bar $1/resource2 check 5" &&
		"$ivshmem_programs/bar" "/dev/ivshm/$2" check 5 || return
	"$ivshmem_programs/bar" "/dev/ivshm/$2" fill 6 && guest_run d "bar $1/resource2 check 6" &&
		guest_run e "bar $1/resource2 check 6 && bar $1/resource2 fill 7" &&
		guest_run d "bar $1/resource2 check 7"
}

# A guest shows frames, each a number again and again; who watches has whole ones only.
relay_frames()
{
	local bytes=100000 seen

	# shellcheck disable=SC2016 # for the guest's shell
	guest_bg d show 'for i in $(seq 200); do yes $i | head -c '$bytes'; sleep 0.05; done |
		relay '"$ivshmem_plain/resource2 show $bytes" || return
	guest_bg e watch "relay $ivshmem_plain/resource2 watch 5 | wc -c" || return
	seen=$("$ivshmem_programs/relay" /dev/ivshm/plain watch 10 | perl -e '
		while (read(STDIN, my $frame, '$bytes') == '$bytes') {
			my @line = split(/\n/, $frame);
			pop @line if length($frame) && substr($frame, -1) ne "\n";
			die "torn\n" if grep { $_ != $line[0] } @line;
			die "$line[0] after $last\n" if $line[0] <= $last;
			$last = $line[0];
			$n++;
		}
		print "$n frames\n"')
	say "here: $seen"
	[ "$seen" = '10 frames' ] && [ "$(guest_bg_wait e watch)" = $((5 * bytes)) ] &&
		guest_bg_wait d show
}

# relay_sound FROM TO - one plays, the other one has all of it. TO may be "here", this host,
# which waits before there is any sound, where something else is in the memory. A guest has
# no room to keep what it plays: its sum is made as it goes by.
relay_sound()
{
	local bytes=$(((size_mb + 4) << 20)) sent got recorder

	if [ "$2" = here ]; then
		"$ivshmem_programs/relay" /dev/ivshm/plain record "$bytes" >"$work/recorded" &
		recorder=$!
	fi
	guest_bg "$1" play "mkfifo /tmp/sound && sha256sum </tmp/sound >/tmp/sum &
		until [ -p /tmp/sound ]; do sleep 0.1; done
		head -c $bytes /dev/urandom | tee /tmp/sound | relay $ivshmem_plain/resource2 play || exit
		wait && rm /tmp/sound && cat /tmp/sum" || return
	if [ "$2" = here ]; then
		wait "$recorder" && got=$(sha256sum <"$work/recorded")
	else
		got=$(guest_run -t "$((3 * patience))" "$2" "relay $ivshmem_plain/resource2 record $bytes | sha256sum")
	fi
	sent=$(guest_bg_wait -t "$((3 * patience))" "$1" play) || return
	say "played: $sent" "recorded: $got"
	[ -n "$sent" ] && [ "$got" = "$sent" ]
}

# No driver has the device.
ivshmem_rings()
{
	local vector

	[ "$(guest_run d "bar $ivshmem_bell/resource0 id")" = 1 ] &&
		[ "$(guest_run e "bar $ivshmem_bell/resource0 id")" = 2 ] || return
	for vector in 3 0 2 1; do
		guest_run d "bar $ivshmem_bell/resource0 ring 0 $vector" &&
			meet_says "heard $vector" || return
		[ "$(grep -c heard "$meet_out")" = "$(grep -c -x 'heard [0-3]' "$meet_out")" ] || return
	done
	# A vector that there is not, and a peer.
	guest_run e "bar $ivshmem_bell/resource0 ring 0 4; bar $ivshmem_bell/resource0 ring 9 0
		bar $ivshmem_bell/resource0 ring 0 0" && meet_says 'heard 0' 2 || return
	[ "$(grep -c heard "$meet_out")" = 5 ]
}

ivshmem_vfio()
{
	guest_run "$1" "echo vfio-pci >$ivshmem_bell/driver_override &&
		echo ${ivshmem_bell##*/} >/sys/bus/pci/drivers_probe && [ -e $ivshmem_bell/driver ]"
}

# ivshmem_interrupted COUNT - so many vectors were heard in guest e
ivshmem_interrupted()
{
	guest_run e "for i in \$(seq 300); do
			[ \$(wc -l </tmp/bg.hear.out) -gt $1 ] && exit
			sleep 0.1
		done; exit 1"
}

# From here: by the eventfd, and by the module.
ivshmem_interrupts()
{
	local number said

	ivshmem_vfio d && ivshmem_vfio e || return
	number=$(sed -n 's/^peer 2 came: number \([0-9]*\),.*/\1/p' "$serve_out")
	say "guest e has number $number"
	guest_bg e hear "bar ${ivshmem_bell##*/} hear 4 60" && ivshmem_interrupted 0 || return
	meet_do ring 2 3 && ivshmem_interrupted 1 && meet_do ring 2 0 && ivshmem_interrupted 2 &&
		meet_do number "$number" 2 && ivshmem_interrupted 3 && meet_do number "$number" 1
	said=$(guest_bg_wait -t 90 e hear)
	say "$said"
	[ "$said" = "$(printf '%s\n' ready 3 0 2 1)" ]
}

# ivshmem_plays ROUNDS - guests ring each other, and find what the other one wrote
ivshmem_plays()
{
	local said

	guest_bg e pong "bar ${ivshmem_bell##*/} pong 1 $1" &&
		said=$(guest_run -t 120 d "bar ${ivshmem_bell##*/} ping 2 $1")
	say "$said"
	[ "$said" = "$1 rounds" ] && [ "$(guest_bg_wait e pong)" = "$1 rounds" ]
}

# Other QEMUs come, and are killed, sooner or later. Those that stay bear it.
ivshmem_others()
{
	local came i pid rc=0

	for i in 1 2 3 4; do
		came=$(grep -c '^came' "$meet_out")
		qemu-system-x86_64 -S -nodefaults -no-user-config -display none -machine q35 -m 16 \
			-chardev "socket,id=bell,path=$ivshmem_socket" \
			-device ivshmem-doorbell,chardev=bell,vectors=4 >"$work/other" 2>&1 </dev/null &
		pid=$!
		if [ $i = 3 ]; then
			sleep 1
		else
			meet_says 'came .*' $((came + 1)) || rc=1
		fi
		cat "$work/other"
		kill -KILL $pid
		wait $pid 2>/dev/null
		meet_says 'went .*' $(($(grep -c '^came' "$meet_out") - 2)) || rc=1
	done
	grep '^peer [3-9]' "$serve_out"
	ivshmem_plays 20 && return $rc
}

# blocks FROM TO MIB - of the disk there, without a file system
blocks()
{
	local got sent

	sent=$(guest_run "$1" "dd if=/dev/urandom of=/blocks bs=1M count=5 2>/dev/null &&
		dd if=/blocks of=/dev/pmem0 bs=1M seek=$3 conv=fsync 2>/dev/null && sha256sum </blocks
		rm /blocks") || return
	got=$(guest_run "$2" "dd if=/dev/pmem0 bs=1M skip=$3 count=5 2>/dev/null | sha256sum")
	say "written: $sent" "read: $got"
	[ -n "$sent" ] && [ "$got" = "$sent" ]
}

# file FROM TO NAME - in a file system
file()
{
	local sent

	sent=$(guest_run "$1" "mkdir -p /mnt && mount -t ext4 /dev/pmem0 /mnt &&
		dd if=/dev/urandom of=/mnt/$3 bs=1M count=3 2>/dev/null && sha256sum </mnt/$3
		umount /mnt") || return
	[ -n "$sent" ] && [ "$(guest_run "$2" "mkdir -p /mnt && mount -t ext4 /dev/pmem0 /mnt &&
		sha256sum </mnt/$3; umount /mnt")" = "$sent" ]
}

file_system()
{
	guest_run d "mke2fs /dev/pmem0 >/dev/null" && file d e there && file e d back || return
	guest_run d "mount -t ext4 -o ro /dev/pmem0 /mnt && ls -l /mnt && umount /mnt"
}

ivshmem_vmm_killed()
{
	local heard

	heard=$(grep -c -x 'heard 1' "$meet_out")
	guest_kill e && meet_says 'went 2' && guest_run d "echo ${ivshmem_bell##*/} >$ivshmem_bell/driver/unbind
		echo 1 >$ivshmem_bell/enable
		bar $ivshmem_bell/resource0 ring 2 0; bar $ivshmem_bell/resource0 ring 0 1" &&
		meet_says 'heard 1' $((heard + 1)) && guest_run d "bar $ivshmem_plain/resource2 check 7"
}

# Those who have met go on.
ivshmem_unserved()
{
	local heard pid tries

	heard=$(grep -c -x 'heard 2' "$meet_out")
	pid=$(<"$work/serve.pid")
	kill -TERM "$pid" && meet_says 'end ' || return
	for ((tries = 0; tries < 50; tries++)); do
		[ -e "/proc/$pid" ] || break
		sleep 0.1
	done
	cat "$serve_out"
	[ ! -e "$ivshmem_socket" ] && guest_run d "bar $ivshmem_bell/resource0 ring 0 2" &&
		meet_says 'heard 2' $((heard + 1))
}

ivshmem_down()
{
	guest_stop d || return
	kill "$(<"$work/meet.pid")"
	wait_for "$patience" "$ivmctl" region del plain bell disk && rm -r /dev/ivshm
}

test_ivshmem()
{
	[ -p "$meet_in" ] || mkfifo "$meet_in"
	# For as long as it is open there, nobody waits for the other end.
	exec 8<>"$meet_in"
	ktap_test "ivshmem: a region is served" ivshmem_served &&
		ktap_test "ivshmem: guests with three regions start" ivshmem_guests || {
		cat "$serve_out" "$meet_out" | sed 's/^/# /'
		guest_log d
		guest_log e
		return
	}
	ktap_test "ivshmem-plain: frames of a guest" relay_frames
	ktap_test "ivshmem-plain: sound of a guest, for this host" relay_sound d here
	ktap_test "ivshmem-plain: sound of a guest, for another one" relay_sound e d
	ktap_test "ivshmem-plain: all bytes, by guests and here" all_of "$ivshmem_plain" plain
	ktap_test "ivshmem-doorbell: all bytes, by guests and here" all_of "$ivshmem_bell" bell
	ktap_test "ivshmem-doorbell: guests ring a process" ivshmem_rings
	ktap_test "ivshmem-doorbell: a guest is interrupted, by eventfd and by the module" ivshmem_interrupts
	ktap_test "ivshmem-doorbell: guests ring each other" ivshmem_plays 200
	ktap_test "ivshmem-doorbell: QEMUs come and are killed" ivshmem_others
	ktap_test "nvdimm: blocks" blocks d e 2
	ktap_test "nvdimm: blocks, the other way" blocks e d 11
	ktap_test "nvdimm: a file system, both ways" file_system
	ktap_test "ivshmem: a VMM is killed" ivshmem_vmm_killed
	ktap_test "ivshmem-doorbell: the server ends, guests go on" ivshmem_unserved
	ktap_test "ivshmem: nothing holds the regions any more" ivshmem_down
	exec 8>&-
}
