// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * icmperr - who is told what by ICMP errors, and errors made by hand.
 *
 *   icmperr ask [-p PORT] [-l BYTES] [-t MS] ADDR PORT
 *	One datagram (of BYTES, must not be fragmented) from a connected socket that
 *	reads its error queue. Prints one of
 *	"answer TEXT", "nothing",
 *	"ERRNO type T code C from OFFENDER to ADDR PORT mtu N read ERRNO".
 *   icmperr late [-t MS] PORT
 *	A server that answers one datagram only when it has SIGUSR1, that is when
 *	the client has closed its socket; prints "ready", "got ADDR PORT", then as
 *	ask does.
 *   icmperr tcp [-t MS] ADDR PORT
 *	Connects, prints "open"; for each line of stdin a message there and back:
 *	"soft ERRNO" whenever the kernel reports an error that does not end the
 *	connection, then "back", "closed", "failed ERRNO", or "none" after MS.
 * They wait 10 s, or MS.
 *   icmperr forge [-T TYPE] [-C CODE] [-m MTU] [-l BYTES] [-x] [-f OFFSET]
 *		[-n COUNT] [-s SEQ] DST PROTO SRC SPORT DST DPORT
 *	Sends an error to the first DST about the packet behind it, of which BYTES
 *	after the IP header are quoted (8). -x: behind an IPv6 extension header;
 *	-f: a fragment at that offset (in 8 bytes); -s: the quoted TCP sequence.
 *	PROTO is tcp, udp or icmp: an echo reply, if the first port's upper byte is
 *	its type.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int timeout = 10000, source_port, length = -1, type = -1, code, mtu;
static int offset, count = 1;
static bool extended;
static uint32_t seq;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static socklen_t parse(const char *addr, int port, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *s6 = (void *)ss;
	struct sockaddr_in *s4 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, addr, &s4->sin_addr) == 1) {
		s4->sin_family = AF_INET;
		s4->sin_port = htons((uint16_t)port);
		return sizeof(*s4);
	}
	if (inet_pton(AF_INET6, addr, &s6->sin6_addr) != 1) {
		fprintf(stderr, "icmperr: no address: %s\n", addr);
		exit(2);
	}
	s6->sin6_family = AF_INET6;
	s6->sin6_port = htons((uint16_t)port);
	return sizeof(*s6);
}

static const char *text(const void *sa, char *buf)
{
	const struct sockaddr_in6 *s6 = sa;
	const struct sockaddr_in *s4 = sa;

	if (s4->sin_family == AF_INET)
		inet_ntop(AF_INET, &s4->sin_addr, buf, INET6_ADDRSTRLEN);
	else if (s6->sin6_family == AF_INET6 &&
		 IN6_IS_ADDR_V4MAPPED(&s6->sin6_addr))
		inet_ntop(AF_INET, s6->sin6_addr.s6_addr + 12, buf,
			  INET6_ADDRSTRLEN);
	else if (s6->sin6_family == AF_INET6)
		inet_ntop(AF_INET6, &s6->sin6_addr, buf, INET6_ADDRSTRLEN);
	else
		strcpy(buf, "-");
	return buf;
}

static void want_errors(int fd, int family)
{
	int one = 1;

	if (family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
}

static const struct sock_extended_err *find_error(struct msghdr *mh)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c))
		if ((c->cmsg_level == IPPROTO_IP &&
		     c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 &&
		     c->cmsg_type == IPV6_RECVERR))
			return (const void *)CMSG_DATA(c);
	return NULL;
}

/*
 * What a read says about it: the error itself comes a moment after its description,
 * on the processor that received it.
 */
static int read_error(int fd)
{
	char buf[2048];
	int tries;

	for (tries = 0; tries < 1000; tries++) {
		if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EAGAIN)
			break;
		usleep(1000);
	}
	return errno;
}

