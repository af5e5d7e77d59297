#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ivmctl where frames flow: what "apply" lets alone loses none, and "top", "metrics"
# and "doctor" say what is. As root, with the module loaded.
#
#   flow ── fa0, fa1 ── br0      two guests in a process, coupled as "busy"

# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sysctl -q net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
ip link set lo up
ip link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0 && ip link set br0 up || exit 1

busy='[coupling busy]
type = dynamic
members = fa0 fa1
'

# In this shell, so that its status can be waited for.
flow_start()
{
	"$here/out/flow" fa0 fa1 br0 >flow.out 2>&1 &
	flow=$!
}

flow_end()
{
	kill "$flow"
	wait "$flow"
	flow_status=$?
}

flow_runs()
{
	local i

	for ((i = 0; i < 200; i++)); do
		! grep -q running flow.out || return 0
		sleep 0.1
	done
	cat flow.out
	return 1
}

# pair_is STATE [REASON] - of fa0 to fa1, soon
pair_is()
{
	local i

	for ((i = 0; i < 60; i++)); do
		"$ivmctl" coupling show busy >pairs
		grep -q -E "fa0 -> fa1 +$1 +[0-9]+ +[0-9]+ +${2:-}" pairs && return
		grep 'fa0 -> fa1' pairs
		sleep 0.1
	done >was
	echo "fa0 -> fa1 is not $*, but in turn:"
	uniq was
	cat pairs flow.out
	return 1
}

flows()
{
	printf '%s' "$busy" >busy.conf && "$ivmctl" apply busy.conf && flow_runs && pair_is coupled
}

# Files that differ in everything but the busy coupling, again and again.
apply_loses_nothing()
{
	local i monitor

	pair_is coupled || return
	"$ivmctl" -j monitor coupling >events 2>&1 &
	monitor=$!
	for ((i = 0; i < 20; i++)); do
		{
			printf '%s' "$busy"
			seq 0 9 | awk -v i="$i" '{ printf "[coupling c%d]\ntype = %s\nmembers = c%da c%db%d\n",
				$1 + i % 2, i % 3 ? "static" : "dynamic", $1, $1, i }'
		} >many.conf
		run 0 apply many.conf && says out '1 unchanged' || return
	done
	run 1 try 1 busy.conf && says err 'the changes were taken back' || return
	run 0 diff many.conf || return
	kill "$monitor"
	wait "$monitor"
	[ "$(grep -c . events)" -gt 100 ] || return
	! grep busy events || return
	run 0 apply busy.conf && kill -0 "$flow" && pair_is coupled
}

# Its options change while frames flow: no event of a pair, either.
apply_changes()
{
	local i monitor

	"$ivmctl" -j monitor >events 2>&1 &
	monitor=$!
	for ((i = 0; i < 10; i++)); do
		printf '%sidle = %d\nthreshold = %d\npark-us = %d\n' "$busy" $((100 + i)) $((i + 2)) $((5000 + i)) >options.conf
		run 0 apply options.conf && says out '1 changed' || return
	done
	"$ivmctl" coupling add probe static p0 p1 && "$ivmctl" coupling del probe
	until grep -q probe events; do sleep 0.1; done
	kill "$monitor"
	wait "$monitor"
	! grep busy events && run 0 apply busy.conf && pair_is coupled
}

# By the bridge that they are on, and strict: the addresses are there before.
by_rule()
{
	printf '[coupling busy]\ntype = dynamic\nupper = br0\nstrict = yes\n' >rule.conf
	run 0 -j address show && python3 - >>rule.conf <<-'END' || return
		import json
		addresses = json.load(open("out"))
		assert {a["port"] for a in addresses} == {"fa0", "fa1"}, addresses
		for a in addresses:
		    assert not a["configured"] and int(a["ring"], 16) >= 0x40000000, a
		    print("[address %s]\nport = %s" % (a["mac"], a["port"]))
	END
	run 0 apply rule.conf && pair_is coupled && says pairs 'members fa0 (rule), fa1 (rule)' || return
	run 0 address show port fa0 && grep -q -E '^[0-9a-f:]{17} +fa0 +config +0x4[0-9a-f]{7} +[0-9]+ s ' out || return
	# What follows from the rule is not declared.
	run 0 save saved.conf && says saved.conf 'upper = br0' && ! grep members saved.conf && run 0 diff saved.conf &&
		run 0 apply busy.conf && pair_is coupled && run 0 -j address show && ! grep -q '"configured":true' out
}

