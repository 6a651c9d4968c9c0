/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv4 and IPv6 addresses and prefixes as values: text to binary and back,
 * comparison, containment. A struct of zeroes is "no address".
 */
#ifndef VNIMESH_IP_H
#define VNIMESH_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>

/* "ffff:…:255.255.255.255/128" and the final NUL */
#define IP_TEXT_MAX	(INET6_ADDRSTRLEN + 4)

struct ip_addr {
	uint8_t family;		/* AF_INET, AF_INET6, or 0: none */
	uint8_t b[16];		/* network order; IPv4 in the first four */
};

struct ip_prefix {
	struct ip_addr addr;	/* bits beyond len are zero */
	uint8_t len;
};

/* False, and *addr untouched, unless @text is exactly one address. */
bool ip_parse(const char *text, struct ip_addr *addr);

/* As ip_parse(), for ADDRESS/LENGTH without host bits. */
bool ip_prefix_parse(const char *text, struct ip_prefix *prefix);

/* Write into @buf and return it; "" for no address. */
const char *ip_text(const struct ip_addr *addr, char buf[IP_TEXT_MAX]);
const char *ip_prefix_text(const struct ip_prefix *prefix,
			   char buf[IP_TEXT_MAX]);

/* 4 or 16; 0 for no address. */
unsigned int ip_bytes(const struct ip_addr *addr);
bool ip_equal(const struct ip_addr *a, const struct ip_addr *b);
bool ip_loopback(const struct ip_addr *addr);

/* False too when the families differ. */
bool ip_within(const struct ip_addr *addr, const struct ip_prefix *prefix);
bool ip_prefix_overlap(const struct ip_prefix *a, const struct ip_prefix *b);

/* *addr plus @n in units of 2^@shift; @shift below the address' width.
 * Wraps silently: check against the prefix with ip_within().
 */
void ip_add(struct ip_addr *addr, uint64_t n, unsigned int shift);

#endif
