#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The channel between agents, over a network in memory: its loss, its clock and
# its attackers. Under the sanitizers; VNIMESH_SOAK=1: a million hostile
# datagrams.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
lib=../../tools/lib agent=../../tools/vnimeshd
bin=$(mktemp)
trap 'rm -f "$bin"' EXIT
# shellcheck disable=SC2046 # flags are words
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror \
	-fsanitize=address,undefined -fno-sanitize-recover=all \
	-I../../uapi -I$lib -I$agent -o "$bin" peers.c \
	$agent/{peer_wire,peer_session,peer_sync,peer_hub,sorted}.c $lib/ip.c \
	$(pkg-config --cflags --libs libsodium) 2>&1 | sed 's/^/# /'
"$bin" golden "$([ "${VNIMESH_SOAK-}" != 1 ] && echo 50000 || echo 1000000)"
