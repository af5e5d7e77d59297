#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Configuration files against the module: what "apply", "diff", "save", "try" and
# "confirm" of ivmctl make of the couplings. As root, with the module loaded, in a
# network namespace of its own.

# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=wrong.sh
. "$here/wrong.sh"

cat >three.conf <<'END'
# Three couplings, as people write them.
[coupling lan0]
	type = dynamic
	members = vnet0 vnet1
		vnet2		; goes on
	threshold = 5
	idle = never

[coupling cross]
type=static
members = tap-a   tap-b

[coupling lan2]
type = dynamic
members = bypass idle "quoted" tap,1
bypass = yes
park-us = 0
END

round_trip()
{
	clear && run 0 apply three.conf &&
		says out '3 added, 0 changed, 0 replaced, 0 deleted, 0 unchanged' &&
		run 0 diff three.conf && [ ! -s out ] && [ ! -s err ] || return
	run 0 -j coupling show lan0 && says out '"threshold":5,"idle":0,"park_us":1000,"bypass":false,"strict":false,"match":"mac","disabled":false,"full":"park","rate_bytes":0,"rate_frames":0,"members"' &&
		says out '"members":[{"name":"vnet0","present":false,"implicit":false},{"name":"vnet1","present":false,"implicit":false},{"name":"vnet2","present":false,"implicit":false}]' ||
		return
	run 0 -j coupling show cross && says out '"type":"static"' && says out '"name":"tap-a"' || return

	# What is saved is the same again, and so is what is saved of that.
	run 0 save saved.conf && state >state.three && diff saved.conf state.three &&
		run 0 diff saved.conf && run 0 apply saved.conf &&
		says out '0 added, 0 changed, 0 replaced, 0 deleted, 3 unchanged' || return
	clear && run 0 apply saved.conf && same_as state.three
}

# listen - to what becomes of couplings, in the file events; its number in $monitor
listen()
{
	"$ivmctl" -j monitor coupling >events 2>&1 &
	monitor=$!
	until grep -q -s . events; do
		# Its first line says that it listens.
		"$ivmctl" coupling add probe static p0 p1 && "$ivmctl" coupling del probe
		sleep 0.1
	done
}

# listened - all that was said is there
listened()
{
	sleep 0.3
	kill "$monitor"
	wait "$monitor"
	return 0
}

replaced()
{
	local before after monitor

	clear && run 0 apply three.conf || return
	listen
	sed -e 's/threshold = 5/threshold = 6\nbypass = yes/' -e '/lan2/,$d' three.conf >changed.conf
	printf '[coupling lan3]\ntype = static\nmembers = a b\n' >>changed.conf
	before=$("$ivmctl" -j coupling show cross)

	run 1 diff changed.conf || return
	printf 'coupling %s\n' 'del lan2' 'del lan0' \
		'add lan0 dynamic vnet0 vnet1 vnet2 threshold 6 idle never bypass yes' \
		'add lan3 static port a port b' >want
	diff want out || return
	run 0 apply --dry-run changed.conf && diff want out || return
	run 0 diff three.conf || return
	run 0 apply changed.conf && says out '1 added, 0 changed, 1 replaced, 1 deleted, 1 unchanged' || return

	listened
	after=$("$ivmctl" -j coupling show cross)
	if [ "$before" != "$after" ] || grep cross events; then
		echo "what did not change was touched"
		return 1
	fi
	[ "$(grep -c '"coupling":"lan0"' events)" = 2 ] || { cat events; return 1; }
}

# What can be changed while frames flow is changed, and nothing else happens.
changed()
{
	local monitor

	clear && run 0 apply three.conf && state >state.three || return
	listen
	sed -e 's/threshold = 5/threshold = 6/' -e 's/park-us = 0/park-us = 7\nidle = 3/' three.conf >changed.conf
	run 1 diff changed.conf || return
	printf 'coupling change %s\n' 'lan0 threshold 6' 'lan2 idle 3 park-us 7' >want
	diff want out || return
	run 0 -j apply changed.conf && says out '"action":"change","coupling":"lan0"' || return
	run 0 diff changed.conf && run 0 apply three.conf && says out '0 added, 2 changed, 0 replaced' &&
		same_as state.three || return
	listened
	! grep lan events || return

	# Away for a while, and back.
	sed 's/threshold = 5/&\ndisabled = yes/' three.conf >off.conf
	run 0 apply off.conf && says out '1 changed' && run 0 coupling show lan0 && says out 'lan0: dynamic, disabled' &&
		run 0 diff off.conf && run 0 apply --dry-run three.conf && says out 'coupling change lan0 disabled no' || return
	state >state.off && clear && run 0 apply state.off && same_as state.off || return
	run 0 apply three.conf && same_as state.three
}

