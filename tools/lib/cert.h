/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys and certificates of a node, as PEM texts. */
#ifndef VNIMESH_CERT_H
#define VNIMESH_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In state_dir, the key readable by its owner only. */
#define CERT_CA_FILE	"ca.pem"
#define CERT_FILE	"node.pem"
#define CERT_KEY_FILE	"node.key"

/* A new key and a request for a certificate of it, allocated. */
bool cert_request(const char *name, char **key, char **request);

/* SHA-256 of a certificate, in hexadecimal. */
bool cert_pin(const char *pem, char pin[65]);

/* Seconds since 1970 of its first and last moment. */
bool cert_life(const char *pem, int64_t *from, int64_t *until);

/* Whole and durably, in place of what is there: 0 or a negative errno. */
int cert_write(const char *dir, const char *name, const char *text,
	       unsigned int mode);

/* An allocated text; NULL with errno. */
char *cert_read(const char *dir, const char *name);

#endif
