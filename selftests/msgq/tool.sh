#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ivmctl peer, and the examples of libivshm. In the test machine, as root, with the
# module loaded.

# shellcheck source=../lib/ktap.sh
. "$IVSHM_TOP/selftests/lib/ktap.sh"
# shellcheck source=../lib/ivmctl.sh
. "$IVSHM_TOP/selftests/lib/ivmctl.sh"

library=$IVSHM_TOP/tools/libivshm

shows()
{
	says 0 '' peer allow a b && says 0 '' peer allow b a messages 10 pages 0 bytes 1M || return
	says 0 '' peer allow b c || return
	"$ivmctl" peer >"$out"
	cat "$out"
	diff - "$out" <<-END || return
		FROM  TO  MESSAGES    PAGES      BYTES  SENT
		a     b      0/256  0/32768        0/-     0
		b     a       0/10      0/-  0/1048576     0
		b     c      0/256  0/32768        0/-     0
	END
	says 0 '"from":"b","to":"a","messages":10,"pages":0,"bytes":1048576' -j peer show b a || return
	[ "$(grep -o '"from"' "$out" | wc -l)" = 1 ] || return
	says 0 'b -> c' -s peer show b
}

refuses()
{
	says 1 'receiver "a": a region does not send to itself: Invalid argument' peer allow a a &&
		says 1 'sender "a/b": no region can have that name' peer allow a/b c &&
		says 1 'messages 0: messages must be 1 to 4096' peer allow a b messages 0 &&
		says 1 'messages 4097: messages must be 1 to 4096' peer allow a b messages 4097 &&
		says 1 'receiver "x": it may not send there as it is' peer deny a x || return
	setpriv --reuid 65534 --clear-groups "$ivmctl" peer allow x y >"$out" 2>&1
	cat "$out"
	grep -q 'need CAP_NET_ADMIN in the initial user namespace: Operation not permitted$' "$out"
}

denies()
{
	says 0 '' peer deny b c && says 0 '' peer show b c || return
	[ ! -s "$out" ]
}

windows()
{
	says 0 '' region add a size 1M && says 0 '' region add b size 1M
}

# A page goes there and comes back, in capitals, from somebody known.
replies()
{
	local server rc=0

	"$library/reply" serve /dev/ivshm0 >"$work/served" 2>&1 &
	server=$!
	sleep 1
	"$library/reply" ask /dev/ivshm1 /dev/ivshm0 'is anybody there?' >"$out" 2>&1 || rc=1
	kill "$server"
	wait "$server"
	cat "$work/served" "$out"
	grep -q '^4096 bytes from b, process [1-9][0-9]*, user 0$' "$work/served" &&
		[ "$(<"$out")" = 'IS ANYBODY THERE?' ] && return "$rc"
}

sends_much()
{
	local taker rc=0

	"$library/bulk" take /dev/ivshm0 >"$out" 2>&1 &
	taker=$!
	sleep 1
	"$library/bulk" send /dev/ivshm1 /dev/ivshm0 1000 || rc=1
	wait "$taker" || rc=1
	cat "$out"
	grep -q "^$((1000 * 262144)) bytes, " "$out" && return "$rc"
}

# Who is not on the list is told so.
not_permitted()
{
	says 0 '' peer deny b a || return
	"$library/bulk" take /dev/ivshm0 >/dev/null 2>&1 &
	sleep 1
	"$library/bulk" send /dev/ivshm1 /dev/ivshm0 1 >"$out" 2>&1 && return 1
	kill %%
	wait
	cat "$out"
	[ "$(<"$out")" = 'send: Permission denied' ]
}

ktap_test "allow and show" shows
ktap_test "what is refused, and the words for it" refuses
ktap_test "deny" denies
ktap_test "regions" windows
ktap_test "request and reply" replies
ktap_test "much data" sends_much
ktap_test "not permitted" not_permitted
ktap_done
