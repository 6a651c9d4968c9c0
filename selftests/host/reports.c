// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An agent without a kernel that reports to a coordinator, and what it sees of node
 * "b", from the objects that vnimeshd is built of. Says "ok NAME" or "fail NAME" for
 * each step, and "told TAG NUMBER" of members whose applications flap. Its clock is
 * preload/clock.c's.
 *
 *	reports DIRECTORY COORDINATOR_URL COORDINATOR_PID
 */

#include <fcntl.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control_ops.h"
#include "local_priv.h"
#include "log.h"
#include "observe.h"
#include "report.h"
#include "vantage.h"
#include "watch.h"

#define POLL_US		(20 * LOOP_USEC_PER_MSEC)
#define PATIENCE_US	(60 * LOOP_USEC_PER_SEC)
/* Who reaches a host that is said to be down says so within half of this. */
#define FIRST_WORD_US	LOOP_USEC_PER_SEC
#define ASTRAY		70000	/* a VNI of nobody's block */
/* 1 Hz for a minute. */
#define HALVES		120
#define HALF_US		(LOOP_USEC_PER_SEC / 2)

static char dir[128], file[160];
static pid_t coordinator;
static struct loop *loop;
static struct mesh *mesh;
static struct source *timer;
static uint64_t since_us;	/* of the step, or what it does last */
static unsigned int joins;	/* that the reports were told of */

/* Who joined anew tells all at once, see sequence_joined(). */
void __real_report_joined(struct report *r);
void __wrap_report_joined(struct report *r);
void __wrap_report_joined(struct report *r)
{
	joins++;
	__real_report_joined(r);
}

/* A report that has this in it does not go out; answer() is what comes back. */
static const char *held;
static http_done_fn held_fn;
static void *held_data;

int __real_http_start(struct http *http, struct http_req **ret,
		      const struct http_want *want, http_done_fn fn,
		      void *data);
int __wrap_http_start(struct http *http, struct http_req **ret,
		      const struct http_want *want, http_done_fn fn,
		      void *data);
int __wrap_http_start(struct http *http, struct http_req **ret,
		      const struct http_want *want, http_done_fn fn,
		      void *data)
{
	if (!held || !want->body || !strstr(want->url, "/report") ||
	    !strstr(want->body, held))
		return __real_http_start(http, ret, want, fn, data);
	held_fn = fn;
	held_data = data;
	return 0;
}

static bool is_held(void)
{
	return held_fn;
}

static void answer(int status, const char *body)
{
	const struct http_reply reply = {
		.status = status,
		.error = "",
		.body = body,
		.len = strlen(body),
	};
	http_done_fn fn = held_fn;

	held_fn = NULL;
	fn(held_data, &reply);
}

/* Members TAG0 to TAGn-1, and then the words, each on our first VNI. */
static void declare(const char *tag, unsigned int n, const char *word,
		    const char *refused)
{
	char path[192];
	unsigned int i;
	FILE *f;

	snprintf(path, sizeof(path), "%s/d/a.json", dir);
	f = fopen(path, "we");
	if (!f)
		exit(1);
	fputc('[', f);
	for (i = 0; i < n; i++)
		fprintf(f, "{\"tag\":\"%s%u\",\"vni\":%u},", tag, i,
			mesh->local->vnis[0].vni);
	if (*refused)
		fprintf(f, "{\"tag\":\"%s\",\"vni\":%u},", refused, ASTRAY);
	if (*word)
		fprintf(f, "{\"tag\":\"%s\",\"vni\":%u},", word,
			mesh->local->vnis[0].vni);
	/* JSON knows no comma at the end. */
	fseek(f, -1, SEEK_CUR);
	fputc(']', f);
	if (fclose(f))
		exit(1);
	mesh_reload(mesh);
}

static bool granted(const char *tag)
{
	const struct own *o;

	o = local_find(mesh->local, tag, mesh->local->vnis[0].vni);
	return o && o->granted;
}

/* ---- steps: what is waited for, and what to do then ---- */

static bool is_joined(void)
{
	return mesh->joined && joins == 1;
}

/* As the kernel would say: one VNI of ours, one of nobody's. */
static void begin(void)
{
	const struct node *self = facts_node(&mesh->facts, mesh->facts.self);
	struct local *l = mesh->local;
	size_t i;

	l->vnis = calloc(2, sizeof(*l->vnis));
	l->n_vnis = 2;
	l->known = true;
	for (i = 0; i < 2; i++) {
		l->vnis[i].vni = i ? ASTRAY : self->vni;
		l->vnis[i].up = true;
		l->vnis[i].address4 = self->address4;
	}
	declare("", 0, "first", "refused");
	report_start(mesh->report);
}

