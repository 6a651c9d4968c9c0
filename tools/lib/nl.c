// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netlink/socket.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "defaults.h"
#include "nl_priv.h"

int vnm_error_set(struct vnm_error *e, int err, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return err;
	memset(e, 0, sizeof(*e));
	e->err = err;
	e->local = true;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return err;
}

void vnm_error_text(const struct vnm_error *e, char *buf, size_t size)
{
	size_t len = strlen(e->msg);
	char attr[128] = "";
	bool stop;

	/* "missing attribute: addr" needs no hint that addr is missing. */
	if (e->attr[0] && !(e->missing && strstr(e->msg, e->attr)))
		snprintf(attr, sizeof(attr), " (%sattribute \"%s\")",
			 e->missing ? "missing " : "", e->attr);
	stop = len && e->msg[len - 1] == '.';
	if (len)
		snprintf(buf, size, "%.*s%s.", (int)(len - stop), e->msg, attr);
	else
		snprintf(buf, size, "vnimesh answers: %s%s.",
			 strerror(-e->err), attr);
}

int vnm_store_add(struct store *s, const struct nlmsghdr *nh)
{
	size_t len = NLMSG_ALIGN(nh->nlmsg_len);
	size_t cap = s->cap ? s->cap : 4096;
	char *p;

	while (cap < s->len + len)
		cap *= 2;
	if (cap != s->cap) {
		p = realloc(s->data, cap);
		if (!p)
			return -ENOMEM;
		s->data = p;
		s->cap = cap;
	}
	memset(s->data + s->len, 0, len);
	memcpy(s->data + s->len, nh, nh->nlmsg_len);
	s->len += len;
	return 0;
}

void vnm_store_free(struct store *s)
{
	free(s->data);
	memset(s, 0, sizeof(*s));
}

static int set_option(struct vnm_nl *nl, int option)
{
	int one = 1;

	return setsockopt(nl->fd, SOL_NETLINK, option, &one, sizeof(one));
}

/* Notifications and questions come whenever they like, a thousand at once. FORCE
 * needs CAP_NET_ADMIN; without it take what we may have.
 */
static void enlarge(struct vnm_nl *nl)
{
	int size = VNM_NL_RCVBUF;

	if (setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

int vnm_nl_open(struct vnm_nl **out, int protocol, vnm_nl_namer namer,
		struct vnm_error *e)
{
	struct vnm_nl *nl = calloc(1, sizeof(*nl));
	int ret;

	if (!nl)
		return vnm_error_set(e, -ENOMEM, "Out of memory");
	nl->size = VNM_NL_BUFFER;
	nl->buf = malloc(nl->size);
	nl->sk = nl_socket_alloc();
	if (!nl->buf || !nl->sk) {
		ret = vnm_error_set(e, -ENOMEM, "Out of memory");
		goto fail;
	}
	errno = 0;
	if (nl_connect(nl->sk, protocol) < 0) {
		ret = errno ? -errno : -EIO;
		vnm_error_set(e, ret, "Cannot open a netlink socket: %s",
			      strerror(-ret));
		goto fail;
	}
	nl->fd = nl_socket_get_fd(nl->sk);
	nl->portid = nl_socket_get_local_port(nl->sk);
	nl->timeout_ms = VNM_NL_TIMEOUT_MS;
	nl->namer = namer;
	nl->seq = (uint32_t)time(NULL);
	enlarge(nl);
	/* Old kernels lack some of these; the answers are then only poorer. */
	set_option(nl, NETLINK_EXT_ACK);
	set_option(nl, NETLINK_CAP_ACK);
	set_option(nl, NETLINK_GET_STRICT_CHK);
	*out = nl;
	return 0;
fail:
	nl_socket_free(nl->sk);
	free(nl->buf);
	free(nl);
	return ret;
}

void vnm_nl_close(struct vnm_nl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sk);
	vnm_store_free(&nl->later);
	free(nl->buf);
	free(nl);
}

int vnm_nl_fd(const struct vnm_nl *nl)
{
	return nl->fd;
}

uint32_t vnm_nl_portid(const struct vnm_nl *nl)
{
	return nl->portid;
}

void vnm_nl_set_timeout(struct vnm_nl *nl, int ms)
{
	nl->timeout_ms = ms;
}

bool vnm_nl_backlog(const struct vnm_nl *nl)
{
	return nl->later.len > 0;
}

int vnm_nl_join(struct vnm_nl *nl, uint32_t group, struct vnm_error *e)
{
	int ret;

	if (!setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
			sizeof(group)))
		return 0;
	ret = -errno;
	return vnm_error_set(e, ret, "Cannot join the notifications: %s",
			     strerror(-ret));
}

