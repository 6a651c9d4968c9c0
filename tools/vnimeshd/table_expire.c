// SPDX-License-Identifier: GPL-2.0-or-later
/* Services that nobody on this host uses any more. */

#include <stdio.h>

#include "kernel.h"
#include "log.h"
#include "table.h"
#include "table_row.h"
#include "watch.h"

struct usage {
	struct facts *f;
	bool flows;
};

static int on_used(const struct vnm_genl_msg *msg, void *data)
{
	struct usage *u = data;
	struct vnm_service row;
	struct service *s;
	uint64_t used;

	if (vnm_record_parse(&vnm_service_type, &row, msg->attrs,
			     msg->attrlen) ||
	    !VNM_HAS(&row, VNIMESH_A_SERVICE_USED))
		return 0;
	s = facts_service(u->f, row.tag);
	used = loop_now() - row.used_ms * LOOP_USEC_PER_MSEC;
	if (s && used < loop_now() && used > s->used_us)
		s->used_us = used;
	return 0;
}

static int on_flows(const struct vnm_genl_msg *msg, void *data)
{
	struct usage *u = data;
	struct vnm_member row;

	if (!vnm_record_parse(&vnm_member_type, &row, msg->attrs,
			      msg->attrlen) && row.inflight)
		u->flows = true;
	return 0;
}

/* Connections that live longer than anybody opens new ones count as use: a
 * member that dies must still reset them.
 */
static bool has_flows(struct mesh *m, const struct service *s)
{
	struct usage u = { .f = &m->facts };
	struct vnm_member key = { 0 };
	struct nl_msg *msg;

	VNM_SET(&key, ifindex, VNIMESH_A_MEMBER_IFINDEX,
		kernel_ifindex(m->kernel));
	snprintf(key.tag, sizeof(key.tag), "%s", s->tag);
	key.present |= VNM_BIT(VNIMESH_A_MEMBER_TAG);
	msg = kernel_msg(m->kernel, VNIMESH_CMD_MEMBER_GET, 0,
			 &vnm_member_type, &key);
	if (!msg || vnm_genl_dump(kernel_genl(m->kernel), msg, on_flows, &u,
				  NULL))
		return true;
	return u.flows;
}

void table_expire(struct mesh *m)
{
	struct facts *f = &m->facts;
	struct usage u = { .f = f };
	uint64_t idle = TABLE_IDLE_MS * LOOP_USEC_PER_MSEC;
	struct nl_msg *msg;
	struct service *s;
	bool any = false;
	size_t i;

	if (!m->running)
		return;
	/* A tag for each job that ever ran is not to stay for ever. */
	facts_prune(f);
	msg = row_dump_msg(m->kernel, VNIMESH_OBJECT_SERVICE);
	if (!msg || vnm_genl_dump(kernel_genl(m->kernel), msg, on_used, &u,
				  NULL))
		return;
	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		if (!s->used || s->served)
			continue;
		/* One too many to be watched goes as soon as it can. */
		if (!s->unwatched && loop_now() < s->used_us + idle)
			continue;
		if (has_flows(m, s)) {
			s->used_us = loop_now();
			continue;
		}
		log_debug("%s: unused, dropped", s->tag);
		s->used = false;
		s->live = false;
		s->whole = false;
		table_dirty(m->table, s->tag);
		any = true;
	}
	if (!any)
		return;
	table_dirty_vnis(m->table);
	watch_restart(m->watch, UINT64_MAX);
}
