#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The coordinator's tests under the address and undefined behaviour sanitizers. The
# rest of that lane, leaks, and valgrind's are in make check-san and check-valgrind.
exec "$(dirname "$0")/lane" san coordinator rights
