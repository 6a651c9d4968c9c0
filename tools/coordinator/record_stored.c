// SPDX-License-Identifier: GPL-2.0-or-later
/* Records as only the store has them. */
#include <string.h>

#include "mem.h"
#include "record.h"

static void get_prefix_at(struct jarr *arr, unsigned int i,
			  struct ip_prefix *prefix)
{
	const char *text;

	if (jarr_str(arr, i, IP_TEXT_MAX, &text) &&
	    !ip_prefix_parse(text, prefix))
		jarr_fail(arr, i, "must be a prefix");
}

static void get_serial(struct jobj *obj, const char *key, char ret[33])
{
	const char *text;

	if (jget_str(obj, key, JOPT, 32, &text))
		strcpy(ret, text);
}

void record_read_node_def(struct jobj *obj, struct node_def *def)
{
	const char *joined;
	uint32_t peer_port = 0;
	uint32_t port = 0;
	struct jobj grant;
	struct jarr arr;

	jget_u32(obj, "node", JREQ, 1, NODES_MAX, &def->id);
	jget_name(obj, "name", JREQ, def->name);
	jget_name(obj, "zone", JOPT, def->zone);
	jget_addr(obj, "underlay", JREQ, 0, &def->underlay);
	jget_u32(obj, "port", JREQ, 1, 65535, &port);
	if (jget_arr(obj, "prefixes", JREQ, 2, &arr)) {
		get_prefix_at(&arr, 0, &def->prefix4);
		get_prefix_at(&arr, 1, &def->prefix6);
	}
	jget_addr(obj, "address4", JREQ, AF_INET, &def->address4);
	jget_addr(obj, "address6", JREQ, AF_INET6, &def->address6);
	jget_u32(obj, "vni", JREQ, 1, UINT32_MAX, &def->vni);
	jget_u32(obj, "vni_first", JREQ, 1, UINT32_MAX, &def->vni_first);
	jget_u32(obj, "vni_count", JREQ, 1, UINT32_MAX, &def->vni_count);
	jget_int(obj, "epoch", JREQ, 0, JINT_MAX, &def->epoch);
	jget_key(obj, "key", JOPT, def->key);
	jget_u32(obj, "peer_port", JOPT, 1, 65535, &peer_port);
	grant_default(&def->grant);
	if (jget_obj(obj, "grant", JOPT, &grant))
		grant_read(&grant, &def->grant);
	get_serial(obj, "serial", def->serial);
	get_serial(obj, "serial2", def->serial2);
	if (jget_str(obj, "joined", JOPT, 16, &joined))
		strcpy(def->joined, joined);
	jget_int(obj, "cert_from", JOPT, 0, JINT_MAX, &def->cert_from);
	def->peer_port = peer_port;
	def->port = port;
}

void record_read_service_def(struct jobj *obj, struct service_def *def)
{
	jget_tag(obj, "tag", JREQ, def->tag);
	jget_addr(obj, "address4", JREQ, AF_INET, &def->address4);
	jget_addr(obj, "address6", JREQ, AF_INET6, &def->address6);
	jget_u32(obj, "creator", JREQ, 0, NODES_MAX, &def->creator);
	record_read_service(obj, def);
}

json_t *record_resting(const char *tag, const struct ip_addr *address4)
{
	json_t *obj = mem_checked(json_object());
	char buf[IP_TEXT_MAX];

	record_set(obj, "tag", json_string(tag));
	record_set(obj, "address4", json_string(ip_text(address4, buf)));
	return obj;
}

json_t *record_mesh_def(const struct mesh *mesh)
{
	json_t *obj = record_mesh(mesh);

	record_set(obj, "block4", json_integer(mesh->block4));
	record_set(obj, "block6", json_integer(mesh->block6));
	record_set(obj, "vni_block", json_integer(mesh->vni_block));
	return obj;
}

void record_read_mesh(struct jobj *obj, struct mesh *mesh)
{
	const char *uuid;

	if (jget_str(obj, "uuid", JREQ, sizeof(mesh->uuid) - 1, &uuid))
		strcpy(mesh->uuid, uuid);
	jget_u32(obj, "id", JREQ, 1, VNIMESH_ID_MAX, &mesh->id);
	jget_u32(obj, "port", JREQ, 1, 65535, &mesh->port);
	jget_prefix(obj, "prefix4", JREQ, AF_INET, &mesh->prefix4);
	jget_prefix(obj, "prefix6", JREQ, AF_INET6, &mesh->prefix6);
	jget_u32(obj, "block4", JREQ, 1, 32, &mesh->block4);
	jget_u32(obj, "block6", JREQ, 1, 128, &mesh->block6);
	jget_u32(obj, "vni_block", JREQ, 2, UINT32_MAX, &mesh->vni_block);
	jget_prefix(obj, "service_prefix4", JREQ, AF_INET, &mesh->service4);
	jget_prefix(obj, "service_prefix6", JREQ, AF_INET6, &mesh->service6);
}
