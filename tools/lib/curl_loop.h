/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transfers of libcurl on the event loop: its sockets and its timer are the
 * loop's, and nothing blocks. What a transfer is and who asked for it is its
 * starter's business.
 *
 * Ownership: an easy handle stays its starter's, who takes it out with
 * curl_loop_del() before it is cleaned up. The end of a transfer is told from
 * the end of the turn, never from within another call.
 */
#ifndef VNIMESH_CURL_LOOP_H
#define VNIMESH_CURL_LOOP_H

#include <curl/curl.h>

#include "loop.h"

struct curl_loop;

/* @owner: the transfer's CURLOPT_PRIVATE. May start, end and take out any. */
typedef void (*curl_loop_fn)(void *owner, CURLcode code);

int curl_loop_new(struct curl_loop **ret, struct loop *loop, curl_loop_fn fn);
/* All transfers have been taken out. NULL is fine. */
void curl_loop_free(struct curl_loop *cl);

int curl_loop_add(struct curl_loop *cl, CURL *easy);
void curl_loop_del(struct curl_loop *cl, CURL *easy);

#endif
