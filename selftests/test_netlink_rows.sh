#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The netlink family: what it promises about rows, dumps and late answers;
# requests that must be refused, malformed and contradictory ones by the owner of
# the mesh, and any by those who own only their container.
# vm: -m 1024 -t 400
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

# Runs a program that prints TAP, and makes its tests ours.
relay() {
	local prefix=$1 line got=
	shift
	while read -r line; do
		case $line in
		"ok "*) tap_ok "$prefix${line#* - }" ;;
		"not ok "*) tap_fail "$prefix${line#* - }" ;;
		1..*) got=$line ;;
		"# "*) echo "$line" ;;
		*) diag "$line" ;;
		esac
	done < <("$@" 2>&1)
	check_match "${prefix}came to its end" "^1\\.\\.[1-9]" echo "$got"
}

# In a user namespace of its own, as a container has, with all capabilities there.
# $1: VNI of the device; the rest: command.
contained() {
	local vni=$1
	shift
	# shellcheck disable=SC2016
	unshare --user --map-root-user --net bash -c '
		echo $$ >"$1/pid"
		until ip link show "$2" >/dev/null 2>&1; do sleep 0.05; done
		shift 2
		exec "$@"' - "$work" "vni$vni" "$@"
}

check "a host" topo_up 1
relay "" in_ns h1 nlrules mesh0
relay "" in_ns h1 nlbad mesh0

(
	waitfor 5 test -s "$work/pid"
	vnimesh -n h1 vni add 150 dev mesh0 netns "$(<"$work/pid")" name vni150 \
		address 10.77.1.50/16
) &
relay "root of a container: " contained 150 nlbad --unprivileged vni150
wait

relay "not root: " in_ns h1 setpriv --reuid 65534 --clear-groups \
	--bounding-set -all --inh-caps -all nlbad --unprivileged mesh0
topo_container 110
relay "not root, in a container: " in_ns c110 setpriv --reuid 65534 --clear-groups \
	--bounding-set -all --inh-caps -all nlbad --unprivileged vni110
relay "root of the host, by a VNI: " in_ns c110 nlbad --unprivileged vni110
