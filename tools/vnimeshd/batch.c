// SPDX-License-Identifier: GPL-2.0-or-later
/* Row changes to the kernel in bulk. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "log.h"

#define SCRATCH_SIZE	8192

static struct nl_msg *scratch(void)
{
	struct nl_msg *msg = nlmsg_alloc_size(SCRATCH_SIZE);

	if (msg && !nlmsg_put(msg, 0, 0, 0, 0, 0)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

bool batch_init(struct batch *b, struct mesh *m, struct rows *rows)
{
	memset(b, 0, sizeof(*b));
	b->m = m;
	b->rows = rows;
	b->hard = scratch();
	b->soft = scratch();
	return b->hard && b->soft;
}

static void drop_messages(struct batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		nlmsg_free(b->msgs[i]);
	b->n = 0;
}

void batch_free(struct batch *b)
{
	drop_messages(b);
	nlmsg_free(b->hard);
	nlmsg_free(b->soft);
	free(b->msgs);
	free(b->items);
}

void batch_begin(struct batch *b, uint64_t gen)
{
	drop_messages(b);
	b->gen = gen;
	b->failed = 0;
	memset(b->newer, 0, sizeof(b->newer));
}

/* Takes @msg over, NULL included. */
static void queue(struct batch *b, struct nl_msg *msg, struct row *row,
		  enum row_op op, bool *done)
{
	size_t room = b->room ? b->room * 2 : 64;
	struct batch_item *items;
	struct nl_msg **msgs;

	if (b->n == b->room && msg) {
		msgs = realloc(b->msgs, room * sizeof(*msgs));
		if (msgs)
			b->msgs = msgs;
		items = realloc(b->items, room * sizeof(*items));
		if (items)
			b->items = items;
		if (!msgs || !items) {
			nlmsg_free(msg);
			msg = NULL;
		} else {
			b->room = room;
		}
	}
	if (!msg) {
		b->failed++;
		if (row)
			rows_result(b->rows, row, op, ROW_RETRY);
		return;
	}
	b->msgs[b->n] = msg;
	b->items[b->n++] = (struct batch_item) {
		.row = row, .op = op, .done = done,
	};
}

static uint8_t command(const struct row_key *key, bool del)
{
	switch (key->object) {
	case VNIMESH_OBJECT_NODE:
		return del ? VNIMESH_CMD_NODE_DEL : VNIMESH_CMD_NODE_SET;
	case VNIMESH_OBJECT_VNI:
		return del ? VNIMESH_CMD_VNI_DEL : VNIMESH_CMD_VNI_SET;
	case VNIMESH_OBJECT_SERVICE:
		return del ? VNIMESH_CMD_SERVICE_DEL : VNIMESH_CMD_SERVICE_SET;
	}
	return del ? VNIMESH_CMD_MEMBER_DEL : VNIMESH_CMD_MEMBER_SET;
}

/* Head of a message about @key; @loading is for services, -1: not said. */
static struct nl_msg *head(struct batch *b, const struct row_key *key,
			   bool del, int flags, int loading)
{
	struct kernel *k = b->m->kernel;
	union row_record rec;

	row_head(key, kernel_ifindex(k), del ? 0 : b->gen, &rec);
	if (loading >= 0)
		VNM_SET(&rec.service, loading, VNIMESH_A_SERVICE_LOADING,
			loading);
	return kernel_msg(k, command(key, del), flags, row_type(key->object),
			  &rec);
}

/* The attributes of a record as bytes, in the scratch message. */
static bool bytes(struct batch *b, struct nl_msg *msg,
		  const struct row_key *key, const union row_record *rec,
		  const void **data, size_t *len)
{
	struct nlmsghdr *nh = nlmsg_hdr(msg);

	nh->nlmsg_len = NLMSG_HDRLEN;
	if (!kernel_fill(b->m->kernel, command(key, false),
			 row_type(key->object), rec, msg))
		return false;
	*data = nlmsg_data(nh);
	*len = nlmsg_datalen(nh);
	return true;
}

