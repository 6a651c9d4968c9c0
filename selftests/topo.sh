# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A mesh of hosts inside one guest, for the tests that source this file after
# lib.sh. Host N is the network namespace hN with underlay address 192.0.2.1N on
# u0, or 2001:db8::1N if topo_family is 6; a bridge joins them in the namespace
# "under". The mesh is 77; host N is
# node N with the prefixes 10.77.N.0/24 and fd77:0:0:N::/64. VNI N01 is the mesh
# device of host N, with address 10.77.N.1; container I of host N is the
# namespace cNII with VNI NII, device vniNII, addresses 10.77.N.I, fd77:0:0:N::I
# (decimal, I from 10 to 99).
#
#   topo_up N              underlay, mesh devices, nodes
#   topo_container VNI...  containers
#   topo_service HOST TAG K [ARG...]   service on host h, 10.96.0.K, fd77:96::K
#   topo_member HOST TAG VNI [ARG...]  member, with a VNI record if it is remote
#   topo_serve VNI PORT... a server in the container: TCP, UDP, IPv4, IPv6
#   ip4 VNI, ip6 VNI       sets REPLY to the address
#   $at_once               matches how long peer waited, if that was for nothing
#   underlay N             sets REPLY to the underlay address of host N
#   in_ns NS CMD...        run CMD there
#   stat_of HOST NAME      sets REPLY to a counter of the mesh
#   capture NS DEV FILE FILTER..., captured FILE, capture_end
#   data BYTES             at random, for transfer NS NS ADDR: one TCP stream between
#                          two namespaces, that must arrive whole
#   arriving NAME BYTES ADDR  transfer c110 c210; vni210 sees packets above BYTES
#   large NAME BYTES GOT   the largest packet of TCP is above BYTES
#   checks_itself          does the kernel?
#   segments NAME NS ADDR [-1]  64 KB from c110 in one call, as 46 datagrams; sets REPLY
#                          to the reads it took
#   offloads on|off HOST...  of the underlay's devices
#   one_syn NS, any_syn NS  of each connect from NS the first SYN gets out; all of them

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$here:$PATH

prefix4=10.96.0.0/16
prefix6=fd77:96::/64
topo_family=4
# What a refusal at the first packet takes; a second one would come after a second.
at_once='[0-9]{1,3} ms'
[ "$VNIMESH_SLOW" -le 12 ] || at_once='[0-9]{1,4} ms'
declare -A topo_known=()

[ "$(id -u)" = 0 ] || skip_all "not root"
modprobe vnimesh 2>/dev/null || skip_all "no module vnimesh"

ip4() { REPLY=10.77.$(($1 / 100)).$(($1 % 100)); }
ip6() { REPLY=fd77:0:0:$(($1 / 100))::$(($1 % 100)); }

underlay() {
	REPLY=192.0.2.1$1
	[ "$topo_family" = 4 ] || REPLY=2001:db8::1$1
}

in_ns() { nsenter "--net=/run/netns/$1" "${@:2}"; }

topo_up() {
	local n=$1 i j
	ns_add under
	ip -n under link add br0 mtu 9000 up type bridge forward_delay 0 mcast_snooping 0
	for ((i = 1; i <= n; i++)); do
		topo_host "$i"
	done
	for ((i = 1; i <= n; i++)); do
		for ((j = 1; j <= n; j++)); do
			[ "$i" = "$j" ] || topo_node "$i" "$j"
		done
	done
}

# The underlay's side of a host, or of somebody who is none.
topo_plug() {
	ns_add "$1"
	topo_cable "$@"
}

topo_cable() {
	local len="24"
	[ "$2" = "${2%:*}" ] || len="64 nodad"
	ip -n "$1" -batch - <<-END
		link add u0 type veth peer name $1 netns under
		addr add $2/$len dev u0
		link set u0 up
	END
	ip -n under link set "$1" master br0 up
}

topo_host() {
	underlay "$1"
	topo_plug "h$1" "$REPLY"
	topo_dev "$1"
}

