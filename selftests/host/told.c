// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an agent is told at run time, from the objects that vnimeshd is built of:
 * registrations and intent on VNIs that are said to be here, asked for as on the
 * control socket. Prints TAP.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control_ops.h"
#include "local_priv.h"
#include "log.h"
#include "tap.h"
#include "told.h"

#define MANY	1000000000L

unsigned int tests, failures;

static char dir[64], file[128];
static int dir_errno;	/* what syncing a directory ends with, 0: well */
static int link_errno;	/* ... and a second name of a file */
static long allocs = MANY;	/* so many are left that succeed */
static bool once;	/* ... and one more does not */
static size_t no_size;	/* none of this one does */
static struct loop *loop;
struct mesh *mesh;

/* The agent's. */
int fsync(int fd)
{
	struct stat st;

	if (dir_errno && !fstat(fd, &st) && S_ISDIR(st.st_mode)) {
		errno = dir_errno;
		return -1;
	}
	return syscall(SYS_fsync, fd);
}

int link(const char *from, const char *to)
{
	if (link_errno) {
		errno = link_errno;
		return -1;
	}
	return syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static bool may_have(size_t size)
{
	return size != no_size && (allocs-- > 0 || (once && allocs < -1));
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return may_have(size) ? __real_malloc(size) : NULL;
}

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size)
{
	return may_have(size) ? __real_realloc(p, size) : NULL;
}

/* When the devices were made, as the kernel says; 0: it does not. */
static uint64_t made_us;

/* VNI and VNI + 1 have devices, from @ifindex on. */
static void devices(uint32_t ifindex)
{
	struct local *l = mesh->local;
	unsigned int i;

	free(l->vnis);
	l->vnis = calloc(2, sizeof(*l->vnis));
	l->n_vnis = 2;
	l->known = true;
	for (i = 0; i < 2; i++) {
		l->vnis[i].vni = VNI + i;
		l->vnis[i].dev.ifindex = ifindex + i;
		l->vnis[i].dev.made_us = made_us;
		l->vnis[i].up = true;
		ip_parse("10.0.0.1", &l->vnis[i].address4);
	}
	local_sweep(l);
}

/* As the program starts; a file declares "filed" on VNI. False: it ends. */
static bool try_start(void)
{
	static struct config conf;
	struct services_conf services;
	char error[512];

	if (loop_new(&loop))
		exit(1);
	if (!config_read(file, &conf, error, sizeof(error)) ||
	    !services_read(conf.services_dir, &conf.allow, &services, error,
			   sizeof(error))) {
		log_err("%s", error);
		exit(1);
	}
	mesh = mesh_new(loop, file, &conf, &services, -1);
	return mesh;
}

static void start(void)
{
	if (!try_start())
		exit(1);
}

void restart(void)
{
	mesh_free(mesh);
	loop_free(loop);
	start();
	devices(10);
}

/* "" if it was done, or the error; valid until the next one. */
const char *ask(uid_t uid, const char *fmt, ...)
{
	static char error[1024], line[16384];
	const char *text;
	json_t *answer;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	answer = control_answer(mesh, uid, line, strlen(line));
	text = json_string_value(json_object_get(answer, "error"));
	snprintf(error, sizeof(error), "%s", text ? text : "");
	json_decref(answer);
	return error;
}

const char *regist(uid_t uid, const char *tag, unsigned int weight)
{
	return ask(uid, "{\"op\":\"register\",\"service\":{\"tag\":\"%s\",\"vni\":%u,"
		   "\"weight\":%u,\"check\":{\"type\":\"ttl\",\"ttl_ms\":60000}}}",
		   tag, VNI, weight);
}

const char *deregister(uid_t uid, const char *tag)
{
	return ask(uid, "{\"op\":\"deregister\",\"tag\":\"%s\",\"vni\":%u}", tag,
		   VNI);
}

