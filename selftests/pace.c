// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a packet costs: the time from sending it until it is taken from the
 * receiving socket, for an established UDP flow, on one processor.
 *
 *	pace [-u] [-v] [-n PACKETS] [-r ROUNDS] [-l BYTES] [-p NAME] \
 *	     NAME,CLIENT,SERVER,ADDR[,PORT]...
 *
 * Each path is a client socket in the network namespace CLIENT, a server socket on
 * every address of the namespace SERVER at PORT (7000), and the address that the
 * client sends to; the first path is what the others are compared with. One thread
 * holds both ends and sends and takes a batch in turn, so no switch of processes
 * is measured: the module pump does it in the kernel; -u: by system calls. Only
 * what arrived counts. The paths take turns, a round of PACKETS each, because the
 * machine's speed changes while it is watched. BYTES is the size of the IPv4 packet.
 *
 * Prints a line per path: name, median, lowest, quartiles (ns per packet), ratio
 * of medians to the first path, ratio of the lowest, packets lost. With -v every
 * round too; -p: only the path of that name.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH		64
#define PATHS_MAX	16
#define ROUNDS_MAX	10000
#define IP_UDP		(20 + 8)
#define BYTES_MAX	1400

struct path {
	const char *name;
	int client;
	int server;
	uint64_t lost;
	double ns[ROUNDS_MAX];	/* per packet, by round */
};

static struct path paths[PATHS_MAX];
static unsigned int packets = 10000, rounds = 50, bytes = 100;
static int verbose, by_calls, pump_fd = -1;

static struct mmsghdr out[BATCH], in[BATCH];
static struct iovec out_iov, in_iov[BATCH];
static char out_buf[BYTES_MAX], in_buf[BATCH][BYTES_MAX];

static void enter(const char *ns)
{
	char name[256];
	int fd;

	snprintf(name, sizeof(name), "/run/netns/%s", ns);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", name);
	close(fd);
}

static int udp_socket(void)
{
	int size = 4 << 20, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static void open_path(struct path *p, char *spec)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	char *client, *server, *dst, *port;

	p->name = strtok(spec, ",");
	client = strtok(NULL, ",");
	server = strtok(NULL, ",");
	dst = strtok(NULL, ",");
	port = strtok(NULL, ",");
	if (!p->name || !client || !server || !dst)
		errx(2, "a path is NAME,CLIENT,SERVER,ADDR[,PORT]");
	addr.sin_port = htons(port ? atoi(port) : 7000);
	enter(server);
	p->server = udp_socket();
	if (bind(p->server, (void *)&addr, sizeof(addr)))
		err(1, "%s: bind", p->name);
	if (inet_pton(AF_INET, dst, &addr.sin_addr) != 1)
		errx(2, "%s: no address", dst);
	enter(client);
	p->client = udp_socket();
	if (connect(p->client, (void *)&addr, sizeof(addr)))
		err(1, "%s: connect", p->name);
}

/* There and back, so that every table on the way knows the flow as one that is
 * replied to. The first packets may be lost while neighbours are found.
 */
