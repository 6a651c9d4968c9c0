// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peer - servers and clients of the tests, small enough for a slow guest.
 *
 *   peer serve [-n NAME] [-v] [-w MS] PORT...
 *	TCP and UDP, IPv4 and IPv6, on each PORT. Greets a connection with
 *	"NAME CLIENT-ADDRESS CLIENT-PORT PORT", then echoes; "quit" closes it.
 *	A datagram is answered by the same line with the payload behind it; with
 *	-v it is also told on stdout: "udp NAME ADDRESS PORT PORT TOS LENGTH".
 *	-w: it waits so long before it greets or answers, one after the other.
 *   peer talk [-u] [-z] [-f] [-s] [-i] [-b ADDR] [-p PORT] [-r ROUNDS] [-t MS]
 *		ADDR PORT[xN] [ADDR PORT[xN]]...
 *	Connects to each in turn, N times, and says for each "NR ANSWER MS ms" or
 *	"NR error ERRNO MS ms"; all stay open (-s: the server closes one
 *	before the next is opened). Then ROUNDS times a message there and back on
 *	all of them. -i: prints "open", then one round per line of stdin, each
 *	answered with "round ok" or "round NR ERRNO ...".
 *	-z: datagrams without checksum. -f: TCP Fast Open with a first message; sysctl
 *	tcp_fastopen 1 asks for a cookie, 5 sends it in the SYN. 0: all went well.
 *   peer burst [-u] [-n N] [-l BYTES] [-t MS] ADDR PORT
 *	N datagrams (of BYTES) from one socket, or N connects, at once. Prints how
 *	many were answered, and the errors.
 *   peer flood ADDR PORT [ADDR PORT]...
 *	Datagrams and connects without end, whatever comes back.
 *   peer send ADDR PORT <FILE / peer recv PORT >FILE
 *	One TCP stream; recv says on stderr whose it was.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNS	512

static const char *name = "peer";
static bool verbose;
static useconds_t slowness;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static const char *addr_text(const struct sockaddr_in6 *sa)
{
	static char buf[INET6_ADDRSTRLEN];

	if (IN6_IS_ADDR_V4MAPPED(&sa->sin6_addr))
		inet_ntop(AF_INET, sa->sin6_addr.s6_addr + 12, buf, sizeof(buf));
	else
		inet_ntop(AF_INET6, &sa->sin6_addr, buf, sizeof(buf));
	return buf;
}

static socklen_t parse(const char *addr, int port, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *s6 = (void *)ss;
	struct sockaddr_in *s4 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, addr, &s4->sin_addr) == 1) {
		s4->sin_family = AF_INET;
		s4->sin_port = htons(port);
		return sizeof(*s4);
	}
	if (inet_pton(AF_INET6, addr, &s6->sin6_addr) == 1) {
		s6->sin6_family = AF_INET6;
		s6->sin6_port = htons(port);
		return sizeof(*s6);
	}
	fprintf(stderr, "peer: no address: %s\n", addr);
	exit(2);
}

static int listen_on(int type, int port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), one = 1, zero = 0;
	int big = 4 << 20;

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (type == SOCK_DGRAM) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
		setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof(one));
	}
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 1024))
		die("listen");
	return fd;
}

static int tos_of(struct msghdr *mh)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
			return *CMSG_DATA(c);
		if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_TCLASS)
			return *(int *)(void *)CMSG_DATA(c);
	}
	return -1;
}

static void serve_datagram(int fd, int port)
{
	static char buf[65536], out[65536 + 256];
	char control[256];
	struct sockaddr_in6 sa;
	struct iovec iov = { buf, sizeof(buf) - 1 };
	struct msghdr mh = { .msg_name = &sa, .msg_namelen = sizeof(sa),
			     .msg_iov = &iov, .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &mh, 0);
	int len;

	if (n < 0)
		return;
	buf[n] = '\0';
	if (verbose) {
		printf("udp %s %s %d %d %d %zd\n", name, addr_text(&sa),
		       ntohs(sa.sin6_port), port, tos_of(&mh), n);
		fflush(stdout);
	}
	usleep(slowness);
	len = snprintf(out, sizeof(out), "%s %s %d %d %s", name, addr_text(&sa),
		       ntohs(sa.sin6_port), port, buf);
	sendto(fd, out, (size_t)len, 0, (struct sockaddr *)&sa, sizeof(sa));
}

