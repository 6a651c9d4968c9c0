// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fragsend - UDP datagrams in fragments made by hand.
 *
 *   fragsend [-l BYTES] [-f BYTES] [-o LIST] [-n COUNT] [-i ID] [-s] [-x]
 *		SRC SPORT DST DPORT
 * A datagram of -l bytes (4000) in pieces of -f bytes (1400; a multiple of 8), sent
 * in the order of -o, a list of piece numbers ("2,1,0"; all in order); -n such
 * datagrams with ids from -i on. -s: each piece after the first starts 8 bytes too
 * early. -x: IPv6, a destination option behind the fragment header.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t length = 4000, piece = 1400;
static bool overlap, option;
static const char *order;
static unsigned int id = 1000;
static uint8_t body[65536];
static size_t body_len;
static struct sockaddr_in src4, dst4;
static struct sockaddr_in6 src6, dst6;
static int fd, family;

static uint32_t sum(const void *data, size_t len, uint32_t s)
{
	const uint8_t *p = data;
	size_t i;

	for (i = 0; i < len; i++)
		s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons((uint16_t)~s);
}

/* What is cut into pieces: a UDP datagram, maybe behind an option. */
static void make_body(int sport, int dport)
{
	size_t at = option ? 8 : 0, len = sizeof(struct udphdr) + length;
	struct udphdr *uh = (void *)(body + at);
	uint32_t s = (uint32_t)(IPPROTO_UDP + len);

	if (option) {
		body[0] = IPPROTO_UDP;
		body[2] = 1;	/* PadN */
		body[3] = 4;
	}
	memset(uh, 'x', len);
	uh->source = htons((uint16_t)sport);
	uh->dest = htons((uint16_t)dport);
	uh->len = htons((uint16_t)len);
	uh->check = 0;
	s = family == AF_INET ?
		sum(&src4.sin_addr, 4, sum(&dst4.sin_addr, 4, s)) :
		sum(&src6.sin6_addr, 16, sum(&dst6.sin6_addr, 16, s));
	uh->check = fold(sum(uh, len, s));
	body_len = at + len;
}

static void send_piece(size_t nr)
{
	size_t from = nr * piece, len, hlen;
	static uint8_t p[65536];
	ssize_t n;
	bool more;

	if (from >= body_len)
		return;
	len = body_len - from < piece ? body_len - from : piece;
	more = from + len < body_len;
	if (overlap && nr) {
		from -= 8;
		len += 8;
	}
	memset(p, 0, 64);
	if (family == AF_INET) {
		struct iphdr *iph = (void *)p;

		hlen = sizeof(*iph);
		iph->version = 4;
		iph->ihl = 5;
		iph->tot_len = htons((uint16_t)(hlen + len));
		iph->id = htons((uint16_t)id);
		iph->frag_off = htons((uint16_t)(from / 8 | (more ? 0x2000 : 0)));
		iph->ttl = 64;
		iph->protocol = IPPROTO_UDP;
		iph->saddr = src4.sin_addr.s_addr;
		iph->daddr = dst4.sin_addr.s_addr;
	} else {
		struct ip6_hdr *ip6h = (void *)p;
		struct ip6_frag *fh = (void *)(ip6h + 1);

		hlen = sizeof(*ip6h) + sizeof(*fh);
		ip6h->ip6_vfc = 0x60;
		ip6h->ip6_plen = htons((uint16_t)(sizeof(*fh) + len));
		ip6h->ip6_nxt = IPPROTO_FRAGMENT;
		ip6h->ip6_hlim = 64;
		ip6h->ip6_src = src6.sin6_addr;
		ip6h->ip6_dst = dst6.sin6_addr;
		fh->ip6f_nxt = option ? IPPROTO_DSTOPTS : IPPROTO_UDP;
		fh->ip6f_offlg = htons((uint16_t)(from | (more ? 1 : 0)));
		fh->ip6f_ident = htonl(id);
	}
	memcpy(p + hlen, body + from, len);
	n = family == AF_INET ?
		sendto(fd, p, hlen + len, 0, (void *)&dst4, sizeof(dst4)) :
		sendto(fd, p, hlen + len, 0, (void *)&dst6, sizeof(dst6));
	if (n < 0)
		perror("sendto");
}

static void send_all(void)
{
	const char *o = order;
	size_t i;

	if (!o) {
		for (i = 0; i * piece < body_len; i++)
			send_piece(i);
		return;
	}
	for (; o; o = strchr(o, ',') ? strchr(o, ',') + 1 : NULL)
		send_piece((size_t)atoi(o));
}

int main(int argc, char **argv)
{
	int opt, count = 1;

	while ((opt = getopt(argc, argv, "l:f:o:n:i:sx")) != -1)
		switch (opt) {
		case 'l':
			length = (size_t)atoi(optarg);
			break;
		case 'f':
			piece = (size_t)atoi(optarg);
			break;
		case 'o':
			order = optarg;
			break;
		case 'n':
			count = atoi(optarg);
			break;
		case 'i':
			id = (unsigned int)atoi(optarg);
			break;
		case 's':
			overlap = true;
			break;
		case 'x':
			option = true;
			break;
		default:
			return 2;
		}
	argv += optind;
	if (argc - optind != 4 || length > 60000)
		return 2;
	family = strchr(argv[0], ':') ? AF_INET6 : AF_INET;
	src4.sin_family = AF_INET;
	dst4.sin_family = AF_INET;
	src6.sin6_family = AF_INET6;
	dst6.sin6_family = AF_INET6;
	if (inet_pton(family, argv[0], family == AF_INET ?
		      (void *)&src4.sin_addr : (void *)&src6.sin6_addr) != 1 ||
	    inet_pton(family, argv[2], family == AF_INET ?
		      (void *)&dst4.sin_addr : (void *)&dst6.sin6_addr) != 1)
		return 2;
	make_body(atoi(argv[1]), atoi(argv[3]));
	fd = socket(family, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0) {
		perror("socket");
		return 1;
	}
	for (; count--; id++)
		send_all();
	return 0;
}
