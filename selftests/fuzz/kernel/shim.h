/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kmod/packet.c and kmod/quote.c need of the kernel, outside of it. The
 * protocols' headers are those of the kernel's user space headers. Of a packet
 * as much is linear as was pulled, and memory behind that is not there.
 */
#ifndef FUZZ_KERNEL_SHIM_H
#define FUZZ_KERNEL_SHIM_H

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/types.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tuple.h"

/* Constants of constants, as in the kernel. */
#undef htons
#define htons(x)	((__be16)__builtin_bswap16(x))

/* Instead of the module's own, of which only the tuple is needed. */
#define _VNIMESH_FLOW_H

#define offsetofend(type, member) \
	(offsetof(type, member) + sizeof(((type *)NULL)->member))

struct sk_buff {
	unsigned char *data;	/* owned, @linear bytes */
	unsigned int linear, len;
	const unsigned char *all;
	__be16 protocol;
	u8 ip_summed;
	u16 csum_start, csum_offset;
};

#define CHECKSUM_NONE		0
#define CHECKSUM_PARTIAL	3
#define __force

static inline bool pskb_may_pull(struct sk_buff *skb, unsigned int len)
{
	unsigned char *data;

	if (len <= skb->linear)
		return true;
	if (len > skb->len)
		return false;
	/* Always moved: a pointer from before is of no use. */
	data = malloc(len);
	if (!data)
		return false;
	memcpy(data, skb->all, len);
	free(skb->data);
	skb->data = data;
	skb->linear = len;
	return true;
}

static inline const void *skb_header_pointer(const struct sk_buff *skb,
					     int at, int len, void *buf)
{
	if (at < 0 || (unsigned int)at + len > skb->len)
		return NULL;
	memcpy(buf, skb->all + at, len);
	return buf;
}

#define IP_MF		0x2000
#define IP_OFFSET	0x1fff
#define IP6_OFFSET	0xfff8
#define IP6_MF		0x0001
#define NEXTHDR_HOP	0
#define NEXTHDR_ROUTING	43
#define NEXTHDR_FRAGMENT 44
#define NEXTHDR_AUTH	51
#define NEXTHDR_NONE	59
#define NEXTHDR_DEST	60

struct frag_hdr {
	__u8 nexthdr;
	__u8 reserved;
	__be16 frag_off;
	__be32 identification;
};

static inline bool ip_is_fragment(const struct iphdr *iph)
{
	return iph->frag_off & htons(IP_MF | IP_OFFSET);
}

int ipv6_skip_exthdr(const struct sk_buff *skb, int start, u8 *proto,
		     __be16 *frag);
int ipv6_find_hdr(const struct sk_buff *skb, unsigned int *at, int target,
		  unsigned short *frag, int *flags);
bool vnimesh_ip_local_only(u8 family, const union vnimesh_ip *ip);

/* One's complement sums as RFC 1071 has them. */
typedef __u32 __wsum_t;
#define __wsum		__wsum_t
#define CSUM_MANGLED_0	((__sum16)0xffff)

static inline __wsum csum_add(__wsum a, __wsum b)
{
	a += b;
	return a + (a < b);
}

static inline __wsum csum_sub(__wsum a, __wsum b)
{
	return csum_add(a, ~b);
}

static inline __wsum csum_partial(const void *buf, int len, __wsum sum)
{
	const unsigned char *p = buf;
	__u16 word;

	for (; len > 1; len -= 2, p += 2) {
		memcpy(&word, p, 2);
		sum = csum_add(sum, word);
	}
	if (len) {
		word = 0;
		memcpy(&word, p, 1);
		sum = csum_add(sum, word);
	}
	return sum;
}

static inline __sum16 csum_fold(__wsum sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static inline __wsum csum_unfold(__sum16 sum)
{
	return sum;
}

static inline __wsum skb_checksum(const struct sk_buff *skb, int at, int len,
				  __wsum sum)
{
	/* The kernel's own has a BUG for what lies outside. */
	if (at < 0 || len < 0 || (unsigned int)at + len > skb->len)
		abort();
	return csum_partial(skb->all + at, len, sum);
}

static inline int skb_checksum_start_offset(const struct sk_buff *skb)
{
	return skb->csum_start;
}

static inline __sum16 tcp_sum(const void *src, const void *dst, int addr,
			      u32 len, __wsum sum)
{
	__be32 words[2] = { htonl(len), htonl(6) };

	sum = csum_partial(src, addr, sum);
	sum = csum_partial(dst, addr, sum);
	return csum_fold(csum_partial(words, sizeof(words), sum));
}

static inline __sum16 tcp_v4_check(u32 len, __be32 src, __be32 dst, __wsum sum)
{
	return tcp_sum(&src, &dst, sizeof(src), len, sum);
}

static inline __sum16 tcp_v6_check(u32 len, const struct in6_addr *src,
				   const struct in6_addr *dst, __wsum sum)
{
	return tcp_sum(src, dst, sizeof(*src), len, sum);
}

#endif
