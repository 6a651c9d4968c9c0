#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Members that fail their flows get none for a while: for the client that saw it,
# for the whole host when two have. What a container can make up harms nobody
# else. EJECT_FLOWS: connects of the first part, 2000.
# vm: -m 1024 -t 900
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

vn() { vnimesh -n h1 "$@"; }
check "two hosts" topo_up 2
check "seven containers" topo_container 110 111 112 210 211 212 213
check "a service" topo_service 1 web 1
for vni in 210 211; do
	topo_member 1 web $vni latency 10s
done
topo_serve 211 7000
start events vnimesh -n h1 -j monitor events
nap 0.5

# connects N [CLIENT [K]]: N connections, one after the other. Sets bad and REPLY,
# the servers with their numbers.
connects() {
	local left=$1
	: >"$work/talk"
	while [ "$left" -gt 0 ]; do
		in_ns "c${2-110}" peer talk -s -t 20000 "10.96.0.${3-1}" \
			"7000x$((left > 500 ? 500 : left))" >>"$work/talk"
		left=$((left - 500))
	done
	bad=$(grep -c error "$work/talk")
	REPLY=$(awk '$2 != "error" { n[$2]++ } END { for (k in n) print k "=" n[k] }' "$work/talk" | sort | tr '\n' ' ')
	diag "$1 connects of ${2-110}: $bad failed, ${REPLY}"
}
share() {
	local text=" $2"
	text=${text#* "$1"=}
	[ "$text" != " $2" ] || text=0
	REPLY=${text%% *}
}
# A member made anew is one of which nothing is known.
forget() {
	local vni
	for vni; do
		vn member del web vni "$vni"
		vn member add web vni "$vni" latency 10s
	done
}
# out CLIENT VNI [TAG [PORT]]: gets no flow of that client
out() {
	[ "$(vn -j route get "${3-web}" from "10.77.1.$(($1 % 100))" dport "${4-7000}" |
		jq -r ".[0].candidates[] | select(.vni == $2) | .excluded")" = ejected ]
}
# events of EVENT CLIENT VNI: the lines; CLIENT null: of all
events() {
	jq -c "if type == \"array\" then .[] else . end | select(.event == \"$1\" and .client == $2 and .vni == $3)" "$work/events"
}
saw() { events "$@" | grep -q .; }
# penalty CLIENT VNI: sets REPLY to the ms that are left
penalty() {
	REPLY=$(vn -j route get web from "10.77.1.$(($1 % 100))" dport 7000 |
		jq -r ".[0].candidates[] | select(.vni == $2) | .penalty_ms // 0")
}

# It fails faster than the others serve. Without re-steer each flow that goes
# there is one that fails.
flows=${EJECT_FLOWS:-2000}
check "no re-steer" vn dev set mesh0 resteer-max 0
connects 20
for ((i = 0; i < 20 && bad == 0; i++)); do connects 20; done
check "one of 20 connects is refused" [ "$bad" -ge 1 ]
check "... the member is out for the client" saw ejected 110 210
connects "$flows"
check "of $flows connects at most 1 % go to a member that refuses" [ "$bad" -le $((flows / 100)) ]
check "re-steer again" vn dev set mesh0 resteer-max 2

# The penalty doubles.
events ejected 110 210 | jq .penalty_ms >"$work/penalties"
diag "penalties: $(xargs <"$work/penalties") ms"
check "the penalty doubles with each failed trial, by half to either side" awk '
	{ want = 1000 * 2 ^ (NR - 1); if (want > 60000) want = 60000
	  if ($1 < want / 2 || $1 > want * 1.5) exit 1 }
	END { if (NR < 2) exit 1 }' "$work/penalties"

# One client's word counts for itself. A first penalty is over before a slow guest
# could ask for it, so they fail until it is a longer one.
fails_until() {
	local tries=$1 client
	shift
	while [ "$tries" -gt 0 ]; do
		for client; do
			in_ns "c$client" peer talk -s -t 20000 10.96.0.1 7000x10 >>"$work/fails"
		done
		if [ "${1}${2-}" = 110 ]; then
			penalty 110 210
			[ "$REPLY" -lt 5000 ] || return 0
		elif out 111 210; then
			return 0
		fi
		nap 0.3
		tries=$((tries - 1))
	done
	return 1
}
forget 210
: >"$work/events"
check "210 is out for 110" fails_until 60 110
check_fails "... not for 112" out 112 210
stat_of 1 eject
check_is "... nor for the host" 0 "$REPLY"
check_is "... no event says so" "" "$(events ejected null 210)"
check "112 sees it, too: it is out for 111, who saw nothing" fails_until 60 112 110
stat_of 1 eject
check "... the host counts it" [ "$REPLY" -gt 0 ]
check "... an event says so" saw ejected null 210
check "... one of each client's, too" bash -c "grep -q '\"client\":112' '$work/events' && grep -q '\"client\":110' '$work/events'"
check_is "of their connects fail" 0 "$(grep -c error "$work/fails")"

# A trial after it, which passes. Whose trial failed leaves the next one to others.
topo_serve 210 7000
returned() {
	for client in 110 111 112; do
		in_ns "c$client" peer talk -s -t 20000 10.96.0.1 7000x4 >>"$work/fails"
	done
	saw returned "$1" 210
}
check "it serves: a trial of 110 brings it back" waitfor 45 returned 110
check "... one of 112, too" waitfor 45 returned 112
# Slow start is over soon, for whom it began first.
client=$(jq -r 'select(.event == "returned" and .vni == 210 and .client != null) | .client' "$work/events" | tail -n 1)
check_is "... slowly at first" true "$(vn -j route get web from "10.77.1.$((client % 100))" dport 7000 |
	jq '.[0].candidates[] | select(.vni == 210) | .ramp_ms < 30000')"
