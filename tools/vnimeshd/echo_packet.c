// SPDX-License-Identifier: GPL-2.0-or-later
/* How an echo looks. */

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "echo_packet.h"

#define IPV4_MIN	20

struct packet {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint16_t id;
	uint16_t seq;
	uint32_t node;
	uint32_t pad;
	uint64_t cookie;
};

_Static_assert(sizeof(struct packet) == ECHO_PACKET, "no holes");

static uint16_t checksum(const struct packet *p)
{
	uint16_t words[ECHO_PACKET / 2];
	uint32_t sum = 0;
	size_t i;

	memcpy(words, p, sizeof(words));
	for (i = 0; i < ECHO_PACKET / 2; i++)
		sum += words[i];
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	return ~sum;
}

void echo_write(bool six, const struct echo_says *says, uint8_t *buf)
{
	struct packet p = {
		.type = six ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
		.id = htons(says->id),
		.seq = htons(says->seq),
		.node = htonl(says->node),
		.cookie = says->cookie,
	};

	if (!six)
		p.checksum = checksum(&p);
	memcpy(buf, &p, sizeof(p));
}

bool echo_read(bool six, const uint8_t *buf, size_t len, struct echo_says *ret)
{
	size_t skip = 0;
	struct packet p;

	if (!six) {
		skip = len ? (buf[0] & 0xf) * 4 : 0;
		if (skip < IPV4_MIN)
			return false;
	}
	if (len < skip + sizeof(p))
		return false;
	memcpy(&p, buf + skip, sizeof(p));
	ret->id = ntohs(p.id);
	ret->seq = ntohs(p.seq);
	ret->node = ntohl(p.node);
	ret->cookie = p.cookie;
	return p.type == (six ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY);
}
