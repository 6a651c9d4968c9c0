/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of a command line. What is wrong with one is said on stderr,
 * naming the word and what it should be; functions then return false.
 */
#ifndef ARGS_H
#define ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"

struct args {
	const char	*object;	/* for the hint in errors */
	char		**v;		/* ends with NULL */
};

/* The next word, or NULL. */
const char *args_peek(const struct args *a);
const char *args_next(struct args *a);

/* Take the next word if it is @word. */
bool args_take(struct args *a, const char *word);

/* The word behind the keyword @key; NULL and an error when there is none. */
const char *args_value(struct args *a, const char *key);

/* An error about an unknown or surplus next word; false. False too, silently,
 * when there is none: "done" for loops.
 */
bool args_unknown(const struct args *a);

/* True when nothing is left, else an error. */
bool args_end(const struct args *a);

/* 'argument "TEXT" is wrong: WHY'; false. */
bool args_wrong(const char *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
bool args_required(const char *what);

/* The next word, which must be there: @what it is. NULL after an error. */
const char *args_need(struct args *a, const char *what);
bool args_need_tag(struct args *a, char tag[VNIMESH_TAG_MAX + 1]);
bool args_need_u32(struct args *a, const char *what, uint32_t min,
		   uint32_t max, uint32_t *v);

/* Strict parsers, in decimal only; @what names the thing in errors. */
bool parse_u64(const char *text, const char *what, uint64_t min, uint64_t max,
	       uint64_t *v);
bool parse_u32(const char *text, const char *what, uint32_t min, uint32_t max,
	       uint32_t *v);
bool parse_port(const char *text, uint16_t *port);

/* With a unit (us, ms, s, m, h); in units of @unit_us microseconds. */
bool parse_duration(const char *text, const char *what, uint64_t unit_us,
		    uint32_t min, uint32_t max, uint32_t *v);
bool parse_addr(const char *text, const char *what, struct ip_addr *addr);
/* ADDR[/LEN]: bits behind the length may be set. */
bool parse_ifaddr(const char *text, struct ip_addr *addr, unsigned int *len);
bool check_tag(const char *text);
bool parse_tag(const char *text, char tag[VNIMESH_TAG_MAX + 1]);

/* If the next word is a keyword of @t that a request may carry, take it and
 * its value into *rec: 1; a wrong value: -1, said; no such keyword: 0.
 */
int args_field(struct args *a, const struct vnm_type *t, void *rec);

/* "dev NAME": the index of that device. Returns as args_field(). */
int args_dev(struct args *a, uint32_t *ifindex);
bool parse_dev(const char *name, uint32_t *ifindex);

#endif /* ARGS_H */
