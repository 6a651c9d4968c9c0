// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rawflood - what a container with CAP_NET_RAW can send.
 *
 *   rawflood [-n N] [-t KIND] [-S SRC[/LEN]] [-r PPS] [-p PORT] [-s SEQ] [-a ACK]
 *		[-x] DST[/LEN] [PORT]
 *
 * N packets (default 1000) to DST, IPv4. With a LEN the address is drawn at random
 * from that prefix, for each packet. KIND:
 *   syn   TCP SYN with a random source port and sequence number (the default)
 *   ack   TCP segment in mid-stream
 *   rst   refusal of a SYN from a random port, as if from PORT
 *   udp   datagram from a random port
 *   frag  first fragment of a datagram, whose rest never comes
 *   tail  a later fragment, whose first never comes
 *   synack  answer to a SYN, likewise
 *   icmp  port unreachable for a SYN from DST:PORT that was never sent
 * Of TCP: -p, the port that is random otherwise; -s, -a, the sequence and what is
 * acknowledged; -x, the checksum is wrong.
 * Says at the end "sent N failed N in MS ms".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	64
#define SIZE	128

struct prefix {
	uint32_t	addr;	/* host order */
	unsigned int	len;
};

static uint64_t state = 88172645463325252ULL;
static long long fixed_port = -1, fixed_seq = -1, fixed_ack = -1;
static int wrong_sum;

static uint32_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void usage(void)
{
	fprintf(stderr, "usage: rawflood [-n N] [-t KIND] [-S SRC[/LEN]] [-r PPS] "
		"[-p PORT] [-s SEQ] [-a ACK] [-x] DST[/LEN] [PORT]\n");
	exit(2);
}

static struct prefix parse(char *text)
{
	struct prefix p = { .len = 32 };
	struct in_addr in;
	char *slash = strchr(text, '/');

	if (slash) {
		*slash = 0;
		p.len = (unsigned int)atoi(slash + 1);
	}
	if (inet_pton(AF_INET, text, &in) != 1 || p.len > 32)
		usage();
	p.addr = ntohl(in.s_addr);
	return p;
}

static uint32_t pick(const struct prefix *p)
{
	uint32_t host = p->len ? (1ULL << (32 - p->len)) - 1 : ~0U;

	return htonl((p->addr & ~host) | (host ? draw() & host : 0) |
		     (host ? 0 : p->addr));
}

static uint32_t sum(const void *data, size_t len, uint32_t s)
{
	const uint8_t *b = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		s += (uint32_t)b[i] << 8 | b[i + 1];
	if (len & 1)
		s += (uint32_t)b[len - 1] << 8;
	return s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons((uint16_t)~s);
}

static size_t fill_tcp(struct iphdr *ip, void *at, uint16_t port,
		       const char *kind)
{
	struct tcphdr *th = at;

	memset(th, 0, sizeof(*th));
	th->source = htons((uint16_t)(fixed_port < 0 ? 1024 + draw() % 64512 :
				      fixed_port));
	th->dest = htons(port);
	th->seq = fixed_seq < 0 ? draw() : htonl((uint32_t)fixed_seq);
	th->doff = 5;
	th->window = htons(64240);
	th->syn = kind[0] == 's';
	th->ack = strcmp(kind, "syn") != 0;
	if (th->ack)
		th->ack_seq = fixed_ack < 0 ? draw() :
					      htonl((uint32_t)fixed_ack);
	th->rst = !strcmp(kind, "rst");
	if (th->rst || (th->syn && th->ack)) {
		th->dest = th->source;
		th->source = htons(port);
	}
	th->check = fold(sum(th, sizeof(*th), sum(&ip->saddr, 8,
						  IPPROTO_TCP + sizeof(*th))));
	if (wrong_sum)
		th->check ^= htons(0x0101);
	return sizeof(*th);
}

static size_t fill_udp(void *at, uint16_t port)
{
	struct udphdr *uh = at;

	memset(uh, 0, sizeof(*uh) + 8);
	uh->source = htons((uint16_t)(1024 + draw() % 64512));
	uh->dest = htons(port);
	uh->len = htons(sizeof(*uh) + 8);
	return sizeof(*uh) + 8;
}

static size_t fill_icmp(const struct iphdr *ip, void *at, uint16_t port)
{
	struct icmphdr *ih = at;
	struct iphdr *in = (struct iphdr *)(ih + 1);
	size_t len;

	memset(ih, 0, sizeof(*ih));
	ih->type = ICMP_DEST_UNREACH;
	ih->code = ICMP_PORT_UNREACH;
	*in = *ip;
	in->saddr = ip->daddr;
	in->daddr = ip->saddr;
	in->protocol = IPPROTO_TCP;
	in->tot_len = htons(sizeof(*in) + sizeof(struct tcphdr));
	in->check = 0;
	in->check = fold(sum(in, sizeof(*in), 0));
	fill_tcp(in, in + 1, port, "syn");
	len = sizeof(*ih) + sizeof(*in) + sizeof(struct tcphdr);
	ih->checksum = fold(sum(ih, len, 0));
	return len;
}

