// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vnimesh-remote: the commands of vnimesh(8) that need a coordinator. A
 * program of its own, so that those that only ask the kernel need no HTTP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "remote.h"

const char *value_of(char ***v, const char *key)
{
	const char *value = **v;

	if (!value) {
		fail("argument \"%s\" needs a value.", key);
		return NULL;
	}
	(*v)++;
	return value;
}

/* The first line of a file, without its end; NULL after a message. */
static char *read_all(const char *file)
{
	char *text = NULL;
	size_t room = 0;
	FILE *f = fopen(file, "re");

	if (!f || getdelim(&text, &room, '\0', f) <= 0) {
		fail("Cannot read %s: %m.", file);
		free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

int access_word(struct access *access, char ***v)
{
	const struct {
		const char *key;
		const char **value;
	} words[] = {
		{ "coordinator", &access->coordinator },
		{ "token-file", &access->token_file },
		{ "ca-file", &access->ca_file },
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(**v, words[i].key))
			continue;
		(*v)++;
		*words[i].value = value_of(v, words[i].key);
		return *words[i].value ? 1 : -1;
	}
	return 0;
}

/* False, after a message, if it was given neither way. */
static bool given(const char **value, const char *key, const char *variable)
{
	if (!*value)
		*value = getenv(variable);
	if (!*value)
		fail("argument \"%s\" is required, or %s.", key, variable);
	return *value;
}

bool access_open(struct access *access)
{
	if (!given(&access->coordinator, "coordinator", "VNIMESH_COORDINATOR"))
		return false;
	access->api.url = access->coordinator;
	if (!strncmp(access->coordinator, "https:", 6)) {
		if (!given(&access->ca_file, "ca-file", "VNIMESH_CA_FILE") ||
		    !given(&access->token_file, "token-file", "VNIMESH_TOKEN_FILE"))
			return false;
		access->token = read_all(access->token_file);
		if (!access->token)
			return false;
		access->token[strcspn(access->token, "\n")] = '\0';
	}
	access->api.ca = access->ca_file;
	access->api.token = access->token;
	return true;
}

void access_close(struct access *access)
{
	free(access->token);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(char **v);
	} commands[] = {
		{ "join", join_run },
		{ "forget", forget_run },
		{ "token", token_run },
		{ "grant", grant_run },
	};
	int ret = -1;
	size_t i;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			ret = commands[i].run(argv + 2);
	curl_global_cleanup();
	if (ret < 0)
		return fail("this is a part of vnimesh: try \"vnimesh help\".");
	if (fflush(stdout) || ferror(stdout))
		return fail("Cannot write the output: %m.");
	return ret;
}
