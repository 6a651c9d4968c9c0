#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The command line tool as far as it goes without the module: how it builds,
# what it refuses before asking the kernel, what it prints and where, and the
# records behind it. Runs in a network namespace of its own.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ "${1-}" != inside ]; then
	# A user namespace is for those who are not root; in a chroot there is
	# none.
	flags=-rn
	[ "$(id -u)" != 0 ] || flags=-n
	exec unshare $flags bash "selftests/host/${0##*/}" inside
fi
# shellcheck source=selftests/lib.sh
. selftests/lib.sh

# shellcheck disable=SC2154 # work is set by lib.sh
out=$work/build
tool=$out/san/vnimesh/vnimesh

build()
{
	make -s -C tools O="$out/$1" "${@:2}" vnimesh
}

check "builds with gcc" build gcc CC=gcc CFLAGS=-O2
if command -v clang > /dev/null; then
	check "builds with clang" build clang CC=clang CFLAGS=-O2
else
	tap_skip "builds with clang" "no clang"
fi
check "builds with sanitizers" build san CC=gcc SAN=1 CFLAGS="-O1 -g" ||
	exit 1

# run CMD...: sets rc, and leaves stdout and stderr in files.
run()
{
	rc=0
	"$tool" "$@" > "$work/stdout" 2> "$work/stderr" < /dev/null || rc=$?
}

# usage TEXT ARG...: refused here (1), saying TEXT, with nothing on stdout.
usage()
{
	local text=$1
	shift
	run "$@"
	check_is "vnimesh $*" "1||$text" "$rc|$(cat "$work/stdout")|$(cat "$work/stderr")"
}

# helps ARG...: prints usage on stdout and nothing on stderr.
helps()
{
	run "$@"
	check_is "vnimesh $* helps" "0|Usage:|0" \
		"$rc|$(head -c6 "$work/stdout")|$(wc -c < "$work/stderr")"
}

run -V
check_is "-V prints the version" "0|vnimesh" "$rc|$(cut -d' ' -f1 "$work/stdout")"
helps help
helps -h
helps --help
helps -help
for object in dev vni node service member flow route resolve monitor connect; do
	helps "$object" help
done
helps dev -h
helps dev --help
helps s help

usage 'Error: an object is required, try "vnimesh help".'
usage 'Error: Object "foo" is unknown, try "vnimesh help".' foo
usage 'Error: Object "f\x1b[0m" is unknown, try "vnimesh help".' $'f\e[0m'
usage 'Error: argument "TAG" is required.' reso
usage 'Error: Option "-x" is unknown, try "vnimesh help".' -x dev
usage 'Error: argument "-timeout" needs a value.' -timeout
usage 'Error: argument "5" is wrong: timeout needs a unit: us, ms, s, m or h.' \
	-timeout 5 dev
usage 'Error: Cannot open network namespace "nosuch": No such file or directory.' \
	-n nosuch dev
usage 'Error: Command "foo" is unknown, try "vnimesh dev help".' dev foo
usage 'Error: Command "s" is ambiguous, try "vnimesh dev help".' dev s

# Numbers, strictly
big="4294967296"
usage "Error: argument \"$big\" is wrong: VNI must be 1..4294967295." vni add $big
usage 'Error: argument "10x" is wrong: VNI must be 1..4294967295.' vni add 10x
usage 'Error: argument "0x10" is wrong: VNI must be 1..4294967295.' vni add 0x10
usage 'Error: argument "" is wrong: VNI must be 1..4294967295.' vni add ''
usage 'Error: argument "+1" is wrong: VNI must be 1..4294967295.' vni add +1
usage 'Error: argument "-1" is wrong: VNI must be 1..4294967295.' vni del -1
usage 'Error: argument "VNI" is required.' vni add
usage 'Error: argument "0" is wrong: NODE must be 1..4294967295.' node add 0
usage 'Error: argument "99999999" is wrong: mesh must be 1..16777215.' \
	dev add m mesh 99999999
usage 'Error: argument "1001" is wrong: weight must be 0..1000.' \
	member add db vni 3 weight 1001
usage 'Error: argument "101" is wrong: health must be 0..100.' \
	vni set 3 health 101
usage 'Error: argument "99999999999999999999" is wrong: epoch must be 0..18446744073709551615.' \
	node set 3 epoch 99999999999999999999

# Durations
usage 'Error: argument "400" is wrong: latency needs a unit: us, ms, s, m or h.' \
	member add db vni 3 latency 400
usage 'Error: argument "4d" is wrong: the unit of latency must be us, ms, s, m or h.' \
	member add db vni 3 latency 4d
usage 'Error: argument "61s" is wrong: latency must be 0us..60000000us.' \
	member add db vni 3 latency 61s
usage 'Error: argument "99999999999999999h" is wrong: latency must be 0us..60000000us.' \
	member add db vni 3 latency 99999999999999999h
usage 'Error: Cannot find device "m0".' dev set m0 miss-timeout 1s
usage 'Error: argument "9ms" is wrong: miss-timeout must be 10ms..10000ms.' \
	dev set lo miss-timeout 9ms
usage 'Error: argument "1500us" is wrong: miss-timeout is counted in whole ms.' \
	dev set lo miss-timeout 1500us

# Words, addresses, lists
usage 'Error: argument "x" is wrong: state must be one of up, drain, maint, down.' \
	member set db vni 3 state x
usage 'Error: argument "1" is wrong: stale must be on or off.' \
	member set db vni 3 stale 1
usage 'Error: argument "best" is wrong: policy must be one of optimal, maglev, random, failover.' \
	service add db policy best
for tag in -db db- Db d_b '' "$(printf 'a%.0s' {1..64})"; do
	usage "Error: argument \"$tag\" is wrong: a tag has 1..63 of a-z, 0-9 and '-', no '-' at either end." \
		service add "$tag"
