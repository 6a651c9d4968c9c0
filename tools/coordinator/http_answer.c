// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "http_priv.h"
#include "mem.h"
#include "problem.h"

void http_drop_piece(struct request *rq)
{
	rq->http->pending -= rq->pending;
	free(rq->piece);
	rq->piece = NULL;
	rq->pending = 0;
	rq->piece_at = 0;
}

bool http_piece(struct request *rq, char *text, size_t len)
{
	rq->piece = text;
	rq->pending = len;
	rq->http->pending += len;
	if (rq->http->pending <= PENDING_MAX)
		return true;
	rq->http->refused_memory++;
	return false;
}

/* The client has read all there was before. */
static ssize_t on_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct request *rq = cls;
	size_t n;

	(void)pos;
	if (rq->piece_at == rq->pending) {
		http_drop_piece(rq);
		if (!rq->stream->next(rq))
			return MHD_CONTENT_READER_END_OF_STREAM;
		/* Nothing: it waits, and the connection is suspended. */
		if (!rq->piece)
			return 0;
		http_give_time(rq, CLIENT_PIECE_MS);
	}
	n = rq->pending - rq->piece_at;
	if (n > max)
		n = max;
	memcpy(buf, rq->piece + rq->piece_at, n);
	rq->piece_at += n;
	return n;
}

static enum MHD_Result reply_stream(struct request *rq)
{
	struct MHD_Response *response;
	enum MHD_Result ret;

	http_give_time(rq, CLIENT_ANSWER_MS);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN,
						     STREAM_BLOCK, on_read, rq,
						     NULL);
	mem_checked(response);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				rq->stream->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
				"no-store");
	ret = MHD_queue_response(rq->conn, rq->status, response);
	MHD_destroy_response(response);
	return ret;
}

enum MHD_Result http_reply(struct request *rq)
{
	struct MHD_Response *response;
	enum MHD_Result ret;
	char *text = NULL;
	size_t n = 0;

	if (rq->http->pending > PENDING_MAX) {
		rq->http->refused_memory++;
		rq->status = problem(rq, 503, NULL,
				     "too many answers wait to be read");
	} else if (rq->stream) {
		return reply_stream(rq);
	}
	if (rq->reply) {
		text = mem_checked(json_dumps(rq->reply, JSON_COMPACT));
		n = strlen(text);
		text = mem_resize(text, n + 1, 1);
		text[n++] = '\n';
	}
	rq->pending = n;
	rq->http->pending += n;
	http_give_time(rq, CLIENT_ANSWER_MS);
	response = MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE);
	mem_checked(response);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				rq->status >= 400 ? "application/problem+json" :
						    "application/json");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
				"no-store");
	if (rq->etag[0])
		MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG,
					rq->etag);
	if (rq->allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
					rq->allow);
	if (rq->retry)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER,
					"1");
	if (rq->challenge)
		MHD_add_response_header(response,
					MHD_HTTP_HEADER_WWW_AUTHENTICATE,
					"Bearer realm=\"vnimesh\"");
	if (rq->http->ending || rq->last)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION,
					"close");
	ret = MHD_queue_response(rq->conn, rq->status, response);
	MHD_destroy_response(response);
	return ret;
}
