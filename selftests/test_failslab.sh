#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Memory that runs out. Every netlink command with each of its allocations failing
# in turn; then traffic, new flows and misses while allocations of the senders
# fail at random; then devices, namespaces and the module that come and go while
# those of who does it fail. Needs a kernel with CONFIG_FAILSLAB: `make check-debug`.
# On an emulated kernel with checkers it takes hours, and one processor is enough.
# vm: -m 2048 -t 1800
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

[ -e /proc/self/fail-nth ] || skip_all "no CONFIG_FAILSLAB: see make check-debug"
slab=/sys/kernel/debug/failslab
[ -d $slab ] || mount -t debugfs none /sys/kernel/debug || skip_all "no debugfs"

# Sleeping allocations too; silent, each would print a stack; none by chance.
echo N >$slab/ignore-gfp-wait
echo 0 >$slab/verbose
echo 0 >$slab/probability
echo -1 >$slab/times
echo 1 >$slab/interval

check "a mesh of two hosts" topo_up 2

while read -r line; do
	case $line in
	"ok "*) tap_ok "${line#* - }" ;;
	"not ok "*) tap_fail "${line#* - }" ;;
	1..*) got=$line ;;
	*) diag "${line#\# }" ;;
	esac
done < <(in_ns h1 failnth mesh0 2>&1)
check_match "all commands were tried" "^1\\.\\.[1-9]" echo "${got-}"

topo_container 110 111 210
topo_service 1 web 1
topo_member 1 web 111
topo_member 1 web 210
topo_serve 111 7000
topo_serve 210 7000
check "connects while nothing fails" in_ns c110 peer talk 10.96.0.1 7000

# Only who asks for it suffers: the senders.
echo Y >$slab/task-filter
echo 20 >$slab/probability
in_ns c110 bash -c 'echo 1 >/proc/self/make-it-fail
	exec timeout '$((10 * VNIMESH_SLOW / 10 + 5))' peer flood 10.96.0.1 7000 fd77:96::1 7000 10.96.0.9 7000 10.77.2.10 7000' \
	>/dev/null 2>&1
echo 0 >$slab/probability
echo N >$slab/task-filter
diag "flows after it: $(vnimesh -n h1 flow show dev mesh0 | grep -c .)"
check "connects after a flood whose allocations failed" \
	waitfor 10 in_ns c110 peer talk 10.96.0.1 7000

if grep -q 'User Mode Linux' /proc/cpuinfo; then
	tap_skip "devices, namespaces and the module whose allocations fail" \
		"a user mode kernel dies of one that fails in its own exec"
	exit 0
fi

# shaky PERCENT CMD...: succeeds or fails, with that share of its allocations.
shaky() {
	echo "$1" >$slab/probability
	bash -c 'echo 1 >/proc/self/make-it-fail; exec "$@"' shaky "${@:2}" >/dev/null 2>&1 &&
		shaky_ok=$((shaky_ok + 1))
	echo 0 >$slab/probability
	shaky_all=$((shaky_all + 1))
}
echo Y >$slab/task-filter

ip -n under addr add 192.0.2.1/24 dev br0
# Each is tried with failures, and then made so that the next one can be tried.
shaky_ok=0 shaky_all=0
for ((i = 0; i < 12; i++)); do
	percent=$((1 + i % 3))
	shaky $percent ip netns add c112
	if ! ip -n c112 link show lo >/dev/null 2>&1; then
		[ ! -e /run/netns/c112 ] || ip netns del c112
		ip netns add c112
	fi
	shaky $percent vnimesh -n h1 vni add 112 dev mesh0 netns c112 address 10.77.1.12/16
	ip -n c112 link show vni112 >/dev/null 2>&1 || topo_vni 112
	shaky $percent ip -n c112 link set vni112 down
	shaky $percent ip -n c112 link del vni112
	shaky $percent ip netns del c112
	[ ! -e /run/netns/c112 ] || ip netns del c112
	shaky $percent vnimesh -n under dev add mesh1 mesh 78 node 1 vni 900 local 192.0.2.1
	shaky $percent vnimesh -n under dev del mesh1
	ip -n under link del mesh1 2>/dev/null
done
diag "$shaky_ok of $shaky_all went through"
check "some went through, some did not" [ $((shaky_ok * (shaky_all - shaky_ok))) -gt 0 ]
check "a device of a new namespace" bash -c "ip netns add c112 &&
	vnimesh -n h1 vni add 112 dev mesh0 netns c112 address 10.77.1.12/16 && ip netns del c112"
check "connects after devices that failed" \
	waitfor 10 in_ns c110 peer talk 10.96.0.1 7000

ip -n h2 link del mesh0
ip -n h1 link del mesh0
shaky_ok=0 shaky_all=0
check "the module goes" waitfor 5 modprobe -r vnimesh
for ((i = 0; i < 12; i++)); do
	shaky $((1 + i % 2)) modprobe vnimesh
	modprobe -r vnimesh
done
diag "the module was loaded $shaky_ok times of $shaky_all"
echo N >$slab/task-filter
check "the module loads" modprobe vnimesh
check "a device of it" topo_dev 1
