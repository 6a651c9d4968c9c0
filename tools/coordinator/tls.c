// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "limits.h"
#include "mem.h"
#include "tls.h"

#define CA_NAME		"vnimesh "
#define SERIAL_BYTES	(TLS_SERIAL_LEN / 2)

#define OID_JOINED	GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME

struct tls {
	gnutls_x509_privkey_t ca_key;
	gnutls_x509_crt_t ca;
	char *ca_pem;
	char *cert_pem;
	char *key_pem;
};

static void hex(const unsigned char *bytes, size_t n, char *text)
{
	size_t i;

	for (i = 0; i < n; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	text[2 * n] = '\0';
}

static bool write_file(const char *dir, const char *name, const char *text,
		       mode_t mode, char *err, size_t len)
{
	size_t n = strlen(text);
	char path[600];
	ssize_t done;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0) {
		snprintf(err, len, "%s: %s", path, strerror(errno));
		return false;
	}
	done = write(fd, text, n);
	if (done != (ssize_t)n || fsync(fd)) {
		snprintf(err, len, "%s: %s", path, strerror(errno));
		close(fd);
		unlink(path);
		return false;
	}
	close(fd);
	return true;
}

static int make_key(gnutls_x509_privkey_t *key)
{
	int ret = gnutls_x509_privkey_init(key);

	if (ret < 0)
		return ret;
	return gnutls_x509_privkey_generate(*key, GNUTLS_PK_ECDSA,
		GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
}

/* What all have: version, a random serial, a name, a life. */
static int begin_cert(gnutls_x509_crt_t *crt, const char *name, int days,
		      char serial_text[TLS_SERIAL_LEN + 1])
{
	unsigned char serial[SERIAL_BYTES];
	time_t now = time(NULL);
	int ret;

	if (getrandom(serial, sizeof(serial), 0) != sizeof(serial))
		return GNUTLS_E_RANDOM_FAILED;
	serial[0] = (serial[0] & 0x3f) | 0x40;	/* positive, no leading 0 */
	hex(serial, sizeof(serial), serial_text);
	ret = gnutls_x509_crt_init(crt);
	if (ret < 0)
		return ret;
	gnutls_x509_crt_set_version(*crt, 3);
	gnutls_x509_crt_set_serial(*crt, serial, sizeof(serial));
	/* Clocks of hosts differ. */
	gnutls_x509_crt_set_activation_time(*crt, now - CERT_BACK_S);
	gnutls_x509_crt_set_expiration_time(*crt, now + days * 86400LL);
	return gnutls_x509_crt_set_dn_by_oid(*crt, GNUTLS_OID_X520_COMMON_NAME,
					     0, name, strlen(name));
}

static char *pem_of(gnutls_x509_crt_t crt)
{
	gnutls_datum_t out = { 0 };
	char *text;

	if (gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &out) < 0)
		return NULL;
	text = mem_checked(strndup((char *)out.data, out.size));
	gnutls_free(out.data);
	return text;
}

static char *key_pem_of(gnutls_x509_privkey_t key)
{
	gnutls_datum_t out = { 0 };
	char *text;

	if (gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &out) < 0)
		return NULL;
	text = mem_checked(strndup((char *)out.data, out.size));
	gnutls_memset(out.data, 0, out.size);
	gnutls_free(out.data);
	return text;
}

static int make_ca(const char *uuid, char **cert_pem, char **key_pem)
{
	const unsigned int usage = GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN;
	char serial[TLS_SERIAL_LEN + 1];
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t crt = NULL;
	char name[64];
	int ret;

	snprintf(name, sizeof(name), CA_NAME "%s", uuid);
	ret = make_key(&key);
	if (ret >= 0)
		ret = begin_cert(&crt, name, CERT_CA_DAYS, serial);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_key(crt, key);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_basic_constraints(crt, 1, 0);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_key_usage(crt, usage);
	if (ret >= 0)
		ret = gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
	if (ret >= 0) {
		*cert_pem = pem_of(crt);
		*key_pem = key_pem_of(key);
	}
	if (crt)
		gnutls_x509_crt_deinit(crt);
	if (key)
		gnutls_x509_privkey_deinit(key);
	return ret;
}