static bool is_refused(void)
{
	const struct own *o = local_find(mesh->local, "refused", ASTRAY);

	return granted("first") && *o->refusal;
}

static void go_refused(void)
{
	declare("", 0, "second", "");
}

static bool is_second(void)
{
	return granted("second");
}

/* Each is refused, and that must not take longer for more of them. */
#define MANY_ASTRAY	40
#define SOON_US		(5 * LOOP_USEC_PER_SEC)

static void come_astray(void)
{
	char path[192];
	unsigned int i;
	FILE *f;

	snprintf(path, sizeof(path), "%s/d/b.json", dir);
	f = fopen(path, "we");
	if (!f)
		exit(1);
	for (i = 0; i < MANY_ASTRAY; i++)
		fprintf(f, "%c{\"tag\":\"astray%u\",\"vni\":%u}",
			i ? ',' : '[', i, ASTRAY);
	fputc(']', f);
	if (fclose(f))
		exit(1);
	declare("", 0, "third", "");
}

static bool is_third(void)
{
	const struct own *o = local_find(mesh->local, "astray39", ASTRAY);

	return granted("third") && *o->refusal &&
	       loop_now() < since_us + SOON_US;
}

/* One of them says something new all the time: */
static void push_astray(bool up)
{
	char line[128];

	snprintf(line, sizeof(line),
		 "{\"op\":\"ttl\",\"tag\":\"restless\",\"vni\":%u,\"status\":\"%s\"}",
		 ASTRAY, up ? "pass" : "fail");
	json_decref(control_answer(mesh, 0, line, strlen(line)));
}

static void come_restless(void)
{
	char path[192];
	FILE *f;

	snprintf(path, sizeof(path), "%s/d/b.json", dir);
	f = fopen(path, "we");
	if (!f)
		exit(1);
	fprintf(f, "[{\"tag\":\"restless\",\"vni\":%u,\"check\":{\"type\":\"ttl\","
		"\"ttl_ms\":3600000,\"damping\":false}}]", ASTRAY);
	if (fclose(f))
		exit(1);
	mesh_reload(mesh);
}

static bool has_been_restless(void)
{
	const struct own *o = local_find(mesh->local, "restless", ASTRAY);
	static unsigned int n;

	/* 10 Hz */
	if (++n % 5 == 0)
		push_astray(n % 10);
	return o && *o->refusal && loop_now() > since_us + 3 * LOOP_USEC_PER_SEC;
}

static void come_fourth(void)
{
	declare("", 0, "fourth", "");
}

static bool is_fourth(void)
{
	has_been_restless();
	return granted("fourth") &&
	       loop_now() < since_us + 2 * LOOP_USEC_PER_SEC;
}

static struct ip_addr home;

static void move_away(void)
{
	struct local *l = mesh->local;

	home = l->vnis[0].address4;
	ip_parse("192.0.2.99", &l->vnis[0].address4);
	local_apply_all(l);
}

static bool is_away(void)
{
	const struct own *o;

	o = local_find(mesh->local, "fourth", mesh->local->vnis[0].vni);
	return *o->refusal && !o->granted;
}

static void move_back(void)
{
	mesh->local->vnis[0].address4 = home;
	local_apply_all(mesh->local);
}

static bool is_home(void)
{
	return granted("fourth") && loop_now() < since_us + SOON_US;
}

static void come_many(void)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/d/b.json", dir);
	unlink(path);

	declare("m", SERVICES_MAX, "", "");
}

static bool are_many(void)
{
	return granted("m0") && granted("m1000") && granted("m2047");
}

static void go_many(void)
{
	kill(coordinator, SIGSTOP);
	declare("x", 10, "", "");
}

static bool are_sent(void)
{
	const struct own *o;

	o = local_find(mesh->local, "x9", mesh->local->vnis[0].vni);
	return o->place >= 0;
}

static void go_more(void)
{
	declare("", 0, "last", "");
	kill(coordinator, SIGCONT);
}

static bool is_last(void)
{
	return granted("last") && !mesh->local->n_gone;
}

/* One goes while the report that has it is under way. */
static void come_three(void)
{
	held = "\"s1\"";
	declare("s", 2, "a", "");
}

static void refuse_second(void)
{
	held = NULL;
	declare("s", 2, "", "");
	answer(507, "{\"field\":\"services[1].tag\",\"detail\":\"none left\"}");
}

static bool is_second_refused(void)
{
	const struct own *o;

	o = local_find(mesh->local, "s0", mesh->local->vnis[0].vni);
	return *o->refusal && !o->granted && granted("s1");
}

