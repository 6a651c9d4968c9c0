// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * segments - many datagrams in one call, as they are sent and as they arrive.
 *
 *   segments send SIZE N ADDR PORT
 *	N datagrams of SIZE bytes by one sendmsg() (UDP_SEGMENT). Their content
 *	follows from their place.
 *   segments recv [-1] SIZE N PORT
 *	Says "ready" on stderr, takes N such datagrams, as many in one read as the
 *	kernel has together (UDP_GRO; -1: one), and says "N datagrams in N reads from
 *	ADDR". 1: one has another content, or another size.
 */
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif
#ifndef UDP_GRO
#define UDP_GRO		104
#endif

static char data[1 << 16], got[1 << 16];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Of all of them, in order. */
static void make(size_t len)
{
	uint64_t x = 88172645463325252ULL;
	size_t i;

	for (i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		data[i] = (char)x;
	}
}

static int send_all(uint16_t size, size_t n, const char *addr, int port)
{
	struct sockaddr_in6 s6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port) };
	struct sockaddr_in s4 = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	union {
		struct cmsghdr c;
		char room[CMSG_SPACE(sizeof(size))];
	} control = { 0 };
	struct iovec iov = { data, size * n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control) };
	int fd;

	if (inet_pton(AF_INET, addr, &s4.sin_addr) == 1) {
		mh.msg_name = &s4;
		mh.msg_namelen = sizeof(s4);
	} else if (inet_pton(AF_INET6, addr, &s6.sin6_addr) == 1) {
		mh.msg_name = &s6;
		mh.msg_namelen = sizeof(s6);
	} else {
		return 2;
	}
	control.c.cmsg_level = IPPROTO_UDP;
	control.c.cmsg_type = UDP_SEGMENT;
	control.c.cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(&control.c), &size, sizeof(size));
	fd = socket(mh.msg_name == &s4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	if (sendmsg(fd, &mh, 0) != (ssize_t)iov.iov_len)
		die("sendmsg");
	return 0;
}

/* Of one read: how large each datagram was. */
static size_t size_of(struct msghdr *mh, size_t len)
{
	struct cmsghdr *c;
	int size;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&size, CMSG_DATA(c), sizeof(size));
		return (size_t)size;
	}
	return len;
}

static size_t take(int fd, struct sockaddr_in6 *from, size_t size)
{
	union {
		struct cmsghdr c;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { got, sizeof(got) };
	struct msghdr mh = { .msg_name = from, .msg_namelen = sizeof(*from),
			     .msg_iov = &iov, .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control) };
	ssize_t len = recvmsg(fd, &mh, 0);

	if (len <= 0)
		die("recvmsg");
	if (size_of(&mh, (size_t)len) != size || (size_t)len % size) {
		printf("%zd bytes in pieces of %zu\n", len,
		       size_of(&mh, (size_t)len));
		exit(1);
	}
	return (size_t)len;
}

static int recv_all(uint16_t size, size_t n, int port, int gro)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), big = 4 << 20;
	size_t at = 0, reads = 0, len;
	char text[INET6_ADDRSTRLEN];

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	if (gro && setsockopt(fd, IPPROTO_UDP, UDP_GRO, &gro, sizeof(gro)))
		die("UDP_GRO");
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("bind");
	fputs("ready\n", stderr);
	for (; at < size * n; at += len, reads++) {
		len = take(fd, &sa, size);
		if (at + len > size * n || memcmp(got, data + at, len)) {
			printf("other content at %zu\n", at);
			return 1;
		}
	}
	inet_ntop(AF_INET6, &sa.sin6_addr, text, sizeof(text));
	printf("%zu datagrams in %zu reads from %s\n", at / size, reads, text);
	return 0;
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 1 ? argv[1] : "";
	int gro = 1;
	size_t n;
	long size;

	if (argc > 2 && !strcmp(argv[2], "-1")) {
		gro = 0;
		argv++;
		argc--;
	}
	if (argc < 5)
		return 2;
	size = atol(argv[2]);
	n = (size_t)atol(argv[3]);
	if (size < 1 || size > UINT16_MAX || (size_t)size * n > sizeof(data))
		return 2;
	make((size_t)size * n);
	if (!strcmp(cmd, "send") && argc == 6)
		return send_all((uint16_t)size, n, argv[4], atoi(argv[5]));
	if (!strcmp(cmd, "recv"))
		return recv_all((uint16_t)size, n, atoi(argv[4]), gro);
	return 2;
}