/* What is in the error queue, and what a read says before that. */
static int tell_error(int fd)
{
	char buf[2048], control[512], a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
	struct sockaddr_storage to = { 0 };
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr mh = { .msg_name = &to, .msg_namelen = sizeof(to),
			     .msg_iov = &iov, .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control) };
	const struct sock_extended_err *ee;
	int err = read_error(fd);

	if (recvmsg(fd, &mh, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		die("no error in the queue");
	ee = find_error(&mh);
	if (!ee) {
		puts("an error without a description");
		return 1;
	}
	printf("%s type %d code %d from %s to %s %d mtu %u read %s\n",
	       strerrorname_np((int)ee->ee_errno), ee->ee_type, ee->ee_code,
	       text(SO_EE_OFFENDER(ee), a), text(&to, b),
	       ntohs(((struct sockaddr_in *)&to)->sin_port), ee->ee_info,
	       err ? strerrorname_np(err) : "0");
	return 0;
}

static int wait_answer(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char buf[2048];
	ssize_t n;

	if (poll(&pfd, 1, timeout) < 1) {
		puts("nothing");
		return 1;
	}
	if (pfd.revents & POLLERR)
		return tell_error(fd);
	n = recv(fd, buf, sizeof(buf) - 1, 0);
	if (n < 0)
		die("recv");
	buf[n] = '\0';
	printf("answer %s\n", buf);
	return 0;
}

static int ask(char **args)
{
	static char buf[65536] = "hello";
	int fd, err, pmtu = IP_PMTUDISC_DO;
	struct sockaddr_storage to, from;
	socklen_t len;

	if (!args[0] || !args[1])
		return 2;
	len = parse(args[0], atoi(args[1]), &to);
	fd = socket(to.ss_family, SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	want_errors(fd, to.ss_family);
	if (length >= 0 && to.ss_family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &pmtu, sizeof(pmtu));
	if (length >= 0 && to.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &pmtu,
			   sizeof(pmtu));
	if (source_port) {
		parse(to.ss_family == AF_INET ? "0.0.0.0" : "::", source_port,
		      &from);
		if (bind(fd, (struct sockaddr *)&from, len))
			die("bind");
	}
	if (connect(fd, (struct sockaddr *)&to, len))
		die("connect");
	if (send(fd, buf, length >= 0 ? (size_t)length : 5, 0) < 0) {
		err = errno;
		printf("send %s\n", strerrorname_np(err));
		fflush(stdout);
	}
	return wait_answer(fd);
}

static int late(char **args)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };
	char buf[2048], a[INET6_ADDRSTRLEN];
	socklen_t len = sizeof(sa);
	sigset_t usr1;
	int fd, sig;

	if (!args[0])
		return 2;
	/* It may come before the datagram does. */
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	sa.sin6_port = htons((uint16_t)atoi(args[0]));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("bind");
	want_errors(fd, AF_INET);
	want_errors(fd, AF_INET6);
	puts("ready");
	fflush(stdout);
	if (recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&sa, &len) < 0)
		die("recvfrom");
	printf("got %s %d\n", text(&sa, a), ntohs(sa.sin6_port));
	fflush(stdout);
	sigwait(&usr1, &sig);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("connect");
	send(fd, "late", 4, 0);
	return wait_answer(fd);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* TCP gives up sending long after it was told; the error waits in the socket. */
static void tell_soft(int fd)
{
	socklen_t len;
	int err = 0;

	len = sizeof(err);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (!err)
		return;
	printf("soft %s\n", strerrorname_np(err));
	fflush(stdout);
}

static void wait_back(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	double end = now_ms() + timeout;
	char buf[512];
	ssize_t n;

	do {
		/* A soft error wakes nobody. */
		if (poll(&pfd, 1, 20) < 1) {
			tell_soft(fd);
			continue;
		}
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0)
			puts("back");
		else if (!n)
			puts("closed");
		else
			printf("failed %s\n", strerrorname_np(errno));
		return;
	} while (now_ms() < end);
	puts("none");
}

static int tcp(char **args)
{
	struct sockaddr_storage to;
	char buf[512], line[64];
	socklen_t len;
	int fd;

	if (!args[0] || !args[1])
		return 2;
	len = parse(args[0], atoi(args[1]), &to);
	fd = socket(to.ss_family, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&to, len)) {
		printf("connect %s\n", strerrorname_np(errno));
		return 1;
	}
	if (recv(fd, buf, sizeof(buf), 0) <= 0)	/* the greeting */
		die("recv");
	puts("open");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
			die("send");
		wait_back(fd);
		fflush(stdout);
	}
	return 0;
}

static uint16_t sum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t s = 0;
	size_t i;

	for (i = 0; i < len; i++)
		s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons((uint16_t)~s);
}

static size_t quote4(uint8_t *p, int proto, const struct sockaddr_storage *src,
		     const struct sockaddr_storage *dst)
{
	struct iphdr *iph = (void *)p;

	iph->version = 4;
	iph->ihl = 5;
	iph->tot_len = htons(100);
	iph->id = htons(4711);
	iph->frag_off = htons((uint16_t)offset);
	iph->ttl = 60;
	iph->protocol = (uint8_t)proto;
	iph->saddr = ((const struct sockaddr_in *)src)->sin_addr.s_addr;
	iph->daddr = ((const struct sockaddr_in *)dst)->sin_addr.s_addr;
	iph->check = sum(iph, sizeof(*iph));
	return sizeof(*iph);
}

