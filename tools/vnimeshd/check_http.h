/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an answer over HTTP says. Pure: the answer is the argument. */
#ifndef VNIMESHD_CHECK_HTTP_H
#define VNIMESHD_CHECK_HTTP_H

#include "check_conf.h"
#include "http.h"

/* Of a body that are looked at. */
#define CHECK_BODY_MAX	65536

/* @text gets what it says in words. */
enum health_result http_judge(const struct check_conf *conf,
			      const struct http_reply *reply, char *text,
			      size_t len);
/* The same for the health service of gRPC. */
enum health_result grpc_judge(const struct check_conf *conf,
			      const struct http_reply *reply, char *text,
			      size_t len);

/* The question to that service, in at most @len bytes; its length. */
size_t grpc_question(const char *service, uint8_t *buf, size_t len);

#endif
