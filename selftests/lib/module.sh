# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The module in the test machine, for scripts that run there.
#
#   module_load [PARAMETER=VALUE]...   load $IVSHM_KO and what it depends on
#   module_unload [SECONDS]            unload; the last user may still be going
#                                      away, so try for a while (default 20)

module_load()
{
	local dep
	local -a deps

	IFS=, read -r -a deps <<<"$(modinfo -F depends "$IVSHM_KO")"
	for dep in "${deps[@]}"; do
		modprobe "$dep" || return 1
	done
	# What the tests stand on; not linked to, so nothing else asks for them.
	modprobe -a -q tun macvtap bridge vhost_net
	insmod "$IVSHM_KO" "$@" || return 1
	[ -c /dev/ivshm-net ]
}

module_unload()
{
	local end=$((SECONDS + ${1:-20})) out

	while ! out=$(rmmod ivshm 2>&1); do
		if [ $SECONDS -ge $end ]; then
			echo "# $out"
			return 1
		fi
		sleep 0.2
	done
}
