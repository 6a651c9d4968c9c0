/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites share: a mesh without sockets and visible devices, packets,
 * and a generator of reproducible random numbers.
 */
#ifndef _VNIMESH_TESTS_FIXTURE_H
#define _VNIMESH_TESTS_FIXTURE_H

#include <kunit/test.h>
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip6_checksum.h>

#include "../flow.h"
#include "../liveness.h"
#include "../frag.h"
#include "../mesh.h"

/* splitmix64: the same numbers in every run, so that a failure comes again. */
static inline u64 test_random(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline u32 test_below(u64 *state, u32 n)
{
	return (u32)(test_random(state) >> 32) % n;
}

static inline void test_fill(u64 *state, void *to, unsigned int len)
{
	u8 *p = to;

	while (len--)
		*p++ = test_random(state);
}

static inline void test_ip4(union vnimesh_ip *ip, u32 addr)
{
	vnimesh_ip_set4(ip, htonl(addr));
}

/* A mesh with empty tables and this host as node 1; what link ops do, without
 * the socket. Ends by test_mesh_free().
 */
static inline struct vnimesh_mesh *test_mesh(struct kunit *test, u32 flow_max)
{
	struct vnimesh_mesh *mesh;

	mesh = kunit_kzalloc(test, sizeof(*mesh), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mesh);
	mesh->dev = alloc_netdev(sizeof(struct vnimesh_dev), "kunit%d",
				 NET_NAME_UNKNOWN, ether_setup);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mesh->dev);
	mesh->net = &init_net;
	mesh->id = 77;
	mesh->node_id = 1;
	mesh->flow_max = flow_max;
	mesh->set.tcp_established = VNIMESH_TCP_ESTABLISHED;
	mesh->set.tcp_half_open = VNIMESH_TCP_HALF_OPEN;
	mesh->set.tcp_closing = VNIMESH_TCP_CLOSING;
	mesh->set.udp_unreplied = VNIMESH_UDP_UNREPLIED;
	mesh->set.udp_replied = VNIMESH_UDP_REPLIED;
	mutex_init(&mesh->lock);
	mesh->stats = alloc_percpu(struct vnimesh_stats);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mesh->stats);
	KUNIT_ASSERT_EQ(test, vnimesh_liveness_init(mesh), 0);
	vnimesh_liveness_stop(mesh);	/* no worker meddles */
	KUNIT_ASSERT_EQ(test, vnimesh_node_init(mesh), 0);
	KUNIT_ASSERT_EQ(test, vnimesh_vni_init(mesh), 0);
	KUNIT_ASSERT_EQ(test, vnimesh_service_init(mesh), 0);
	KUNIT_ASSERT_EQ(test, vnimesh_flow_init(mesh), 0);
	KUNIT_ASSERT_EQ(test, vnimesh_frag_init(mesh), 0);
	return mesh;
}

static inline void test_mesh_free(struct vnimesh_mesh *mesh)
{
	int i;

	vnimesh_frag_exit(mesh);
	vnimesh_flow_exit(mesh);
	for (i = 0; i < 4; i++)	/* flow, member, VNI, node */
		rcu_barrier();
	vnimesh_service_exit(mesh);
	vnimesh_vni_exit(mesh);
	vnimesh_node_exit(mesh);
	kfree(mesh->transitions);
	for (i = 0; i < 4; i++)
		rcu_barrier();
	free_percpu(mesh->stats);
	free_netdev(mesh->dev);
}

/* Init and exit of a suite with flows, in flow_test.c: where they come from. */
int test_flows_begin(struct kunit_suite *suite);
void test_flows_end(struct kunit_suite *suite);

/* A VNI of this host, without a device; the table holds it. */
static inline struct vnimesh_vni *test_vni(struct kunit *test,
					   struct vnimesh_mesh *mesh, u32 id,
					   u32 addr)
{
	struct vnimesh_vni *vni;
	union vnimesh_ip ip;

	test_ip4(&ip, addr);
	mutex_lock(&mesh->lock);
	vni = vnimesh_vni_add(mesh, id, mesh->self, &ip, NULL);
	mutex_unlock(&mesh->lock);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vni);
	return vni;
}

