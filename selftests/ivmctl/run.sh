#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of ivmctl that need no kernel module, under the address and undefined
# behaviour sanitizers. KTAP on standard output.
#
#   run.sh              build into a temporary directory and run
#   CC=clang run.sh     with another compiler

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
TOOL=$HERE/../../tools/ivmctl

TMP=$(mktemp -d) || exit 1
trap 'rm -rf "$TMP"' EXIT

# shellcheck source=../config/wrong.sh
. "$HERE/../config/wrong.sh"
# shellcheck source=tired.sh
. "$HERE/tired.sh"

export ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=exitcode=99
# Messages are compared as they are in English.
export LC_ALL=C
unset NO_COLOR

nr=0
failed=0

ok() { printf 'ok %d %s\n' $((++nr)) "$*"; }
skip() { printf 'ok %d %s # SKIP\n' $((++nr)) "$*"; }
not_ok()
{
	printf 'not ok %d %s\n' $((++nr)) "$*"
	failed=$((failed + 1))
}
diag() { sed 's/^/# /'; }

# run ARGUMENTS... - ivmctl; leaves $out, $err and $rc
run()
{
	"$TMP/ivmctl" "$@" >"$TMP/out" 2>"$TMP/err" </dev/null
	rc=$?
	out=$(<"$TMP/out")
	err=$(<"$TMP/err")
}

# verdict CONDITION-RESULT NAME - and what ivmctl said, if it failed
verdict()
{
	if (($1 == 0)); then
		ok "$2"
	else
		not_ok "$2"
		{
			echo "exit status $rc"
			cat "$TMP/out" "$TMP/err"
		} | diag
	fi
}

# refuse TEXT ARGUMENTS... - a usage error that says TEXT, and a usage line
refuse()
{
	local text=$1

	shift
	run "$@"
	[[ $rc == 2 && -z $out && $err == *"$text"*"usage: ivmctl"* ]]
	verdict $? "refused: ivmctl ${*@Q}"
}

# accept TEXT ARGUMENTS... - success that prints TEXT and no complaint
accept()
{
	local text=$1

	shift
	run "$@"
	[[ $rc == 0 && -z $err && $out == *"$text"* ]]
	verdict $? "accepted: ivmctl ${*@Q}"
}

# unloaded ARGUMENTS... - understood, but for want of the module not done
unloaded()
{
	if ((loaded)); then
		skip "understood: ivmctl ${*@Q}, but the module is loaded"
		return
	fi
	run "$@"
	[[ $rc == 1 && -z $out && $err == *"the kernel module ivshm is not loaded"*insmod* ]]
	verdict $? "understood: ivmctl ${*@Q}"
}

# batch STATUS TEXT ARGUMENTS... - of the batch on standard input
batch()
{
	local status=$1 text=$2

	shift 2
	cat >"$TMP/batch"
	run "$@" -batch "$TMP/batch"
	[[ $rc == "$status" && ${err//$TMP/} == *"$text"* ]]
	verdict $? "batch: $text"
}

# subtests PROGRAM - its results, as tests of ours
subtests()
{
	local line name plan=-1 seen=0

	"$TMP/$1" >"$TMP/out" 2>"$TMP/err"
	rc=$?
	while IFS= read -r line; do
		name=${line#*ok +([0-9]) }
		case $line in
		1..*) plan=${line#1..} ;;
		"ok "*"# SKIP") skip "$1: ${name% # SKIP}" ;;
		"ok "*) ok "$1: $name" ;;
		"not ok "*) not_ok "$1: $name" ;;
		"#"*) printf '%s\n' "$line" ;;
		esac
		[[ $line != "ok "* && $line != "not ok "* ]] || seen=$((seen + 1))
	done <"$TMP/out"
	# A crash, or a report of the sanitizers at the end.
	[[ $seen == "$plan" && $rc -le 1 ]]
	verdict $? "$1: ran to its end"
}

build()
{
	make -C "$HERE" O="$TMP" -s >"$TMP/log" 2>&1 && return
	printf 'TAP version 13\n1..1\nnot ok 1 build\n'
	tail -n 20 "$TMP/log" | diag
	exit 1
}

