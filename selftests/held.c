// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * held - connections that are held and wait for their end.
 *
 *   held [-n N] [-p N] ADDR PORT [ADDR PORT]...
 *	Opens N connections (1) in turn to the given ends, N (64) at a time, reads
 *	each one's greeting and prints "open N". Then it says for each that ends
 *	"NR ERRNO MS" (EOF: it was closed), MS of the wall clock, and at the end
 *	"ended N ERRNO=N... first MS last MS". With more than 64 connections only
 *	the last. A line on stdin is sent on all of them, nothing waits for the
 *	answers.
 *   held -b ADDR PORT
 *	One connection; blocks in recv(), and says the same.
 *   held -f NETNS IFINDEX NODE VNI ADDR PORT
 *	Asks ADDR by datagrams from NETNS, each from a new port, and takes node NODE
 *	of the mesh device down as soon as one was answered. Says "ack US", and
 *	"N wrong MS": how many datagrams that were sent after the acknowledgment did
 *	not go to server VNI, and when the last of them was sent.
 *   held -w NETNS IFINDEX TAG VNI ADDR PORT
 *	One connection from NETNS, blocked in recv(). Takes member VNI of TAG down,
 *	and says how many ms later recv() said ECONNRESET.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "genl.h"
#include "record.h"

#define MAX_ENDS	64
#define TELL_MAX	64	/* connections that are told one by one */

static struct end {
	struct sockaddr_storage sa;
	socklen_t len;
} ends[MAX_ENDS];
static int n_ends;

static int *fds, n_open, n_done, number = 1, parallel = 64;
static int errors[256], greeted;
static double first_ms, last_ms;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void parse(const char *addr, const char *port, struct end *end)
{
	struct sockaddr_in6 *s6 = (void *)&end->sa;
	struct sockaddr_in *s4 = (void *)&end->sa;

	if (inet_pton(AF_INET, addr, &s4->sin_addr) == 1) {
		s4->sin_family = AF_INET;
		s4->sin_port = htons((uint16_t)atoi(port));
		end->len = sizeof(*s4);
	} else if (inet_pton(AF_INET6, addr, &s6->sin6_addr) == 1) {
		s6->sin6_family = AF_INET6;
		s6->sin6_port = htons((uint16_t)atoi(port));
		end->len = sizeof(*s6);
	} else {
		fprintf(stderr, "held: no address: %s\n", addr);
		exit(2);
	}
}

static int open_socket(const struct end *end, int type)
{
	int fd = socket(end->sa.ss_family, type | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		die("socket");
	if (!(type & SOCK_DGRAM))
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&end->sa, end->len) &&
	    errno != EINPROGRESS)
		die("connect");
	return fd;
}

static const char *error_text(int err)
{
	return err ? strerrorname_np(err) : "EOF";
}

static int hold_one(void)
{
	int fd = open_socket(&ends[0], SOCK_STREAM), err;
	char buf[4096];
	ssize_t n;

	if (recv(fd, buf, sizeof(buf), 0) <= 0)
		die("greeting");
	puts("open 1");
	fflush(stdout);
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		;
	err = n ? errno : 0;
	printf("0 %s %.0f\n", error_text(err), clock_ms(CLOCK_REALTIME));
	return 0;
}

static void watch(int ep, int nr)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP };

	ev.data.u32 = (uint32_t)nr;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, nr < 0 ? 0 : fds[nr], &ev) && nr >= 0)
		die("epoll_ctl");
}

static void open_more(int ep)
{
	while (n_open < number && n_open < greeted + parallel) {
		fds[n_open] = open_socket(&ends[n_open % n_ends],
					  SOCK_STREAM | SOCK_NONBLOCK);
		watch(ep, n_open++);
	}
}

static void ended(int nr, int err)
{
	close(fds[nr]);
	fds[nr] = -1;
	errors[err & 255]++;
	last_ms = clock_ms(CLOCK_REALTIME);
	if (!n_done++)
		first_ms = last_ms;
	if (number <= TELL_MAX) {
		printf("%d %s %.0f\n", nr, error_text(err), last_ms);
		fflush(stdout);
	}
}

