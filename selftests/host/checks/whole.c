// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks as a whole: several in one, pushed ones, a late loop. */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "checks.h"
#include "tap.h"

static bool faster;

struct watch {
	struct check *check;
	struct health health;
	unsigned int results;
	unsigned int wanted;
	char text[512];
};

static void on_result(void *data, const char *output)
{
	struct watch *w = data;

	w->results++;
	snprintf(w->text, sizeof(w->text), "%s", output);
	if (w->wanted && w->results >= w->wanted)
		loop_exit(loop, 0);
}

static uint32_t any(void)
{
	static unsigned int seed = 1;

	return rand_r(&seed);
}

static void make_env(void)
{
	loop = renew();
	memset(&env, 0, sizeof(env));
	if (check_env_init(&env, loop, any) || http_new(&env.http, loop))
		exit(1);
	env.probes_max = 4096;
}

static void free_env(void)
{
	http_free(env.http);
	check_env_free(&env);
	loop_free(loop);
}

static struct watch *watch_new(const struct check_conf *c, const char *address)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct ip_addr addr;

	ip_parse(address, &addr);
	health_init(&w->health);
	w->check = check_new(&env, c, "t", 1, &w->health, on_result, w);
	if (!w->check)
		exit(1);
	check_start(w->check, &addr, NULL);
	return w;
}

static void watch_end(struct watch *w)
{
	check_free(w->check);
	free(w);
}

void test_groups(void)
{
	struct server s;
	struct check_conf *c;
	char def[512];
	struct watch *w;
	int i;

	for (i = 0; i < 2; i++) {
		make_env();
		serve(&s, SOCK_STREAM);
		snprintf(def, sizeof(def), "{\"type\":\"%s\",\"checks\":["
			 "{\"type\":\"tcp\",\"port\":%u,\"interval_ms\":50},"
			 "{\"type\":\"ttl\",\"ttl_ms\":60000}]}",
			 i ? "any-of" : "all-of", s.port);
		c = conf(def);
		w = watch_new(c, LOCAL);
		check_push(w->check, HEALTH_DEFINITE, "I am ill");
		w->wanted = i ? 1 : 2;
		loop_run(loop);
		if (i)
			ok(w->health.up, "any-of: one that passes is enough");
		else
			ok(!w->health.up && strstr(w->text, "ill"),
			   "all-of: one that fails is too much, and named");
		watch_end(w);
		conf_end(c);
		serve_end(&s);
		free_env();
	}
}

/* ---- the primary ---- */

#define REDIS_IS(role)	"+PONG\r\n*3\r\n$6\r\n" role "\r\n:0\r\n"

/* Answers, one for each attempt, and what is known after it. */
static const struct {
	const char *says;
	enum check_role role;
	bool up;
	const char *name;
} role_runs[] = {
	{ REDIS_IS("master"), CHECK_ROLE_PRIMARY, true, "role: it is the primary" },
	{ "-BUSY Redis is busy\r\n", CHECK_ROLE_PRIMARY, true,
	  "role: ... also when it does not say so once" },
	{ "", CHECK_ROLE_PRIMARY, true, "role: ... twice" },
	{ "+PONG\r\n*5\r\n$5\r\nslave\r\n", CHECK_ROLE_REPLICA, true,
	  "role: not once it says so" },
	{ REDIS_IS("master"), CHECK_ROLE_PRIMARY, true, "role: the primary again" },
	{ "+PONG\r\n*1\r\n$8\r\nsentinel\r\n", CHECK_ROLE_REPLICA, true,
	  "role: a sentinel takes no writes" },
	{ REDIS_IS("master"), CHECK_ROLE_PRIMARY, true, "role: once more" },
	{ "", CHECK_ROLE_PRIMARY, true, "role: it fails, once" },
	{ "", CHECK_ROLE_PRIMARY, true, "role: ... twice" },
	{ "", CHECK_ROLE_NONE, false, "role: ... who is down is no primary" },
};

#define ROLE_RUNS	(sizeof(role_runs) / sizeof(role_runs[0]))

struct role_test {
	struct watch leader, follower;
	struct check_conf *conf[2];
	struct server s;
	unsigned int n, good_follower;
};

static void role_says(struct role_test *t)
{
	t->s.say = role_runs[t->n].says;
	t->s.len = strlen(t->s.say);
}

static bool on_leader(void *data, const char *tag, uint32_t vni,
		      struct check_other *ret)
{
	struct role_test *t = data;

	(void)tag;
	(void)vni;
	*ret = (struct check_other) {
		.known = t->leader.health.known,
		.up = t->leader.health.up,
		.role_told = check_role_told(t->leader.check),
		.role = check_role(t->leader.check),
		.text = t->leader.text,
	};
	return true;
}

