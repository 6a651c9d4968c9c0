// SPDX-License-Identifier: GPL-2.0-or-later
/* Answers over HTTP, and gRPC's. */

#include <stdio.h>
#include <string.h>

#include "check_http.h"
#include "checks.h"
#include "tap.h"

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

void test_http_judge(void)
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

void test_grpc_judge(void)
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
