#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One suite for every store of the coordinator: a file, and a real etcd.
set -u
. "$(dirname "$0")/../lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../../tools
cc=${CC:-cc}
command -v "$cc" >/dev/null || skip_all "no compiler"
check "the suite compiles" "$cc" -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror \
	-I"$here/../../uapi" -I"$tools/lib" -I"$tools/coordinator" -o "$work/suite" "$here/store_conformance.c" \
	"$tools"/coordinator/{store,store_sqlite,store_etcd,store_etcd_follow,store_etcd_gap,store_etcd_live,store_etcd_history,etcd,record,record_stored,grant,uuid}.c \
	"$tools"/lib/{json,json_place,ip,tag,loop,curl_loop}.c \
	$(pkg-config --cflags --libs sqlite3 jansson libcurl nettle libsystemd)

# run NAME STORE: the suite's lines, as ours.
run() {
	local line n=0
	while read -r line; do
		case $line in
		'ok '*) check "$1: ${line#ok * - }" true; n=$((n + 1)) ;;
		'not ok '*) check "$1: ${line#not ok * - }" false ;;
		1..*) ;;
		*) diag "$line" ;;
		esac
	done < <("$work/suite" "$2" 2>&1)
	check "$1: the suite came to its end" test "$n" -ge "$3"
}
run SQLite "$work/state.db" 16

if ! command -v etcd >/dev/null; then
	tap_skip "etcd" "no etcd"
	exit
fi
etcd --name one --data-dir "$work/etcd" --listen-client-urls http://127.0.0.1:2379 \
	--advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
	--initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster one=http://127.0.0.1:2380 --max-txn-ops 8192 \
	>"$work/etcd.log" 2>&1 &
etcd=$!
defer kill -KILL "$etcd"
healthy() { curl -s -m 5 http://127.0.0.1:2379/health | grep -q true; }
check "etcd $(etcd --version | sed -n 's/etcd Version: //p') runs" waitfor 20 healthy
run etcd etcd://127.0.0.1:2379/suite 25