cat >policy.conf <<'END'
[coupling tenants]
type = static
members = vnet0 vnet1 vnet2 vnet3
rate-bytes = 12500k
rate-frames = 1Mi
full = drop
deny = vnet1:vnet2 vnet[23]:vnet1
	vnet3:vnet*	; goes on

[coupling lan0]
type = dynamic
members = tap-* tap9
deny = tap-*:tap-*
END

# Rates, and who is denied: as declared, saved, and changed while frames flow.
policy()
{
	local monitor

	clear && run 0 apply policy.conf && says out '2 added' && run 0 diff policy.conf || return
	run 0 -j coupling show tenants &&
		says out '"full":"drop","rate_bytes":12500000,"rate_frames":1048576,"deny":[{"src":"vnet1","dst":"vnet2"},{"src":"vnet[23]","dst":"vnet1"},{"src":"vnet3","dst":"vnet*"}],"members"' ||
		return
	run 0 coupling show tenants && says out 'full drop, rate-bytes 12500000/s, rate-frames 1048576/s' &&
		says out '    deny vnet1 -> vnet2, vnet[23] -> vnet1, vnet3 -> vnet*' || return
	run 0 save saved.conf && state >state.policy && diff saved.conf state.policy &&
		says saved.conf 'deny = vnet1:vnet2 vnet[23]:vnet1 vnet3:vnet*' && run 0 diff saved.conf &&
		clear && run 0 apply saved.conf && same_as state.policy || return

	listen
	sed -e '/full/d' -e 's/12500k/none/' -e 's/vnet1:vnet2/vnet0:vnet2/' policy.conf >changed.conf
	run 1 diff changed.conf || return
	printf 'coupling change %s\n' \
		'tenants full park rate-bytes none allow vnet1 vnet2 deny vnet0 vnet2' >want
	diff want out || return
	run 0 apply changed.conf && says out '0 added, 1 changed, 0 replaced' && run 0 diff changed.conf || return
	listened
	! grep -E 'tenants|lan0' events || return
	# Order is nothing, and what is printed is what can be typed.
	sed 's/vnet0:vnet2 \(.*\)/\1 vnet0:vnet2/' changed.conf >order.conf
	run 0 diff order.conf && run 0 diff changed.conf || return
	clear && run 1 diff policy.conf && sort -r out >made && run 0 -batch made && same_as state.policy || return
	run 0 coupling change tenants rate-frames 0 && run 1 diff policy.conf &&
		says out 'coupling change tenants rate-frames 1048576' || return

	# The kernel says what it does not take.
	printf '[coupling x]\ntype = static\nmembers = a b\ndeny = a:c\n' >wrong.conf
	run 1 apply --keep wrong.conf && says err 'wrong.conf:1: cannot add coupling x: pair "a": no member of the coupling has such a name'
}

cat >rules.conf <<'END'
[coupling by-rule]
type = dynamic
members = vnet9 tap-* fd00:0::7 10.0.0.1
	52:54:00:AA:bb:cc [ev]th?
upper = br7 br8
strict = yes

[address 52:54:00:AA:BB:CC]
port = vnet9

[coupling by-ip]
type = dynamic
members = vnet7 10.1.0.1
match = ip
disabled = yes

[address 10.1.0.1]
	port = vnet8
	lladdr = 52:54:00:00:00:08
[address FD00:0:0::8]
port = vnet8
END