bool tls_init(const char *dir, const char *uuid, char *err, size_t len)
{
	char *cert_pem = NULL;
	char *key_pem = NULL;
	bool ok = false;
	int ret;

	if (mkdir(dir, 0700) && errno != EEXIST) {
		snprintf(err, len, "%s: %s", dir, strerror(errno));
		return false;
	}
	ret = make_ca(uuid, &cert_pem, &key_pem);
	if (ret < 0 || !cert_pem || !key_pem)
		snprintf(err, len, "cannot make the mesh's certificate: %s",
			 gnutls_strerror(ret));
	else
		/* The certificate last: with it the authority is complete. */
		ok = write_file(dir, "ca.key", key_pem, 0600, err, len) &&
		     write_file(dir, "ca.pem", cert_pem, 0644, err, len);
	free(cert_pem);
	free(key_pem);
	return ok;
}

static bool read_file(const char *dir, const char *name, gnutls_datum_t *ret,
		      char *err, size_t len)
{
	char path[600];
	int code;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	code = gnutls_load_file(path, ret);
	if (code >= 0)
		return true;
	snprintf(err, len, "%s: %s", path,
		 code == GNUTLS_E_FILE_ERROR ? strerror(errno) :
					       gnutls_strerror(code));
	return false;
}

static bool load_ca(struct tls *tls, const char *dir, char *err, size_t len)
{
	gnutls_datum_t cert = { 0 };
	gnutls_datum_t key = { 0 };
	int ret = -1;

	if (read_file(dir, "ca.pem", &cert, err, len) &&
	    read_file(dir, "ca.key", &key, err, len)) {
		ret = gnutls_x509_crt_init(&tls->ca);
		if (ret >= 0)
			ret = gnutls_x509_crt_import(tls->ca, &cert,
						     GNUTLS_X509_FMT_PEM);
		if (ret >= 0)
			ret = gnutls_x509_privkey_init(&tls->ca_key);
		if (ret >= 0)
			ret = gnutls_x509_privkey_import(tls->ca_key, &key,
							 GNUTLS_X509_FMT_PEM);
		if (ret < 0)
			snprintf(err, len, "%s: %s", dir, gnutls_strerror(ret));
	}
	if (key.data)
		gnutls_memset(key.data, 0, key.size);
	gnutls_free(cert.data);
	gnutls_free(key.data);
	return ret >= 0;
}

static int add_address(gnutls_x509_crt_t crt, const struct ip_addr *addr)
{
	return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS,
		addr->b, ip_bytes(addr), GNUTLS_FSAN_APPEND);
}

static bool make_server(struct tls *tls, const struct config *cfg, char *err,
			size_t len)
{
	char serial[TLS_SERIAL_LEN + 1];
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t crt = NULL;
	unsigned int i;
	time_t since;
	int ret;

	ret = make_key(&key);
	if (ret >= 0)
		ret = begin_cert(&crt, "vnimesh-coordinator", CERT_SERVER_DAYS,
				 serial);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_key(crt, key);
	/* Made anew at each start, on a day that may turn out to be wrong: for
	 * as long as its authority.
	 */
	since = gnutls_x509_crt_get_activation_time(tls->ca);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_activation_time(crt, since);
	if (ret >= 0)
		ret = add_address(crt, &cfg->listen);
	for (i = 0; i < cfg->nr_addresses && ret >= 0; i++)
		ret = add_address(crt, &cfg->addresses[i]);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER,
							  0);
	if (ret >= 0)
		ret = gnutls_x509_crt_sign2(crt, tls->ca, tls->ca_key,
					    GNUTLS_DIG_SHA256, 0);
	if (ret >= 0) {
		tls->cert_pem = pem_of(crt);
		tls->key_pem = key_pem_of(key);
		tls->ca_pem = pem_of(tls->ca);
	} else {
		snprintf(err, len, "cannot make a server certificate: %s",
			 gnutls_strerror(ret));
	}
	if (crt)
		gnutls_x509_crt_deinit(crt);
	if (key)
		gnutls_x509_privkey_deinit(key);
	return tls->cert_pem && tls->key_pem && tls->ca_pem;
}

struct tls *tls_load(const struct config *cfg, char *err, size_t len)
{
	struct tls *tls = mem_zero(1, sizeof(*tls));

	if (load_ca(tls, cfg->tls_dir, err, len) &&
	    make_server(tls, cfg, err, len))
		return tls;
	tls_free(tls);
	return NULL;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	if (tls->ca)
		gnutls_x509_crt_deinit(tls->ca);
	if (tls->ca_key)
		gnutls_x509_privkey_deinit(tls->ca_key);
	free(tls->ca_pem);
	free(tls->cert_pem);
	free(tls->key_pem);
	free(tls);
}

