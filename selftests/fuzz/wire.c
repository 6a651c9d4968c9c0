// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a coordinator answers, as the agent takes it over: objects in a list.
 * fuzz: agent
 */

#include "fuzz.h"
#include "log.h"
#include "wire.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_level = -1;
	return 0;
}

static void changed(void *data, const char *tag)
{
	(void)data;
	must(*tag);
}

static void take(struct facts *f, json_t *o)
{
	char incarnation[INCARNATION_MAX + 1], tag[TAG_MAX + 1];
	struct mesh_params mesh;
	struct definition def;
	struct sorted members;
	struct service *s;
	struct node node;
	uint64_t index;
	size_t i;

	if (wire_version(o, incarnation, &index)) {
		facts_incarnation(f, incarnation);
		f->index = index;
	}
	if (wire_mesh(o, &mesh))
		json_decref(wire_pack_mesh(&mesh));
	if (wire_node(o, &node)) {
		json_decref(wire_pack_node(&node));
		facts_set_node(f, &node, f->index);
	}
	if (wire_service(o, tag, &def)) {
		json_decref(wire_pack_service(tag, &def));
		if (!facts_set_service(f, tag, &def, f->index))
			ports_free(&def.ports);
	}
	if (!wire_members(json_object_get(o, "members"), "web", &members))
		return;
	for (i = 0; i < members.n; i++)
		if (!((struct member *)members.v[i])->unread)
			json_decref(wire_pack_member("web", members.v[i]));
	s = facts_service_make(f, "web");
	if (s)
		facts_set_members(f, s, &members, f->index);
	sorted_clear(&members, member_free);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	json_t *root = json_loadb((const char *)data, len, 0, NULL), *o;
	struct facts f;
	size_t i;

	facts_init(&f);
	if (json_is_array(root))
		json_array_foreach(root, i, o)
			take(&f, o);
	else
		take(&f, root);
	facts_route(&f);
	facts_silent(&f, 0, true, changed, NULL);
	facts_prune(&f);
	facts_free(&f);
	json_decref(root);
	return 0;
}