topo_dev() {
	ip4 "$1"01
	local a4=$REPLY
	ip6 "$1"01
	local a6=$REPLY
	underlay "$1"
	vnimesh -n "h$1" dev add mesh0 mesh 77 node "$1" vni "$1"01 local "$REPLY" \
		address "$a4/16" address "$a6/48" ${topo_flow_max:+flow-max "$topo_flow_max"} &&
		vnimesh -n "h$1" dev set mesh0 service-prefix $prefix4 service-prefix $prefix6 &&
		vnimesh -n "h$1" node set "$1" prefix "10.77.$1.0/24" prefix "fd77:0:0:$1::/64"
}

# Host $1 learns of node $2.
topo_node() {
	underlay "$2"
	vnimesh -n "h$1" node add "$2" underlay "$REPLY" \
		prefix "10.77.$2.0/24" prefix "fd77:0:0:$2::/64"
}

topo_container() {
	local vni
	for vni; do
		ns_add "c$vni"
		topo_vni "$vni"
	done
}

# The device of a container that exists.
topo_vni() {
	ip4 "$1"
	local a4=$REPLY
	ip6 "$1"
	vnimesh -n "h$(($1 / 100))" vni add "$1" dev mesh0 netns "c$1" address "$a4/16" \
		address "$REPLY/48"
}

topo_service() {
	local host=$1 tag=$2 k=$3
	shift 3
	vnimesh -n "h$host" service add "$tag" address "10.96.0.$k" address "fd77:96::$k" "$@"
}

# A record of VNI $2 for host $1, unless it has one.
topo_record() {
	local node=$(($2 / 100))
	[ "$node" != "$1" ] && [ -z "${topo_known[$1/$2]-}" ] || return 0
	topo_known[$1/$2]=1
	ip4 "$2"
	local a4=$REPLY
	ip6 "$2"
	vnimesh -n "h$1" vni add "$2" node "$node" address "$a4" address "$REPLY"
}

topo_member() {
	local host=$1 tag=$2 vni=$3
	shift 3
	topo_record "$host" "$vni" && vnimesh -n "h$host" member add "$tag" vni "$vni" "$@"
}

# start NAME CMD...: in the background, output in $work/NAME, killed at exit.
start() {
	local name=$1
	shift
	# What is killed is the program itself, not a shell before it.
	[ "$1" != in_ns ] || set -- nsenter "--net=/run/netns/$2" "${@:3}"
	# Appended to, so that a test can empty the file.
	rm -f "$work/$name" "$work/$name.err"
	(exec "$@" >>"$work/$name" 2>>"$work/$name.err" </dev/null) &
	pids[$name]=$!
	defer kill "$!"
}
declare -A pids=()

# stop NAME [SIGNAL]: and wait for its end.
stop() {
	kill "-${2:-TERM}" "${pids[$1]}" 2>/dev/null
	wait "${pids[$1]}" 2>/dev/null
	return 0
}

says() { grep -q -- "$2" "$work/$1" "$work/$1.err"; }

topo_serve() {
	local vni=$1
	shift
	start "serve$vni" in_ns "c$vni" peer serve -v -n "$vni" "$@"
	waitfor 2 says "serve$vni" ready
}

agent() {
	start agent in_ns "${agent_ns:-h1}" fakeagent "$@"
	waitfor 2 says agent bound
}

stats() { vnimesh -n "h${1:-1}" -j -s dev show mesh0 >"$work/stats"; }

stat_of() {
	stats "$1"
	stat "$2"
}

# From what stats fetched last.
stat() {
	local text
	text=$(<"$work/stats")
	REPLY=${text#*"\"$1\":"}
	[ "$REPLY" != "$text" ] || { REPLY=missing && return 1; }
	REPLY=${REPLY%%[,\}]*}
}

# counted NAME...: run before; then counted_is NAME N: it rose by N since.
declare -A topo_count=()
count_from() {
	local host=$1 name
	shift
	stats "$host"
	for name; do
		stat "$name"
		topo_count[$name]=$REPLY
	done
}