/* Another server, whose answer to anything is 200. */
static bool wrongly;

static void come_wrong(void)
{
	held = "\"wrong\"";
	declare("", 0, "wrong", "");
}

static void answer_text(void)
{
	answer(200, "hello");
	wrongly |= granted("wrong") || !mesh->away;
}

static void answer_object(void)
{
	held = NULL;
	answer(200, "{\"lease_ms\":1}");
	wrongly |= granted("wrong") || !mesh->away || mesh->lease_ms == 1;
}

static bool is_right(void)
{
	return !wrongly && granted("wrong");
}

/* Flaps as its checks say, and is damped as agents do; or not. */
static struct flapping {
	const char *tag, *damping;
	uint64_t seq;
	unsigned int told;
} flapping[] = {
	{ .tag = "damped", .damping = "true" },
	{ .tag = "wild", .damping = "false" },
};

static void come_flapping(void)
{
	char path[192];
	unsigned int i;
	FILE *f;

	snprintf(path, sizeof(path), "%s/d/b.json", dir);
	f = fopen(path, "we");
	if (!f)
		exit(1);
	for (i = 0; i < 2; i++)
		fprintf(f, "%c{\"tag\":\"%s\",\"vni\":%u,\"check\":{\"type\":\"ttl\","
			"\"ttl_ms\":3600000,\"damping\":%s}}",
			i ? ',' : '[', flapping[i].tag,
			mesh->local->vnis[0].vni, flapping[i].damping);
	fputc(']', f);
	if (fclose(f))
		exit(1);
	mesh_reload(mesh);
}

/* As their applications do, on the control socket. */
static void say_all(const char *status)
{
	char line[256];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		snprintf(line, sizeof(line),
			 "{\"op\":\"ttl\",\"tag\":\"%s\",\"vni\":%u,\"status\":\"%s\"}",
			 flapping[i].tag, mesh->local->vnis[0].vni, status);
		json_decref(control_answer(mesh, 0, line, strlen(line)));
	}
}

/* The coordinator has all that there is to tell; counts what was. */
static bool all_told(bool up)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct flapping *fl = &flapping[i];
		const struct own *o;

		o = local_find(mesh->local, fl->tag, mesh->local->vnis[0].vni);
		if (!o || !o->seq || o->reported != o->seq)
			return false;
		if (up && !(o->granted && o->health.up))
			return false;
		fl->told += fl->seq && fl->seq != o->seq;
		fl->seq = o->seq;
	}
	return true;
}

static bool are_well(void)
{
	unsigned int i;

	say_all("pass");
	if (!all_told(true))
		return false;
	for (i = 0; i < 2; i++)
		flapping[i].told = 0;
	return true;
}

static void pass_time(uint64_t us)
{
	static int64_t passed_us;
	int fd = open(getenv("CLOCK_FILE"), O_WRONLY | O_CLOEXEC);

	passed_us += us;
	if (fd < 0 ||
	    pwrite(fd, &passed_us, sizeof(passed_us), 0) != sizeof(passed_us))
		exit(1);
	close(fd);
}

static bool have_flapped(void)
{
	static uint64_t due_us;
	static unsigned int n;
	uint64_t now_us = loop_now();

	if (!all_told(false))
		return false;
	if (n == HALVES)
		return true;
	if (due_us > now_us)
		pass_time(due_us - now_us);
	since_us = loop_now();
	due_us = since_us + HALF_US;
	say_all(n++ % 2 ? "pass" : "fail");
	return false;
}

static void count_told(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		printf("told %s %u\n", flapping[i].tag, flapping[i].told);
	watch_restart(mesh->watch, UINT64_MAX);
}

/* ---- a host that was down ---- */

static struct node *other(void)
{
	size_t i;

	for (i = 0; i < mesh->facts.nodes.n; i++)
		if (!strcmp(((struct node *)mesh->facts.nodes.v[i])->name, "b"))
			return mesh->facts.nodes.v[i];
	return NULL;
}

static bool is_other(void)
{
	return other() && observe_can(mesh->observe);
}

static void suspect(void)
{
	other()->reach.state = REACH_DOWN;
	vantage_suspect(mesh->vantage, other());
}

static bool is_down(void)
{
	return other()->verdict == PEER_SIGHT_DOWN;
}

/* Nobody listens there, so that what is said is lost; one that was only stopped
 * would read it later.
 */
static char url[CONFIG_TEXT_MAX + 1];

static void come_back(void)
{
	snprintf(url, sizeof(url), "%s", mesh->conf.coordinator);
	snprintf(mesh->conf.coordinator, sizeof(mesh->conf.coordinator),
		 "http://127.0.0.1:1");
	other()->reach.state = REACH_UP;
	vantage_reached(mesh->vantage, other());
}

