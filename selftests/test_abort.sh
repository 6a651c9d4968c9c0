#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What becomes of open flows when their member goes: a client that is blocked in
# read gets its reset at once, whatever was going on; the server gets its own;
# UDP flows choose anew; the policies drain and keep do what they say.
# vm: -m 1024 -t 900
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

limit=$((100 * VNIMESH_SLOW))	# ms, of the whole command that takes it down

check "two hosts" topo_up 2
check "four containers" topo_container 110 111 210 211
services() {
	topo_service 1 far 1 && topo_member 1 far 210 &&
		topo_service 1 near 2 && topo_member 1 near 111 &&
		topo_service 1 both 3 && topo_member 1 both 210 && topo_member 1 both 211
}
check "services" services
topo_serve 111 7000
topo_serve 210 7000
topo_serve 211 7000

vn() { vnimesh -n h1 "$@"; }

# hold NAME NS ADDR [PORT]: one connection, blocked in recv.
hold() {
	start "$1" in_ns "$2" held -b "$3" "${4:-7000}"
	waitfor 5 grep -q ^open "$work/$1"
}
has_ended() { grep -q '^0 ' "$work/$1"; }
# The error and the moment, in $error and $REPLY.
ending() {
	read -r _ error REPLY < <(grep '^0 ' "$work/$1")
}
established() { ss -N "$1" -Htn state established; }
nobody_at() { [ -z "$(established "$1")" ]; }

# reset_by NAME WHAT CMD...: the connection NAME ends by CMD, in time.
reset_by() {
	local name=$1 what=$2 start
	shift 2
	now_ms
	start=$REPLY
	check "$what" "$@"
	check "... the client wakes" waitfor 3 has_ended "$name" || return
	ending "$name"
	check_is "... by a reset" ECONNRESET "$error"
	check "... not before it" [ $((REPLY - start)) -ge 0 ]
	check "... after $((REPLY - start)) ms" [ $((REPLY - start)) -le $limit ]
	stop "$name"
}
# What would end it ends it in time.
stays_open() {
	nap 0.2
	! has_ended "$1"
}

both_families() { echo "10.96.0.$1 fd77:96::$1"; }

for addr in $(both_families 1); do
	check "a connection to $addr" hold far c110 "$addr"
	reset_by far "its member is set down" vn member set far vni 210 state down
	check "... the server is told" waitfor 2 nobody_at c210
	check_match "... new ones are refused" "^0 error ECONNREFUSED" \
		bash -c "nsenter --net=/run/netns/c110 peer talk -r 0 $addr 7000; true"
	check "it comes back" vn member set far vni 210 state up

	check "a connection to $addr" hold far c110 "$addr"
	reset_by far "its VNI is set down" vn vni set 210 state down
	check "... the server is told" waitfor 2 nobody_at c210
	check "it comes back" vn vni set 210 state up

	check "a connection to $addr" hold far c110 "$addr"
	reset_by far "its node is set down" vn node set 2 state down
	check "... the server is told" waitfor 2 nobody_at c210
	check "it comes back" vn node set 2 state up
done

check "a connection from the host's own VNI" hold far h1 10.96.0.1
reset_by far "its member is set down" vn member set far vni 210 state down
check "it comes back" vn member set far vni 210 state up

for addr in $(both_families 2); do
	check "a connection to $addr, on this host" hold near c110 "$addr"
	reset_by near "its member is set down" vn member set near vni 111 state down
	check "... the server is told" waitfor 2 nobody_at c111
	check "it comes back" vn member set near vni 111 state up
done

check "a client that is the member" hold near c111 10.96.0.2
reset_by near "it is set down" vn member set near vni 111 state down
check "... both ends are gone" waitfor 2 nobody_at c111
check "it comes back" vn member set near vni 111 state up

# The server's end cannot be told: it stays.
for addr in $(both_families 2); do
	check "a connection to $addr" hold near c110 "$addr"
	reset_by near "its device goes down" ip -n c111 link set vni111 down
	check "it comes back" ip -n c111 link set vni111 up
	ip6 111
	ip -n c111 route replace fd77::/48 dev vni111 2>/dev/null
	ip -n c111 -6 addr replace "$REPLY/48" dev vni111 nodad

	check "a connection to $addr" hold near c110 "$addr"
	reset_by near "its device is deleted" ip -n c111 link del vni111
	check "it comes back" topo_vni 111
