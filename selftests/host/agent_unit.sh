#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The agent's state machines and configuration, under the sanitizers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
lib=../../tools/lib agent=../../tools/vnimeshd
bin=$(mktemp)
trap 'rm -f "$bin"' EXIT
# shellcheck disable=SC2046 # flags are words
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror \
	-fsanitize=address,undefined -fno-sanitize-recover=all \
	-I../../uapi -I$lib -I$agent -o "$bin" agent_{unit,health,lists,config}.c \
	-Wl,--wrap=calloc,--wrap=realloc \
	$agent/{check_conf,health,reach,sequence,rows,sorted,facts,facts_list,facts_resume,wire,config,services,log}.c \
	$lib/{json,json_place,ip,loop,tag}.c $(pkg-config --cflags --libs jansson nettle libsystemd) \
	2>&1 | sed 's/^/# /'
"$bin" 2>/dev/null