static int serve_accept(int fd, int port)
{
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);
	int c = accept4(fd, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC);
	char line[256];
	int n, one = 1;

	if (c < 0)
		return -1;
	setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	usleep(slowness);
	n = snprintf(line, sizeof(line), "%s %s %d %d\n", name, addr_text(&sa),
		     ntohs(sa.sin6_port), port);
	if (send(c, line, (size_t)n, MSG_NOSIGNAL) != n) {
		close(c);
		return -1;
	}
	return c;
}

/* Events carry kind << 48 | port << 32 | descriptor. */
enum { ACCEPT, DATAGRAM, STREAM };

static void watch(int ep, int fd, int kind, int port)
{
	struct epoll_event ev = { .events = EPOLLIN };

	ev.data.u64 = (uint64_t)kind << 48 | (uint64_t)port << 32 |
		      (uint32_t)fd;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		die("epoll_ctl");
}

static void serve(char **ports)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), fd, port, c;
	struct epoll_event ev;
	static char buf[65536];
	ssize_t n;

	for (; *ports; ports++) {
		port = atoi(*ports);
		watch(ep, listen_on(SOCK_STREAM, port), ACCEPT, port);
		watch(ep, listen_on(SOCK_DGRAM, port), DATAGRAM, port);
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (epoll_wait(ep, &ev, 1, -1) < 1)
			continue;
		fd = (int)(uint32_t)ev.data.u64;
		port = (int)(ev.data.u64 >> 32 & 0xffff);
		switch (ev.data.u64 >> 48) {
		case ACCEPT:
			c = serve_accept(fd, port);
			if (c >= 0)
				watch(ep, c, STREAM, port);
			break;
		case DATAGRAM:
			serve_datagram(fd, port);
			break;
		default:
			n = recv(fd, buf, sizeof(buf), 0);
			if (n <= 0 || !strncmp(buf, "quit\n", 5) ||
			    send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
				close(fd);
		}
	}
}

static bool udp, serial, interactive, unsummed, fast;
static const char *source;
static int source_port, rounds = 1, timeout = 10000, number = 50;
static int length;

static struct conn {
	int fd;
	struct sockaddr_storage to;
	socklen_t len;
} conns[MAX_CONNS];
static int n_conns;

static int new_socket(const struct conn *c, bool nonblock)
{
	struct timeval tv = { timeout / 1000, timeout % 1000 * 1000 };
	struct sockaddr_storage from;
	socklen_t len;
	int fd, one = 1;

	fd = socket(c->to.ss_family, (udp ? SOCK_DGRAM : SOCK_STREAM) |
		    SOCK_CLOEXEC | (nonblock ? SOCK_NONBLOCK : 0), 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (unsummed)
		setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &one, sizeof(one));
	if (source || source_port) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		len = parse(source ? source : c->to.ss_family == AF_INET ?
			    "0.0.0.0" : "::", source_port, &from);
		if (bind(fd, (struct sockaddr *)&from, len))
			die("bind");
	}
	return fd;
}

/* One line, or one datagram. 0, or errno; ENODATA: the other side closed. */
static int receive(int fd, char *buf, size_t size)
{
	size_t at = 0;
	ssize_t n;

	while (at < size - 1) {
		n = recv(fd, buf + at, udp ? size - 1 : 1, 0);
		if (n < 0)
			return errno == EAGAIN ? ETIMEDOUT : errno;
		if (!n && !udp)
			return ENODATA;
		at += (size_t)n;
		if (udp || buf[at - 1] == '\n')
			break;
	}
	buf[at] = '\0';
	if (at && buf[at - 1] == '\n')
		buf[at - 1] = '\0';
	return 0;
}

static int open_conn(struct conn *c, char *answer, size_t size)
{
	double end = now_ms() + timeout;

	c->fd = new_socket(c, false);
	while (fast ? sendto(c->fd, "fast\n", 5, MSG_FASTOPEN,
			     (struct sockaddr *)&c->to, c->len) < 0 :
		      connect(c->fd, (struct sockaddr *)&c->to, c->len)) {
		/* The last ACK for the one before it may be on its way. */
		if (errno != EADDRNOTAVAIL || !serial || now_ms() > end)
			return errno == EINPROGRESS ? ETIMEDOUT : errno;
		usleep(1000);
	}
	if (udp && send(c->fd, "hello", 5, 0) < 0)
		return errno;
	return receive(c->fd, answer, size);
}

static int one_round(const struct conn *c, int nr)
{
	char buf[512], text[64];
	int len = snprintf(text, sizeof(text), "message %d of %d\n", nr,
			   (int)getpid()), err;

	if (send(c->fd, text, (size_t)len, MSG_NOSIGNAL) < 0)
		return errno;
	err = receive(c->fd, buf, sizeof(buf));
	if (err)
		return err;
	text[len - 1] = '\0';
	/* A datagram comes back behind the greeting. */
	return strstr(buf, text) ? 0 : EBADMSG;
}

