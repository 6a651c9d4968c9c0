#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: wake.sh [ROUNDS]
#
# In the user mode kernel: a connection, idle, its client blocked in recv; the member
# is set down; time from before the request to the kernel to the client's
# ECONNRESET, by the clock of the machine. 100 ms is the promise. The machine may do
# something else in between, for longer than that, so the median of many is
# what counts.
set -u
cd "$(dirname "$0")/.." || exit
. ./lib.sh
. ./topo.sh

rounds=${1:-11}
check "two hosts" topo_up 2
check "three containers" topo_container 110 111 210
services() {
	topo_service 1 far 1 && topo_member 1 far 210 &&
		topo_service 1 near 2 && topo_member 1 near 111
}
check "a member on the other host, and one on this" services
topo_serve 111 7000
topo_serve 210 7000
ifindex=$(vnimesh -n h1 -j dev show mesh0 | jq '.[0].ifindex')

# wakes TAG VNI ADDR
wakes() {
	local i
	: >"$work/$1"
	for ((i = 0; i < rounds; i++)); do
		in_ns h1 held -w c110 "$ifindex" "$1" "$2" "$3" 7000 >>"$work/$1" || return
		vnimesh -n h1 member set "$1" vni "$2" state up || return
	done
	sort -n "$work/$1" >"$work/sorted"
	ms=$(sed -n "$((rounds / 2 + 1))p" "$work/sorted")
}
# within TAG VNI ADDR WHERE
within() {
	local ms
	check "$rounds clients of $3, $4, get a reset" wakes "$@" || return
	check "... within 100 ms, the median: $ms ms" [ "${ms%.*}" -lt 100 ]
	diag "$(head -n 1 "$work/sorted") to $(tail -n 1 "$work/sorted") ms"
}
for addr in 10.96.0.1 fd77:96::1; do
	within far 210 $addr "on the other host"
done
for addr in 10.96.0.2 fd77:96::2; do
	within near 111 $addr "on this host"
done
