# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Kernels of newer suites of the distribution, with what builds modules for them:
# a root of their own, with their compiler and their C library, out of packages of
# that suite. All of apt's files are in the cache; this machine's are only read, for
# where its archive is.
#
#   $IVSHM_CACHE/archive/SUITE/state, sources.list     package lists of a suite
#   $IVSHM_CACHE/archive/SUITE/kernel                  its kernel: RELEASE VERSION
#
# Sourced after common.sh.

# archive_apt SUITE COMMAND... - run apt-get or apt-cache for that suite only
archive_apt()
{
	local dir=$IVSHM_CACHE/archive/$1 command=$2
	shift 2

	"$command" -q -o "Dir::State=$dir/state" -o Dir::State::status=/dev/null \
		-o "Dir::Cache=$dir" -o "Dir::Cache::archives=$dir/packages" \
		-o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 -o Acquire::Languages=none \
		-o APT::Install-Recommends=false -o APT::Sandbox::User=root "$@"
}

# Where this machine has its packages from.
archive_address()
{
	local suite

	suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	# shellcheck disable=SC2016 # for apt
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 2>/dev/null |
		sed -n "s/^${suite:-stable} //p" | head -n 1
}

archive_kernel_of()
{
	archive_apt "$1" apt-cache show linux-image-amd64 2>/dev/null | awk '
		$1 == "Version:" { version = $2 }
		$1 == "Depends:" && match($0, /linux-image-[0-9][^ ,]*/) {
			print substr($0, RSTART + 12, RLENGTH - 12), version
			exit
		}'
}

# archive_look SUITE - bring the suite's package lists up to date, once a day
archive_look()
{
	local suite=$1 dir=$IVSHM_CACHE/archive/$1 address keys=/usr/share/keyrings/debian-archive-keyring.gpg kernel

	[ -z "$(find "$dir/kernel" -mmin -1440 2>/dev/null)" ] || return 0
	mkdir -p "$dir/state/lists/partial" "$dir/packages/partial" || return 1
	address=$(archive_address)
	if [ -z "$address" ]; then
		say "apt has no archive of this distribution among its sources"
		return 1
	fi
	[ -e "$keys" ] && keys="[signed-by=$keys]" || keys=''
	echo "deb $keys $address $suite main" >"$dir/sources.list"
	say "looking for kernels of the suite $suite"
	if archive_apt "$suite" apt-get -o APT::Update::Error-Mode=any update >"$dir/update.log" 2>&1; then
		kernel=$(archive_kernel_of "$suite")
	fi
	if [ -n "${kernel:-}" ]; then
		echo "$kernel" >"$dir/kernel"
	elif [ -s "$dir/kernel" ]; then
		say "the suite $suite cannot be read; taking what was there before"
	else
		grep -E '^(E|W|Err):' "$dir/update.log" | head -n 5 >&2
		say "the archive that this machine has its packages from has no suite $suite with a kernel"
		return 1
	fi
}

# archive_kernel SUITE - print "RELEASE VERSION" of the suite's kernel
archive_kernel()
{
	with_lock "archive-$1" archive_look "$1" && cat "$IVSHM_CACHE/archive/$1/kernel"
}

# archive_root SUITE RELEASE VERSION - fill the directory "root" with that kernel, its
# headers and what is needed to build modules in there
archive_root()
{
	local suite=$1 release=$2 version=$3 dir=$PWD/packages deb

	mkdir -p "$dir/partial" root || return
	say "fetching linux-image-$release $version and a compiler of the suite $suite"
	# Not installed: no script of a package runs.
	if ! archive_apt "$suite" apt-get -y --download-only -o "Dir::Cache::archives=$dir" install \
		"linux-image-$release=$version" "linux-headers-$release=$version" \
		base-files bash coreutils dash diffutils findutils grep make mawk sed \
		>apt.log 2>&1; then
		tail -n 5 apt.log >&2
		say "cannot get linux-image-$release=$version"
		rm -f "$IVSHM_CACHE/archive/$suite/kernel"
		return 1
	fi
	# First the package with the links from /bin to /usr/bin and so on.
	for deb in "$dir"/base-files_*.deb "$dir"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" |
			tar -x -C root --keep-directory-symlink --no-same-owner --exclude='./usr/share/doc' \
				--exclude='./usr/share/locale' --exclude='./usr/share/man' -f - || return
	done
	# What the scripts of packages would have done.
	ln -sf mawk root/usr/bin/awk && ln -sf dash root/usr/bin/sh && rm -rf "$dir"
}

# archive_run ROOT DIR COMMAND... - run a command of the root, as if in this machine
# DIR were there as well
archive_run()
{
	local root=$1 dir=$2 user=()
	shift 2

	[ "$(id -u)" = 0 ] || user=(--map-root-user)
	mkdir -p "$root$dir" || return
	# shellcheck disable=SC2016 # for the shell in there
	unshare "${user[@]}" --mount --pid --fork sh -c '
		mount --bind "$2" "$1$2" && mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" || exit
		root=$1
		shift 2
		exec chroot "$root" env -i PATH=/usr/bin:/usr/sbin LC_ALL=C DEB_BUILD_ARCH=amd64 "$@"
	' sh "$root" "$dir" "$@"
}