rules_and_addresses()
{
	clear && run 0 apply rules.conf && says out '5 added, 0 changed, 0 replaced, 0 deleted, 0 unchanged' || return
	run 0 diff rules.conf && [ ! -s out ] || return
	run 0 -j coupling show by-rule && says out '"strict":true' &&
		says out '"rules":[{"glob":"tap-*"},{"ip":"fd00::7"},{"ip":"10.0.0.1"},{"mac":"52:54:00:aa:bb:cc"},{"glob":"[ev]th?"},{"upper":"br7"},{"upper":"br8"}]' ||
		return
	run 0 -j coupling show by-ip && says out '"state":"disabled"' && says out '"match":"ip"' || return
	run 0 -j address show && says out '{"ip":"fd00::8","port":"vnet8","configured":true}' &&
		says out '{"ip":"10.1.0.1","port":"vnet8","configured":true,"lladdr":"52:54:00:00:00:08"}' || return

	# Saved, read back, and as commands.
	state >state.rules && run 0 diff state.rules && clear && [ "$("$ivmctl" -j address)" = '[]' ] &&
		run 0 apply state.rules && same_as state.rules || return
	clear && run 0 apply --dry-run rules.conf && mv out batch && "$ivmctl" -batch batch && same_as state.rules || return
	# Who is strict needs the addresses before, and as long as it is there.
	[ "$(grep -n '^address' batch | tail -n 1 | cut -d: -f1)" = 3 ] || return
	run 1 diff - </dev/null && [ "$(head -n 2 out | grep -c '^coupling del')" = 2 ] && mv out batch &&
		"$ivmctl" -batch batch && run 0 diff - </dev/null
}

addresses_differ()
{
	local line

	clear && run 0 apply rules.conf && state >state.rules || return
	sed -e 's/^port = vnet9/port = vnet6/' -e '/FD00/,$d' rules.conf >moved.conf
	printf '[address 10.3.0.1]\nport = vnet3\n' >>moved.conf
	run 1 diff moved.conf || return
	printf 'address %s\n' 'del fd00::8' 'del 52:54:00:aa:bb:cc' 'add 52:54:00:aa:bb:cc port vnet6' \
		'add 10.3.0.1 port vnet3' >want
	diff want out && run 0 apply moved.conf && says out '1 added, 0 changed, 1 replaced, 1 deleted, 3 unchanged' &&
		run 0 diff moved.conf || return
	# The kernel refuses the last one: all that was done before is undone.
	run 0 apply rules.conf && same_as state.rules && cp moved.conf refused.conf &&
		printf '[address 255.255.255.255]\nport = vnet3\n' >>refused.conf || return
	line=$(($(grep -n -F 255.255.255.255 refused.conf | cut -d: -f1)))
	run 1 apply refused.conf && says err "refused.conf:$line: cannot add address 255.255.255.255: " &&
		says err 'not an address that a port can have' && says err 'nothing was changed' && same_as state.rules
}

batch_is_apply()
{
	clear && "$ivmctl" apply three.conf >/dev/null && state >state.three || return
	clear && run 0 apply --dry-run three.conf && mv out batch && "$ivmctl" -batch batch && same_as state.three
}

keep()
{
	clear && "$ivmctl" coupling add mine static m0 m1 || return
	run 1 diff --keep three.conf && ! grep -q mine out || return
	run 0 apply --keep three.conf && says out '3 added, 0 changed, 0 replaced, 0 deleted, 0 unchanged, 1 kept' || return
	run 0 diff --keep three.conf && run 1 diff three.conf && says out 'coupling del mine' || return
	run 0 apply three.conf && says out '0 added, 0 changed, 0 replaced, 1 deleted, 3 unchanged' && run 1 coupling show mine
}

json()
{
	clear && "$ivmctl" coupling add cross static tap-a other || return
	run 1 -j diff three.conf && python3 - <<-'END' || return
		import json
		changes = json.load(open("out"))
		assert [(c["action"], c["coupling"]) for c in changes] == [
		    ("replace", "cross"), ("add", "lan0"), ("add", "lan2")], changes
		assert changes[0]["before"]["members"][1]["name"] == "other"
		assert changes[0]["file"] == "three.conf" and changes[0]["line"] == 9
		assert "before" not in changes[1] and changes[2]["after"]["bypass"] is True
	END
	run 0 -p apply three.conf && python3 -m json.tool out >/dev/null || return
	run 0 -j save && python3 -c 'import json; assert [c["name"] for c in json.load(open("out"))["couplings"]] == ["cross", "lan0", "lan2"]'
}

