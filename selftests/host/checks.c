// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The checks of vnimeshd, from the files that it is built of: each protocol's
 * state machine by bytes alone, damping and lateness on a virtual clock, then
 * the event loop against servers of this process that fail in each way users
 * meet. Prints TAP.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "check_http.h"
#include "check_probe.h"
#include "check_talk.h"
#include "late.h"
#include "secret.h"
#include "tap.h"

#define SEC	1000000ULL

/* ---- reading definitions ---- */

static const struct check_allow allow_all = { .exec = true };

static bool conf_of(const char *text, struct check_conf *c, char *error,
		    size_t len)
{
	struct jobj root;
	struct jread rd;
	char buf[4096];
	bool good;

	snprintf(buf, sizeof(buf), "{\"check\":%s}", text);
	jread_buf(&rd, buf, strlen(buf), JREAD_STRICT);
	memset(c, 0, sizeof(*c));
	if (jread_root(&rd, &root)) {
		check_conf_read(&root, "check", 80, &allow_all, c);
		jobj_end(&root);
	}
	good = jread_ok(&rd);
	if (!good)
		jread_error(&rd, error, len);
	jread_free(&rd);
	return good;
}

/* The definition must be right. */
static struct check_conf *conf(const char *text)
{
	struct check_conf *c = calloc(1, sizeof(*c));
	char error[1024] = "";

	if (!conf_of(text, c, error, sizeof(error))) {
		printf("Bail out! %s: %s\n", text, error);
		exit(1);
	}
	return c;
}

static void conf_end(struct check_conf *c)
{
	check_conf_free(c);
	free(c);
}

static void refuses(const char *text, const char *field, const char *name)
{
	char error[1024] = "", want[128];
	struct check_conf c;
	bool good = !conf_of(text, &c, error, sizeof(error));

	snprintf(want, sizeof(want), "field \"check%s%s\"", *field ? "." : "",
		 field);
	if (!ok(good && strstr(error, want), name))
		printf("# %s\n", error);
	check_conf_free(&c);
}

static void test_conf(void)
{
	struct check_conf *c;

	c = conf("{\"type\":\"tcp\",\"send_hex\":\"0d0A\",\"expect\":\"+OK\"}");
	ok(c->port == 80 && c->send.n == 2 && c->send.v[1] == 10 &&
	   c->expect.n == 3 && c->health.interval_ms == 1000,
	   "tcp: bytes as text and in hexadecimal, defaults");
	conf_end(c);
	c = conf("{\"type\":\"https\",\"status\":[\"200-204\",\"401\"],"
		 "\"headers\":{\"X-A\":\"b\"},\"expect_headers\":{\"Server\":\"n\"},"
		 "\"body\":\"ok\",\"tls\":{\"name\":\"db.example\",\"verify\":false}}");
	ok(c->n_status == 2 && c->status[1].max == 401 && c->n_headers == 1 &&
	   c->n_expected == 1 && c->tls && c->tls_insecure &&
	   !strcmp(c->tls_name, "db.example"), "https: all its fields");
	conf_end(c);
	c = conf("{\"type\":\"all-of\",\"checks\":[{\"type\":\"tcp\"},{\"type\":"
		 "\"any-of\",\"checks\":[{\"type\":\"ttl\",\"ttl_ms\":1000}]}]}");
	ok(c->n_subs == 2 && c->subs[0].port == 80 && c->subs[1].n_subs == 1 &&
	   c->subs[1].subs[0].ttl_ms == 1000, "groups of groups");
	conf_end(c);
	refuses("{}", "type", "no type");
	refuses("{\"type\":\"telnet\"}", "type", "a type that is none");
	refuses("{\"type\":\"tcp\",\"path\":\"/\"}", "path",
		"a field of another type");
	refuses("{\"type\":\"tcp\",\"send_hex\":\"0\"}", "send_hex",
		"half a byte");
	refuses("{\"type\":\"tcp\",\"send\":\"a\",\"send_hex\":\"00\"}",
		"send_hex", "two things to send");
	refuses("{\"type\":\"http\",\"status\":[\"200-\"]}", "status[0]",
		"half a range");
	refuses("{\"type\":\"http\",\"status\":[\"299-200\"]}", "status[0]",
		"a range upside down");
	refuses("{\"type\":\"http\",\"headers\":{\"A\":\"b\\r\\nC: d\"}}",
		"headers.A", "a header in a header");
	refuses("{\"type\":\"http\",\"headers\":{\"A b\":\"c\"}}", "headers",
		"a header's name with a space");
	refuses("{\"type\":\"http\",\"tls\":true}", "tls",
		"TLS where the type says there is none");
	refuses("{\"type\":\"ttl\"}", "ttl_ms", "a ttl without time");
	refuses("{\"type\":\"ttl\",\"ttl_ms\":1000,\"interval_ms\":100}",
		"interval_ms", "an interval of what is not asked");
	refuses("{\"type\":\"exec\",\"argv\":[\"true\"]}", "argv[0]",
		"a program of whatever PATH");
	refuses("{\"type\":\"all-of\",\"checks\":[]}", "checks", "all of none");
	refuses("{\"type\":\"all-of\",\"checks\":[{\"type\":\"tcp\",\"x\":1}]}",
		"checks[0].x", "an unknown field deep inside has its path");
	refuses("{\"type\":\"any-of\",\"checks\":[{\"type\":\"any-of\",\"checks\":"
		"[{\"type\":\"any-of\",\"checks\":[{\"type\":\"any-of\",\"checks\":"
		"[{\"type\":\"none\"}]}]}]}]}",
		"checks[0].checks[0].checks[0].checks", "too deep");
	refuses("{\"type\":\"postgres\",\"primary_tag\":\"db-primary\"}",
		"primary_tag", "a role without a login");
	refuses("{\"type\":\"redis\",\"timeout_ms\":0}", "timeout_ms",
		"no time at all");
}

