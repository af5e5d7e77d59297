# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What people type who know other tools, or are tired. Each is refused before anything
# is sent, and the message has what they were looking for.

test_tired()
{
	# The verb before the object, other words for it, or none
	refuse 'the object comes before the verb: ivmctl port show' show ports
	refuse 'the object comes before the verb: ivmctl coupling list' list couplings
	refuse 'the object comes before the verb: ivmctl coupling add' add coupling lan0 dynamic a1 b1
	refuse 'the object comes before the verb: ivmctl address del' del addresses 10.0.0.1
	refuse '"show" is a verb, the object comes before it, as in: ivmctl port show' show
	refuse '"add" is a verb, the object comes before it, as in: ivmctl coupling add' add lan0
	refuse '"serve" is a verb, the object comes before it, as in: ivmctl region serve' serve pool
	refuse 'unknown verb "lan0", the verb comes first: ivmctl coupling change lan0' coupling lan0 change idle 3
	refuse 'unknown verb "vnet0", the verb comes first: ivmctl capture on vnet0' capture vnet0 on
	refuse 'unknown verb "create", did you mean "add"?' coupling create lan0 dynamic a1 b1
	refuse 'unknown verb "rm", did you mean "del"?' coupling rm lan0
	refuse 'unknown verb "remove", did you mean "del"?' region remove pool
	refuse 'unknown verb "modify", did you mean "change"?' coupling modify lan0 idle 3
	refuse 'unknown verb "modify", did you mean "set"?' region modify pool mode 0600
	refuse 'unknown verb "get", did you mean "show"?' region get pool
	refuse 'unknown verb "Show", did you mean "show"?' port Show
	refuse 'unknown verb "add", did you mean "allow"?' peer add a b
	refuse 'unknown verb "rm", did you mean "deny"?' peer rm a b
	refuse 'unknown verb "start", did you mean "on"?' capture start vnet0
	refuse 'to switch it off: ivmctl coupling change NAME disabled yes' coupling disable lan0
	refuse 'to switch it on: ivmctl coupling change NAME disabled no' coupling enable lan0
	refuse 'a port comes with the VM that opens /dev/ivshm-net' port create vnet0
	refuse 'delete the address and add it anew' address replace 10.0.0.1 port vnet1

	# Commands
	refuse 'unknown object or command "status", did you mean "doctor"?' status
	refuse 'unknown object or command "reload", did you mean "apply"?' reload
	refuse 'unknown object or command "dump", did you mean "save"?' dump
	refuse 'unknown object or command "events", did you mean "monitor"?' events
	refuse 'unknown object or command "tcpdump", did you mean "capture"?' tcpdump vnet0
	refuse '"version" is an option: ivmctl --version' version
	refuse 'unknown option "-n", did you mean "--dry-run"?' apply -n
	refuse 'unknown option "--check", did you mean "--dry-run"?' apply --check
	refuse 'unknown option "-q", expected one of: --dry-run, --keep' apply -q
	refuse 'unknown option "--output", did you mean "-o"?' metrics --output x
	refuse 'unknown option "--delay", did you mean "--interval"?' top --delay 3
	refuse 'SECONDS: "1m" is not a whole number of seconds' try 1m
	refuse 'options go before the object: ivmctl -j monitor' monitor -j

	# Couplings
	refuse 'the name comes before the type: ivmctl coupling add lan0 dynamic' coupling add dynamic lan0 a1 b1
	refuse 'unknown type "vnet0", expected one of: static, dynamic' coupling add lan0 vnet0 vnet1
	refuse 'unknown type "type", expected one of: static, dynamic' coupling add lan0 type dynamic vnet0 vnet1
	refuse '"vnet0,vnet1": words stand apart' coupling add lan0 dynamic vnet0,vnet1
	refuse '"members=vnet0": words stand apart' coupling add lan0 dynamic members=vnet0 vnet1
	refuse '"idle=30": options of a coupling are two words, "idle 30"' coupling add lan0 dynamic a1 b1 idle=30
	refuse '"--idle": options of a coupling are two words, "idle VALUE"' coupling add lan0 dynamic a1 b1 --idle 30
	refuse '"--idle=30": options of a coupling are two words, "idle 30"' coupling change lan0 --idle=30
	refuse 'unknown option "bridge", did you mean "upper"?' coupling add lan0 dynamic bridge br0
	refuse 'unknown option "master", did you mean "upper"?' coupling add lan0 dynamic master br0
	refuse 'unknown option "same-upper", did you mean "upper"?' coupling add lan0 dynamic same-upper br0
	refuse 'unknown option "timeout", did you mean "idle"?' coupling add lan0 dynamic a1 b1 timeout 30
	refuse 'unknown option "rate", did you mean "rate-bytes"?' coupling add lan0 dynamic a1 b1 rate 10m
	refuse '"10mbit" is not a number of bytes per second' coupling add lan0 dynamic a1 b1 rate-bytes 10mbit
	refuse 'unknown option "priority": a port is in one coupling only' coupling add lan0 dynamic a1 b1 priority 5
	refuse 'unknown option "uplink": a static coupling has no uplink' coupling add lan0 static a1 b1 uplink no
	refuse 'bypass: expected yes or no, not "true"' coupling add lan0 dynamic a1 b1 bypass true
	refuse 'missing argument: deny needs SENDER and RECEIVER' coupling add lan0 dynamic a1 b1 deny a1:b1
	refuse '"threshold=5": options of a coupling are two words, "threshold 5"' coupling change lan0 threshold=5
	refuse '"strict" is no option that can be changed, as are threshold, idle, park-us, disabled, full, rate-bytes, rate-frames, allow and deny' coupling change lan0 strict yes
	refuse 'for anything else delete the coupling and add it anew' coupling change lan0 members a1 b2
	unloaded coupling add lan0 dynamic port bridge port br,0 port idle=30

	# Addresses
	refuse 'it is that of one host, without a prefix' address add 10.0.0.1/24 port vnet0
	refuse 'unknown keyword "vnet0", expected one of: port, lladdr' address add 10.0.0.1 vnet0
	refuse 'unknown keyword "dev", did you mean "port"?' address add 10.0.0.1 dev vnet0
	refuse 'unknown keyword "mac", did you mean "lladdr"?' address add 10.0.0.1 port vnet0 mac 52:54:00:12:34:56
	refuse '"vnet0" is no MAC, IPv4 or IPv6 address' address add vnet0 10.0.0.1
	refuse 'to show those of a port: ivmctl address show port NAME' address show vnet0

	# Help is asked for anywhere
	accept 'ivmctl coupling add NAME static|dynamic' coupling --help
	accept 'ivmctl coupling add NAME static|dynamic' coupling add lan0 --help
	accept 'ivmctl apply [--dry-run]' apply -h
	accept 'ivmctl port show' port show vnet0 -h
}
