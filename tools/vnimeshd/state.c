// SPDX-License-Identifier: GPL-2.0-or-later
/* The cache in state_dir. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dirsync.h"
#include "local.h"
#include "log.h"
#include "next.h"
#include "state.h"
#include "wire.h"

#define STATE_FORMAT	1

struct state {
	struct mesh *m;
	struct source *timer;
	uint64_t due_us;	/* 0: nothing to write */
	int lock;		/* held by being open */
};

static void file_name(const struct state *s, const char *suffix, char *buf,
		      size_t len)
{
	snprintf(buf, len, "%s/%s%s", s->m->conf.state_dir, STATE_FILE, suffix);
}

static void load_nodes(struct facts *f, json_t *list)
{
	struct node node;
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		if (!wire_node(item, &node))
			continue;
		node.cached = true;
		facts_set_node(f, &node, 0);
	}
}

static void load_members(const struct facts *f, struct service *s, json_t *json)
{
	struct sorted list;
	size_t i;

	if (!wire_members(json, s->tag, &list))
		return;
	for (i = 0; i < list.n; i++)
		((struct member *)list.v[i])->cached = true;
	facts_set_members(f, s, &list, 0);
}

static void load_services(struct facts *f, json_t *root)
{
	json_t *members = json_object_get(root, "members");
	struct definition def;
	char tag[TAG_MAX + 1];
	struct service *s;
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(root, "services"), i, item) {
		if (!wire_service(item, tag, &def))
			continue;
		if (!facts_set_service(f, tag, &def, 0))
			ports_free(&def.ports);
	}
	json_object_foreach(members, key, item) {
		s = facts_service(f, key);
		if (s)
			load_members(f, s, item);
	}
}

static void load_own(struct local *l, json_t *list)
{
	struct past *p;
	json_t *item;
	size_t i;

	l->past = calloc(json_array_size(list) + 1, sizeof(*p));
	if (!l->past)
		return;
	json_array_foreach(list, i, item) {
		p = &l->past[l->n_past++];
		snprintf(p->tag, sizeof(p->tag), "%s",
			 wire_str(item, "tag", ""));
		p->vni = wire_u64(item, "vni", 0);
		/* One that was drained was not down. */
		p->up = strcmp(wire_str(item, "state", "down"), "down");
		p->health = wire_u64(item, "health", 0);
		p->latency_us = wire_u64(item, "latency_us", 0);
		/* A cache from before this was told apart has none refused. */
		p->granted = !json_is_false(json_object_get(item, "granted"));
		ip_parse(wire_str(item, "address4", ""), &p->address4);
		ip_parse(wire_str(item, "address6", ""), &p->address6);
	}
}

static bool load(struct state *s, json_t *root)
{
	struct facts *f = &s->m->facts;
	uint64_t self = wire_u64(root, "self", 0);
	struct mesh_params mesh;

	if (wire_u64(root, "format", 0) != STATE_FORMAT ||
	    !wire_mesh(json_object_get(root, "mesh"), &mesh))
		return false;
	/* Another name is another node: this cache is not about it. */
	if (strcmp(wire_str(root, "name", ""), s->m->conf.name))
		return false;
	load_nodes(f, json_object_get(root, "nodes"));
	if (!self || self > UINT32_MAX || !facts_node(f, self)) {
		sorted_clear(&f->nodes, free);
		return false;
	}
	f->mesh = mesh;
	f->self = self;
	f->joined = true;
	load_services(f, root);
	load_own(s->m->local, json_object_get(root, "own"));
	return true;
}

bool state_load(struct state *s)
{
	json_error_t error;
	char file[1024];
	json_t *root;
	bool ok;

	file_name(s, "", file, sizeof(file));
	if (access(file, F_OK))
		return false;
	root = json_load_file(file, 0, &error);
	ok = root && load(s, root);
	if (!root)
		log_warn("%s:%d: %s; starting without it", file, error.line,
			 error.text);
	else if (!ok)
		log_warn("%s: of another node or version; starting without it",
			 file);
	json_decref(root);
	return ok;
}