directories()
{
	mkdir -p d/20.conf e &&
		printf '[coupling b]\ntype = static\nmembers = b0 b1\n' >d/20-b.conf &&
		printf '[coupling a]\ntype = static\nmembers = a0 a1\n' >d/10-a.conf &&
		echo nonsense >d/README && echo nonsense >d/.hidden.conf && ln -sf 10-a.conf d/link || return
	run 1 apply d && says err 'd/20.conf is not a file' && rmdir d/20.conf || return
	clear && run 0 apply d/ && says out '2 added' || return
	# In the order of their names, and the second one has the mistake.
	cp d/10-a.conf d/30-c.conf
	run 2 apply d && says err 'd/30-c.conf:1: coupling a is declared a second time' &&
		says err '(first: d/10-a.conf:1)' || return
	rm d/30-c.conf
	run 0 diff d/10-a.conf d/20-b.conf && run 0 apply - <d/10-a.conf && says out '1 deleted, 1 unchanged' || return
	run 1 apply missing && says err 'cannot open missing: No such file' || return
	# An empty one is a statement, too.
	run 0 apply e && says out '1 deleted'
}

default_directory()
{
	local dir=/etc/ivshm/couplings.d

	rm -rf "$dir"
	clear && run 1 apply && says err "cannot open $dir: No such file" || return
	mkdir -p "$dir" && cp three.conf "$dir" && run 0 apply && says out '3 added' && run 0 diff
	rm -rf "$dir"
}

netns()
{
	clear && ip netns add config-test || return
	run 0 -n config-test apply three.conf && says out '3 added' && run 0 -n config-test diff three.conf &&
		run 1 diff three.conf && run 0 -n config-test apply - </dev/null
	status=$?
	ip netns del config-test
	return "$status"
}

# err_has TEXT TEXT - a line of err has both. Without another process: it is asked often.
err_has()
{
	local line

	while IFS= read -r line; do
		[[ $line == *"$1"*"$2"* ]] && return
	done <err
	return 1
}

# What is refused is refused for each of many reasons, and nothing changes. Of the
# reasons one in four: that all are told is seen by the tests of ivmctl.
wrong_one()
{
	local line=$1 text=$2

	cat >wrong.conf
	wrong_nr=$((wrong_nr + 1))
	[ $((wrong_nr % 4)) = 0 ] || return 0
	if ! run 2 apply wrong.conf || ! err_has "wrong.conf:$line: " "$text"; then
		echo "file $wrong_nr: expected line $line: $text"
		cat err wrong.conf
		wrong_failed=1
	fi
}

wrong_inputs()
{
	wrong_nr=0 wrong_failed=0
	clear && "$ivmctl" apply three.conf >/dev/null && state >state.three || return
	wrong_files wrong_one
	echo "$wrong_nr files"
	[ "$wrong_nr" -ge 50 ] && [ "$wrong_failed" = 0 ] && same_as state.three
}

# Many that are right, then one whose member another coupling has.
refused_in_the_middle()
{
	clear && "$ivmctl" apply three.conf >/dev/null && "$ivmctl" coupling add taken static x0 x1 &&
		state >state.before || return
	many 300 | sed -e '/coupling c200\]/,/members/s/members.*/members = x1 x2/' >many.conf
	sed 's/threshold = 5/threshold = 7/' three.conf >>many.conf
	run 1 apply --keep many.conf &&
		says err 'many.conf:601: cannot add coupling c200: port "x1": member belongs to another coupling: Device or resource busy' &&
		says err 'nothing was changed: what had been done was undone' && same_as state.before || return

	# Without --keep the one in the way goes, so it works.
	run 0 apply many.conf && says out '300 added, 1 changed, 0 replaced, 1 deleted, 2 unchanged'
}

