/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One netlink socket: synchronous requests with the kernel's own words on
 * refusal, dumps that are either complete or an error, and a non-blocking
 * receive for event loops. Used by genl.h (generic netlink) and rtnl.h.
 *
 * Every function returns 0 or a negative errno unless it says otherwise, and
 * fills *e when it fails (e may be NULL).
 */
#ifndef VNM_NL_H
#define VNM_NL_H

#include <linux/netlink.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What went wrong. @err is 0 or a negative errno. @msg is the extack text of
 * the kernel, or a local explanation, or empty. @attr names the attribute
 * that was wrong, or is @missing, or is empty. A request that succeeded with
 * @msg set carries a warning of the kernel.
 */
struct vnm_error {
	int	err;
	bool	local;		/* refused before the kernel saw it */
	bool	missing;
	char	msg[256];
	char	attr[96];
};

/* Set a local error and return @err. */
int vnm_error_set(struct vnm_error *e, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* One line without newline, as the tool shows it: text, full stop, attribute. */
void vnm_error_text(const struct vnm_error *e, char *buf, size_t size);

/* Names an attribute of a request for struct vnm_error. With @missing set,
 * @off is the offset of the nest that lacks attribute @type, 0: top level;
 * otherwise @off is the offset of the offending attribute.
 */
typedef void (*vnm_nl_namer)(const struct nlmsghdr *req, uint32_t off,
			     bool missing, uint32_t type, char *buf,
			     size_t size);

/* Receives one message; it is valid during the call only. A negative errno
 * ends the exchange and is returned by it.
 */
typedef int (*vnm_nl_cb)(const struct nlmsghdr *nh, void *arg);

/* Result of one message of a bulk: @idx counts from 0, @e->err 0: accepted. */
typedef void (*vnm_nl_bulk_cb)(size_t idx, const struct vnm_error *e,
			       void *arg);

struct vnm_nl;

int vnm_nl_open(struct vnm_nl **nl, int protocol, vnm_nl_namer namer,
		struct vnm_error *e);
void vnm_nl_close(struct vnm_nl *nl);
int vnm_nl_fd(const struct vnm_nl *nl);
uint32_t vnm_nl_portid(const struct vnm_nl *nl);
void vnm_nl_set_timeout(struct vnm_nl *nl, int ms);
int vnm_nl_join(struct vnm_nl *nl, uint32_t group, struct vnm_error *e);

/* The functions below own @msg and free it in every case.
 *
 * request: asks for an acknowledgment and waits for it; data that comes
 *	before it goes to @cb (may be NULL).
 * query: asks for none, and waits for one data message or an error.
 * dump: @cb sees the messages only when the whole dump arrived and was
 *	consistent; an interrupted one is repeated, at last -EAGAIN.
 */
int vnm_nl_request(struct vnm_nl *nl, struct nl_msg *msg, vnm_nl_cb cb,
		   void *arg, struct vnm_error *e);
int vnm_nl_query(struct vnm_nl *nl, struct nl_msg *msg, vnm_nl_cb cb,
		 void *arg, struct vnm_error *e);
int vnm_nl_dump(struct vnm_nl *nl, struct nl_msg *msg, vnm_nl_cb cb, void *arg,
		struct vnm_error *e);

/* Send @n messages, many to a system call, in order. Each is accepted or
 * refused by itself: @cb tells (may be NULL). Returns the number of refused
 * ones, or a negative errno when the exchange itself broke.
 */
int vnm_nl_bulk(struct vnm_nl *nl, struct nl_msg **msgs, size_t n,
		vnm_nl_bulk_cb cb, void *arg, struct vnm_error *e);

/* Handle all messages that wait, without blocking. Returns how many, or a
 * negative errno; -ENOBUFS: messages were lost, dump again (the socket stays
 * usable). Messages that came while a request waited are kept and handed out
 * here; vnm_nl_backlog() tells whether there are such, as poll() cannot.
 * Answers to requests of others on this socket (errors, acks) are handed out
 * like any message.
 */
int vnm_nl_recv(struct vnm_nl *nl, vnm_nl_cb cb, void *arg);
bool vnm_nl_backlog(const struct vnm_nl *nl);

#endif /* VNM_NL_H */
