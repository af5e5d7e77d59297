# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Commas in the arguments of QEMU are no separators:
# shellcheck disable=SC2054
#
# Real KVM guests inside the test machine: the distribution's kernel under the
# distribution's QEMU. Source it in a script that "run" starts.
#
#   guest_start NAME [OPTION]...   start a guest; does not wait
#     --tap IF | --macvtap IF        a network card on that host interface;
#                                    what follows is about this card:
#     --mac MAC                        (default: made from the guest's name)
#     --ip CIDR                        address of the card in the guest
#     --mtu N                          also told to the guest's driver
#     --vhost DEVICE|none              default /dev/vhost-net
#     --queues N                       queue pairs
#     --net-opts OPTS, --dev-opts OPTS more for -netdev and for -device
#     --iommu intel                  a vIOMMU; cards behind it translate for
#                                    themselves (ATS). Before the cards
#     --mem M                        MiB (default 192)
#     --ram anon|memfd|hugetlb|file:PATH  what backs it (default anon)
#     --cpus N                       processors (default 1)
#     --files DIR                    these files too, at the guest's root
#     --append "ARGS"                more of its kernel's command line
#     --extra "ARGS"                 more arguments of QEMU
#     --open FD=FILE                 open at that descriptor, for what is
#                                    plugged in later
#     --as OTHER                     be where guest OTHER, which runs, moves to;
#                                    for guest_migrate
#     --from FILE                    be what guest_save saved; for guest_restore
#   guest_wait NAME... [SECONDS]   until the guests can run commands
#   guest_run [-t S] NAME CMD      run a shell command line, print what it
#                                  prints, return its status; 137 after S
#                                  seconds (60), 124 when the guest is mute
#   guest_bg NAME TAG CMD          start a command and leave it running
#   guest_bg_wait [-t S] NAME TAG  wait for it, print its output, its status
#   guest_put NAME FILE PATH       copy a small file into the guest
#   guest_alive NAME, guest_pid NAME, guest_log NAME
#   guest_sound NAME               fails when the emulator has mixed up the
#                                  guest's registers with the machine's own
#   guest_hmp NAME COMMAND         a command of QEMU's monitor ("info registers")
#   guest_stop NAME...             power off; fails if a guest had to be killed
#   guest_kill NAME...             SIGKILL, as a crashed VMM
#   guest_migrate NAME OPTION...   move the guest, live, to another QEMU on this
#                                  host, started with these options; they are
#                                  those of guest_start, with other interfaces.
#                                  From then on that one is NAME
#   guest_save NAME FILE           stop the guest, save it, and end its QEMU
#   guest_restore NAME FILE OPTION...  go on with it, with the same options
#
# In the guest: busybox, iperf3, ping, ethtool, base64, sha256sum, nc, arping.

guest_dir=/run/ivshm-guests

# Emulation inside emulation, on the debug kernel slower still.
guest_patience()
{
	case $IVSHM_VM_ACCEL-$IVSHM_VM_KERNEL in
	kvm-*) echo 30 ;;
	*-debug) echo 420 ;;
	*) echo 120 ;;
	esac
}

guest_kvm_ready=0
guest_kvm()
{
	[ "$guest_kvm_ready" != 1 ] || return 0
	guest_kvm_ready=1
	if grep -q -w svm /proc/cpuinfo; then
		modprobe kvm_amd
	else
		modprobe kvm_intel
	fi
	# Polling for a guest to wake pays with processors to spare, not here.
	[ "$IVSHM_VM_ACCEL" = kvm ] || echo 0 >/sys/module/kvm/parameters/halt_poll_ns
	[ -e /dev/kvm ]
}

guest_mac() { printf '52:54:00:%s\n' "$(printf '%s' "$1" | sha256sum | sed 's/\(..\)\(..\)\(..\).*/\1:\2:\3/')"; }

