#include "registry/program/challenge.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/strbuf.h"

void challenge_clear(struct challenge *challenge)
{
	free(challenge->realm);
	free(challenge->service);
	free(challenge->scope);
	*challenge = (struct challenge){ 0 };
}

static size_t token_length(const char *at)
{
	size_t size = 0;

	while (at[size] > ' ' && at[size] < 0x7f && !strchr("()<>@,;:\\\"/[]?={}", at[size]))
		size++;
	return size;
}

static const char *skip_separators(const char *at)
{
	return at + strspn(at, " \t,");
}

/* A token or a quoted string; returns what follows it. */
static const char *parse_value(const char *at, struct strbuf *value)
{
	if (*at != '"') {
		size_t size = strcspn(at, ", \t");
		strbuf_add(value, at, size);
		return at + size;
	}
	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
		strbuf_addc(value, *at);
	}
	return *at ? at + 1 : at;
}

/* name=value, …, up to the next scheme or the end. */
static const char *parse_parameters(const char *at, struct challenge *challenge)
{
	for (;;) {
		at = skip_separators(at);
		size_t size = token_length(at);
		const char *equals = at + size + strspn(at + size, " \t");
		if (size == 0 || *equals != '=')
			return at;
		autostrbuf struct strbuf value = STRBUF_EMPTY;
		const char *next = parse_value(equals + 1 + strspn(equals + 1, " \t"), &value);
		char **place = NULL;
		if (size == 5 && strncasecmp(at, "realm", 5) == 0)
			place = &challenge->realm;
		else if (size == 7 && strncasecmp(at, "service", 7) == 0)
			place = &challenge->service;
		else if (size == 5 && strncasecmp(at, "scope", 5) == 0)
			place = &challenge->scope;
		if (place && !*place)
			*place = strbuf_take(&value);
		at = next;
	}
}

void challenge_parse(const char *header, struct challenge *challenge)
{
	for (const char *at = skip_separators(header); *at;) {
		struct challenge found = { 0 };
		size_t size = token_length(at);
		bool space = at[size] == ' ' || at[size] == '\t' || at[size] == ',' || !at[size];

		if (size == 6 && space && strncasecmp(at, "bearer", 6) == 0)
			found.scheme = CHALLENGE_BEARER;
		else if (size == 5 && space && strncasecmp(at, "basic", 5) == 0)
			found.scheme = CHALLENGE_BASIC;
		const char *next = parse_parameters(at + size, &found);
		if (found.scheme == CHALLENGE_BEARER && !found.realm)
			found.scheme = CHALLENGE_NONE; /* nowhere to get a token from */
		if (found.scheme > challenge->scheme) {
			challenge_clear(challenge);
			*challenge = found;
		} else {
			challenge_clear(&found);
		}
		/* Whatever is no scheme and no parameter is skipped byte by byte. */
		at = next > at ? next : at + 1;
	}
}
