// SPDX-License-Identifier: GPL-2.0-or-later
/* Whom checks trust over TLS. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/x509.h>

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
	struct timespec ctime;		/* of rights, too */
};

struct tls_creds {
	gnutls_certificate_credentials_t cred;	/* NULL: see error */
	unsigned int users;
	bool unread;			/* the files, perhaps for a moment */
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
	ret->ctime = st.st_ctim;
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

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       same_time(&a->mtime, &b->mtime) &&
	       same_time(&a->ctime, &b->ctime);
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

/* Why @file cannot be read: the library does not say, and of the system's it does not
 * even say that. 0 or an errno.
 */
static int obstacle(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int find_obstacle(const struct tls_creds *c,
			 const struct check_conf *conf)
{
	size_t i;
	int err;

	if (conf->tls_insecure)
		return 0;
	if (conf->tls_ca)
		return obstacle(conf->tls_ca);
	for (i = 0; i < FILES_MAX; i++) {
		err = c->stamps[i].ino ? obstacle(system_files[i]) : 0;
		if (err)
			return err;
	}
	return 0;
}

static int read_files(struct tls_trust *t, struct tls_creds *c,
		      const struct check_conf *conf)
{
	int ret;

	if (conf->tls_insecure)
		return 0;
	t->reads++;
	if (conf->tls_ca)
		return gnutls_certificate_set_x509_trust_file(c->cred,
				conf->tls_ca, GNUTLS_X509_FMT_PEM);
	ret = gnutls_certificate_set_x509_system_trust(c->cred);
	/* So many, and none if there was nothing to be had. */
	return ret ? ret : GNUTLS_E_FILE_ERROR;
}

/* Nobody is trusted, and this is why. */
static void give_up(struct tls_creds *c, const struct check_conf *conf,
		    const char *why, bool unread)
{
	snprintf(c->error, sizeof(c->error), "TLS: %.128s: %s",
		 conf->tls_ca ? conf->tls_ca : "the system's authorities", why);
	gnutls_certificate_free_credentials(c->cred);
	c->cred = NULL;
	c->unread = unread;
}

/* What is wrong is kept as well: it is not read again until it changes. NULL for
 * want of something of ours.
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
	ret = find_obstacle(c, conf);
	if (ret == EMFILE || ret == ENFILE || ret == ENOMEM || ret == EINTR) {
		tls_creds_put(&c);
		return NULL;
	}
	if (ret) {
		give_up(c, conf, strerror(ret), true);
		return c;
	}
	ret = read_files(t, c, conf);
	if (ret < 0)
		give_up(c, conf, gnutls_strerror(ret),
			ret == GNUTLS_E_FILE_ERROR ||
			ret == GNUTLS_E_MEMORY_ERROR);
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

/* May @c be of another file than there is now? */
static bool is_old(const struct tls_creds *c, const struct check_conf *conf,
		   bool doubt)
{
	return c->unread || ((doubt || !c->cred) && !is_current(c, conf));
}

int tls_creds_get(struct tls_trust *t, const struct check_conf *conf,
		  struct tls_creds **c, bool doubt, char *error, size_t len)
{
	struct tls_creds **at = place(t, conf, c);

	if (*c && (*c)->cred && !doubt)
		return 0;
	if (*at && is_old(*at, conf, doubt))
		tls_creds_put(at);
	if (!*at)
		*at = creds_new(t, conf);
	if (*c != *at) {
		tls_creds_put(c);
		*c = *at;
		if (*c)
			(*c)->users++;
	}
	if (!*c)
		return -EAGAIN;
	if ((*c)->cred)
		return 0;
	snprintf(error, len, "%s", (*c)->error);
	return -EINVAL;
}

unsigned int tls_demands(const char *name, gnutls_typed_vdata_st ret[TLS_DEMANDS])
{
	/* One that names no purpose is good for any. */
	ret[0] = (gnutls_typed_vdata_st) {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER,
	};
	if (!name)
		return 1;
	ret[1] = (gnutls_typed_vdata_st) {
		.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)name,
	};
	return 2;
}

bool tls_creds_verify(const struct tls_creds *c, gnutls_session_t session,
		      char *why, size_t len)
{
	gnutls_certificate_credentials_t theirs = NULL;
	gnutls_typed_vdata_st demands[TLS_DEMANDS];
	gnutls_datum_t text = { 0 };
	unsigned int status = ~0U;
	int ret;

	/* All that the library looks at, what was stapled and its policy too, as it
	 * is in a session that has ours from the beginning.
	 */
	gnutls_credentials_get(session, GNUTLS_CRD_CERTIFICATE, (void **)&theirs);
	ret = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->cred);
	if (ret >= 0)
		ret = gnutls_certificate_verify_peers(session, demands,
						      tls_demands(NULL, demands),
						      &status);
	if (theirs)
		gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, theirs);
	if (ret >= 0 && !status)
		return true;
	if (ret < 0) {
		snprintf(why, len, "TLS: %s", gnutls_strerror(ret));
		return false;
	}
	gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509,
						     &text, 0);
	snprintf(why, len, "TLS: %s", text.data ? (char *)text.data :
		 "the certificate is not trusted");
	gnutls_free(text.data);
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