static void test_secret(void)
{
	char file[] = "/tmp/vnimesh-secret.XXXXXX", error[256] = "";
	char secret[SECRET_MAX + 1];
	int fd = mkstemp(file);

	if (fd < 0 || write(fd, "pass word\nrest", 14) != 14)
		exit(1);
	close(fd);
	ok(secret_read(file, secret, error, sizeof(error)) &&
	   !strcmp(secret, "pass word"), "a password is a file's first line");
	chmod(file, 0640);
	ok(!secret_read(file, secret, error, sizeof(error)) &&
	   strstr(error, "0600"), "a file that a group can read is refused");
	unlink(file);
	ok(!secret_read(file, secret, error, sizeof(error)) &&
	   strstr(error, file), "so is none, by name");
	ok(!secret_read("/dev/null", secret, error, sizeof(error)),
	   "and what is no file");
}

/* ---- talks ---- */

struct heard {
	enum talk_state state;
	enum health_result result;
	enum check_role role;
	char text[OUTPUT_MAX + 1];
	uint8_t out[TALK_OUT_MAX];
	size_t n_out;
};

/* What the check makes of @answer, which comes in pieces of @piece bytes and
 * then ends, if @closed.
 */
static struct heard hear(const struct check_conf *c, const void *answer,
			 size_t n, size_t piece, bool closed)
{
	struct heard h = { 0 };
	enum talk_state state;
	const char *p = answer;
	struct talk t;
	size_t len;

	talk_init(&t, c, "secret");
	state = talk_start(&t);
	for (; state == TALK_MORE && n; n -= len, p += len) {
		len = n < piece ? n : piece;
		state = talk_input(&t, p, len);
	}
	if (state == TALK_MORE && closed)
		state = talk_closed(&t);
	h.state = state;
	h.result = t.result;
	h.role = t.role;
	memcpy(h.out, t.out, t.n_out);
	h.n_out = t.n_out;
	strcpy(h.text, t.text);
	talk_free(&t);
	return h;
}

/* As a whole and byte by byte: the same, @result and @text. */
static void says(const char *def, const void *answer, size_t n,
		 enum health_result result, const char *text, const char *name)
{
	struct check_conf *c = conf(def);
	struct heard a = hear(c, answer, n, n + 1, true);
	struct heard b = hear(c, answer, n, 1, true);
	bool good;

	good = a.state == TALK_DONE && a.result == result &&
	       strstr(a.text, text) && b.state == TALK_DONE &&
	       b.result == result && !strcmp(a.text, b.text) &&
	       a.role == b.role;
	if (!ok(good, name))
		printf("# whole %d \"%s\", by bytes %d \"%s\"\n", a.result,
		       a.text, b.result, b.text);
	conf_end(c);
}

#define SAYS(def, answer, result, text, name) \
	says(def, answer, sizeof(answer) - 1, result, text, name)

static void test_tcp(void)
{
	static const char def[] =
		"{\"type\":\"tcp\",\"send\":\"HELO\\r\\n\",\"expect\":\"250 \"}";
	struct check_conf *c = conf(def);
	static char huge[100000];
	struct heard h;

	h = hear(c, "", 0, 1, false);
	ok(h.state == TALK_MORE && h.n_out == 6 && !memcmp(h.out, "HELO\r\n", 6),
	   "tcp: it speaks, then waits");
	SAYS(def, "220 hi\r\n250 ok\r\n", HEALTH_PASS, "expected answer",
	     "tcp: the answer may have a beginning");
	SAYS(def, "", HEALTH_FAIL, "without an answer", "tcp: closed at once");
	SAYS(def, "500 no\r\n", HEALTH_FAIL, "expected \"250 \"",
	     "tcp: the wrong answer, and what was expected");
	memset(huge, 'x', sizeof(huge));
	h = hear(c, huge, sizeof(huge), 4096, false);
	ok(h.state == TALK_DONE && h.result == HEALTH_FAIL &&
	   strstr(h.text, "65536"), "tcp: an answer without end, ended");
	conf_end(c);
	c = conf("{\"type\":\"tcp\"}");
	h = hear(c, "", 0, 1, false);
	ok(h.state == TALK_DONE && h.result == HEALTH_PASS,
	   "tcp: without anything to say a connection is enough");
	conf_end(c);
}

