# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Building the module out of a copy of the sources, so that the tree stays as it
# is and several kernels' objects do not get into each other's way. All checkouts
# have the same copies: hold a lock for as long as what is in one matters.
#
# Sourced after common.sh.

# shellcheck source=archive.sh
. "$IVSHM_TOP/selftests/lib/archive.sh"

# build_copy NAME - bring the copy NAME up to date and print where it is. Only
# what differs is copied, for make to build only that, also in a new checkout.
build_copy()
{
	local dir=$IVSHM_CACHE/build/$1 file

	mkdir -p "$dir" || return 1
	(cd "$IVSHM_TOP" && find Kbuild drivers include \( -name Kbuild -o -name '*.[ch]' \) ! -name '*.mod.c') |
		while read -r file; do
			cmp -s "$IVSHM_TOP/$file" "$dir/$file" ||
				install -D -m 644 "$IVSHM_TOP/$file" "$dir/$file" || return 1
		done || return 1
	# Kbuild takes tests by wildcard: what was deleted must not linger.
	(cd "$dir" && find Kbuild drivers include -name '*.[ch]' ! -name '*.mod.c') |
		while read -r file; do
			[ -e "$IVSHM_TOP/$file" ] || rm -f "$dir/$file"
		done
	echo "$dir"
}

# build_module NAME KERNEL_DIR MAKE_ARGS... - what the compiler says goes to
# standard output
build_module()
{
	local dir kernel_dir=$2

	dir=$(build_copy "$1") || return 1
	shift 2
	if [ -d "$kernel_dir/root" ]; then
		archive_run "$kernel_dir/root" "$dir" \
			make -C "/usr/src/linux-headers-$(cat "$kernel_dir/release")" \
			M="$dir" -j"$(nproc)" "$@" modules 2>&1
		return
	fi
	make -C "$kernel_dir/kdir" M="$dir" -j"$(nproc)" "$@" modules 2>&1
}
