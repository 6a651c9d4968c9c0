// SPDX-License-Identifier: GPL-2.0-or-later
/* What this agent was told, kept over restarts. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/vnimesh.h>

#include "dirsync.h"
#include "durable.h"
#include "json.h"
#include "log.h"

#define BOOT_ID_MAX	63
#define BAD_MAX		10	/* files that could not be read */

static const char *const words[] = { "drain", "maint", NULL };

static void boot_id(char ret[BOOT_ID_MAX + 1])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	ret[0] = '\0';
	if (!f)
		return;
	if (fgets(ret, BOOT_ID_MAX + 1, f))
		ret[strcspn(ret, "\n")] = '\0';
	fclose(f);
}

static void file_name(const struct durable *d, const char *suffix, char *buf,
		      size_t len)
{
	snprintf(buf, len, "%s/%s%s", d->dir, DURABLE_FILE, suffix);
}

static bool get_text(struct jobj *o, const char *key, char *ret, size_t len)
{
	const char *text;

	if (!jget_str(o, key, JOPT, len - 1, &text))
		return false;
	strcpy(ret, text);
	return true;
}

static int load_intent(struct durable *d, struct jobj *o)
{
	struct intent in = { 0 };
	unsigned int word = 0;
	uint32_t uid = 0;
	int64_t since = 0;

	jget_tag(o, "tag", JREQ, in.tag);
	jget_u32(o, "vni", JOPT, 0, UINT32_MAX, &in.vni);
	jget_word(o, "state", JREQ, words, &word);
	jget_u32(o, "uid", JOPT, 0, UINT32_MAX, &uid);
	jget_int(o, "since", JOPT, 0, JINT_MAX, &since);
	get_text(o, "reason", in.reason, sizeof(in.reason));
	if (!jobj_end(o))
		return -EINVAL;
	in.state = word + VNIMESH_STATE_DRAIN;
	in.uid = uid;
	in.since = since;
	return durable_set_intent(d, &in);
}

static int load_registered(struct durable *d, struct jobj *o)
{
	struct vni_device dev = { 0 };
	uint32_t vni = 0, uid = 0;
	int64_t made_us = 0;
	char tag[TAG_MAX + 1] = "";
	struct jobj def;

	jget_u32(o, "ifindex", JOPT, 0, UINT32_MAX, &dev.ifindex);
	jget_int(o, "made_us", JOPT, 0, JINT_MAX, &made_us);
	jget_u32(o, "uid", JOPT, 0, UINT32_MAX, &uid);
	if (!jget_obj(o, "service", JREQ, &def))
		return -EINVAL;
	jget_tag(&def, "tag", JREQ, tag);
	jget_u32(&def, "vni", JREQ, 1, UINT32_MAX, &vni);
	if (!jobj_end(o))
		return -EINVAL;
	dev.made_us = made_us;
	return durable_add(d, tag, vni, dev, uid, def.json);
}

static int load(struct durable *d, struct jobj *root)
{
	char boot[BOOT_ID_MAX + 1], was[BOOT_ID_MAX + 1] = "";
	struct jarr arr;
	struct jobj o;
	unsigned int i;
	int err = 0;

	boot_id(boot);
	get_text(root, "boot", was, sizeof(was));
	if (jget_arr(root, "intent", JOPT, INTENTS_MAX, &arr))
		for (i = 0; !err && i < arr.n && jarr_obj(&arr, i, &o); i++)
			err = load_intent(d, &o);
	if (err || !jget_arr(root, "registered", JOPT, REGISTERED_MAX, &arr) ||
	    strcmp(boot, was))
		return err;
	for (i = 0; !err && i < arr.n && jarr_obj(&arr, i, &o); i++)
		err = load_registered(d, &o);
	return err;
}

static void clear(struct durable *d)
{
	size_t i;

	for (i = 0; i < d->n_regs; i++)
		json_decref(d->regs[i].def);
	free(d->regs);
	free(d->intents);
	d->regs = NULL;
	d->n_regs = 0;
	d->intents = NULL;
	d->n_intents = 0;
}

