// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include <nettle/sha2.h>

#include "tag.h"

static bool tag_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool tag_valid(const char *tag)
{
	size_t n = strnlen(tag, TAG_MAX + 1);
	size_t i;

	if (!n || n > TAG_MAX)
		return false;
	for (i = 0; i < n; i++)
		if (!tag_alnum(tag[i]) && tag[i] != '-')
			return false;
	return tag_alnum(tag[0]) && tag_alnum(tag[n - 1]);
}

struct ip_addr tag_address6(const struct ip_prefix *prefix, const char *tag)
{
	static const char salt[] = "vnimesh1";
	struct ip_addr addr = prefix->addr;
	uint8_t digest[8];
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, sizeof(salt) - 1, (const uint8_t *)salt);
	sha256_update(&ctx, strlen(tag), (const uint8_t *)tag);
	sha256_digest(&ctx, sizeof(digest), digest);
	memcpy(addr.b + 8, digest, sizeof(digest));
	return addr;
}
