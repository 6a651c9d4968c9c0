# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What each of three hosts and the coordinators hold of the others while a part of
# the network is cut, as a table of what is expected and what is so. Sourced after
# mesh.sh.
#
#	partition_up		the mesh, services, connections through their tags
#	drops NS TEXT		NS does not take in what nft's TEXT matches; heal
#	partition NAME CUT HEAL LEASES LOSES VIEW
#				a row of the table, with all that must hold meanwhile;
#				$also, if set, is run meanwhile, too
#	partition_table		print it
#	none_failed [LOSES]	new connections since marks
#
# host1 is A with a client, host2 is B with a server, host3 is C and has both; "only2"
# is a tag of B's server alone, "both" of both. Connections run all the time, from A
# and C, open ones and new ones: a member that is healthy and can be reached is lost
# for nobody.

patience=$((3000 * VNIMESH_SLOW))
declare -A at=()

registered() {
	waitfor 15 mesh_is_up both srv2 && waitfor 15 mesh_is_up both srv3 && waitfor 15 mesh_is_up only2 srv2
}
use() { mesh_probe "client$1" connect -l -t $patience "${at[$2]}" 7000; }
# open_flow HOST: with B
open_flow() { mesh_hold "$1" "client$1" "${at[only2]}" 7000 && mesh_hold_goes_on "$1"; }

partition_up() {
	local host tag
	check "three hosts with agents and a coordinator" mesh_up 3
	check "containers" mesh_containers host1:client1 host2:srv2 host3:srv3 host3:client3
	mesh_echo srv2 7000
	mesh_echo srv3 7000
	mesh_serve both srv2 tcp/7000 tcp
	mesh_serve both srv3 tcp/7000 tcp
	mesh_serve only2 srv2 tcp/7000 tcp
	mesh_hup host2 host3
	check "services" registered
	for tag in both only2; do
		at[$tag]=$(mesh_address $tag)
	done
	check "used from two hosts" waitfor 10 eval 'use 1 both && use 1 only2 && use 3 both && use 3 only2'
	for host in 1 3; do
		for tag in both only2; do
			mesh_spawn "knock-$host-$tag" "client$host" "$mesh_dir/meshprobe" knock \
				-i $((VNIMESH_SLOW * 20)) -t $patience "${at[$tag]}" 7000 "$work/knock-$host-$tag"
		done
	done
	check "open flows" eval 'open_flow 1 && open_flow 3'
	expected=$whole
	check "the whole mesh" waitfor 15 view_is
	mesh_watch
}

parties=(A B C coordinator)
names=('' A B C)
declare -A words=([up]=up [down]=unreachable [none]=lost)

# node_states HOST: sets REPLY to what it has of the two others, such as "B up"
node_states() {
	local text i
	text=$(mesh "$1" node show)
	REPLY=
	for i in 1 2 3; do
		[ "host$i" != "$1" ] || continue
		if [[ $'\n'$text =~ $'\n'node\ ${node[host$i]}\ [^$'\n']*\ state\ ([a-z]+) ]]; then
			REPLY+="${names[i]} ${words[${BASH_REMATCH[1]}]}, "
		else
			REPLY+="${names[i]} ${words[none]}, "
		fi
	done
}