static bool append(struct nl_msg *msg, const void *data, size_t len)
{
	/* nlmsg_append() takes no const, and copies. */
	return !len || !nlmsg_append(msg, (void *)data, len, NLMSG_ALIGNTO);
}

bool batch_want(struct batch *b, const struct row_key *key,
		const struct row_parts *parts)
{
	bool service = key->object == VNIMESH_OBJECT_SERVICE;
	int flags = NLM_F_CREATE | NLM_F_REPLACE;
	struct row_data d;
	struct nl_msg *msg;
	struct row *row;
	enum row_op op;
	bool new;

	if (!bytes(b, b->hard, key, &parts->hard, &d.hard, &d.hard_len) ||
	    !bytes(b, b->soft, key, &parts->soft, &d.soft, &d.soft_len)) {
		b->failed++;
		return false;
	}
	row = rows_want(b->rows, key, &d, &op);
	if (!row)
		return false;
	new = !row->exists;
	if (op == ROW_FIGURES)
		flags = NLM_F_REPLACE;
	msg = head(b, key, false, flags, service && new ? 1 : -1);
	if (msg && ((op != ROW_FIGURES && !append(msg, d.hard, d.hard_len)) ||
		    !append(msg, d.soft, d.soft_len))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	queue(b, msg, row, op, NULL);
	return new;
}

void batch_del(struct batch *b, struct row *row)
{
	queue(b, head(b, &row->key, true, 0, -1), row, ROW_DEL, NULL);
}

void batch_move(struct batch *b, struct row *row)
{
	queue(b, head(b, &row->key, true, 0, -1), row, ROW_MOVE, NULL);
}

void batch_loaded(struct batch *b, const struct row_key *key,
		  const struct row_parts *parts, bool *done)
{
	struct nl_msg *msg = head(b, key, false, NLM_F_REPLACE, 0);

	if (msg && !kernel_fill(b->m->kernel, command(key, false),
				row_type(key->object), &parts->soft, msg)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	queue(b, msg, NULL, ROW_FIGURES, done);
}

static const char *op_text(enum row_op op)
{
	return op == ROW_DEL || op == ROW_MOVE ? "delete" : "write";
}

static void moved(struct batch *b, const char *tag)
{
	struct service *s = facts_service(&b->m->facts, tag);

	if (s)
		s->moved = true;
}

/* The service and its members went, for it to come with another address. */
static enum row_fate ended(struct batch *b, const char *tag)
{
	struct service *s = facts_service(&b->m->facts, tag);

	rows_lost_all(b->rows, VNIMESH_OBJECT_MEMBER, tag);
	if (s)
		s->stuck = false;
	return ROW_DONE;
}

/* They stay as they were: a row in it is somebody else's. Said once. */
static enum row_fate stays(struct batch *b, const char *tag, const char *why)
{
	struct service *s = facts_service(&b->m->facts, tag);

	if (s && !s->stuck)
		log_warn("service %s keeps its former address on this host as long as a row of it is somebody else's: %s",
			 tag, why);
	if (s)
		s->stuck = true;
	return ROW_FOREIGN;
}

static enum row_fate judge(struct batch *b, const struct batch_item *it,
			   const struct vnm_error *e)
{
	const struct row_key *key = &it->row->key;
	char text[400];
	bool quiet;

	switch (e->err) {
	case 0:
		return it->op == ROW_MOVE ? ended(b, key->tag) : ROW_DONE;
	case -ESTALE:
		/* The kernel has a newer one, which keeps its run's number:
		 * a sweep would take it for left over.
		 */
		b->newer[key->object] = true;
		return ROW_DONE;
	case -ENOENT:
		if (it->op == ROW_MOVE)
			return ended(b, key->tag);
		if (it->op == ROW_DEL)
			return ROW_DONE;
		break;
	}
	vnm_error_text(e, text, sizeof(text));
	/* Something made by hand refers to it: the next full answer tries
	 * again.
	 */
	if (e->err == -EBUSY && it->op == ROW_DEL) {
		log_debug("%s %s%u stays: %s",
			  vnm_type_name(row_type(key->object)), key->tag,
			  key->id, text);
		return ROW_DONE;
	}
	if (e->err == -EPERM && strstr(e->msg, "origin")) {
		if (it->op == ROW_MOVE)
			return stays(b, key->tag, text);
		log_info("%s %s%s%u is somebody else's, left alone: %s",
			 vnm_type_name(row_type(key->object)), key->tag,
			 key->tag[0] ? " " : "", key->id, text);
		return ROW_FOREIGN;
	}
	/* Another one of the same tag: the former has to go first. */
	if (key->object == VNIMESH_OBJECT_SERVICE &&
	    strstr(e->msg, "fixed for life"))
		moved(b, key->tag);
	/* One line a batch, another row's each time. */
	quiet = b->failed++ || it->row->told || e->err == -ENODEV;
	log_line(quiet ? LOG_DEBUG : LOG_WARNING,
		 "cannot %s %s %s%s%u: %s", op_text(it->op),
		 vnm_type_name(row_type(key->object)), key->tag,
		 key->tag[0] ? " " : "", key->id, text);
	it->row->told |= !quiet;
	return ROW_RETRY;
}

static void on_result(size_t idx, const struct vnm_error *e, void *data)
{
	struct batch *b = data;
	struct batch_item *it = &b->items[idx];
	enum row_fate fate;

	if (!it->row) {
		if (!e->err && it->done)
			*it->done = true;
		else if (e->err && e->err != -EPERM)
			b->failed++;
		return;
	}
	fate = judge(b, it, e);
	rows_result(b->rows, it->row, it->op, fate);
	it->row = NULL;
}

static void sweep_object(struct batch *b, uint8_t object)
{
	struct vnm_sweep sweep = { 0 };
	struct vnm_error e = { 0 };
	struct nl_msg *msg;
	char text[400];

	VNM_SET(&sweep, ifindex, VNIMESH_A_SWEEP_IFINDEX,
		kernel_ifindex(b->m->kernel));
	VNM_SET(&sweep, origin, VNIMESH_A_SWEEP_ORIGIN, VNIMESH_ORIGIN_AGENT);
	VNM_SET(&sweep, object, VNIMESH_A_SWEEP_OBJECT, object);
	VNM_SET(&sweep, gen, VNIMESH_A_SWEEP_GEN, b->gen);
	msg = kernel_msg(b->m->kernel, VNIMESH_CMD_SWEEP, 0, &vnm_sweep_type,
			 &sweep);
	if (!msg || !vnm_genl_request(kernel_genl(b->m->kernel), msg, NULL,
				      NULL, &e))
		return;
	vnm_error_text(&e, text, sizeof(text));
	log_warn("cannot sweep the table: %s", text);
}

bool batch_send(struct batch *b, bool sweep)
{
	static const uint8_t order[] = {
		VNIMESH_OBJECT_MEMBER, VNIMESH_OBJECT_SERVICE,
		VNIMESH_OBJECT_VNI, VNIMESH_OBJECT_NODE,
	};
	struct vnm_error e = { 0 };
	char text[400];
	size_t i, n = b->n;
	int err = 0;

	if (n)
		err = vnm_genl_bulk(kernel_genl(b->m->kernel), b->msgs, n,
				    on_result, b, &e);
	/* The messages were taken over. */
	b->n = 0;
	if (err < 0) {
		vnm_error_text(&e, text, sizeof(text));
		log_err("cannot write the table: %s", text);
		b->failed++;
	}
	for (i = 0; i < n; i++) {
		if (b->items[i].row)
			rows_result(b->rows, b->items[i].row, b->items[i].op,
				    ROW_RETRY);
	}
	if (sweep && !b->failed)
		for (i = 0; i < sizeof(order); i++)
			if (!b->newer[order[i]])
				sweep_object(b, order[i]);
	return !b->failed;
}
