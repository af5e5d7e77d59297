#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ivmctl region, and what udev makes of regions. In the test machine, as root,
# with the module loaded.

# shellcheck source=../lib/ktap.sh
. "$IVSHM_TOP/selftests/lib/ktap.sh"
# shellcheck source=../lib/ivmctl.sh
. "$IVSHM_TOP/selftests/lib/ivmctl.sh"

shows()
{
	says 0 '' region add pool size 1M node 0 mode 0660 group kvm || return
	says 0 '' region add other size 2097152 page 2M || return
	"$ivmctl" region show >"$out"
	cat "$out"
	diff - "$out" <<-END
		REGION  DEVICE  SIZE  PAGE  NODE  MODE  OWNER      USERS
		pool    ivshm0    1M    4K     0  0660  root:kvm       0
		other   ivshm1    2M    2M     -  0600  root:root      0
	END
}

json()
{
	"$ivmctl" -j region show other >"$out"
	cat "$out"
	diff - "$out" <<-END
		[{"name":"other","number":1,"state":"ready","size":2097152,"page_size":2097152,"mode":"0600","uid":0,"gid":0,"users":0,"swaps":[]}]
	END
}

refuses()
{
	says 1 'name "pool": a region of that name exists: File exists' region add pool size 4K &&
		says 1 'size 12288: the size must be a power of two' region add x size 12K &&
		says 1 'name "a/b": name of a region must be' region add a/b size 4K &&
		says 1 'mode 6660: the mode must be of read and write permissions' region add x size 4K mode 6660 &&
		says 1 'page 1048576: pages must be of 4 KiB or 2 MiB' region add x size 4M page 1M &&
		says 1 'name "x": no such region' region del x &&
		says 1 'name "x": no such region' region show x || return
	setpriv --reuid 65534 --clear-groups "$ivmctl" region add x size 4K >"$out" 2>&1
	cat "$out"
	grep -q 'need CAP_SYS_ADMIN in the initial user namespace: Operation not permitted$' "$out"
}

busy()
{
	exec 7<>/dev/ivshm0
	says 1 'only by force can it be deleted: Device or resource busy' region del pool &&
		says 0 '"users":1' -j region show pool || return
	exec 7<&-
	says 0 '' region del pool
}

# What is swapped is in a table, and in JSON.
swaps()
{
	local rc=0

	says 0 '' region add vm size 1M && says 0 '' region add share size 64K || return
	says 0 '' region swap vm at 512K pool share size 32K offset 16K &&
		says 1 'offset 0: others have these pages: only what the pool has in them can stay' \
			region swap vm at 0 pool share size 64K offset 0 || rc=1
	"$ivmctl" region show vm >"$out"
	cat "$out"
	diff - "$out" <<-END || rc=1
		REGION  DEVICE  SIZE  PAGE  NODE  MODE  OWNER      USERS
		vm      ivshm2    1M    4K     -  0600  root:root      0

		SWAPPED    AT  SIZE  POOL   OFFSET
		vm       512K   32K  share     16K
	END
	says 0 '"swaps":[{"at":524288,"size":32768,"pool":"share","offset":16384}]' -j region show vm &&
		says 1 'at 524288: the range has pages of another region in place already: Device or resource busy' \
			region swap vm at 512K pool share size 4K || rc=1
	says 1 'pool "other": both regions must be made of pages of the same size' \
		region swap vm at 0 pool other size 4K &&
		says 1 'at 0: no range that has pages of another region begins there' \
			region swap vm at 0 back &&
		says 1 'only by force can it be deleted' region del share &&
		says 0 '' region swap vm at 512K back && says 0 '"swaps":[]' -j region show vm &&
		says 0 '' region swap vm at 0 pool share size 4K &&
		says 0 '' region swap vm at 0 back force && says 0 '' region del vm share || rc=1
	return "$rc"
}

# relayed_sound DEVICE WAIT - played WAIT seconds after somebody is there to record it
relayed_sound()
{
	local bytes=300000 recorder

	{ sleep "$((1 - $2))"; timeout 60 "$relay" "$1" record "$bytes"; } >"$work/recorded" &
	recorder=$!
	sleep "$2"
	head -c "$bytes" /dev/urandom | tee "$work/played" | timeout 60 "$relay" "$1" play &&
		wait "$recorder" && cmp "$work/played" "$work/recorded"
}

# What was in the memory before is no sound, and no frame.
relays()
{
	local relay=$IVSHM_TOP/selftests/e2e/out/relay number i rc=0

	says 0 '' region add relay size 64K && says 0 '' -j region show relay || return
	number=$(sed -n 's/.*"number":\([0-9]*\).*/\1/p' "$out")
	for i in 1 2 3 4; do yes "$i" | head -c 20000; done | "$relay" "/dev/ivshm$number" show 20000 &&
		[ "$(timeout 60 "$relay" "/dev/ivshm$number" watch 1 | sort | uniq -c | tr -s ' ')" = ' 10000 4' ] &&
		relayed_sound "/dev/ivshm$number" 1 && relayed_sound "/dev/ivshm$number" 0 &&
		relayed_sound "/dev/ivshm$number" 1 || rc=1
	says 0 '' region del relay && return "$rc"
}

changes()
{
	says 0 '' region add watched size 4K && says 0 '' region set watched mode 0666 &&
		says 0 '' region del watched
}

watches()
{
	local monitor rc=0

	"$ivmctl" -j monitor region >"$work/events" &
	monitor=$!
	sleep 1
	changes || rc=1
	sleep 1
	kill "$monitor"
	wait "$monitor" || rc=1
	cat "$work/events"
	[ "$(grep -c '"event":"region","region":"watched"' "$work/events")" = 3 ] &&
		tail -n 1 "$work/events" | grep -q '"old":"ready","new":"gone","reason":"config"}$' &&
		return "$rc"
}

settled()
{
	udevadm settle --timeout 30
	stat -c '%N %a %U:%G' "$1"
	[ "$(stat -L -c '%a %U:%G' "$1")" = "$2" ]
}

named()
{
	local device

	says 0 '' region add named size 4K mode 0640 group kvm || return
	settled /dev/ivshm/named '640 root:kvm' || return
	device=$(readlink -f /dev/ivshm/named)
	says 0 '' region set named mode 0606 owner nobody group 0 || return
	settled /dev/ivshm/named '606 nobody:root' || return
	says 0 '' region del named && udevadm settle --timeout 30
	[ ! -e /dev/ivshm/named ] && [ ! -e "$device" ]
}

udev()
{
	local rc=0

	[ -x /lib/systemd/systemd-udevd ] || { echo "no udevd"; return "$KSFT_SKIP"; }
	make -s -C "$IVSHM_TOP" install-host || return
	# Of its output nothing must wait for its end.
	/lib/systemd/systemd-udevd --daemon >/dev/null 2>&1 || return
	named || rc=1
	udevadm control --exit
	return "$rc"
}

ends()
{
	says 0 '' region add last size 4K || return
	exec 7<>/dev/ivshm0
	says 0 '' region del last other force && says 0 '' region || return
	exec 7<&-
	[ ! -s "$out" ]
}

ktap_test "add and show" shows
ktap_test "JSON" json
ktap_test "what is refused, and the words for it" refuses
ktap_test "swapped ranges" swaps
ktap_test "busy" busy
ktap_test "frames and sound by relay" relays
ktap_test "monitor" watches
ktap_test "udev: name, owner, permissions" udev
ktap_test "by force" ends
ktap_done