# Each metric once, with its help and type, names and labels as Prometheus has them.
cat >check-metrics <<'END'
import re, sys, yaml
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(%s(?:,%s)*)\})? (\d+)$' % (LABEL, LABEL))
text = open(sys.argv[1]).read()
assert text.endswith("\n")
metric, kinds, seen, helped = None, {}, set(), set()
for line in text.splitlines():
    if line.startswith("# HELP "):
        metric = line.split(" ")[2]
        assert metric not in helped and len(line.split(" ")) > 3, line
        helped.add(metric)
    elif line.startswith("# TYPE "):
        _, _, name, kind = line.split(" ")
        assert name == metric and name not in kinds and kind in ("counter", "gauge"), line
        assert (kind == "counter") == name.endswith("_total"), line
        kinds[name] = kind
    else:
        match = SAMPLE.match(line)
        assert match and match[1] == metric and metric in kinds, line
        assert (match[1], match[2]) not in seen, line
        seen.add((match[1], match[2]))
assert {("ivshm_up", None), ("ivshm_port_state", 'port="fa0",state="running"'),
        ("ivshm_pair_direct", 'coupling="busy",src="fa0",dst="fa1"')} <= seen, seen
# No counter is missing.
spec = yaml.safe_load(open(sys.argv[2]))
stats = [s for s in spec["attribute-sets"] if s["name"] == "stat"][0]["attributes"]
of_port = [s for s in seen if s[0].endswith("_total") and 'port="fa0"' in (s[1] or "")]
assert len(of_port) == len([a for a in stats if a["type"] != "pad"]), of_port
END

metrics()
{
	local a b

	"$ivmctl" coupling add 'q"uo' static 'm"0' m1 || return
	run 0 metrics && python3 check-metrics out "$top/Documentation/netlink/specs/ivshm.yaml" &&
		says out 'ivshm_coupling_info{coupling="q\"uo",type="static"} 1' &&
		says out 'ivshm_coupling_members{coupling="busy"} 2' || return
	"$ivmctl" coupling del 'q"uo'
	a=$(sed -n 's/^ivshm_pair_frames_total{coupling="busy",src="fa0",dst="fa1"} //p' out)
	run 0 metrics -o x.prom && b=$(sed -n 's/^ivshm_pair_frames_total{coupling="busy",src="fa0",dst="fa1"} //p' x.prom)
	[ ! -s out ] && [ "$b" -gt "$a" ] && [ "$(stat -c %a x.prom)" = 644 ] && [ "$(echo x.prom*)" = x.prom ] || return
	# Who reads meanwhile finds a whole file.
	for i in {1..20}; do "$ivmctl" metrics -o x.prom || touch failed; done &
	while kill -0 $! 2>/dev/null; do
		python3 check-metrics x.prom "$top/Documentation/netlink/specs/ivshm.yaml" || return
	done
	[ ! -e failed ] && run 0 -j metrics && python3 -m json.tool out >/dev/null
}

top_once()
{
	run 0 top --once && says out 'TX-DIRECT/s' && grep -q '^fa0 .* running .* busy ' out &&
		grep -q '^fa0 -> fa1 .* coupled ' out || return
	# The columns of a table end at the same place.
	awk 'NF { if (!w) w = length; if (length != w) exit 1 } !NF { exit }' out || { cat out; return 1; }
	run 0 -j top --once && python3 - <<-'END' || return
		import json
		rates = json.load(open("out"))
		assert {p["name"] for p in rates["ports"]} == {"fa0", "fa1"}
		for pair in rates["pairs"]:
		    if pair["coupling"] == "busy":
		        assert pair["frames"] > 10 and 290 < pair["bytes"] / pair["frames"] < 310, pair
	END
}

top_csv()
{
	timeout -s TERM 3.5 "$ivmctl" top --csv --by-name >out 2>err
	python3 - <<-'END'
		import csv
		rows = list(csv.DictReader(open("out")))
		ports = [r for r in rows if r["kind"] == "port"]
		pairs = [r for r in rows if r["kind"] == "pair" and r["coupling"] == "busy"]
		assert len(ports) >= 4 and len(pairs) >= 4, rows
		assert all(None not in r and None not in r.values() for r in rows)
		assert all(float(r["tx_direct_frames"]) > 10 for r in ports + pairs), rows
		assert [r["name"] for r in ports[:2]] == ["fa0", "fa1"]
	END
}

top_screen()
{
	rm -f keys && mkfifo keys
	TERM=vt100 script -q -e -c "stty rows 24 cols 100; $ivmctl top" /dev/null <keys >out 2>&1 &
	exec 7>keys
	sleep 2.5
	printf s >&7
	sleep 1.5
	printf q >&7
	wait $!
	local rc=$?
	exec 7>&-
	[ "$rc" = 0 ] && says out 'sorted by rate' && says out 'PORT' && says out 'fa0 -> fa1' || return
	# Without a terminal, and with one that nobody knows.
	run 2 top && says err 'without a terminal' || return
	TERM=nonsense script -q -e -c "$ivmctl top" /dev/null </dev/null >out 2>&1 && return 1
	says out 'cannot draw on the terminal "nonsense"'
}