int durable_load(struct durable *d, const char *state_dir, char *error,
		 size_t len)
{
	struct jread rd;
	struct jobj root;
	char file[1024];
	int err = 0;

	memset(d, 0, sizeof(*d));
	snprintf(d->dir, sizeof(d->dir), "%s", state_dir);
	file_name(d, "", file, sizeof(file));
	if (access(file, F_OK) && errno == ENOENT)
		return 0;
	/* A later version of this agent may have written it. */
	jread_file(&rd, file, JREAD_LENIENT);
	if (jread_root(&rd, &root))
		err = load(d, &root);
	if (!jread_ok(&rd)) {
		err = rd.no_memory ? -ENOMEM : -EINVAL;
		jread_error(&rd, error, len);
	} else if (err) {
		snprintf(error, len, "%s: %s", file, err == -ENOMEM ?
			 "no memory" : strerror(-err));
	}
	/* What came before it, alone, would be written over the rest. */
	if (err)
		clear(d);
	d->unread = err;
	jread_free(&rd);
	return err;
}

void durable_free(struct durable *d)
{
	clear(d);
	memset(d, 0, sizeof(*d));
}

static json_t *pack_intent(const struct intent *in)
{
	return json_pack("{s:s, s:I, s:s, s:I, s:I, s:s}", "tag", in->tag,
			 "vni", (json_int_t)in->vni,
			 "state", words[in->state - VNIMESH_STATE_DRAIN],
			 "uid", (json_int_t)in->uid,
			 "since", (json_int_t)in->since,
			 "reason", in->reason);
}

static json_t *pack_reg(const struct registered *reg)
{
	return json_pack("{s:I, s:I, s:I, s:O}",
			 "ifindex", (json_int_t)reg->dev.ifindex,
			 "made_us", (json_int_t)reg->dev.made_us,
			 "uid", (json_int_t)reg->uid,
			 "service", reg->def);
}

/* NULL if one is missing: what was told is written as a whole. */
static json_t *pack_intents(const struct durable *d)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < d->n_intents; i++)
		if (json_array_append_new(list, pack_intent(&d->intents[i]))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *pack_regs(const struct durable *d)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < d->n_regs; i++)
		if (json_array_append_new(list, pack_reg(&d->regs[i]))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *pack(const struct durable *d)
{
	char boot[BOOT_ID_MAX + 1];

	boot_id(boot);
	return json_pack("{s:i, s:s, s:o, s:o}", "format", 1, "boot", boot,
			 "intent", pack_intents(d), "registered", pack_regs(d));
}

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;

	for (; len; text += n, len -= n) {
		n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0)
			return -errno;
	}
	return fsync(fd) ? -errno : 0;
}

/* @tmp becomes @file, which is @old until that is sure: what is refused must not
 * be there for who starts anew. What cannot be taken back is not refused.
 */
static int set_name(const struct durable *d, const char *tmp, const char *file,
		    const char *old)
{
	bool kept, fresh;
	int err;

	unlink(old);
	kept = !link(file, old);
	fresh = !kept && errno == ENOENT;
	if (rename(tmp, file))
		return -errno;
	err = dir_sync(d->dir);
	if (!err)
		return 0;
	if (kept ? !rename(old, file) : fresh && !unlink(file))
		return err;
	log_err("%s: %s; what was changed last may be lost with the power",
		d->dir, strerror(-err));
	return 0;
}

/* A person may mend what could not be read, or a later version read it. */
static int put_aside(struct durable *d, const char *file)
{
	char bad[1024], suffix[16] = ".bad";
	unsigned int i;

	for (i = 1; i <= BAD_MAX; i++) {
		file_name(d, suffix, bad, sizeof(bad));
		if (access(bad, F_OK))
			break;
		snprintf(suffix, sizeof(suffix), ".bad.%u", i);
	}
	/* Under both names, so that there is one to complain of until it is replaced. */
	if ((i > BAD_MAX || link(file, bad)) && rename(file, bad))
		return errno == ENOENT ? 0 : -errno;
	log_warn("%s, which could not be read, is kept as %s%s", file, bad,
		 i > BAD_MAX ? ", in place of another" : "");
	return 0;
}

