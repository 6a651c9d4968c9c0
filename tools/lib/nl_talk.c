// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests to the kernel and its answers. */
#include <errno.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/socket.h>

#include "defaults.h"
#include "nl_priv.h"

enum mode { MODE_REQUEST, MODE_QUERY, MODE_DUMP };

struct exchange {
	struct vnm_nl		*nl;
	const struct nlmsghdr	*req;
	enum mode		mode;
	vnm_nl_cb		cb;
	void			*arg;
	struct vnm_error	*e;
	struct store		rows;	/* of a dump */
	bool			interrupted;
	bool			done;
};

/* The attributes behind an acknowledgment: what was wrong, and where. */
static void read_extack(struct exchange *x, const char *p, int len)
{
	const struct nlattr *tlv = (const struct nlattr *)p;
	uint32_t off = 0, type = 0, nest = 0;
	struct vnm_error *e = x->e;
	bool missing = false;
	int rem;

	nla_for_each_attr(tlv, (struct nlattr *)p, len, rem) {
		switch (nla_type(tlv)) {
		case NLMSGERR_ATTR_MSG:
			snprintf(e->msg, sizeof(e->msg), "%.*s", nla_len(tlv),
				 (const char *)nla_data(tlv));
			break;
		case NLMSGERR_ATTR_OFFS:
			if (nla_len(tlv) >= 4)
				off = nla_get_u32(tlv);
			break;
		case NLMSGERR_ATTR_MISS_TYPE:
			if (nla_len(tlv) >= 4)
				type = nla_get_u32(tlv);
			missing = true;
			break;
		case NLMSGERR_ATTR_MISS_NEST:
			if (nla_len(tlv) >= 4)
				nest = nla_get_u32(tlv);
			break;
		}
	}
	e->missing = missing;
	if (x->nl->namer && (missing || off))
		x->nl->namer(x->req, missing ? nest : off, missing, type,
			     e->attr, sizeof(e->attr));
}

