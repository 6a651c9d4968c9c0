#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Memory that runs out. Every netlink command with each of its allocations failing
# in turn; then traffic, new flows and misses while allocations of the senders
# fail at random. Needs a kernel with CONFIG_FAILSLAB: `make check-debug`.
# vm: -m 2048 -t 1800
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