# The options of one card, once all of them are known.
guest_nic_done()
{
	local n=$nics fds='' vfds='' fd q nic

	[ -n "$nic_if" ] || return 0
	nic="tap,id=n$n"
	if [ "$nic_kind" = tap ] && [ "$nic_queues" = 1 ]; then
		nic+=",ifname=$nic_if,script=no,downscript=no"
		if [ "$nic_vhost" != none ]; then
			fd=$((50 + n * 64))
			guest_opens+=("exec $fd<>$nic_vhost || exit")
			nic+=",vhost=on,vhostfd=$fd"
		fi
	else
		for ((q = 0; q < nic_queues; q++)); do
			fd=$((50 + n * 64 + q))
			if [ "$nic_kind" = tap ]; then
				# QEMU opens the queues of a tap that it knows by name,
				# but then takes no vhost descriptors for them.
				tap_args+=("$fd=$nic_if")
			else
				guest_opens+=("exec $fd<>/dev/tap$(cat "/sys/class/net/$nic_if/ifindex") || exit")
			fi
			fds+=:$fd
			[ "$nic_vhost" != none ] || continue
			fd=$((fd + 32))
			guest_opens+=("exec $fd<>$nic_vhost || exit")
			vfds+=:$fd
		done
		if [ "$nic_queues" = 1 ]; then
			nic+=",fd=${fds#:}${vfds:+,vhost=on,vhostfd=${vfds#:}}"
		else
			nic+=",fds=${fds#:}${vfds:+,vhost=on,vhostfds=${vfds#:}}"
			nic_dev+=",mq=on,vectors=$((2 * nic_queues + 2))"
		fi
	fi
	[ "$nic_vhost" != none ] || nic+=,vhost=off
	[ -z "$nic_mtu" ] || nic_dev+=",host_mtu=$nic_mtu"
	if [ -n "$iommu" ]; then
		# ATS is for what is not on the root bus.
		guest_args+=(-device "pcie-root-port,id=port$n,chassis=$n")
		nic_dev+=",bus=port$n,iommu_platform=on,ats=on"
	fi
	guest_args+=(-netdev "$nic$nic_net"
		-device "virtio-net-pci,netdev=n$n,mac=$nic_mac,romfile=$nic_dev")
	guest_cmdline+=" guest.nic=eth$n,$nic_ip,$nic_mtu"
	nics=$((nics + 1))
}