static int take_ack(struct exchange *x, const struct nlmsghdr *nh)
{
	const struct nlmsgerr *ne = NLMSG_DATA(nh);
	size_t skip = sizeof(*ne);

	if (nh->nlmsg_len < NLMSG_LENGTH(sizeof(*ne)))
		return -EBADMSG;
	memset(x->e, 0, sizeof(*x->e));
	x->e->err = ne->error;
	if (!(nh->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(ne->msg.nlmsg_len) - NLMSG_HDRLEN;
	if ((nh->nlmsg_flags & NLM_F_ACK_TLVS) &&
	    nh->nlmsg_len > NLMSG_LENGTH(skip))
		read_extack(x, (const char *)ne + skip,
			    nh->nlmsg_len - NLMSG_LENGTH(skip));
	/* A query goes on after a mere acknowledgment: its data follow. */
	x->done = ne->error || x->mode != MODE_QUERY;
	return ne->error;
}

static int take_done(struct exchange *x, const struct nlmsghdr *nh)
{
	int err = 0;

	x->done = true;
	if (nh->nlmsg_len < NLMSG_LENGTH(sizeof(err)))
		return 0;
	memcpy(&err, NLMSG_DATA(nh), sizeof(err));
	if (err >= 0)
		return 0;
	memset(x->e, 0, sizeof(*x->e));
	x->e->err = err;
	if (nh->nlmsg_flags & NLM_F_ACK_TLVS)
		read_extack(x, (const char *)NLMSG_DATA(nh) + sizeof(err),
			    nh->nlmsg_len - NLMSG_LENGTH(sizeof(err)));
	return err;
}

static int take_message(struct exchange *x, const struct nlmsghdr *nh)
{
	struct vnm_nl *nl = x->nl;
	int ret;

	if (nh->nlmsg_seq != x->req->nlmsg_seq || nh->nlmsg_pid != nl->portid)
		return vnm_store_add(&nl->later, nh);
	if (x->mode == MODE_DUMP && (nh->nlmsg_flags & NLM_F_DUMP_INTR))
		x->interrupted = true;
	switch (nh->nlmsg_type) {
	case NLMSG_ERROR:
		return take_ack(x, nh);
	case NLMSG_DONE:
		return take_done(x, nh);
	case NLMSG_NOOP:
		return 0;
	}
	if (x->mode == MODE_DUMP)
		return vnm_store_add(&x->rows, nh);
	ret = x->cb ? x->cb(nh, x->arg) : 0;
	if (x->mode == MODE_QUERY)
		x->done = true;
	return ret;
}

static int take_datagram(struct exchange *x, ssize_t len)
{
	const struct nlmsghdr *nh = (const struct nlmsghdr *)x->nl->buf;
	int rem = (int)len, ret = 0, err;

	for (; NLMSG_OK(nh, (unsigned int)rem); nh = NLMSG_NEXT(nh, rem)) {
		err = take_message(x, nh);
		if (err && !ret)
			ret = err;
	}
	return ret;
}

static int send_all(struct vnm_nl *nl, const void *data, size_t len,
		    struct vnm_error *e)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	ssize_t ret;

	do {
		ret = sendto(nl->fd, data, len, 0, (struct sockaddr *)&to,
			     sizeof(to));
	} while (ret < 0 && errno == EINTR);
	if (ret >= 0)
		return 0;
	ret = -errno;
	return vnm_error_set(e, (int)ret, "Cannot send to the kernel: %s",
			     strerror((int)-ret));
}

static void broken(struct vnm_error *e, int err)
{
	if (err == -ETIMEDOUT)
		vnm_error_set(e, err, "The kernel did not answer in time");
	else if (err == -ENOBUFS)
		vnm_error_set(e, err, "Answers of the kernel were lost");
	else
		vnm_error_set(e, err, "Cannot receive from the kernel: %s",
			      strerror(-err));
	e->local = false;
}

static int exchange_once(struct exchange *x, struct nlmsghdr *nh)
{
	struct vnm_nl *nl = x->nl;
	int64_t deadline = vnm_now_ms() + nl->timeout_ms;
	ssize_t len;
	int ret, first = 0;

	nh->nlmsg_seq = ++nl->seq;
	nh->nlmsg_pid = nl->portid;
	x->req = nh;
	x->done = false;
	x->interrupted = false;
	x->rows.len = 0;
	ret = send_all(nl, nh, nh->nlmsg_len, x->e);
	if (ret)
		return ret;
	while (!x->done) {
		len = vnm_nl_recv_wait(nl, deadline);
		if (len < 0) {
			broken(x->e, (int)len);
			return (int)len;
		}
		ret = take_datagram(x, len);
		if (ret && !first)
			first = ret;
		/* A callback's refusal ends nothing: the ack is still due. */
	}
	if (first && !x->e->err)
		x->e->err = first;
	return first;
}

static int exchange(struct vnm_nl *nl, struct nl_msg *msg, enum mode mode,
		    vnm_nl_cb cb, void *arg, struct vnm_error *e)
{
	struct vnm_error own;
	struct exchange x = {
		.nl = nl,
		.mode = mode,
		.cb = cb,
		.arg = arg,
		.e = e ? e : &own,
	};
	struct nlmsghdr *nh = nlmsg_hdr(msg);
	int tries = 0, ret;

	memset(x.e, 0, sizeof(*x.e));
	nh->nlmsg_flags |= NLM_F_REQUEST;
	if (mode == MODE_REQUEST)
		nh->nlmsg_flags |= NLM_F_ACK;
	if (mode == MODE_DUMP)
		nh->nlmsg_flags |= NLM_F_DUMP;
	do {
		ret = exchange_once(&x, nh);
	} while (!ret && x.interrupted && ++tries < VNM_NL_DUMP_TRIES);
	if (!ret && x.interrupted)
		ret = vnm_error_set(x.e, -EAGAIN,
				    "Dump was interrupted, try again");
	if (!ret && mode == MODE_DUMP) {
		ret = vnm_store_hand_out(&x.rows, cb, arg);
		if (ret < 0)
			x.e->err = ret;
		else
			ret = 0;
	}
	vnm_store_free(&x.rows);
	nlmsg_free(msg);
	return ret;
}

int vnm_nl_request(struct vnm_nl *nl, struct nl_msg *msg, vnm_nl_cb cb,
		   void *arg, struct vnm_error *e)
{
	return exchange(nl, msg, MODE_REQUEST, cb, arg, e);
}

int vnm_nl_query(struct vnm_nl *nl, struct nl_msg *msg, vnm_nl_cb cb,
		 void *arg, struct vnm_error *e)
{
	return exchange(nl, msg, MODE_QUERY, cb, arg, e);
}

int vnm_nl_dump(struct vnm_nl *nl, struct nl_msg *msg, vnm_nl_cb cb, void *arg,
		struct vnm_error *e)
{
	return exchange(nl, msg, MODE_DUMP, cb, arg, e);
}

/* Send msgs[from..to), whose sequence numbers follow each other, and collect
 * their answers in whatever datagrams they come.
 */
static int bulk_part(struct vnm_nl *nl, struct nl_msg **msgs, size_t from,
		     size_t to, const struct store *out, vnm_nl_bulk_cb cb,
		     void *arg, struct vnm_error *e)
{
	uint32_t first = nlmsg_hdr(msgs[from])->nlmsg_seq;
	int64_t deadline = vnm_now_ms() + nl->timeout_ms;
	size_t left = to - from;
	struct vnm_error one;
	int refused = 0, rem, ret;
	struct nlmsghdr *nh;
	ssize_t len;
	size_t idx;

	ret = send_all(nl, out->data, out->len, e);
	if (ret)
		return ret;
	while (left) {
		len = vnm_nl_recv_wait(nl, deadline);
		if (len < 0) {
			broken(e, (int)len);
			return (int)len;
		}
		rem = (int)len;
		nh = (struct nlmsghdr *)nl->buf;
		for (; NLMSG_OK(nh, (unsigned int)rem);
		     nh = NLMSG_NEXT(nh, rem)) {
			struct exchange x = { .nl = nl, .e = &one };

			idx = nh->nlmsg_seq - first;
			if (nh->nlmsg_pid != nl->portid || idx >= to - from) {
				ret = vnm_store_add(&nl->later, nh);
				if (ret)
					return vnm_error_set(e, ret, "Out of memory");
				continue;
			}
			if (nh->nlmsg_type != NLMSG_ERROR)
				continue;
			x.req = nlmsg_hdr(msgs[from + idx]);
			refused += take_ack(&x, nh) != 0;
			left--;
			if (cb)
				cb(from + idx, &one, arg);
		}
	}
	return refused;
}

int vnm_nl_bulk(struct vnm_nl *nl, struct nl_msg **msgs, size_t n,
		vnm_nl_bulk_cb cb, void *arg, struct vnm_error *e)
{
	struct store out = { 0 };
	int ret = 0, refused = 0;
	struct vnm_error own;
	struct nlmsghdr *nh;
	size_t from = 0, i;

	if (!e)
		e = &own;
	memset(e, 0, sizeof(*e));
	while (from < n && ret >= 0) {
		out.len = 0;
		for (i = from; i < n && i - from < VNM_NL_BULK_MSGS; i++) {
			nh = nlmsg_hdr(msgs[i]);
			if (i > from &&
			    out.len + nh->nlmsg_len > VNM_NL_BULK_BYTES)
				break;
			nh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
			nh->nlmsg_seq = ++nl->seq;
			nh->nlmsg_pid = nl->portid;
			ret = vnm_store_add(&out, nh);
			if (ret) {
				vnm_error_set(e, ret, "Out of memory");
				goto out;
			}
		}
		ret = bulk_part(nl, msgs, from, i, &out, cb, arg, e);
		refused += ret;
		from = i;
	}
out:
	vnm_store_free(&out);
	for (i = 0; i < n; i++)
		nlmsg_free(msgs[i]);
	return ret < 0 ? ret : refused;
}