static void test_redis(void)
{
	static const char plain[] = "{\"type\":\"redis\"}";
	static const char login[] = "{\"type\":\"redis\",\"user\":\"u\","
		"\"password_file\":\"/x\",\"writable\":true}";
	struct check_conf *c = conf(login);
	struct heard h;

	h = hear(c, "", 0, 1, false);
	h.out[h.n_out] = '\0';
	ok(!strcmp((char *)h.out, "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$6\r\nsecret\r\n"
		   "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nROLE\r\n"),
	   "redis: logs in, pings and asks for the role at once");
	h = hear(c, "+OK\r\n+PONG\r\n*3\r\n$6\r\nmaster\r\n:0\r\n", 36, 1, false);
	ok(h.state == TALK_DONE && h.result == HEALTH_PASS &&
	   h.role == CHECK_ROLE_PRIMARY, "redis: a primary");
	conf_end(c);
	c = conf("{\"type\":\"redis\",\"primary_tag\":\"x\"}");
	h = hear(c, "+PONG\r\n*5\r\n$5\r\nslave\r\n", 23, 1, false);
	ok(h.state == TALK_DONE && h.result == HEALTH_PASS &&
	   h.role == CHECK_ROLE_REPLICA, "redis: a replica, without a password");
	conf_end(c);
	SAYS(plain, "+PONG\r\n", HEALTH_PASS, "PONG", "redis: PONG");
	SAYS(plain, "-NOAUTH Authentication required.\r\n", HEALTH_PASS,
	     "password", "redis: one that wants a password is up");
	SAYS(plain, "-LOADING Redis is loading the dataset in memory\r\n",
	     HEALTH_FAIL, "loading", "redis: loading");
	SAYS(plain, "-MASTERDOWN Link with MASTER is down\r\n", HEALTH_FAIL,
	     "without its primary", "redis: a replica that lost its primary");
	SAYS(plain, "-BUSY Redis is busy\r\n", HEALTH_FAIL, "busy",
	     "redis: in a script without end");
	SAYS(plain, "HTTP/1.1 400 Bad Request\r\n", HEALTH_FAIL,
	     "not the answer of a Redis", "redis: a web server");
	SAYS(plain, "+PO", HEALTH_FAIL, "after 3 bytes", "redis: half an answer");
	SAYS(plain, "", HEALTH_FAIL, "without an answer", "redis: closed at once");
	SAYS(login, "-WRONGPASS invalid\r\n", HEALTH_FAIL, "cannot log in",
	     "redis: the wrong password");
	SAYS(login, "+OK\r\n+PONG\r\n*5\r\n$5\r\nslave\r\n", HEALTH_FAIL,
	     "read-only", "redis: a replica where writes are wanted");
}

static size_t pg_error(uint8_t *buf, const char *code, const char *text)
{
	size_t n = 5;

	n += sprintf((char *)buf + n, "SFATAL") + 1;
	n += sprintf((char *)buf + n, "C%s", code) + 1;
	n += sprintf((char *)buf + n, "M%s", text) + 1;
	buf[n++] = 0;
	buf[0] = 'E';
	buf[1] = 0;
	buf[2] = 0;
	buf[3] = (n - 1) >> 8;
	buf[4] = n - 1;
	return n;
}

static void test_postgres(void)
{
	static const char plain[] = "{\"type\":\"postgres\"}";
	static const char tls[] = "{\"type\":\"postgres\",\"tls\":true}";
	struct check_conf *c = conf(plain);
	uint8_t buf[256];
	struct heard h;
	size_t n;

	h = hear(c, "", 0, 1, false);
	ok(h.n_out > 8 && h.out[3] == h.n_out && h.out[5] == 3,
	   "postgres: a startup message of the length it says");
	h = hear(c, "R\0\0\0\10\0\0\0\0", 9, 1, false);
	ok(h.result == HEALTH_PASS && h.n_out > 5 &&
	   h.out[h.n_out - 5] == 'X', "postgres: let in, it says goodbye");
	conf_end(c);
	SAYS(plain, "R\0\0\0\27\0\0\0\12SCRAM-SHA-256\0\0", HEALTH_PASS,
	     "takes connections", "postgres: asked for a password, it is up");
	n = pg_error(buf, "57P03", "the database system is starting up");
	says(plain, buf, n, HEALTH_FAIL, "not ready", "postgres: starting");
	n = pg_error(buf, "57P01", "terminating");
	says(plain, buf, n, HEALTH_FAIL, "going down", "postgres: stopping");
	n = pg_error(buf, "53300", "sorry, too many clients already");
	says(plain, buf, n, HEALTH_WARN, "full", "postgres: full is up, just");
	n = pg_error(buf, "28000", "no pg_hba.conf entry");
	says(plain, buf, n, HEALTH_PASS, "refuses the probe",
	     "postgres: who refuses us is up");
	n = pg_error(buf, "58030", "I/O error");
	says(plain, buf, n, HEALTH_FAIL, "58030", "postgres: broken");
	SAYS(plain, "HTTP/1.1 400", HEALTH_FAIL, "not the answer",
	     "postgres: a web server");
	SAYS(plain, "R\0\0", HEALTH_FAIL, "incomplete",
	     "postgres: half an answer");
	SAYS(plain, "E\177\377\377\377", HEALTH_FAIL, "not the answer",
	     "postgres: a message of 2 GiB is not waited for");
	c = conf(tls);
	h = hear(c, "S", 1, 1, false);
	ok(h.state == TALK_TLS && h.n_out == 8, "postgres: asks for TLS first");
	h = hear(c, "Sx", 2, 2, false);
	ok(h.state == TALK_DONE && h.result == HEALTH_FAIL,
	   "postgres: bytes before the handshake are nobody's");
	conf_end(c);
	SAYS(tls, "N", HEALTH_FAIL, "no TLS", "postgres: a server without TLS");
}