# member_state TEXT: sets REPLY; the words of a kernel or the JSON of the coordinator
member_state() {
	local text=" $1"
	REPLY=lost
	[[ ! $text =~ [\ \"]state\"?:?\ *\"?([a-z]+) ]] || REPLY=${BASH_REMATCH[1]}
	[[ ! $text =~ [\ \"]stale\"?:?\ *(on|true) ]] || REPLY+=' stale'
	REPLY="srv2 $REPLY"
}

# minority CMD...: CMD about what the third coordinator has
minority() { mesh_asks=coord3 mesh_coordinator=192.0.2.3 "$@"; }

# holds WHO: sets REPLY to all that it does, in one line
holds() {
	local host nodes
	case $1 in
	A) host=host1 ;;
	B) host=host2 ;;
	C) host=host3 ;;
	coordinator3)
		member_state "$(minority mesh_registered only2 srv2)"
		REPLY="coordinator3: $REPLY"
		[[ ! $(minority mesh_api GET /v1/services) =~ store_age_ms ]] || REPLY+=', of no quorum'
		return
		;;
	*)
		REPLY="coordinator: frozen"
		[ -z "$frozen" ] || return
		member_state "$(mesh_registered only2 srv2)"
		REPLY="coordinator: $REPLY"
		return
		;;
	esac
	node_states $host
	nodes=$REPLY
	member_state "$(mesh_member $host only2 srv2 2>&1)"
	REPLY="$1: $nodes$REPLY"
}
frozen=''

# Ends with the first that is not so: asking all of them takes long in a guest.
view_is() {
	local want
	while read -r want <&4; do
		holds "${want%%:*}"
		[ "$REPLY" = "$want" ] || {
			echo "wanted: $want"
			echo "got:    $REPLY"
			return 1
		}
	done 4<<<"$expected"
}

# Sets actual.
view() {
	local who
	actual=()
	for who in "${parties[@]}"; do
		holds $who
		actual+=("$REPLY")
	done
}

whole='A: B up, C up, srv2 up
B: A up, C up, srv2 up
C: A up, B up, srv2 up
coordinator: srv2 up'

# drops NS TEXT: what NS does not take in
drops() {
	in_ns "$1" nft -f - <<-NFT
		table ip cut {
			chain in { type filter hook input priority 0; $2 drop; }
		}
	NFT
}
heal() {
	local ns
	for ns in coord coord2 coord3 host1 host2 host3; do
		[ -e "/run/netns/$ns" ] || continue
		in_ns "$ns" nft delete table ip cut 2>/dev/null
	done
	return 0
}
freeze() {
	kill -STOP "${pid[coord]}"
	frozen=1
}
thaw() {
	kill -CONT "${pid[coord]}"
	frozen=''
}

# failed HOST TAG: new flows of this row that came to nothing
marks() {
	local host tag
	for host in 1 3; do
		for tag in both only2; do
			mark[$host$tag]=$(wc -l <"$work/knock-$host-$tag")
		done
	done
}
declare -A mark=()
flows() {
	local new bad
	new=$(tail -n +$((mark[$1$2] + 1)) "$work/knock-$1-$2")
	bad=$(grep -vc ' ok ' <<<"$new")
	REPLY="$bad of $(wc -l <<<"$new") failed"
	[ "$bad" = 0 ]
}
# more HOST TAG N: new flows came about since; who is refused always is told soon
more() { [ $(($(wc -l <"$work/knock-$1-$2") - mark[$1$2])) -ge "$3" ]; }

# none_failed [LOSES]: new flows since marks, with LOSES all but A's to B. Adds to $text.
none_failed() {
	local part
	for part in "1 both" "3 both" "3 only2" ${1:+-} "1 only2"; do
		[ "$part" != - ] || break
		if flows "${part% *}" "${part#* }"; then
			tap_ok "... none of them failed, host$part"
		else
			tap_fail "... none of them failed, host$part: $REPLY"
		fi
		text+="; host$part: $REPLY"
	done
}

table=()
# partition NAME CUT HEAL LEASES LOSES VIEW: LOSES is 3 where A cannot reach B, that is
# the one whose open flow goes on
partition() {
	local name=$1 cut=$2 heal=$3 leases=$4 loses=$5 from text='' want i=0
	expected=$6
	marks
	now_ms
	from=$REPLY
	check "$name" eval "$cut"
	check "... each holds of the others what it should" waitfor 30 view_is
	now_ms
	text="after $((REPLY - from)) ms"
	mesh_leases "$leases"
	view
	check_is "... and still does, $leases leases later" "$expected" "$(printf '%s\n' "${actual[@]}")"
	check "... new flows go on" eval 'waitfor 10 more 1 both 10 && waitfor 10 more 3 only2 10'
	none_failed "$loses"
	check "... open flows go on where they can" mesh_hold_goes_on 3 "${loses:-1}"
	check "... no row was removed, on no host" mesh_nothing_deleted
	table+=("$name ($text)")
	while read -r want; do
		table+=("$(printf '  %-42s | %s' "$want" "${actual[i]}")")
		i=$((i + 1))
	done <<<"$expected"
	${also:-:}
	eval "$heal"
	expected=$whole
	check "... healed: all is as it was" waitfor 15 view_is
	[ -z "$loses" ] || check "... and used again" eval 'waitfor 5 use 1 only2 && open_flow 1'
}

partition_table() {
	local line
	diag "expected | actual"
	for line in "${table[@]}"; do
		diag "$line"
	done
}