static int all_round(void)
{
	static int nr;
	int i, err, failed = 0;

	nr++;
	for (i = 0; i < n_conns; i++) {
		if (conns[i].fd < 0)
			continue;
		err = one_round(&conns[i], nr);
		if (err) {
			printf("round %d %s\n", i,
			       strerrorname_np(err));
			failed++;
		}
	}
	if (!failed)
		puts("round ok");
	fflush(stdout);
	return failed;
}

static int talk_to(struct conn *c, int nr)
{
	double start = now_ms();
	char buf[512];
	int err = open_conn(c, buf, sizeof(buf));

	if (err)
		printf("%d error %s %.0f ms\n", nr, strerrorname_np(err),
		       now_ms() - start);
	else
		printf("%d %s %.0f ms\n", nr, buf, now_ms() - start);
	fflush(stdout);
	if (!err && serial && !udp) {
		/* So that TIME_WAIT is the server's. */
		if (send(c->fd, "quit\n", 5, MSG_NOSIGNAL) < 0)
			err = errno;
		else if (receive(c->fd, buf, sizeof(buf)) != ENODATA)
			err = EPROTO;
	}
	if (err || serial) {
		close(c->fd);
		c->fd = -1;
	}
	return err;
}

static int talk(char **args)
{
	int failed = 0, times, i;
	struct conn c;
	char line[64];
	char *x;

	for (; args[0] && args[1]; args += 2) {
		x = strchr(args[1], 'x');
		times = x ? atoi(x + 1) : 1;
		c.len = parse(args[0], atoi(args[1]), &c.to);
		while (times-- && n_conns < MAX_CONNS) {
			failed += !!talk_to(&c, n_conns);
			conns[n_conns++] = c;
		}
	}
	if (!serial)
		for (i = 0; i < rounds; i++)
			failed += all_round();
	if (interactive) {
		puts("open");
		fflush(stdout);
		while (fgets(line, sizeof(line), stdin))
			failed += all_round();
	}
	return failed ? 1 : 0;
}

static void show_errors(const int *errors)
{
	int i;

	for (i = 1; i < 256; i++)
		if (errors[i])
			printf(" %s=%d", strerrorname_np(i), errors[i]);
	putchar('\n');
}

static int burst_udp(struct conn *c)
{
	int fd = new_socket(c, false), answered = 0, errors[256] = { 0 }, i;
	struct timeval tv = { timeout / 1000, timeout % 1000 * 1000 };
	static char buf[65536];
	size_t len;

	if (connect(fd, (struct sockaddr *)&c->to, c->len))
		die("connect");
	memset(buf, 'x', sizeof(buf));
	for (i = 0; i < number; i++) {
		len = (size_t)snprintf(buf, sizeof(buf), "%d ", i);
		buf[len] = 'x';
		if (length > (int)len)
			len = (size_t)length;
		if (send(fd, buf, len, 0) < 0)
			errors[errno & 255]++;
	}
	while (answered < number) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		if (recv(fd, buf, sizeof(buf), 0) >= 0) {
			answered++;
			/* What is late comes soon or not at all. */
			tv.tv_sec = (timeout / 1000 + 3) / 4;
			continue;
		}
		if (errno == EAGAIN)
			break;
		errors[errno & 255]++;
	}
	printf("%d", answered);
	show_errors(errors);
	return answered == number ? 0 : 1;
}

static int burst_tcp(struct conn *c)
{
	struct pollfd pfd[MAX_CONNS];
	int errors[256] = { 0 }, answered = 0, left = number, i, err;
	double end = now_ms() + timeout;
	socklen_t len;
	char buf[512];

	for (i = 0; i < number; i++) {
		pfd[i].fd = new_socket(c, true);
		pfd[i].events = POLLIN;
		if (connect(pfd[i].fd, (struct sockaddr *)&c->to, c->len) &&
		    errno != EINPROGRESS)
			errors[errno & 255]++;
	}
	while (left && now_ms() < end) {
		if (poll(pfd, (nfds_t)number, (int)(end - now_ms()) + 1) <= 0)
			break;
		for (i = 0; i < number; i++) {
			if (pfd[i].fd < 0 || !pfd[i].revents)
				continue;
			len = sizeof(err);
			getsockopt(pfd[i].fd, SOL_SOCKET, SO_ERROR, &err, &len);
			if (!err && recv(pfd[i].fd, buf, sizeof(buf), 0) > 0)
				answered++;
			else
				errors[err & 255]++;
			close(pfd[i].fd);
			pfd[i].fd = -1;
			left--;
		}
	}
	printf("%d", answered);
	show_errors(errors);
	return answered == number ? 0 : 1;
}

