#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tracepoints and counters say the same: whatever the traffic below makes a
# counter rise by, as many events name it. Then what an operator reads from them.
# vm: -m 1024 -t 600
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

tracing=/sys/kernel/tracing
[ -d $tracing/events ] || mount -t tracefs nodev $tracing 2>/dev/null
[ -d $tracing/events/vnimesh ] || skip_all "no tracefs, or no events of vnimesh in it"

check "two hosts" topo_up 2
check "three containers" topo_container 110 111 210
check "a service" topo_service 1 web 1
check "... with a member far away" topo_member 1 web 210
check "a service with ports" topo_service 1 ports 2 port tcp/7000
check "... with a member" topo_member 1 ports 111
check "a service whose members refuse a port" topo_service 1 refuses 5
check "... one" topo_member 1 refuses 111
check "... and the other" topo_member 1 refuses 210
check "a service without members" topo_service 1 empty 3
topo_serve 111 7000
topo_serve 210 7000
ip -n c110 -batch - <<-END
	addr add 10.77.1.12/32 dev vni110
	route replace 10.96.0.0/16 dev vni110
	route replace 224.0.0.0/4 dev vni110
	route replace 10.99.0.0/16 dev vni110
END

in110() { in_ns c110 timeout 20 "$@" >/dev/null 2>&1; }
udp() { in110 peer burst -u -n 1 -t 100 "$@"; }
inject() { in_ns h2 geneve_inject "$@"; }
# A socket that asks for no path MTU sends what is too long, in pieces.
pieces() { in110 peer burst -u -n 1 -l 3000 -t 100 "$@"; }

stats 1
cp "$work/stats" "$work/before"
echo 0 >$tracing/tracing_on
echo 16384 >$tracing/buffer_size_kb
: >$tracing/trace
echo 1 >$tracing/events/vnimesh/enable
echo 1 >$tracing/events/skb/kfree_skb/enable
echo 1 >$tracing/tracing_on

# Flows, choices, refusals.
in110 peer talk -r 1 10.96.0.1 7000
in110 peer talk -r 1 10.96.0.2 7000
in110 peer talk -r 0 -p 4000 10.77.2.10 7000 10.96.0.1 7000 # two of one tuple
in110 peer talk -r 0 10.96.0.2 7001
in110 peer talk -r 0 10.96.0.3 7000
in110 peer talk -r 0 10.96.0.5 7005 # re-steered, set aside
in110 peer talk -r 0 10.77.1.99 7000
in110 peer talk -r 0 10.99.0.1 7000
udp 239.1.2.3 7000
udp -b 10.77.1.12 10.96.0.1 7000
pieces 10.96.0.1 7000
mkfifo "$work/in"
start held in_ns c110 bash -c "exec peer talk -i -r 1 -t 15000 10.96.0.1 7000 <'$work/in'"
exec 8>"$work/in"
waitfor 5 grep -q open "$work/held"
vnimesh -n h1 flow flush >"$work/out" 2>&1
echo >&8
waitfor 5 grep -q round "$work/held"
exec 8>&-

# Misses, one for each verdict.
in110 peer talk -r 0 10.96.1.1 7000 # no agent
agent -a no-service -t 50
in110 peer talk -r 0 10.96.1.2 7000
stop agent
agent -a coordinator-away -t 50
in110 peer talk -r 0 10.96.1.3 7000
stop agent
agent -a never
in110 peer talk -r 0 10.96.1.4 7000
stop agent
vnimesh -n h1 dev set mesh0 hold-vni-max 1
agent -D 300 later,10.96.0.4,-,111
in_ns c110 peer burst -u -n 5 -t 2000 10.96.0.4 7000 >/dev/null 2>&1
stop agent

# From the underlay.
inject -S 10.77.3.10
inject -D 10.77.1.77
inject -V 1
inject -o
inject -m 78
inject -X 3
inject -S fd77:0:0:2::10 -D fd77:0:0:1::10 -x 40
inject -p "$(printf '%01460d' 0)"
topo_plug hx 192.0.2.99
in_ns hx geneve_inject
ip -n c110 link set vni110 down
count_from 1 rx_down
inject
waitfor 2 has_risen 1 rx_down 1
ip -n c110 link set vni110 up

