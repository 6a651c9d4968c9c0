#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The agent's checks under the sanitizers: state machines, failures, time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=selftests/host/san.sh
. selftests/host/san.sh
bin=$(mktemp)
trap 'rm -f "$bin"' EXIT
mapfile -t objects < <(san_agent)
{ san_build vnimeshd && san_link "$bin" selftests/host/checks/*.c -Wl,--wrap=read \
	-Wl,--wrap=gnutls_certificate_set_x509_system_trust,--wrap=gnutls_certificate_set_x509_trust_file \
	"${objects[@]}"; } 2>&1 | sed 's/^/# /'
# The leak check at exit stops the process with ptrace(2), which not every
# machine allows.
ASAN_OPTIONS=detect_leaks=${LEAKS:-0} "$bin"