/* False: nothing comes any more. */
static bool say_all(void)
{
	char line[64];
	int i;

	if (!fgets(line, sizeof(line), stdin))
		return false;
	for (i = 0; i < n_open; i++)
		if (fds[i] >= 0)
			send(fds[i], line, strlen(line), MSG_NOSIGNAL);
	puts("said");
	fflush(stdout);
	return true;
}

static void event(int nr)
{
	static char greetings[1 << 20];
	char buf[4096];
	ssize_t n;

	if (fds[nr] < 0)
		return;
	n = recv(fds[nr], buf, sizeof(buf), 0);
	if (n > 0 && !greetings[nr]) {
		greetings[nr] = 1;
		if (++greeted == number) {
			printf("open %d\n", greeted);
			fflush(stdout);
		}
	}
	if (n <= 0 && errno != EAGAIN)
		ended(nr, n ? errno : 0);
}

static int hold(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), n, i;
	struct epoll_event ev[256];

	fds = calloc((size_t)number, sizeof(*fds));
	if (!fds || number > 1 << 20)
		return 2;
	watch(ep, -1);
	while (n_done < number) {
		open_more(ep);
		n = epoll_wait(ep, ev, 256, -1);
		for (i = 0; i < n; i++) {
			errno = 0;
			if (ev[i].data.u32 != (uint32_t)-1)
				event((int)ev[i].data.u32);
			else if (!say_all())
				epoll_ctl(ep, EPOLL_CTL_DEL, 0, NULL);
		}
	}
	printf("ended %d", n_done);
	for (i = 0; i < 256; i++)
		if (errors[i])
			printf(" %s=%d", error_text(i), errors[i]);
	printf(" first %.0f last %.0f\n", first_ms, last_ms);
	return 0;
}

/* The server that answered, 0: nobody in time. */
static int ask(double *sent)
{
	int fd = open_socket(&ends[0], SOCK_DGRAM);
	struct timeval tv = { 5, 0 };
	char buf[512];
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	*sent = clock_ms(CLOCK_MONOTONIC);
	send(fd, "who", 3, 0);
	n = recv(fd, buf, sizeof(buf) - 1, 0);
	close(fd);
	if (n < 0)
		return 0;
	buf[n] = '\0';
	return atoi(buf);
}

static int fail_node(struct vnm_genl *genl, char **args)
{
	struct vnm_node node = { 0 };
	int wrong = 0, want = atoi(args[2]), i;
	double start, acked, sent, last = 0;
	struct vnm_error e;
	struct nl_msg *msg;
	char text[512];

	VNM_SET(&node, ifindex, VNIMESH_A_NODE_IFINDEX,
		(uint32_t)atoi(args[0]));
	VNM_SET(&node, node, VNIMESH_A_NODE_ID, (uint32_t)atoi(args[1]));
	VNM_SET(&node, state, VNIMESH_A_NODE_STATE, VNIMESH_STATE_DOWN);
	msg = vnm_genl_msg_new(genl, VNIMESH_CMD_NODE_SET, 0);
	if (!msg || vnm_record_fill(&vnm_node_type, &node, msg))
		abort();
	if (ask(&sent) == want) {
		puts("the choice is no other before");
		return 1;
	}
	start = clock_ms(CLOCK_MONOTONIC);
	if (vnm_genl_request(genl, msg, NULL, NULL, &e)) {
		vnm_error_text(&e, text, sizeof(text));
		puts(text);
		return 1;
	}
	acked = clock_ms(CLOCK_MONOTONIC);
	for (i = 0; i < 50; i++)
		if (ask(&sent) != want) {
			wrong++;
			last = sent - acked;
		}
	printf("ack %.0f\n%d wrong %.1f\n", (acked - start) * 1e3, wrong,
	       last);
	return 0;
}