/* @vni 0: all of the tag. */
const char *intend(uid_t uid, const char *tag, uint32_t vni,
		   const char *state)
{
	if (!vni)
		return ask(uid, "{\"op\":\"intent\",\"tag\":\"%s\",\"state\":\"%s\"}",
			   tag, state);
	return ask(uid, "{\"op\":\"intent\",\"tag\":\"%s\",\"vni\":%u,\"state\":\"%s\"}",
		   tag, vni, state);
}

bool is_here(const char *tag)
{
	return local_find(mesh->local, tag, VNI);
}

static uint8_t intent_of(const char *tag)
{
	const struct intent *in;

	in = durable_intent(&mesh->local->durable, tag, VNI);
	return in ? in->state : VNIMESH_STATE_UP;
}

bool is_drained(const char *tag)
{
	return intent_of(tag) == VNIMESH_STATE_DRAIN;
}

uint32_t weight_of(const char *tag)
{
	const struct own *o = local_find(mesh->local, tag, VNI);

	return o ? o->conf.weight : 0;
}

/* A user's intent about a registered member ends with it, and with nothing else. */
static void test_intent_goes(void)
{
	start();
	devices(10);
	ok(!*regist(0, "app", 1) && !*intend(USER, "app", VNI, "drain") &&
	   is_drained("app"), "told: a registered member that is drained");
	ok(!*intend(USER, "filed", VNI, "drain") && is_drained("filed"),
	   "told: one of a file, too");
	ok(!*regist(0, "wide", 1) && !*intend(0, "wide", 0, "drain"),
	   "told: all of a tag");
	local_sweep(mesh->local);
	ok(is_here("app") && is_drained("app"),
	   "told: as long as its device is there, both are");
	restart();
	ok(is_here("app") && is_drained("app"),
	   "told: also when the agent starts anew");
	devices(20);
	ok(!is_here("app") && !is_drained("app"),
	   "told: with the device goes the member, with it the intent");
	ok(is_drained("filed"), "told: that about a file's member stays");
	ok(is_drained("wide"), "told: and that about all of a tag");
	devices(10);
	restart();
	ok(!is_drained("app") && is_drained("filed") && is_drained("wide"),
	   "told: so it is on disk");
	ok(!*regist(0, "app", 1) && is_here("app") && !is_drained("app"),
	   "told: the next one there is not drained");
	ok(!*intend(USER, "app", VNI, "drain") && !*deregister(0, "app") &&
	   !*regist(0, "app", 1) && !is_drained("app"),
	   "told: nor after it was taken back");
	ok(!*regist(0, "wide", 1) && is_drained("wide"),
	   "told: what is said about a tag counts for who comes later");
}

/* What root says holds until root takes it back, whoever comes and goes. */
static void test_root_said(void)
{
	ok(!*regist(USER, "job", 1) && !*intend(0, "job", VNI, "drain") &&
	   is_drained("job"), "root: drains the member of a user");
	ok(strstr(intend(USER, "job", VNI, "up"), "only root takes it back") &&
	   is_drained("job"), "root: who cannot take it back");
	ok(!*intend(USER, "job", VNI, "maint") &&
	   intent_of("job") == VNIMESH_STATE_MAINT,
	   "root: but say more; the worst counts");
	devices(20);
	ok(!is_here("job") && is_drained("job"),
	   "root: with the device goes the member and what its user said");
	ok(!*regist(USER, "job", 1) && is_drained("job"),
	   "root: when it comes back it is drained as before");
	ok(!*deregister(USER, "job") && !*regist(USER, "job", 1) &&
	   is_drained("job"), "root: also when it was taken back");
	restart();
	ok(!is_here("job") && !*regist(USER, "job", 1) && is_drained("job"),
	   "root: also when the agent starts anew");
	ok(!*intend(USER, "job", VNI, "maint") &&
	   !*intend(USER, "job", VNI, "up") && is_drained("job"),
	   "root: what a user takes back is its own");
	ok(!*intend(USER, "job", VNI, "maint") && !*intend(0, "job", VNI, "up") &&
	   intent_of("job") == VNIMESH_STATE_UP, "root: takes back all");
	ok(!*intend(0, "job", VNI, "drain") && !*deregister(USER, "job") &&
	   !*intend(0, "job", VNI, "up") && !*regist(USER, "job", 1) &&
	   !is_drained("job") && !*deregister(USER, "job"),
	   "root: also what is about nobody");
	ok(!*regist(0, "app", 1) && !*regist(0, "wide", 1), "root: and others");
}

