// SPDX-License-Identifier: GPL-2.0-or-later
/* Whom checks trust over TLS. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check_trust.h"

/* Where distributions keep the system's. The library knows one of them, or asks
 * another source of the same, and says of neither when it changed.
 */
static const char *const system_files[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

#define FILES_MAX	(sizeof(system_files) / sizeof(system_files[0]))

/* All zeroes: there is no such file. */
struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

struct tls_creds {
	gnutls_certificate_credentials_t cred;	/* NULL: see error */
	unsigned int users;
	struct stamp stamps[FILES_MAX];	/* from before they were read */
	char error[256];
};

static bool is_system(const struct check_conf *conf)
{
	return !conf->tls_insecure && !conf->tls_ca;
}

static void look(const char *file, struct stamp *ret)
{
	struct stat st;

	if (stat(file, &st))
		return;
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	ret->size = st.st_size;
	ret->mtime = st.st_mtim;
}

static void look_at_all(const struct check_conf *conf,
			struct stamp ret[FILES_MAX])
{
	size_t i;

	memset(ret, 0, FILES_MAX * sizeof(*ret));
	if (conf->tls_insecure)
		return;
	if (conf->tls_ca) {
		look(conf->tls_ca, &ret[0]);
		return;
	}
	for (i = 0; i < FILES_MAX; i++)
		look(system_files[i], &ret[i]);
}

static bool same(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec;
}

static bool is_current(const struct tls_creds *c, const struct check_conf *conf)
{
	struct stamp now[FILES_MAX];
	size_t i;

	look_at_all(conf, now);
	for (i = 0; i < FILES_MAX; i++)
		if (!same(&c->stamps[i], &now[i]))
			return false;
	return true;
}

static int read_files(struct tls_trust *t, struct tls_creds *c,
		      const struct check_conf *conf)
{
	if (conf->tls_insecure)
		return 0;
	t->reads++;
	if (conf->tls_ca)
		return gnutls_certificate_set_x509_trust_file(c->cred,
				conf->tls_ca, GNUTLS_X509_FMT_PEM);
	return gnutls_certificate_set_x509_system_trust(c->cred);
}

/* What cannot be read is kept as well: it is not tried again until it changes.
 * NULL without memory.
 */
static struct tls_creds *creds_new(struct tls_trust *t,
				   const struct check_conf *conf)
{
	struct tls_creds *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return NULL;
	c->users = 1;
	if (gnutls_certificate_allocate_credentials(&c->cred) < 0) {
		free(c);
		return NULL;
	}
	look_at_all(conf, c->stamps);
	ret = read_files(t, c, conf);
	if (ret >= 0)
		return c;
	snprintf(c->error, sizeof(c->error), "TLS: %.128s%s%s",
		 conf->tls_ca ? conf->tls_ca : "", conf->tls_ca ? ": " : "",
		 gnutls_strerror(ret));
	gnutls_certificate_free_credentials(c->cred);
	c->cred = NULL;
	return c;
}

void tls_creds_put(struct tls_creds **c)
{
	struct tls_creds *old = *c;

	*c = NULL;
	if (!old || --old->users)
		return;
	if (old->cred)
		gnutls_certificate_free_credentials(old->cred);
	free(old);
}

/* Where the latest ones for @conf are; @own: for nobody else. */
static struct tls_creds **place(struct tls_trust *t,
				const struct check_conf *conf,
				struct tls_creds **own)
{
	if (is_system(conf))
		return &t->system;
	return conf->tls_insecure ? &t->any : own;
}

bool tls_creds_get(struct tls_trust *t, const struct check_conf *conf,
		   struct tls_creds **c, bool doubt, char *error, size_t len)
{
	struct tls_creds **at = place(t, conf, c);

	if (*c && (*c)->cred && !doubt)
		return true;
	if (*at && (doubt || !(*at)->cred) && !is_current(*at, conf))
		tls_creds_put(at);
	if (!*at)
		*at = creds_new(t, conf);
	if (*c != *at) {
		tls_creds_put(c);
		*c = *at;
		if (*c)
			(*c)->users++;
	}
	if (*c && (*c)->cred)
		return true;
	snprintf(error, len, "%s", *c ? (*c)->error : "TLS: no memory");
	return false;
}

gnutls_certificate_credentials_t tls_creds_of(const struct tls_creds *c)
{
	return c->cred;
}

void tls_trust_free(struct tls_trust *t)
{
	tls_creds_put(&t->system);
	tls_creds_put(&t->any);
}