static int replace(struct durable *d, const char *text)
{
	char file[1024], tmp[1024], old[1024];
	int fd, err;

	file_name(d, "", file, sizeof(file));
	file_name(d, ".new", tmp, sizeof(tmp));
	file_name(d, ".old", old, sizeof(old));
	mkdir(d->dir, 0755);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text);
	close(fd);
	if (!err && d->unread)
		err = put_aside(d, file);
	if (!err)
		err = set_name(d, tmp, file, old);
	if (!err)
		d->unread = false;
	unlink(old);
	return err;
}

/* Into a buffer of its size: one that grows loses words for want of memory, and
 * json_dumps() does not say so.
 */
static char *to_text(const json_t *root)
{
	size_t len = root ? json_dumpb(root, NULL, 0, JSON_COMPACT) : 0;
	char *text = len ? malloc(len + 1) : NULL;

	if (!text)
		return NULL;
	if (json_dumpb(root, text, len, JSON_COMPACT) != len) {
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

int durable_save(struct durable *d)
{
	json_t *root = pack(d);
	char *text = to_text(root);
	int err = text ? replace(d, text) : -ENOMEM;

	free(text);
	json_decref(root);
	return err;
}

const struct intent *durable_intent(const struct durable *d, const char *tag,
				    uint32_t vni)
{
	const struct intent *in, *worst = NULL;
	size_t i;

	for (i = 0; i < d->n_intents; i++) {
		in = &d->intents[i];
		if ((in->vni && in->vni != vni) || strcmp(in->tag, tag))
			continue;
		if (!worst || in->state > worst->state)
			worst = in;
	}
	return worst;
}

const struct intent *durable_said(const struct durable *d, const char *tag,
				  uint32_t vni, bool by_root)
{
	const struct intent *in;
	size_t i;

	for (i = 0; i < d->n_intents; i++) {
		in = &d->intents[i];
		if (in->vni == vni && !in->uid == by_root &&
		    !strcmp(in->tag, tag))
			return in;
	}
	return NULL;
}

int durable_set_intent(struct durable *d, const struct intent *intent)
{
	struct intent *v = (struct intent *)
		durable_said(d, intent->tag, intent->vni, !intent->uid);

	if (intent->state == VNIMESH_STATE_UP) {
		if (v)
			*v = d->intents[--d->n_intents];
		return 0;
	}
	if (!v) {
		if (d->n_intents == INTENTS_MAX)
			return -ENOSPC;
		v = realloc(d->intents, (d->n_intents + 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		d->intents = v;
		v += d->n_intents++;
	}
	*v = *intent;
	return 0;
}

struct registered *durable_find(struct durable *d, const char *tag,
				uint32_t vni)
{
	size_t i;

	for (i = 0; i < d->n_regs; i++)
		if (d->regs[i].vni == vni && !strcmp(d->regs[i].tag, tag))
			return &d->regs[i];
	return NULL;
}

static size_t count_parts(const json_t *check)
{
	const json_t *sub;
	size_t i, n = 1;

	json_array_foreach(json_object_get(check, "checks"), i, sub)
		n += count_parts(sub);
	return n;
}

struct check_size durable_size(const json_t *def)
{
	const json_t *check = json_object_get(def, "check");
	struct check_size ret = { 0 };

	if (!check)
		return ret;
	ret.parts = count_parts(check);
	ret.bytes = json_dumpb(check, NULL, 0, JSON_COMPACT);
	return ret;
}

int durable_add(struct durable *d, const char *tag, uint32_t vni,
		struct vni_device dev, uid_t uid, json_t *def)
{
	struct registered *r = durable_find(d, tag, vni);

	if (!r) {
		if (d->n_regs == REGISTERED_MAX)
			return -ENOSPC;
		r = realloc(d->regs, (d->n_regs + 1) * sizeof(*r));
		if (!r)
			return -ENOMEM;
		d->regs = r;
		r += d->n_regs++;
		memset(r, 0, sizeof(*r));
		snprintf(r->tag, sizeof(r->tag), "%s", tag);
		r->vni = vni;
	}
	json_incref(def);
	json_decref(r->def);
	r->def = def;
	r->size = durable_size(def);
	r->dev = dev;
	r->uid = uid;
	return 0;
}

bool durable_del(struct durable *d, const char *tag, uint32_t vni)
{
	struct registered *r = durable_find(d, tag, vni);

	if (!r)
		return false;
	json_decref(r->def);
	*r = d->regs[--d->n_regs];
	return true;
}
