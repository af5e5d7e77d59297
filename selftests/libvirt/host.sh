#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What needs no test machine of libvirt.rst: the XML in the documents, read by the
# libvirt that is installed here, and the files that "make install" brings.

# shellcheck source=../lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=../lib/build.sh
. "$IVSHM_TOP/selftests/lib/build.sh"
# shellcheck source=../lib/ktap.sh
. "$IVSHM_TOP/selftests/lib/ktap.sh"

here=$IVSHM_TOP/selftests/libvirt
work=$(mktemp -d "$IVSHM_CACHE/libvirt.XXXXXX")
trap 'rm -rf "$work"' EXIT

# wants COMMAND PACKAGE - skips the test when there is no such command
wants()
{
	command -v "$1" >/dev/null && return
	echo "no $1 (Debian package: $2)"
	return 1
}

# --- make install ------------------------------------------------------------------

# In the copy where this kernel's module is built anyway.
copy_make()
{
	local dir

	dir=$(build_copy stock) || return 1
	rm -rf "$dir/tools"
	cp -a "$IVSHM_TOP/Makefile" "$IVSHM_TOP/tools" "$dir/" || return 1
	make -C "$dir" -j"$(nproc)" KDIR="$kernel_dir/kdir" DESTDIR="$work/dest" "$@" >"$work/make.log" 2>&1 ||
		{ tail -n 30 "$work/make.log"; return 1; }
}

installed() { (cd "$work/dest" && find . ! -type d -printf '%m %P\n' | sort -k 2); }

installs()
{
	with_lock build-stock copy_make install || return 1
	diff - <(installed) <<-LIST
		644 etc/apparmor.d/abstractions/libvirt-qemu.d/ivshm
		644 lib/modules/$(cat "$kernel_dir/release")/extra/drivers/ivshm/ivshm.ko
		644 usr/include/ivshm/libivshm.h
		644 usr/include/ivshm/linux/ivshm.h
		644 usr/include/ivshm/linux/ivshm_msgq.h
		644 usr/lib/libivshm.a
		777 usr/lib/libivshm.so
		644 usr/lib/libivshm.so.0
		644 usr/lib/modules-load.d/ivshm.conf
		644 usr/lib/pkgconfig/libivshm.pc
		644 usr/lib/systemd/system/ivshm-couplings.service
		644 usr/lib/udev/rules.d/60-ivshm.rules
		755 usr/sbin/ivmctl
		644 usr/share/bash-completion/completions/ivmctl
		644 usr/share/doc/ivshm/couplings.conf.example
		644 usr/share/man/man4/ivshm.4
		644 usr/share/man/man5/ivmctl-conf.5
		$(cd "$IVSHM_TOP/tools/ivmctl" && printf '644 usr/share/man/man8/%s\n' ivmctl*.8)
	LIST
}

# The examples of the library, by what is installed and nothing else.
library_is_found()
{
	local dest=$work/dest example flags said

	wants pkg-config pkg-config || return "$KSFT_SKIP"
	flags=$(PKG_CONFIG_PATH=$dest/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dest \
		pkg-config --cflags --libs libivshm) || return 1
	echo "$flags"
	for example in reply bulk; do
		cp "$IVSHM_TOP/tools/libivshm/examples/$example.c" "$work/" || return 1
		# shellcheck disable=SC2086 # several options
		(cd "$work" && cc -Wall -Werror -o "$example" "$example.c" $flags &&
			cc -Wall -Werror -o "$example-static" "$example.c" -static $flags) || return 1
	done
	said=$(LD_LIBRARY_PATH=$dest/usr/lib "$work/reply" serve /nonexistent 2>&1)
	echo "$said"
	[ "$said" = '/nonexistent: No such file or directory' ] &&
		readelf -d "$work/reply" | grep -q -F '[libivshm.so.0]' &&
		"$work/bulk-static" 2>&1 | grep '^usage: '
}

uninstalls()
{
	cp -a "$work/dest" "$work/dest.kept" || return 1
	with_lock build-stock copy_make uninstall || return 1
	installed | grep . && return 1
	# Nothing of others is gone with it: there was nothing else.
	rm -rf "$work/dest" && mv "$work/dest.kept" "$work/dest"
}

