// SPDX-License-Identifier: GPL-2.0-or-later
/* Each protocol's state machine, by bytes alone. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_talk.h"
#include "checks.h"
#include "tap.h"

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

void test_tcp(void)
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

void test_redis(void)
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

void test_postgres(void)
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

void test_mysql(void)
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
	memcpy(buf + m, "\1\0\0\2\376\13\0\0\4\377\25\4#28000No", 20);
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
void test_noise(void)
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