check "... and for the host" saw returned null 210
check_fails "... 111 may go there" out 111 210
connects 60
check_is "... of which fail" 0 "$bad"

# More than half of what is left is out: that is not believed.
stop serve210 KILL
check "210 is out for a while" fails_until 60 110
topo_serve 210 7000
vn member set web vni 211 state down
connects 10
check_is "no other member is left: of 10 connects to the one that is out fail" 0 "$bad"
check_is "... all are served" "210=10 " "$REPLY"
vn member set web vni 211 state up

# Half of a service at most.
check "a service of four" topo_service 1 four 2
for vni in 210 211 212 213; do
	topo_member 1 four $vni latency 10s
	in_ns "c$vni" nft -f - <<-END
		table inet no { chain in { type filter hook input priority 0; meta l4proto tcp reject with tcp reset; }; }
	END
done
count_from 1 eject_capped
connects 20 110 2
n=0
for vni in 210 211 212 213; do
	! out 110 $vni four || n=$((n + 1))
done
# The first penalties may be over by now.
check "all four refuse: out are at most half ($n)" [ "$n" -le 2 ]
check_is "... of 20 connects fail" 20 "$bad"
rose 1 eject_capped
check "... what could not be is counted" [ "$REPLY" -gt 0 ]
vn service del four
for vni in 210 211 212 213; do
	in_ns "c$vni" nft flush ruleset
done

# A container of which the members want to know nothing: all that it does fails.
# Nobody else loses a member or a move.
forget 210 211
for vni in 210 211; do
	in_ns "c$vni" nft -f - <<-END
		table inet no { chain in { type filter hook input priority 0; ip saddr 10.77.1.11 meta l4proto tcp reject with tcp reset; }; }
	END
done
now_ms
since=$REPLY
had=$(events evidence 111 210 | wc -l)
check "nobody is put out: each refusal wants a move" vn dev set mesh0 eject-max 0s
count_from 1 resteer_budget event_limited
connects 400 111
check_is "111 is refused everywhere: of 400 connects fail" 400 "$bad"
rose 1 resteer_budget
check "... its budget is spent" [ "$REPLY" -gt 0 ]
check "back to 60 s" vn dev set mesh0 eject-max 60s
connects 100 111
in_ns c111 rawflood -n 3000 -S 10.77.1.11 10.96.0.1 7000 >"$work/out"
check "a member is out for 111" bash -c "grep '\"ejected\"' '$work/events' | grep -q '\"client\":111'"
# A client has 16, and 20 a second.
now_ms
due=$((17 + (REPLY - since) / 50))
told=$(($(events evidence 111 210 | wc -l) - had))
diag "$told events, $due were due"
check "... no more is told of it than is due" [ "$told" -le "$due" ]
rose 1 event_limited
check "... what was not told is counted ($REPLY)" [ "$REPLY" -gt 0 ]
for vni in 210 211; do
	check_fails "$vni is not out for 110" out 110 $vni
