// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "report.h"

typedef void (*item_fn)(const struct report *rep, struct jobj *obj,
			void *item);

static void read_member(const struct report *rep, struct jobj *obj, void *item)
{
	struct report_member *m = item;

	m->soft.seq = rep->seq;
	m->soft.epoch = rep->epoch;
	record_read_member(obj, &m->def, &m->soft);
	if (m->soft.epoch != rep->epoch)
		jread_fail(obj, "epoch", "must be the report's own epoch");
}

static void read_removed(const struct report *rep, struct jobj *obj,
			 void *item)
{
	struct report_removed *removed = item;

	(void)rep;
	jget_tag(obj, "tag", JREQ, removed->tag);
	jget_u32(obj, "vni", JREQ, 1, UINT32_MAX, &removed->vni);
}

static void read_service(const struct report *rep, struct jobj *obj,
			 void *item)
{
	struct service_def *def = item;

	(void)rep;
	jget_tag(obj, "tag", JREQ, def->tag);
	jget_addr(obj, "address4", JOPT, AF_INET, &def->address4);
	record_read_service(obj, def);
}

/* An optional list of objects as a new array of @size bytes each. */
static void *read_list(const struct report *rep, struct jobj *root,
		       const char *key, item_fn fn, size_t size,
		       unsigned int *nr)
{
	struct jarr arr;
	struct jobj obj;
	unsigned int i;
	char *items;

	if (!jget_arr(root, key, JOPT, UINT32_MAX, &arr))
		return NULL;
	if (arr.n > NODE_MEMBERS_MAX) {
		jarr_fail(&arr, NODE_MEMBERS_MAX, "at most %u",
			  NODE_MEMBERS_MAX);
		return NULL;
	}
	items = mem_zero(arr.n, size);
	for (i = 0; i < arr.n && jarr_obj(&arr, i, &obj); i++)
		fn(rep, &obj, items + i * size);
	*nr = arr.n;
	return items;
}

static int cmp_key(const struct member_def *a, const struct member_def *b)
{
	int ret = strcmp(a->tag, b->tag);

	if (ret || a->vni == b->vni)
		return ret;
	return a->vni < b->vni ? -1 : 1;
}

static int cmp_member(const void *a, const void *b)
{
	const struct report_member *const *x = a;
	const struct report_member *const *y = b;
	int ret = cmp_key(&(*x)->def, &(*y)->def);

	/* Equal: by position, so that the later one is blamed. */
	return ret ? ret : (*x > *y) - (*x < *y);
}

/* The index of a member that repeats an earlier one, or -1. */
static int repeated(const struct report *rep)
{
	const struct report_member **sorted;
	int ret = -1;
	unsigned int i;

	sorted = mem_zero(rep->nr_members, sizeof(*sorted));
	for (i = 0; i < rep->nr_members; i++)
		sorted[i] = &rep->members[i];
	qsort(sorted, rep->nr_members, sizeof(*sorted), cmp_member);
	for (i = 1; i < rep->nr_members && ret < 0; i++)
		if (!cmp_key(&sorted[i - 1]->def, &sorted[i]->def))
			ret = sorted[i] - rep->members;
	free(sorted);
	return ret;
}

bool report_read(struct report *rep, struct jread *rd)
{
	struct jobj root;
	struct jarr arr;
	int again;

	memset(rep, 0, sizeof(*rep));
	if (!jread_root(rd, &root))
		return false;
	jget_int(&root, "epoch", JREQ, 1, JINT_MAX, &rep->epoch);
	jget_int(&root, "seq", JREQ, 0, JINT_MAX, &rep->seq);
	jget_bool(&root, "full", JOPT, &rep->full);
	rep->services = read_list(rep, &root, "services", read_service,
				  sizeof(*rep->services), &rep->nr_services);
	rep->members = read_list(rep, &root, "members", read_member,
				 sizeof(*rep->members), &rep->nr_members);
	rep->removed = read_list(rep, &root, "removed", read_removed,
				 sizeof(*rep->removed), &rep->nr_removed);
	if (!jread_ok(rd))
		return false;

	again = repeated(rep);
	if (again >= 0 &&
	    jget_arr(&root, "members", JREQ, NODE_MEMBERS_MAX, &arr))
		jarr_fail(&arr, again, "same tag and VNI as an earlier one");
	return jread_ok(rd);
}

static bool vni_owned(const struct node_def *node, uint32_t vni)
{
	return vni >= node->vni_first &&
	       vni - node->vni_first < node->vni_count;
}

static bool address_owned(const struct ip_addr *addr,
			  const struct ip_prefix *prefix)
{
	return !addr->family || ip_within(addr, prefix);
}

static bool foreign(char field[64], char text[128], const char *list,
		    unsigned int i, const char *key, const char *what)
{
	snprintf(field, 64, "%s[%u].%s", list, i, key);
	snprintf(text, 128, "%s", what);
	return false;
}

bool report_owned(const struct report *rep, const struct node_def *node,
		  char field[64], char text[128])
{
	const struct member_def *def;
	unsigned int i;

	for (i = 0; i < rep->nr_members; i++) {
		def = &rep->members[i].def;
		if (def->node && def->node != node->id)
			return foreign(field, text, "members", i, "node",
				       "another node's member");
		if (!vni_owned(node, def->vni))
			return foreign(field, text, "members", i, "vni",
				       "outside the node's range");
		if (!address_owned(&def->address4, &node->prefix4))
			return foreign(field, text, "members", i, "address4",
				       "outside the node's prefixes");
		if (!address_owned(&def->address6, &node->prefix6))
			return foreign(field, text, "members", i, "address6",
				       "outside the node's prefixes");
	}
	for (i = 0; i < rep->nr_removed; i++)
		if (!vni_owned(node, rep->removed[i].vni))
			return foreign(field, text, "removed", i, "vni",
				       "outside the node's range");
	return true;
}

void report_free(struct report *rep)
{
	free(rep->members);
	free(rep->removed);
	free(rep->services);
}
