# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
# Names and helpers that the VM scripts share. Sourced, never run.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
selftests_dir=$(dirname "$vm_dir")
top_dir=$(dirname "$selftests_dir")

export LC_ALL=C
cache=${VNIMESH_CACHE:-/var/cache/vnimesh}
suite=${VNIMESH_SUITE:-bookworm}

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

hash_of() { sha256sum | cut -c1-12; }

# One package name per line, comments stripped.
packages() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$selftests_dir/packages.$1"; }

# The chroot depends on the package lists and on the script that makes it;
# the image (kernel, initramfs, squashfs) also on the script that packs it.
# So an edit of the packing does not cost a new debootstrap.
root_key=$(
	{ packages build; packages run; cat "$vm_dir/rootfs"; echo "$suite"; } | hash_of)
image_key=$({ echo "$root_key"; cat "$vm_dir/image" "$vm_dir/pack.sh"; } | hash_of)
root_cache=$cache/root-$root_key
root=$root_cache/root
image=$cache/image-$image_key

out=${VNIMESH_OUT:-$cache/out-$(printf '%s' "$top_dir" | hash_of)}

need_root() {
	[ "$(id -u)" = 0 ] || die "must be run as root (sudo), it mounts and uses chroot"
}

# Prints "URI SUITE" lines for the Debian archives the host's apt knows. The
# project names no mirror: whatever the machine trusts is what we use.
archives() {
	if [ -n "${VNIMESH_MIRROR-}" ]; then
		echo "$VNIMESH_MIRROR $suite"
		return
	fi
	# shellcheck disable=SC2016 # apt's own placeholders
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' |
		awk -v s="$suite" '$3 == "main" &&
			($2 == s || $2 == s "-updates" || $2 == s "-security") &&
			!seen[$1 $2]++ { print $1, $2 }'
}

# in_root DIR [-v SRC:DST]... CMD...: run CMD in the chroot DIR. All mounts live
# in a mount namespace of their own, so that an interrupted run leaves none. With
# in_root_by=exec it takes the place of the shell, and who kills that ends CMD and all
# that it started.
in_root() {
	local dir=$1 binds=()
	shift
	while [ "${1-}" = -v ]; do
		binds+=("$2")
		shift 2
	done
	# shellcheck disable=SC2016 # expanded by the inner shell
	${in_root_by-} unshare --mount --propagation private --pid --fork --kill-child -- \
		bash -euc '
		dir=$1 n=$2
		shift 2
		mount -t proc proc "$dir/proc"
		mount -t tmpfs -o mode=1777 tmpfs "$dir/dev/shm"
		mount -t tmpfs -o mode=1777 tmpfs "$dir/tmp"
		for ((; n > 0; n--)); do
			mkdir -p "$dir/${1#*:}"
			mount --bind "${1%%:*}" "$dir/${1#*:}"
			shift
		done
		exec chroot "$dir" /usr/bin/env -i \
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			HOME=/root TMPDIR=/tmp LC_ALL=C TERM="${TERM:-dumb}" \
			DEBIAN_FRONTEND=noninteractive "$@"
		' in_root "$dir" "${#binds[@]}" "${binds[@]}" "$@"
}

# make_chroot DIR ROOT SCRIPT PACKAGE...: a copy of ROOT with the packages, in which
# SCRIPT has run; $log has what it says.
make_chroot() {
	local to=$1 from=$2 script=$3 tmp=$cache/tmp-static
	shift 3

	[ ! -e "$to/done" ] || { touch "$to"; return 0; }
	echo "# making a chroot of the checkers (log: $log)"
	rm -rf --one-file-system "$tmp"
	mkdir -p "$tmp"
	cp -a --reflink=auto "$from" "$tmp/root"
	cp -L /etc/resolv.conf "$tmp/root/etc/"
	in_root "$tmp/root" bash -euc '
		apt-get update -q
		apt-get install -y -q --no-install-recommends "$@"
		rm -rf /var/cache/apt/archives/*.deb
		'"$script" static "$@" >"$log" 2>&1 ||
		{ tail -n 20 "$log" >&2; return 1; }
	rm -f "$tmp/root/etc/resolv.conf"
	touch "$tmp/done"
	rm -rf --one-file-system "$to"
	mv "$tmp" "$to"
}

# lane_root: the guest system's chroot with what the long lanes need besides, made by
# the first call; sets $dir.
lane_root() {
	log=$cache/lane.log
	dir=$cache/lane-$({ echo "$root"; packages lane; } | hash_of)
	(
		flock 9
		# shellcheck disable=SC2046
		make_chroot "$dir" "$root" : $(packages lane)
	) 9>"$cache/lock.lane" || return
	find "$cache" -maxdepth 1 -name 'lane-*' -type d -mtime +2 ! -path "$dir" \
		-exec rm -rf --one-file-system {} +
	dir=$dir/root
}

# in_kernel_root KERNELDIR [-v SRC:DST]... CMD...: in the chroot in which the module
# is compiled for the kernel that `stock` fetched.
in_kernel_root() {
	local kernel=$1 bind binds=()
	shift
	while IFS= read -r bind; do
		binds+=(-v "$bind")
	done < <(cat "$kernel/binds" 2>/dev/null)
	in_root "$(cat "$kernel/root.path")" "${binds[@]}" "$@"
}

# What the outer runners (check, demo) need before anything can boot; the
# argument is a directory for logs.
prepare_host() {
	local missing=() package

	for package in $(packages host); do
		if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
			grep -q '^install ok installed'; then
			missing+=("$package")
		fi
	done
	if [ ${#missing[@]} -gt 0 ]; then
		echo "# installing ${missing[*]}"
		export DEBIAN_FRONTEND=noninteractive
		local apt=(apt-get -o DPkg::Lock::Timeout=300 -q -y)
		# The machine's package lists may be missing or out of date.
		"${apt[@]}" install --no-install-recommends "${missing[@]}" >"$1/apt.log" 2>&1 ||
			{ "${apt[@]}" update &&
				"${apt[@]}" install --no-install-recommends "${missing[@]}"; } \
				>"$1/apt.log" 2>&1 ||
			{ tail -n 20 "$1/apt.log"; die "cannot install ${missing[*]}"; }
	fi
}

prepare() {
	local started

	prepare_host "$1"
	"$vm_dir/rootfs" || exit
	echo "# compiling (log: $1/build.log)"
	started=$SECONDS
	if ! "$vm_dir/build" >"$1/build.log" 2>&1; then
		grep -E -B 2 -A 6 'error|Error|undefined reference' "$1/build.log" | tail -n 60
		die "the build failed, see $1/build.log"
	fi
	echo "# compiled in $((SECONDS - started)) s"
}

# The runners are started by people and by CI; both may forget sudo.
become_root() {
	[ "$(id -u)" != 0 ] || return 0
	command -v sudo >/dev/null || need_root
	exec sudo -E -- "$@"
}
