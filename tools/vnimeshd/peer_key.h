/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The secret key of this node: 64 hexadecimal digits in a file of mode 0600. */
#ifndef VNIMESHD_PEER_KEY_H
#define VNIMESHD_PEER_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#define PEER_KEY_FILE	"key"

enum peer_key_fate {
	PEER_KEY_READY,
	PEER_KEY_PASSING,	/* a new one, that could not be written */
	PEER_KEY_UNUSABLE,	/* there is one, but it is wrong: as it was */
};

/* Read @dir/key; if there is none, make it. @error says why not. */
enum peer_key_fate peer_key_load(const char *dir,
				 uint8_t secret[crypto_box_SECRETKEYBYTES],
				 char *error, size_t len);

/* Text to key. */
bool peer_key_parse(const char *text,
		    uint8_t ret[crypto_box_PUBLICKEYBYTES]);

#endif