/* The file is there, but not for sure its name. */
static void test_name(void)
{
	char path[128];

	dir_errno = EIO;
	ok(strstr(regist(0, "old", 2), "cannot be written") &&
	   weight_of("old") == 1, "not written: the name of the file");
	dir_errno = 0;
	restart();
	ok(weight_of("old") == 1,
	   "not written: nor is it there for who starts anew");
	dir_errno = EIO;
	link_errno = EPERM;
	ok(!*regist(0, "old", 3) && weight_of("old") == 3,
	   "not written: what cannot be taken back from disk is done");
	dir_errno = 0;
	restart();
	ok(weight_of("old") == 3 && !*regist(0, "old", 1) &&
	   weight_of("old") == 1, "not written: and is there");
	link_errno = 0;
	snprintf(path, sizeof(path), "%s/state/local.json", dir);
	unlink(path);
	dir_errno = EIO;
	ok(strstr(regist(0, "old", 2), "cannot be written") &&
	   access(path, F_OK), "not written: where there was no file is none");
	dir_errno = 0;
	ok(!*intend(USER, "app", VNI, "drain"), "not written: now it is");
	strcat(path, ".old");
	ok(access(path, F_OK), "not written: nothing else stays there");
}

/* What cannot be written did not happen. */
static void test_not_written(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/state/local.json.new", dir);
	ok(!*regist(0, "old", 1) && !*intend(USER, "old", VNI, "drain"),
	   "not written: a member");
	if (mkdir(path, 0700))
		exit(1);
	ok(strstr(regist(0, "old", 2), "cannot be written") &&
	   weight_of("old") == 1, "not written: another definition");
	ok(strstr(regist(0, "new", 2), "cannot be written") &&
	   !is_here("new"), "not written: another member");
	ok(strstr(intend(USER, "old", VNI, "up"), "cannot be written") &&
	   is_drained("old"), "not written: the end of an intent");
	ok(strstr(intend(0, "old", VNI, "up"), "cannot be written") &&
	   is_drained("old"), "not written: another intent");
	ok(strstr(deregister(0, "old"), "cannot be written") &&
	   is_here("old") && is_drained("old"), "not written: its end");
	rmdir(path);
	test_name();
	dir_errno = EINVAL;
	ok(!*intend(USER, "app", VNI, "drain"),
	   "not written: now it can be, if not the directory");
	dir_errno = 0;
	restart();
	ok(weight_of("old") == 1 && is_drained("old") && !is_here("new"),
	   "not written: nothing of it is there");
	ok(!*deregister(0, "old") && !*deregister(0, "app") &&
	   !*deregister(0, "wide"), "not written: an end");
}

static void write_file(const char *path, const char *fmt, ...)
{
	FILE *f = fopen(path, "we");
	va_list ap;

	if (!f)
		exit(1);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	if (fclose(f))
		exit(1);
}

/* What agents of this boot have told; what they have registered follows. */
static FILE *begin_file(void)
{
	char path[128], boot[64] = "";
	FILE *f;

	f = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (!f || !fgets(boot, sizeof(boot), f))
		exit(1);
	fclose(f);
	boot[strcspn(boot, "\n")] = '\0';
	snprintf(path, sizeof(path), "%s/state/local.json", dir);
	f = fopen(path, "we");
	if (!f)
		exit(1);
	fprintf(f, "{\"format\":1,\"boot\":\"%s\",\"intent\":[", boot);
	return f;
}