static void on_role(void *data, const char *output)
{
	struct role_test *t = data;
	bool primary = role_runs[t->n].role == CHECK_ROLE_PRIMARY;

	ok(check_role(t->leader.check) == role_runs[t->n].role &&
	   t->leader.health.up == role_runs[t->n].up, role_runs[t->n].name);
	snprintf(t->leader.text, sizeof(t->leader.text), "%s", output);
	check_follow(t->follower.check, "t", 1);
	t->good_follower += t->follower.health.up == primary;
	t->n++;
	if (t->n == ROLE_RUNS)
		loop_exit(loop, 0);
	else
		role_says(t);
}

#define ROLE_REDIS							\
	"{\"type\":\"redis\",\"port\":%u,\"rise\":1,\"fall\":3,"	\
	"\"damping\":false,\"interval_ms\":50,\"primary_tag\":\"p\"}"
#define ROLE_POSTGRES							\
	"{\"type\":\"postgres\",\"port\":%u,\"rise\":1,\"fall\":3,"	\
	"\"damping\":false,\"interval_ms\":50}"

/* Up, and of no role. */
static const char pg_full[] = "E\0\0\0\31SFATAL\0C53300\0Mfull\0";

/* The leader, whose results @answers gets, is up, of an unknown role, as after a
 * restart. Who follows it is as @known.
 */
static void role_begin(struct role_test *t, const char *leader,
		       check_fn answers, bool known)
{
	struct check_conf *c, *alias;
	struct ip_addr addr;
	char def[256];

	make_env();
	env.other = on_leader;
	env.data = t;
	serve(&t->s, SOCK_STREAM);
	t->s.close = true;
	snprintf(def, sizeof(def), leader, t->s.port);
	c = conf(def);
	alias = conf("{\"type\":\"alias\",\"tag\":\"t\",\"primary\":true,"
		     "\"interval_ms\":60000}");
	ip_parse(LOCAL, &addr);
	health_init(&t->leader.health);
	health_resume(&t->leader.health, true, HEALTH_MAX, 0);
	health_init(&t->follower.health);
	if (known)
		health_resume(&t->follower.health, true, HEALTH_MAX, 0);
	t->leader.check = check_new(&env, c, "t", 1, &t->leader.health, answers,
				    t);
	t->follower.check = check_new(&env, alias, "p", 1, &t->follower.health,
				      on_result, &t->follower);
	if (!t->leader.check || !t->follower.check)
		exit(1);
	check_start(t->leader.check, &addr, NULL);
	check_start(t->follower.check, &addr, NULL);
	t->conf[0] = c;
	t->conf[1] = alias;
}

static void role_end(struct role_test *t)
{
	check_free(t->leader.check);
	check_free(t->follower.check);
	conf_end(t->conf[0]);
	conf_end(t->conf[1]);
	serve_end(&t->s);
	free_env();
}

static void on_warned(void *data, const char *output)
{
	struct role_test *t = data;

	snprintf(t->leader.text, sizeof(t->leader.text), "%s", output);
	check_follow(t->follower.check, "t", 1);
	t->good_follower += t->follower.health.up;
	if (++t->n == 3)
		loop_exit(loop, 0);
}

/* One lost answer of a primary is none of a lost primary. */
void test_role(void)
{
	struct role_test t = { 0 }, busy = { 0 }, fresh = { 0 };

	role_begin(&t, ROLE_REDIS, on_role, true);
	role_says(&t);
	ok(t.follower.health.up && !t.follower.results,
	   "role: unknown after a restart, as before it");
	loop_run(loop);
	ok(t.good_follower == ROLE_RUNS, "role: the tag of the primary is as that");
	role_end(&t);

	role_begin(&busy, ROLE_POSTGRES, on_warned, true);
	busy.s.say = pg_full;
	busy.s.len = sizeof(pg_full);
	loop_run(loop);
	ok(busy.leader.health.up && busy.good_follower == 2 && !busy.follower.health.up,
	   "role: one that nobody says is none after as many as make it down");
	role_end(&busy);
	role_begin(&fresh, ROLE_POSTGRES, on_warned, false);
	ok(fresh.follower.health.known && !fresh.follower.health.up,
	   "role: who never had it does not wait to be told");
	role_end(&fresh);
}

/* A writer that is always faster than who reads, on any machine: if there will
 * be more, there is more. Of checks.sh by the linker.
 */
ssize_t __wrap_read(int fd, void *buf, size_t n)
{
	struct pollfd p = { fd, POLLIN, 0 };
	struct stat st;

	if (faster && !fstat(fd, &st) && S_ISFIFO(st.st_mode))
		poll(&p, 1, 1000);
	return syscall(SYS_read, fd, buf, n);
}

