#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The agent's checks under the sanitizers: state machines, failures, time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
lib=../../tools/lib agent=../../tools/vnimeshd
bin=$(mktemp)
trap 'rm -f "$bin"' EXIT
# shellcheck disable=SC2046 # flags are words
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror \
	-fsanitize=address,undefined -fno-sanitize-recover=all \
	-I../../uapi -I$lib -I$agent -o "$bin" checks.c \
	$agent/check*.c $agent/{health,late}.c $lib/{json,json_place,ip,loop,tag,http,curl_loop,secret}.c \
	$(pkg-config --cflags --libs jansson nettle libsystemd libcurl gnutls libpq libmariadb) \
	2>&1 | sed 's/^/# /'
# The leak check at exit stops the process with ptrace(2), which not every
# machine allows.
ASAN_OPTIONS=detect_leaks=${LEAKS:-0} "$bin"
