// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auth.h"
#include "init.h"
#include "limits.h"
#include "tls.h"

static bool unspecified(const struct ip_addr *addr)
{
	static const struct ip_addr none;

	return !memcmp(addr->b, none.b, ip_bytes(addr));
}

/* Where agents find it: an address of the certificate. */
static bool url_of(const struct config *cfg, char *url, size_t url_len,
		   char *err, size_t len)
{
	const struct ip_addr *addr = &cfg->listen;
	char text[IP_TEXT_MAX];
	bool v6;

	if (unspecified(addr)) {
		if (!cfg->nr_addresses) {
			snprintf(err, len,
				 "field \"addresses\": required where \"listen\" names none");
			return false;
		}
		addr = &cfg->addresses[0];
	}
	v6 = addr->family == AF_INET6;
	snprintf(url, url_len, "https://%s%s%s:%u", v6 ? "[" : "",
		 ip_text(addr, text), v6 ? "]" : "", cfg->listen_port);
	return true;
}

static bool write_token(const char *path, const char *secret, char *err,
			size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok;

	if (fd < 0) {
		snprintf(err, len, "%s: %s", path, strerror(errno));
		return false;
	}
	ok = dprintf(fd, "%s\n", secret) > 0 && !fsync(fd);
	if (!ok)
		snprintf(err, len, "%s: %s", path, strerror(errno));
	close(fd);
	return ok;
}

static int store_tokens(struct store *store, const struct token_def *admin,
			const struct token_def *first)
{
	unsigned int tries = 0;
	int err;

	/* They depend on nothing that others may change meanwhile. */
	do {
		store_begin(store);
		store_put_token(store, admin);
		store_put_token(store, first);
		err = store_commit(store);
	} while (err == -EAGAIN && ++tries < CHANGE_TRIES);
	return err;
}

/* The administrator's token lies beside the authority's key: who reads one
 * reads the other. The node that joins first may register every tag, later
 * ones what their tokens say.
 */
static bool make_tokens(const struct config *cfg, struct registry *reg,
			const char *pin, char *join, char *err, size_t len)
{
	struct token_def first = { .role = ROLE_NONE };
	struct token_def admin = { .role = ROLE_ADMIN };
	char secret[AUTH_SECRET_MAX];
	char path[600];

	grant_default(&admin.grant);
	grant_default(&first.grant);
	strcpy(first.grant.tags[0], "*");
	first.grant.nr_tags = 1;
	first.expires = time(NULL) + JOIN_TTL_S;
	auth_token_make(&admin, NULL, secret);
	auth_token_make(&first, pin, join);
	snprintf(path, sizeof(path), "%s/admin.token", cfg->tls_dir);
	if (store_tokens(reg->store, &admin, &first)) {
		snprintf(err, len, "%s: %s", cfg->store, reg->store->error);
		return false;
	}
	return write_token(path, secret, err, len);
}

static bool init_rights(const struct config *cfg, struct registry *reg,
			char *err, size_t len)
{
	char join[AUTH_SECRET_MAX];
	struct tls *tls;
	char url[128];
	char pin[65];
	bool ok;

	if (!url_of(cfg, url, sizeof(url), err, len) ||
	    !tls_init(cfg->tls_dir, reg->mesh.uuid, err, len))
		return false;
	tls = tls_load(cfg, err, len);
	if (!tls)
		return false;
	ok = tls_pin(tls, pin) &&
	     make_tokens(cfg, reg, pin, join, err, len);
	tls_free(tls);
	if (ok)
		printf("vnimesh join %s %s\n", url, join);
	return ok;
}

bool init_mesh(const struct config *cfg, char *err, size_t len)
{
	struct registry reg;
	struct store *store;
	bool ok;

	if (!*cfg->tls_dir) {
		snprintf(err, len, "field \"tls_dir\": required");
		return false;
	}
	store = store_open(cfg->store, &cfg->etcd, err, len);
	if (!store)
		return false;
	ok = registry_init(&reg, cfg, store, err, len);
	if (ok) {
		ok = init_rights(cfg, &reg, err, len);
		registry_free(&reg);
	}
	store_close(store);
	return ok;
}
