/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mesh's own certificate authority. Its key lies in tls_dir; the server's
 * key is made anew with each start and never written. A node's certificate
 * names the node; that the node exists and that this is its present serial
 * number is for auth.h to see.
 */
#ifndef COORDINATOR_TLS_H
#define COORDINATOR_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "json.h"

#define TLS_SERIAL_LEN	32	/* hexadecimal digits */
#define TLS_JOINED_LEN	16

struct tls;

/* Makes the authority of a new mesh; refuses if there is one. */
bool tls_init(const char *dir, const char *uuid, char *err, size_t len);

/* NULL with a message in @err. */
struct tls *tls_load(const struct config *cfg, char *err, size_t len);
void tls_free(struct tls *tls);

/* PEM texts, the loaded one's own. */
const char *tls_ca(const struct tls *tls);
const char *tls_cert(const struct tls *tls);
const char *tls_key(const struct tls *tls);

/* What a token pins: SHA-256 of the authority's certificate. */
bool tls_pin(const struct tls *tls, char pin[65]);

/* What a node's certificate says. */
struct tls_name {
	char name[JNAME_MAX + 1];
	char serial[TLS_SERIAL_LEN + 1];
	char joined[TLS_JOINED_LEN + 1];	/* of the join that it comes from, "": older */
	int64_t from;			/* good from then on, s since 1970 */
};

/* A certificate for @who->name and ->joined from a request in PEM: allocated PEM
 * text, the rest of @who filled in; NULL if @csr is no good.
 */
char *tls_sign(const struct tls *tls, const char *csr, struct tls_name *who);

/* Of the certificate that the peer of a GnuTLS session showed; false if it showed none
 * or none of ours.
 */
bool tls_peer(void *session, struct tls_name *who);

#endif