# --- the files ---------------------------------------------------------------------

udev_rule()
{
	local rule=$work/dest/usr/lib/udev/rules.d/60-ivshm.rules line

	line=$(grep -v -e '^#' -e '^$' "$rule")
	if udevadm verify --help >/dev/null 2>&1; then
		udevadm verify "$rule" || return 1
	else
		echo "udevadm here does not verify rules; their form is looked at only"
	fi
	# Matches first, then assignments, each with an operator and a value.
	echo "$line" | grep -q -x -E '([A-Z]+=="[^"]+", )+([A-Z]+="[^"]+", )*[A-Z]+="[^"]+"' &&
		[[ $line == 'KERNEL=="ivshm-net", '*'MODE="0660"'* && $line == *'GROUP="kvm"'* ]]
}

modules_load()
{
	local name

	name=$(grep -v '^#' "$work/dest/usr/lib/modules-load.d/ivshm.conf")
	[ "$name" = "$(modinfo -F name "$work"/dest/lib/modules/*/extra/drivers/ivshm/ivshm.ko)" ]
}

# guest_profile DIR - what the parser makes of a guest's profile with that
# configuration
guest_profile()
{
	sed 's/LIBVIRT_TEMPLATE/libvirt-test/' "$1/libvirt/TEMPLATE.qemu" >"$work/profile"
	apparmor_parser --skip-kernel-load --skip-cache --quiet --base "$1" --preprocess "$work/profile"
}

service()
{
	wants systemd-analyze systemd || return "$KSFT_SKIP"
	mkdir -p "$work/unit" && sed "s|/usr/sbin/|$work/dest&|" \
		"$work/dest/usr/lib/systemd/system/ivshm-couplings.service" >"$work/unit/ivshm-couplings.service" || return 1
	# It looks at the units of this machine as well, which are not ours.
	systemd-analyze verify --man=no "$work/unit/ivshm-couplings.service" 2>&1 | grep ivshm && return 1
	[ -d "$work/dest/etc/ivshm/couplings.d" ]
}

apparmor_rule()
{
	local dir=$work/apparmor.d rule='/dev/ivshm-net rw,' n

	wants apparmor_parser apparmor || return "$KSFT_SKIP"
	[ -e /etc/apparmor.d/abstractions/libvirt-qemu ] ||
		{ echo "no abstractions/libvirt-qemu (Debian package: libvirt-daemon-system)"; return "$KSFT_SKIP"; }
	cp -a /etc/apparmor.d "$dir" || return 1
	"$IVSHM_TOP/tools/host/apparmor-local" remove "$dir"
	rm -rf "$dir/abstractions/libvirt-qemu.d"
	guest_profile "$dir" | grep -q -F "$rule" && { echo "it is there without us"; return 1; }

	cp -a "$work/dest/etc/apparmor.d/." "$dir/" || return 1
	"$IVSHM_TOP/tools/host/apparmor-local" add "$dir" &&
		guest_profile "$dir" >"$work/flat" || return 1
	n=$(grep -c -F "$rule" "$work/flat")
	[ "$n" = 1 ] || { echo "the rule is there $n times"; return 1; }
	apparmor_parser --skip-kernel-load --skip-cache --base "$dir" "$work/profile" || return 1

	# The line may outlive the file: guests are to start all the same.
	rm "$dir/abstractions/libvirt-qemu.d/ivshm"
	guest_profile "$dir" >/dev/null
}

apparmor_line()
{
	local dir=$work/local tool=$IVSHM_TOP/tools/host/apparmor-local file

	file=$dir/local/abstractions/libvirt-qemu
	mkdir -p "${file%/*}" "$dir/abstractions"
	# No libvirt.
	"$tool" add "$dir" && [ -z "$(find "$dir" -type f)" ] || return 1
	# That of Debian 12.
	echo '#include <local/abstractions/libvirt-qemu>' >"$dir/abstractions/libvirt-qemu"
	echo '/some/thing r,' >"$file"
	"$tool" add "$dir" && "$tool" add "$dir" || return 1
	diff - "$file" <<-END || return 1
		/some/thing r,
		include if exists <abstractions/libvirt-qemu.d/ivshm>
	END
	"$tool" remove "$dir" && "$tool" remove "$dir" && [ "$(cat "$file")" = '/some/thing r,' ] || return 1
	# A newer one.
	echo '  include if exists <abstractions/libvirt-qemu.d>' >>"$dir/abstractions/libvirt-qemu"
	"$tool" add "$dir" && [ "$(cat "$file")" = '/some/thing r,' ]
}

