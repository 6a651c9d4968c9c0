// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answers to echoes as a raw socket gives them, by the first byte of IPv4 or IPv6:
 * (length, time since the last one), packet... A node that was asked once more
 * before each, by id 0x4949, node 0x4e4e4e4e and a cookie of 'C's.
 * fuzz: agent
 */

#include "echo_packet.h"
#include "fuzz.h"
#include "reach.h"

#define ID	0x4949
#define NODE	0x4e4e4e4e
#define COOKIE	0x4343434343434343ULL

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* What is asked and comes back says the same, and its checksum is right. */
static void there_and_back(bool six, uint16_t seq)
{
	struct echo_says says = { ID, seq, NODE, COOKIE }, got;
	uint8_t buf[20 + ECHO_PACKET] = { 0x45 };
	uint8_t *packet = buf + (six ? 0 : 20);
	uint32_t sum = 0;
	size_t i;

	echo_write(six, &says, packet);
	for (i = 0; i < ECHO_PACKET; i += 2)
		sum += packet[i] << 8 | packet[i + 1];
	sum = (sum >> 16) + (sum & 0xffff);
	must(six || sum == 0xffff);
	must(!echo_read(six, buf, sizeof(buf) - (six ? 20 : 0), &got));
	packet[0] = six ? 129 : 0;
	must(echo_read(six, buf, sizeof(buf) - (six ? 20 : 0), &got));
	must(got.id == ID && got.seq == seq && got.node == NODE &&
	     got.cookie == COOKIE);
}

static void take(struct reach *r, bool six, const uint8_t *data, size_t len,
		 uint64_t now)
{
	/* Of its own size, so that a step behind it is seen. */
	uint8_t *packet = malloc(len);
	uint32_t valid = r->valid;
	struct echo_says says;
	uint16_t back;
	bool asked;

	must(packet || !len);
	if (len)
		memcpy(packet, data, len);
	if (echo_read(six, packet, len, &says) && says.id == ID &&
	    says.node == NODE && says.cookie == COOKIE) {
		back = r->seq - says.seq;
		asked = back < REACH_RING && valid >> back & 1;
		must(!reach_answer(r, says.seq, now) || asked);
		must(r->valid == (asked ? valid & ~(1U << back) : valid));
		/* The second one says nothing. */
		must(!reach_answer(r, says.seq, now));
	}
	free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint64_t now = 1000000;
	bool six, narrowed;
	struct reach r;
	uint16_t seq;
	size_t n;

	if (!len)
		return 0;
	six = data[0] & 1;
	data++;
	len--;
	reach_init(&r);
	while (len > 1) {
		reach_send(&r, 3, now, &seq);
		reach_full(&r, 3, &narrowed);
		there_and_back(six, seq);
		now += data[1] * 1000;
		n = data[0];
		data += 2;
		len -= 2;
		if (n > len)
			n = len;
		take(&r, six, data, n, now);
		reach_overdue(&r, 3, 300, now);
		reach_latency_news(&r);
		data += n;
		len -= n;
	}
	return 0;
}