/* Its first word is lost: not taken, or not even said, as a report had failed
 * before and the coordinator is known to be away.
 */
static bool is_unheard(void)
{
	json_t *o = json_object();
	bool ret;

	observe_status(mesh->observe, o);
	ret = json_integer_value(json_object_get(json_object_get(o, "evidence"),
						 "failed"));
	json_decref(o);
	return ret || (mesh->away && loop_now() > since_us + FIRST_WORD_US);
}

static void go_on(void)
{
	snprintf(mesh->conf.coordinator, sizeof(mesh->conf.coordinator), "%s",
		 url);
}

static bool is_up(void)
{
	return !is_down();
}

static void nothing(void)
{
}

static const struct step {
	const char *name;
	bool (*holds)(void);
	void (*then)(void);
} steps[] = {
	{ "an agent joins, and its reports learn of it once", is_joined, begin },
	{ "a member is taken, one out of the node's block is refused",
	  is_refused, go_refused },
	{ "that one goes, and another is taken", is_second, come_astray },
	{ "of many all but one are refused, soon", is_third, come_restless },
	{ "a refused one has much to say", has_been_restless, come_fourth },
	{ "which keeps nobody back", is_fourth, move_away },
	{ "one moves to an address that is not the node's", is_away,
	  move_back },
	{ "and back, and is taken", is_home, come_many },
	{ "as many as there may be are taken", are_many, go_many },
	{ "they go, others are told to a coordinator that is silent", are_sent,
	  go_more },
	{ "those go, too, and once it answers another is taken", is_last,
	  come_three },
	{ "three are told, of which one goes", is_held, refuse_second },
	{ "what is refused then is what was meant", is_second_refused,
	  come_wrong },
	{ "one is told to another server, which says that all is well",
	  is_held, answer_text },
	{ "... and is told again, which has no effect either", is_held,
	  answer_object },
	{ "the coordinator takes it", is_right, come_flapping },
	{ "two come whose applications say that they are well", are_well,
	  nothing },
	{ "and are not, and are, at 1 Hz for 60 s", have_flapped, count_told },
	{ "another node", is_other, suspect },
	{ "... is down, as nobody reaches it", is_down, come_back },
	{ "... is back, which a coordinator that is away does not hear",
	  is_unheard, go_on },
	{ "... it hears that later, and it is down no more", is_up, nothing },
};

static void on_timer(void *data, uint64_t now_us)
{
	static size_t at;
	const struct step *s = &steps[at];

	(void)data;
	if (!since_us)
		since_us = now_us;
	source_timer_set(timer, now_us + POLL_US);
	if (!s->holds()) {
		if (now_us < since_us + PATIENCE_US)
			return;
		printf("fail %s\n", s->name);
		kill(coordinator, SIGCONT);
		loop_exit(loop, 1);
		return;
	}
	printf("ok %s\n", s->name);
	fflush(stdout);
	s->then();
	since_us = now_us;
	if (++at == sizeof(steps) / sizeof(*steps))
		loop_exit(loop, 0);
}

static void write_config(const char *url)
{
	FILE *f = fopen(file, "we");

	if (!f)
		exit(1);
	fprintf(f, "{\"coordinator\":\"%s\",\"node\":{\"name\":\"h\",\"underlay\":\"192.0.2.1\"},"
		"\"state_dir\":\"%s/state\",\"services_dir\":\"%s/d\",\"control\":\"none\"}",
		url, dir, dir);
	if (fclose(f))
		exit(1);
}

int main(int argc, char **argv)
{
	static struct config conf;
	struct services_conf services;
	char error[512], path[160];
	int ret;

	if (argc != 4)
		return 2;
	snprintf(dir, sizeof(dir), "%s", argv[1]);
	snprintf(path, sizeof(path), "%s/d", dir);
	mkdir(path, 0700);
	snprintf(file, sizeof(file), "%s/conf.json", dir);
	write_config(argv[2]);
	coordinator = atoi(argv[3]);
	if (loop_new(&loop))
		return 1;
	if (!config_read(file, &conf, error, sizeof(error)) ||
	    !services_read(conf.services_dir, &conf.allow, &services, error,
			   sizeof(error))) {
		log_err("%s", error);
		return 1;
	}
	mesh = mesh_new(loop, file, &conf, &services, -1);
	if (!mesh || loop_timer(loop, &timer, on_timer, NULL) ||
	    source_timer_set(timer, 1))
		return 1;
	ret = loop_run(loop);
	source_free(&timer);
	mesh_free(mesh);
	loop_free(loop);
	return ret;
}
