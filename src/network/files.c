#include "network/files.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#define FILE_LIMIT (1024 * 1024)
#define SPACES	   " \t\r"

/* The next word of a line, which is cut at "#" and ";" as well; NULL at its end. */
static char *next_word(char **at, char **line_end)
{
	char *word = *at + strspn(*at, SPACES);

	if (word >= *line_end)
		return NULL;
	size_t size = strcspn(word, SPACES);
	*at = word + size + (word[size] != '\0');
	word[size] = '\0';
	if (*at > *line_end)
		*at = *line_end;
	return *word ? word : NULL;
}

static bool is_address(const char *text)
{
	struct in6_addr address;
	autofree char *bare = xstrndup(text, strcspn(text, "%")); /* fe80::1%eth0 */

	return inet_pton(AF_INET, bare, &address) == 1 || inet_pton(AF_INET6, bare, &address) == 1;
}

/* -- /etc/hosts ---------------------------------------------------------------------------------
 */

struct hosts_writer {
	struct strbuf *text;
	struct strlist names; /* that have a line already, lower case */
};

static bool has_name(const struct strlist *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcasecmp(names->items[i], name) == 0)
			return true;
	return false;
}

/* One line with those of the names that are new. */
static void add_names(struct hosts_writer *writer, const char *address, const struct strlist *names)
{
	const char *separator = "\t";

	for (size_t i = 0; i < names->count; i++) {
		if (!names->items[i][0] || has_name(&writer->names, names->items[i]))
			continue;
		if (*separator == '\t')
			strbuf_adds(writer->text, address);
		strbuf_addf(writer->text, "%s%s", separator, names->items[i]);
		separator = " ";
		strlist_add(&writer->names, names->items[i]);
	}
	if (*separator == ' ')
		strbuf_addc(writer->text, '\n');
}

/* "NAME[;NAME…]:IP": the address is behind the first colon, for IPv6 addresses have some too and
 * names none. */
static int split_extra(const char *extra, struct strlist *names, const char **ret_address,
		       struct err *err)
{
	const char *colon = strchr(extra, ':');
	autofree char *left = xstrndup(extra, colon ? (size_t)(colon - extra) : 0);

	if (!colon || colon == extra)
		return err_set(err, EINVAL, "invalid --add-host '%s': expected NAME:IP", extra);
	strlist_split(names, left, ';');
	for (size_t i = 0; i < names->count; i++)
		if (!names->items[i][0] || strpbrk(names->items[i], SPACES "\n#"))
			return err_set(err, EINVAL,
				       "invalid --add-host '%s': '%s' is not a host name", extra,
				       names->items[i]);
	const char *address = colon + 1;
	if (strcmp(address, "host-gateway") != 0 && !is_address(address))
		return err_set(err, EINVAL, "invalid --add-host '%s': '%s' is not an IP address",
			       extra, address);
	*ret_address = address;
	return 0;
}

int hosts_check_extra(const char *extra, struct err *err)
{
	autostrlist struct strlist names = STRLIST_EMPTY;
	const char *address;

	return split_extra(extra, &names, &address, err);
}

int hosts_check_name(const char *what, const char *name, struct err *err)
{
	if (strlen(name) > HOST_NAME_MAX)
		return err_set(err, EINVAL, "%s '%s' is too long; give at most %d characters", what,
			       name, HOST_NAME_MAX);
	for (const char *at = name; *at; at++) {
		bool is_first = at == name || at[-1] == '.', is_last = !at[1] || at[1] == '.';
		if (isalnum((unsigned char)*at) || (*at == '.' && !is_first) ||
		    (*at == '_' || (*at == '-' && !is_first && !is_last)))
			continue;
		return err_set(err, EINVAL,
			       "%s '%s' is not valid; use letters, digits and '-', with a dot "
			       "between parts",
			       what, name);
	}
	return 0;
}

static int add_extra(struct hosts_writer *writer, const struct hosts_request *request,
		     const char *extra, struct err *err)
{
	autostrlist struct strlist names = STRLIST_EMPTY;
	const char *address;

	if (split_extra(extra, &names, &address, err) < 0)
		return -err->code;
	if (strcmp(address, "host-gateway") == 0) {
		if (!request->host_address)
			return err_set(err, EINVAL,
				       "--add-host '%s': the host has no address that this "
				       "container can reach; name an IP address",
				       extra);
		address = request->host_address;
	}
	add_names(writer, address, &names);
	return 0;
}

static void add_base(struct hosts_writer *writer, const char *base_text)
{
	autofree char *copy = xstrdup(base_text);
	autostrlist struct strlist earlier = STRLIST_EMPTY;

	/* Within the base a name may have several addresses (localhost has two): only names of
	 * --add-host hide those of the base. */
	strlist_extend(&earlier, &writer->names);
	for (char *line = copy; line;) {
		char *next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		char *end = line + strcspn(line, "#"), *at = line;
		*end = '\0';
		const char *address = next_word(&at, &end);
		if (address && is_address(address)) {
			const char *separator = "\t";
			for (char *name; (name = next_word(&at, &end));) {
				if (has_name(&earlier, name))
					continue;
				if (*separator == '\t')
					strbuf_adds(writer->text, address);
				strbuf_addf(writer->text, "%s%s", separator, name);
				separator = " ";
				if (!has_name(&writer->names, name))
					strlist_add(&writer->names, name);
			}
			if (*separator == ' ')
				strbuf_addc(writer->text, '\n');
		}
		line = next;
	}
}