int64_t vnm_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* One datagram into nl->buf. Returns its length, 0 for one to be ignored. */
static ssize_t recv_datagram(struct vnm_nl *nl, int flags)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { .iov_base = nl->buf, .iov_len = nl->size };
	struct msghdr mh = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t len;
	char *p;

	for (;;) {
		/* Look first: what does not fit would be cut off. */
		len = recvmsg(nl->fd, &mh, flags | MSG_PEEK | MSG_TRUNC);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		if ((size_t)len > nl->size) {
			p = realloc(nl->buf, len);
			if (!p)
				return -ENOMEM;
			nl->buf = p;
			nl->size = len;
		}
		iov.iov_base = nl->buf;
		iov.iov_len = nl->size;
		mh.msg_namelen = sizeof(from);
		len = recvmsg(nl->fd, &mh, flags);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		/* Other processes may write to us; only the kernel counts. */
		return from.nl_pid ? 0 : len;
	}
}

ssize_t vnm_nl_recv_wait(struct vnm_nl *nl, int64_t deadline)
{
	struct pollfd pfd = { .fd = nl->fd, .events = POLLIN };
	int64_t left;
	ssize_t len;
	int ret;

	for (;;) {
		left = deadline - vnm_now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		ret = poll(&pfd, 1, (int)left);
		if (ret < 0 && errno != EINTR)
			return -errno;
		if (ret <= 0)
			continue;
		len = recv_datagram(nl, MSG_DONTWAIT);
		if (len > 0 || (len < 0 && len != -EAGAIN))
			return len;
	}
}

int vnm_store_hand_out(const struct store *s, vnm_nl_cb cb, void *arg)
{
	const struct nlmsghdr *nh = (const struct nlmsghdr *)s->data;
	size_t left = s->len;
	int ret, n = 0;

	while (left) {
		ret = cb(nh, arg);
		if (ret < 0)
			return ret;
		n++;
		left -= NLMSG_ALIGN(nh->nlmsg_len);
		nh = (const struct nlmsghdr *)((const char *)nh +
					       NLMSG_ALIGN(nh->nlmsg_len));
	}
	return n;
}

int vnm_nl_recv(struct vnm_nl *nl, vnm_nl_cb cb, void *arg)
{
	struct store later = nl->later;
	const struct nlmsghdr *nh;
	int n = 0, rem, ret;
	ssize_t len;

	/* The callback may send requests on this socket, which may add more. */
	memset(&nl->later, 0, sizeof(nl->later));
	ret = vnm_store_hand_out(&later, cb, arg);
	vnm_store_free(&later);
	if (ret < 0)
		return ret;
	n += ret;
	for (;;) {
		len = recv_datagram(nl, MSG_DONTWAIT);
		if (len == -EAGAIN)
			return n;
		if (len < 0)
			return (int)len;
		nh = (const struct nlmsghdr *)nl->buf;
		rem = (int)len;
		for (; NLMSG_OK(nh, (unsigned int)rem);
		     nh = NLMSG_NEXT(nh, rem)) {
			ret = vnm_store_add(&later, nh);
			if (ret)
				return ret;
		}
		/* From a copy: a request in the callback reuses nl->buf. */
		ret = vnm_store_hand_out(&later, cb, arg);
		vnm_store_free(&later);
		if (ret < 0)
			return ret;
		n += ret;
	}
}
