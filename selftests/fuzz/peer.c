// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Datagrams of another agent. The first byte says whether what follows is the
 * datagram as it comes, or (type, length, payload)... that its owner seals.
 * fuzz: agent
 */

#include "fuzz.h"
#include "peer_hub.h"

#define SELF	1
#define PEER	2
#define MESH	7
#define SEC	1000000ULL
#define UUID	"6f1e5a3c-0000-4000-8000-000000000001"

static uint8_t secret[32] = { 1 }, other_secret[32] = { 2 };
static uint8_t public[32], other_public[32], key[PEER_KEY];
static struct ip_addr addr = { .family = AF_INET, .b = { 192, 0, 2, PEER } };

static void on_send(void *data, uint32_t node, const uint8_t *buf, size_t len)
{
	struct peer_header h;

	(void)data;
	must(node == PEER && len <= PEER_DATAGRAM);
	must(peer_header_read(buf, len, &h) == PEER_OK && h.from == SELF);
}

static enum peer_fate on_fact(void *data, uint32_t node, uint64_t epoch,
			      const struct peer_fact *fact)
{
	(void)data;
	(void)epoch;
	must(node == PEER && strlen(fact->tag) <= TAG_MAX);
	return fact->seq % 5;
}

static void on_live(void *data, uint32_t node, bool live)
{
	(void)data;
	(void)live;
	must(node == PEER);
}

static void on_case(void *data, uint32_t node, uint8_t type,
		    const struct peer_case *kase)
{
	(void)data;
	(void)kase;
	must(node == PEER && type >= PEER_SUSPECT && type <= PEER_VERDICT);
}

/* So that a seed can echo what was asked. */
static void on_random(void *data, void *buf, size_t len)
{
	(void)data;
	memset(buf, 'R', len);
}

static const struct peer_ops ops = {
	.send = on_send,
	.fact = on_fact,
	.live = on_live,
	.kase = on_case,
	.random = on_random,
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(!sodium_init());
	crypto_scalarmult_base(public, secret);
	crypto_scalarmult_base(other_public, other_secret);
	must(peer_pair_key(other_secret, other_public, public, UUID, key));
	return 0;
}

static void read_alone(const uint8_t *payload, size_t len)
{
	struct peer_fact fact;
	struct peer_msg msg;
	unsigned int n = 0;
	size_t at = 0;

	if (peer_msg_read(payload, len, &msg) != PEER_OK)
		return;
	while (peer_facts(&msg, &at, &fact)) {
		must(at <= len && peer_fact_len(&fact) <= PEER_PAYLOAD);
		n++;
	}
	must(n == msg.n_facts);
}

static void sealed(struct peer_hub *hub, const uint8_t *data, size_t len,
		   uint64_t *now)
{
	struct peer_header h = {
		.mesh = MESH, .from = PEER, .to = SELF, .epoch = 99,
		.key_id = peer_key_id(other_public),
	};
	uint8_t buf[PEER_DATAGRAM];
	struct peer_out out;
	size_t n;

	while (len > 2) {
		h.type = data[0];
		h.epoch = 99 + (data[0] >> 7);
		h.type &= 0x7f;
		n = data[1] * 4;
		data += 2;
		len -= 2;
		if (n > len)
			n = len;
		h.seq++;
		memcpy(out.buf, data, n);
		out.len = n;
		read_alone(data, n);
		n = peer_seal(key, &h, &out, buf);
		peer_hub_rx(hub, &addr, buf, n, *now);
		*now += SEC / 10;
		peer_hub_tick(hub, *now);
		data += out.len;
		len -= out.len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct peer_fact ours = { .tag = "ours", .vni = 5, .seq = 1, .state = 1 };
	uint64_t now = 10 * SEC;
	struct peer_hub hub;

	peer_hub_init(&hub, &ops, NULL, 42, secret, now);
	peer_hub_identity(&hub, MESH, UUID, SELF);
	must(peer_hub_set(&hub, PEER, &addr, other_public, now));
	peer_hub_want(&hub, peer_hub_node(&hub, PEER), true, now);
	peer_hub_tell(&hub, &ours);
	peer_hub_flush(&hub, now);
	peer_hub_tick(&hub, now);
	if (len && data[0] & 1)
		sealed(&hub, data + 1, len - 1, &now);
	else if (len)
		peer_hub_rx(&hub, &addr, data + 1, len - 1, now);
	peer_hub_tick(&hub, now + 5 * SEC);
	peer_hub_free(&hub);
	return 0;
}