test_help()
{
	local object

	accept "usage: ivmctl" help
	accept "usage: ivmctl" --help
	accept "usage: ivmctl" -h
	accept "ivmctl " -V
	for object in port coupling address region peer monitor apply diff save try confirm doctor top metrics; do
		accept "ivmctl $object" "$object" help
		accept "ivmctl $object" help "$object"
	done
	accept "ivmctl coupling add NAME static|dynamic" co h
	refuse 'object or command "c" is ambiguous: coupling, capture' c h
}

test_words()
{
	refuse 'unknown object or command "prot", did you mean "port"?' prot
	refuse 'unknown object or command "couplings", did you mean "coupling"?' couplings
	refuse 'unknown object or command "bridge", expected one of: port, coupling, address, region, peer, capture, monitor, apply, diff, save, try, confirm, doctor, top, metrics, help' bridge
	refuse 'unknown object or command ""' ""
	refuse 'unknown verb "shwo", did you mean "show"?' port shwo
	refuse 'unknown verb "xyzzy", expected one of: show, add, del, help' address xyzzy
	refuse 'unknown verb "vnet0", to show a port: ivmctl port show vnet0' port vnet0
	refuse 'unknown verb "add"' port add
	refuse 'unknown verb "pairs"' monitor pairs
	refuse 'did you mean "port"?' help prt
	refuse 'unexpected argument "vnet1"' port show vnet0 vnet1
	refuse 'unexpected argument "x"' monitor all x
	refuse 'options go before the object: ivmctl -s port' port show -s
	refuse 'options go before the object: ivmctl --json coupling' coupling --json
	refuse 'a name must not be empty' port show ""
}

test_options()
{
	refuse 'unknown option "--jsno", did you mean "--json"?' --jsno port
	refuse 'unknown option "-x"' -x
	refuse 'option --netns needs an argument' --netns
	refuse 'option -b needs an argument' -b
	refuse 'unknown argument of --color "blue"' --color=blue port
	refuse 'did you mean "always"?' -c=alway port
	refuse 'cannot be the name of a network namespace' -n ../x port
	refuse 'beside a batch file' -b - port
	refuse '--force is for a batch only' --force port
	run -n no-such-namespace port
	[[ $rc == 1 && $err == *"cannot open network namespace no-such-namespace: No such file"* ]]
	verdict $? "network namespace that does not exist"
	run -b /no/such/file
	[[ $rc == 1 && $err == *"cannot open /no/such/file: No such file"* ]]
	verdict $? "batch file that does not exist"
	"$TMP/ivmctl" help >/dev/full 2>"$TMP/err"
	rc=$?
	[[ $rc == 1 && $(<"$TMP/err") == *"No space left"* ]]
	verdict $? "output that cannot be written"
}