done

check "a connection" hold far c110 10.96.0.1
count_from 1 flow_aborted
reset_by far "its member is deleted" vn member del far vni 210
check "... the server is told" waitfor 2 nobody_at c210
check_rose "... one flow was aborted" 1 flow_aborted 1
check "it is added again" topo_member 1 far 210
check "a connection" hold far c110 10.96.0.1
reset_by far "its service is deleted" vn service del far
check "... the server is told" waitfor 2 nobody_at c210
far() { topo_service 1 far 1 && topo_member 1 far 210; }
check "it is added again" far

# Its VNI gets another address; what goes to the old one is over, and nothing else.
moves_to() { ip -n c210 addr replace "$1/16" dev vni210 && vnimesh -n h2 vni set 210 address "$1"; }
flows_with() { vn flow show | grep -F "$1" || true; }
check "a connection" hold far c110 10.96.0.1
check "... and one by IPv6" hold far6 c110 fd77:96::1
in_ns c110 icmperr ask -t 1 10.96.0.1 7000 >"$work/out"
check_match "... and a datagram" "udp" flows_with 10.77.2.10
check "its VNI moves to another address" moves_to 10.77.2.60
reset_by far "... and its client's host knows" vn vni set 210 address 10.77.2.60
gone() { ! flows_with "$1" | grep -vq dying; }
check "... no flow goes to the old one" waitfor 2 gone 10.77.2.10
check "... a new connection" hold far c110 10.96.0.1
check_match "... goes to the new one" "10.77.2.60" flows_with 10.77.2.60
check "... the one by IPv6 goes on" eval '! has_ended far6'
check "it moves back" moves_to 10.77.2.10
reset_by far "... and its client's host knows" vn vni set 210 address 10.77.2.10
stop far6
check "its members keep their flows" vn service set far on-down keep
check "a connection" hold far c110 10.96.0.1
check "its member is deleted" vn member del far vni 210
check "... it goes on" stays_open far
reset_by far "... until the VNI moves" vn vni set 210 address 10.77.2.60
back() {
	vn vni set 210 address 10.77.2.10 && vn service set far on-down abort && topo_member 1 far 210
}
check "it comes back" back

# Member and VNI are no more, but the flow is kept: until there is somebody else, or
# no way to send to it.
forget_member() { vn member del far vni 210 && vn vni del 210; }
topo_known_again() {
	unset 'topo_known[1/210]'
	topo_member 1 far 210
}
only_far() {
	vn member del both vni 210 && vn member del both vni 211 && vn vni del 211 &&
		vn service set far on-down keep
}
check "its members keep their flows" only_far
check "a connection" hold far c110 10.96.0.1
check "its member and its VNI are deleted" forget_member
check "... and are back" topo_known_again
check "... it goes on" stays_open far
check "they are deleted again" forget_member
check "... it goes on" stays_open far
reset_by far "... until another VNI has the address" vn vni add 299 node 2 address 10.77.2.10
check "both have it" topo_known_again
check "a connection" hold far c110 10.96.0.1
reset_by far "who had it first is deleted" forget_member
check "the other one, too" vn vni del 299
check "they are back" topo_known_again
check "a connection" hold far c110 10.96.0.1
check "they are deleted" forget_member
check "... it goes on" stays_open far
reset_by far "... until their node is deleted" vn node del 2
back() {
	unset 'topo_known[1/211]'
	topo_node 1 2 && topo_known_again && vn service set far on-down abort &&
		topo_member 1 both 210 && topo_member 1 both 211
}
check "it comes back" back
check "members here are kept as well" vn service set near on-down keep
check "a connection" hold near c110 10.96.0.2
check "its member is deleted" vn member del near vni 111
check "... it goes on" stays_open near
reset_by near "... until its VNI is deleted" vn vni del 111
near_again() {
	topo_vni 111 && topo_member 1 near 111 && vn service set near on-down abort
}
check "it comes back" near_again