# Until nothing moves any more.
settled() {
	stats 1
	cp "$work/stats" "$work/last"
	nap 0.5
	stats 1
	cmp -s "$work/stats" "$work/last"
}
waitfor 5 settled
echo 0 >$tracing/tracing_on
echo 0 >$tracing/events/enable
cat $tracing/trace >"$work/trace"
check "no event was lost" bash -c "! cat $tracing/per_cpu/cpu*/stats | grep -Eq '^(overrun|dropped events): [1-9]'"

counters() { jq -r '.. | .stats? // empty | to_entries[] | "\(.key) \(.value)"' "$1"; }
gauges=' flows services members nodes vnis held '
seen=0
unequal=
while read -r name value; do
	case $gauges in *" $name "*) continue ;; esac
	before=$(counters "$work/before" | awk -v n="$name" '$1 == n { print $2 }')
	rise=$((value - before))
	text=${name//_/-}
	# What no mesh would take is counted by its port.
	whose="mesh=77 node=1"
	[[ $name != port_* ]] || whose="mesh=0 node=0"
	events=$(grep -E "vnimesh_(tx_drop|rx_drop|count): $whose .*counter=$text " "$work/trace" | awk '{ n = 1; for (i = 1; i <= NF; i++) if ($i ~ /^n=/) n = substr($i, 3); sum += n }
		END { print sum + 0 }')
	[ "$rise" = "$events" ] || unequal="$unequal $name:$rise/$events"
	[ "$rise" != 0 ] || continue
	seen=$((seen + 1))
	echo "$name $rise" >>"$work/rose"
done < <(counters "$work/stats")
diag "$(paste -sd' ' "$work/rose")"
check_is "each counter rose by as much as events name it" "" "$unequal"
check "... and this traffic made many rise ($seen)" [ "$seen" -ge 25 ]

# What the rest says.
event() { check "$1" grep -Eq "vnimesh_$2" "$work/trace"; }
event "a choice names the service, the member and the seed" \
	"choose: mesh=77 node=1 tag=web client=110 server=210 cost=[0-9]+ seed=0x[0-9a-f]{16} src=10.77.1.10:[0-9]+ dst=10.96.0.1:7000"
event "... or nobody" "choose: .* tag=empty client=110 server=0 "
event "a flow names its ends" \
	"flow_new: .* client=110 server=210 proto=6 state=1 src=10.77.1.10:[0-9]+ dst=10.96.0.1:7000 to=10.77.2.10:7000"
event "... when it goes, too" "flow_end: .* client=110 server=210 proto=6"
event "a SYN that goes elsewhere, where and why" \
	"resteer: mesh=77 node=1 client=110 server=(111|210) proto=6 .* dst=10.96.0.5:7005 .* why=refused"
event "a member is set aside, for whom and for how long" \
	"eject: mesh=77 node=1 tag=refuses server=(111|210) client=110 evidence=[0-9]+ ms=[1-9]"
event "a miss names who asked for what" "miss: .* vni=110 dst=10.96.1.2 tag= err=0"
event "a packet that waits, how many there are" "hold: .* vni=110 .* dst=10.96.0.4:7000 held=1 own=1"
event "a dropped packet is told whole" \
	"tx_drop: .* vni=110 counter=tx-bad-source proto=17 src=10.77.1.12:[0-9]+ dst=10.96.0.1:7000 len="
event "... also one that is received" "rx_drop: .* counter=rx-no-vni proto=17 src=10.77.2.10:40000 dst=10.77.1.77:7000"
for reason in NO_SOCKET IP_RPFILTER NEIGH_FAILED NEIGH_QUEUEFULL UNHANDLED_PROTO IP_OUTNOROUTES \
	IP_INHDR PKT_TOO_BIG DEV_READY IP_INNOROUTES; do
	check "the kernel's drop monitor sees $reason" grep -q "kfree_skb: .*reason: $reason" "$work/trace"
done