test_coupling()
{
	refuse 'missing argument: NAME' coupling add
	refuse 'missing argument: the type' coupling add lan0
	refuse 'missing argument: PORT' coupling add lan0 dynamic
	refuse 'missing argument: a second PORT' coupling add lan0 static vnet0
	refuse 'missing argument: a second PORT' coupling add lan0 static vnet0 idle 3
	refuse 'unknown type "dinamic", did you mean "dynamic"?' coupling add lan0 dinamic a b
	refuse 'unknown type "vnet0", expected one of: static, dynamic' coupling add lan0 vnet0 vnet1
	refuse 'missing argument: the value of idle' coupling add lan0 dynamic a b idle
	refuse 'missing argument: the value of port' coupling add lan0 dynamic a b port
	refuse 'idle is given twice' coupling add lan0 dynamic a b idle 1 idle 2
	refuse 'threshold: "many" is not a whole number of frames per second' \
		coupling add lan0 dynamic a b threshold many
	refuse 'threshold: "-1" is not' coupling add lan0 dynamic a b threshold -1
	refuse 'threshold: "0x10" is not' coupling add lan0 dynamic a b threshold 0x10
	refuse 'threshold: "" is not' coupling add lan0 dynamic a b threshold ""
	refuse 'idle: "30s" is not a whole number of seconds' coupling add lan0 dynamic a b idle 30s
	refuse 'idle: 4294967296 seconds is out of range' coupling add lan0 dynamic a b idle 4294967296
	refuse 'park-us: 99999999999999999999999 microseconds is out of range' \
		coupling add lan0 dynamic a b park-us 99999999999999999999999
	refuse 'bypass: expected yes or no, not "maybe"' coupling add lan0 dynamic a b bypass maybe
	refuse 'unknown option "treshold", did you mean "threshold"?' \
		coupling add lan0 dynamic a b treshold 5
	refuse 'did you mean "park-us"?' coupling add lan0 dynamic a b park 5
	refuse 'options go before the object' coupling add -p lan0 dynamic a b
	refuse 'missing argument: NAME' coupling del
	refuse 'a name must not be empty' coupling del lan0 ""
	refuse 'unexpected argument "lan1"' coupling show lan0 lan1
	unloaded coupling add lan0 static vnet0 vnet1
	unloaded co a lan0 d vnet0 vnet1 threshold 5 idle never park-us 0 bypass y
	unloaded coupling new lan0 dynamic idle 4294967295 port threshold port bypass
	unloaded coupling del lan0 lan1
	unloaded coupling delete lan0
	unloaded coupling
	unloaded -j coupling show lan0
}

test_region()
{
	refuse 'missing argument: NAME' region add
	refuse 'missing argument: size BYTES' region add r
	refuse 'missing argument: size BYTES' region add r page 2M
	refuse 'missing argument: the value of size' region add r size
	refuse 'size: "x" is no size' region add r size x
	refuse 'size: "16X" is no size' region add r size 16X
	refuse 'size: "16Mb" is no size' region add r size 16Mb
	refuse 'size: "-1" is no size' region add r size -1
	refuse 'size: "M" is no size' region add r size M
	refuse 'size: 16777216T is out of range' region add r size 16777216T
	refuse 'size: 99999999999999999999 is out of range' region add r size 99999999999999999999
	refuse 'page: pages are of 4K or 2M' region add r size 1M page 8G
	refuse 'size is given twice' region add r size 1M size 2M
	refuse 'unknown option "sizes", did you mean "size"?' region add r sizes 1M
	refuse 'mode: "rw" is no mode' region add r size 1M mode rw
	refuse 'mode: "0680" is no mode' region add r size 1M mode 0680
	refuse 'mode: "06666" is no mode' region add r size 1M mode 06666
	refuse 'owner: there is no user "no-such-user"' region add r size 1M owner no-such-user
	refuse 'group: there is no group "no-such-group"' region add r size 1M group no-such-group
	refuse "node: \"x\" is not a whole number of a NUMA node's number" region add r size 1M node x
	refuse 'the size of a region cannot be changed' region set r size 2M
	refuse 'the node of a region cannot be changed' region set r node 0
	refuse 'missing argument: mode, owner or group' region set r
	refuse 'missing argument: NAME' region set
	refuse 'missing argument: NAME' region del
	refuse 'a name must not be empty' region del r "" force
	refuse 'unexpected argument "b"' region show a b
	refuse 'unknown verb "r0", to show a region: ivmctl region show r0' region r0
	unloaded region add r size 4096
	unloaded r a r size 16M page 2M mode 0660 owner root group root node 0
	unloaded region add r size 16MiB owner 12 g 34 m 666
	unloaded region new r size 17179869183G
	unloaded region set r mode 600
	unloaded region change r owner 1 group root
	unloaded region del r s t force
	unloaded region del force
	refuse 'missing argument: NAME' region swap
	refuse 'a name must not be empty' region swap "" at 0 back
	refuse 'missing argument: at OFFSET' region swap r
	refuse 'missing argument: at OFFSET' region swap r back
	refuse 'missing argument: at OFFSET' region swap r pool p size 4K
	refuse 'missing argument: pool POOL' region swap r at 4K
	refuse 'missing argument: size BYTES' region swap r at 4K pool p
	refuse 'missing argument: the value of at' region swap r at
	refuse 'missing argument: the value of keep' region swap r at 4K pool p size 4K keep
	refuse 'at: "x" is no size' region swap r at x back
	refuse 'at is given twice' region swap r at 0 at 4K back
	refuse 'unknown value of keep "all", expected one of: pool' region swap r at 4K pool p size 4K keep all
	refuse 'unknown option "sizes", did you mean "size"?' region swap r at 4K sizes 4K
	refuse 'back takes nothing but "at OFFSET" and "force"' region swap r at 4K size 4K back
	refuse 'unexpected argument "now"' region swap r at 4K back now
	refuse 'unexpected argument "now"' region swap r at 4K back force now
	refuse 'POOL: a name must not be empty' region swap r at 4K pool "" size 4K
	unloaded region swap r at 512K pool p size 2M
	unloaded region swap r size 2M offset 4M keep pool pool back at 0
	unloaded region swap back at 4K back force
	unloaded r sw r a 4K back
	refuse 'missing argument: NAME' region serve
	refuse 'missing argument: SOCKET' region serve r
	refuse 'SOCKET: a name must not be empty' region serve r ""
	refuse 'options go before the object' region serve r --vectors 2
	refuse 'is too long for a socket' region serve r "/$(printf 'x%.0s' {1..107})"
	refuse 'missing argument: the value of vectors' region serve r s vectors
	refuse 'vectors: "x" is not a whole number of vectors' region serve r s vectors x
	refuse 'vectors: 0 is out of range (1 to 32)' region serve r s vectors 0
	refuse 'vectors: 33 is out of range (1 to 32)' region serve r s vectors 33
	refuse 'unknown option "size", expected one of: mode, owner, group, vectors, rings' region serve r s size 1M
	refuse 'rings: "x" is not a whole number of requests' region serve r s rings x
	refuse 'rings: 0 is no power of two (1 to 1024)' region serve r s rings 0
	refuse 'rings: 12 is no power of two (1 to 1024)' region serve r s rings 12
	refuse 'rings: 2048 is no power of two (1 to 1024)' region serve r s rings 2048
	refuse 'unknown option "vectors"' region add r size 1M vectors 2
	refuse 'vectors is given twice' region serve r s vectors 1 vectors 2
	unloaded region serve r "/$(printf 'x%.0s' {1..106})"
	unloaded region serve r "$TMP/socket" v 32 mode 0660 owner root group root
	[[ ! -e $TMP/socket ]]
	verdict $? "serve: no socket without the module"
	unloaded region
	unloaded -j region show r
}

