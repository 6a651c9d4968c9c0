/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom checks trust over TLS. Those of the system are some hundred kilobytes to be
 * parsed while all else waits: all checks have them together, and whatever fails,
 * a file is read again only if it is another one than the one that was read, or if
 * that could not be read at all.
 */
#ifndef VNIMESHD_CHECK_TRUST_H
#define VNIMESHD_CHECK_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

#include "check_conf.h"

struct tls_creds;

/* What the checks of a process share. */
struct tls_trust {
	struct tls_creds *system;	/* for all that name no file */
	struct tls_creds *any;		/* for all that trust anybody */
	uint64_t reads;			/* of files, or those of the system */
};

/* For an attempt of a check of @conf: *@c is what it had, or NULL, and becomes what
 * it has now; with @doubt the files are looked at. -EINVAL with a reason in @error;
 * -EAGAIN: for want of something of ours, which says nothing.
 */
int tls_creds_get(struct tls_trust *t, const struct check_conf *conf,
		  struct tls_creds **c, bool doubt, char *error, size_t len);
void tls_creds_put(struct tls_creds **c);
/* What a trusted certificate is to be good for besides: for a server, and unless it
 * is NULL for @name, which stays the caller's. How many of @ret that is.
 */
#define TLS_DEMANDS	2
unsigned int tls_demands(const char *name, gnutls_typed_vdata_st ret[TLS_DEMANDS]);
/* After the handshake of @session, with other credentials: whether @c trust whose
 * certificates were shown, as a server of whatever name. False with a reason.
 */
bool tls_creds_verify(const struct tls_creds *c, gnutls_session_t session,
		      char *why, size_t len);
/* Theirs as long as the check that got them has them. */
gnutls_certificate_credentials_t tls_creds_of(const struct tls_creds *c);

/* After all checks. */
void tls_trust_free(struct tls_trust *t);

#endif