/* Another node with a prefix; the table holds it. */
static inline void test_node(struct kunit *test, struct vnimesh_mesh *mesh,
			     u32 id, u32 underlay, u32 prefix, u8 len)
{
	struct vnimesh_node_change change = { .set_prefixes = true };
	struct vnimesh_node *node = vnimesh_node_alloc(id);
	union vnimesh_ip addr;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, node);
	vnimesh_ip_set4(&addr, htonl(underlay));
	change.endpoint = vnimesh_endpoint_alloc(mesh, AF_INET, &addr,
						 htons(6081));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, change.endpoint);
	change.prefixes = kzalloc(struct_size(change.prefixes, p, 1), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, change.prefixes);
	change.prefixes->n = 1;
	change.prefixes->p[0].family = AF_INET;
	change.prefixes->p[0].len = len;
	test_ip4(&change.prefixes->p[0].ip, prefix);
	mutex_lock(&mesh->lock);
	KUNIT_ASSERT_EQ(test, vnimesh_node_apply(mesh, node, &change), 0);
	mutex_unlock(&mesh->lock);
}

/* @skb as received from a driver with little headroom of linear data: the first
 * @linear bytes of @data are linear, the rest lies in pages.
 */
static inline struct sk_buff *test_skb(struct kunit *test, const void *data,
				       unsigned int len, unsigned int linear)
{
	struct sk_buff *skb = alloc_skb(len + 128, GFP_KERNEL);
	unsigned int rest = len - linear;
	struct page *page;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, skb);
	skb_reserve(skb, 64);
	skb_put_data(skb, data, linear);
	if (rest) {
		page = alloc_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
		memcpy(page_address(page), data + linear, rest);
		skb_add_rx_frag(skb, 0, page, 0, rest, PAGE_SIZE);
	}
	skb_reset_network_header(skb);
	return skb;
}

/* An IP packet with right checksums in @to: TCP or UDP, the tuple of @t, @len
 * bytes of payload that stand at *@l4 + header already. Returns its length.
 */
static inline unsigned int test_packet(void *to, const struct vnimesh_tuple *t,
				       const void *payload, unsigned int len,
				       unsigned int *l4)
{
	bool udp = t->proto == IPPROTO_UDP, v4 = t->family == AF_INET;
	unsigned int hlen = udp ? sizeof(struct udphdr) : sizeof(struct tcphdr);
	unsigned int off = v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	unsigned int l4_len = hlen + len;
	struct ipv6hdr *ip6h = to;
	__be16 *ports = to + off;
	struct iphdr *iph = to;
	__sum16 *check;
	__wsum sum;

	memset(to, 0, off + hlen);
	memcpy(to + off + hlen, payload, len);
	ports[0] = t->sport;
	ports[1] = t->dport;
	if (udp) {
		struct udphdr *uh = to + off;

		uh->len = htons(l4_len);
		check = &uh->check;
	} else {
		struct tcphdr *th = to + off;

		th->doff = 5;
		th->ack = 1;
		check = &th->check;
	}
	sum = csum_partial(to + off, l4_len, 0);
	if (v4) {
		iph->version = 4;
		iph->ihl = 5;
		iph->tot_len = htons(off + l4_len);
		iph->ttl = 64;
		iph->protocol = t->proto;
		iph->saddr = t->src.v4;
		iph->daddr = t->dst.v4;
		iph->check = ip_fast_csum(iph, 5);
		*check = csum_tcpudp_magic(iph->saddr, iph->daddr, l4_len,
					   t->proto, sum);
	} else {
		ip6h->version = 6;
		ip6h->payload_len = htons(l4_len);
		ip6h->nexthdr = t->proto;
		ip6h->hop_limit = 64;
		ip6h->saddr = t->src.v6;
		ip6h->daddr = t->dst.v6;
		*check = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, l4_len,
					 t->proto, sum);
	}
	if (udp && !*check)
		*check = CSUM_MANGLED_0;
	*l4 = off;
	return off + l4_len;
}

#endif /* _VNIMESH_TESTS_FIXTURE_H */
