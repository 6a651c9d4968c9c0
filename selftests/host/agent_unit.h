/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of agent_unit that have files of their own. */
#ifndef SELFTESTS_AGENT_UNIT_H
#define SELFTESTS_AGENT_UNIT_H

void test_health(void);
void test_reach(void);
void test_lists(void);
void test_config(void);

#endif