/* ---- whom a check trusts ---- */

static unsigned int system_reads, file_reads;
static unsigned int system_blind, file_blind;	/* so many find nothing */

/* Of checks.sh by the linker: what they cost is not of interest, but how often. */
int __wrap_gnutls_certificate_set_x509_system_trust(void *cred)
{
	(void)cred;
	system_reads++;
	/* So many as there are; 0 is what it says of a file that it cannot open. */
	return system_reads <= system_blind ? 0 : 144;
}

int __wrap_gnutls_certificate_set_x509_trust_file(void *cred, const char *file,
						  int type)
{
	(void)cred;
	(void)type;
	file_reads++;
	return file_reads <= file_blind || access(file, R_OK) ?
	       GNUTLS_E_FILE_ERROR : 1;
}

/* A port at which nobody is. */
static uint16_t closed_port(void)
{
	struct server s;

	serve(&s, SOCK_STREAM);
	serve_end(&s);
	return s.port;
}

/* Those of the system cost milliseconds, in which all else waits. */
static void test_trust_system(void)
{
	struct check_conf *c;
	struct watch *w[2];
	char def[128];

	make_env();
	snprintf(def, sizeof(def),
		 "{\"type\":\"tcp\",\"port\":%u,\"tls\":true,\"interval_ms\":50}",
		 closed_port());
	c = conf(def);
	system_reads = 0;
	w[0] = watch_new(c, LOCAL);
	w[1] = watch_new(c, LOCAL);
	w[0]->wanted = 10;
	loop_run(loop);
	ok(w[0]->results == 10 && w[1]->results && strstr(w[0]->text, "refused") &&
	   system_reads == 1,
	   "trust: checks that fail read the system's once, all of them together");
	watch_end(w[0]);
	watch_end(w[1]);
	conf_end(c);
	free_env();
}

/* What could not be read, as descriptors were short, is read at the next attempt. */
static void test_trust_blind(void)
{
	static const struct {
		const char *type, *tls, *name;
	} runs[] = {
		{ "tcp", "true", "trust: the system's, read in a bad moment, again" },
		{ "tcp", "{\"ca\":\"/etc/passwd\"}",
		  "trust: a file, read in a bad moment, again" },
		{ "https", "true", "trust: the system's for https as well" },
	};
	struct check_conf *c;
	struct watch *w;
	char def[160];
	int i;

	for (i = 0; i < 3; i++) {
		make_env();
		snprintf(def, sizeof(def), "{\"type\":\"%s\",\"port\":%u,"
			 "\"tls\":%s,\"interval_ms\":50}", runs[i].type,
			 closed_port(), runs[i].tls);
		c = conf(def);
		system_reads = 0;
		file_reads = 0;
		system_blind = 1;
		file_blind = 1;
		w = watch_new(c, LOCAL);
		w->wanted = 5;
		loop_run(loop);
		ok(system_reads + file_reads == 2 && !strstr(w->text, "TLS"),
		   runs[i].name);
		system_blind = 0;
		file_blind = 0;
		watch_end(w);
		conf_end(c);
		free_env();
	}
}

struct trust {
	char path[64], next[72];
	unsigned int results;
	unsigned int reads[5];	/* in all, after each step */
	bool missing;
};

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f))
		exit(1);
}

/* Five results each: as it is, another one, touched, gone, back. */
static void on_trust(void *data, const char *output)
{
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct trust *t = data;

	if (strstr(output, t->path))
		t->missing = true;
	if (++t->results % 5)
		return;
	t->reads[t->results / 5 - 1] = file_reads;
	switch (t->results / 5) {
	case 1:
		put_file(t->next, "a");
		rename(t->next, t->path);
		break;
	case 2:
		utimensat(AT_FDCWD, t->path, times, 0);
		break;
	case 3:
		unlink(t->path);
		break;
	case 4:
		put_file(t->path, "a");
		break;
	default:
		loop_exit(loop, 0);
	}
}

static void test_trust_file(void)
{
	struct trust t = { .path = "/tmp/trust-XXXXXX" };
	struct ip_addr addr;
	struct check_conf *c;
	struct health health;
	struct check *check;
	char def[256];

	close(mkstemp(t.path));
	snprintf(t.next, sizeof(t.next), "%s.new", t.path);
	put_file(t.path, "a");
	make_env();
	snprintf(def, sizeof(def),
		 "{\"type\":\"tcp\",\"port\":%u,\"tls\":{\"ca\":\"%s\"},\"interval_ms\":50}",
		 closed_port(), t.path);
	c = conf(def);
	file_reads = 0;
	health_init(&health);
	ip_parse(LOCAL, &addr);
	check = check_new(&env, c, "t", 1, &health, on_trust, &t);
	if (!check)
		exit(1);
	check_start(check, &addr, NULL);
	loop_run(loop);
	ok(t.reads[0] == 1, "trust: a file is read once, whatever fails");
	ok(t.reads[1] == 2, "trust: another one is read, once");
	ok(t.reads[2] == 3, "trust: so is one that was written again");
	ok(t.reads[3] == 3 && t.missing, "trust: one that is gone is named");
	ok(t.reads[4] == 4, "trust: and read when it is back");
	check_free(check);
	conf_end(c);
	free_env();
	unlink(t.path);
}

