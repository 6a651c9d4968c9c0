#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is said about bounds in several places is the same: kmod/limits.h,
# tools/vnimeshd/limits.h, tools/coordinator/limits.h and Documentation/defaults.md; the
# counters of the uapi header, of the module's table (name, drop reason), of the tool, and
# Documentation/tracing.md.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=selftests/lib.sh
. selftests/lib.sh

limits=kmod/limits.h prefix=VNIMESH_
defaults=Documentation/defaults.md
header=uapi/linux/vnimesh.h

# value MACRO: of $limits, without its prefix, by the compiler's own arithmetic. A
# number is itself.
value() {
	local text
	case $1 in [0-9]*) text=$1 ;; *) text=$(echo "$prefix$1" | ${CC:-cc} -DHZ=1 -E -P -include "$limits" -x c - | tail -n 1) ;; esac
	echo $((${text//LL/}))
}

# numbers LABEL UNIT: of the row's second and third column, times in UNIT, sizes
# in bytes.
numbers() {
	grep -F "| $1 |" $defaults | awk -F'|' -v unit="$2" '
	BEGIN {
		ms["us"] = 0.001; ms["ms"] = 1; ms["s"] = 1000; ms["min"] = 60000; ms["h"] = 3600000
		ms["day"] = ms["days"] = 86400000; ms["year"] = ms["years"] = 365 * ms["day"]
		bytes["KiB"] = 1024; bytes["MiB"] = 1048576
	}
	{
		gsub(/`[^`]*`/, "", $4)
		n = split($3 ", " $4, parts, /[,;] | to /)
		for (i = 1; i <= n; i++) {
			words = split(parts[i], w, " ")
			sum = 0; found = 0
			for (j = 1; j <= words; j++) {
				if (w[j] == "a" && w[j + 1] == "day")
					w[j] = 1
				if (w[j] !~ /^[0-9][0-9,.]*$/)
					continue
				gsub(/,/, "", w[j])
				found = 1
				if (w[j + 1] in ms && unit in ms)
					sum += w[j] * ms[w[j + 1]] / ms[unit]
				else if (w[j + 1] in bytes)
					sum += w[j] * bytes[w[j + 1]]
				else
					sum += w[j]
			}
			if (found)
				print sum
		}
	}' | paste -sd' '
}

declare -A documented=()
# row LABEL UNIT MACRO...: the row's numbers are those of the macros.
row() {
	local label=$1 unit=$2 want='' name
	shift 2
	for name; do
		want="$want${want:+ }$(value "$name")"
		documented[$prefix$name]=1
	done
	check_is "$defaults: $label" "$want" "$(numbers "$label" "$unit")"
}

row "nodes, VNIs, services per mesh" "" NODES_MAX VNIS_MAX SERVICES_MAX
row "members per service" "" MEMBERS_MAX
row "flows per mesh" "" FLOW_MAX_DEFAULT FLOW_MAX_MIN FLOW_MAX_MAX
row "flows of a VNI: what is left, but at least" "" FLOW_FLOOR
row "UDP flow that may go for another" s UDP_IDLE
row "TCP half-open, established, closing" s TCP_HALF_OPEN TCP_ESTABLISHED TCP_CLOSING
row "UDP before, after the first reply" s UDP_UNREPLIED UDP_REPLIED
row "members that a SYN is moved on to" "" RESTEER_MAX RESTEER_MAX_LEAST RESTEER_MAX_MAX
row "moves of one VNI at once, beyond a tenth of its flows" "" RESTEER_FLOOR
row "SYNs kept for that" "" SYN_MAX
row "resets to members on other hosts, in a second" "" TOLD_RATE
row "penalty, first and longest" s EJECT_TIME_FIRST EJECT_TIME_MAX
row "(client, member, port) remembered, per client" "" EJECT_MAX EJECT_VNI_MAX
row "packets held per mesh, per VNI" "" HOLD_MAX HOLD_VNI_MAX
row "addresses asked for at once" "" HOLD_KEYS_MAX
row "... of a VNI: as much as is left of both, but at least" "" HOLD_FLOOR
row "questions for the agent a second, at once: of a VNI" "" UPCALL_VNI_RATE UPCALL_VNI_BURST
row "... of the mesh" "" UPCALL_RATE UPCALL_BURST
row "time a packet is held" ms MISS_TIMEOUT
row "negative entries, longest life" ms NEGATIVE_MAX NEGATIVE_TTL_MAX
row "resolves waiting per mesh, per netns, per socket" "" PARKED_MAX PARKED_NET_MAX PARKED_SOCK_MAX
row "datagrams in fragments, fragments before their first: per mesh, per VNI" "" \
	DATAGRAMS_MAX FRAGMENTS_HELD_MAX FRAGMENTS_HELD_VNI_MAX
row "life of a datagram in fragments" s DATAGRAM_TIME
row "ICMP errors at once, a second" "" ANSWER_BURST ANSWER_RATE
check_is "$defaults: drain-time, up to 24 h" "$(value DRAIN_TIME_MAX)" "$((24 * 3600 * 1000))"
documented[VNIMESH_DRAIN_TIME_MAX]=1
row "encapsulations inside each other" "" DEPTH_MAX

# all_documented [NAME...]: but these.
all_documented() {
	local missing
	missing=$(awk -v name="^${prefix}[A-Z0-9_]+\$" '$1 == "#define" && $2 ~ name && NF > 2 { print $2 }' $limits |
		while read -r name; do [ "${documented[$name]-}" ] || [[ " $* " == *" $name "* ]] || echo "$name"; done)
	check_is "every bound of $limits has its row in $defaults (or is missing here)" "" "$missing"
}
all_documented

limits=tools/vnimeshd/limits.h prefix=
row "grants" "" GRANTS_MAX
row "registrations, intents kept" "" REGISTERED_MAX INTENTS_MAX
row "... of one user but root; of all of them" "" SHARE_REGISTERED SHARE_INTENTS SHARE_REGISTERED_ALL SHARE_INTENTS_ALL
row "... parts of a check, its bytes: of one of a user but root" "" SHARE_PARTS_ONE SHARE_BYTES_ONE
row "... of all of one user; of all users but root" "" SHARE_PARTS SHARE_BYTES SHARE_PARTS_ALL SHARE_BYTES_ALL
row "... changes of one user but root: at once, a second" "" SHARE_BURST SHARE_RATE
row "control socket: connections of root, of users with a grant, of all others" "" \
	CONTROL_CONNECTIONS CONTROL_CONNECTIONS CONTROL_STRANGERS
row "... of one user but root" "" CONTROL_UID
row "... a line, time without a whole one" ms CONTROL_LINE_MAX CONTROL_IDLE_MS
row "... wait for a descriptor for one" ms CONTROL_PAUSE_MS
row "... answers in a turn, its time" us CONTROL_TURN CONTROL_TURN_US
row "a member that the coordinator refused is asked for again after" ms REFUSED_MS
check "a user has a registration and an intent for each grant" \
	test "$(value SHARE_REGISTERED)" -ge "$(value GRANTS_MAX)" -a "$(value SHARE_INTENTS)" -ge "$(value GRANTS_MAX)"
all_documented

limits=tools/coordinator/limits.h prefix='' documented=()
row "lease" ms LEASE_DEFAULT_MS LEASE_MIN_MS LEASE_MAX_MS
row "leases that run out within one and do not lapse: at least, more than" "" PRESERVE_MIN PRESERVE_PERCENT
row "... for at most" ms PRESERVE_MAX_MS
row "longest wait of a watch; without a word" ms WAIT_MAX_MS WAIT_DEFAULT_MS
row "wake-up of watchers, soft and hard changes" ms SOFT_GAP_MS HARD_GAP_MS
row "etcd: one question, connecting; one of the start" ms ETCD_ASK_MS ETCD_CONNECT_MS ETCD_LOAD_MS
row "etcd: records read at once; an answer" "" ETCD_PAGE ETCD_ANSWER_MAX
row "etcd: probe of the quorum; away, silent watch" ms ETCD_TICK_MS ETCD_AWAY_MS
check_is "... both of these" "$(value ETCD_AWAY_MS)" "$(value ETCD_SILENT_MS)"
documented[ETCD_SILENT_MS]=1
row "etcd: a node that is heard, after its coordinator's end" s ETCD_LEASE_S
row "etcd: history that is kept" ms ETCD_HISTORY_MS 0 ETCD_HISTORY_MIN_MS ETCD_HISTORY_MAX_MS
row "etcd: attempts to go on behind what it forgot" ms ETCD_GAP_TRIES ETCD_TICK_MS
row "etcd: operations at once that it should take" "" ETCD_OPS_WANTED
row "released service address rests" ms REST_MS
row "request body, a report's" "" BODY_MAX REPORT_MAX
row "bodies under way, all together; taken beyond it" "" BODIES_MAX BODY_SMALL
row "... of one node, token, or address without either" "" BODIES_SHARE
row "returns of a replaced epoch within a lease" "" EPOCH_SWAPS_MAX
row "last answers at the end" ms STOP_MAX_MS
row "nodes; members per node" "" NODES_MAX NODE_MEMBERS_MAX
row "removals remembered for watchers" "" TOMBSTONES_MAX
row "attempts of a change, while others are faster" "" CHANGE_TRIES
row "token to join; other tokens" s JOIN_TTL_S TOKEN_TTL_MAX_S
row "tokens, patterns of a grant" "" TOKENS_MAX GRANT_TAGS_MAX
row "services, members of a node" "" GRANT_SERVICES NODE_MEMBERS_MAX
row "certificate of the authority, a server, a node" day CERT_CA_DAYS CERT_SERVER_DAYS CERT_NODE_DAYS
row "head of a request, its body, our answer, idle" ms CLIENT_HEAD_MS CLIENT_BODY_MS CLIENT_ANSWER_MS CLIENT_IDLE_MS
row "requests a second and client; burst" s RATE_DEFAULT RATE_BURST_S 1 RATE_MAX
row "answers that wait to be read, all together" "" PENDING_MAX
row "audit log" "" AUDIT_MAX AUDIT_PAGE
row "entries of it that wait for the store, stored at once" "" NOTES_MAX NOTES_AT_ONCE
row "... attempts at the end, while others change the store" "" NOTES_END_TRIES
row "tags per watch, their bytes" "" WATCH_TAGS_MAX WATCH_TAGS_BYTES
row "connections, watchers" "" CONNECTIONS_MAX WATCHERS_MAX
row "connections of one client" "" CONNECTIONS_PER_CLIENT CLIENT_MIN CONNECTIONS_MAX
row "... of one address, that wait for changes; event streams" "" "CLIENT_WAITING(CONNECTIONS_PER_CLIENT)" \
	"CLIENT_STREAMS(CONNECTIONS_PER_CLIENT)"
row "observations, evidence in one request" "" OBSERVATIONS_MAX
row "checks and looks that wait for one node; for how long" ms CHECKS_PER_NODE CHECK_KEEP_MS
row "checks for agents of other coordinators: that wait, passed on at once" "" ETCD_ASKED_MAX ETCD_ASKED_AT_ONCE
row "a critical service is checked every" ms 0 CHECK_MS_MIN CHECK_MS_MAX
row "evidence of one member asks for a check once in" ms EVIDENCE_GAP_MS
row "entries of the audit log about checks of one service, one in" ms TRIGGER_NOTE_MS
row "watchers, event streams of one client once three quarters are taken" "" "CLIENT_SHARE(WATCHERS_MAX)" "CLIENT_SHARE(STREAMS_MAX)"
row "event streams; heartbeat of one" ms STREAMS_MAX BEAT_DEFAULT_MS BEAT_MIN_MS BEAT_MAX_MS
row "... where each client has one: its turn, at least" ms STREAM_TURN_MS
row "time a client takes for an event" ms CLIENT_PIECE_MS
check_is "$defaults: drain-time is the module's" "$(value DRAIN_TIME_MAX)" "$((24 * 3600 * 1000))"
documented[DRAIN_TIME_MAX]=1

# Steps of the work and sizes of records, which nobody meets as a bound.
inner="LEASE_TICKS WAKE_MAX BODY_DRAIN_MAX CONNECTION_MEMORY CONNECTION_IDLE_S CONNECTIONS_SPARE EPOCHS_KEPT
	TRIGGER_TICK_MS ETCD_LEASE_TICKS ETCD_LIVE_MAX NOTE_GATHER_MS NOTE_AGAIN_MS STREAM_BLOCK KICKS_MAX KICK_MS
	STOP_STEP_MS TOKEN_ID_LEN CERT_BACK_S CSR_MAX ADDRESSES_MAX OUTPUT_MAX"
read -r -d '' -a names <<<"$inner"
all_documented "${names[@]}"
gone=$(for name in "${names[@]}"; do grep -q "^#define $name\\>" "$limits" || echo "$name"; done)
check_is "and what is no bound is there" "" "$gone"

# Counters: NAME NAME-AS-SHOWN, without the gauges.
counters() {
	awk '/VNIMESH_A_STATS_PAD = 1/ { on = 1; next } /__VNIMESH_A_STATS_MAX,/ { exit }
		on && /VNIMESH_A_STATS_/ && !/gauge/ { sub(/,.*/, ""); sub(/.*VNIMESH_A_STATS_/, ""); print }' $header
}
shown() { tr 'A-Z_' 'a-z-' <<<"$1"; }
check_match "there are counters" . counters
wrong=$(counters | while read -r name; do
	grep -Eq "(COUNTER|DROP)\($name, \"$(shown "$name")\"" kmod/drop.c || echo "$name"
done)
check_is "each counter has its name in kmod/drop.c" "" "$wrong"
wrong=$(counters | while read -r name; do
	grep -Eq "STAT\($name, \"$(shown "$name")\"\)" tools/lib/record_stats.c || echo "$name"
done)
check_is "... and the same in the tool" "" "$wrong"
wrong=$(sed -n 's/^\tDROP(\([A-Z_]*\), "\([a-z-]*\)", \([A-Z_]*\)),$/\2 \3/p' kmod/drop.c |
	while read -r name reason; do
		grep -q "^|.*\`$name\`.*| \`$reason\` |$" Documentation/tracing.md || echo "$name: $reason"
	done)
check_is "... and its drop reason in Documentation/tracing.md" "" "$wrong"
# Nothing that drops a packet goes around kmod/drop.c; answer.c and reset.c free what
# they could not make.
around=$(grep -nE '\b(dev_)?kfree_skb(_any|_irq)?\(|rx_dropped_inc|tx_dropped_inc|stats->c\[' kmod/*.c kmod/*.h |
	grep -v '^kmod/\(answer\|reset\)\.c.*kfree_skb(skb)\|^kmod/drop\.c\|^kmod/mesh\.h.*this_cpu_add\|^kmod/device\.c.*per_cpu_ptr' || :)
check_is "a packet ends through kmod/drop.c only" "" "$around"