check "a connection" hold far c110 10.96.0.1
check_match "... from the client's address" "10.77.1.10" flows_with 10.77.1.10
count_from 1 flow_left
check "the client moves" vn vni set 110 address 10.77.1.60
check "... nobody who is there next meets its flows" waitfor 2 gone 10.77.1.10
rose 1 flow_left
check "... they are counted ($REPLY)" [ "$REPLY" -ge 1 ]
check "it moves back" vn vni set 110 address 10.77.1.10
stop far
# Nobody at an address that is gone can be told.
stop serve210
topo_serve 210 7000

# The client's conntrack must take the resets for valid.
check "the containers drop what conntrack does not know" bash -c '
	for ns in c110 c111 c210; do
		nsenter --net=/run/netns/$ns nft -f - <<-END || exit
			table inet strict {
				chain in { type filter hook input priority 0; ct state invalid drop; }
				chain out { type filter hook output priority 0; ct state invalid drop; }
			}
		END
	done'
for addr in $(both_families 1); do
	check "a connection to $addr" hold far c110 "$addr"
	reset_by far "strict conntrack: its member is set down" vn member set far vni 210 state down
	check "... the server is told" waitfor 2 nobody_at c210
	check "it comes back" vn member set far vni 210 state up
done
# What could not be told when its device went is there yet.
stop serve111
topo_serve 111 7000
for addr in $(both_families 2); do
	check "a connection to $addr, on this host" hold near c110 "$addr"
	reset_by near "strict conntrack: its member is set down" vn member set near vni 111 state down
	check "... the server is told" waitfor 2 nobody_at c111
	check "it comes back" vn member set near vni 111 state up
done

# block NS: rules of this test's own in the container, gone again by lift.
block() {
	local ns=$1
	shift
	nsenter "--net=/run/netns/$ns" nft -f - <<-END
		table inet block {
			chain in { type filter hook input priority 10; policy accept; ${in:-counter}; }
			chain out { type filter hook output priority 10; policy accept; ${out:-counter}; }
		}
	END
}
lift() { nsenter "--net=/run/netns/$1" nft delete table inet block; }

# talker NAME FD ...: a connection that sends each line that it is told; the server
# says the same.
talker() {
	rm -f "$work/$1" "$work/$1.in"
	mkfifo "$work/$1.in"
	nsenter --net=/run/netns/c110 held "${@:3}" <"$work/$1.in" >>"$work/$1" 2>&1 &
	pids[$1]=$!
	defer kill "$!"
	eval "exec $2>\"$work/$1.in\""
	waitfor 5 grep -q ^open "$work/$1"
}
# Did the rules meet something?
dropped() {
	nsenter "--net=/run/netns/$1" nft -j list table inet block |
		jq -e '[.nftables[].rule.expr | select(. != null and any(has("drop"))) | .[].counter.packets // 0] | add > 0' >/dev/null
}

# What the client knows lies beyond the last ACK that the mesh saw.
check "a connection" talker late 8 10.96.0.1 7000
out='meta length 52 tcp flags ack counter drop' check "... whose ACKs do not get out" block c110
echo say >&8
check "... is answered" waitfor 3 dropped c110
reset_by late "ACK outstanding: its member is set down" vn member set far vni 210 state down
exec 8>&-
lift c110
check "... the server is told" waitfor 2 nobody_at c210
check "it comes back" vn member set far vni 210 state up

# ... or before the end of what the mesh delivered, with and without more behind
# the gap.
check "a connection" talker late 8 10.96.0.1 7000
in='tcp flags & psh == psh counter drop' check "... that loses its data" block c110
echo say >&8
check "... all of it" waitfor 3 dropped c110
reset_by late "data lost: its member is set down" vn member set far vni 210 state down
exec 8>&-
lift c110
check "... the server is told" waitfor 2 nobody_at c210
check "it comes back" vn member set far vni 210 state up

gap() { ss -N c110 -Htin | grep -q 'rcv_ooopack:[1-9]'; }
check "a connection" talker late 8 10.96.0.1 7000
# 52 bytes of headers, with timestamps.
in='meta length 56 counter drop' check "... that loses one segment" block c110
# The second before the server's retransmission timer, that would hold it back.
echo one >&8
nap 0.05
echo another >&8
check "... lost" waitfor 3 dropped c110
check "... with one behind the gap" waitfor 3 gap
reset_by late "reordering: its member is set down" vn member set far vni 210 state down
exec 8>&-
lift c110
check "... the server is told" waitfor 2 nobody_at c210
check "it comes back" vn member set far vni 210 state up

