/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Service tags: their grammar and the IPv6 service address that anyone can
 * compute from a tag.
 */
#ifndef VNIMESH_TAG_H
#define VNIMESH_TAG_H

#include <stdbool.h>

#include "ip.h"

#define TAG_MAX		63	/* bytes, without the final NUL */

/* [a-z0-9]([a-z0-9-]*[a-z0-9])?, 1 to TAG_MAX bytes. */
bool tag_valid(const char *tag);

/* @prefix with the first 8 bytes of SHA-256("vnimesh1" || tag) as its low 64
 * bits; @prefix is IPv6 and no longer than 64 bits.
 */
struct ip_addr tag_address6(const struct ip_prefix *prefix, const char *tag);

#endif