test_peer()
{
	refuse 'missing argument: FROM' peer allow
	refuse 'missing argument: TO' peer allow a
	refuse 'missing argument: TO' peer deny a
	refuse 'a name must not be empty' peer allow "" b
	refuse 'unknown option "pagesize", expected one of: messages, pages, bytes' peer allow a b pagesize 3
	refuse 'missing argument: the value of pages' peer allow a b pages
	refuse 'messages is given twice' peer allow a b messages 1 messages 2
	refuse 'messages: "x" is not a whole number of messages' peer allow a b messages x
	refuse 'pages: 4294967296 pages is out of range' peer allow a b pages 4294967296
	refuse 'bytes: "1X" is no size' peer allow a b bytes 1X
	refuse 'unexpected argument "c"' peer deny a b c
	refuse 'unexpected argument "c"' peer show a b c
	unloaded peer allow a b
	unloaded peer allow a b messages 10 pages 20 bytes 1M
	unloaded peer set a b m 10 p 20 b 4096
	unloaded peer deny a b
	unloaded peer del a b
	unloaded peer
	unloaded -s peer show a b
	unloaded -j peer show a
}

test_objects()
{
	refuse 'unknown keyword "prot", did you mean "port"?' address show prot vnet0
	refuse 'missing argument: NAME of the port' address show port
	refuse 'unexpected argument "x"' address show port vnet0 x
	refuse 'missing argument: ADDRESS' address add
	refuse '"10.0.0" is no MAC, IPv4 or IPv6 address' address add 10.0.0 port vnet0
	refuse '"52:54:0:12:34:56" is no MAC, IPv4 or IPv6 address' address add 52:54:0:12:34:56 port vnet0
	refuse 'missing argument: port NAME' address add 10.0.0.1
	refuse 'missing argument: the value of lladdr' address add 10.0.0.1 port vnet0 lladdr
	refuse '"vnet0" is no MAC address' address add 10.0.0.1 port vnet0 lladdr vnet0
	refuse 'port is given twice' address add 10.0.0.1 port vnet0 port vnet1
	refuse 'unknown keyword "dev"' address add 10.0.0.1 dev vnet0
	refuse 'missing argument: ADDRESS' address del
	refuse '"vnet0" is no MAC, IPv4 or IPv6 address' address del 10.0.0.1 vnet0
	unloaded address add fd00::1 port vnet0 lladdr 52:54:00:12:34:56
	unloaded a a 52:54:00:12:34:56 port vnet0
	unloaded address del 10.0.0.1 fd00::1 52:54:00:12:34:56
	refuse 'strict: expected yes or no' coupling add lan0 dynamic vnet0 vnet1 strict maybe
	unloaded coupling add lan0 static vnet0 vnet1 strict yes
	refuse 'unknown match "port", expected one of: mac, ip' coupling add lan0 dynamic vnet0 vnet1 match port
	unloaded coupling add lan0 dynamic vnet0 vnet1 match ip
	unloaded coupling add lan0 dynamic 'vnet*' 10.0.0.1 fd00::1 52:54:00:12:34:56 upper br0
	refuse 'missing argument: the value of upper' coupling add lan0 dynamic upper
	refuse 'missing argument: an option' coupling change lan0
	refuse '"bypass" is no option that can be changed' coupling change lan0 bypass yes
	refuse '"vnet0" is no option that can be changed' coupling change lan0 vnet0
	refuse 'missing argument: the value of idle' coupling change lan0 idle
	refuse 'disabled: expected yes or no' coupling change lan0 disabled maybe
	unloaded coupling change lan0 idle never threshold 5 park-us 0 disabled no
	unloaded coupling set lan0 disabled yes
	refuse 'rate-bytes: "10x" is not a number of bytes per second, as 500, 10k, 10M or none' \
		coupling add lan0 static a1 b1 rate-bytes 10x
	refuse 'rate-bytes: "k" is not' coupling add lan0 static a1 b1 rate-bytes k
	refuse 'rate-frames: "1kk" is not' coupling add lan0 static a1 b1 rate-frames 1kk
	refuse 'rate-frames: "-1" is not' coupling add lan0 static a1 b1 rate-frames -1
	refuse 'unknown full "wait", expected one of: park, drop' coupling add lan0 static a1 b1 full wait
	refuse 'missing argument: deny needs SENDER and RECEIVER' coupling add lan0 static a1 b1 deny a1
	refuse 'missing argument: allow needs SENDER and RECEIVER' coupling change lan0 allow
	refuse 'a name must not be empty' coupling change lan0 deny a1 ""
	unloaded coupling add lan0 static a1 b1 rate-bytes 10Gi rate-frames 1k full drop deny a1 b1 deny 'a*' b1
	unloaded coupling change lan0 rate-bytes none rate-frames 0 deny a1 b1 allow b1 a1 full park
	unloaded
	unloaded -j -p
	unloaded -json
	unloaded po
	unloaded -s port list
	unloaded --color=always port show vnet0
	unloaded address
	unloaded a s p vnet0
	unloaded monitor
	unloaded mon c
	unloaded mon r
}

