// SPDX-License-Identifier: GPL-2.0-or-later
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "args.h"
#include "record_fields.h"
#include "rows.h"
#include "table.h"

#define TABLE(T, t, end, key) { &vnm_##t##_type, VNIMESH_CMD_##T##_GET, \
	VNIMESH_CMD_##T##_SET, VNIMESH_CMD_##T##_DEL, end, key }

const struct table node_table = TABLE(NODE, node, VNIMESH_A_NODE_ID, "NODE");
const struct table vni_table = TABLE(VNI, vni, VNIMESH_A_VNI_ID, "VNI");
const struct table service_table = TABLE(SERVICE, service,
					 VNIMESH_A_SERVICE_TAG, "TAG");
const struct table member_table = TABLE(MEMBER, member,
					VNIMESH_A_MEMBER_VNI_ID, "TAG");

/* Large and aligned enough for every table's record. */
union record {
	uint64_t		present;
	struct vnm_node		node;
	struct vnm_vni		vni;
	struct vnm_service	service;
	struct vnm_member	member;
};

static uint32_t *ifindex_of(const struct table *table, void *rec)
{
	return (void *)((char *)rec + vnm_field(table->type, 1)->off);
}

/* The first part of the key stands without a keyword. */
static bool take_key(struct args *a, const struct table *table, void *rec)
{
	const struct vnm_field *f = vnm_field(table->type, 2);
	void *p = (char *)rec + f->off;
	uint64_t *present = rec;

	*present |= VNM_BIT(2);
	if (f->kind == VNM_K_STRING)
		return args_need_tag(a, p);
	return args_need_u32(a, table->key_name, f->min, f->max, p);
}

static bool take_fields(struct args *a, const struct table *table, void *rec)
{
	uint64_t *present = rec;
	int ret;

	do {
		ret = args_dev(a, ifindex_of(table, rec));
		if (ret > 0)
			*present |= VNM_BIT(1);
		if (!ret)
			ret = args_field(a, table->type, rec);
	} while (ret > 0);
	return !ret && args_end(a);
}

/* Whether @rec has all of its key but the device, which may be filled in. */
static bool has_key(const struct table *table, const void *rec)
{
	unsigned int i;

	for (i = 2; i <= table->key_end; i++)
		if (!(*(const uint64_t *)rec & VNM_BIT(i)))
			return false;
	return true;
}

static bool need_key(const struct table *table, const void *rec)
{
	return has_key(table, rec) ||
	       args_required(vnm_field(table->type, table->key_end)->word);
}

/* Bits of @rec behind the key. */
static uint64_t beyond_key(const struct table *table, const void *rec)
{
	return *(const uint64_t *)rec & ~(VNM_BIT(table->key_end + 1) - 1);
}

int table_send(struct tool *t, const struct table *table, uint8_t cmd,
	       int flags, void *rec)
{
	struct nl_msg *msg;
	int ret;

	ret = mesh_find(t, NULL, ifindex_of(table, rec));
	if (!ret)
		ret = tool_genl(t);
	if (ret)
		return ret;
	*(uint64_t *)rec |= VNM_BIT(1);
	msg = vnm_genl_msg_new(t->genl, cmd, flags);
	if (msg && vnm_record_fill(table->type, rec, msg)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return tool_request(t, msg);
}

int table_change(struct tool *t, struct args *a, const struct table *table,
		 int flags)
{
	union record rec;

	memset(&rec, 0, sizeof(rec));
	if (!take_key(a, table, &rec) || !take_fields(a, table, &rec) ||
	    !need_key(table, &rec))
		return EXIT_LOCAL;
	if (!(flags & NLM_F_CREATE) && !beyond_key(table, &rec)) {
		fprintf(stderr,
			"Error: nothing to set, try \"vnimesh %s help\".\n",
			a->object);
		return EXIT_LOCAL;
	}
	return table_send(t, table, table->set, flags, &rec);
}

int table_del(struct tool *t, struct args *a, const struct table *table)
{
	union record rec;

	memset(&rec, 0, sizeof(rec));
	if (!take_key(a, table, &rec) || !take_fields(a, table, &rec) ||
	    !need_key(table, &rec))
		return EXIT_LOCAL;
	return table_send(t, table, table->del, 0, &rec);
}

/* A keyword that no filter of the kernel knows would be ignored there, and a
 * person would take the whole table for the answer.
 */
static bool only_key(const struct table *table, const void *rec)
{
	return !beyond_key(table, rec) ||
	       (fputs("Error: show takes the key only.\n", stderr), false);
}

int table_show(struct tool *t, struct args *a, const struct table *table)
{
	const char *word = args_peek(a);
	union record rec;
	bool own = false;
	int ret;

	memset(&rec, 0, sizeof(rec));
	/* "member show vni 7" has a keyword where the tag could stand; a tag
	 * of that name is shown with "tag" or another keyword behind it.
	 */
	if (word && strcmp(word, "dev") &&
	    (strcmp(word, "vni") || table != &member_table) &&
	    !take_key(a, table, &rec))
		return EXIT_LOCAL;
	if (!take_fields(a, table, &rec) || !only_key(table, &rec))
		return EXIT_LOCAL;
	ret = mesh_find(t, table == &vni_table ? &own : NULL,
			ifindex_of(table, &rec));
	if (ret)
		return ret;
	rec.present |= VNM_BIT(1);
	return rows_show(t, table->type, table->get, &rec,
			 own || has_key(table, &rec));
}

/* Further commands behind. */
#define CHANGES(t_, ...) \
static int t_##_add(struct tool *t, struct args *a) \
{ \
	return table_change(t, a, &t_##_table, NLM_F_CREATE | NLM_F_EXCL); \
} \
static int t_##_replace(struct tool *t, struct args *a) \
{ \
	return table_change(t, a, &t_##_table, NLM_F_CREATE | NLM_F_REPLACE); \
} \
static int t_##_set(struct tool *t, struct args *a) \
{ \
	return table_change(t, a, &t_##_table, NLM_F_REPLACE); \
} \
static int t_##_del(struct tool *t, struct args *a) \
{ \
	return table_del(t, a, &t_##_table); \
} \
static int t_##_show(struct tool *t, struct args *a) \
{ \
	return table_show(t, a, &t_##_table); \
} \
const struct command t_##_commands[] = { \
	{ "show", "list,ls,sh", t_##_show }, \
	{ "add", NULL, t_##_add }, \
	{ "replace", NULL, t_##_replace }, \
	{ "set", NULL, t_##_set }, \
	{ "del", "delete", t_##_del }, \
	__VA_ARGS__ \
	{ NULL, NULL, NULL } \
}

CHANGES(node, { "forget", NULL, node_forget },);
CHANGES(service,
	{ "register", NULL, agent_register },
	{ "deregister", NULL, agent_deregister },
	{ "drain", NULL, agent_drain },
	{ "maint", NULL, agent_maint },
	{ "ready", NULL, agent_ready },
	{ "status", NULL, agent_status },);
CHANGES(member);
