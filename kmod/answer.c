// SPDX-License-Identifier: GPL-2.0-only
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/random.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#include "answer.h"
#include "icmp.h"
#include "route.h"

#define ICMP4_MAX	576	/* RFC 1812, 4.3.2.3 */

struct error {
	u8 type4;
	u8 code4;
	u8 type6;
	u8 code6;
	u32 mtu;
};

void vnimesh_answer_init(struct vnimesh_mesh *mesh)
{
	mesh->answers.seed = get_random_u32();
}

bool vnimesh_answer_take(u32 *paid, u32 now)
{
	const u32 price = MSEC_PER_SEC / VNIMESH_ANSWER_RATE;
	const u32 credit = VNIMESH_ANSWER_BURST * price;
	u32 old = READ_ONCE(*paid), ahead;

	do {
		ahead = old - now;
		/* More is never owed: it was paid long ago. */
		if (ahead > credit)
			ahead = 0;
		if (ahead + price > credit)
			return false;
	} while (!try_cmpxchg(paid, &old, now + ahead + price));
	return true;
}

static bool may_answer(struct vnimesh_mesh *mesh,
		       const struct vnimesh_packet *pkt)
{
	struct vnimesh_answers *a = &mesh->answers;
	u32 hash = jhash(&pkt->tuple.src, sizeof(pkt->tuple.src), a->seed);

	if (vnimesh_answer_take(&a->paid[hash % VNIMESH_ANSWER_BUCKETS],
				jiffies_to_msecs(jiffies)))
		return true;
	vnimesh_count(mesh, VNIMESH_A_STATS_ICMP_LIMITED);
	return false;
}

static void push4(struct sk_buff *skb, const struct error *e, __be32 src,
		  __be32 dst)
{
	struct icmphdr *icmp = skb_push(skb, sizeof(*icmp));
	struct iphdr *iph;

	memset(icmp, 0, sizeof(*icmp));
	icmp->type = e->type4;
	icmp->code = e->code4;
	icmp->un.frag.mtu = htons(min_t(u32, e->mtu, U16_MAX));
	icmp->checksum = csum_fold(csum_partial(icmp, skb->len, 0));

	iph = skb_push(skb, sizeof(*iph));
	memset(iph, 0, sizeof(*iph));
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tos = 0xc0;	/* RFC 1812, 4.3.2.5 */
	iph->tot_len = htons(skb->len);
	iph->frag_off = htons(IP_DF);
	iph->ttl = 64;
	iph->protocol = IPPROTO_ICMP;
	iph->saddr = src;
	iph->daddr = dst;
	ip_send_check(iph);
}

static void push6(struct sk_buff *skb, const struct error *e,
		  const struct in6_addr *src, const struct in6_addr *dst)
{
	struct icmp6hdr *icmp = skb_push(skb, sizeof(*icmp));
	struct ipv6hdr *ip6h;

	memset(icmp, 0, sizeof(*icmp));
	icmp->icmp6_type = e->type6;
	icmp->icmp6_code = e->code6;
	icmp->icmp6_mtu = htonl(e->mtu);
	icmp->icmp6_cksum = csum_ipv6_magic(src, dst, skb->len, IPPROTO_ICMPV6,
					    csum_partial(icmp, skb->len, 0));

	ip6h = skb_push(skb, sizeof(*ip6h));
	memset(ip6h, 0, sizeof(*ip6h));
	ip6h->version = 6;
	ip6h->payload_len = htons(skb->len - sizeof(*ip6h));
	ip6h->nexthdr = IPPROTO_ICMPV6;
	ip6h->hop_limit = 64;
	ip6h->saddr = *src;
	ip6h->daddr = *dst;
}

static void answer(struct vnimesh_mesh *mesh, struct sk_buff *orig,
		   const struct vnimesh_packet *pkt, const struct error *e)
{
	struct vnimesh_dev *own = netdev_priv(mesh->dev);
	bool v4 = pkt->tuple.family == AF_INET;
	const union vnimesh_ip *src;
	unsigned int hlen, len;
	struct sk_buff *skb;

	/* RFC 1122, 3.2.2: not about errors, nor about later fragments. */
	if (pkt->later || vnimesh_icmp_is_error(orig, pkt) ||
	    !netif_running(mesh->dev))
		return;
	src = vnimesh_vni_ip(own->vni, pkt->tuple.family);
	if (!src || !may_answer(mesh, pkt))
		return;
	hlen = v4 ? sizeof(struct iphdr) + sizeof(struct icmphdr) :
		    sizeof(struct ipv6hdr) + sizeof(struct icmp6hdr);
	len = min_t(unsigned int, orig->len,
		    (v4 ? ICMP4_MAX : IPV6_MIN_MTU) - hlen);
	skb = alloc_skb(mesh->dev->needed_headroom + hlen + len,
			GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return;
	skb_reserve(skb, mesh->dev->needed_headroom + hlen);
	if (skb_copy_bits(orig, 0, skb_put(skb, len), len)) {
		kfree_skb(skb);
		return;
	}
	if (v4)
		push4(skb, e, src->v4, pkt->tuple.src.v4);
	else
		push6(skb, e, &src->v6, &pkt->tuple.src.v6);
	skb->protocol = v4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	skb->dev = mesh->dev;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	vnimesh_count(mesh, VNIMESH_A_STATS_ICMP_ANSWER);
	vnimesh_route(own, skb, false);
}

void vnimesh_answer_unreachable(struct vnimesh_mesh *mesh, struct sk_buff *skb,
				const struct vnimesh_packet *pkt)
{
	static const struct error e = {
		.type4 = ICMP_DEST_UNREACH, .code4 = ICMP_HOST_UNREACH,
		.type6 = ICMPV6_DEST_UNREACH, .code6 = ICMPV6_ADDR_UNREACH,
	};

	answer(mesh, skb, pkt, &e);
}

void vnimesh_answer_size(struct vnimesh_mesh *mesh, struct sk_buff *skb,
			 const struct vnimesh_packet *pkt, u32 mtu)
{
	struct error e = {
		.type4 = ICMP_DEST_UNREACH, .code4 = ICMP_FRAG_NEEDED,
		.type6 = ICMPV6_PKT_TOOBIG, .mtu = mtu,
	};

	/* IPv6 has a smallest MTU; below it there is no IPv6 (RFC 8200, 5). */
	if (pkt->tuple.family == AF_INET6 && mtu < IPV6_MIN_MTU)
		return;
	answer(mesh, skb, pkt, &e);
}