test_commands()
{
	local paths="$TMP/good.conf"

	printf '[coupling lan0]\ntype = static\nmembers = vnet0 vnet1\n' >"$paths"
	refuse 'unknown object or command "aply", did you mean "apply"?' aply
	refuse 'unknown option "--dyr-run", did you mean "--dry-run"?' apply --dyr-run
	refuse 'unknown option "-p", expected one of: --dry-run, --keep (options of ivmctl itself go before apply)' apply -p
	refuse 'unknown option "--dry-run"' diff --dry-run
	refuse 'option --keep takes no argument' apply --keep=yes
	refuse 'unexpected argument "b"' save a b
	refuse 'unexpected argument "x"' confirm x
	refuse 'missing argument: SECONDS' try
	refuse 'missing argument: SECONDS' try --keep
	refuse 'SECONDS: "soon" is not a whole number of seconds' try soon
	refuse 'SECONDS: 0 is out of range (1 to 86400)' try 0
	refuse 'SECONDS: 86401 is out of range' try 86401
	unloaded apply "$paths"
	unloaded ap --dry "$paths" --keep
	unloaded save
	unloaded -j sa
	unloaded try 1 "$paths"
	run diff "$paths"
	if ((loaded)); then
		skip "diff: trouble has status 2, but the module is loaded"
	else
		[[ $rc == 2 && $err == *"module ivshm is not loaded"* ]]
		verdict $? "diff: trouble has status 2"
	fi
	refuse 'unexpected argument "x"' doctor x
	refuse 'unknown option "--all"' doctor --all
	refuse 'interval: 0 is out of range (1 to 3600)' top --interval 0
	refuse 'interval: "1s" is not a whole number of seconds' top --interval=1s
	refuse 'option --interval needs an argument' top --interval
	refuse '--csv and JSON are two formats' -j top --csv
	refuse 'without a terminal: use --once, --csv or -j' top
	refuse 'did you mean "--once"?' top --onec
	refuse 'option -o needs an argument' metrics -o
	unloaded top --once
	unloaded top --csv
	if ((!loaded)); then
		run metrics -o "$TMP/x.prom"
		[[ $rc == 1 && -z $out && $(<"$TMP/x.prom") == *$'\nivshm_up 0' && $(stat -c %a "$TMP/x.prom") == 644 ]]
		verdict $? "metrics: that nothing could be read is written"
		run doctor
		[[ $rc == 1 && -z $err && $out == "problem: module: ivshm is not loaded"* ]]
		verdict $? "doctor: no module"
		run -j doctor
		[[ $rc == 1 && -z $err && $out == '[{"severity":"problem","object":"module","text":"ivshm is not loaded'* ]]
		verdict $? "doctor: no module, in JSON"
	fi
	run metrics -o /no/such/dir/x.prom
	[[ $rc == 1 && $err == *"cannot write /no/such/dir/x.prom: No such file or directory"* ]]
	verdict $? "metrics: a file that cannot be written"
	run apply /no/such/file
	[[ $rc == 1 && $err == "ivmctl: cannot open /no/such/file: No such file or directory" ]]
	verdict $? "apply: a file that does not exist"
	batch 2 '/batch:1: try is not for a batch' <<<"try 5"
	batch 2 '/batch:1: serve is not for a batch' <<<"region serve pool s"
	batch 2 '/wrong.conf:3: ' <<<"apply $TMP/wrong.conf"
}

