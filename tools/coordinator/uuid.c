// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "log.h"
#include "uuid.h"

static void random_bytes(uint8_t *bytes, size_t n)
{
	if (getrandom(bytes, n, 0) != (ssize_t)n) {
		log_error("no random bytes: %m");
		abort();
	}
}

static char *hex(char *to, const uint8_t *bytes, size_t n)
{
	while (n--)
		to += sprintf(to, "%02x", *bytes++);
	return to;
}

void uuid_make(char text[37])
{
	static const unsigned int groups[] = { 4, 2, 2, 2, 6 };
	const uint8_t *from;
	uint8_t b[16];
	unsigned int i;

	random_bytes(b, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;

	from = b;
	for (i = 0; i < 5; i++) {
		if (i)
			*text++ = '-';
		text = hex(text, from, groups[i]);
		from += groups[i];
	}
}

void id64_make(char text[17])
{
	uint8_t b[8];

	random_bytes(b, sizeof(b));
	hex(text, b, sizeof(b));
}
