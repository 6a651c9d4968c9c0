#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a user of DKMS does: an unpacked archive of the sources goes through add,
# build, install and remove, for a kernel whose headers are there; a kernel
# without what the module needs is left out and not failed.
# kernel: each
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=selftests/lib.sh
. selftests/lib.sh

command -v dkms >/dev/null || skip_all "no dkms"
kdir=${KDIR:-$(ls -d /usr/src/linux-headers-6.1.*-amd64)}
release=${kdir#/usr/src/linux-headers-}
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
diag "dkms $(dkms --version), kernel $release"

# The chroot stays as it is: what dkms writes to lies over it, in this test's own
# mount namespace.
mount --make-rprivate / 2>/dev/null
for dir in /var/lib/dkms /usr/lib/modules; do
	mkdir -p "$dir"
	mount -t tmpfs tmpfs "$dir" || skip_all "cannot mount"
done
mkdir -p "/usr/lib/modules/$release" "/usr/lib/modules/6.99-other" "$work/other"
ln -s "$kdir" "/usr/lib/modules/$release/build"
ln -s "$work/other" /usr/lib/modules/6.99-other/build
[ -e /lib/modules ] || ln -s usr/lib/modules /lib/modules

# Only what belongs to the module and to building it.
src=$work/vnimesh-$version
mkdir "$src"
tar -c --exclude='*.o' --exclude='*.ko' --exclude='*.cmd' --exclude='*.mod*' \
	--exclude=compat-probe.h Kbuild Makefile dkms.conf kmod uapi | tar -x -C "$src"
defer umount /usr/lib/modules
defer umount /var/lib/dkms
defer rm -rf "/usr/src/vnimesh-$version"

installed() { find "/usr/lib/modules/$release" -name 'vnimesh.ko*'; }
status() { dkms status -m vnimesh -v "$version"; }

check_is "the archive and the project have one version" \
	"$(sed -n 's/^VERSION := //p' Makefile)" "$version"
check "add" dkms add "$src"
check_match "... is known" "added" status
check "build" dkms build -m vnimesh -v "$version" -k "$release" || {
	sed 's/^/# /' "/var/lib/dkms/vnimesh/$version/build/make.log" 2>/dev/null | tail -n 30
}
check_match "... is built" "built" status
check "install" dkms install -m vnimesh -v "$version" -k "$release"
check_match "... is installed" "installed" status
check_match "... where modprobe looks" "/updates/dkms/vnimesh.ko" installed
check_match "... for this kernel" "^${release//+/[+]} " modinfo -F vermagic "$(installed | head -n 1)"
check_match "a device's kind finds it" "rtnl-link-vnimesh" \
	modinfo -F alias "$(installed | head -n 1)"

# Kernels of another make, and of another time.
grep -v CONFIG_NET_UDP_TUNNEL= "$kdir/.config" >"$work/other/.config"
cp "$kdir/Makefile" "$work/other/"
cp -a /usr/lib/modules/6.99-other /usr/lib/modules/6.0.0-old
excluded() {
	dkms build -m vnimesh -v "$version" -k "$1" 2>&1
	true
}
check_match "a kernel without UDP tunnels is left out" "BUILD_EXCLUSIVE" excluded 6.99-other
cp "$kdir/.config" "$work/other/"
check_match "a kernel before 6.1 is left out" "BUILD_EXCLUSIVE" excluded 6.0.0-old
check_is "... and nothing is built for them" "" \
	"$(find /var/lib/dkms/vnimesh -name 'vnimesh.ko*' ! -path "*/$release/*")"

check "remove" dkms remove -m vnimesh -v "$version" --all
check_is "... leaves no module" "" "$(installed)"
check_is "... and no trace" "" "$(find /var/lib/dkms -path '*vnimesh*')"
