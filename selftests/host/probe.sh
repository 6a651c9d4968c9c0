#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The compat probe gives, for this kernel's headers, the answers that are
# committed: a change that a kernel took back shows here and not at a user's.
# kernel: each
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=selftests/lib.sh
. selftests/lib.sh

kdir=${KDIR:-$(ls -d /usr/src/linux-headers-6.1.*-amd64)}
release=${kdir#/usr/src/linux-headers-}
case $release in
6.1.*) golden=6.1 ;;
6.12.*) golden=6.12 ;;
*) golden=newest ;;
esac
diag "kernel $release"
include=$(printf '%s\n' "${kdir%-amd64}-common/include" "$kdir/include" |
	while read -r dir; do [ ! -e "$dir/linux/netdevice.h" ] || echo "$dir"; done | head -n 1)
[ -e "$include/linux/netdevice.h" ] || skip_all "no headers in $kdir"

check "the probe runs" sh -c 'sh kmod/compat/probe.sh "$1" >"$2"' probe "$include" "$work/probe.h"
check "its answers for $release are those of golden/$golden.h" \
	diff -u "kmod/compat/golden/$golden.h" "$work/probe.h"
# Users have different awks, and some that warn change what they warn of.
mkdir "$work/bin"
for awk in gawk mawk original-awk; do
	path=$(command -v "$awk") || continue
	ln -sf "$path" "$work/bin/awk"
	PATH=$work/bin:$PATH sh kmod/compat/probe.sh "$include" >"$work/$awk.h" 2>&1
	check "$awk gives the same, and no warning" diff -u "$work/probe.h" "$work/$awk.h"
done
check_fails "without headers it fails" sh kmod/compat/probe.sh "$work"

# Which awk a machine has is nothing that the answers may depend on.
same_with() {
	mkdir -p "$work/$1" && ln -s "$(type -P "$1")" "$work/$1/awk" &&
		PATH=$work/$1:$PATH sh kmod/compat/probe.sh "$include" 2>"$work/stderr" |
		diff -u "kmod/compat/golden/$golden.h" - && diff /dev/null "$work/stderr"
}
for awk in gawk mawk original-awk; do
	[ -z "$(type -P $awk)" ] || check "they are the same with $awk, without a warning" same_with $awk
done

# Each question is asked for something, and nothing is used that is not asked.
asked() { sed -n 's/.*\(VNIMESH_HAVE_[A-Z0-9_]*\).*/\1/p' "kmod/compat/golden/$golden.h" | sort -u; }
used() { grep -rhoE 'VNIMESH_HAVE_[A-Z0-9_]+' kmod --include='*.[ch]' --exclude-dir=golden | sort -u; }
check_is "no answer is used that no question gives" "" "$(comm -13 <(asked) <(used))"