static int burst(char **args)
{
	struct conn c;

	if (!args[0] || !args[1] || number > MAX_CONNS)
		return 2;
	c.len = parse(args[0], atoi(args[1]), &c.to);
	return udp ? burst_udp(&c) : burst_tcp(&c);
}

static int flood(char **args)
{
	int n = 0, i, fd, old[16] = { 0 }, at = 0, any = -1, six = -1;
	struct linger hard = { 1, 0 };
	struct timespec pause = { 0, 8000000 };
	struct conn *c;

	for (; args[0] && args[1] && n < MAX_CONNS; args += 2, n++)
		conns[n].len = parse(args[0], atoi(args[1]), &conns[n].to);
	if (!n)
		return 0;
	for (i = 0; ; i = (i + 1) % n) {
		c = &conns[i];
		udp = true;
		if (c->to.ss_family == AF_INET)
			fd = any < 0 ? any = new_socket(c, true) : any;
		else
			fd = six < 0 ? six = new_socket(c, true) : six;
		sendto(fd, "flood", 5, MSG_DONTWAIT, (struct sockaddr *)&c->to,
		       c->len);
		udp = false;
		fd = new_socket(c, true);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		connect(fd, (struct sockaddr *)&c->to, c->len);
		if (old[at])
			close(old[at]);
		old[at] = fd;
		at = (at + 1) % 16;
		nanosleep(&pause, NULL);
	}
}

static int send_file(char **args)
{
	struct conn c;
	struct stat st;
	off_t at = 0;
	char byte;

	if (!args[0] || !args[1])
		return 2;
	c.len = parse(args[0], atoi(args[1]), &c.to);
	timeout = 0;
	c.fd = new_socket(&c, false);
	if (connect(c.fd, (struct sockaddr *)&c.to, c.len))
		die("connect");
	if (fstat(0, &st))
		die("stdin");
	while (at < st.st_size)
		if (sendfile(c.fd, 0, &at, (size_t)(st.st_size - at)) <= 0)
			die("sendfile");
	shutdown(c.fd, SHUT_WR);
	/* Until it has arrived. */
	if (recv(c.fd, &byte, 1, 0) < 0)
		die("recv");
	return 0;
}

static int recv_file(char **args)
{
	static char buf[1 << 18];
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);
	int fd = listen_on(SOCK_STREAM, atoi(args[0] ? args[0] : "0")), c;
	ssize_t n;

	fputs("ready\n", stderr);
	c = accept(fd, (struct sockaddr *)&sa, &len);
	if (c < 0)
		die("accept");
	fprintf(stderr, "%s %d\n", addr_text(&sa), ntohs(sa.sin6_port));
	while ((n = recv(c, buf, sizeof(buf), 0)) > 0)
		if (write(1, buf, (size_t)n) != n)
			die("write");
	if (n < 0)
		die("recv");
	return 0;
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 1 ? argv[1] : "";
	struct rlimit rl = { 1 << 20, 1 << 20 };
	int opt;

	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &rl);
	optind = 2;
	while ((opt = getopt(argc, argv, "+uvsizfn:l:b:p:r:t:w:")) != -1)
		switch (opt) {
		case 'u':
			udp = true;
			break;
		case 'v':
			verbose = true;
			break;
		case 's':
			serial = true;
			break;
		case 'i':
			interactive = true;
			break;
		case 'z':
			unsummed = true;
			break;
		case 'f':
			fast = true;
			break;
		case 'n':
			name = optarg;
			number = atoi(optarg);
			break;
		case 'l':
			length = atoi(optarg);
			break;
		case 'b':
			source = optarg;
			break;
		case 'p':
			source_port = atoi(optarg);
			break;
		case 'r':
			rounds = atoi(optarg);
			break;
		case 't':
			timeout = atoi(optarg);
			break;
		case 'w':
			slowness = (useconds_t)atoi(optarg) * 1000;
			break;
		default:
			return 2;
		}
	argv += optind;
	if (!strcmp(cmd, "serve"))
		serve(argv);
	if (!strcmp(cmd, "talk"))
		return talk(argv);
	if (!strcmp(cmd, "burst"))
		return burst(argv);
	if (!strcmp(cmd, "flood"))
		return flood(argv);
	if (!strcmp(cmd, "send"))
		return send_file(argv);
	if (!strcmp(cmd, "recv"))
		return recv_file(argv);
	fputs("usage: see the head of peer.c\n", stderr);
	return 2;
}