static void put_intent(FILE *f, uid_t uid, const char *tag, unsigned int i)
{
	fprintf(f, "%s{\"tag\":\"%s%u\",\"vni\":%u,\"state\":\"drain\",",
		i ? "," : "", tag, i, VNI);
	fprintf(f, "\"uid\":%u,\"since\":%u}", (unsigned int)uid, 1000 + i);
}

static void put_registered(FILE *f, uid_t uid, const char *tag,
			   const char *check)
{
	fprintf(f, "{\"ifindex\":10,\"uid\":%u,\"service\":", (unsigned int)uid);
	fprintf(f, "{\"tag\":\"%s\",\"vni\":%u,\"check\":%s}}", tag, VNI, check);
}

static void end_file(FILE *f)
{
	fprintf(f, "]}");
	if (fclose(f))
		exit(1);
}

#define CHECK_TTL	"{\"type\":\"ttl\",\"ttl_ms\":60000}"

/* As it is written by an agent of this boot; the latest intent is of @last. */
void lay_file(const char *tag, unsigned int registered, unsigned int intents,
	      uid_t uid, uid_t last)
{
	FILE *f = begin_file();
	char its_tag[32];
	unsigned int i;

	for (i = 0; i < intents; i++)
		put_intent(f, i + 1 < intents ? uid : last, tag, i);
	fprintf(f, "],\"registered\":[");
	for (i = 0; i < registered; i++) {
		snprintf(its_tag, sizeof(its_tag), "%s%u", tag, i);
		if (i)
			fputc(',', f);
		put_registered(f, uid, its_tag, CHECK_TTL);
	}
	end_file(f);
}

static bool is_intended(const char *tag)
{
	return durable_intent(&mesh->local->durable, tag, VNI);
}

/* One registration with a check of the given kind. */
void lay_registered(uid_t uid, const char *tag, const char *check)
{
	FILE *f = begin_file();

	fprintf(f, "],\"registered\":[");
	put_registered(f, uid, tag, check);
	end_file(f);
}

static void test_room(void)
{
	const struct durable *d;
	char last[16];

	lay_file("gone", 0, INTENTS_MAX, 0, USER);
	restart();
	d = &mesh->local->durable;
	snprintf(last, sizeof(last), "gone%u", INTENTS_MAX - 1);
	ok(d->n_intents == INTENTS_MAX, "room: intents about nobody, and no place");
	ok(!*intend(0, "filed", VNI, "drain") && is_drained("filed") &&
	   d->n_intents == INTENTS_MAX && mesh->local->forgotten == 1,
	   "room: one of them goes for one about somebody");
	ok(!is_intended(last) && is_intended("gone0"), "room: that of a user");
	ok(!*intend(0, "filed", 0, "drain") && !is_intended("gone0") &&
	   is_intended("gone1") && mesh->local->forgotten == 2,
	   "room: only when there is none, the oldest of root");
	ok(mesh->local->shares.refused_full == 0, "room: nothing was refused");
}

/* Who is refused takes nobody's place. */
static void test_room_is_kept(void)
{
	const struct durable *d;
	unsigned int i, n = 0;
	char path[128];
	bool kept = false;

	snprintf(path, sizeof(path), "%s/state/local.json.new", dir);
	lay_file("gone", 0, INTENTS_MAX, 0, 0);
	restart();
	d = &mesh->local->durable;
	if (mkdir(path, 0700))
		exit(1);
	ok(strstr(intend(0, "filed", VNI, "drain"), "cannot be written") &&
	   d->n_intents == INTENTS_MAX && !is_drained("filed") &&
	   is_intended("gone0") && mesh->local->forgotten == 0,
	   "room: what cannot be written takes none");
	rmdir(path);
	ok(!*intend(0, "filed", VNI, "drain") && !is_intended("gone0"),
	   "room: what can be does");
	lay_file("gone", 0, SHARE_INTENTS, USER, USER);
	restart();
	d = &mesh->local->durable;
	/* A slow machine may let the next one pass. */
	for (i = 0; !n && i < 20; i++) {
		while (!share_change(&mesh->local->shares, USER, loop_now()))
			;
		n = strstr(intend(USER, "filed", VNI, i % 2 ? "drain" : "maint"),
			   "changes more than it may") != NULL;
		kept = is_intended("gone0") == !is_intended("filed");
	}
	ok(n && kept && d->n_intents == SHARE_INTENTS,
	   "room: who asks too often takes none");
}

