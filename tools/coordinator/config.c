// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/vnimesh.h>

#include "config.h"
#include "json.h"
#include "limits.h"

/* A block needs the host's own address and one more; IPv4 keeps the first
 * and the last address of a block free.
 */
#define BLOCK4_MAX		30
#define BLOCK6_MAX		126
#define VNI_BLOCK_DEFAULT	256
#define VNI_BLOCK_MAX		65536

/* "ADDRESS:PORT", IPv6 addresses in brackets. */
static void read_listen(struct jobj *root, struct config *cfg)
{
	const char *text = "127.0.0.1:7900";
	char addr[IP_TEXT_MAX];
	const char *colon;
	unsigned long port;
	const char *from;
	size_t n;

	jget_str(root, "listen", JOPT, 64, &text);
	colon = strrchr(text, ':');
	from = text;
	n = colon ? (size_t)(colon - text) : 0;
	if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
		from++;
		n -= 2;
	} else if (memchr(text, ':', n)) {
		n = 0;
	}
	if (!n || n >= sizeof(addr))
		goto bad;
	memcpy(addr, from, n);
	addr[n] = '\0';
	if (!ip_parse(addr, &cfg->listen))
		goto bad;
	n = strlen(colon + 1);
	if (!n || n > 5 || strspn(colon + 1, "0123456789") != n)
		goto bad;
	port = strtoul(colon + 1, NULL, 10);
	if (port > 65535)
		goto bad;
	cfg->listen_port = port;
	return;

bad:
	jread_fail(root, "listen",
		   "must be ADDRESS:PORT, an IPv6 address in brackets");
}

static void read_prefixes(struct jobj *obj, struct mesh *mesh)
{
	jget_prefix(obj, "prefix4", JREQ, AF_INET, &mesh->prefix4);
	jget_prefix(obj, "prefix6", JREQ, AF_INET6, &mesh->prefix6);
	jget_prefix(obj, "service_prefix4", JREQ, AF_INET, &mesh->service4);
	jget_prefix(obj, "service_prefix6", JREQ, AF_INET6, &mesh->service6);
	if (!jread_ok(obj->rd))
		return;

	jget_u32(obj, "block4", JOPT, mesh->prefix4.len + 1, BLOCK4_MAX,
		 &mesh->block4);
	jget_u32(obj, "block6", JOPT, mesh->prefix6.len + 1, BLOCK6_MAX,
		 &mesh->block6);
	if (mesh->block4 <= mesh->prefix4.len)
		jread_fail(obj, "block4", "must be longer than prefix4");
	if (mesh->block6 <= mesh->prefix6.len)
		jread_fail(obj, "block6", "must be longer than prefix6");
	if (mesh->service4.len < 8 || mesh->service4.len > BLOCK4_MAX)
		jread_fail(obj, "service_prefix4",
			   "must have a length of 8 to %u", BLOCK4_MAX);
	if (mesh->service6.len != 64)
		jread_fail(obj, "service_prefix6", "must have a length of 64");
	if (ip_within(&mesh->prefix4.addr, &mesh->service4))
		jread_fail(obj, "service_prefix4", "must not contain prefix4");
	if (ip_within(&mesh->prefix6.addr, &mesh->service6))
		jread_fail(obj, "service_prefix6", "must not contain prefix6");
}

static void read_mesh(struct jobj *root, struct mesh *mesh)
{
	struct jobj obj;

	if (!jget_obj(root, "mesh", JREQ, &obj))
		return;
	jget_u32(&obj, "id", JREQ, 1, VNIMESH_ID_MAX, &mesh->id);
	jget_u32(&obj, "port", JOPT, 1, 65535, &mesh->port);
	jget_u32(&obj, "vni_block", JOPT, 2, VNI_BLOCK_MAX, &mesh->vni_block);
	read_prefixes(&obj, mesh);
	jobj_end(&obj);
}

static void read_addresses(struct jobj *root, struct config *cfg)
{
	struct jarr arr;
	const char *text;

	if (!jget_arr(root, "addresses", JOPT, ADDRESSES_MAX, &arr))
		return;
	while (cfg->nr_addresses < arr.n) {
		unsigned int i = cfg->nr_addresses++;

		if (!jarr_str(&arr, i, IP_TEXT_MAX, &text))
			return;
		if (!ip_parse(text, &cfg->addresses[i]))
			jarr_fail(&arr, i, "must be an IPv4 or IPv6 address");
	}
}

static void read_path(struct jobj *obj, const char *key, char *ret, size_t len)
{
	const char *text;

	if (jget_str(obj, key, JOPT, len - 1, &text))
		strcpy(ret, text);
	if (jread_ok(obj->rd) && *ret && access(ret, R_OK))
		jread_fail(obj, key, "cannot be read: %s", strerror(errno));
}

