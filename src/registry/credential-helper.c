#include "registry/credential-helper.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/program.h"
#include "base/strbuf.h"
#include "registry/auth.h"

#define OUTPUT_MAX ((size_t)64 * 1024)

/* Returns the program's exit status. */
static int run(const char *name, const char *verb, const char *input, struct strbuf *output,
	       struct err *err)
{
	autofree char *program = xasprintf("docker-credential-%s", name);

	if (!*name || strchr(name, '/'))
		return err_set(err, EINVAL, "credential helper '%s' is no plain name", name);
	const char *const argv[] = { program, verb, NULL };
	int r = program_run(&(struct program){ .argv = argv,
					       .environment = environ,
					       .input = input,
					       .input_size = strlen(input),
					       .output_limit = OUTPUT_MAX },
			    output, err);
	if (r == -ENOENT)
		return err_set(err, ENOENT,
			       "start credential helper '%s': %s; install it, or take it out of "
			       "auth.json",
			       program, strerror(ENOENT));
	return r;
}

static int tell_failure(const char *name, const char *server, struct strbuf *output,
			struct err *err)
{
	for (size_t i = 0; i < output->size; i++)
		if ((unsigned char)output->data[i] < ' ')
			output->data[i] = ' ';
	return err_set(err, EIO, "docker-credential-%s for '%s': %.200s", name, server,
		       strbuf_text(output));
}

int credential_helper_get(const char *name, const char *server, struct credentials *ret_credentials,
			  struct err *err)
{
	autostrbuf struct strbuf output = STRBUF_EMPTY;
	autojson struct json_object *root = NULL;

	int r = run(name, "get", server, &output, err);
	if (r < 0)
		return r;
	if (r > 0 && strstr(strbuf_text(&output), "credentials not found")) {
		*ret_credentials = CREDENTIALS_EMPTY;
		return 0;
	}
	if (r > 0)
		return tell_failure(name, server, &output, err);
	if (json_parse(strbuf_text(&output), output.size, &root, err) < 0)
		return err_set(err, EINVAL, "docker-credential-%s for '%s' answers no JSON", name,
			       server);
	const char *user = json_get_string(root, "Username", "");
	const char *secret = json_get_string(root, "Secret", "");
	struct credentials credentials = CREDENTIALS_EMPTY;
	if (strcmp(user, "<token>") == 0) {
		credentials.identity_token = xstrdup(secret);
	} else if (*user) {
		credentials.user = xstrdup(user);
		credentials.password = xstrdup(secret);
	}
	explicit_bzero(output.data, output.size);
	*ret_credentials = credentials;
	return 0;
}

int credential_helper_store(const char *name, const char *server, const char *user,
			    const char *password, struct err *err)
{
	autojson struct json_object *root = json_object_new_object();
	autostrbuf struct strbuf output = STRBUF_EMPTY;

	json_add_string(root, "ServerURL", server);
	json_add_string(root, "Username", user);
	json_add_string(root, "Secret", password);
	int r = run(name, "store", json_object_to_json_string(root), &output, err);
	return r > 0 ? tell_failure(name, server, &output, err) : r;
}

int credential_helper_erase(const char *name, const char *server, struct err *err)
{
	autostrbuf struct strbuf output = STRBUF_EMPTY;

	int r = run(name, "erase", server, &output, err);
	return r > 0 ? tell_failure(name, server, &output, err) : r;
}