# rose HOST NAME: by how much since count_from
rose() {
	stat_of "$1" "$2" && REPLY=$((REPLY - topo_count[$2]))
}

# has_risen HOST NAME N: by N or more; what was sent arrives a little later on a
# guest that is slow.
has_risen() { rose "$1" "$2" && [ "$REPLY" -ge "$3" ]; }

check_rose() {
	waitfor 2 has_risen "$2" "$3" "$4" >/dev/null 2>&1
	rose "$2" "$3"
	check_is "$1" "$4" "$REPLY"
}

capture() {
	local ns=$1 dev=$2 file=$3
	shift 3
	# -U: the file is complete when tcpdump is stopped.
	start capture in_ns "$ns" tcpdump -U --immediate-mode -Z root -i "$dev" -s 160 -w "$file" "$@"
	waitfor 5 says capture "listening on"
}

# Something, behind the header of the file.
captured() { [ "$(wc -c <"$1")" -gt 24 ]; }

capture_end() { stop capture; }

data() {
	head -c "$1" /dev/urandom >"$work/data" && topo_sum=$(sha256sum <"$work/data")
}
topo_port=8000
transfer() {
	local from=$1 to=$2 dst=$3
	topo_port=$((topo_port + 1))
	: >"$work/recv.err"	# it says that the one before was ready
	in_ns "$to" peer recv $topo_port 2>"$work/recv.err" | sha256sum >"$work/recv.sum" &
	waitfor 2 grep -q ready "$work/recv.err" || return
	in_ns "$from" timeout $((120 * VNIMESH_SLOW)) peer send "$dst" $topo_port <"$work/data" || return
	wait $!
	[ "$(<"$work/recv.sum")" = "$topo_sum" ] || { cat "$work/recv.err" && return 1; }
}

arriving() {
	local name=$1 least=$2 dst=$3 largest
	capture c210 vni210 "$work/in.pcap" -c 400 tcp dst portrange 8001-8099
	check "$name: TCP to $dst, same sha256" transfer c110 c210 "$dst"
	capture_end
	largest=$(tcpdump -n -r "$work/in.pcap" 2>/dev/null | sed -n 's/.* length \([0-9]*\).*/\1/p' |
		sort -n | tail -n 1)
	large "... a large packet" "$least" "${largest:-0}"
}

# A kernel that checks itself: twenty times as slow as another one, or more.
checks_itself() { [ -e /sys/kernel/debug/kmemleak ]; }

large() {
	if [ "$3" -le "$2" ] && checks_itself; then
		tap_skip "$1 ($3 bytes)" "at this machine's pace TCP sends small ones"
	else
		check "$1: $3 bytes" [ "$3" -gt "$2" ]
	fi
}

segments() {
	local name=$1 ns=$2 dst=$3 out
	start segments in_ns "$ns" segments recv ${4:+"$4"} 1400 46 7900
	waitfor 5 says segments ready
	check "$name: 64 KB, UDP, to $dst in one call" in_ns c110 segments send 1400 46 "$dst" 7900
	check "... 46 datagrams arrive" waitfor 5 says segments "^46 datagrams in "
	stop segments
	out=$(<"$work/segments")
	[ -n "$out" ] && diag "$out"
	REPLY=${out#46 datagrams in }
	REPLY=${REPLY%% *}
}

offloads() {
	local how=$1 n
	shift
	for n; do
		in_ns "h$n" ethtool -K u0 tso "$how" gso "$how" tx "$how" rx "$how" gro on || return
	done
}

one_syn() {
	in_ns "$1" nft -f - <<-END
		table inet once {
			set seen { type inet_service; size 64; flags dynamic; }
			chain out {
				type filter hook output priority 0;
				tcp flags syn tcp sport @seen drop
				tcp flags syn add @seen { tcp sport }
			}
		}
	END
}
any_syn() { in_ns "$1" nft delete table inet once; }
