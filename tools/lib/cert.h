/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys and certificates of a node, as PEM texts. */
#ifndef VNIMESH_CERT_H
#define VNIMESH_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In state_dir, the key readable by its owner only. What is about to replace
 * them has another name until both are written.
 */
#define CERT_CA_FILE	"ca.pem"
#define CERT_FILE	"node.pem"
#define CERT_KEY_FILE	"node.key"
#define CERT_NEXT_FILE	"node.pem.next"
#define CERT_NEXT_KEY_FILE "node.key.next"

/* A new key and a request for a certificate of it, allocated. */
bool cert_request(const char *name, char **key, char **request);

/* SHA-256 of a certificate, in hexadecimal. */
bool cert_pin(const char *pem, char pin[65]);

/* Seconds since 1970 of its first and last moment. */
bool cert_life(const char *pem, int64_t *from, int64_t *until);

/* Whole and durably, in place of what is there: 0 or a negative errno. */
int cert_write(const char *dir, const char *name, const char *text,
	       unsigned int mode);

/* Whether it is the certificate of that key. */
bool cert_fits(const char *key, const char *pem);

/* Key and certificate in place of those that are there: wherever that ends, by an
 * error or a crash, cert_settle() finds a pair. Only after that succeeded: what is
 * about to replace them may be all there is. 0 or a negative errno.
 */
int cert_replace(const char *dir, const char *key, const char *pem);

/* Bring to an end what cert_replace() began. 0: the files are a pair, 1: now they
 * are; or a negative errno, -EKEYREJECTED: no key there is of a certificate there.
 */
int cert_settle(const char *dir);

/* What was about to replace them is not wanted any more. */
void cert_forget_next(const char *dir);

/* An allocated text; NULL with errno. */
char *cert_read(const char *dir, const char *name);

#endif
