/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPLAY_H
#define REPLAY_H

#include "tool.h"

struct args;

/* 0: the kernel chose the same each time. */
int route_replay(struct tool *t, struct args *a);

#endif /* REPLAY_H */