/* A greeting as MariaDB's, with or without TLS. */
static size_t greeting(uint8_t *buf, bool tls)
{
	static const char version[] = "5.5.5-10.11.6-MariaDB";
	size_t n = 4;

	buf[n++] = 10;
	n += sprintf((char *)buf + n, "%s", version) + 1;
	memset(buf + n, 1, 4 + 8);
	n += 12;
	buf[n++] = 0;
	buf[n++] = 0xfe;
	buf[n++] = tls ? 0xff : 0xf7;
	memset(buf + n, 0, 16);
	n += 16;
	buf[0] = n - 4;
	buf[1] = 0;
	buf[2] = 0;
	buf[3] = 0;
	return n;
}

static void test_mysql(void)
{
	static const char plain[] = "{\"type\":\"mysql\",\"user\":\"probe\"}";
	uint8_t buf[512];
	struct check_conf *c = conf(plain);
	struct heard h;
	size_t n, m;

	n = greeting(buf, true);
	h = hear(c, buf, n, 1, false);
	ok(h.state == TALK_MORE && h.n_out == 4U + h.out[0] && h.out[3] == 1 &&
	   !strcmp((char *)h.out + 36, "probe"), "mysql: greeted, it logs in");
	m = n;
	memcpy(buf + m, "\7\0\0\2\0\0\0\2\0\0\0", 11);
	h = hear(c, buf, m + 11, 1, false);
	ok(h.result == HEALTH_PASS && h.out[h.n_out - 1] == 1,
	   "mysql: let in, it quits as it should");
	conf_end(c);
	memcpy(buf + m, "\26\0\0\2\377\25\4#28000Access denied", 4 + 22);
	says(plain, buf, m + 26, HEALTH_PASS, "refuses the probe: Access",
	     "mysql: a refused login is an answer");
	memcpy(buf + m, "\1\0\0\2\376" "\13\0\0\4\377\25\4#28000No", 20);
	says(plain, buf, m + 20, HEALTH_PASS, "refuses",
	     "mysql: asked to authenticate otherwise, it does without");
	says(plain, "\23\0\0\0\377\20\4Too many clients", 4 + 19, HEALTH_WARN,
	     "full", "mysql: full is up, just");
	says(plain, "\22\0\0\0\377\151\4Host is blocked", 4 + 18, HEALTH_FAIL,
	     "blocks this host", "mysql: blocked");
	says(plain, "\24\0\0\0\377\35\4Server shutdown..", 4 + 20, HEALTH_FAIL,
	     "going down", "mysql: stopping");
	SAYS(plain, "HTTP/1.1 400 Bad", HEALTH_FAIL, "not the answer",
	     "mysql: a web server");
	SAYS(plain, "", HEALTH_FAIL, "without an answer", "mysql: closed at once");
	n = greeting(buf, false);
	says("{\"type\":\"mysql\",\"tls\":true}", buf, n, HEALTH_FAIL, "no TLS",
	     "mysql: a server without TLS");
	c = conf("{\"type\":\"mysql\",\"tls\":true}");
	n = greeting(buf, true);
	h = hear(c, buf, n, 1, false);
	ok(h.state == TALK_TLS && h.n_out == 36, "mysql: asks for TLS first");
	conf_end(c);
}

/* Any bytes in any pieces end in something, without a wrong access. */
static void test_noise(void)
{
	static const char *const defs[] = {
		"{\"type\":\"tcp\",\"expect\":\"x\"}", "{\"type\":\"redis\"}",
		"{\"type\":\"postgres\"}", "{\"type\":\"mysql\"}",
	};
	static const uint8_t first[] = { 'R', 'E', '+', '-', '*', 10, 0, 1 };
	uint8_t buf[600];
	unsigned int i, j, k, n, seed = 1;
	struct check_conf *c;

	for (i = 0; i < 4; i++) {
		c = conf(defs[i]);
		for (j = 0; j < 3000; j++) {
			n = rand_r(&seed) % sizeof(buf);
			for (k = 0; k < n; k++)
				buf[k] = rand_r(&seed) % (j % 2 ? 256 : 16);
			if (n)
				buf[0] = first[rand_r(&seed) % 8];
			hear(c, buf, n, 1 + rand_r(&seed) % 40, true);
		}
		conf_end(c);
	}
	ok(true, "noise breaks no protocol");
}

/* ---- answers over HTTP ---- */

static void judge(const char *def, struct http_reply r,
		  enum health_result result, const char *text,
		  const char *name)
{
	struct check_conf *c = conf(def);
	char said[OUTPUT_MAX + 1] = "";
	enum health_result got;

	if (!r.error)
		r.error = "";
	if (!r.headers)
		r.headers = "";
	if (!r.body)
		r.body = "";
	if (!r.len)
		r.len = strlen(r.body);
	got = c->type == CHECK_GRPC ? grpc_judge(c, &r, said, sizeof(said)) :
				      http_judge(c, &r, said, sizeof(said));
	if (!ok(got == result && strstr(said, text), name))
		printf("# %d \"%s\"\n", got, said);
	conf_end(c);
}