/* The text of the file, or of one beside it; "" if there is none. */
static const char *on_disk_as(const char *suffix)
{
	static char text[65536];
	char path[128];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/state/local.json%s", dir, suffix);
	f = fopen(path, "re");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	if (f)
		fclose(f);
	return text;
}

static const char *on_disk(void)
{
	return on_disk_as("");
}

/* NULL: the file has nothing. */
static void declare(const char *more)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/d/a.json", dir);
	if (!more)
		write_file(path, "[]");
	else
		write_file(path, "[{\"tag\":\"filed\",\"vni\":%u}%s]", VNI, more);
}

/* A registration that a file takes over, and one that is allowed no more. */
static void test_taken_over(void)
{
	char more[64];

	lay_registered(0, "other", CHECK_TTL);
	restart();
	snprintf(more, sizeof(more), ",{\"tag\":\"both\",\"vni\":%u}", VNI);
	ok(!*regist(0, "both", 3) && strstr(on_disk(), "both"),
	   "taken over: a member is registered");
	declare(more);
	mesh_reload(mesh);
	ok(is_here("both") && weight_of("both") == 100 &&
	   !strstr(on_disk(), "both"), "taken over: a file has it now");
	restart();
	declare("");
	mesh_reload(mesh);
	ok(!is_here("both"),
	   "taken over: with the file it goes, also after another start");

	lay_registered(0, "filed", CHECK_TTL);
	restart();
	ok(is_here("filed") && !strstr(on_disk(), "filed"),
	   "taken over: also by a file that came while no agent ran");
	declare(NULL);
	mesh_reload(mesh);
	ok(!is_here("filed"), "taken over: what it took does not come back");
	declare("");
	mesh_reload(mesh);

	lay_registered(0, "cmd", "{\"type\":\"exec\",\"command\":[\"/bin/true\"]}");
	restart();
	ok(!is_here("cmd") && !strstr(on_disk(), "cmd"),
	   "taken over: what is allowed no more is not kept");
}

/* Read in part: nothing of it is known, and it is whole until somebody says so. */
static void test_damaged(void)
{
	static char was[4096];
	FILE *f = begin_file();

	put_intent(f, 0, "its", 0);
	fprintf(f, "],\"registered\":[");
	put_registered(f, 0, "filed", CHECK_TTL);
	fprintf(f, ",{\"ifindex\":10,\"uid\":0,\"service\":{\"tag\":7}},");
	put_registered(f, 0, "after", CHECK_TTL);
	end_file(f);
	snprintf(was, sizeof(was), "%s", on_disk());
	restart();
	ok(!strcmp(on_disk(), was),
	   "damaged: a file that was read in part is not written at the start");
	ok(!is_intended("its0") && !is_here("after"),
	   "damaged: what was registered and drained is not known");
	devices(20);
	mesh_reload(mesh);
	ok(!strcmp(on_disk(), was), "damaged: nor when devices or files change");
	ok(!*regist(0, "app", 1) && strstr(on_disk(), "app"),
	   "damaged: but when somebody registers");
	ok(!strcmp(on_disk_as(".bad"), was), "damaged: it is kept beside");
	ok(!*regist(0, "app2", 1) && !*on_disk_as(".bad.1"),
	   "damaged: and what is whole is not");
}

static void damage(const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/state/local.json", dir);
	write_file(path, "%s", text);
	restart();
}