guest_start()
{
	local name=$1 dir=$guest_dir/$1
	local mem=192 ram=anon cpus=1 files='' extra='' nics=0 initrd=$IVSHM_GUEST_INITRD as=$1 from=''
	local iommu='' nic_if='' nic_kind nic_mac nic_ip nic_mtu nic_vhost nic_queues nic_net nic_dev machine='' ram_object=''
	local -a guest_args=() guest_opens=() tap_args=()
	local guest_cmdline
	shift
	[ "${1:-}" != --as ] || as=$2
	guest_cmdline="guest.name=$as"

	guest_kvm || { echo "guest_start: no KVM in the test machine" >&2; return 1; }
	while [ $# -gt 0 ]; do
		case $1 in
		--tap | --macvtap)
			guest_nic_done || return 1
			nic_if=$2 nic_kind=${1#--} nic_mac=$(guest_mac "$as$nics")
			nic_ip='' nic_mtu='' nic_vhost=/dev/vhost-net nic_queues=1 nic_net='' nic_dev=''
			;;
		--mac) nic_mac=$2 ;;
		--ip) nic_ip=$2 ;;
		--mtu) nic_mtu=$2 ;;
		--vhost) nic_vhost=$2 ;;
		--queues) nic_queues=$2 ;;
		--net-opts) nic_net=,$2 ;;
		--dev-opts) nic_dev=,$2 ;;
		--iommu)
			[ "$2" = intel ] || { echo "guest_start: --iommu $2?" >&2; return 2; }
			# Devices that come before it are not behind it.
			iommu=$2
			guest_args=(-device "$2-iommu,device-iotlb=on" "${guest_args[@]}")
			guest_cmdline+=" $2_iommu=on iommu.passthrough=0"
			;;
		--mem) mem=$2 ;;
		--ram) ram=$2 ;;
		--cpus) cpus=$2 ;;
		--files) files=$2 ;;
		--append) guest_cmdline+=" $2" ;;
		--extra) extra=$2 ;;
		--open) guest_opens+=("exec ${2%%=*}<>${2#*=} || exit") ;;
		--from) from=$2 ;;
		--as) [ "$as" = "$2" ] || { echo "guest_start: --as comes first" >&2; return 2; } ;;
		*) echo "guest_start: what is $1?" >&2; return 2 ;;
		esac
		shift 2
	done
	guest_nic_done || return 1

	# By the name that anonymous memory has, so that a guest can move from one kind to another.
	case $ram in
	anon) ;;
	memfd) ram_object="memory-backend-memfd" ;;
	hugetlb) ram_object="memory-backend-memfd,hugetlb=on,hugetlbsize=2M" ;;
	file:*) ram_object="memory-backend-file,mem-path=${ram#file:}" ;;
	*) echo "guest_start: --ram $ram?" >&2; return 2 ;;
	esac
	if [ -n "$ram_object" ]; then
		machine=,memory-backend=pc.ram
		guest_args+=(-object "$ram_object,id=pc.ram,size=${mem}M,share=on,x-use-canonical-path-for-ramblock-id=off")
	fi
	rm -rf "$dir"
	mkdir -p "$dir"
	echo "$mem" >"$dir/mem"
	if [ -n "$files" ]; then
		# The kernel unpacks one archive after the other.
		{
			cat "$IVSHM_GUEST_INITRD"
			(cd "$files" && find . | cpio -o -H newc --quiet -R 0:0)
		} >"$dir/initrd"
		initrd=$dir/initrd
	fi
	[ "$as" = "$name" ] || guest_args+=(-incoming "unix:$dir/incoming")
	[ -z "$from" ] || guest_args+=(-incoming "exec:cat $from")
	# pci=: Linux would look for devices on 256 empty buses, several times; of the
	# 60000 exits of a guest that boots, 50000 were for that.
	# shellcheck disable=SC2206 # words of --extra are arguments
	guest_args=(-name "$as" -nodefaults -no-user-config -display none -no-reboot
		-machine "q35,usb=off,vmport=off,sata=off,smbus=off,smm=off$machine"
		-accel kvm -cpu host -smp "$cpus" -m "$mem"
		-kernel "$IVSHM_GUEST_KERNEL" -initrd "$initrd"
		-append "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr no5lvl net.ifnames=0 cryptomgr.notests pci=noearly,lastbus=0 $guest_cmdline"
		-serial "file:$dir/console" -device virtio-serial-pci
		-chardev "pipe,id=agent,path=$dir/agent" -device virtserialport,chardev=agent,name=agent
		-qmp "unix:$dir/qmp,server=on,wait=off" "${guest_args[@]}" $extra)

	# A process of its own that opens the descriptors and becomes QEMU, and that
	# guest_wait can start again.
	{
		echo "#!/bin/bash"
		printf 'exec </dev/null >%q 2>&1\n' "$dir/qemu.log"
		printf '%s\n' "${guest_opens[@]}"
		printf 'exec'
		# TCG (QEMU 7.2 to 11.1 at least): any processor that restores FPU
		# state may undo a change of the first one's SVM state, and then the
		# guest on that gets the registers of the kernel below it. So none
		# runs there.
		[ "$IVSHM_VM_ACCEL" = kvm ] || [ "$(nproc)" = 1 ] ||
			printf ' taskset -c 1-%d' $(($(nproc) - 1))
		[ ${#tap_args[@]} -eq 0 ] || printf ' %q' "$IVSHM_TOP/selftests/vm/tap-open" "${tap_args[@]}" --
		printf ' %q' qemu-system-x86_64 "${guest_args[@]}"
		echo
	} >"$dir/launch"
	chmod +x "$dir/launch"
	guest_launch "$name"
}

guest_launch()
{
	local dir=$guest_dir/$1

	rm -f "$dir/ready" "$dir"/agent.* "$dir/console"
	mkfifo "$dir/agent.in" "$dir/agent.out"
	"$dir/launch" &
	echo $! >"$dir/pid"
	disown $!
}

guest_pid() { cat "$guest_dir/$1/pid"; }

guest_alive()
{
	local pid

	pid=$(guest_pid "$1" 2>/dev/null) && kill -0 "$pid" 2>/dev/null
}

guest_log()
{
	sed 's/^/# /' "$guest_dir/$1/qemu.log" "$guest_dir/$1/console" 2>/dev/null | tr -d '\r'
}

guest_hmp() { "$IVSHM_TOP/selftests/vm/hmp" "$guest_dir/$1/qmp" "$2"; }

# See guest_start: a guest that has got the registers of the kernel below it has a
# page table where it has no memory at all. Nothing that happens to a guest's memory
# can do that, and nothing of the guest runs on. Guests are too small for memory
# above 4 GiB.
guest_sound()
{
	local cr3

	[ "$IVSHM_VM_ACCEL" != kvm ] && guest_alive "$1" || return 0
	cr3=$(guest_hmp "$1" "info registers" 2>/dev/null | sed -n 's/.*CR3=\([0-9a-f]*\).*/\1/p' | head -n 1)
	[ -n "$cr3" ] || return 0
	[ $((16#$cr3)) -lt $(($(cat "$guest_dir/$1/mem") << 20)) ] && return
	echo "# machine failure: the page table of guest $1, CR3=$cr3, is outside of its memory"
	return 1
}

# What can still be learned about a guest that does not answer.
guest_autopsy()
{
	guest_log "$1"
	guest_alive "$1" || { echo "# its QEMU is gone"; return; }
	{
		guest_hmp "$1" "info status"
		guest_hmp "$1" "info registers" | grep -E 'RIP|HLT|CR0'
		ps -L -o tid=,stat=,pcpu=,wchan:30=,comm= -p "$(guest_pid "$1")"
	} 2>&1 | tr -d '\r' | sed 's/^/# /'
}

# guest_expect NAME DEADLINE ID - copy what the agent sends up to its end mark,
# return the status in it. Lines are held back by one, because the newline
# before the mark is ours.
guest_expect()
{
	local dir=$guest_dir/$1 deadline=$2 id=$3 line part='' held='' some=0 rc

	exec {agent_fd}<>"$dir/agent.out"
	while :; do
		IFS= read -r -t 2 -u "$agent_fd" line
		rc=$?
		# A time-out in the middle of a line leaves what came of it.
		line=$part$line part=''
		[ $rc -eq 0 ] || part=$line
		if [ $rc -eq 0 ]; then
			case $line in
			"__READY")
				if [ "$id" = ready ]; then rc=0; break; fi
				;;
			"__END $id "*) rc=${line##* }; break ;;
			"__END "*) held='' some=0; continue ;; # of a command we gave up on
			esac
			[ $some = 0 ] || printf '%s\n' "$held"
			held=$line some=1
			continue
		fi
		if ! guest_alive "$1"; then rc=125; break; fi
		if [ $SECONDS -ge "$deadline" ]; then rc=124; break; fi
	done
	exec {agent_fd}<&-
	[ $some = 0 ] || printf '%s' "$held"
	return "$rc"
}

# Nested emulation loses a guest now and then while its kernel boots. Starting it
# again is fair as long as its init had not begun: no driver has touched a card.
guest_wait()
{
	local limit name tries

	limit=$(guest_patience)
	case ${*: -1} in *[!0-9]*) ;; *) limit=${*: -1}; set -- "${@:1:$#-1}" ;; esac
	for name; do
		[ ! -e "$guest_dir/$name/ready" ] || continue
		for tries in 1 2 3; do
			guest_expect "$name" $((SECONDS + limit)) ready && break
			guest_log "$name" >&2
			if [ $tries = 3 ] || grep -q -a "guest: init" "$guest_dir/$name/console"; then
				echo "# guest $name did not come up" >&2
				return 1
			fi
			echo "# machine failure: guest $name died before its init; starting it again" >&2
			guest_kill "$name"
			guest_launch "$name"
		done
		touch "$guest_dir/$name/ready"
	done
}