# In between: neither is right, the client asks by a challenge ACK.
check "a connection" talker late 8 10.96.0.1 7000
out='meta length 52 tcp flags ack counter drop' check "... whose ACKs do not get out" block c110
echo say >&8
check "... is answered" waitfor 3 dropped c110
lift c110
in='tcp flags & psh == psh counter drop' out='meta length 52 tcp flags ack drop' \
	check "... and then loses its data" block c110
echo say >&8
check "... all of it" waitfor 3 dropped c110
# So that the server does not say it again.
out='tcp flags ack drop' check "... for good" block c210
lift c110
count_from 1 flow_dying
reset_by late "neither ACK nor end: its member is set down" vn member set far vni 210 state down
rose 1 flow_dying
check "... by the answer to a challenge ($REPLY)" [ "$REPLY" -ge 1 ]
exec 8>&-
lift c210
check "... the server is told" waitfor 5 nobody_at c210
check "it comes back" vn member set far vni 210 state up

# Half-open: the copy of the SYN goes to another member, as the client's own next
# one does not get out.
# The other takes no new connections until there is one that is half-open.
half_open_at() {
	vnimesh -n h1 -j flow show tag both |
		jq -e ".[] | select(.state == \"new\" and .vni == $1 and .dst == \"$2\")"
}
check "of each connect one SYN gets out" one_syn c110
in='tcp flags syn drop' check "210 does not see it" block c210
for addr in $(both_families 3); do
	check "211 is in maintenance" vn member set both vni 211 latency 10s state maint
	start opening in_ns c110 peer talk -r 0 -t 60000 "$addr" 7000
	check "a half-open flow to $addr" waitfor 3 half_open_at 210 "$addr"
	check "211 is back" vn member set both vni 211 state up
	count_from 1 resteer_down resteer_silent
	check "its member is set down" vn member set both vni 210 state down
	check "it opens at the other" waitfor 4 grep -q "^0 211 " "$work/opening"
	check_rose "... by the SYN that was kept" 1 resteer_down 1
	check_rose "... and for no other reason" 1 resteer_silent 0
	check "210 comes back" vn member set both vni 210 state up
	stop opening
done
any_syn c110
lift c210

# UDP: a connected socket sees nothing of it but another server.
chat() {
	rm -f "$work/$1" "$work/$1.in"
	mkfifo "$work/$1.in"
	nsenter --net=/run/netns/c110 peer talk -i -t 20000 "${@:3}" <"$work/$1.in" >>"$work/$1" 2>&1 &
	pids[$1]=$!
	defer kill "$!"
	eval "exec $2>\"$work/$1.in\""
	waitfor 5 grep -q ^open "$work/$1"
}
# One message there and back on the connection of chat.
goes_on() {
	local before
	before=$(grep -c "^round ok" "$work/$1")
	echo >&"$2"
	waitfor 5 bash -c "[ \$(grep -c '^round ok' $work/$1) -gt $before ]"
}
heard_by() { grep -c "^udp $1 " "$work/serve$1"; }
# Who comes back has a tenth of its share for a while (slow start).
vn member set both vni 210 weight 1000
vn member set both vni 211 weight 1
for addr in $(both_families 3); do
	check "a UDP flow to $addr" chat udp 8 -u "$addr" 7000
	check_match "... to the near one" "^0 210 " cat "$work/udp"
	count_from 1 flow_repinned
	check "it is set down" vn member set both vni 210 state down
	n=$(heard_by 211)
	check "... the flow goes on" goes_on udp 8
	check "... at the other" waitfor 2 bash -c "[ \$(grep -c '^udp 211 ' $work/serve211) -gt $n ]"
	check_rose "... counted" 1 flow_repinned 1
	exec 8>&-
	wait "${pids[udp]}"
	check_is "... without an error" 0 $?
	check "it comes back" vn member set both vni 210 state up
