// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vnimesh-coordinator's configuration; with the first byte odd a request for
 * a certificate, with 2 the certificate that a node keeps.
 * fuzz: coordinator
 */

#include "cert.h"
#include "config.h"
#include "fuzz.h"
#include "tls.h"

static struct config conf = {
	.listen = { .family = AF_INET, .b = { 127, 0, 0, 1 } },
};
static struct tls *tls;

static void ended(void)
{
	tls_free(tls);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char err[512];

	(void)argc;
	(void)argv;
	snprintf(conf.tls_dir, sizeof(conf.tls_dir), "%s", fuzz_dir());
	must(tls_init(conf.tls_dir, "6f1e5a3c-0000-4000-8000-000000000001",
		      err, sizeof(err)));
	tls = tls_load(&conf, err, sizeof(err));
	must(tls);
	atexit(ended);
	return 0;
}

static void request(const char *pem)
{
	struct tls_name who = { .name = "host1", .joined = "0123456789abcdef" };
	char pin[65];
	int64_t from, until;
	char *cert;

	cert = tls_sign(tls, pem, &who);
	if (!cert)
		return;
	must(strlen(who.serial) == TLS_SERIAL_LEN && who.from);
	must(cert_pin(cert, pin) && strlen(pin) == 64);
	must(cert_life(cert, &from, &until) && from < until);
	free(cert);
}

static void certificate(const char *pem)
{
	int64_t from, until;
	char pin[65];

	cert_pin(pem, pin);
	cert_life(pem, &from, &until);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char err[1024] = "", *pem;
	struct config c;

	if (!len)
		return 0;
	if (data[0] & 3) {
		pem = fuzz_text(data + 1, len - 1);
		if (data[0] & 1)
			request(pem);
		else
			certificate(pem);
		free(pem);
		return 0;
	}
	if (!config_read(&c, fuzz_file(data + 1, len - 1), NULL, err,
			 sizeof(err)))
		must(err[0]);
	return 0;
}