int hosts_build(const struct hosts_request *request, struct strbuf *text, struct err *err)
{
	struct hosts_writer writer = { .text = text };
	autostrlist struct strlist host_names = STRLIST_EMPTY, own_names = STRLIST_EMPTY;
	int result = 0;

	for (size_t i = 0; request->extra && i < request->extra->count && result == 0; i++)
		result = add_extra(&writer, request, request->extra->items[i], err);
	if (result == 0) {
		if (request->base_text)
			add_base(&writer, request->base_text);
		strlist_add(&host_names, "host.containers.internal");
		strlist_add(&host_names, "host.docker.internal");
		if (request->host_address)
			add_names(&writer, request->host_address, &host_names);
		if (request->hostname)
			strlist_add(&own_names, request->hostname);
		if (request->container_name)
			strlist_add(&own_names, request->container_name);
		if (request->aliases)
			strlist_extend(&own_names, request->aliases);
		if (request->own_address)
			add_names(&writer, request->own_address, &own_names);
	}
	strlist_clear(&writer.names);
	return result;
}

/* -- /etc/resolv.conf ---------------------------------------------------------------------------
 */

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* What a resolv.conf says; the last search line counts, see resolv.conf(5). */
struct resolv_content {
	struct strlist servers, searches, options;
};

static void resolv_content_clear(struct resolv_content *content)
{
	strlist_clear(&content->servers);
	strlist_clear(&content->searches);
	strlist_clear(&content->options);
}

static void parse_resolv(const char *text, struct resolv_content *content)
{
	autofree char *copy = xstrdup(text ? text : "");

	for (char *line = copy; line;) {
		char *next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		char *end = line + strcspn(line, "#;"), *at = line, *word;
		*end = '\0';
		const char *keyword = next_word(&at, &end);
		if (keyword && strcmp(keyword, "nameserver") == 0) {
			if ((word = next_word(&at, &end)) && is_address(word))
				strlist_add(&content->servers, word);
		} else if (keyword &&
			   (strcmp(keyword, "search") == 0 || strcmp(keyword, "domain") == 0)) {
			strlist_clear(&content->searches);
			while ((word = next_word(&at, &end)))
				strlist_add(&content->searches, word);
		} else if (keyword && strcmp(keyword, "options") == 0) {
			while ((word = next_word(&at, &end)))
				strlist_add(&content->options, word);
		}
		line = next;
	}
}

bool resolv_is_stub(const char *host_text)
{
	struct resolv_content content = { 0 };
	bool only_loopback = false;

	parse_resolv(host_text, &content);
	for (size_t i = 0; i < content.servers.count; i++) {
		only_loopback = is_loopback(content.servers.items[i]);
		if (!only_loopback)
			break;
	}
	resolv_content_clear(&content);
	return only_loopback;
}

int resolv_read_host(struct strbuf *text, struct err *err)
{
	int result = file_read(AT_FDCWD, RESOLV_PATH, text, FILE_LIMIT, err);

	if (result == -ENOENT)
		return 0;
	if (result < 0)
		return result;
	if (resolv_is_stub(strbuf_text(text))) {
		autostrbuf struct strbuf real = STRBUF_EMPTY;
		struct err ignored;
		if (file_read(AT_FDCWD, RESOLV_SYSTEMD_PATH, &real, FILE_LIMIT, &ignored) == 0) {
			strbuf_reset(text);
			strbuf_add(text, real.data, real.size);
		}
	}
	return 0;
}

static void add_line(struct strbuf *text, const char *keyword, const struct strlist *words)
{
	if (!words->count)
		return;
	autofree char *joined = strlist_join(words, " ");
	strbuf_addf(text, "%s %s\n", keyword, joined);
}

static int check_servers(const struct strlist *servers, struct err *err)
{
	for (size_t i = 0; servers && i < servers->count; i++)
		if (!is_address(servers->items[i]))
			return err_set(err, EINVAL, "invalid --dns '%s': not an IP address",
				       servers->items[i]);
	return 0;
}

static void add_servers(const struct resolv_request *request, const struct strlist *host_servers,
			struct strbuf *text)
{
	size_t count = 0;

	if (request->servers && request->servers->count) {
		for (size_t i = 0; i < request->servers->count; i++)
			strbuf_addf(text, "nameserver %s\n", request->servers->items[i]);
		return;
	}
	if (request->forwarder) {
		strbuf_addf(text, "nameserver %s\n", request->forwarder);
		count++;
	}
	for (size_t i = 0; i < host_servers->count; i++) {
		const char *server = host_servers->items[i];
		if (is_loopback(server) && !request->keep_loopback)
			continue;
		if (strchr(server, ':') && !request->has_ipv6 && !request->keep_loopback)
			continue;
		strbuf_addf(text, "nameserver %s\n", server);
		count++;
	}
	if (!count && !request->keep_loopback) {
		strbuf_adds(text, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
		if (request->has_ipv6)
			strbuf_adds(text, "nameserver 2001:4860:4860::8888\n"
					  "nameserver 2001:4860:4860::8844\n");
	}
}

int resolv_build(const struct resolv_request *request, struct strbuf *text, struct err *err)
{
	struct resolv_content content = { 0 };

	if (check_servers(request->servers, err) < 0)
		return -err->code;
	parse_resolv(request->host_text, &content);
	if (request->searches && request->searches->count) {
		strlist_clear(&content.searches);
		if (request->searches->count > 1 || strcmp(request->searches->items[0], ".") != 0)
			strlist_extend(&content.searches, request->searches);
	}
	if (request->options && request->options->count) {
		strlist_clear(&content.options);
		strlist_extend(&content.options, request->options);
	}
	add_line(text, "search", &content.searches);
	add_servers(request, &content.servers, text);
	add_line(text, "options", &content.options);
	resolv_content_clear(&content);
	return 0;
}
