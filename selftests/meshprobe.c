// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections for the tests of the whole mesh, with the times that a shell
 * cannot take.
 *
 *   meshprobe echo [-n NAME] PORT
 *	TCP and UDP, IPv4 and IPv6. A connection is greeted with "NAME CLIENT
 *	CLIENT_PORT", then echoed; a datagram is answered with that line.
 *   meshprobe connect [-u] [-l] [-t MS] ADDR PORT
 *	One blocking connect; -u: a connected datagram socket that sends and
 *	waits for the answer. Prints "MS RESULT [GREETING]", where RESULT is
 *	"ok" or the name of the error; -l reads the greeting.
 *   meshprobe until [-t MS] ADDR PORT
 *	Connects over and over until it succeeds. Prints "EPOCH_MS ATTEMPTS".
 *   meshprobe hold [-u] [-i MS] [-t MS] ADDR PORT FILE
 *	Keeps one flow open and exchanges a numbered line each -i ms until
 *	stopped. FILE always has "STATE ROUNDS LONGEST_MS LOST GREETING",
 *	STATE being "ok" or the name of the error that ended it.
 *
 *   meshprobe knock [-i MS] [-t MS] ADDR PORT FILE
 *	A new connection each -i ms, however long those before take, each
 *	until its greeting or for -t ms. FILE gets a line for each that ended:
 *	"EPOCH_MS MS RESULT [GREETING]", beginning with its start.
 *   meshprobe beat [-i MS] ADDR PORT FILE
 *	How slow this machine is, told by nothing of ours: a timer of -i ms and
 *	a datagram that an echo server answers, over and over. FILE always has
 *	the longest that three of those took, in percent of what they should.
 *
 *   meshprobe http METHOD ADDR PORT PATH [BODY]
 *	One request with a JSON body; prints the body of the answer. The exit
 *	code is 0 for a status of 2xx. (curl takes 50 times the instructions.)
 *
 * The exit code is 0 when the connection came about, else 1.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PEERS_MAX	1024
#define LINE_MAX_	256
#define KNOCKS_MAX	256

struct options {
	const char *name;
	int udp, line;
	int timeout_ms, interval_ms;
};

static int64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void nap(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

static void die(const char *what)
{
	fprintf(stderr, "meshprobe: %s: %s\n", what, strerror(errno));
	exit(2);
}

static socklen_t parse(const char *addr, const char *port,
		       struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *in = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, addr, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(atoi(port));
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, addr, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(atoi(port));
		return sizeof(*in6);
	}
	fprintf(stderr, "meshprobe: not an address: %s\n", addr);
	exit(2);
}