# --- the XML -----------------------------------------------------------------------

# A libvirt of our own: no daemon, nothing outside of this directory. Making a
# command line, it also makes a tap; not in this machine's network.
apart=()
[ "$(id -u)" != 0 ] || apart=(unshare --net)
virsh_() { "${apart[@]}" timeout 120 virsh -q -c "qemu:///embed?root=$work/libvirt" "$@" 2>"$work/virsh.err"; }

can_libvirt()
{
	wants virsh libvirt-clients && wants virt-xml-validate libvirt-clients || return 1
	virsh_ uri >/dev/null && return
	echo "libvirt's QEMU driver does not work here: $(tail -n 1 "$work/virsh.err")"
	return 1
}

validates()
{
	wants virt-xml-validate libvirt-clients || return "$KSFT_SKIP"
	virt-xml-validate "$1" domain
}

backends() { grep -o "<backend vhost='[^']*'/>" "$1" | sort; }

# Defined as it is, and the path is where it was when libvirt writes it again.
parses()
{
	local file=$1 name

	can_libvirt || return "$KSFT_SKIP"
	if [ ! -w /dev/kvm ]; then
		echo "no KVM here: as an emulated domain"
		sed "s/<domain type='kvm'>/<domain type='qemu'>/" "$1" >"$work/domain.xml"
		file=$work/domain.xml
	fi
	name=$(sed -n 's|.*<name>\(.*\)</name>.*|\1|p' "$file" | head -n 1)
	if ! virsh_ "define $file --validate; dumpxml $name; undefine $name" >"$work/dump.xml"; then
		cat "$work/virsh.err"
		return 1
	fi
	diff <(backends "$1") <(backends "$work/dump.xml") || return 1
	if [ ${#apart[@]} = 0 ]; then
		echo "not root: no command line is made"
		return
	fi
	virsh_ domxml-to-native qemu-argv "$file" >"$work/argv" ||
		{ cat "$work/virsh.err"; return 1; }
	! grep -q '<interface' "$1" || grep -q '"driver":"virtio-net-pci"' "$work/argv"
}

# The path belongs to <backend> in <interface>, nowhere else.
misplaced()
{
	can_libvirt || return "$KSFT_SKIP"
	sed -e "s|<driver name='vhost'|& vhost='/dev/ivshm-net'|" -e '/<backend /d' "$work/xml/01.xml" >"$work/wrong.xml"
	! virt-xml-validate "$work/wrong.xml" domain >/dev/null 2>&1
}

kernel_dir=$("$IVSHM_TOP/selftests/vm/kernel" stock) || exit 1
if ktap_test "install: the files, with DESTDIR" installs; then
	ktap_test "install: the library, by pkg-config" library_is_found
	ktap_test "install: uninstall leaves nothing" uninstalls
fi
ktap_test "udev: the rule" udev_rule
ktap_test "modules-load: the module's name" modules_load
ktap_test "systemd: the service" service
ktap_test "AppArmor: a guest's profile has the rule, and parses" apparmor_rule
ktap_test "AppArmor: the line for older libvirts" apparmor_line
mkdir "$work/xml"
for file in $("$here/xml-blocks" -v DIR="$work/xml" "$IVSHM_TOP/Documentation/libvirt.rst" "$IVSHM_TOP/README.md"); do
	name=${file##*/}
	ktap_test "XML: block ${name%.xml} is valid" validates "$file"
	ktap_test "XML: block ${name%.xml} is defined, and keeps the path" parses "$file"
done
ktap_test "XML: elsewhere the path is refused" misplaced
ktap_done
