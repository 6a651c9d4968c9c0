# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# What it takes to boot a kernel of Debian's in the guest, out of its unpacked
# packages. Sourced by image and stock, after common.sh.

# unpack_kernel VMLINUZ TO: a bzImage unpacks itself, which under emulation takes
# longer than the rest of the boot. The ELF inside can be booted directly through
# its PVH entry.
unpack_kernel() {
	local offset length tool
	field() { od -An -v -j "$1" -N "$2" -t "u$2" "$vmlinuz" | tr -d ' '; }
	local vmlinuz=$1

	offset=$((($(field $((0x1f1)) 1) + 1) * 512 + $(field $((0x248)) 4)))
	length=$(field $((0x24c)) 4)
	# The payload ends with the size of the output, which the decompressors
	# report as garbage.
	for tool in xz zstd; do
		tail -c +$((offset + 1)) "$vmlinuz" | head -c "$length" |
			"$tool" -dcq >"$2" 2>/dev/null || true
		[ "$(head -c 4 "$2")" != $'\177ELF' ] || return 0
	done
	say "# no known payload in ${vmlinuz##*/}, booting it compressed"
	cp "$vmlinuz" "$2"
}

# pick_modules FROM TO: the modules that a network test could want, of those in
# FROM; the rest is 300 MB of drivers.
pick_modules() {
	(
		cd "$1" || exit
		{
			find kernel/{arch,block,crypto,lib,net} \
				kernel/drivers/{virtio,firmware} \
				kernel/fs/{9p,fuse,fscache,netfs,overlayfs,squashfs} \
				kernel/drivers/net/{bonding,ipvlan,team,vxlan,wireguard} \
				-name '*.ko*' 2>/dev/null || true
			find kernel/drivers/net -maxdepth 1 -name '*.ko*'
			find kernel/drivers/char kernel/drivers/block \
				-path '*/hw_random/*.ko*' -o -name 'virtio_console.ko*' \
				-o -name 'virtio_blk.ko*' -o -name 'loop.ko*'
		} | grep -Ev '^kernel/(arch/x86/kvm|net/(6lowpan|appletalk|atm|ax25|batman-adv|bluetooth|can|ceph|dccp|ieee802154|lapb|mac80211|mac802154|netrom|nfc|rds|rose|rxrpc|sunrpc|tipc|wireless|x25))/' |
			tar -cf - -T -
		[ ! -e modules.builtin ] || tar -cf - modules.builtin* modules.order
	) | tar -xf - -i -C "$2"
	# Without compression, debug sections and signatures they load faster.
	find "$2/kernel" -name '*.ko.xz' -exec xz -d {} +
	find "$2/kernel" -name '*.ko' -exec strip --strip-debug {} +
}

# make_initramfs TOP ABI TO: what mounts the guest's root. The modules are those
# of TOP/usr/lib/modules/ABI, the tools those of the guest system.
make_initramfs() {
	local top=$1 abi=$2 to=$3 module path

	mkdir -p "$to.d"/{bin,modules,dev,proc,sys,new}
	# The order in which they have to be inserted.
	for module in virtio_pci virtio_blk virtio_console squashfs overlay; do
		in_root "$root" -v "$top:/mnt" \
			modprobe -d /mnt/usr -S "$abi" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
		while read -r path; do
			cp "$top/${path#/mnt/}" "$to.d/modules/"
			echo "${path##*/}"
		done >"$to.order"
	mv "$to.order" "$to.d/modules/order"
	cp "$root/bin/busybox" "$to.d/bin/"
	(cd "$to.d" && find . | cpio -o -H newc --quiet -R 0:0) >"$to"
	rm -rf "$to.d"
}