static void test_http_judge(void)
{
	static const char def[] = "{\"type\":\"http\",\"body\":\"ready\","
		"\"expect_headers\":{\"X-Role\":\"primary\"}}";
	static const char lines[] = "HTTP/1.1 200 OK\r\nx-role: the primary\r\n\r\n";
	struct http_reply good = {
		.status = 200, .headers = lines, .body = "is ready",
	};
	struct http_reply r = good;

	judge(def, good, HEALTH_PASS, "200", "http: all as it should be");
	r.body = "not yet";
	judge(def, r, HEALTH_FAIL, "no \"ready\"", "http: another body");
	r = good;
	r.headers = "X-Role: replica\r\n";
	judge(def, r, HEALTH_FAIL, "\"replica\"", "http: another header");
	r.headers = "";
	judge(def, r, HEALTH_FAIL, "no header X-Role", "http: no header");
	r = good;
	r.status = 503;
	judge(def, r, HEALTH_FAIL, "status 503", "http: another status");
	r = (struct http_reply) { .refused = true, .error = "refused" };
	judge(def, r, HEALTH_DEFINITE, "refused", "http: refused");
	r = (struct http_reply) { .timeout = true, .error = "no answer" };
	judge(def, r, HEALTH_FAIL, "no answer", "http: no answer");
	r = (struct http_reply) { .local = true, .error = "no memory" };
	judge(def, r, HEALTH_NOTHING, "", "http: our own lack says nothing");
}

static void test_grpc_judge(void)
{
	static const char def[] = "{\"type\":\"grpc\",\"service\":\"db\"}";
	static const char zero[] = "HTTP/2 200\r\n\r\ngrpc-status: 0\r\n";
	struct http_reply r = {
		.status = 200, .headers = zero, .body = "\0\0\0\0\2\10\1",
		.len = 7,
	};
	uint8_t q[64];

	judge(def, r, HEALTH_PASS, "SERVING", "grpc: serving");
	r.body = "\0\0\0\0\2\10\2";
	judge(def, r, HEALTH_FAIL, "NOT_SERVING", "grpc: not serving");
	r.body = "\0\0\0\0\0";
	r.len = 5;
	judge(def, r, HEALTH_FAIL, "UNKNOWN", "grpc: unknown");
	r.body = "\0\0\0\0\2\10";
	r.len = 6;
	judge(def, r, HEALTH_FAIL, "broken", "grpc: half an answer");
	r.headers = "grpc-status: 5\r\ngrpc-message: unknown service\r\n";
	judge(def, r, HEALTH_FAIL, "does not know service \"db\"",
	      "grpc: a service it does not know");
	r.headers = "grpc-status: 12\r\n";
	judge(def, r, HEALTH_FAIL, "no health service", "grpc: no health service");
	r.headers = "";
	judge(def, r, HEALTH_FAIL, "no grpc-status", "grpc: a web server");
	ok(grpc_question("db", q, sizeof(q)) == 9 && q[4] == 4 && q[5] == 10 &&
	   q[6] == 2 && !memcmp(q + 7, "db", 2), "grpc: the question");
	ok(grpc_question(NULL, q, sizeof(q)) == 5 && !q[4],
	   "grpc: the question for the server as a whole");
}

/* ---- damping and lateness, on a virtual clock ---- */

/* How often a service that goes up and down each @half_us is published in
 * @s seconds, by checks each 100 ms; *last is what was told in the end.
 */
static unsigned int flap(bool damping, uint64_t half_us, unsigned int s,
			 struct health *h, uint64_t *now)
{
	struct health_conf c = {
		.interval_ms = 100, .timeout_ms = 50, .rise = 1, .fall = 1,
		.no_damping = !damping,
	};
	uint64_t end = *now + s * SEC, start = *now;
	unsigned int n = 0;

	for (; *now < end; *now += SEC / 10) {
		bool up = !half_us || (*now - start) / half_us % 2 == 0;

		health_feed(h, &c, up ? HEALTH_PASS : HEALTH_DEFINITE,
			    up ? 1000 : 0, *now);
		if (!health_news(h))
			continue;
		n += !h->told || h->told_up != h->up;
		health_told(h);
	}
	return n;
}

static void test_damping(void)
{
	uint64_t now = 1000 * SEC;
	struct health h;
	unsigned int n;

	health_init(&h);
	flap(true, 0, 10, &h, &now);
	n = flap(true, SEC / 2, 60, &h, &now);
	printf("# 1 Hz for 60 s: published %u times\n", n);
	ok(n <= 5 && !h.up && h.held, "a flapping service is published at most 5 times");
	n = flap(true, 0, 90, &h, &now);
	ok(n == 1 && h.up && !h.held, "and comes back once when it is calm");
	health_init(&h);
	n = flap(false, SEC / 2, 60, &h, &now);
	ok(n >= 119, "without damping each change is published");
	health_init(&h);
	flap(true, 0, 10, &h, &now);
	n = flap(true, 5 * SEC, 20, &h, &now);
	ok(n == 3 && !h.held, "two falls in a row are none to dampen");
	flap(true, 0, 300, &h, &now);
	n = flap(true, 30 * SEC, 60, &h, &now);
	flap(true, 0, 1, &h, &now);
	ok(h.up, "what is long past is forgotten");
}

