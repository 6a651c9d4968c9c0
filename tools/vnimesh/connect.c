// SPDX-License-Identifier: GPL-2.0-or-later
/* vnimesh connect: a connection to a service, on stdin and stdout. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"
#include "defaults.h"
#include "resolve.h"
#include "rows.h"

struct target {
	char		tag[VNIMESH_TAG_MAX + 1];
	const char	*port_text;
	uint16_t	port;
	bool		udp;
	uint8_t		family;		/* 0: any */
	uint32_t	ifindex;
	uint32_t	timeout_ms;
	struct ip_addr	addr;
};

/* One direction of the pipe. */
struct flow {
	int	from;
	int	to;
	bool	open;
	size_t	at;
	size_t	len;
	char	buf[65536];
};

static int said(const struct target *c, const char *what, int err)
{
	char addr[IP_TEXT_MAX];

	fprintf(stderr, "Error: %s %s (%s) port %u: %s.\n", what, c->tag,
		ip_text(&c->addr, addr), c->port, strerror(err));
	return EXIT_LOCAL;
}

static bool take_args(struct args *a, struct target *c)
{
	const char *word, *text;
	int ret;

	if (!args_need_tag(a, c->tag))
		return false;
	while ((word = args_peek(a))) {
		ret = args_dev(a, &c->ifindex);
		if (ret < 0)
			return false;
		if (ret)
			continue;
		if (args_take(a, "-4")) {
			c->family = AF_INET;
		} else if (args_take(a, "-6")) {
			c->family = AF_INET6;
		} else if (args_take(a, "-u")) {
			c->udp = true;
		} else if (args_take(a, "timeout")) {
			text = args_value(a, "timeout");
			if (!text || !parse_duration(text, "timeout", 1000, 1,
						     3600000, &c->timeout_ms))
				return false;
		} else if (!c->port_text && word[0] != '-') {
			c->port_text = args_next(a);
		} else {
			return args_unknown(a);
		}
	}
	/* A number must be right at once; a name is looked up later. */
	if (c->port_text && strspn(c->port_text, "0123456789"))
		return parse_port(c->port_text, &c->port);
	return true;
}

/* The port rules of the service, which only an administrator of the mesh's
 * namespace may read.
 */
static int find_port(struct tool *t, struct target *c)
{
	struct vnm_service filter = { 0 };
	const struct vnm_service *service;
	uint8_t proto = c->udp ? IPPROTO_UDP : IPPROTO_TCP;
	const struct vnm_port *found = NULL, *p;
	unsigned int n = 0, i;
	struct vnm_error e;
	struct rows rows;
	int ret;

	VNM_SET(&filter, ifindex, VNIMESH_A_SERVICE_IFINDEX, c->ifindex);
	strcpy(filter.tag, c->tag);
	filter.present |= VNM_BIT(VNIMESH_A_SERVICE_TAG);
	ret = rows_query(t, &rows, &vnm_service_type, VNIMESH_CMD_SERVICE_GET,
			 &filter, true, &e);
	if (ret || !rows.n) {
		fputs("Error: the ports of the service cannot be read here, "
		      "give PORT as a number.\n", stderr);
		rows_free(&rows);
		return EXIT_LOCAL;
	}
	service = rows_at(&rows, 0);
	for (i = 0; i < service->ports.n; i++) {
		p = &service->ports.v[i];
		if (p->proto != proto ||
		    (c->port_text && strcmp(p->name, c->port_text)))
			continue;
		found = p;
		n++;
	}
	if (n == 1)
		c->port = found->port;
	else if (c->port_text)
		args_wrong(c->port_text, "%s has no such port", c->tag);
	else
		fprintf(stderr, "Error: %s has %u ports, PORT is required.\n",
			c->tag, n);
	rows_free(&rows);
	return n == 1 ? EXIT_OK : EXIT_LOCAL;
}

static int find_address(struct tool *t, struct target *c)
{
	struct vnm_route route = { 0 };
	bool have4, have6;
	int ret;

	ret = resolve(t, c->tag, c->family, &c->ifindex, &route);
	if (ret)
		return ret;
	have4 = VNM_HAS(&route, VNIMESH_A_ROUTE_ADDR4);
	have6 = VNM_HAS(&route, VNIMESH_A_ROUTE_ADDR6);
	vnm_record_release(&vnm_route_type, &route);
	if (have4 && c->family != AF_INET6)
		c->addr = route.address4;
	else if (have6 && c->family != AF_INET)
		c->addr = route.address6;
	if (c->addr.family)
		return EXIT_OK;
	fprintf(stderr, "Error: service \"%s\" has no %saddress.\n", c->tag,
		c->family == AF_INET ? "IPv4 " :
		c->family == AF_INET6 ? "IPv6 " : "");
	return EXIT_LOCAL;
}