# Before a socket is opened, so here as well as with the kernel.
wrong_file()
{
	cat >"$TMP/wrong.conf"
	run apply "$TMP/wrong.conf"
	[[ $rc == 2 && -z $out ]] && grep -F "/wrong.conf:$1: " <<<"$err" | grep -q -F -- "$2"
	verdict $? "wrong file, line $1: $2"
}

test_batch()
{
	batch 0 "" <<-'EOF'
		# nothing but help

		help  # and a comment
		'port' "help"
	EOF
	batch 2 '/batch:3: unknown object or command "prot", did you mean "port"?' <<-'EOF'
		help

		prot show
		bogus
	EOF
	[[ $err != *bogus* ]]
	verdict $? "a batch ends at the first error"
	batch 2 '/batch:2: unknown object or command "bogus"' --force <<-'EOF'
		prot show
		bogus
		help port
	EOF
	[[ $out == *"ivmctl port show"* ]]
	verdict $? "a forced batch goes on"
	batch 2 '/batch:1: a quote is not closed' <<-'EOF'
		port show "vnet0
	EOF
	batch 2 '/batch:1: -s: options are not for lines of a batch' <<-'EOF'
		-s port show
	EOF
	batch 2 '/batch:1: more than 256 words' <<<"$(printf 'x %.0s' {1..257})"
	batch 2 '/batch:1: unexpected argument "# b"' <<<"port show a '# b'"

	printf 'help\nprot' | "$TMP/ivmctl" -b - >"$TMP/out" 2>"$TMP/err"
	rc=${PIPESTATUS[1]}
	[[ $rc == 2 && $(<"$TMP/err") == 'stdin:2: unknown object or command'* ]]
	verdict $? "batch from standard input, last line without its end"
}

