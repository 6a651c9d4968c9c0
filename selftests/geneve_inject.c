// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * geneve_inject - Geneve datagrams made by hand, good and bad, with one UDP
 * datagram inside.
 *
 *   geneve_inject [-s OUTER_SRC] [-d OUTER_DST] [-m MESH] [-S SRC] [-D DST]
 *		[-q DPORT] [-P PROTO] [-V VERSION] [-o] [-c] [-O WORDS] [-C]
 *		[-x BYTES | -X MAX] [-T OUTER_TOS] [-t TOS] [-n COUNT] [-L BYTES]
 *		[-p TEXT] [-Z]
 * The outer addresses are of one family, IPv4 or IPv6; -Z no outer UDP checksum.
 * -o OAM bit, -c critical bit, -O options of that many 4-byte words, -C the option
 * type is critical; -x only the first BYTES of the datagram, -X one datagram of
 * each length from 0 to MAX; -L says a wrong inner total length.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
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

static const char *text = "injected";
static int dport = 7000, tos, bad_len = -1;

static size_t put_udp(uint8_t *p, const void *src, const void *dst, size_t alen)
{
	size_t len = sizeof(struct udphdr) + strlen(text);
	struct udphdr *uh = (void *)p;
	uint32_t s;

	uh->source = htons(40000);
	uh->dest = htons((uint16_t)dport);
	uh->len = htons((uint16_t)len);
	uh->check = 0;
	memcpy(uh + 1, text, strlen(text));
	s = sum(src, alen, sum(dst, alen, (uint32_t)(IPPROTO_UDP + len)));
	uh->check = fold(sum(p, len, s));
	return len;
}

static size_t put_ip4(uint8_t *p, const char *src, const char *dst)
{
	struct iphdr *iph = (void *)p;
	size_t len;

	memset(iph, 0, sizeof(*iph));
	iph->version = 4;
	iph->ihl = 5;
	iph->tos = (uint8_t)tos;
	iph->ttl = 64;
	iph->protocol = IPPROTO_UDP;
	inet_pton(AF_INET, src, &iph->saddr);
	inet_pton(AF_INET, dst, &iph->daddr);
	len = sizeof(*iph) + put_udp(p + sizeof(*iph), &iph->saddr,
				     &iph->daddr, 4);
	iph->tot_len = htons((uint16_t)(bad_len >= 0 ? bad_len : (int)len));
	iph->check = fold(sum(iph, sizeof(*iph), 0));
	return len;
}

static size_t put_ip6(uint8_t *p, const char *src, const char *dst)
{
	struct ip6_hdr *h = (void *)p;
	size_t len;

	memset(h, 0, sizeof(*h));
	h->ip6_flow = htonl(6U << 28 | (uint32_t)tos << 20);
	h->ip6_nxt = IPPROTO_UDP;
	h->ip6_hlim = 64;
	inet_pton(AF_INET6, src, &h->ip6_src);
	inet_pton(AF_INET6, dst, &h->ip6_dst);
	len = put_udp(p + sizeof(*h), &h->ip6_src, &h->ip6_dst, 16);
	h->ip6_plen = htons((uint16_t)(bad_len >= 0 ? bad_len : (int)len));
	return sizeof(*h) + len;
}

static socklen_t outer_addr(const char *addr, int port,
			    struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *in6 = (void *)ss;
	struct sockaddr_in *in = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (strchr(addr, ':')) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, addr, &in6->sin6_addr) == 1 ?
			sizeof(*in6) : 0;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, addr, &in->sin_addr) == 1 ? sizeof(*in) : 0;
}