void test_trust(void)
{
	test_trust_system();
	test_trust_blind();
	test_trust_file();
}

/* Programs that write without end have neither the loop nor more than their
 * time; they end by themselves lest this test does not.
 */
void test_endless(void)
{
	static const struct {
		const char *end, *says, *name;
	} runs[] = {
		{ "exec timeout --foreground 20 yes", "still running after",
		  "endless: killed in its time" },
		{ "exit 0", "exit 0",
		  "endless: what it left behind is not waited for" },
	};
	struct check_conf *c, *other;
	struct watch *w, *next;
	struct server s;
	uint64_t start;
	char def[512];
	int i;

	for (i = 0; i < 2; i++) {
		make_env();
		serve(&s, SOCK_STREAM);
		snprintf(def, sizeof(def), "{\"type\":\"tcp\",\"port\":%u,"
			 "\"interval_ms\":50}", s.port);
		other = conf(def);
		snprintf(def, sizeof(def), "{\"type\":\"exec\",\"argv\":["
			 "\"/bin/sh\",\"-c\",\"timeout --foreground 20 yes & %s\"],"
			 "\"timeout_ms\":%u,\"interval_ms\":30000}", runs[i].end,
			 i ? 20000 : 500);
		c = conf(def);
		faster = true;
		start = loop_now();
		w = watch_new(c, LOCAL);
		next = watch_new(other, LOCAL);
		w->wanted = 1;
		loop_run(loop);
		faster = false;
		if (!ok(loop_now() - start < 15 * LOOP_USEC_PER_SEC &&
			strstr(w->text, runs[i].says), runs[i].name))
			printf("# %u ms: \"%s\"\n", (unsigned int)
			       ((loop_now() - start) / 1000), w->text);
		if (!i)
			ok(next->results > 1,
			   "endless: the other checks go on meanwhile");
		watch_end(next);
		watch_end(w);
		conf_end(other);
		conf_end(c);
		serve_end(&s);
		free_env();
	}
}

void test_ttl(void)
{
	struct check_conf *c = conf("{\"type\":\"ttl\",\"ttl_ms\":100}");
	struct watch *w;

	make_env();
	w = watch_new(c, LOCAL);
	ok(check_push(w->check, HEALTH_PASS, "fine") && w->health.up &&
	   !strcmp(w->text, "fine"), "ttl: told, it is up");
	ok(check_push(w->check, HEALTH_WARN, "tired") && w->health.up &&
	   health_score(&w->health) < 100, "ttl: a warning costs score");
	w->wanted = w->results + 1;
	loop_run(loop);
	ok(!w->health.up && strstr(w->text, "nothing for 100 ms"),
	   "ttl: told nothing, it goes down");
	ok(check_push(w->check, HEALTH_PASS, "") && w->health.up,
	   "ttl: told again, it comes back");
	watch_end(w);
	conf_end(c);
	free_env();
}

static void on_block(void *data, uint64_t now_us)
{
	struct source **timer = data;
	uint64_t end = loop_now() + 250000;

	(void)now_us;
	/* The whole process is away, again and again. */
	while (loop_now() < end)
		;
	source_timer_set(*timer, loop_now() + 1000);
}

void test_suspicion(void)
{
	/* Nobody knows when a program was asked. */
	struct check_conf *c = conf("{\"type\":\"exec\","
		"\"argv\":[\"/bin/sleep\",\"100\"],"
		"\"timeout_ms\":100,\"interval_ms\":50,\"fall\":1}");
	struct source *block = NULL;
	struct watch *w;

	make_env();
	w = watch_new(c, LOCAL);
	health_resume(&w->health, true, 100, 0);
	if (loop_timer(loop, &block, on_block, &block) ||
	    source_timer_set(block, loop_now() + 10000))
		exit(1);
	w->wanted = 1;
	loop_run(loop);
	ok(env.excused && env.late.count,
	   "suspicion: failures of a late loop do not count");
	ok(!w->health.up, "suspicion: but not for ever");
	source_free(&block);
	watch_end(w);
	conf_end(c);
	free_env();
}
