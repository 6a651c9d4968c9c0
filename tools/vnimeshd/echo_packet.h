/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How an echo looks, which ICMP and ICMPv6 do alike. Pure. */
#ifndef VNIMESHD_ECHO_PACKET_H
#define VNIMESHD_ECHO_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of one; zeros behind them change nothing. */
#define ECHO_PACKET	24

struct echo_says {
	uint16_t id;
	uint16_t seq;
	uint32_t node;
	uint64_t cookie;	/* whoever answers without having asked is lying */
};

/* The question, ECHO_PACKET bytes; the kernel adds the checksum of ICMPv6. */
void echo_write(bool six, const struct echo_says *says, uint8_t *buf);

/* An answer as a raw socket gives it, that is with the header of IPv4 and without
 * that of IPv6. False: it is none.
 */
bool echo_read(bool six, const uint8_t *buf, size_t len, struct echo_says *ret);

#endif