static json_t *pack_members(const struct service *s)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < s->members.n; i++)
		json_array_append_new(list, wire_pack_member(s->tag,
							     s->members.v[i]));
	return list;
}

static json_t *pack_own(const struct local *l)
{
	json_t *list = json_array();
	const struct own *o;
	struct member fact;
	json_t *item;
	size_t i;

	for (i = 0; i < l->own.n; i++) {
		o = l->own.v[i];
		if (!local_fact(l, o, &fact))
			continue;
		item = wire_pack_member(o->conf.tag, &fact);
		json_object_set_new(item, "granted", json_boolean(o->granted));
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *pack(const struct mesh *m)
{
	const struct facts *f = &m->facts;
	json_t *services = json_array();
	json_t *members = json_object();
	json_t *nodes = json_array();
	const struct service *s;
	json_t *root;
	size_t i;

	for (i = 0; i < f->nodes.n; i++)
		json_array_append_new(nodes, wire_pack_node(f->nodes.v[i]));
	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		if (!s->defined)
			continue;
		json_array_append_new(services,
				      wire_pack_service(s->tag, &s->def));
		if (s->known)
			json_object_set_new(members, s->tag, pack_members(s));
	}
	root = json_pack("{s:i, s:s, s:I, s:o, s:o, s:o, s:o, s:o}",
			 "format", STATE_FORMAT, "name", m->conf.name,
			 "self", (json_int_t)f->self,
			 "mesh", wire_pack_mesh(&f->mesh), "nodes", nodes,
			 "services", services, "members", members,
			 "own", pack_own(m->local));
	next_json(root);
	return root;
}

int state_lock(struct state *s)
{
	char file[1024];

	file_name(s, ".lock", file, sizeof(file));
	mkdir(s->m->conf.state_dir, 0755);
	s->lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0) {
		/* No cache either; the kernel's claim is left. */
		log_warn("cannot lock %s: %s", file, strerror(errno));
		return 0;
	}
	if (!flock(s->lock, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
		return 0;
	log_err("another vnimeshd runs with state_dir %s",
		s->m->conf.state_dir);
	return -EBUSY;
}

static int write_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= n;
	}
	return fsync(fd) ? -errno : 0;
}

static int save(struct state *s, const char *text)
{
	char file[1024], tmp[1024];
	int err, fd;

	file_name(s, "", file, sizeof(file));
	file_name(s, ".new", tmp, sizeof(tmp));
	mkdir(s->m->conf.state_dir, 0755);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text, strlen(text));
	close(fd);
	if (!err && rename(tmp, file))
		err = -errno;
	return err ? err : dir_sync(s->m->conf.state_dir);
}

int state_save(struct state *s)
{
	int err = -ENOMEM;
	json_t *root;
	char *text;

	s->due_us = 0;
	source_timer_stop(s->timer);
	if (!s->m->facts.joined)
		return 0;
	root = pack(s->m);
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (text)
		err = save(s, text);
	free(text);
	if (err)
		log_err("cannot write %s/%s: %s", s->m->conf.state_dir,
			STATE_FILE, strerror(-err));
	return err;
}

static void on_timer(void *data, uint64_t now_us)
{
	(void)now_us;
	state_save(data);
}

void state_changed(struct state *s, bool soon)
{
	uint64_t at = loop_now() + LOOP_USEC_PER_MSEC *
		      (soon ? STATE_DELAY_MS : STATE_IDLE_MS);

	if (s->due_us && s->due_us <= at)
		return;
	s->due_us = at;
	source_timer_set(s->timer, at);
}

struct state *state_new(struct mesh *m)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->m = m;
	s->lock = -1;
	if (loop_timer(m->loop, &s->timer, on_timer, s)) {
		free(s);
		return NULL;
	}
	return s;
}

void state_free(struct state *s)
{
	if (!s)
		return;
	if (s->due_us)
		state_save(s);
	source_free(&s->timer);
	if (s->lock >= 0)
		close(s->lock);
	free(s);
}
