// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "cert.h"
#include "dirsync.h"

#define FILE_MAX	(1 << 20)

static char *take(gnutls_datum_t *out)
{
	char *text = strndup((char *)out->data, out->size);

	gnutls_memset(out->data, 0, out->size);
	gnutls_free(out->data);
	out->data = NULL;
	return text;
}

static bool sign_request(gnutls_x509_crq_t crq, gnutls_x509_privkey_t key,
			 const char *name)
{
	return gnutls_x509_crq_set_version(crq, 1) >= 0 &&
	       gnutls_x509_crq_set_dn_by_oid(crq, GNUTLS_OID_X520_COMMON_NAME,
					     0, name, strlen(name)) >= 0 &&
	       gnutls_x509_crq_set_key(crq, key) >= 0 &&
	       gnutls_x509_crq_sign2(crq, key, GNUTLS_DIG_SHA256, 0) >= 0;
}

bool cert_request(const char *name, char **key_pem, char **request)
{
	unsigned int bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crq_t crq = NULL;
	gnutls_datum_t out = { 0 };

	*key_pem = NULL;
	*request = NULL;
	if (gnutls_x509_privkey_init(&key) >= 0 &&
	    gnutls_x509_crq_init(&crq) >= 0 &&
	    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, bits, 0) >= 0 &&
	    sign_request(crq, key, name)) {
		if (gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM,
						&out) >= 0)
			*key_pem = take(&out);
		if (gnutls_x509_crq_export2(crq, GNUTLS_X509_FMT_PEM,
					    &out) >= 0)
			*request = take(&out);
	}
	if (crq)
		gnutls_x509_crq_deinit(crq);
	if (key)
		gnutls_x509_privkey_deinit(key);
	if (*key_pem && *request)
		return true;
	free(*key_pem);
	free(*request);
	return false;
}

static bool import(const char *pem, gnutls_x509_crt_t *crt)
{
	gnutls_datum_t in = { (unsigned char *)pem, strlen(pem) };

	if (gnutls_x509_crt_init(crt) < 0)
		return false;
	if (gnutls_x509_crt_import(*crt, &in, GNUTLS_X509_FMT_PEM) >= 0)
		return true;
	gnutls_x509_crt_deinit(*crt);
	return false;
}

bool cert_pin(const char *pem, char pin[65])
{
	unsigned char sum[32];
	size_t n = sizeof(sum);
	gnutls_x509_crt_t crt;
	unsigned int i;
	bool ok;

	if (!import(pem, &crt))
		return false;
	ok = gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, sum,
					     &n) >= 0;
	for (i = 0; ok && i < sizeof(sum); i++)
		sprintf(pin + 2 * i, "%02x", sum[i]);
	gnutls_x509_crt_deinit(crt);
	return ok;
}

bool cert_life(const char *pem, int64_t *from, int64_t *until)
{
	gnutls_x509_crt_t crt;

	if (!import(pem, &crt))
		return false;
	*from = gnutls_x509_crt_get_activation_time(crt);
	*until = gnutls_x509_crt_get_expiration_time(crt);
	gnutls_x509_crt_deinit(crt);
	return *from != -1 && *until != -1;
}

bool cert_fits(const char *key_pem, const char *pem)
{
	gnutls_datum_t in = { (unsigned char *)key_pem, strlen(key_pem) };
	unsigned char of_key[32], of_crt[32];
	size_t n = sizeof(of_key), m = sizeof(of_crt);
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	bool ok;

	if (!import(pem, &crt))
		return false;
	if (gnutls_x509_privkey_init(&key) < 0) {
		gnutls_x509_crt_deinit(crt);
		return false;
	}
	ok = gnutls_x509_privkey_import(key, &in, GNUTLS_X509_FMT_PEM) >= 0 &&
	     gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256,
					    of_key, &n) >= 0 &&
	     gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, of_crt,
					&m) >= 0 &&
	     n == m && !memcmp(of_key, of_crt, n);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_crt_deinit(crt);
	return ok;
}

static void free_secret(char *text)
{
	if (text)
		gnutls_memset(text, 0, strlen(text));
	free(text);
}

int cert_write(const char *dir, const char *name, const char *text,
	       unsigned int mode)
{
	size_t n = strlen(text);
	char path[1024];
	char tmp[1040];
	int err = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	errno = 0;
	if (write(fd, text, n) != (ssize_t)n || fsync(fd))
		err = errno ? -errno : -EIO;
	close(fd);
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		unlink(tmp);
	return err ? err : dir_sync(dir);
}

char *cert_read(const char *dir, const char *name)
{
	char path[1024];
	struct stat st;
	char *text;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) || st.st_size > FILE_MAX) {
		close(fd);
		return NULL;
	}
	text = calloc(1, st.st_size + 1);
	n = text ? read(fd, text, st.st_size) : -1;
	close(fd);
	if (n == st.st_size)
		return text;
	free(text);
	return NULL;
}

static int move(const char *dir, const char *from, const char *to)
{
	char old[1024], new[1024];

	snprintf(old, sizeof(old), "%s/%s", dir, from);
	snprintf(new, sizeof(new), "%s/%s", dir, to);
	return rename(old, new) ? -errno : 0;
}

void cert_forget_next(const char *dir)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/" CERT_NEXT_KEY_FILE, dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/" CERT_NEXT_FILE, dir);
	unlink(path);
}

/* Which of two keys belongs to which of two certificates, the new ones first. */
struct pairs {
	char *key, *next_key, *pem, *next_pem;
};

static bool both_fit(const char *key, const char *pem)
{
	return key && pem && cert_fits(key, pem);
}

static int settle(const char *dir, const struct pairs *p)
{
	int err;

	if (both_fit(p->next_key, p->next_pem)) {
		err = move(dir, CERT_NEXT_KEY_FILE, CERT_KEY_FILE);
		if (!err)
			err = move(dir, CERT_NEXT_FILE, CERT_FILE);
	} else if (both_fit(p->key, p->pem)) {
		return 0;
	} else if (both_fit(p->key, p->next_pem)) {
		err = move(dir, CERT_NEXT_FILE, CERT_FILE);
	} else if (both_fit(p->next_key, p->pem)) {
		err = move(dir, CERT_NEXT_KEY_FILE, CERT_KEY_FILE);
	} else {
		return -EKEYREJECTED;
	}
	if (!err)
		err = dir_sync(dir);
	return err ? err : 1;
}

int cert_settle(const char *dir)
{
	struct pairs p = {
		.key = cert_read(dir, CERT_KEY_FILE),
		.next_key = cert_read(dir, CERT_NEXT_KEY_FILE),
		.pem = cert_read(dir, CERT_FILE),
		.next_pem = cert_read(dir, CERT_NEXT_FILE),
	};
	int ret = settle(dir, &p);

	free_secret(p.key);
	free_secret(p.next_key);
	free(p.pem);
	free(p.next_pem);
	return ret;
}

int cert_replace(const char *dir, const char *key, const char *pem)
{
	int err;

	if (!cert_fits(key, pem))
		return -EKEYREJECTED;
	err = cert_write(dir, CERT_NEXT_KEY_FILE, key, 0600);
	if (!err)
		err = cert_write(dir, CERT_NEXT_FILE, pem, 0644);
	if (!err)
		err = cert_settle(dir);
	return err < 0 ? err : 0;
}