test_color()
{
	local want

	# Messages do not show colour; the renderer's test does. Here: that no
	# choice of it is in the way, with and without NO_COLOR.
	for want in -c -c -c=never --color=auto --col=always -color -json -stats --stats -statistics; do
		accept "usage: ivmctl" "$want" help
	done
	NO_COLOR=1 accept "usage: ivmctl" -c=auto help
}

# Every name that comes out is explained in the manual.
test_manual()
{
	local page word words

	for page in "$TOOL"/*.[458]; do
		if command -v mandoc >/dev/null; then
			mandoc -T lint -W warning "$page" >"$TMP/out" 2>"$TMP/err"
			rc=$?
			[[ $rc == 0 && ! -s $TMP/out ]]
			verdict $? "mandoc: ${page##*/}"
		else
			skip "mandoc: ${page##*/}, mandoc is missing"
		fi
	done

	# As the tables in attr.c are written.
	rc=0
	: >"$TMP/out"
	: >"$TMP/err"
	words=0
	while read -r word; do
		words=$((words + 1))
		grep -q "^\.It Cm $word\$" "$TOOL/ivmctl-coupling.8" ||
			echo "reason $word is not in the manual" >>"$TMP/err"
	done < <(sed -n 's/^\t\t"\([a-z-]*\)", ".*/\1/p' "$TOOL/attr.c")
	while read -r word; do
		words=$((words + 1))
		grep -q "^\.It Va.*\<$word\>" "$TOOL/ivmctl-port.8" ||
			echo "counter $word is not in the manual" >>"$TMP/err"
	done < <(sed -n 's/^\tSTAT([A-Z_]*, "\([a-z_]*\)".*/\1/p' "$TOOL/attr.c")
	((words > 50)) || echo "only $words names were found in attr.c" >>"$TMP/err"
	[[ ! -s $TMP/err ]]
	verdict $? "reasons and counters are in the manual"
}

# complete_to WANTED WORDS... - the last word is being completed
complete_to()
{
	local want=$1 got

	shift
	got=$(
		# shellcheck disable=SC2317
		ivmctl()
		{
			case "$*" in
			"-j port show")
				echo '[{"name":"vnet0","state":"running"},{"name":"vnet1","state":"stopped"}]'
				;;
			"-j region show")
				echo '[{"name":"pool","number":0},{"name":"queue","number":1}]'
				;;
			"-j coupling show")
				echo '[{"name":"lan0","members":[{"name":"vnet0","present":true}],"pairs":[]},{"name":"cross","members":[]}]'
				;;
			esac
		}
		# shellcheck source=../../tools/ivmctl/ivmctl.bash-completion
		. "$TOOL/ivmctl.bash-completion"
		COMP_WORDS=(ivmctl "$@")
		COMP_CWORD=$#
		_ivmctl
		echo "${COMPREPLY[*]}"
	)
	rc=0
	echo "$got" >"$TMP/out"
	: >"$TMP/err"
	# shellcheck disable=SC2053 # a pattern
	[[ $got == $want ]]
	verdict $? "completion: ivmctl ${*@Q}"
}