static void test_held_time(void)
{
	struct health h = { .held = true, .raw = true };

	h.cost = HEALTH_COST_MAX;
	h.cost_us = 5 * SEC;
	ok(health_held_ms(&h, 5 * SEC) == 60000,
	   "the most that can be held is two half lives");
	h.cost = HEALTH_REUSE;
	ok(health_held_ms(&h, 5 * SEC) == 0, "at the lower mark it is over");
}

static void test_late(void)
{
	struct late l = { 0 };

	late_expect(&l, SEC);
	late_beat(&l, SEC + 1000);
	ok(!late_lost(&l, 0, 2 * SEC) && !l.count, "on time is nothing lost");
	late_expect(&l, 2 * SEC);
	late_beat(&l, 3 * SEC);
	ok(late_lost(&l, 0, 4 * SEC) == SEC && l.count == 1,
	   "what a beat was late is lost");
	ok(late_lost(&l, 2500000, 4 * SEC) == 500000 &&
	   late_lost(&l, 3 * SEC, 4 * SEC) == 0, "of the span asked for only");
	ok(late_ours(&l, 2 * SEC, 3 * SEC, 500) &&
	   late_ours(&l, 2900000, 3300000, 400) &&
	   !late_ours(&l, 2900000, 3500000, 500),
	   "a quarter of its time lost makes a failure ours");
	late_expect(&l, 10 * SEC);
	ok(late_lost(&l, 9 * SEC, 12 * SEC) == 2 * SEC,
	   "a beat that is still due counts");
}

/* ---- servers of this process ---- */

struct server {
	int fd;
	uint16_t port;
	struct source *io, *drip;
	int conns[64];
	unsigned int n;
	/* what it does with a connection */
	const char *say;
	size_t len;
	bool close;		/* after that */
	uint32_t drip_ms;	/* a byte each, instead of all at once */
	size_t dripped;
};

static struct loop *loop;
static struct check_env env;

static void hang_up(struct server *s)
{
	while (s->n)
		close(s->conns[--s->n]);
}

static void on_drip(void *data, uint64_t now_us)
{
	struct server *s = data;
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (send(s->conns[i], s->say + s->dripped % s->len, 1,
			 MSG_NOSIGNAL) < 0)
			continue;
	s->dripped++;
	source_timer_set(s->drip, now_us + s->drip_ms * 1000ULL);
}

static void on_accept(void *data, int fd, uint32_t events)
{
	struct server *s = data;
	int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char buf[4096];

	(void)events;
	if (c < 0)
		return;
	if (s->n == 64)
		hang_up(s);
	if (s->drip_ms) {
		s->dripped = 0;
		source_timer_set(s->drip, 0);
	} else if (s->len && send(c, s->say, s->len, MSG_NOSIGNAL) < 0) {
		perror("# send");
	}
	if (s->close) {
		/* Unread bytes would make a reset of the end. */
		while (recv(c, buf, sizeof(buf), 0) > 0)
			;
		shutdown(c, SHUT_WR);
	}
	s->conns[s->n++] = c;
}

static void serve(struct server *s, int type)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(in);

	memset(s, 0, sizeof(*s));
	s->fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(s->fd, (struct sockaddr *)&in, len) ||
	    getsockname(s->fd, (struct sockaddr *)&in, &len))
		exit(1);
	s->port = ntohs(in.sin_port);
	if (type != SOCK_STREAM)
		return;
	if (listen(s->fd, 64) ||
	    loop_io(loop, &s->io, s->fd, EPOLLIN, on_accept, s) ||
	    loop_timer(loop, &s->drip, on_drip, s))
		exit(1);
}

static void serve_end(struct server *s)
{
	hang_up(s);
	source_free(&s->io);
	source_free(&s->drip);
	close(s->fd);
}

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

static struct loop *renew(void)
{
	struct loop *l;

	if (loop_new(&l))
		exit(1);
	return l;
}

/* One attempt; what came of it. The loop ends once with each run. */
static enum health_result attempt(const char *def, uint16_t port,
				  const char *address, char *text, size_t len,
				  uint64_t *took_us);

struct got {
	bool done;
	enum health_result result;
	bool timeout;
	char text[OUTPUT_MAX + 1];
};

static void on_probe(void *data, const struct probe_result *r)
{
	struct got *g = data;

	g->done = true;
	g->result = r->result;
	g->timeout = r->timeout;
	snprintf(g->text, sizeof(g->text), "%s", r->text);
	loop_exit(loop, 0);
}

static enum health_result attempt(const char *def, uint16_t port,
				  const char *address, char *text, size_t len,
				  uint64_t *took_us)
{
	struct check_conf *c = conf(def);
	struct got got = { 0 };
	struct probe_want want = {
		.loop = loop, .http = env.http, .conf = c, .tag = "t",
		.vni = 1, .timeout_ms = c->health.timeout_ms, .password = "",
	};
	struct probe *p = NULL;
	char error[256];
	uint64_t start = loop_now();

	ip_parse(address, &want.addr);
	c->port = port;
	if (c->tls)
		want.creds = tls_creds_new(c, error, sizeof(error));
	if (probe_start(&p, &want, on_probe, &got))
		exit(1);
	if (!got.done)
		loop_run(loop);
	*took_us = loop_now() - start;
	snprintf(text, len, "%s", got.text);
	tls_creds_free((struct tls_creds *)want.creds);
	conf_end(c);
	return got.result;
}