/* None of them takes the place of another, as long as there are few. */
static void test_damaged_again(void)
{
	unsigned int i, n = 0;
	char path[128], text[32];

	damage("[]");
	snprintf(path, sizeof(path), "%s/state/local.json.new", dir);
	if (mkdir(path, 0700))
		exit(1);
	ok(strstr(regist(0, "app", 1), "cannot be written") &&
	   !strcmp(on_disk(), "[]"),
	   "damaged: where another cannot be written it stays where it is");
	rmdir(path);
	ok(!*regist(0, "app", 1) && strstr(on_disk_as(".bad"), "its0") &&
	   !strcmp(on_disk_as(".bad.1"), "[]"),
	   "damaged: the next one has a name of its own");
	for (i = 2; i < 12; i++) {
		snprintf(text, sizeof(text), "damaged %u", i);
		damage(text);
		n += !*regist(0, "app", 1);
	}
	ok(n == 10 && !strcmp(on_disk_as(".bad.1"), "[]") &&
	   !strcmp(on_disk_as(".bad.8"), "damaged 8") &&
	   !strcmp(on_disk_as(".bad.9"), "damaged 11") &&
	   !*on_disk_as(".bad.10"), "damaged: ten are kept, the last of them the latest");
	damage("[]");
	snprintf(path, sizeof(path), "%s/state/local.json", dir);
	unlink(path);
	ok(!*regist(0, "app", 1) && !strcmp(on_disk_as(".bad.9"), "damaged 11"),
	   "damaged: one that somebody took away is not missed");
}

static const char *regist_check(const char *tag, const char *check)
{
	return ask(0, "{\"op\":\"register\",\"service\":{\"tag\":\"%s\",\"vni\":%u,\"check\":%s}}",
		   tag, VNI, check);
}

/* The first report does not wait for what may never be said. */
static void test_silent(void)
{
	ok(local_settled(mesh->local), "silent: nothing is to be waited for");
	ok(!*regist_check("one", "{\"type\":\"ttl\",\"ttl_ms\":3600000}") &&
	   local_settled(mesh->local), "silent: nor a ttl check");
	ok(!*regist_check("two", "{\"type\":\"alias\",\"tag\":\"one\"}") &&
	   local_settled(mesh->local), "silent: nor who follows it");
	ok(!*regist_check("three", "{\"type\":\"all-of\",\"checks\":["
			  "{\"type\":\"none\"},"
			  "{\"type\":\"ttl\",\"ttl_ms\":60000}]}") &&
	   local_settled(mesh->local), "silent: nor several with one");
	ok(!*regist_check("four", "{\"type\":\"all-of\",\"checks\":["
			  "{\"type\":\"tcp\",\"port\":9},"
			  "{\"type\":\"ttl\",\"ttl_ms\":60000}]}") &&
	   !local_settled(mesh->local), "silent: but what is under way");
	ok(!*deregister(0, "one") && !*deregister(0, "two") &&
	   !*deregister(0, "three") && !*deregister(0, "four") &&
	   local_settled(mesh->local), "silent: until it went");
}

static void *some_memory(size_t size)
{
	return may_have(size) ? __real_malloc(size) : NULL;
}

/* With one allocation more each time, until that is enough: all that was told is
 * known, or nothing. How often there was no memory, by the error; -1: part of it.
 */
static int read_short(void)
{
	char error[1024], state[128];
	int err = -1, n = 0, all = -1;
	struct durable d;
	bool whole;

	snprintf(state, sizeof(state), "%s/state", dir);
	for (; err && ++all < 10000; durable_free(&d)) {
		allocs = all;
		err = durable_load(&d, state, error, sizeof(error));
		allocs = MANY;
		whole = d.n_intents == 3 && d.n_regs == 3;
		if (err ? d.n_intents || d.n_regs : !whole)
			return -1;
		n += err == -ENOMEM && strstr(error, "no memory");
	}
	ok(!err && all, "memory: a file is read, with so much of it");
	return n == all ? n : 0;
}

/* As often as there is no memory once to write it: is it whole then, and in the end? */
static bool write_short(void)
{
	char error[1024], state[128];
	struct durable d, now;
	int err = -1, all = -1;
	bool whole = true;

	snprintf(state, sizeof(state), "%s/state", dir);
	durable_load(&d, state, error, sizeof(error));
	once = true;
	while (err && whole && ++all < 10000) {
		allocs = all;
		err = durable_save(&d);
		allocs = MANY;
		durable_load(&now, state, error, sizeof(error));
		whole = now.n_intents == 3 && now.n_regs == 3;
		durable_free(&now);
	}
	once = false;
	durable_free(&d);
	return !err && all && whole;
}