refused_nobody()
{
	clear && "$ivmctl" apply three.conf >/dev/null && state >state.before || return
	sed 's/threshold = 5/threshold = 8/' three.conf >other.conf
	cp "$ivmctl" ivmctl && chmod -R a+rX . && rc=0
	setpriv --reuid nobody --clear-groups --inh-caps -all --bounding-set -all \
		./ivmctl apply other.conf >out 2>err || rc=$?
	[ "$rc" = 1 ] && says err 'other.conf:2: cannot change coupling lan0: Operation not permitted (this needs CAP_NET_ADMIN)' &&
		same_as state.before
}

# Names that the kernel takes and that a file cannot have.
save_refuses()
{
	clear && "$ivmctl" coupling add 'a]b' static s0 s1 || return
	run 1 save && says err 'coupling a]b cannot be saved' && [ ! -s out ] || return
	clear && "$ivmctl" coupling add ok static '#s0' s1 || return
	run 1 save && says err 'coupling ok cannot be saved' || return
	# One by one they can be deleted nevertheless, by what diff says.
	run 1 diff - </dev/null && "$ivmctl" -batch out && [ "$("$ivmctl" -j coupling)" = '[]' ]
}

save_file()
{
	clear && "$ivmctl" apply three.conf >/dev/null || return
	echo old >target && chmod 0640 target && ln -sf target link && run 0 save link || return
	[ -L link ] && [ "$(stat -c %a target)" = 640 ] && run 0 diff target || return
	run 1 save /no/such/place && says err 'cannot write /no/such/place: No such file' || return
	run 1 save d && says err 'cannot write d: it is not a file' || return
	mkdir -p full && mount -t tmpfs -o size=4k none full && head -c 4096 /dev/zero >full/fill || return
	run 1 save full/x && says err 'No space left' && [ "$(ls full)" = fill ]
	status=$?
	umount full
	return "$status"
}

# try_start ARGUMENTS... - in the background, until it waits; its number in $pid
try_start()
{
	local i

	setsid "$ivmctl" try "$@" three.conf >try.out 2>try.err </dev/null &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		grep -q 'Taken back in' try.out && return
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	echo "it does not wait:"
	cat try.out try.err
	return 1
}

# try_end STATUS TEXT - it ends so, and says TEXT
try_end()
{
	local rc=0

	wait "$pid" || rc=$?
	[ "$rc" = "$1" ] || { echo "exit status $rc, not $1"; cat try.out try.err; return 1; }
	cat try.out try.err >try.all
	says try.all "$2"
}

# Not one that has ended, and whose parent is stopped.
guard_pid() { pgrep -x -r D,R,S ivmctl-guard; }

# Nobody guards any more, and all is as before.
taken_back()
{
	local i

	for ((i = 0; i < 100; i++)); do
		guard_pid >/dev/null || break
		sleep 0.1
	done
	if guard_pid; then
		echo "the guard stays"
		return 1
	fi
	same_as state.before
}

try_begin()
{
	clear && "$ivmctl" coupling add lan0 static o0 o1 && "$ivmctl" coupling add old static o2 o3 &&
		state >state.before && try_start "$@"
}

try_confirm()
{
	try_begin 60 || return
	[ "$("$ivmctl" -j coupling | grep -o '"type"' | wc -l)" = 3 ] || return
	run 1 try 5 - </dev/null && says err 'another ivmctl try waits to be confirmed' || return
	cp "$ivmctl" ivmctl && chmod -R a+rX . || return
	setpriv --reuid nobody --clear-groups ./ivmctl confirm 2>err && return 1
	says err 'another user' && kill -0 "$pid" || return
	run 0 confirm && try_end 0 'The changes are kept.' && run 0 diff three.conf || return
	[ -z "$(guard_pid)" ] && run 1 confirm && says err 'there is nothing to confirm'
}

try_timeout()
{
	local start=$SECONDS

	try_begin 2 && try_end 1 'not confirmed in time: the changes were taken back' && taken_back &&
		[ $((SECONDS - start)) -ge 2 ]
}

try_nothing()
{
	clear && "$ivmctl" apply three.conf >/dev/null && run 0 try 60 three.conf && says out '0 deleted, 3 unchanged'
}