/* A connected socket or -1 with errno. */
static int dial(const struct options *o, const char *addr, const char *port)
{
	struct timeval tv = { o->timeout_ms / 1000,
			      o->timeout_ms % 1000 * 1000 };
	struct sockaddr_storage ss;
	socklen_t len = parse(addr, port, &ss);
	int fd, err;

	fd = socket(ss.ss_family,
		    (o->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	/* The send timeout bounds connect() too. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (!connect(fd, (struct sockaddr *)&ss, len))
		return fd;
	err = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(fd);
	errno = err;
	return -1;
}

/* One line without its end; 0 or -1 with errno. */
static int read_line(int fd, int udp, char *line, size_t size)
{
	size_t n = 0;
	ssize_t got;

	for (;;) {
		got = recv(fd, line + n, udp ? size - 1 : 1, 0);
		if (got == 0)
			errno = ECONNRESET;
		if (got <= 0)
			return -1;
		n += got;
		if (udp || line[n - 1] == '\n' || n == size - 1)
			break;
	}
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

static int run_connect(const struct options *o, char **argv)
{
	int64_t start = clock_ms(CLOCK_MONOTONIC);
	char line[LINE_MAX_] = "";
	int fd = dial(o, argv[0], argv[1]);
	int ok = fd >= 0;

	if (ok && o->udp)
		ok = send(fd, "hello\n", 6, 0) == 6;
	if (ok && (o->udp || o->line))
		ok = !read_line(fd, o->udp, line, sizeof(line));
	if (!ok && errno == EAGAIN)
		errno = ETIMEDOUT;
	printf("%lld %s %s\n",
	       (long long)(clock_ms(CLOCK_MONOTONIC) - start),
	       ok ? "ok" : strerrorname_np(errno), line);
	return !ok;
}

static int run_until(const struct options *o, char **argv)
{
	int64_t end = clock_ms(CLOCK_MONOTONIC) + o->timeout_ms;
	int attempts = 0;

	do {
		attempts++;
		if (dial(o, argv[0], argv[1]) >= 0) {
			printf("%lld %d\n",
			       (long long)clock_ms(CLOCK_REALTIME), attempts);
			return 0;
		}
		nap(2);
	} while (clock_ms(CLOCK_MONOTONIC) < end);
	printf("never %d %s\n", attempts, strerrorname_np(errno));
	return 1;
}

struct knock {
	int64_t start, start_real;
	size_t len;
	char line[LINE_MAX_];
};

struct knocks {
	FILE *file;
	nfds_t n;
	struct pollfd fds[KNOCKS_MAX];
	struct knock v[KNOCKS_MAX];
};

static void knock_start(struct knocks *k, const char *addr, const char *port)
{
	struct sockaddr_storage ss;
	socklen_t len = parse(addr, port, &ss);
	int fd;

	if (k->n == KNOCKS_MAX)
		return;
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
	if (fd < 0)
		die("socket");
	k->v[k->n].start = clock_ms(CLOCK_MONOTONIC);
	k->v[k->n].start_real = clock_ms(CLOCK_REALTIME);
	k->v[k->n].len = 0;
	/* What fails at once is told by the first read. */
	connect(fd, (struct sockaddr *)&ss, len);
	k->fds[k->n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* Whether it is over, with an error or 0 in *err. */
static int knock_over(struct knocks *k, nfds_t i, int timeout_ms, int *err)
{
	struct knock *v = &k->v[i];
	ssize_t got;

	*err = 0;
	if (k->fds[i].revents) {
		got = recv(k->fds[i].fd, v->line + v->len,
			   sizeof(v->line) - 1 - v->len, 0);
		if (got > 0) {
			v->len += got;
			return v->line[v->len - 1] == '\n';
		}
		*err = got ? errno : ECONNRESET;
		return !got || (errno != EAGAIN && errno != EINTR);
	}
	*err = ETIMEDOUT;
	return clock_ms(CLOCK_MONOTONIC) - v->start >= timeout_ms;
}

static void knock_end(struct knocks *k, nfds_t i, int err)
{
	struct knock *v = &k->v[i];

	v->line[v->len] = '\0';
	v->line[strcspn(v->line, "\n")] = '\0';
	fprintf(k->file, "%lld %lld %s %s\n", (long long)v->start_real,
		(long long)(clock_ms(CLOCK_MONOTONIC) - v->start),
		err ? strerrorname_np(err) : "ok", v->line);
	fflush(k->file);
	close(k->fds[i].fd);
	k->n--;
	k->v[i] = k->v[k->n];
	k->fds[i] = k->fds[k->n];
}

static int run_knock(const struct options *o, char **argv)
{
	int64_t due = clock_ms(CLOCK_MONOTONIC), now;
	static struct knocks k;
	nfds_t i;
	int err;

	k.file = fopen(argv[2], "ae");
	if (!k.file)
		die(argv[2]);
	for (;;) {
		now = clock_ms(CLOCK_MONOTONIC);
		if (now >= due) {
			knock_start(&k, argv[0], argv[1]);
			due = now + o->interval_ms;
		}
		if (poll(k.fds, k.n, due - now > 0 ? due - now : 0) < 0)
			die("poll");
		for (i = k.n; i-- > 0;)
			if (knock_over(&k, i, o->timeout_ms, &err))
				knock_end(&k, i, err);
	}
	return 0;
}

static int run_beat(const struct options *o, char **argv)
{
	int64_t took[3] = { 0 }, worst = 0, start, sum;
	char line[LINE_MAX_];
	struct options udp = *o;
	int fd, file, n, i, due;

	udp.udp = 1;
	due = 3 * o->interval_ms;
	fd = dial(&udp, argv[0], argv[1]);
	file = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || file < 0)
		die(argv[2]);
	for (i = 0;; i++) {
		start = clock_ms(CLOCK_MONOTONIC);
		nap(o->interval_ms);
		if (send(fd, "beat\n", 5, 0) != 5 ||
		    read_line(fd, 1, line, sizeof(line)))
			die("beat");
		took[i % 3] = clock_ms(CLOCK_MONOTONIC) - start;
		sum = took[0] + took[1] + took[2];
		if (i >= 2 && sum > worst)
			worst = sum;
		n = snprintf(line, sizeof(line), "%-8lld\n",
			     (long long)((worst * 100 + due - 1) / due));
		if (pwrite(file, line, n, 0) < 0)
			die("write");
	}
	return 0;
}

struct hold {
	int file;
	const char *state;
	long rounds, lost;
	int64_t longest;
	char greeting[LINE_MAX_];
};

static void hold_show(const struct hold *h)
{
	char line[2 * LINE_MAX_];
	int n = snprintf(line, sizeof(line), "%s %ld %lld %ld %s", h->state,
			 h->rounds, (long long)h->longest, h->lost,
			 h->greeting);

	/* Readers see old or new, blanks at the end do not matter to them. */
	memset(line + n, ' ', sizeof(line) - 1 - n);
	line[sizeof(line) - 1] = '\n';
	if (pwrite(h->file, line, sizeof(line), 0) < 0)
		die("write");
}

/* 0, or -1 with errno. Datagrams may be lost, and are counted. */
static int hold_round(const struct options *o, struct hold *h, int fd)
{
	int64_t start = clock_ms(CLOCK_MONOTONIC);
	char out[32], in[LINE_MAX_];
	int n = snprintf(out, sizeof(out), "%ld\n", h->rounds);

	if (send(fd, out, n, MSG_NOSIGNAL) != n)
		return -1;
	if (read_line(fd, o->udp, in, sizeof(in))) {
		if (!o->udp || (errno != EAGAIN && errno != EWOULDBLOCK))
			return -1;
		h->lost++;
	} else if (o->udp) {
		strcpy(h->greeting, in);
	} else if (atol(in) != h->rounds) {
		errno = EBADMSG;
		return -1;
	}
	h->rounds++;
	start = clock_ms(CLOCK_MONOTONIC) - start;
	if (start > h->longest)
		h->longest = start;
	return 0;
}

static int run_hold(const struct options *o, char **argv)
{
	struct hold h = { .state = "ok" };
	int fd;

	h.file = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (h.file < 0)
		die(argv[2]);
	fd = dial(o, argv[0], argv[1]);
	if (fd >= 0 &&
	    (o->udp || !read_line(fd, 0, h.greeting, sizeof(h.greeting)))) {
		while (!hold_round(o, &h, fd)) {
			hold_show(&h);
			nap(o->interval_ms);
		}
	}
	h.state = strerrorname_np(errno == EAGAIN ? ETIMEDOUT : errno);
	hold_show(&h);
	return 1;
}

static int run_http(const struct options *o, char **argv)
{
	const char *body = argv[4] ? argv[4] : "", *p;
	static char buf[1 << 22];
	size_t n = 0;
	ssize_t got;
	int fd, len;

	fd = dial(o, argv[1], argv[2]);
	if (fd < 0)
		die("connect");
	len = snprintf(buf, sizeof(buf),
		       "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
		       "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		       argv[0], argv[3], argv[1], strlen(body), body);
	if (send(fd, buf, len, MSG_NOSIGNAL) != len)
		die("send");
	while (n < sizeof(buf) - 1 &&
	       (got = recv(fd, buf + n, sizeof(buf) - 1 - n, 0)) > 0)
		n += got;
	buf[n] = '\0';
	p = strstr(buf, "\r\n\r\n");
	if (!p || strncmp(buf, "HTTP/1.", 7)) {
		fputs("meshprobe: no HTTP answer\n", stderr);
		return 2;
	}
	puts(p + 4);
	return buf[9] != '2';
}

static int greeting(const struct options *o, const struct sockaddr_in6 *peer,
		    char *line, size_t size)
{
	char addr[INET6_ADDRSTRLEN];
	const char *text = addr;

	inet_ntop(AF_INET6, &peer->sin6_addr, addr, sizeof(addr));
	if (IN6_IS_ADDR_V4MAPPED(&peer->sin6_addr))
		text += strlen("::ffff:");
	return snprintf(line, size, "%s %s %u\n", o->name, text,
			ntohs(peer->sin6_port));
}

static int serve(int type, const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6,
				    .sin6_port = htons(atoi(port)) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), on = 1, off = 0;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
	    (type == SOCK_STREAM && listen(fd, 128)))
		die("listen");
	return fd;
}

static int run_echo(const struct options *o, char **argv)
{
	static struct pollfd p[PEERS_MAX + 2];
	char buf[65536];
	struct sockaddr_in6 peer;
	socklen_t len;
	nfds_t n = 2, i;
	ssize_t got;

	p[0].fd = serve(SOCK_STREAM, argv[0]);
	p[1].fd = serve(SOCK_DGRAM, argv[0]);
	p[0].events = POLLIN;
	p[1].events = POLLIN;
	for (;;) {
		if (poll(p, n, -1) < 0)
			die("poll");
		len = sizeof(peer);
		if (p[1].revents &&
		    recvfrom(p[1].fd, buf, sizeof(buf), 0,
			     (struct sockaddr *)&peer, &len) >= 0) {
			got = greeting(o, &peer, buf, sizeof(buf));
			sendto(p[1].fd, buf, got, 0, (struct sockaddr *)&peer,
			       len);
		}
		for (i = 2; i < n; i++) {
			if (!p[i].revents)
				continue;
			got = recv(p[i].fd, buf, sizeof(buf), 0);
			if (got > 0 &&
			    send(p[i].fd, buf, got, MSG_NOSIGNAL) == got)
				continue;
			close(p[i].fd);
			p[i--] = p[--n];
		}
		if (p[0].revents && n < PEERS_MAX + 2) {
			len = sizeof(peer);
			p[n].fd = accept(p[0].fd, (struct sockaddr *)&peer,
					 &len);
			if (p[n].fd < 0)
				continue;
			got = greeting(o, &peer, buf, sizeof(buf));
			send(p[n].fd, buf, got, MSG_NOSIGNAL);
			p[n].events = POLLIN;
			p[n++].revents = 0;
		}
	}
	return 0;
}

static int usage(void)
{
	fputs("usage: meshprobe echo [-n NAME] PORT\n"
	      "       meshprobe connect [-u] [-l] [-t MS] ADDR PORT\n"
	      "       meshprobe until [-t MS] ADDR PORT\n"
	      "       meshprobe hold [-u] [-i MS] [-t MS] ADDR PORT FILE\n"
	      "       meshprobe knock [-i MS] [-t MS] ADDR PORT FILE\n"
	      "       meshprobe beat [-i MS] ADDR PORT FILE\n"
	      "       meshprobe http [-t MS] METHOD ADDR PORT PATH [BODY]\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct options o = { .name = "echo", .timeout_ms = 10000,
			     .interval_ms = 50 };
	static const struct {
		const char *name;
		int args;
		int (*run)(const struct options *o, char **argv);
	} modes[] = {
		{ "echo", 1, run_echo },
		{ "connect", 2, run_connect },
		{ "until", 2, run_until },
		{ "hold", 3, run_hold },
		{ "knock", 3, run_knock },
		{ "beat", 3, run_beat },
		{ "http", 4, run_http },
		{ "http", 5, run_http },
	};
	const char *mode = argc > 1 ? argv[1] : "";
	size_t i;
	int opt;

	argc--;
	argv++;
	while ((opt = getopt(argc, argv, "n:ult:i:")) != -1) {
		switch (opt) {
		case 'n':
			o.name = optarg;
			break;
		case 'u':
			o.udp = 1;
			break;
		case 'l':
			o.line = 1;
			break;
		case 't':
			o.timeout_ms = atoi(optarg);
			break;
		case 'i':
			o.interval_ms = atoi(optarg);
			break;
		default:
			return usage();
		}
	}
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(mode, modes[i].name) &&
		    argc - optind == modes[i].args)
			return modes[i].run(&o, argv + optind);
	return usage();
}
