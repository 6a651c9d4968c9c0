#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The coordinator's tests under the address and undefined behaviour sanitizers, leaks
# included. The rest of that lane, and valgrind's, is in make check-san and
# make check-valgrind.
exec "$(dirname "$0")/lane" san coordinator rights