/* As many servers as loops, as an ended loop does not run again. */
static void meets(const char *def, struct server *script, const char *address,
		  enum health_result result, const char *text,
		  const char *name)
{
	struct server s = { .fd = -1 };
	char said[256] = "";
	enum health_result got;
	uint64_t took;

	loop = renew();
	if (http_new(&env.http, loop))
		exit(1);
	serve(&s, SOCK_STREAM);
	if (script) {
		s.say = script->say;
		s.len = script->len;
		s.close = script->close;
		s.drip_ms = script->drip_ms;
	} else {
		source_free(&s.io);
		close(s.fd);
		s.fd = -1;
	}
	got = attempt(def, s.port, address, said, sizeof(said), &took);
	if (!ok(got == result && strstr(said, text), name))
		printf("# %d \"%s\" after %u ms\n", got, said,
		       (unsigned int)(took / 1000));
	http_free(env.http);
	if (s.fd >= 0)
		serve_end(&s);
	else
		source_free(&s.drip);
	loop_free(loop);
}

#define SCRIPT(text, ...) (&(struct server) { \
	.say = text, .len = sizeof(text) - 1, __VA_ARGS__ })
#define LOCAL "127.0.0.1"

static void test_failures_tcp(void)
{
	static const char def[] =
		"{\"type\":\"tcp\",\"expect\":\"+OK\",\"timeout_ms\":300}";
	static char huge[200000];

	memset(huge, 'y', sizeof(huge));
	meets(def, SCRIPT("+OK\r\n"), LOCAL, HEALTH_PASS, "expected answer in",
	      "tcp meets: a good server");
	meets(def, NULL, LOCAL, HEALTH_DEFINITE, "refused", "tcp meets: refused");
	meets(def, SCRIPT("+OK\r\n"), "127.0.0.2", HEALTH_DEFINITE, "refused",
	      "tcp meets: bound to 127.0.0.1 alone");
	meets(def, SCRIPT(""), LOCAL, HEALTH_FAIL, "connected, but no answer",
	      "tcp meets: silence");
	meets(def, SCRIPT("x", .drip_ms = 20), LOCAL, HEALTH_FAIL, "incomplete",
	      "tcp meets: a slow drip, ended by the time for all of it");
	meets(def, SCRIPT("-ERR\r\n", .close = true), LOCAL, HEALTH_FAIL,
	      "expected \"+OK\"", "tcp meets: the wrong answer");
	meets(def, SCRIPT("", .close = true), LOCAL, HEALTH_FAIL,
	      "closed by the other side", "tcp meets: closed early");
	meets(def, (&(struct server) { .say = huge, .len = sizeof(huge) }),
	      LOCAL, HEALTH_FAIL, "65536", "tcp meets: a huge answer");
	meets("{\"type\":\"tcp\",\"tls\":{\"verify\":false},\"timeout_ms\":300}",
	      SCRIPT("HTTP/1.1 400 Bad Request\r\n\r\n"), LOCAL, HEALTH_FAIL,
	      "TLS", "tls meets: a server without it");
	meets("{\"type\":\"tcp\",\"tls\":{\"verify\":false},\"timeout_ms\":300}",
	      SCRIPT(""), LOCAL, HEALTH_FAIL, "no TLS handshake",
	      "tls meets: silence");
}

