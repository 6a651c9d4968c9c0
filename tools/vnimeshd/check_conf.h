/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a member is checked, as its definition says: vnimeshd(8) has the fields.
 *
 * Ownership: all pointers are the struct's own, freed by check_conf_free().
 * A struct of zeroes is "no check" and owns nothing.
 */
#ifndef VNIMESHD_CHECK_CONF_H
#define VNIMESHD_CHECK_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "health.h"
#include "ip.h"
#include "json.h"

#define CHECK_INTERVAL_MS	1000
#define CHECK_TIMEOUT_MS	500
#define CHECK_RISE		2
#define CHECK_FALL		2
/* Checks in an all-of or any-of, and how deep these may stand in each other. */
#define CHECK_SUBS_MAX		16
#define CHECK_DEPTH_MAX		3
/* Bytes sent to or looked for in an answer. */
#define CHECK_BYTES_MAX		1024
#define CHECK_TEXT_MAX		511
#define CHECK_HEADERS_MAX	16
#define CHECK_RANGES_MAX	16
#define CHECK_ARGS_MAX		32

enum check_type {
	CHECK_NONE,		/* up as long as its device is */
	CHECK_TCP,
	CHECK_UDP,
	CHECK_HTTP,
	CHECK_HTTPS,
	CHECK_GRPC,
	CHECK_POSTGRES,
	CHECK_MYSQL,
	CHECK_REDIS,
	CHECK_EXEC,
	CHECK_TTL,		/* told through the control socket */
	CHECK_ALIAS,		/* as another member of this host */
	CHECK_ALL_OF,
	CHECK_ANY_OF,
};

/* In the order of enum check_type, NULL behind. */
extern const char *const check_types[];

struct check_bytes {
	uint8_t *v;
	size_t n;		/* 0: none */
};

struct check_range {
	uint16_t min, max;
};

struct check_header {
	char *name;
	char *value;		/* expected: part of the value, "" for any */
};

struct check_conf {
	enum check_type type;
	uint16_t port;
	struct health_conf health;
	/* In the network namespace of the VNI, to this address of it. */
	bool inside;
	struct ip_addr inside_addr;
	/* A connection through TLS */
	bool tls;
	bool tls_insecure;	/* any certificate will do */
	char *tls_name;		/* SNI and name in the certificate, or NULL */
	char *tls_ca;		/* file, or NULL: those of the system */
	/* tcp, udp */
	struct check_bytes send, expect;
	/* http, https, grpc */
	char *path, *host, *method, *body, *service;
	struct check_range status[CHECK_RANGES_MAX];
	unsigned int n_status;
	struct check_header headers[CHECK_HEADERS_MAX];
	unsigned int n_headers;
	struct check_header expected[CHECK_HEADERS_MAX];
	unsigned int n_expected;
	/* postgres, mysql, redis */
	char *user, *database;
	char *password_file;	/* set: log in, and ask for the role */
	bool writable;		/* up only if it takes writes */
	char primary_tag[TAG_MAX + 1]; /* "": none */
	/* exec */
	char *argv[CHECK_ARGS_MAX + 1];
	/* ttl */
	uint32_t ttl_ms;
	/* alias */
	char alias_tag[TAG_MAX + 1];
	uint32_t alias_vni;	/* 0: the VNI of the member itself */
	bool alias_primary;	/* up while that one is the primary */
	/* all-of, any-of */
	struct check_conf *subs;
	unsigned int n_subs;
	/* The definition as text, for comparing two. */
	char *text;
};

/* What the host's configuration allows. */
struct check_allow {
	bool exec;
};

/* Read @key of @root; @port is used where it has none (0: required). What is
 * wrong is recorded in the reader; *ret is to be freed in any case.
 */
void check_conf_read(struct jobj *root, const char *key, uint16_t port,
		     const struct check_allow *allow, struct check_conf *ret);
void check_conf_free(struct check_conf *c);
bool check_conf_same(const struct check_conf *a, const struct check_conf *b);

#endif