guest_run()
{
	local limit=60 name id rc lock

	if [ "$1" = -t ]; then
		limit=$2
		shift 2
	fi
	name=$1
	shift
	id=$RANDOM$RANDOM
	# One command at a time per guest, whoever asks.
	exec {lock}>"$guest_dir/$name/lock"
	flock "$lock"
	# Without a reader the pipe would be waited for, and that for ever.
	if ! guest_alive "$name"; then
		exec {lock}>&-
		echo "# guest $name is gone" >&2
		guest_log "$name" >&2
		return 125
	fi
	printf 'run %s %s %s\n' "$id" "$limit" "$(printf '%s\n' "$*" | base64 -w0)" >"$guest_dir/$name/agent.in"
	guest_expect "$name" $((SECONDS + limit + 30)) "$id"
	rc=$?
	exec {lock}>&-
	if [ $rc = 124 ] || [ $rc = 125 ]; then
		echo "# guest $name does not answer" >&2
		guest_autopsy "$name" >&2
	fi
	return $rc
}

guest_bg()
{
	local name=$1 tag=$2
	shift 2

	guest_run "$name" "rm -f /tmp/bg.$tag.*
		cat >/tmp/bg.$tag.sh <<'__EOF'
$*
__EOF
		{ sh /tmp/bg.$tag.sh; echo \$? >/tmp/bg.$tag.tmp; mv /tmp/bg.$tag.tmp /tmp/bg.$tag.status; } \
			</dev/null >/tmp/bg.$tag.out 2>&1 &"
}

