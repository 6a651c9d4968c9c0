// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of a key and its certificate, wherever their renewal was cut off. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "cert.h"
#include "checks.h"
#include "tap.h"

static char dir[64];

struct pair {
	char *key, *pem;
};

/* Signed by itself: nobody asks here who vouches for it. */
static struct pair make_pair(void)
{
	gnutls_datum_t in, out;
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	struct pair p;
	char *request;

	if (!cert_request("host1", &p.key, &request))
		exit(1);
	free(request);
	in.data = (unsigned char *)p.key;
	in.size = strlen(p.key);
	gnutls_x509_privkey_init(&key);
	gnutls_x509_crt_init(&crt);
	if (gnutls_x509_privkey_import(key, &in, GNUTLS_X509_FMT_PEM) < 0 ||
	    gnutls_x509_crt_set_version(crt, 3) < 0 ||
	    gnutls_x509_crt_set_serial(crt, "\1", 1) < 0 ||
	    gnutls_x509_crt_set_activation_time(crt, time(NULL)) < 0 ||
	    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600) < 0 ||
	    gnutls_x509_crt_set_key(crt, key) < 0 ||
	    gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) < 0 ||
	    gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &out) < 0)
		exit(1);
	p.pem = strndup((char *)out.data, out.size);
	gnutls_free(out.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return p;
}

/* NULL: there is no such file. */
static void lay(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	if (text && cert_write(dir, name, text, 0600))
		exit(1);
}

static bool has(const char *name, const char *text)
{
	char *is = cert_read(dir, name);
	bool ok = text ? is && !strcmp(is, text) : !is;

	free(is);
	return ok;
}

static bool are(const struct pair *p)
{
	return has(CERT_KEY_FILE, p->key) && has(CERT_FILE, p->pem);
}

static void test_settle(const struct pair *was, const struct pair *new)
{
	const struct {
		const char *key, *pem, *next_key, *next_pem, *name;
		const struct pair *want;	/* NULL: none there fits */
		bool renamed;
	} runs[] = {
		{ was->key, was->pem, NULL, NULL, "renewal: as they are", was,
		  false },
		{ was->key, was->pem, new->key, NULL,
		  "renewal: cut off before the certificate was written", was,
		  false },
		{ was->key, was->pem, new->key, "half of",
		  "renewal: cut off within it", was, false },
		{ was->key, was->pem, new->key, new->pem,
		  "renewal: cut off before both took their names", new, true },
		{ new->key, was->pem, NULL, new->pem,
		  "renewal: cut off when the key had its name", new, true },
		{ was->key, new->pem, new->key, NULL,
		  "renewal: cut off when the certificate had its name", new,
		  true },
		{ new->key, new->pem, NULL, NULL, "renewal: cut off at the end",
		  new, false },
		{ NULL, NULL, new->key, new->pem, "renewal: a first pair", new,
		  true },
		{ new->key, was->pem, NULL, NULL,
		  "renewal: a wrong pair is said", NULL, false },
		{ NULL, was->pem, NULL, NULL, "renewal: no key", NULL, false },
	};
	unsigned int i;
	int ret;

	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		lay(CERT_KEY_FILE, runs[i].key);
		lay(CERT_FILE, runs[i].pem);
		lay(CERT_NEXT_KEY_FILE, runs[i].next_key);
		lay(CERT_NEXT_FILE, runs[i].next_pem);
		ret = cert_settle(dir);
		if (!runs[i].want) {
			ok(ret == -EKEYREJECTED, runs[i].name);
			continue;
		}
		if (!ok(ret == runs[i].renamed && are(runs[i].want) &&
			!cert_settle(dir), runs[i].name))
			printf("# %d\n", ret);
	}
}

static void test_replace(const struct pair *was, const struct pair *new)
{
	char path[128];
	struct stat st;

	lay(CERT_KEY_FILE, was->key);
	lay(CERT_FILE, was->pem);
	lay(CERT_NEXT_KEY_FILE, NULL);
	lay(CERT_NEXT_FILE, NULL);
	ok(cert_replace(dir, new->key, was->pem) == -EKEYREJECTED && are(was),
	   "renewal: a certificate of another key is not taken");
	/* Nothing can be written there, as on a full disk. */
	snprintf(path, sizeof(path), "%s/" CERT_NEXT_FILE ".new", dir);
	mkdir(path, 0700);
	ok(cert_replace(dir, new->key, new->pem) < 0 && !cert_settle(dir) &&
	   are(was), "renewal: one that cannot be written changes nothing");
	rmdir(path);
	ok(!cert_replace(dir, new->key, new->pem) && are(new) &&
	   has(CERT_NEXT_KEY_FILE, NULL) && has(CERT_NEXT_FILE, NULL),
	   "renewal: both take the place of both");
	snprintf(path, sizeof(path), "%s/" CERT_KEY_FILE, dir);
	ok(!stat(path, &st) && (st.st_mode & 0777) == 0600,
	   "renewal: the key is its owner's");
}

void test_cert(void)
{
	struct pair was = make_pair(), new = make_pair();

	snprintf(dir, sizeof(dir), "/tmp/vnimesh-cert.XXXXXX");
	if (!mkdtemp(dir))
		exit(1);
	test_settle(&was, &new);
	test_replace(&was, &new);
	lay(CERT_KEY_FILE, NULL);
	lay(CERT_FILE, NULL);
	rmdir(dir);
	free(was.key);
	free(was.pem);
	free(new.key);
	free(new.pem);
}