static void read_etcd(struct jobj *root, struct etcd_access *a)
{
	char file[512] = "";
	const char *text;
	char error[600];
	struct jobj obj;

	if (!jget_obj(root, "etcd", JOPT, &obj))
		return;
	read_path(&obj, "ca", a->ca, sizeof(a->ca));
	read_path(&obj, "cert", a->cert, sizeof(a->cert));
	read_path(&obj, "key", a->key, sizeof(a->key));
	if (jget_str(&obj, "user", JOPT, sizeof(a->user) - 1, &text))
		strcpy(a->user, text);
	if (jget_str(&obj, "password_file", JOPT, sizeof(file) - 1, &text))
		strcpy(file, text);
	if (jget_u32(&obj, "history_ms", JOPT, 0, ETCD_HISTORY_MAX_MS,
		     &a->history_ms) &&
	    a->history_ms && a->history_ms < ETCD_HISTORY_MIN_MS)
		jread_fail(&obj, "history_ms", "must be 0 (all), or %u to %u",
			   ETCD_HISTORY_MIN_MS, ETCD_HISTORY_MAX_MS);
	jobj_end(&obj);
	if (!jread_ok(root->rd))
		return;
	if (!*a->ca && (*a->cert || *file))
		jread_fail(&obj, "ca",
			   "required: cert and password are for nobody unknown");
	else if (!*a->cert != !*a->key)
		jread_fail(&obj, *a->key ? "cert" : "key",
			   "required: cert and key belong together");
	else if (!*a->user != !*file)
		jread_fail(&obj, *a->user ? "password_file" : "user",
			   "required: user and password_file belong together");
	else if (*file && !secret_read(file, a->password, error, sizeof(error)))
		jread_fail(&obj, "password_file", "%s", error);
}

static void read_root(struct jobj *root, struct config *cfg)
{
	const char *store = NULL;
	const char *dir;

	read_listen(root, cfg);
	jget_bool(root, "insecure", JOPT, &cfg->insecure);
	if (jget_str(root, "store", *cfg->store ? JOPT : JREQ,
		     sizeof(cfg->store) - 1, &store) && !*cfg->store)
		strcpy(cfg->store, store);
	if (store && !*store)
		jread_fail(root, "store", "must not be empty");
	read_etcd(root, &cfg->etcd);
	if (jget_str(root, "tls_dir", JOPT, sizeof(cfg->tls_dir) - 1, &dir))
		strcpy(cfg->tls_dir, dir);
	read_addresses(root, cfg);
	jget_u32(root, "requests_per_second", JOPT, 1, RATE_MAX, &cfg->rate);
	jget_u32(root, "connections_per_client", JOPT, CLIENT_MIN,
		 CONNECTIONS_MAX, &cfg->connections);
	jget_u32(root, "lease_ms", JOPT, LEASE_MIN_MS, LEASE_MAX_MS,
		 &cfg->lease_ms);
	read_mesh(root, &cfg->mesh);
	jobj_end(root);

	if (jread_ok(root->rd) && !ip_loopback(&cfg->listen) &&
	    !cfg->insecure && !*cfg->tls_dir)
		jread_fail(root, "listen",
			   "beyond loopback only with \"tls_dir\": without it there is neither encryption nor authentication");
	if (jread_ok(root->rd) && cfg->insecure && *cfg->tls_dir)
		jread_fail(root, "insecure", "not with tls_dir");
}

bool config_read(struct config *cfg, const char *file, const char *store,
		 char *err, size_t len)
{
	struct jobj root;
	struct jread rd;
	bool ok;

	memset(cfg, 0, sizeof(*cfg));
	if (store)
		snprintf(cfg->store, sizeof(cfg->store), "%s", store);
	cfg->lease_ms = LEASE_DEFAULT_MS;
	cfg->rate = RATE_DEFAULT;
	cfg->connections = CONNECTIONS_PER_CLIENT;
	cfg->etcd.history_ms = ETCD_HISTORY_MS;
	cfg->mesh.port = VNIMESH_PORT_DEFAULT;
	cfg->mesh.block4 = 24;
	cfg->mesh.block6 = 64;
	cfg->mesh.vni_block = VNI_BLOCK_DEFAULT;

	if (jread_file(&rd, file, JREAD_STRICT) && jread_root(&rd, &root))
		read_root(&root, cfg);
	ok = jread_ok(&rd);
	if (!ok)
		jread_error(&rd, err, len);
	jread_free(&rd);
	return ok;
}