static socklen_t sockaddr_of(const struct target *c, struct sockaddr_in6 *sin6)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)sin6;

	memset(sin6, 0, sizeof(*sin6));
	if (c->addr.family == AF_INET) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(c->port);
		memcpy(&sin->sin_addr, c->addr.b, 4);
		return sizeof(*sin);
	}
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(c->port);
	memcpy(&sin6->sin6_addr, c->addr.b, 16);
	return sizeof(*sin6);
}

/* A connected socket, non-blocking; or -errno. */
static int open_connection(const struct target *c)
{
	int type = (c->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC |
		   SOCK_NONBLOCK;
	int fd = socket(c->addr.family, type, 0);
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	struct sockaddr_in6 to;
	socklen_t len = sockaddr_of(c, &to);
	int err = 0, ret;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, len))
		err = errno;
	if (err == EINPROGRESS) {
		do {
			ret = poll(&pfd, 1, (int)c->timeout_ms);
		} while (ret < 0 && errno == EINTR);
		len = sizeof(err);
		if (!ret)
			err = ETIMEDOUT;
		else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
			err = errno;
	}
	if (!err)
		return fd;
	close(fd);
	return -err;
}

/* Read what there is. False: this direction broke (errno); at the end of the
 * input it is closed.
 */
static bool fill(struct flow *f)
{
	ssize_t n = read(f->from, f->buf, sizeof(f->buf));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	f->at = 0;
	f->len = (size_t)n;
	if (!n)
		f->open = false;
	return true;
}

static bool drain(struct flow *f)
{
	ssize_t n = write(f->to, f->buf + f->at, f->len - f->at);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	f->at += (size_t)n;
	if (f->at == f->len) {
		f->at = 0;
		f->len = 0;
	}
	return true;
}

/* One round of a direction. @readable, @writable: what poll() found. */
static bool advance(struct flow *f, short in, short out)
{
	if (!f->len && f->open && in && !fill(f))
		return false;
	return !f->len || !out || drain(f);
}

/* Until the other side has closed; for UDP, which never does, until it has
 * been silent for the timeout after the end of the input.
 */
static int copy(const struct target *c, int fd)
{
	static struct flow up, down;
	bool shut = false;
	int ret;

	up = (struct flow){ .from = 0, .to = fd, .open = true };
	down = (struct flow){ .from = fd, .to = 1, .open = true };
	while (down.open || down.len) {
		struct pollfd pfd[] = {
			{ up.open && !up.len ? 0 : -1, POLLIN, 0 },
			{ fd, 0, 0 },
			{ down.len ? 1 : -1, POLLOUT, 0 },
		};

		if (!down.len)
			pfd[1].events |= POLLIN;
		if (up.len)
			pfd[1].events |= POLLOUT;
		/* A hangup that is not waited for must not wake us for ever. */
		if (!pfd[1].events)
			pfd[1].fd = -1;
		ret = poll(pfd, 3, c->udp && !up.open && !up.len ?
			   (int)c->timeout_ms : -1);
		if (ret < 0 && errno != EINTR)
			return said(c, "Cannot wait for", errno);
		if (!ret)
			return EXIT_OK;
		if (ret < 0)
			continue;
		if (!advance(&down, pfd[1].revents & (POLLIN | POLLHUP | POLLERR),
			     pfd[2].revents))
			return said(c, "Connection to", errno);
		if (!advance(&up, pfd[0].revents, pfd[1].revents & POLLOUT))
			return said(c, "Connection to", errno);
		if (!up.open && !up.len && !shut && !c->udp) {
			shutdown(fd, SHUT_WR);
			shut = true;
		}
		/* An empty datagram ends nothing. */
		if (c->udp)
			down.open = true;
	}
	return EXIT_OK;
}

int connect_run(struct tool *t, struct args *a)
{
	struct target c = { .timeout_ms = t->timeout_ms ?
			    (uint32_t)t->timeout_ms : VNM_CONNECT_TIMEOUT_MS };
	int fd, ret;

	if (!take_args(a, &c))
		return EXIT_LOCAL;
	ret = find_address(t, &c);
	if (!ret && !c.port)
		ret = find_port(t, &c);
	if (ret)
		return ret;
	fd = open_connection(&c);
	if (fd < 0)
		return said(&c, "Cannot connect to", -fd);
	signal(SIGPIPE, SIG_IGN);
	ret = copy(&c, fd);
	close(fd);
	return ret;
}
