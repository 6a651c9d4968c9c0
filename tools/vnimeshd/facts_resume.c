// SPDX-License-Identifier: GPL-2.0-or-later
/* What was cached against what an earlier run left in the kernel. */

#include "facts.h"

void facts_resume_member(struct member *m, uint32_t node,
			 const struct figures *figures)
{
	if (!m->cached || m->node != node || !figures->epoch)
		return;
	/* Within one run of the owner that order is known. */
	if (figures->epoch == m->epoch && figures->seq < m->seq)
		return;
	m->state = figures->state;
	m->health = figures->health;
	m->weight = figures->weight;
	m->priority = figures->priority;
	m->latency_us = figures->latency_us;
	m->latency_kind = figures->latency_kind;
	m->epoch = figures->epoch;
	m->seq = figures->seq;
}

void facts_resume_node(struct node *n, const struct ip_addr *underlay,
		       uint16_t port, bool down, uint32_t rtt_us)
{
	if (n->cached && underlay->family) {
		n->underlay = *underlay;
		n->port = port;
	}
	/* What this run measured is newer. */
	if (n->reach.state == REACH_UNKNOWN)
		reach_resume(&n->reach, down, rtt_us);
}
