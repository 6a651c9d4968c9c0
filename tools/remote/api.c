// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "api.h"

#define TIMEOUT_MS	15000L
#define ANSWER_MAX	(16u << 20)

struct answer {
	char *text;
	size_t len;
};

int fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("Error: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("\n", stderr);
	va_end(ap);
	return EXIT_LOCAL;
}

static size_t on_body(char *buf, size_t size, size_t n, void *data)
{
	struct answer *answer = data;
	size_t len = size * n;
	char *text;

	if (answer->len + len > ANSWER_MAX)
		return 0;
	text = realloc(answer->text, answer->len + len + 1);
	if (!text)
		return 0;
	memcpy(text + answer->len, buf, len);
	answer->text = text;
	answer->len += len;
	text[answer->len] = '\0';
	return len;
}

static void set_options(CURL *curl, const struct api *api, const char *method,
			const char *url, struct answer *answer)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "vnimesh");
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (api->ca) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, api->ca);
		/* Nobody else is trusted: not whom the system trusts, either. */
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	} else {
		/* Only what its finder verifies by other means. */
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static struct curl_slist *headers(const struct api *api, bool body)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	char line[320];

	if (body)
		list = curl_slist_append(list, "Content-Type: application/json");
	if (api->token) {
		snprintf(line, sizeof(line), "Authorization: Bearer %s",
			 api->token);
		list = curl_slist_append(list, line);
	}
	return list;
}

static json_t *judge(CURL *curl, CURLcode code, const char *url,
		     const struct answer *answer, int *ret)
{
	const char *detail;
	json_t *json;
	long status = 0;

	if (code != CURLE_OK) {
		fail("%s: %s.", url, curl_easy_strerror(code));
		*ret = EXIT_AWAY;
		return NULL;
	}
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	json = json_loads(answer->text ? answer->text : "", 0, NULL);
	if (status >= 200 && status < 300 && json)
		return json;
	detail = json_string_value(json_object_get(json, "detail"));
	fail("%s (%ld).", detail ? detail : "this is no answer of a coordinator",
	     status);
	json_decref(json);
	*ret = EXIT_REFUSED;
	return NULL;
}

json_t *api_ask(struct api *api, const char *method, const char *path,
		json_t *body, int *ret)
{
	struct answer answer = { 0 };
	struct curl_slist *list;
	char *local = NULL;
	char *text = NULL;
	char url[1024];
	json_t *json;
	CURLcode code;
	CURL *curl;

	curl = curl_easy_init();
	if (!curl) {
		*ret = fail("No memory.");
		return NULL;
	}
	snprintf(url, sizeof(url), "%s%s", api->url, path);
	set_options(curl, api, method, url, &answer);
	list = headers(api, body);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	if (body) {
		text = json_dumps(body, JSON_COMPACT);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
	}
	code = curl_easy_perform(curl);
	json = judge(curl, code, url, &answer, ret);
	if (json && !curl_easy_getinfo(curl, CURLINFO_LOCAL_IP, &local) && local)
		snprintf(api->local, sizeof(api->local), "%s", local);
	curl_easy_cleanup(curl);
	curl_slist_free_all(list);
	free(answer.text);
	free(text);
	return json;
}
