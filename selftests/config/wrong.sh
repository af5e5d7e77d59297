# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Configuration files with a mistake, for tests with and without the kernel.
#
#   wrong_files CALLBACK    calls CALLBACK LINE TEXT for each file, which is on its
#                           standard input: the message begins with the file and
#                           LINE and has TEXT in it

# pairs_of NR - members p0, p1, ...
pairs_of() { seq -f 'p%.0f' -s ' ' 0 $(($1 - 1)); }

# wrong_line TYPE LINE TEXT - LINE, of a coupling of that TYPE
wrong_line()
{
	$wrong 3 "$3" < <(printf '[coupling lan0]\ntype = %s\n%s\n' "$1" "$2")
}

wrong_files()
{
	local wrong=$1

	# Headings
	$wrong 1 '"type" before the first section, expected [coupling NAME]' <<-'END'
		type = dynamic
	END
	$wrong 2 'unknown section "couplin", expected [coupling NAME]' <<-'END'

		[couplin lan0]
	END
	$wrong 1 'unknown section "", expected [coupling NAME]' <<-'END'
		[]
	END
	$wrong 1 'a coupling without a name, expected [coupling NAME]' <<-'END'
		[coupling]
	END
	$wrong 1 '"lan1" after the name, expected [coupling NAME]' <<-'END'
		[coupling lan0 lan1]
	END
	$wrong 1 'the heading is not closed, expected ]' <<-'END'
		[coupling lan0
	END
	$wrong 1 '"x" after the heading, expected the end of the line' <<-'END'
		[coupling lan0] x
	END
	$wrong 1 'bad name of a coupling "lan/0", expected ASCII without slash and backslash' <<-'END'
		[coupling lan/0]
	END
	$wrong 1 'bad name of a coupling "lan\0", expected ASCII' <<-'END'
		[coupling lan\0]
	END
	$wrong 1 'bad name of a coupling "länge", expected ASCII' <<-'END'
		[coupling länge]
	END
	$wrong 1 'expected at most 31 bytes' <<-'END'
		[coupling a2345678901234567890123456789012]
	END
	$wrong 5 'coupling lan0 is declared a second time, expected another name (first: ' <<-'END'
		[coupling lan0]
		type = static
		members = vnet0 vnet1

		[coupling lan0]
		type = static
		members = vnet2 vnet3
	END
	$wrong 1 'coupling lan0 has no type, expected type = static or type = dynamic' <<-'END'
		[coupling lan0]
		members = vnet0 vnet1
	END
	$wrong 1 'coupling lan0 has no members, expected members = INTERFACE INTERFACE...' <<-'END'
		[coupling lan0]
		type = static
	END
	$wrong 1 'coupling lan0 has no type' <<-'END'
		[coupling lan0]
		[coupling lan1]
		type = static
		members = vnet0 vnet1
	END

	$wrong 1 'unknown section "port", expected [coupling NAME] or [address ADDRESS]' <<-'END'
		[port vnet0]
		mac = 52:54:00:12:34:56
	END
	$wrong 1 'an address section without an address, expected [address ADDRESS]' <<-'END'
		[address]
	END
	$wrong 1 'bad address "10.0.0", expected a MAC, IPv4 or IPv6 address' <<-'END'
		[address 10.0.0]
	END
	$wrong 1 'bad address "52:54:0:12:34:56", expected a MAC' <<-'END'
		[address 52:54:0:12:34:56]
		port = vnet0
	END
	$wrong 1 '"10.0.0.2" after the address, expected [address ADDRESS]' <<-'END'
		[address 10.0.0.1 10.0.0.2]
	END
	$wrong 4 'address fd00::1 is declared a second time, expected another address (first: ' <<-'END'
		[address fd00::1]
		port = vnet0

		[address FD00:0::1]
		port = vnet1
	END
	$wrong 1 'address 10.0.0.1 has no port, expected port = INTERFACE' <<-'END'
		[address 10.0.0.1]
		lladdr = 52:54:00:12:34:56
	END

	# Lines and keys
	$wrong 2 '"vnet0 vnet1", expected KEY = VALUE' <<-'END'
		[coupling lan0]
		vnet0 vnet1
	END
	$wrong 2 '"type: static", expected KEY = VALUE' <<-'END'
		[coupling lan0]
		type: static
	END
	$wrong 2 'expected KEY = VALUE' <<-'END'
		[coupling lan0]
		= static
	END
	$wrong 2 'expected KEY = VALUE' < <(printf '[coupling lan0]\n  indented\n')
	$wrong 2 'unknown key "treshold", expected one of: threshold, idle, park-us, bypass, strict, match, disabled, full, rate-bytes, rate-frames, type, members, upper, deny; did you mean "threshold"?' <<-'END'
		[coupling lan0]
		treshold = 5
	END
	$wrong 2 'did you mean "park-us"?' <<-'END'
		[coupling lan0]
		park_us = 5
	END
	$wrong 2 'unknown key "priority", expected one of: threshold, idle, park-us, bypass, strict, match, disabled, full, rate-bytes, rate-frames, type, members, upper, deny; a port is in one coupling only' <<-'END'
		[coupling lan0]
		priority = 5
	END
	$wrong 2 'unknown key "bridge", expected one of: threshold, idle, park-us, bypass, strict, match, disabled, full, rate-bytes, rate-frames, type, members, upper, deny; did you mean "upper"?' <<-'END'
		[coupling lan0]
		bridge = br0
	END
	$wrong 2 'unknown key "uplink", expected one of: ' <<-'END'
		[coupling lan0]
		uplink = no
	END
	$wrong 2 'unknown key "Type"' <<-'END'
		[coupling lan0]
		Type = static
	END
	wrong_line static 'type = static' 'type is given twice, expected it once (first: line 2)'
	$wrong 4 'members is given twice, expected it once (first: line 3)' <<-'END'
		[coupling lan0]
		type = static
		members = vnet0 vnet1
		members = vnet2
	END
	$wrong 2 'type has no value, expected KEY = VALUE' <<-'END'
		[coupling lan0]
		type =
	END
	wrong_line dynamic 'idle = ; 5' 'idle has no value, expected KEY = VALUE'
	$wrong 3 '"dynamic" goes on with type, expected KEY = VALUE (only members, upper and deny may go on)' \
		< <(printf '[coupling lan0]\ntype = static\n\tdynamic\n')
	$wrong 2 'a byte 0x00, expected text' < <(printf '[coupling lan0]\ntype = \0static\n')
	$wrong 1 'a byte 0x1b, expected text' < <(printf '[coupling \033[7mlan0]\n')
	$wrong 2 'a byte 0xc2, expected text' < <(printf '[coupling lan0]\ntype = st\302\205atic\n')
	$wrong 1 'a byte 0x0d, expected text' < <(printf '[coupling lan0]\rtype = static\n')
	$wrong 3 'a line of 4491 bytes, expected at most ' <<-END
		[coupling lan0]
		type = static
		members = $(seq -f 'vnet%.0f' -s ' ' 1000 1497)
	END

	$wrong 2 'unknown key "prot", expected one of: port, lladdr; did you mean "port"?' <<-'END'
		[address 10.0.0.1]
		prot = vnet0
	END
	$wrong 3 'port is given twice, expected it once (first: line 2)' <<-'END'
		[address 10.0.0.1]
		port = vnet0
		port = vnet0
	END
	$wrong 3 '"vnet1" goes on with port, expected KEY = VALUE' \
		< <(printf '[address 10.0.0.1]\nport = vnet0\n\tvnet1\n')

	# Values
	$wrong 2 'unknown type "dinamic", expected static or dynamic, did you mean "dynamic"?' <<-'END'
		[coupling lan0]
		type = dinamic
		members = vnet0 vnet1
	END
	$wrong 2 'unknown type "bridge", expected static or dynamic' <<-'END'
		[coupling lan0]
		type = bridge
	END
	$wrong 2 'unknown type "static dynamic", expected static or dynamic' <<-'END'
		[coupling lan0]
		type = static dynamic
	END
	wrong_line dynamic 'threshold = 0' 'threshold = "0", expected 1 to 1000000 frames per second'
	wrong_line dynamic 'threshold = 1000001' 'threshold = "1000001", expected 1 to 1000000'
	wrong_line dynamic 'threshold = never' 'threshold = "never", expected 1 to 1000000'
	wrong_line dynamic 'idle = 86401' 'idle = "86401", expected 0 to 86400 seconds, or never'
	wrong_line dynamic 'idle = 30s' 'idle = "30s", expected 0 to 86400 seconds'
	wrong_line dynamic 'idle = -1' 'idle = "-1", expected 0 to 86400 seconds'
	wrong_line static 'park-us = 0x10' 'park-us = "0x10", expected 0 to 1000000 microseconds'
	wrong_line static 'park-us = 99999999999999999999999' \
		'park-us = "99999999999999999999999", expected 0 to 1000000'
	wrong_line static 'park-us = 1 2' 'park-us = "1 2", expected 0 to 1000000'
	wrong_line static 'full = wait' 'full = "wait", expected park or drop'
	wrong_line static 'rate-bytes = 100000000001' \
		'rate-bytes = "100000000001", expected 0 to 100000000000 bytes per second, or none'
	wrong_line static 'rate-bytes = 99999999999999999999g' \
		'rate-bytes = "99999999999999999999g", expected 0 to'
	wrong_line static 'rate-frames = 1M5' \
		'rate-frames = "1M5", expected 0 to 1000000000 frames per second, or none'
	wrong_line static 'rate-frames = 2g' 'rate-frames = "2g", expected 0 to 1000000000'
	wrong_line static 'deny = vnet0' '"vnet0", expected SENDER:RECEIVER'
	$wrong 4 '"vnet0", expected SENDER:RECEIVER' \
		< <(printf '[coupling lan0]\ntype = static\ndeny = vnet1:vnet2\n\tvnet3:vnet4 vnet0\n')
	wrong_line dynamic 'bypass = maybe' 'bypass = "maybe", expected no or yes'
	wrong_line dynamic 'bypass = 1' 'bypass = "1", expected no or yes'
	$wrong 4 'idle is for dynamic couplings, expected type = dynamic (line 2 says static)' <<-'END'
		[coupling lan0]
		type = static
		members = vnet0 vnet1
		idle = 3
	END
	$wrong 2 'threshold is for dynamic couplings, expected type = dynamic (line 3 says static)' <<-'END'
		[coupling lan0]
		threshold = 3
		type = static
		members = vnet0 vnet1
	END
	$wrong 4 'bypass is for dynamic couplings' <<-'END'
		[coupling lan0]
		type = static
		members = vnet0 vnet1
		bypass = no
	END

	wrong_line static 'strict = on' 'strict = "on", expected no or yes'
	wrong_line static 'disabled = 0' 'disabled = "0", expected no or yes'
	wrong_line dynamic 'match = ipv4' 'match = "ipv4", expected mac or ip'
	$wrong 4 'match is for dynamic couplings, expected type = dynamic (line 2 says static)' <<-'END'
		[coupling lan0]
		type = static
		members = vnet0 vnet1
		match = mac
	END
	$wrong 4 '"vnet*" in a coupling with match = ip, expected names and addresses' <<-'END'
		[coupling lan0]
		type = dynamic
		match = ip
		members = vnet0 10.0.0.1 vnet*
	END
	$wrong 4 '"br0" in a coupling with match = ip, expected names and addresses' <<-'END'
		[coupling lan0]
		type = dynamic
		members = vnet0 vnet1
		upper = br0
		match = ip
	END
	$wrong 2 'bad port "eth0:1", expected the name of an interface' <<-'END'
		[address 10.0.0.1]
		port = eth0:1
	END
	$wrong 2 'bad port "vnet0 vnet1", expected the name of an interface' <<-'END'
		[address 10.0.0.1]
		port = vnet0 vnet1
	END
	$wrong 3 'lladdr = "10.0.0.2", expected a MAC address' <<-'END'
		[address 10.0.0.1]
		port = vnet0
		lladdr = 10.0.0.2
	END
	$wrong 3 'lladdr is for IP addresses, expected no lladdr of a MAC address' <<-'END'
		[address 52:54:00:12:34:56]
		port = vnet0
		lladdr = 52:54:00:12:34:57
	END

	# Members
	wrong_line static 'members =' '0 members, expected at least two interfaces'
	wrong_line static 'members = vnet0 # vnet1' '1 member, expected at least two interfaces'
	wrong_line static 'upper =' '0 members, expected at least two interfaces'
	wrong_line dynamic 'upper = br0 a/b' 'bad upper device "a/b", expected the name of an interface'
	wrong_line dynamic 'members = longer-than-15-*' \
		'bad pattern "longer-than-15-*", expected at most 15 bytes'
	wrong_line dynamic 'members = vnet/*' 'bad pattern "vnet/*", expected one for names of interfaces'
	$wrong 3 '65 members, expected at most 64' < <(
		printf '[coupling lan0]\ntype = static\nmembers =\n'
		pairs_of 65 | fold -s -w 60 | sed 's/^/\t/'
	)
	wrong_line static 'members = vnet0 vnet1 vnet0' \
		'vnet0 is a member already, expected an interface in one coupling only (first: '
	$wrong 7 'vnet1 is a member already, expected an interface in one coupling only (first: ' <<-'END'
		[coupling lan0]
		type = static
		members = vnet0 vnet1

		[coupling lan1]
		type = dynamic
		members = vnet2 vnet1
	END
	$wrong 4 'bad member "sixteen-letters1", expected at most 15 bytes, as interfaces have' < <(
		printf '[coupling lan0]\ntype = static\nmembers = vnet0 vnet1\n\tsixteen-letters1\n'
	)
	wrong_line static 'members = vnet0 eth0:1' \
		'bad member "eth0:1", expected the name of an interface'
	wrong_line static 'members = vnet0 ../x' 'bad member "../x", expected the name of an interface'
	wrong_line static 'members = vnet0 ..' 'bad member "..", expected the name of an interface'
}