/* Says on @to when it is open, and when it was reset. */
static void wait_for_reset(int to)
{
	int fd = open_socket(&ends[0], SOCK_STREAM);
	char buf[4096];
	double ms = 0;

	if (recv(fd, buf, sizeof(buf), 0) <= 0)
		die("greeting");
	if (write(to, &ms, sizeof(ms)) != sizeof(ms))
		die("write");
	if (!recv(fd, buf, sizeof(buf), 0) || errno != ECONNRESET)
		die("recv");
	ms = clock_ms(CLOCK_MONOTONIC);
	if (write(to, &ms, sizeof(ms)) != sizeof(ms))
		die("write");
	exit(0);
}

static int wake(struct vnm_genl *genl, char **args)
{
	struct vnm_member m = { 0 };
	double start, ms;
	struct vnm_error e;
	struct nl_msg *msg;
	char text[512];
	int end[2];

	VNM_SET(&m, ifindex, VNIMESH_A_MEMBER_IFINDEX,
		(uint32_t)atoi(args[0]));
	snprintf(m.tag, sizeof(m.tag), "%s", args[1]);
	m.present |= VNM_BIT(VNIMESH_A_MEMBER_TAG);
	VNM_SET(&m, vni, VNIMESH_A_MEMBER_VNI_ID, (uint32_t)atoi(args[2]));
	VNM_SET(&m, state, VNIMESH_A_MEMBER_STATE, VNIMESH_STATE_DOWN);
	msg = vnm_genl_msg_new(genl, VNIMESH_CMD_MEMBER_SET, 0);
	if (!msg || vnm_record_fill(&vnm_member_type, &m, msg))
		abort();
	if (pipe2(end, O_CLOEXEC))
		die("pipe");
	if (!fork())
		wait_for_reset(end[1]);
	close(end[1]);
	if (read(end[0], &ms, sizeof(ms)) != sizeof(ms))
		return 1;
	/* It blocks by now; if not, the figure is no worse for it. */
	usleep(20000);
	start = clock_ms(CLOCK_MONOTONIC);
	if (vnm_genl_request(genl, msg, NULL, NULL, &e)) {
		vnm_error_text(&e, text, sizeof(text));
		puts(text);
		return 1;
	}
	if (read(end[0], &ms, sizeof(ms)) != sizeof(ms))
		return 1;
	printf("%.1f\n", ms - start);
	return 0;
}

/* The netlink socket belongs to the host, the others to the container. */
static int in_netns(const char *netns, char **args, char **end,
		    int (*run)(struct vnm_genl *genl, char **args))
{
	struct vnm_genl *genl;
	struct vnm_error e;
	char text[512];
	int fd;

	if (vnm_genl_open(&genl, &e)) {
		vnm_error_text(&e, text, sizeof(text));
		puts(text);
		return 1;
	}
	snprintf(text, sizeof(text), "/run/netns/%s", netns);
	fd = open(text, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(netns);
	parse(end[0], end[1], &ends[0]);
	return run(genl, args);
}

int main(int argc, char **argv)
{
	struct rlimit rl = { 1 << 20, 1 << 20 };
	const char *node_from = NULL, *wake_in = NULL;
	bool block = false;
	int opt;

	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &rl);
	setvbuf(stdin, NULL, _IONBF, 0);	/* for epoll */
	while ((opt = getopt(argc, argv, "+bf:n:p:w:")) != -1)
		switch (opt) {
		case 'b':
			block = true;
			break;
		case 'f':
			node_from = optarg;
			break;
		case 'n':
			number = atoi(optarg);
			break;
		case 'p':
			parallel = atoi(optarg);
			break;
		case 'w':
			wake_in = optarg;
			break;
		default:
			return 2;
		}
	argv += optind;
	if (node_from || wake_in) {
		if (argc - optind != 5)
			return 2;
		return node_from ?
		       in_netns(node_from, argv, argv + 3, fail_node) :
		       in_netns(wake_in, argv, argv + 3, wake);
	}
	for (; argv[0] && argv[1] && n_ends < MAX_ENDS; argv += 2)
		parse(argv[0], argv[1], &ends[n_ends++]);
	if (!n_ends)
		return 2;
	return block ? hold_one() : hold();
}