static void test_failures_http(void)
{
	static const char def[] =
		"{\"type\":\"http\",\"body\":\"ready\",\"timeout_ms\":500}";
	static char huge[300000] = "HTTP/1.1 200 OK\r\n\r\n";

	memset(huge + 19, 'y', sizeof(huge) - 19);
	meets(def, SCRIPT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready"),
	      LOCAL, HEALTH_PASS, "status 200", "http meets: a good server");
	meets(def, NULL, LOCAL, HEALTH_DEFINITE, "", "http meets: refused");
	meets(def, SCRIPT(""), "127.0.0.2", HEALTH_DEFINITE, "",
	      "http meets: bound to 127.0.0.1 alone");
	meets(def, SCRIPT(""), LOCAL, HEALTH_FAIL, "no answer in 500 ms",
	      "http meets: silence");
	meets(def, SCRIPT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nread"),
	      LOCAL, HEALTH_FAIL, "answer incomplete after 500 ms",
	      "http meets: half a body");
	meets(def, SCRIPT("x", .drip_ms = 20), LOCAL, HEALTH_FAIL, "",
	      "http meets: a slow drip, ended by the time for all of it");
	meets(def, SCRIPT("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), LOCAL,
	      HEALTH_FAIL, "status 503", "http meets: an error");
	meets(def, SCRIPT("220 mail\r\n", .close = true), LOCAL, HEALTH_FAIL, "",
	      "http meets: a mail server");
	meets(def, SCRIPT("", .close = true), LOCAL, HEALTH_FAIL, "",
	      "http meets: closed early");
	meets(def, (&(struct server) { .say = huge, .len = sizeof(huge) }),
	      LOCAL, HEALTH_FAIL, "in the first 65536 bytes",
	      "http meets: a huge answer");
	meets("{\"type\":\"http\",\"timeout_ms\":500}",
	      SCRIPT("HTTP/1.1 302 Go\r\nLocation: http://x/\r\n"
		     "Content-Length: 0\r\n\r\n"), LOCAL, HEALTH_PASS, "302",
	      "http meets: a redirect, which it does not follow");
}

static void test_failures_udp(void)
{
	static const char def[] = "{\"type\":\"udp\",\"send\":\"ping\","
		"\"expect\":\"pong\",\"timeout_ms\":200}";
	struct server s;
	char said[256];
	uint64_t took;

	loop = renew();
	serve(&s, SOCK_DGRAM);
	ok(attempt(def, s.port, LOCAL, said, sizeof(said), &took) ==
	   HEALTH_FAIL && strstr(said, "no answer"), "udp meets: silence");
	loop_free(loop);
	loop = renew();
	ok(attempt("{\"type\":\"udp\",\"timeout_ms\":100}", s.port, LOCAL, said,
		   sizeof(said), &took) == HEALTH_PASS &&
	   strstr(said, "nobody refused"),
	   "udp meets: silence, where nothing else is expected");
	loop_free(loop);
	close(s.fd);
	loop = renew();
	ok(attempt("{\"type\":\"udp\",\"timeout_ms\":2000}", s.port, LOCAL,
		   said, sizeof(said), &took) == HEALTH_DEFINITE &&
	   strstr(said, "unreachable"), "udp meets: nobody there");
	loop_free(loop);
}

static void on_datagram(void *data, int fd, uint32_t events)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char buf[64];

	(void)events;
	if (recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len) >= 0)
		sendto(fd, data, strlen(data), 0, (struct sockaddr *)&from, len);
}

static void test_udp_answers(void)
{
	static const char def[] = "{\"type\":\"udp\",\"send\":\"ping\","
		"\"expect\":\"pong\",\"timeout_ms\":2000}";
	static const char *const says[] = { "a pong", "a bang" };
	struct server s;
	enum health_result r;
	char said[256];
	uint64_t took;
	int i;

	for (i = 0; i < 2; i++) {
		loop = renew();
		serve(&s, SOCK_DGRAM);
		if (loop_io(loop, &s.io, s.fd, EPOLLIN, on_datagram,
			    (void *)says[i]))
			exit(1);
		r = attempt(def, s.port, LOCAL, said, sizeof(said), &took);
		ok(i ? r == HEALTH_FAIL && strstr(said, "got \"a bang\"") :
		   r == HEALTH_PASS, i ? "udp meets: the wrong answer" :
		   "udp meets: a good server");
		source_free(&s.io);
		close(s.fd);
		loop_free(loop);
	}
}

static void test_exec(void)
{
	struct {
		const char *argv, *text, *name;
		enum health_result result;
	} runs[] = {
		{ "\"/bin/true\"", "exit 0", "exec: passes", HEALTH_PASS },
		{ "\"/bin/false\"", "exit 1", "exec: 1 warns", HEALTH_WARN },
		{ "\"/bin/sh\",\"-c\",\"echo full; exit 2\"", "exit 2: full",
		  "exec: 2 fails, with what it said", HEALTH_FAIL },
		{ "\"/bin/sh\",\"-c\",\"kill -9 $$\"", "signal 9",
		  "exec: killed", HEALTH_FAIL },
		{ "\"/bin/sh\",\"-c\",\"echo up; sleep 100 & sleep 100\"",
		  "still running after 300 ms, killed: up",
		  "exec: one without end is killed with all that it started",
		  HEALTH_FAIL },
		{ "\"/nonexistent/program\"", "No such file", "exec: no program",
		  HEALTH_FAIL },
		{ "\"/bin/sh\",\"-c\",\"exit $((VNIMESH_PORT - 8000))\"",
		  "exit 0", "exec: knows the member", HEALTH_PASS },
	};
	char def[256], said[256];
	enum health_result r;
	unsigned int i;
	uint64_t took;

	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		loop = renew();
		snprintf(def, sizeof(def), "{\"type\":\"exec\",\"argv\":[%s],"
			 "\"timeout_ms\":%u}", runs[i].argv,
			 runs[i].result == HEALTH_FAIL && i == 4 ? 300 : 20000);
		r = attempt(def, 8000, LOCAL, said, sizeof(said), &took);
		if (!ok(r == runs[i].result && strstr(said, runs[i].text),
			runs[i].name))
			printf("# %d \"%s\"\n", r, said);
		loop_free(loop);
	}
}

/* ---- checks as a whole ---- */

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

static void test_groups(void)
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

static void test_ttl(void)
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

static void test_suspicion(void)
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

int main(void)
{
	test_conf();
	test_secret();
	test_tcp();
	test_redis();
	test_postgres();
	test_mysql();
	test_noise();
	test_http_judge();
	test_grpc_judge();
	test_damping();
	test_held_time();
	test_late();
	test_failures_tcp();
	test_failures_http();
	test_failures_udp();
	test_udp_answers();
	test_exec();
	test_groups();
	test_ttl();
	test_suspicion();
	printf("1..%u\n", tests);
	return failures ? 1 : 0;
}