try_signal()
{
	try_begin 60 && kill -"$1" "$pid" && try_end 1 'interrupted: the changes were taken back' && taken_back
}

try_killed()
{
	try_begin 60 && kill -KILL "$pid" && try_end 137 'ivmctl try was killed: the changes were taken back' 2>/dev/null
	taken_back && says try.err 'ivmctl try was killed: the changes were taken back'
}

try_stopped()
{
	try_begin 5 && kill -STOP "$pid" || return
	sleep 5
	taken_back && says try.err 'not confirmed: the changes were taken back' || return
	kill -CONT "$pid"
	try_end 1 'not confirmed in time' && same_as state.before
}

try_guard_killed()
{
	try_begin 5 && kill -KILL "$(guard_pid)" && try_end 1 'not confirmed in time: the changes were taken back' &&
		taken_back
}

# Others may change what the trial did not.
try_others()
{
	try_begin 60 && "$ivmctl" coupling add new static n0 n1 && "$ivmctl" coupling del cross || return
	kill -TERM "$pid" && try_end 1 'the changes were taken back' || return
	"$ivmctl" coupling show new >/dev/null && "$ivmctl" coupling del new && taken_back
}

# terminal KEYS - try on a terminal where KEYS are typed once it waits
terminal()
{
	clear && "$ivmctl" coupling add lan0 static o0 o1 && state >state.before || return
	rm -f typed && mkfifo typed && : >try.out && : >try.err
	script -q -e -c "$ivmctl try 60 three.conf" /dev/null <typed >try.out 2>&1 &
	pid=$!
	exec 7>typed
	until grep -q 'Taken back in' try.out || ! kill -0 "$pid"; do sleep 0.1; done
	[ -z "$1" ] || printf %b "$1" >&7
}

terminal_enter()
{
	terminal '\n' && try_end 0 'kept' && exec 7>&- && run 0 diff three.conf
}

terminal_no()
{
	terminal 'what\nno\n' && try_end 1 'declined: the changes were taken back' && exec 7>&- && taken_back &&
		says try.out 'Enter or "yes" to keep'
}

terminal_interrupt()
{
	terminal '\003' && try_end 1 'interrupted: the changes were taken back' && exec 7>&- && taken_back
}

terminal_end_of_file()
{
	terminal '\004' && try_end 1 'taken back' && exec 7>&- && taken_back
}

terminal_hangup()
{
	# With the terminal's master side, the terminal goes.
	terminal '' && kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	exec 7>&-
	taken_back
}

# many NR - so many couplings of two
many()
{
	seq 0 $(($1 - 1)) | awk '{ printf "[coupling c%d]\ntype = dynamic\nmembers = c%da c%db\n", $1, $1, $1 }'
}

# many_addresses NR - so many addresses
many_addresses()
{
	seq 0 $(($1 - 1)) |
		awk '{ printf "[address 52:54:00:01:%02x:%02x]\nport = c%da\n", $1 / 256, $1 % 256, $1 }'
}

# In a namespace of their own, where nothing else is.
thousand()
{
	local status

	ip netns add big && (
		in_big() { run "$1" -n big "${@:2}"; }
		thousand_at_once && too_many && thousand_deleted
	)
	status=$?
	ip netns del big
	return "$status"
}

thousand_at_once()
{
	# Half a second on a machine of its own.
	local ms try limit=2000

	# Measured, but not judged, where everything is watched.
	! grep -q ' kasan_report$' /proc/kallsyms || limit=60000
	{ many 1000 && many_addresses 1000; } >many.conf
	# Something else may keep the machine below busy for a moment.
	for try in 1 2 3 4 5; do
		in_big 0 apply - </dev/null || return
		ms=$(date +%s%3N)
		in_big 0 apply many.conf && says out '2000 added' || return
		ms=$(($(date +%s%3N) - ms))
		echo "1000 couplings and 1000 addresses: $ms ms (try $try)"
		[ "$ms" -ge "$limit" ] || break
	done
	[ "$ms" -lt "$limit" ] || return
	ms=$(date +%s%3N)
	in_big 0 apply many.conf && says out '2000 unchanged' || return
	echo "the same again, nothing to do: $(($(date +%s%3N) - ms)) ms"
	sed -i '500,501s/dynamic/static/' many.conf
	ms=$(date +%s%3N)
	in_big 0 apply many.conf && says out '0 added, 0 changed, 1 replaced, 0 deleted, 1999 unchanged' || return
	echo "one of them replaced: $(($(date +%s%3N) - ms)) ms"
}