done
usage 'Error: argument "10.0.0.256" is wrong: address must be an IPv4 or IPv6 address.' \
	service add db address 10.0.0.256
usage 'Error: argument "10.0.0.2" is wrong: address is given twice.' \
	service add db address 10.0.0.1 address 10.0.0.2
usage 'Error: argument "10.0.0.1/33" is wrong: prefix length must be 0..32.' \
	vni add 3 address 10.0.0.1/33
usage 'Error: argument "10.0.0.2" is wrong: there is one address of each family.' \
	vni add 3 address 10.0.0.1 address 10.0.0.2
usage 'Error: argument "10.0.0.1/24" is wrong: prefix must be ADDR/LEN without host bits.' \
	node add 3 prefix 10.0.0.1/24
usage 'Error: argument "10.0.0.0/8" is wrong: none stands alone.' \
	node add 3 prefix none prefix 10.0.0.0/8
usage 'Error: argument "::1/64" is wrong: local must be an IPv4 or IPv6 address.' \
	dev add m mesh 1 node 1 vni 1 local ::1/64
usage 'Error: argument "local" is required.' dev add m mesh 1 node 1 vni 1
usage 'Error: argument "5432" is wrong: port must be [NAME:]PROTO/PORT[:TARGET].' \
	service add db port 5432
usage 'Error: argument "sctp/5432" is wrong: the protocol of a port must be tcp or udp.' \
	service add db port sctp/5432
usage 'Error: argument "0" is wrong: port must be 1..65535.' \
	service add db port pg:tcp/0
usage 'Error: argument "65536" is wrong: port must be 1..65535.' \
	service add db port tcp/1:65536
usage 'Error: argument "tcp/000000000080" is wrong: port must be 1..65535.' \
	service add db port tcp/000000000080
usage 'Error: argument "vni" is required.' member add db
usage 'Error: argument "weight" needs a value.' member add db vni 3 weight
usage 'Error: argument "colour" is unknown, try "vnimesh member help".' \
	member add db colour red
usage 'Error: nothing to set, try "vnimesh member help".' member set db vni 3
usage 'Error: show takes the key only.' node show 3 zone a
usage 'Error: Cannot find device "mesh9".' node add 3 dev mesh9
usage "Error: argument \"a/b\" is wrong: a device name has 1..15 bytes, no '/', ':' or space." \
	vni add 3 name a/b
usage 'Error: Cannot open network namespace "nosuch": No such file or directory.' \
	vni add 3 netns nosuch
usage 'Error: argument "src" is wrong: this command selects by tag or vni.' \
	flow show src 10.0.0.1
usage 'Error: argument "x" is wrong: monitor follows config, events or all.' \
	monitor x
usage 'Error: argument "0" is wrong: port must be 1..65535.' connect db 0
usage 'Error: argument "-z" is unknown, try "vnimesh connect help".' \
	connect db -z
usage 'Error: argument "TAG" is required.' connect
usage 'Error: argument "TAG" is required.' resolve
usage 'Error: resolve takes dev and family only.' resolve db dport 5

# Without a mesh here
usage 'Error: there is no vnimesh device in this network namespace.' node show
usage 'Error: there is no vnimesh device in this network namespace.' resolve db
usage 'Error: there is no vnimesh device in this network namespace.' \
	connect db 5432
usage 'Error: No such vnimesh device.' dev del lo

# The module is missed by name, and nothing but that is printed.
if [ -e /sys/module/vnimesh ]; then
	tap_skip "without the module" "it is loaded"
else
	text='Error: kernel module "vnimesh" is not loaded (try: modprobe vnimesh).'
	for words in "dev" "-j dev" "-j -p -s dev show" "monitor" "-j monitor" \
			"dev show lo"; do
		# shellcheck disable=SC2086 # words
		run $words
		check_is "vnimesh $words without the module" "2||$text" \
			"$rc|$(cat "$work/stdout")|$(cat "$work/stderr")"
	done
	run dev add m0 mesh 1 node 1 vni 1 local 10.0.0.1
	check_is "vnimesh dev add without the module" "2|0" \
		"$rc|$(wc -c < "$work/stdout")"
fi

rc=0
"$tool" help > /dev/full 2> "$work/stderr" || rc=$?
check_is "a full disk is noticed" \
	"1|Error: Cannot write the output: No space left on device." \
	"$rc|$(cat "$work/stderr")"

for page in Documentation/vnimesh.8; do
	if command -v mandoc > /dev/null; then
		check "mandoc accepts $page" mandoc -T lint -W warning "$page"
	else
		tap_skip "mandoc accepts $page" "no mandoc"
	fi
done

# The records, by a program of their own.
# shellcheck disable=SC2046 # flags
check "builds the test of the records" gcc -std=gnu11 -D_GNU_SOURCE -O1 -g \
	-Wall -Wextra -fsanitize=address,undefined -fno-sanitize-recover=all \
	-Iuapi -Itools/lib $(pkg-config --cflags libnl-genl-3.0 jansson) \
	-o "$work/record" selftests/host/tool_record.c \
	"$out/san/lib/libvnimesh.a" $(pkg-config --libs libnl-genl-3.0 jansson)
if [ -x "$work/record" ]; then
	rc=0
	"$work/record" > "$work/records" 2> "$work/stderr" || rc=$?
	while read -r line; do
		case $line in
		"ok - "*)	tap_ok "records: ${line#ok - }" ;;
		"not ok - "*)	tap_fail "records: ${line#not ok - }" ;;
		*)		echo "$line" ;;
		esac
	done < "$work/records"
	check_is "the test of the records runs to its end" "0|" \
		"$rc|$(head -c 2000 "$work/stderr")"
fi
