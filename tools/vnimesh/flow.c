// SPDX-License-Identifier: GPL-2.0-or-later
/* vnimesh flow: client flows and the members they are bound to. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "args.h"
#include "rows.h"

#define TUPLE	(VNM_BIT(VNIMESH_A_FLOW_PROTO) | VNM_BIT(VNIMESH_A_FLOW_SRC) | \
		 VNM_BIT(VNIMESH_A_FLOW_SPORT) | VNM_BIT(VNIMESH_A_FLOW_DST) | \
		 VNM_BIT(VNIMESH_A_FLOW_DPORT))
#define GROUPS	(VNM_BIT(VNIMESH_A_FLOW_TAG) | VNM_BIT(VNIMESH_A_FLOW_VNI_ID))

/* Keywords of a request, which may carry the fields @allowed; and the mesh. */
static int take_filter(struct tool *t, struct args *a, uint64_t allowed,
		       struct vnm_flow *flow)
{
	const char *word;
	uint64_t before;
	int ret;

	do {
		word = args_peek(a);
		before = flow->present;
		ret = args_dev(a, &flow->ifindex);
		if (!ret)
			ret = args_field(a, &vnm_flow_type, flow);
		if (ret > 0 && (flow->present & ~before & ~allowed)) {
			args_wrong(word, "this command selects by tag or vni");
			return EXIT_LOCAL;
		}
	} while (ret > 0);
	if (ret < 0 || !args_end(a))
		return EXIT_LOCAL;
	if (VNM_HAS(flow, VNIMESH_A_FLOW_TAG) && !check_tag(flow->tag))
		return EXIT_LOCAL;
	ret = mesh_find(t, NULL, &flow->ifindex);
	if (ret)
		return ret;
	flow->present |= VNM_BIT(VNIMESH_A_FLOW_IFINDEX);
	return tool_genl(t);
}

static int flow_show(struct tool *t, struct args *a)
{
	struct vnm_flow filter = { 0 };
	int ret = take_filter(t, a, GROUPS, &filter);

	return ret ? ret : rows_show(t, &vnm_flow_type, VNIMESH_CMD_FLOW_GET,
				     &filter, false);
}

static int flow_count(struct tool *t, struct args *a)
{
	struct vnm_flow filter = { 0 };
	char name[IF_NAMESIZE];
	struct rows rows;
	int ret;

	ret = take_filter(t, a, GROUPS, &filter);
	if (ret)
		return ret;
	ret = rows_fetch(t, &rows, &vnm_flow_type, VNIMESH_CMD_FLOW_GET,
			 &filter, false);
	if (!ret && t->json)
		ret = json_out(t, json_pack("[{s:s,s:I}]", "dev",
					    dev_name(filter.ifindex, name),
					    "flows", (json_int_t)rows.n));
	else if (!ret)
		printf("%zu\n", rows.n);
	rows_free(&rows);
	return ret;
}

static struct nl_msg *del_msg(struct tool *t, const struct vnm_flow *flow)
{
	struct nl_msg *msg = vnm_genl_msg_new(t->genl, VNIMESH_CMD_FLOW_DEL, 0);

	if (msg && vnm_record_fill(&vnm_flow_type, flow, msg)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int flow_del(struct tool *t, struct args *a)
{
	struct vnm_flow flow = { 0 };
	uint64_t by;
	int ret;

	ret = take_filter(t, a, TUPLE | GROUPS, &flow);
	if (ret)
		return ret;
	by = flow.present & (TUPLE | GROUPS);
	if (by != TUPLE && (!by || (by & TUPLE))) {
		fputs("Error: select by proto, src, sport, dst and dport, or by tag or vni.\n",
		      stderr);
		return EXIT_LOCAL;
	}
	return tool_request(t, del_msg(t, &flow));
}

/* A flow that has ended by itself is as good as deleted. */
static void note_refused(size_t idx, const struct vnm_error *e, void *arg)
{
	struct vnm_error *first = arg;

	(void)idx;
	if (e->err && e->err != -ENOENT && !first->err)
		*first = *e;
}

static int del_rows(struct tool *t, const struct rows *rows)
{
	struct vnm_error e, refused = { 0 };
	struct nl_msg **msgs;
	struct vnm_flow *flow;
	size_t i;
	int ret;

	msgs = calloc(rows->n ? rows->n : 1, sizeof(*msgs));
	if (!msgs)
		return out_of_memory();
	for (i = 0; i < rows->n; i++) {
		flow = rows_at(rows, i);
		flow->present &= TUPLE | VNM_BIT(VNIMESH_A_FLOW_IFINDEX);
		msgs[i] = del_msg(t, flow);
		if (!msgs[i]) {
			while (i)
				nlmsg_free(msgs[--i]);
			free(msgs);
			return out_of_memory();
		}
	}
	ret = vnm_genl_bulk(t->genl, msgs, rows->n, note_refused, &refused, &e);
	free(msgs);
	if (ret < 0)
		return tool_fail(&e);
	return refused.err ? tool_fail(&refused) : EXIT_OK;
}

static int flow_flush(struct tool *t, struct args *a)
{
	struct vnm_flow filter = { 0 };
	struct rows rows;
	int ret;

	ret = take_filter(t, a, GROUPS, &filter);
	if (ret)
		return ret;
	if (filter.present & GROUPS)
		return tool_request(t, del_msg(t, &filter));
	ret = rows_fetch(t, &rows, &vnm_flow_type, VNIMESH_CMD_FLOW_GET,
			 &filter, false);
	if (!ret)
		ret = del_rows(t, &rows);
	rows_free(&rows);
	return ret;
}

const struct command flow_commands[] = {
	{ "show", "list,ls,sh", flow_show },
	{ "count", NULL, flow_count },
	{ "del", "delete", flow_del },
	{ "flush", NULL, flow_flush },
	{ NULL, NULL, NULL }
};
