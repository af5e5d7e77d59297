# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Building initramfs images: of the test machine, and of the guests inside it.
#
# Sourced after common.sh.

# modules_into DIR KERNEL_DIR MODULE... - copy modules with all that they depend
# on to DIR/modules and write the order in which to load them to
# DIR/modules/order. What is built into the kernel takes no file.
modules_into()
{
	local dir=$1 base=$2/modules release word file ko name
	shift 2

	release=$(ls "$base/lib/modules")
	mkdir -p "$dir/modules"
	: >"$dir/modules/order"
	for name; do
		modprobe -d "$base" -S "$release" --show-depends "$name" >"$dir/modules/.deps" ||
			return 1
		while read -r word file _; do
			[ "$word" = insmod ] || continue
			ko=$(basename "$file" .xz)
			grep -qx "$ko" "$dir/modules/order" && continue
			case $file in
			*.xz) xz -dc "$file" >"$dir/modules/$ko" ;;
			*) cp "$file" "$dir/modules/" ;;
			esac || return 1
			echo "$ko" >>"$dir/modules/order"
		done <"$dir/modules/.deps"
	done
	rm "$dir/modules/.deps"
}

# binary_into DIR PROGRAM... - copy programs with their shared libraries
binary_into()
{
	local dir=$1 program lib
	shift

	for program; do
		program=$(command -v "$program") || return 1
		program=$(readlink -f "$program")
		mkdir -p "$dir/bin"
		cp "$program" "$dir/bin/" || return 1
		ldd "$program" 2>/dev/null | grep -o '/[^ ]*' | while read -r lib; do
			mkdir -p "$dir/${lib%/*}"
			cp -L "$lib" "$dir/$lib"
		done
	done
}

# tree_pack DIR FILE - make an initramfs of a directory
tree_pack()
{
	(cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0) >"$2" && [ -s "$2" ]
}

machine_initrd_fill()
{
	mkdir -p root/bin root/dev root/proc root/sys &&
		cp "$(command -v busybox)" root/bin/busybox &&
		cp "$IVSHM_TOP/selftests/vm/init" root/init &&
		modules_into root "$machine_kernel" virtio_pci virtio_rng virtio_console 9pnet_virtio 9p overlay &&
		tree_pack root initrd &&
		rm -rf root
}

# machine_initrd KERNEL_DIR - print the path of the test machine's initramfs
machine_initrd()
{
	local key dir

	machine_kernel=$1
	key=$({
		cat "$IVSHM_TOP/selftests/vm/init" "${BASH_SOURCE[0]}"
		echo "$1"
		sha256sum <"$(command -v busybox)"
	} | hash_of)
	dir=$(cache_make "initrd-$key" machine_initrd_fill) || return 1
	echo "$dir/initrd"
}

guest_initrd_fill()
{
	mkdir -p root/bin root/dev root/proc root/sys root/tmp &&
		cp "$(command -v busybox)" root/bin/busybox &&
		binary_into root iperf3 ping ethtool &&
		cp "$IVSHM_TOP/selftests/vm/guest-init" root/init &&
		modules_into root "$guest_kernel" virtio_pci virtio_net virtio_console virtio_balloon af_packet pktgen &&
		tree_pack root initrd &&
		rm -rf root
}

# guest_initrd STOCK_DIR - print the path of the initramfs of the guests
guest_initrd()
{
	local key dir

	need iperf3 iperf3
	need ping iputils-ping
	need ethtool ethtool
	guest_kernel=$1
	key=$({
		cat "$IVSHM_TOP/selftests/vm/guest-init" "${BASH_SOURCE[0]}"
		echo "$1"
		sha256sum <"$(command -v busybox)"
		sha256sum <"$(command -v iperf3)"
	} | hash_of)
	dir=$(cache_make "guest-$key" guest_initrd_fill) || return 1
	echo "$dir/initrd"
}
