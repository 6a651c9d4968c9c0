#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 2,000 checks a second on one core drift by 5 % at most. What a machine that is
# busy otherwise can take away is in neither of the two measures: when attempts
# start, on a virtual clock, and what they take of a processor.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ "${1-}" != inside ]; then
	exec unshare -n bash "selftests/host/${0##*/}" inside
fi
# shellcheck source=selftests/lib.sh
. selftests/lib.sh
ip link set lo up
lib=tools/lib agent=tools/vnimeshd many=selftests/host/many
cflags="-std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Iuapi -I$lib -I$agent"
build() {
	# shellcheck disable=SC2046,SC2086 # flags are words
	make -s -C tools -j2 vnimeshd &&
		${CC:-cc} $cflags -o "$work/drift" $many/drift.c $agent/{check,check_conf,health,late}.o \
			$lib/{json,json_place,ip,tag,secret}.o $(pkg-config --cflags --libs jansson nettle) &&
		${CC:-cc} $cflags -o "$work/cost" $many/cost.c $agent/{check*,inside,health,late,log}.o \
			$lib/{json,json_place,ip,loop,tag,http,curl_loop,secret}.o \
			$(pkg-config --cflags --libs jansson nettle libsystemd libcurl gnutls libpq libmariadb)
}
check "builds" build || exit 1

# drift NAME COST_US: what each callback takes of the one processor
drift() {
	local permille gap
	read -r permille gap < <("$work/drift" 2000 30 "$2")
	diag "$1: $permille per mille off 2000 a second, none waits longer than $gap ms"
	check "$1: they drift by 5 % at most" [ "$permille" -le 50 ]
	# The interval varies by 10 %.
	check "$1: none waits longer than its interval and a tenth" [ "$gap" -le 1150 ]
}
drift "an idle core" 0
drift "a core that they fill to 80 %" 200

read -r ns bare down < <("$work/cost" 2000 4000)
diag "an attempt takes $((ns / 1000)) us of a processor, of which $((bare / 1000)) for connecting at all:" \
	"2000 a second are $((ns * 2000 / 10000000)) % of a core"
check_is "none is down" 0 "$down"
check "2000 a second fit on one core, with a fifth of it left" [ $((ns * 2000)) -le 800000000 ]
