// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an ICMP error quotes, rewritten, by property: however much of the packet
 * is quoted, the error that leaves is byte by byte the one about a packet with
 * the other tuple.
 */
#include "../quote.c"
#include "fixture.h"

#define ROUNDS		20000
#define PAYLOAD_MAX	64
#define ERROR_MAX	(sizeof(struct icmphdr) + sizeof(struct ipv6hdr) + \
			 sizeof(struct tcphdr) + PAYLOAD_MAX)

struct quote_case {
	u64 random;
	struct vnimesh_tuple old, new;
	u8 got[ERROR_MAX];
	u8 want[ERROR_MAX];
	u8 payload[PAYLOAD_MAX];
	unsigned int len, l4;
};

static void quote_tuple(struct quote_case *c, struct vnimesh_tuple *t)
{
	test_fill(&c->random, &t->src, vnimesh_ip_len(t->family));
	test_fill(&c->random, &t->dst, vnimesh_ip_len(t->family));
	/* Words of zeros and ones are where sums go wrong. */
	if (!test_below(&c->random, 8))
		memset(&t->src, test_below(&c->random, 2) ? 0xff : 0, 2);
	t->sport = (__force __be16)test_random(&c->random);
	t->dport = (__force __be16)test_random(&c->random);
}

/* An error about a packet of @t, of which ->len bytes are quoted. */
static void make_error(struct quote_case *c, u8 *to,
		       const struct vnimesh_tuple *t, unsigned int payload,
		       unsigned int quoted, bool unsummed)
{
	struct icmphdr *icmp = (struct icmphdr *)to;
	unsigned int len, l4;

	len = test_packet(to + sizeof(*icmp), t, c->payload, payload, &l4);
	c->l4 = sizeof(*icmp) + (t->family == AF_INET ?
				 sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	if (unsummed)
		((struct udphdr *)(to + c->l4))->check = 0;
	c->len = min_t(unsigned int, sizeof(*icmp) + len, c->l4 + quoted);
	memset(to + c->len, 0, ERROR_MAX - c->len);
	memset(icmp, 0, sizeof(*icmp));
	icmp->type = ICMP_DEST_UNREACH;
	icmp->checksum = csum_fold(csum_partial(to, c->len, 0));
}

static void quote_rewrite(struct kunit *test)
{
	unsigned int i, payload, quoted;
	struct vnimesh_quote q;
	struct quote_case *c;
	bool unsummed;

	c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c);
	c->random = 792;
	for (i = 0; i < ROUNDS; i++) {
		memset(&c->old, 0, sizeof(c->old));
		c->old.family = test_below(&c->random, 2) ? AF_INET : AF_INET6;
		c->old.proto = test_below(&c->random, 2) ? IPPROTO_UDP :
							   IPPROTO_TCP;
		c->new = c->old;
		quote_tuple(c, &c->old);
		quote_tuple(c, &c->new);
		payload = test_below(&c->random, PAYLOAD_MAX + 1);
		quoted = 8 + test_below(&c->random, 40);
		/* Nobody can mend half of a checksum. */
		if (quoted == offsetof(struct tcphdr, check) + 1)
			quoted++;
		test_fill(&c->random, c->payload, payload);
		unsummed = c->old.proto == IPPROTO_UDP &&
			   !test_below(&c->random, 8);
		make_error(c, c->want, &c->new, payload, quoted, unsummed);
		make_error(c, c->got, &c->old, payload, quoted, unsummed);

		memset(&q, 0, sizeof(q));
		q.tuple.family = c->old.family;
		q.tuple.proto = c->old.proto;
		q.ip = sizeof(struct icmphdr);
		q.l4 = c->l4;
		q.end = min_t(unsigned int, c->len, c->l4 + VNIMESH_QUOTE_L4);
		vnimesh_quote_read(c->got, &q);
		KUNIT_ASSERT_EQ(test, memcmp(&q.tuple, &c->old, sizeof(q.tuple)),
				0);
		vnimesh_quote_write(c->got, &q, &c->new);
		KUNIT_ASSERT_EQ_MSG(test, memcmp(c->got, c->want, ERROR_MAX), 0,
				    "round %u, %u bytes quoted", i, quoted);
	}
}

static struct kunit_case quote_cases[] = {
	KUNIT_CASE(quote_rewrite),
	{}
};

static struct kunit_suite quote_suite = {
	.name = "quote",
	.test_cases = quote_cases,
};

kunit_test_suite(quote_suite);