done
connects 60
check_is "of 60 connects of 110 fail" 0 "$bad"
share 210 "$REPLY"
check "... both members get some" [ "$REPLY" -ge 10 -a "$REPLY" -le 50 ]

stop serve210 KILL
connects 20
check_is "210 refuses 110: there is a move left; of 20 connects fail" 0 "$bad"
check "... it is out for 110" saw ejected 110 210
topo_serve 210 7000

# Two together, without any privilege: ports where nobody listens, and one where
# the server resets who talks nonsense. They may harm each other there, nobody where
# it serves.
for vni in 210 211; do
	in_ns "c$vni" nft flush ruleset
	start touchy$vni in_ns "c$vni" python3 -c '
import socket
s = socket.create_server(("", 7005), backlog=64)
print("ready", flush=True)
while True:
    c, _ = s.accept()
    if c.recv(1, socket.MSG_PEEK) == b"x":
        c.close()  # with something unread: a reset
        continue
    c.send(b"fine")
    c.recv(64)
    c.close()
'
	check "a server that resets who talks nonsense" waitfor 5 says touchy$vni ready
done
forget 210 211
: >"$work/events"
# nonsense CLIENT [TEXT]
nonsense() {
	in_ns "c$1" setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all \
		python3 -c '
import socket, sys
for i in range(16):
    s = socket.create_connection(("10.96.0.1", 7005), 30)
    s.send(sys.argv[1].encode())
    try:
        print(s.recv(64).decode())
    except ConnectionError as e:
        print(e.strerror)
' "${2-x}"
}
ask_closed() {
	in_ns "c$1" setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all \
		peer talk -s -r 0 -t 20000 10.96.0.1 7001x8 10.96.0.1 7002x8
}
for ((i = 0; i < 4; i++)); do
	for client in 111 112; do
		ask_closed $client >>"$work/closed"
		nonsense $client >>"$work/nonsense"
	done
	nap 0.6
done
check_is "closed ports: two are refused, always" 0 "$(grep -vc ECONNREFUSED "$work/closed")"
check "nonsense is reset" grep -q reset "$work/nonsense"
for client in 111 112; do
	check "$client has put out members for itself" bash -c "grep '\"ejected\"' '$work/events' | grep -q '\"client\":$client'"
done
for vni in 210 211; do
	for client in 110 111 112; do
		check_fails "$vni is not out for $client, where it serves" out $client $vni
	done
	check_fails "... nor for 110 where others are reset" out 110 $vni web 7005
	check_is "... nobody is told so" "" "$(events ejected null $vni | jq -c 'select(.dport == 7000 or .dport == 7005)')"
done
connects 40
check_is "of 40 connects of 110 fail" 0 "$bad"
served=$REPLY
for vni in 210 211; do
	share $vni "$served"
	check "... $vni gets some" [ "$REPLY" -ge 5 ]
done
check_is "of 16 talks of 110 fail" 16 "$(nonsense 110 y | grep -c fine)"

# So many ports that nobody listens at: what it holds against members is bounded,
# and others have room for their own.
count_from 1 evidence_lost
for ((i = 0; i < 4; i++)); do
	# shellcheck disable=SC2046 # words
	in_ns c111 peer talk -r 0 -t 20000 $(seq -f "10.96.0.1 %.0f" $((9000 + i * 300)) $((9299 + i * 300))) >"$work/out" 2>&1
done
rose 1 evidence_lost
check "111 tries 1200 closed ports: not all are remembered ($REPLY)" [ "$REPLY" -gt 0 ]
: >"$work/events"
stop serve210 KILL
connects 20
check_is "210 refuses 110: of 20 connects fail" 0 "$bad"
check "... 110 can still put it out" saw ejected 110 210
topo_serve 210 7000