test_completion()
{
	complete_to "port coupling address region peer capture monitor help apply diff save try confirm doctor top metrics" ""
	complete_to "coupling capture confirm" c
	complete_to "--dry-run --keep" apply -
	complete_to "--keep" diff x --k
	complete_to "$TOOL/Makefile" save "$TOOL/Make"
	complete_to "" confirm ""
	complete_to "--once" top --o
	complete_to "-o" metrics -
	complete_to "--json" --j
	complete_to "threshold idle park-us disabled full rate-bytes rate-frames deny allow" coupling change lan0 ""
	complete_to "park drop" coupling change lan0 full ""
	complete_to "none" coupling change lan0 idle 3 rate-frames ""
	complete_to "vnet0 vnet1*" coupling change lan0 allow ""
	complete_to "vnet0 vnet1*" coupling change lan0 allow vnet0 ""
	complete_to "vnet0 vnet1" port show ""
	complete_to "vnet1" -s -n x po s vnet1
	complete_to "lan0 cross" coupling del ""
	complete_to "cross" co d lan0 c
	complete_to "lan0 cross" coupling show ""
	complete_to "" coupling add ""
	complete_to "static dynamic" coupling add lan0 ""
	complete_to "threshold idle park-us bypass strict match disabled full rate-bytes rate-frames deny port upper vnet0 vnet1*" coupling add lan0 dynamic ""
	complete_to "yes no" coupling add lan0 dynamic vnet0 vnet1 bypass ""
	complete_to "vnet0 vnet1*" coupling add lan0 dynamic vnet0 vnet1 deny ""
	complete_to "vnet0 vnet1*" coupling add lan0 dynamic vnet0 vnet1 deny vnet0 ""
	complete_to "" coupling add lan0 dynamic vnet0 vnet1 idle 3
	complete_to "vnet0" address show port vnet0
	complete_to "port" address show ""
	complete_to "show add del help" address ""
	complete_to "port lladdr" address add 10.0.0.1 ""
	complete_to "vnet0" address add 10.0.0.1 port vnet0
	complete_to "all port coupling region peer help" monitor ""
	complete_to "show add set del swap serve help" region ""
	complete_to "pool queue" region serve ""
	complete_to "$TOOL/Makefile" region serve pool "$TOOL/Make"
	complete_to "mode owner group vectors rings" region serve pool s ""
	complete_to "vectors" region serve pool s mode 0600 v
	complete_to "0660 0666" region serve pool s mode 066
	complete_to "16 64 256" region serve pool s rings ""
	complete_to "pool queue" region swap ""
	complete_to "at" region swap pool ""
	complete_to "" region swap pool at ""
	complete_to "pool back" region swap pool at 4K ""
	complete_to "force" region swap pool at 4K back ""
	complete_to "queue" region swap pool at 4K pool q
	complete_to "size offset keep" region swap pool at 4K pool queue ""
	complete_to "pool" region swap pool at 4K pool queue keep ""
	complete_to "size" region swap pool at 4K pool queue keep pool s
	complete_to "pool queue" region show ""
	complete_to "queue" region del pool q
	complete_to "pool queue force" region del ""
	complete_to "" region add ""
	complete_to "size page mode owner group node" region add x ""
	complete_to "4K 2M" region add x size 16M page ""
	complete_to "" region add x size ""
	complete_to "pool" region set p
	complete_to "mode owner group" region set pool ""
	complete_to "*root*" region set pool owner ro
	complete_to "show allow deny help" peer ""
	complete_to "pool queue" peer allow ""
	complete_to "queue" peer allow pool q
	complete_to "messages pages bytes" peer allow pool queue ""
	complete_to "" peer allow pool queue pages ""
	complete_to "pages" peer allow pool queue messages 3 p
	complete_to "pool queue" peer deny pool ""
	complete_to "" peer deny pool queue ""
	complete_to "" port show vnet0 ""
	complete_to "" bogus show ""
}

shopt -s extglob
build
echo "TAP version 13"

loaded=0
[[ ! -e /sys/module/ivshm ]] || loaded=1

# The plan comes first, so the results wait.
{
	test_help
	test_words
	test_options
	test_coupling
	test_region
	test_peer
	test_objects
	test_tired
	wrong_files wrong_file
	test_commands
	test_batch
	test_color
	test_manual
	test_completion
	subtests render_test
	subtests refusal_test
	subtests figures_test
	subtests peers_test
} >"$TMP/results"

echo "1..$nr"
cat "$TMP/results"
((failed == 0))