# sick TEXT ADVICE - the doctor finds such a problem, soon
sick()
{
	local i

	for ((i = 0; i < 30; i++)); do
		run 1 doctor >why && says out "$1" >why && says out "$2" >why && return
		sleep 0.1
	done
	cat why
	return 1
}

# It finds no problem, soon.
well()
{
	local i

	for ((i = 0; i < 30; i++)); do
		run 0 doctor >why && return
		sleep 0.1
	done
	cat why
	return 1
}

doctor_host()
{
	getent group kvm >/dev/null || groupadd -r kvm
	# As the udev rule has it.
	chmod 0660 /dev/ivshm-net && chgrp kvm /dev/ivshm-net && well && says out 'Nothing is wrong' || return
	chmod 0666 /dev/ivshm-net && sick 'anybody may open it (mode 0666' 'udevadm trigger' || return
	chmod 0600 /dev/ivshm-net && sick 'VMs that do not run as root cannot open it' 'udevadm trigger' || return
	chmod 0660 /dev/ivshm-net && mv /dev/ivshm-net /dev/ivshm-kept && sick '/dev/ivshm-net: No such file' 'udevadm' || return
	touch /dev/ivshm-net && sick 'it is another file than character device 10:' 'Remove it' || return
	mv /dev/ivshm-kept /dev/ivshm-net && well
}

doctor_couplings()
{
	"$ivmctl" coupling add typo static faa0 lo && sick 'member lo is neither a tap nor a macvtap' 'Name the tap' &&
		says out 'hint: typo: member faa0 does not exist' && "$ivmctl" coupling del typo && well || return
	run 0 -j doctor && [ "$(cat out)" = '[]' ]
}

# The bridge's rules, one after the other, with frames that want to go direct.
doctor_rules()
{
	pair_is coupled || return
	ip link set br0 type bridge vlan_filtering 1 && pair_is uplink vlan &&
		sick 'stay on the uplink: the bridge filters VLANs' 'vlan_filtering 0' &&
		says out '(br0 filters VLANs)' || return
	ip link set br0 type bridge vlan_filtering 0 && pair_is coupled && well || return
	# The last one, as now frames are lost.
	ip link set fa1 nomaster && pair_is uplink no-upper &&
		sick '(fa1 is on none)' 'ip link set PORT master'
}

# held DEVICE TEXT ADVICE - while a process has tap ta0, and DEVICE, open
held()
{
	local holder rc

	"$top/selftests/vm/tap-open" 5=ta0 -- sleep 600 6<>"$1" &
	holder=$!
	shift
	sick "$@"
	rc=$?
	kill "$holder"
	wait "$holder" 2>/dev/null
	return "$rc"
}

doctor_taps()
{
	"$ivmctl" coupling add lan static ta0 ta1 && ip tuntap add ta0 mode tap vnet_hdr multi_queue || return
	run 0 doctor && says out 'hint: lan: no VM uses member ta0' && says out 'hint: lan: member ta1 does not exist' &&
		held /dev/null 'without vhost, by userspace virtio' 'vhostfd=' &&
		held /dev/vhost-net 'with /dev/vhost-net, so it cannot be coupled' 'vhostfd=' &&
		held /dev/ivshm-net 'problem: ta0: it is no port, although sleep (pid' 'falling back on userspace virtio' &&
		"$ivmctl" coupling del lan && ip link del ta0 && well
}

none_lost()
{
	cat flow.out
	[ "$flow_status" = 0 ] && says flow.out 'none lost'
}

flow_start
ktap_test "live: two guests are coupled by a file" flows
ktap_test "live: apply and try lose no frame of what does not change" apply_loses_nothing
ktap_test "live: options change and no frame is lost" apply_changes
ktap_test "live: members by a rule, and addresses from a file" by_rule
ktap_test "live: metrics" metrics
ktap_test "live: top --once" top_once
ktap_test "live: top --csv" top_csv
ktap_test "live: top on a terminal" top_screen
ktap_test "live: doctor, device" doctor_host
ktap_test "live: doctor, couplings" doctor_couplings
ktap_test "live: doctor, taps of others" doctor_taps
flow_end
ktap_test "live: no frame was lost" none_lost
flow_start
flow_runs >/dev/null
ktap_test "live: doctor, the bridge's rules" doctor_rules
flow_end
ktap_done