# The kernel has a limit, which the 25th of these is beyond.
too_many()
{
	many 1025 | sed 1,3000d >more.conf
	"$ivmctl" -n big save >before && in_big 1 apply --keep more.conf &&
		says err 'more.conf:73: cannot add coupling c1024: ' &&
		says err 'too many couplings in this namespace' && says err 'nothing was changed' &&
		"$ivmctl" -n big save >after && diff before after
}

# With a grace period for each it would take twenty seconds.
thousand_deleted()
{
	local ms limit=10000

	! grep -q ' kasan_report$' /proc/kallsyms || limit=60000
	ms=$(date +%s%3N)
	in_big 0 apply - </dev/null && says out '2000 deleted' || return
	ms=$(($(date +%s%3N) - ms))
	echo "all deleted: $ms ms"
	[ "$ms" -lt "$limit" ]
}

# What "make install" brings does what it says.
service()
{
	local unit=/usr/lib/systemd/system/ivshm-couplings.service example=/usr/share/doc/ivshm/couplings.conf.example
	local command dir=/etc/ivshm/couplings.d

	make -s -C "$top" install-host && make -s -C "$top/tools/ivmctl" install || return
	[ -d "$dir" ] && [ -f "$example" ] || return
	systemd-analyze verify --man=no "$unit" 2>&1 | grep ivshm && return 1
	clear && cp "$example" "$dir/example.conf" || return
	for key in ExecStart ExecReload; do
		command=$(sed -n "s/^$key=//p" "$unit")
		$command && run 0 diff "$dir" && [ "$("$ivmctl" -j coupling)" != '[]' ] || return
	done
	man -l /usr/share/man/man5/ivmctl-conf.5 >/dev/null 2>&1 || [ -f /usr/share/man/man5/ivmctl-conf.5 ]
}

ktap_test "config: apply, diff and save go round" round_trip
ktap_test "config: only what differs is touched" replaced
ktap_test "config: what can be changed is changed" changed
ktap_test "config: rates and denials go round, and change" policy
ktap_test "config: rules and addresses go round" rules_and_addresses
ktap_test "config: addresses that differ" addresses_differ
ktap_test "config: what a dry run prints is what apply does" batch_is_apply
ktap_test "config: apply --keep" keep
ktap_test "config: JSON" json
ktap_test "config: directories and several files" directories
ktap_test "config: the directory by default" default_directory
ktap_test "config: another network namespace" netns
ktap_test "config: wrong files change nothing, and the line is named" wrong_inputs
ktap_test "config: refused in the middle, undone" refused_in_the_middle
ktap_test "config: refused for want of privilege" refused_nobody
ktap_test "config: save refuses what would not read back" save_refuses
ktap_test "config: save replaces files at once" save_file
ktap_test "config: try, confirmed from elsewhere" try_confirm
ktap_test "config: try, not confirmed" try_timeout
ktap_test "config: try with nothing to change" try_nothing
for signal in TERM INT HUP; do
	ktap_test "config: try, SIG$signal" try_signal "$signal"
done
ktap_test "config: try, killed" try_killed
ktap_test "config: try, stopped for longer than its time" try_stopped
ktap_test "config: try, the guard killed" try_guard_killed
ktap_test "config: try leaves alone what others change" try_others
ktap_test "config: try on a terminal, Enter" terminal_enter
ktap_test "config: try on a terminal, no" terminal_no
ktap_test "config: try on a terminal, Ctrl-C" terminal_interrupt
ktap_test "config: try on a terminal, Ctrl-D" terminal_end_of_file
ktap_test "config: try on a terminal that hangs up" terminal_hangup
ktap_test "config: 1000 couplings and addresses at once, and too many" thousand
ktap_test "config: the service and its example" service
ktap_done