static void establish(struct path *p)
{
	struct pollfd there = { .fd = p->server, .events = POLLIN };
	struct pollfd back = { .fd = p->client, .events = POLLIN };
	struct sockaddr_in from;
	socklen_t len;
	int i, good = 0;

	for (i = 0; i < 50 && good < 3; i++) {
		len = sizeof(from);
		if (send(p->client, out_buf, bytes - IP_UDP, 0) < 0 &&
		    errno != ECONNREFUSED)
			err(1, "%s: send", p->name);
		if (poll(&there, 1, 200) != 1)
			continue;
		if (recvfrom(p->server, in_buf[0], BYTES_MAX, 0, (void *)&from,
			     &len) < 0)
			err(1, "%s: recvfrom", p->name);
		if (sendto(p->server, out_buf, bytes - IP_UDP, 0, (void *)&from,
			   len) < 0)
			err(1, "%s: reply", p->name);
		if (poll(&back, 1, 200) == 1 &&
		    recv(p->client, in_buf[0], BYTES_MAX, 0) > 0)
			good++;
	}
	if (good < 3)
		errx(1, "%s: no packet comes through", p->name);
	/* What came late. */
	usleep(50000);
	while (recv(p->server, in_buf[0], BYTES_MAX, MSG_DONTWAIT) >= 0)
		;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static uint64_t by_pump(struct path *p, uint64_t *arrived)
{
	unsigned long long ns, n;
	char line[64] = "";
	int len;

	len = snprintf(line, sizeof(line), "%d %d %u %u", p->client, p->server,
		       packets, bytes - IP_UDP);
	if (pwrite(pump_fd, line, len, 0) != len ||
	    pread(pump_fd, line, sizeof(line) - 1, 0) < 0 ||
	    sscanf(line, "%llu %llu", &ns, &n) != 2)
		err(1, "%s: /proc/pump", p->name);
	*arrived = n;
	return ns;
}

static uint64_t by_syscalls(struct path *p, uint64_t *arrived)
{
	uint64_t start = now(), left = packets;
	int n;

	*arrived = 0;
	while (left) {
		n = sendmmsg(p->client, out, left < BATCH ? left : BATCH, 0);
		if (n <= 0)
			err(1, "%s: sendmmsg", p->name);
		left -= n;
		n = recvmmsg(p->server, in, BATCH, MSG_DONTWAIT, NULL);
		if (n > 0)
			*arrived += n;
	}
	while ((n = recvmmsg(p->server, in, BATCH, MSG_DONTWAIT, NULL)) > 0)
		*arrived += n;
	return now() - start;
}

static double run(struct path *p)
{
	uint64_t arrived, took;

	took = by_calls ? by_syscalls(p, &arrived) : by_pump(p, &arrived);
	p->lost += packets - arrived;
	if (!arrived)
		errx(1, "%s: nothing arrives any more", p->name);
	return (double)took / arrived;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void prepare(void)
{
	int i;

	memset(out_buf, 'v', sizeof(out_buf));
	out_iov.iov_base = out_buf;
	out_iov.iov_len = bytes - IP_UDP;
	for (i = 0; i < BATCH; i++) {
		out[i].msg_hdr.msg_iov = &out_iov;
		out[i].msg_hdr.msg_iovlen = 1;
		in_iov[i].iov_base = in_buf[i];
		in_iov[i].iov_len = BYTES_MAX;
		in[i].msg_hdr.msg_iov = &in_iov[i];
		in[i].msg_hdr.msg_iovlen = 1;
	}
}

int main(int argc, char **argv)
{
	unsigned int r;
	int opt, i, n;
	const char *only = NULL;
	double first = 0, least = 0;

	while ((opt = getopt(argc, argv, "n:r:l:p:uv")) != -1) {
		switch (opt) {
		case 'n':
			packets = atoi(optarg);
			break;
		case 'r':
			rounds = atoi(optarg);
			break;
		case 'l':
			bytes = atoi(optarg);
			break;
		case 'p':
			only = optarg;
			break;
		case 'u':
			by_calls = 1;
			break;
		case 'v':
			verbose = 1;
			break;
		default:
			return 2;
		}
	}
	n = argc - optind;
	if (n < 1 || n > PATHS_MAX || !packets || !rounds ||
	    rounds > ROUNDS_MAX || bytes < IP_UDP || bytes > BYTES_MAX)
		errx(2,
		     "usage: pace [-u] [-v] [-n PACKETS] [-r ROUNDS] [-l BYTES] [-p NAME] PATH...");
	if (!by_calls) {
		pump_fd = open("/proc/pump", O_RDWR | O_CLOEXEC);
		if (pump_fd < 0)
			err(1, "/proc/pump");
	}
	prepare();
	for (i = 0; i < n; i++) {
		struct path *p = &paths[i];

		open_path(p, argv[optind + i]);
		if (only && strcmp(only, p->name)) {
			close(p->client);
			close(p->server);
			i--, n--, optind++;
			continue;
		}
		establish(p);
	}
	if (!n)
		errx(2, "no path is named %s", only);
	for (i = 0; i < n; i++)	/* caches, branch predictors */
		run(&paths[i]);
	for (i = 0; i < n; i++)
		paths[i].lost = 0;
	for (r = 0; r < rounds; r++)
		for (i = 0; i < n; i++) {
			/* Who goes first changes, too. */
			struct path *p = &paths[(i + r) % n];

			p->ns[r] = run(p);
			if (verbose)
				printf("# %u %s %.0f\n", r, p->name, p->ns[r]);
		}
	for (i = 0; i < n; i++) {
		struct path *p = &paths[i];

		qsort(p->ns, rounds, sizeof(p->ns[0]), by_value);
		if (!i) {
			first = p->ns[rounds / 2];
			least = p->ns[0];
		}
		printf("%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.3f\t%.3f\t%llu\n",
		       p->name, p->ns[rounds / 2], p->ns[0], p->ns[rounds / 4],
		       p->ns[rounds * 3 / 4], p->ns[rounds / 2] / first,
		       p->ns[0] / least, (unsigned long long)p->lost);
	}
	return 0;
}
