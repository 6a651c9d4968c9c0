# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # the test has and uses them
#
# What the tests of the coordinator over etcd begin with. Sourced after lib.sh.
#
#	"${coordinator[@]}"	the program under test, COORDINATOR if set
#	member			etcd, alone, with its default limits, at port 2379; ${pid[etcd]}

coordinator=${COORDINATOR:-vnimesh-coordinator}
read -r -a coordinator <<<"$coordinator"
command -v "${coordinator[0]}" >/dev/null || skip_all "no ${coordinator[0]}"
for tool in curl jq python3 etcd etcdctl; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done
export ETCDCTL_API=3

declare -A pid=()

member() {
	etcd --name one --data-dir "$work/etcd" --listen-client-urls http://127.0.0.1:2379 \
		--advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
		--initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster one=http://127.0.0.1:2380 \
		>>"$work/etcd.log" 2>&1 &
	pid[etcd]=$!
	disown
	waitfor 20 healthy
}
healthy() { curl -s -m 5 http://127.0.0.1:2379/health | grep -q true; }