static size_t quote6(uint8_t *p, int proto, const struct sockaddr_storage *src,
		     const struct sockaddr_storage *dst)
{
	struct ip6_hdr *ip6h = (void *)p;
	size_t at = sizeof(*ip6h);

	ip6h->ip6_vfc = 0x60;
	ip6h->ip6_plen = htons(100);
	ip6h->ip6_hlim = 60;
	ip6h->ip6_nxt = (uint8_t)proto;
	ip6h->ip6_src = ((const struct sockaddr_in6 *)src)->sin6_addr;
	ip6h->ip6_dst = ((const struct sockaddr_in6 *)dst)->sin6_addr;
	if (extended) {		/* destination options: PadN */
		ip6h->ip6_nxt = 60;
		p[at] = offset ? 44 : (uint8_t)proto;
		p[at + 2] = 1;
		p[at + 3] = 4;
		at += 8;
	}
	if (offset) {
		if (!extended)
			ip6h->ip6_nxt = 44;
		p[at] = (uint8_t)proto;
		p[at + 2] = (uint8_t)(offset >> 5);
		p[at + 3] = (uint8_t)(offset << 3);
		at += 8;
	}
	return at;
}

static int forge(char **args)
{
	struct sockaddr_storage dst, esrc, edst;
	uint8_t p[2048] = { 0 };
	int fd, proto, i;
	socklen_t len;
	size_t at = 8;
	bool v4;

	for (i = 0; i < 6; i++)
		if (!args[i])
			return 2;
	len = parse(args[0], 0, &dst);
	parse(args[2], 0, &esrc);
	parse(args[4], 0, &edst);
	v4 = dst.ss_family == AF_INET;
	proto = !strcmp(args[1], "tcp") ? IPPROTO_TCP :
		strcmp(args[1], "icmp") ? IPPROTO_UDP :
		v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	p[0] = (uint8_t)(type >= 0 ? type : v4 ? ICMP_DEST_UNREACH :
						 ICMP6_DST_UNREACH);
	p[1] = (uint8_t)code;
	p[6] = (uint8_t)(mtu >> 8);
	p[7] = (uint8_t)mtu;
	at += v4 ? quote4(p + at, proto, &esrc, &edst) :
		   quote6(p + at, proto, &esrc, &edst);
	p[at] = (uint8_t)(atoi(args[3]) >> 8);
	p[at + 1] = (uint8_t)atoi(args[3]);
	p[at + 2] = (uint8_t)(atoi(args[5]) >> 8);
	p[at + 3] = (uint8_t)atoi(args[5]);
	p[at + 5] = 80;		/* UDP: length */
	p[at + 6] = 0x12;	/* ... and some checksum */
	if (seq) {
		uint32_t be = htonl(seq);

		memcpy(p + at + 4, &be, 4);
	}
	at += (size_t)(length >= 0 ? length : 8);
	if (v4) {
		uint16_t check = sum(p, at);

		memcpy(p + 2, &check, 2);
	}
	fd = socket(dst.ss_family, SOCK_RAW, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (fd < 0)
		die("socket");
	while (count--)
		if (sendto(fd, p, at, 0, (struct sockaddr *)&dst, len) < 0)
			die("sendto");
	return 0;
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 1 ? argv[1] : "";
	int opt;

	optind = 2;
	while ((opt = getopt(argc, argv, "+p:l:t:T:C:m:f:n:s:x")) != -1)
		switch (opt) {
		case 'p':
			source_port = atoi(optarg);
			break;
		case 'l':
			length = atoi(optarg);
			break;
		case 't':
			timeout = atoi(optarg);
			break;
		case 'T':
			type = atoi(optarg);
			break;
		case 'C':
			code = atoi(optarg);
			break;
		case 'm':
			mtu = atoi(optarg);
			break;
		case 'f':
			offset = atoi(optarg);
			break;
		case 'n':
			count = atoi(optarg);
			break;
		case 's':
			seq = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'x':
			extended = true;
			break;
		default:
			return 2;
		}
	argv += optind;
	if (!strcmp(cmd, "ask"))
		return ask(argv);
	if (!strcmp(cmd, "late"))
		return late(argv);
	if (!strcmp(cmd, "tcp"))
		return tcp(argv);
	if (!strcmp(cmd, "forge"))
		return forge(argv);
	fputs("usage: see the head of icmperr.c\n", stderr);
	return 2;
}
