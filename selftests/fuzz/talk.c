// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a server says to a check: (type of the check), then the bytes of its
 * connection, cut into pieces by a byte of length before each; or an answer over
 * HTTP: status, and headers and body on both sides of an empty line.
 * fuzz: agent
 */

#include "check_http.h"
#include "check_talk.h"
#include "fuzz.h"
#include "log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_level = -1;
	return 0;
}

static struct check_conf conf_of(uint8_t kind)
{
	static const enum check_type types[] = {
		CHECK_TCP, CHECK_REDIS, CHECK_POSTGRES, CHECK_MYSQL
	};
	struct check_conf c = {
		.type = types[kind & 3],
		.send = { (uint8_t *)"PING\r\n", 6 },
		.expect = { (uint8_t *)"PONG", 4 },
		.user = (char *)"user",
		.database = (char *)"db",
	};

	if (kind & 4)
		c.password_file = (char *)"/nowhere";
	c.writable = kind & 8;
	c.tls = kind & 16;
	return c;
}

static void talk(const uint8_t *data, size_t len)
{
	struct check_conf conf = conf_of(data[0]);
	enum talk_state state;
	struct talk t;
	uint8_t *piece;
	size_t n;

	data++;
	len--;
	talk_init(&t, &conf, conf.password_file ? "secret" : NULL);
	state = talk_start(&t);
	while (state != TALK_DONE && len > 1) {
		must(t.n_out <= TALK_OUT_MAX && t.n_in <= TALK_IN_MAX);
		t.n_out = 0;
		if (state == TALK_TLS) {
			state = talk_tls(&t);
			if (state == TALK_TLS)
				break;
			continue;
		}
		n = data[0] ? data[0] : len - 1;
		data++;
		len--;
		if (n > len)
			n = len;
		piece = malloc(n);
		must(piece || !n);
		memcpy(piece, data, n);
		state = talk_input(&t, piece, n);
		free(piece);
		data += n;
		len -= n;
	}
	if (state != TALK_DONE)
		state = talk_closed(&t);
	must(state == TALK_DONE && strnlen(t.text, sizeof(t.text)) < sizeof(t.text));
	talk_free(&t);
}

static void answer(const uint8_t *data, size_t len)
{
	struct check_conf conf = {
		.type = data[0] & 1 ? CHECK_GRPC : CHECK_HTTP,
		.status = { { 200, 399 } }, .n_status = 1,
		.expected = { { (char *)"Content-Type", (char *)"json" },
			      { (char *)"grpc-status", (char *)"" } },
		.n_expected = data[0] >> 1 & 3,
		.body = data[0] & 8 ? (char *)"ok" : NULL,
		.service = (char *)"",
	};
	struct http_reply reply = { .error = "" };
	char text[OUTPUT_MAX + 1];
	const uint8_t *body;
	uint8_t question[512];
	char *headers;

	if (conf.n_expected > 2)
		conf.n_expected = 2;
	reply.status = data[1] * 4;
	data += 2;
	len -= 2;
	body = memmem(data, len, "\n\n", 2);
	body = body ? body + 2 : data + len;
	headers = fuzz_text(data, body - data);
	reply.headers = headers;
	reply.len = data + len - body;
	reply.seen = reply.len;
	reply.body = fuzz_text(body, reply.len);
	if (conf.type == CHECK_GRPC) {
		must(grpc_question("", question, sizeof(question)));
		grpc_judge(&conf, &reply, text, sizeof(text));
	} else {
		http_judge(&conf, &reply, text, sizeof(text));
	}
	must(strnlen(text, sizeof(text)) < sizeof(text));
	free(headers);
	free((char *)reply.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 3)
		return 0;
	if (data[0] & 0x80)
		answer(data, len);
	else
		talk(data, len);
	return 0;
}
