/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of the agent of this host: commands of the object service. */
#ifndef AGENT_H
#define AGENT_H

#include "tool.h"

int agent_register(struct tool *t, struct args *a);
int agent_deregister(struct tool *t, struct args *a);
int agent_drain(struct tool *t, struct args *a);
int agent_maint(struct tool *t, struct args *a);
int agent_ready(struct tool *t, struct args *a);
int agent_status(struct tool *t, struct args *a);
int agent_peers(struct tool *t, struct args *a);

#endif