static bool read_blind(void)
{
	char error[1024], state[128];
	struct rlimit was, none;
	struct durable d;
	int err;

	snprintf(state, sizeof(state), "%s/state", dir);
	getrlimit(RLIMIT_NOFILE, &was);
	none = was;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	err = durable_load(&d, state, error, sizeof(error));
	setrlimit(RLIMIT_NOFILE, &was);
	durable_free(&d);
	return err == -ENOMEM;
}

static void test_memory(void)
{
	int n;

	lay_file("its", 3, 3, 0, 0);
	ok(read_short() > 0, "memory: a file is read as a whole, or that is said");
	/* The JSON library has other words for it now and then. */
	json_set_alloc_funcs(some_memory, free);
	n = read_short();
	ok(write_short(), "memory: a file is written as a whole, or not at all");
	json_set_alloc_funcs(malloc, free);
	ok(n >= 0, "memory: none of it is used that the library did not read");
	ok(read_blind(), "memory: nor is a file damaged for want of a descriptor");
	mesh_free(mesh);
	loop_free(loop);
	no_size = sizeof(struct intent);
	ok(!try_start(), "memory: an agent does not start without");
	no_size = 0;
	loop_free(loop);
	ok(strstr(on_disk(), "its2"), "memory: and the file is as it was");
	start();
	devices(10);
	ok(is_here("its2") && is_drained("its2"), "memory: for who has some");
}

/* Of a new namespace, whose first device has the index of the former's. */
static void test_made(void)
{
	made_us = 1000;
	devices(10);
	ok(!*regist(0, "born", 1) && is_here("born"), "made: registered");
	restart();
	ok(is_here("born"), "made: it is of the device that is there still");
	devices(11);
	ok(is_here("born"), "made: also in another namespace");
	made_us = 1001;
	devices(11);
	ok(!is_here("born"), "made: not of one that has its index");
	ok(!*regist(0, "born", 1), "made: registered anew");
	made_us = 1002;
	restart();
	ok(!is_here("born"), "made: nor when that was made while the agent was away");
	made_us = 0;
	devices(10);
	ok(!*regist(0, "born", 1), "made: an older module does not say it");
	restart();
	ok(is_here("born"), "made: then the index counts");
	made_us = 1003;
	devices(10);
	ok(is_here("born"), "made: also when a newer one does");
	devices(11);
	ok(!is_here("born"), "made: ... and only that");
	made_us = 0;
	devices(10);
}

int main(int argc, char **argv)
{
	char path[128];

	if (argc != 2)
		return 2;
	snprintf(dir, sizeof(dir), "%s", argv[1]);
	snprintf(path, sizeof(path), "%s/d", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/d/a.json", dir);
	write_file(path, "[{\"tag\":\"filed\",\"vni\":%u}]", VNI);
	snprintf(file, sizeof(file), "%s/conf.json", dir);
	write_file(file, "{\"coordinator\":\"http://127.0.0.1:1\","
		   "\"node\":{\"name\":\"h\",\"underlay\":\"192.0.2.1\"},"
		   "\"state_dir\":\"%s/state\",\"services_dir\":\"%s/d\","
		   "\"control\":\"none\","
		   "\"grants\":[{\"uid\":%u,\"vnis\":[%u]}]}", dir, dir, USER,
		   VNI);
	test_intent_goes();
	test_root_said();
	test_not_written();
	test_room();
	test_room_is_kept();
	test_taken_over();
	test_silent();
	test_damaged();
	test_damaged_again();
	test_memory();
	test_shares();
	test_made();
	mesh_free(mesh);
	loop_free(loop);
	printf("1..%u\n", tests);
	return failures ? 1 : 0;
}