guest_bg_wait()
{
	local limit=60

	if [ "$1" = -t ]; then
		limit=$2
		shift 2
	fi
	guest_run -t "$limit" "$1" "while [ ! -e /tmp/bg.$2.status ]; do sleep 0.2; done
		cat /tmp/bg.$2.out; exit \$(cat /tmp/bg.$2.status)"
}

guest_put()
{
	guest_run "$1" "base64 -d >$3 <<'__EOF'
$(base64 "$2")
__EOF"
}

guest_gone()
{
	local tries

	for ((tries = 0; tries < $2 * 5; tries++)); do
		guest_alive "$1" || return 0
		sleep 0.2
	done
	return 1
}

guest_kill()
{
	local name rc=0

	for name; do
		kill -KILL "$(guest_pid "$name")" 2>/dev/null
	done
	for name; do
		guest_gone "$name" 30 || rc=1
		rm -rf "${guest_dir:?}/$name/ready"
	done
	return $rc
}

# guest_in_time NAME DEADLINE - it lives, and there is time left
guest_in_time() { guest_alive "$1" && [ $SECONDS -lt "$2" ]; }

guest_migrate()
{
	# Never the same name again: a QEMU that ends removes its sockets by name.
	local name=$1 next=$1.$SECONDS
	shift

	if ! guest_start "$next" --as "$name" "$@" || ! guest_move "$name" "$next"; then
		guest_log "$name" >&2
		guest_log "$next" >&2
		guest_kill "$next"
		return 1
	fi
	# What is left of it runs no guest any more.
	kill "$(guest_pid "$name")"
	guest_gone "$name" 30 || return
	rm -rf "${guest_dir:?}/$name"
	mv "$guest_dir/$next" "$guest_dir/$name"
	touch "$guest_dir/$name/ready"
}

# guest_sent NAME URI DEADLINE [TO] - until all of the guest has gone there
guest_sent()
{
	local state=''

	# An emulated machine needs its time for the last pages, too.
	guest_hmp "$1" "migrate_set_parameter downtime-limit 1000" &&
		guest_hmp "$1" "migrate -d \"$2\"" || return
	until [ "$state" = completed ]; do
		state=$(guest_hmp "$1" "info migrate" | tr -d '\r' | sed -n 's/^Migration status: //p')
		if [ "$state" = failed ] || ! guest_in_time "${4:-$1}" "$3"; then
			guest_hmp "$1" "info migrate" | sed 's/^/# /' >&2
			return 1
		fi
		sleep 0.2
	done
}

guest_save()
{
	guest_hmp "$1" stop && guest_sent "$1" "exec:cat >$2" $((SECONDS + $(guest_patience))) || return
	kill "$(guest_pid "$1")"
	guest_gone "$1" 30
}

guest_restore()
{
	local name=$1 file=$2 deadline=$((SECONDS + $(guest_patience)))
	shift 2

	guest_start "$name" --from "$file" "$@" || return
	# It was stopped when it was saved.
	until guest_hmp "$name" "info status" 2>/dev/null | grep -q "VM status: running"; do
		guest_in_time "$name" $deadline || { guest_log "$name" >&2; return 1; }
		guest_hmp "$name" cont >/dev/null 2>&1
		sleep 0.2
	done
	touch "$guest_dir/$name/ready"
}

# guest_move FROM TO - until the one runs what ran in the other
guest_move()
{
	local socket=$guest_dir/$2/incoming deadline=$((SECONDS + $(guest_patience)))

	until [ -S "$socket" ]; do
		guest_in_time "$2" $deadline || return
		sleep 0.1
	done
	guest_sent "$1" "unix:$socket" $deadline "$2" || return
	guest_hmp "$1" "info migrate" | tr -d '\r' |
		grep -E '^(total time|downtime|transferred ram):' | sed 's/^/# /'
	until guest_hmp "$2" "info status" 2>/dev/null | grep -q "VM status: running"; do
		guest_in_time "$2" $deadline || return
		sleep 0.1
	done
}

guest_stop()
{
	local name rc=0

	for name; do
		guest_alive "$name" && echo stop >"$guest_dir/$name/agent.in"
	done
	for name; do
		guest_gone "$name" "$(($(guest_patience) / 4))" && continue
		echo "# guest $name did not power off" >&2
		guest_kill "$name"
		rc=1
	done
	return $rc
}
