#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Checks from inside: a server that is bound to 127.0.0.1 of its container is
# down from outside and up from inside. The helper has its one right alone,
# comes back when it dies, and keeps no container.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ "${1-}" != inside ]; then
	exec unshare -n -m --propagation unchanged bash "selftests/host/${0##*/}" inside
fi
# shellcheck source=selftests/lib.sh
. selftests/lib.sh
# shellcheck source=selftests/host/checkrun.sh
. selftests/host/checkrun.sh
ip link set lo up
# Names of our own: other tests share the directory.
mkdir -p /run/netns && mount -t tmpfs none /run/netns
check "builds" checkrun_build || exit 1

# ip -n wants a mount namespace with a root of its own.
in_ns() { nsenter --net="/run/netns/$1" "${@:2}"; }
container() { # NAME VNI
	ip netns add "$1" && defer ip netns del "$1" && in_ns "$1" ip link set lo up &&
		in_ns "$1" ip link add "vni$2" type veth peer name "v$2"
}
box() {
	container box 7 && container other 6 &&
		ip link add out type veth peer name eth0 netns /run/netns/box &&
		ip addr add 10.9.0.1/24 dev out && ip link set out up &&
		in_ns box ip addr add 10.9.0.7/24 dev eth0 && in_ns box ip link set eth0 up
}
check "a container" box || exit 1
redis_up() { spawn redis nsenter --net=/run/netns/box redis-server --port 6379 --bind 127.0.0.1 --save "" --dir "$work"; }
redis_up
mkdir "$work/www"
spawn web nsenter --net=/run/netns/box python3 -m http.server --bind 127.0.0.1 --directory "$work/www" 8080
cat >"$work/echo.py" <<-END
	import socket
	s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
	s.bind(("::1", 7))
	while True:
	    data, to = s.recvfrom(2000)
	    s.sendto(data, to)
END
spawn echo nsenter --net=/run/netns/box python3 "$work/echo.py"

times='"interval_ms": 300, "timeout_ms": 1500, "damping": false'
inside='"where": "inside"'
mkdir "$work/d"
cat >"$work/d/all.json" <<-DEF
	[ { "tag": "out", "vni": 7, "check": { "type": "redis", "port": 6379, $times } },
	  { "tag": "out-web", "vni": 7, "check": { "type": "http", "port": 8080, "where": "outside", $times } },
	  { "tag": "in", "vni": 7, "check": { "type": "redis", "port": 6379, $inside, $times } },
	  { "tag": "in-web", "vni": 7, "check": { "type": "http", "port": 8080, $inside, $times } },
	  { "tag": "in-udp", "vni": 7, "check": { "type": "udp", "port": 7, $inside, "address": "::1", "send": "a", "expect": "a", $times } },
	  { "tag": "in-own", "vni": 7, "check": { "type": "redis", "port": 6379, $inside, "address": "10.9.0.7", $times } },
	  { "tag": "both", "vni": 7, "check": { "type": "all-of", "damping": false, "checks": [
	    { "type": "redis", "port": 6379, $inside, "interval_ms": 300 }, { "type": "http", "port": 8080, $inside, "interval_ms": 300 } ] } },
	  { "tag": "nowhere", "vni": 8, "check": { "type": "redis", "port": 6379, $inside, $times } } ]
DEF
check "the checks begin" checkrun_start 10.9.0.7 || exit 1

says "bound to 127.0.0.1, it is down from outside" out/7 'down none 0 connect: Connection refused'
says "... and up from inside" in/7 'up '
says "http from outside" out-web/7 'down none 0 .*(refused|[Cc]ould.?n.t connect)'
says "http from inside" in-web/7 'up none [0-9]+ status 200'
says "a datagram to ::1" in-udp/7 'up none [0-9]+ the expected answer'
says "to an address of ours it is refused" in-own/7 'down none 0 connect: Connection refused'
says "several of them" both/7 'up '
says "a VNI whose container has no name" nowhere/8 'down none 0 cannot look inside: no file of /run/netns'

keeper=$(pgrep -P "${pid[checkrun]}")
worker() { pgrep -P "$keeper"; }
status_of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
check_is "the helper has one capability" "0000000000200000 0000000000200000" \
	"$(status_of "$(worker)" CapPrm) $(status_of "$(worker)" CapEff)"
check_is "and can get no other" "1 2" "$(status_of "$(worker)" NoNewPrivs) $(status_of "$(worker)" Seccomp)"
check_is "who asks has it not" 0 "$((0x$(status_of "${pid[checkrun]}" CapPrm) >> 21 & 1))"
check_is "the helper has nothing open but its own" "" \
	"$(find "/proc/$(worker)/fd" -lname '*/net*' ! -lname 'net:*' ! -name '[012]')"

# Whoever checks goes down and comes up with the server, or checks no more.
follows() { # NAME
	halt redis
	says "$1: down with the server" in/7 'down none 0 connect: Connection refused'
	redis_up
	says "$1: up with it" in/7 'up '
}
follows "the helper lives"
died() { [ -n "$(worker)" ] && [ "$(worker)" != "$1" ]; }
for i in 1 2 3; do
	waitfor 10 worker >/dev/null
	old=$(worker)
	kill -KILL "$old"
	check "killed for the ${i}th time, another one comes" waitfor 10 died "$old"
done
follows "after that"
check "its deaths are told" grep -q "helper of checks from inside died (signal 9)" "$work/checkrun.err"

# Nothing may keep a container that is gone, or its device.
for name in redis web echo; do halt "$name"; done
ip netns del box
gone_too() { ! ip link show out 2>/dev/null; }
check "a container that goes is gone at once" waitfor 5 gone_too
says "its check knows" in/7 'down none 0 cannot look inside: no file of'
again() { in_ns other ip link add vni7 type veth peer name v7; }
check "the VNI comes back in another one" again
spawn redis nsenter --net=/run/netns/other redis-server --port 6379 --bind 127.0.0.1 --save "" --dir "$work"
says "and is found there" in/7 'up '

kill -KILL "$keeper"
says "without a helper that is said" in/7 'down none 0 cannot look inside: the helper is gone'
check "the rest goes on" kill -0 "${pid[checkrun]}"
check_is "without another complaint" "" "$(grep -Ev 'helper of checks from inside (died|is gone)' "$work/checkrun.err" | head -n 20)"
exec {in}>&-