/* A connected socket, or -1. */
static int open_outer(const char *src, const char *dst, int tos, bool no_sum)
{
	struct sockaddr_storage ss;
	socklen_t len = outer_addr(dst, 6081, &ss);
	bool six = ss.ss_family == AF_INET6;
	int fd = socket(ss.ss_family, SOCK_DGRAM, 0), on = no_sum;

	if (fd < 0 || !len)
		return -1;
	if (six && (setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos)) ||
		    setsockopt(fd, IPPROTO_UDP, UDP_NO_CHECK6_TX, &on, sizeof(on))))
		return -1;
	if (!six && (setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)) ||
		     setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on))))
		return -1;
	if (src) {
		struct sockaddr_storage from;

		len = outer_addr(src, 0, &from);
		if (!len || bind(fd, (struct sockaddr *)&from, len))
			return -1;
		len = outer_addr(dst, 6081, &ss);
	}
	return connect(fd, (struct sockaddr *)&ss, len) ? -1 : fd;
}

int main(int argc, char **argv)
{
	const char *osrc = NULL, *odst = "192.0.2.11";
	const char *src = "10.77.2.10", *dst = "10.77.1.10";
	int ver = 0, opts = 0, proto = -1, outer_tos = 0, cut = -1, upto = -1;
	bool oam = false, crit = false, crit_opt = false, no_sum = false;
	uint32_t mesh = 77, count = 1;
	uint8_t buf[4096], *p;
	size_t len;
	int fd, opt, i;

	while ((opt = getopt(argc, argv, "s:d:m:S:D:q:P:V:ocO:Cx:X:T:t:n:L:p:Z")) != -1)
		switch (opt) {
		case 's':
			osrc = optarg;
			break;
		case 'd':
			odst = optarg;
			break;
		case 'm':
			mesh = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'S':
			src = optarg;
			break;
		case 'D':
			dst = optarg;
			break;
		case 'q':
			dport = atoi(optarg);
			break;
		case 'P':
			proto = (int)strtol(optarg, NULL, 0);
			break;
		case 'V':
			ver = atoi(optarg);
			break;
		case 'o':
			oam = true;
			break;
		case 'c':
			crit = true;
			break;
		case 'O':
			opts = atoi(optarg);
			break;
		case 'C':
			crit_opt = true;
			break;
		case 'x':
			cut = atoi(optarg);
			break;
		case 'X':
			upto = atoi(optarg);
			break;
		case 'T':
			outer_tos = (int)strtol(optarg, NULL, 0);
			break;
		case 't':
			tos = (int)strtol(optarg, NULL, 0);
			break;
		case 'n':
			count = (uint32_t)atoi(optarg);
			break;
		case 'L':
			bad_len = atoi(optarg);
			break;
		case 'p':
			text = optarg;
			break;
		case 'Z':
			no_sum = true;
			break;
		default:
			return 2;
		}
	if (strlen(text) > 2000 || opts > 63)
		return 2;

	memset(buf, 0, sizeof(buf));
	p = buf + 8 + opts * 4;
	if (strchr(src, ':')) {
		len = put_ip6(p, src, dst);
		proto = proto < 0 ? 0x86dd : proto;
	} else {
		len = put_ip4(p, src, dst);
		proto = proto < 0 ? 0x0800 : proto;
	}
	len += 8 + (size_t)opts * 4;
	buf[0] = (uint8_t)(ver << 6 | opts);
	buf[1] = (uint8_t)(oam << 7 | crit << 6);
	buf[2] = (uint8_t)(proto >> 8);
	buf[3] = (uint8_t)proto;
	buf[4] = (uint8_t)(mesh >> 16);
	buf[5] = (uint8_t)(mesh >> 8);
	buf[6] = (uint8_t)mesh;
	if (opts) {
		buf[8] = 0x01;
		buf[9] = 0x23;	/* class */
		buf[10] = (uint8_t)(crit_opt << 7 | 1);
		buf[11] = (uint8_t)(opts - 1);
	}

	fd = open_outer(osrc, odst, outer_tos, no_sum);
	if (fd < 0) {
		perror("geneve_inject");
		return 1;
	}
	if (cut >= 0 && (size_t)cut < len)
		len = (size_t)cut;
	if (upto >= 0) {
		for (i = 0; i <= upto; i++)
			if (send(fd, buf, (size_t)i, 0) < 0)
				perror("send");
		return 0;
	}
	while (count--)
		if (send(fd, buf, len, 0) < 0)
			perror("send");
	return 0;
}
