/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_AGENT_LISTS_H
#define SELFTESTS_AGENT_LISTS_H

void test_lists(void);

#endif