const char *tls_ca(const struct tls *tls)
{
	return tls->ca_pem;
}

const char *tls_cert(const struct tls *tls)
{
	return tls->cert_pem;
}

const char *tls_key(const struct tls *tls)
{
	return tls->key_pem;
}

bool tls_pin(const struct tls *tls, char pin[65])
{
	unsigned char sum[32];
	size_t n = sizeof(sum);

	if (gnutls_x509_crt_get_fingerprint(tls->ca, GNUTLS_DIG_SHA256, sum,
					    &n) < 0)
		return false;
	hex(sum, sizeof(sum), pin);
	return true;
}

/* Which join it comes from stands behind the name. */
static int begin_node_cert(gnutls_x509_crt_t *crt, struct tls_name *who)
{
	int ret = begin_cert(crt, who->name, CERT_NODE_DAYS, who->serial);

	if (ret < 0 || !who->joined[0])
		return ret;
	return gnutls_x509_crt_set_dn_by_oid(*crt, OID_JOINED, 0, who->joined,
					     strlen(who->joined));
}

/* Only the key is taken from the request; what it says of itself is not. */
static int sign(const struct tls *tls, gnutls_x509_crq_t crq,
		struct tls_name *who, char **pem)
{
	gnutls_x509_crt_t crt = NULL;
	gnutls_pubkey_t key = NULL;
	int ret;

	ret = gnutls_pubkey_init(&key);
	if (ret >= 0)
		ret = gnutls_pubkey_import_x509_crq(key, crq, 0);
	if (ret >= 0)
		ret = begin_node_cert(&crt, who);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_pubkey(crt, key);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_CLIENT,
							  0);
	if (ret >= 0)
		ret = gnutls_x509_crt_sign2(crt, tls->ca, tls->ca_key,
					    GNUTLS_DIG_SHA256, 0);
	if (ret >= 0) {
		who->from = gnutls_x509_crt_get_activation_time(crt);
		*pem = pem_of(crt);
	}
	if (crt)
		gnutls_x509_crt_deinit(crt);
	if (key)
		gnutls_pubkey_deinit(key);
	return ret;
}

char *tls_sign(const struct tls *tls, const char *csr, struct tls_name *who)
{
	gnutls_datum_t in = { (unsigned char *)csr, strlen(csr) };
	gnutls_x509_crq_t crq;
	char *pem = NULL;

	if (gnutls_x509_crq_init(&crq) < 0)
		return NULL;
	if (gnutls_x509_crq_import(crq, &in, GNUTLS_X509_FMT_PEM) >= 0 &&
	    gnutls_x509_crq_verify(crq, 0) >= 0)
		sign(tls, crq, who, &pem);
	gnutls_x509_crq_deinit(crq);
	return pem;
}

static bool read_peer(const gnutls_datum_t *der, struct tls_name *who)
{
	size_t len = sizeof(who->name), joined = sizeof(who->joined);
	unsigned char bytes[64];
	size_t n = sizeof(bytes);
	gnutls_x509_crt_t crt;
	bool ok;

	if (gnutls_x509_crt_init(&crt) < 0)
		return false;
	ok = gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) >= 0 &&
	     gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0,
					   0, who->name, &len) >= 0 &&
	     gnutls_x509_crt_get_serial(crt, bytes, &n) >= 0 &&
	     n == SERIAL_BYTES;
	if (ok) {
		hex(bytes, n, who->serial);
		who->from = gnutls_x509_crt_get_activation_time(crt);
		if (gnutls_x509_crt_get_dn_by_oid(crt, OID_JOINED, 0, 0,
						  who->joined, &joined) < 0)
			who->joined[0] = '\0';
	}
	gnutls_x509_crt_deinit(crt);
	return ok;
}

bool tls_peer(void *session, struct tls_name *who)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	const gnutls_datum_t *certs;
	unsigned int status = ~0u;
	unsigned int n = 0;

	certs = gnutls_certificate_get_peers(session, &n);
	if (!certs || !n)
		return false;
	/* Asked for, but not required: both answers must be right. */
	if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0 ||
	    status)
		return false;
	return read_peer(&certs[0], who);
}
