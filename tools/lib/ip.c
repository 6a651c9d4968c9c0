// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ip.h"

bool ip_parse(const char *text, struct ip_addr *addr)
{
	struct ip_addr a = { 0 };

	if (inet_pton(AF_INET, text, a.b) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, text, a.b) == 1)
		a.family = AF_INET6;
	else
		return false;
	*addr = a;
	return true;
}

unsigned int ip_bytes(const struct ip_addr *addr)
{
	switch (addr->family) {
	case AF_INET:
		return 4;
	case AF_INET6:
		return 16;
	}
	return 0;
}

/* Clears the bits of @addr beyond @len. */
static void ip_mask(struct ip_addr *addr, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < ip_bytes(addr); i++) {
		if (len >= 8 * (i + 1))
			continue;
		if (len <= 8 * i)
			addr->b[i] = 0;
		else
			addr->b[i] &= 0xff00 >> (len - 8 * i);
	}
}

bool ip_prefix_parse(const char *text, struct ip_prefix *prefix)
{
	const char *slash = strchr(text, '/');
	struct ip_prefix p = { 0 };
	char buf[IP_TEXT_MAX];
	struct ip_addr masked;
	unsigned long len;
	char *end;

	if (!slash || slash - text >= (long)sizeof(buf))
		return false;
	memcpy(buf, text, slash - text);
	buf[slash - text] = '\0';
	if (!ip_parse(buf, &p.addr))
		return false;

	/* strtoul() would take a sign, blanks and leading zeroes */
	if (slash[1] < '0' || slash[1] > '9' || (slash[1] == '0' && slash[2]))
		return false;
	len = strtoul(slash + 1, &end, 10);
	if (*end || len > 8 * ip_bytes(&p.addr))
		return false;
	p.len = len;

	masked = p.addr;
	ip_mask(&masked, p.len);
	if (!ip_equal(&masked, &p.addr))
		return false;
	*prefix = p;
	return true;
}

const char *ip_text(const struct ip_addr *addr, char buf[IP_TEXT_MAX])
{
	if (!addr->family ||
	    !inet_ntop(addr->family, addr->b, buf, IP_TEXT_MAX))
		buf[0] = '\0';
	return buf;
}

const char *ip_prefix_text(const struct ip_prefix *prefix,
			   char buf[IP_TEXT_MAX])
{
	size_t n;

	ip_text(&prefix->addr, buf);
	n = strlen(buf);
	if (n)
		snprintf(buf + n, IP_TEXT_MAX - n, "/%u", prefix->len);
	return buf;
}

bool ip_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && !memcmp(a->b, b->b, ip_bytes(a));
}

bool ip_loopback(const struct ip_addr *addr)
{
	static const struct ip_addr one = { AF_INET6, { [15] = 1 } };

	if (addr->family == AF_INET)
		return addr->b[0] == 127;
	return ip_equal(addr, &one);
}

bool ip_within(const struct ip_addr *addr, const struct ip_prefix *prefix)
{
	struct ip_addr masked = *addr;

	ip_mask(&masked, prefix->len);
	return addr->family && ip_equal(&masked, &prefix->addr);
}

bool ip_prefix_overlap(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len < b->len ? ip_within(&b->addr, a) :
				 ip_within(&a->addr, b);
}

void ip_add(struct ip_addr *addr, uint64_t n, unsigned int shift)
{
	unsigned int i = ip_bytes(addr) - shift / 8;
	unsigned int bit = shift % 8;
	unsigned int carry = 0;

	/* From the byte that holds bit @shift towards the first one. The top
	 * bits of @n that a shift within 64 bits would lose stay in @n.
	 */
	while (i--) {
		unsigned int part = (n << bit) & 0xff;

		n = bit ? n >> (8 - bit) : n >> 8;
		bit = 0;
		carry += addr->b[i] + part;
		addr->b[i] = carry;
		carry >>= 8;
	}
}