done
vn member set both vni 210 weight 100
vn member set both vni 211 weight 100

# Policies. Times are the wall clock's.
start events vnimesh -n h1 -j monitor
is_open() { ! has_ended "$1" && [ -n "$(established c210)" ]; }
# Long enough for the two commands that have to come before it is over.
drain=$((VNIMESH_SLOW * 300))
drain=$((drain < 3000 ? 3000 : drain))
part=$((drain / 3000)).$((drain / 3 % 1000 / 100))
check_fails "drain needs a time" vn service set far on-down drain
check "far keeps" vn service set far on-down keep
check "a connection" chat kept 8 10.96.0.1 7000
check "its member is set down" vn member set far vni 210 state down
check "... it goes on" goes_on kept 8
check "its node is set down" vn node set 2 state down
check "... it goes on" goes_on kept 8
check_match "new ones are refused" "^0 error ECONNREFUSED" \
	bash -c "nsenter --net=/run/netns/c110 peer talk -r 0 10.96.0.1 7000; true"
check "the policy is abort again" vn service set far on-down abort
echo >&8
check "... it ends" waitfor 3 grep -qE "^round 0 (ECONNRESET|EPIPE)" "$work/kept"
exec 8>&-
check "the node comes back" vn node set 2 state up
check "the member comes back" vn member set far vni 210 state up

# ends_after NAME MS START
ends_after() {
	check "... the client wakes" waitfor 4 has_ended "$1" || return
	ending "$1"
	check_is "... by a reset" ECONNRESET "$error"
	check "... not before $2 ms: $((REPLY - $3))" [ $((REPLY - $3)) -ge "$2" ]
	check "... and not much later" [ $((REPLY - $3)) -le $(($2 + limit)) ]
	stop "$1"
}
check "far drains" vn service set far on-down drain drain-time ${drain}ms
check_match "... it says so" "\"on_down\":\"drain\".*\"drain_time_ms\":$drain" vnimesh -n h1 -j service show far
check "a connection" hold drained c110 10.96.0.1
now_ms
from=$REPLY
check "its member is set down" vn member set far vni 210 state down
ends_after drained $drain "$from"
check "... the server is told" waitfor 2 nobody_at c210
check "it comes back" vn member set far vni 210 state up

check "a connection" hold flaps c110 10.96.0.1
check "its member is set down" vn member set far vni 210 state down
nap "$part"
check "... and comes back in time" vn member set far vni 210 state up
nap $((drain / 1000 + 1))
check "it is still there" is_open flaps
now_ms
from=$REPLY
check "its VNI drains" vn vni set 210 state drain
nap "$part"
check "... and its member goes down besides" vn member set far vni 210 state down
ends_after flaps $drain "$from"
check "they come back" bash -c 'vnimesh -n h1 member set far vni 210 state up && vnimesh -n h1 vni set 210 state up'

check "a connection" hold gone c110 10.96.0.1
now_ms
from=$REPLY
check "its member is deleted" vn member del far vni 210
ends_after gone $drain "$from"
check "it is added again" topo_member 1 far 210

# Draining, by state alone, has no end.
check "far aborts, without a time" vn service set far on-down abort drain-time 0ms
check "a connection" hold idle c110 10.96.0.1
check "its member drains" vn member set far vni 210 state drain
nap 1
check "it is still there" is_open idle
check "its member is in maintenance" vn member set far vni 210 state maint
nap 1
check "it is still there" is_open idle
now_ms
from=$REPLY
check "now there is a time" vn service set far drain-time 10m
nap 1
check "it is still there" is_open idle
reset_by idle "its member is set down" vn member set far vni 210 state down
check "it comes back" vn member set far vni 210 state up

for event in '"member-down".*"vni":210.*"tag":"far"' '"member-up".*"vni":210.*"tag":"far"' \
	'"flows-aborted".*"vni":210.*"tag":"far".*"count":1'; do
	check "the event $event" waitfor 2 grep -q "$event" "$work/events"
done
stat_of 1 reset_lost
check_is "no reset was lost but that to the node that was deleted" 1 "$REPLY"
vn flow show >"$work/out"
check "aborted flows are shown" grep -q dying "$work/out"