static size_t fill(uint8_t *buf, const char *kind, const struct prefix *src,
		   const struct prefix *dst, uint16_t port)
{
	struct iphdr *ip = (struct iphdr *)buf;
	void *at = ip + 1;
	size_t len;

	memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->id = (uint16_t)draw() | 1;
	ip->saddr = pick(src);
	ip->daddr = pick(dst);
	ip->protocol = IPPROTO_UDP;
	if (!strcmp(kind, "syn") || !strcmp(kind, "ack") ||
	    !strcmp(kind, "rst") || !strcmp(kind, "synack")) {
		ip->protocol = IPPROTO_TCP;
		len = fill_tcp(ip, at, port, kind);
	} else if (!strcmp(kind, "icmp")) {
		ip->protocol = IPPROTO_ICMP;
		len = fill_icmp(ip, at, port);
	} else {
		len = fill_udp(at, port);
		if (!strcmp(kind, "frag"))
			ip->frag_off = htons(0x2000);
		else if (!strcmp(kind, "tail"))
			ip->frag_off = htons(100);
		else if (strcmp(kind, "udp"))
			usage();
	}
	len += sizeof(*ip);
	ip->tot_len = htons((uint16_t)len);
	ip->check = fold(sum(ip, sizeof(*ip), 0));
	return len;
}

static void send_batch(int fd, struct mmsghdr *msgs, unsigned int n,
		       unsigned long *sent, unsigned long *failed)
{
	unsigned int done = 0;
	int ret;

	while (done < n) {
		ret = sendmmsg(fd, msgs + done, n - done, 0);
		if (ret > 0) {
			done += (unsigned int)ret;
			*sent += (unsigned long)ret;
			continue;
		}
		(*failed)++;	/* that one; an answer to an earlier one, say */
		done++;
	}
}

int main(int argc, char **argv)
{
	static struct sockaddr_in to[BATCH];
	static struct mmsghdr msgs[BATCH];
	static struct iovec iov[BATCH];
	static uint8_t buf[BATCH][SIZE];
	unsigned long n = 1000, made = 0, sent = 0, failed = 0, pps = 0;
	struct prefix src = { .len = 32 }, dst;
	const char *kind = "syn";
	uint16_t port = 7000;
	unsigned int i;
	double start;
	int fd, opt;

	while ((opt = getopt(argc, argv, "n:t:S:r:p:s:a:x")) != -1)
		switch (opt) {
		case 'n':
			n = strtoul(optarg, NULL, 0);
			break;
		case 't':
			kind = optarg;
			break;
		case 'S':
			src = parse(optarg);
			break;
		case 'p':
			fixed_port = strtoll(optarg, NULL, 0);
			break;
		case 's':
			fixed_seq = strtoll(optarg, NULL, 0);
			break;
		case 'a':
			fixed_ack = strtoll(optarg, NULL, 0);
			break;
		case 'x':
			wrong_sum = 1;
			break;
		case 'r':
			pps = strtoul(optarg, NULL, 0);
			break;
		default:
			usage();
		}
	if (optind >= argc || !src.addr)
		usage();
	dst = parse(argv[optind]);
	if (optind + 1 < argc)
		port = (uint16_t)atoi(argv[optind + 1]);
	state ^= (uint64_t)getpid() << 32;

	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0) {
		perror("rawflood: socket");
		return 1;
	}
	start = now_ms();
	while (made < n) {
		for (i = 0; i < BATCH && made < n; i++, made++) {
			iov[i].iov_base = buf[i];
			iov[i].iov_len = fill(buf[i], kind, &src, &dst, port);
			to[i].sin_family = AF_INET;
			to[i].sin_addr.s_addr = ((struct iphdr *)buf[i])->daddr;
			msgs[i].msg_hdr.msg_name = &to[i];
			msgs[i].msg_hdr.msg_namelen = sizeof(to[i]);
			msgs[i].msg_hdr.msg_iov = &iov[i];
			msgs[i].msg_hdr.msg_iovlen = 1;
		}
		send_batch(fd, msgs, i, &sent, &failed);
		while (pps && (double)made * 1e3 / (double)pps > now_ms() - start)
			usleep(1000);
	}
	printf("sent %lu failed %lu in %.0f ms\n", sent, failed,
	       now_ms() - start);
	return 0;
}
