// SPDX-License-Identifier: GPL-2.0-only
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>

#include "quote.h"

void vnimesh_quote_read(const void *base, struct vnimesh_quote *q)
{
	const __be16 *ports = base + q->l4;
	struct vnimesh_tuple *t = &q->tuple;

	if (t->family == AF_INET) {
		const struct iphdr *iph = base + q->ip;

		t->src.v4 = iph->saddr;
		t->dst.v4 = iph->daddr;
	} else {
		const struct ipv6hdr *ip6h = base + q->ip;

		t->src.v6 = ip6h->saddr;
		t->dst.v6 = ip6h->daddr;
	}
	t->sport = ports[0];
	t->dport = ports[1];
	/* The eight bytes of RFC 792 have it. */
	q->seq = t->proto == IPPROTO_TCP ? *(const __be32 *)(ports + 2) : 0;
}

/* The checksum of the quoted transport header, or NULL: not quoted, or the
 * sender chose none.
 */
static __sum16 *quoted_check(void *base, const struct vnimesh_quote *q)
{
	struct udphdr *uh = base + q->l4;
	struct tcphdr *th = base + q->l4;

	if (q->tuple.proto == IPPROTO_UDP)
		return uh->check ? &uh->check : NULL;
	if (q->end < q->l4 + offsetofend(struct tcphdr, check))
		return NULL;
	return &th->check;
}

static __wsum diff(__wsum delta, const void *from, const void *to, int len)
{
	return csum_add(csum_sub(delta, csum_partial(from, len, 0)),
			csum_partial(to, len, 0));
}

static void apply(__sum16 *check, __wsum delta)
{
	*check = csum_fold(csum_add(~csum_unfold(*check), delta));
}

/* Returns by how much the sum over the two addresses changed. */
static __wsum write_addrs(void *base, const struct vnimesh_quote *q,
			  const struct vnimesh_tuple *to)
{
	const struct vnimesh_tuple *t = &q->tuple;
	struct ipv6hdr *ip6h = base + q->ip;
	struct iphdr *iph = base + q->ip;
	__wsum delta;

	if (t->family == AF_INET) {
		delta = diff(0, &iph->saddr, &to->src.v4, 4);
		delta = diff(delta, &iph->daddr, &to->dst.v4, 4);
		iph->saddr = to->src.v4;
		iph->daddr = to->dst.v4;
		apply(&iph->check, delta);
		return delta;
	}
	delta = diff(0, &ip6h->saddr, &to->src.v6, 16);
	delta = diff(delta, &ip6h->daddr, &to->dst.v6, 16);
	ip6h->saddr = to->src.v6;
	ip6h->daddr = to->dst.v6;
	return delta;
}

void vnimesh_quote_write(void *base, const struct vnimesh_quote *q,
			 const struct vnimesh_tuple *to)
{
	struct icmphdr *icmp = base + q->icmp;	/* ICMPv6: the same place */
	__sum16 *check = quoted_check(base, q);
	__be16 *ports = base + q->l4;
	int len = q->end - q->ip;
	__wsum delta, before;

	/* From an even offset of the message: the ICMP header has 8 bytes. */
	before = csum_partial(base + q->ip, len, 0);
	delta = write_addrs(base, q, to);
	delta = diff(delta, &ports[0], &to->sport, 2);
	delta = diff(delta, &ports[1], &to->dport, 2);
	ports[0] = to->sport;
	ports[1] = to->dport;
	if (check) {
		apply(check, delta);
		if (!*check && q->tuple.proto == IPPROTO_UDP)
			*check = CSUM_MANGLED_0;
	}
	apply(&icmp->checksum,
	      csum_sub(csum_partial(base + q->ip, len, 0), before));
}
