/* davit login, davit logout: passwords for registries. */
#include "cli/command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/prompt.h"
#include "cli/pull-options.h"
#include "engine/engine.h"
#include "registry/auth.h"
#include "registry/client.h"
#include "registry/paths.h"
#include "registry/registries.h"

struct login_args {
	const char *user, *password, *authfile, *cert_dir;
	enum option_tristate tls_verify;
	bool password_stdin, get_login, verbose;
};

struct logout_args {
	const char *authfile;
	bool all;
};

/* What both commands look into. */
struct places {
	struct registry_paths paths;
	struct registries *registries;
};

static void places_clear(struct places *places)
{
	registries_free(places->registries);
	registry_paths_clear(&places->paths);
}
#define autoplaces __attribute__((cleanup(places_clear)))

static int places_find(struct places *places, struct err *err)
{
	registry_paths_init(&places->paths, getenv, geteuid());
	return registries_load(&places->paths, &places->registries, err);
}

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(take_ptr(text));
}
#define autosecret __attribute__((cleanup(wipe)))

/* "HOST[:PORT][/PATH]" of the operand, or the first search registry. */
static int find_registry(const struct places *places, int argc, char **argv, char **ret_registry,
			 struct err *err)
{
	const struct strlist *search = registries_search(places->registries);
	const char *word = argc ? argv[0] : search->count ? search->items[0] : "";
	const char *scheme = strstr(word, "://");
	size_t size;

	if (!*word)
		return err_set(err, EINVAL,
			       "no registries found in registries.conf, a registry must be "
			       "provided, such as quay.io");
	if (scheme)
		word = scheme + 3;
	size = strlen(word);
	while (size > 0 && word[size - 1] == '/')
		size--;
	*ret_registry = xstrndup(word, size);
	if (!size || strpbrk(*ret_registry, " \t@?#\\") || word[0] == '/') {
		free(take_ptr(ret_registry));
		return err_set(err, EINVAL, "'%s' is no registry; it must look like HOST[:PORT]",
			       argc ? argv[0] : word);
	}
	return 0;
}

static int check(struct cli *cli, const struct places *places, const struct login_args *args,
		 const char *registry, const char *user, const char *password, struct err *err)
{
	autoregistryclient struct registry_client *client = NULL;
	struct engine *engine;
	int r = pull_args_check_file("cert-dir", args->cert_dir, err);

	if (r == 0)
		r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	autofree char *program = engine_helper_path(engine, "davit-registry");
	const struct registry_options options = {
		.program = program,
		.cert_dir = args->cert_dir,
		.tls = args->tls_verify == TRISTATE_UNSET  ? REGISTRY_TLS_CONFIGURED
		       : args->tls_verify == TRISTATE_TRUE ? REGISTRY_TLS_VERIFY
							   : REGISTRY_TLS_NO_VERIFY,
		.retry = -1,
		.retry_delay_usec = -1,
	};
	r = registry_client_open(-1, places->registries, &places->paths, &options, &client, err);
	return r < 0 ? r : registry_client_check_login(client, registry, user, password, err);
}

static int get_login(const struct credentials *known, const char *registry, struct err *err)
{
	if (!known->user)
		return err_set(err, ENOENT, "not logged into %s", registry);
	puts(known->user);
	return EXIT_OK;
}

/* Fill in what the options left open. Borrowed texts are copied, so that all can be wiped. */
static int ask_user(const struct login_args *args, const char *known_user, char **ret_user,
		    char **ret_password, struct err *err)
{
	autosecret char *user = xstrdup(args->user);
	autosecret char *password = xstrdup(args->password);
	int r = 0;

	if (args->password_stdin) {
		if (!user)
			return err_set(err, EINVAL, "--password-stdin needs --username too");
		if (password)
			return err_set(err, EINVAL,
				       "--password and --password-stdin exclude each other");
		r = prompt_read("", false, &password, err);
	} else if ((!user || !password) && !isatty(STDIN_FILENO)) {
		return err_set(err, EINVAL,
			       "standard input is no terminal to ask on; use --username and "
			       "--password-stdin");
	}
	if (r >= 0 && !user) {
		autofree char *question = known_user ? xasprintf("Username (%s): ", known_user)
						     : xstrdup("Username: ");
		r = prompt_read(question, false, &user, err);
		if (r >= 0 && !*user && known_user) {
			free(user);
			user = xstrdup(known_user);
		}
	}
	if (r >= 0 && !password)
		r = prompt_read("Password: ", true, &password, err);
	if (r < 0)
		return r;
	if (!*user || !*password)
		return err_set(err, EINVAL, "the %s is empty", *user ? "password" : "user name");
	*ret_user = take_ptr(&user);
	*ret_password = take_ptr(&password);
	return 0;
}

/* What is known already may do. Returns 1 when it does. */
static int try_known(struct cli *cli, const struct places *places, const struct login_args *args,
		     const char *registry, const struct credentials *known, struct err *err)
{
	struct err own = { 0 };

	if (!known->user || args->user || args->password || args->password_stdin)
		return 0;
	printf("Authenticating with existing credentials for %s\n", registry);
	int r = check(cli, places, args, registry, known->user, known->password, &own);
	if (r >= 0) {
		printf("Existing credentials are valid. Already logged in to %s\n", registry);
		return 1;
	}
	if (r != -EACCES) {
		*err = own;
		return r;
	}
	printf("Existing credentials are invalid, please enter valid username and password\n");
	fflush(stdout);
	return 0;
}

static int login(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct login_args *args = arguments;
	autoplaces struct places places = { 0 };
	autocredentials struct credentials known = CREDENTIALS_EMPTY;
	autofree char *registry = NULL;
	autosecret char *user = NULL, *password = NULL;
	int r = places_find(&places, err);

	if (r >= 0)
		r = find_registry(&places, argc, argv, &registry, err);
	if (r >= 0)
		r = auth_find(&places.paths, args->authfile, places.registries, registry, &known,
			      err);
	if (r < 0)
		return r;
	if (args->get_login)
		return get_login(&known, registry, err);
	r = try_known(cli, &places, args, registry, &known, err);
	if (r != 0)
		return r < 0 ? r : EXIT_OK;
	r = ask_user(args, known.user, &user, &password, err);
	if (r >= 0)
		r = check(cli, &places, args, registry, user, password, err);
	if (r >= 0)
		r = auth_store(&places.paths, args->authfile, registry, user, password, err);
	if (r < 0)
		return r;
	if (args->verbose)
		printf("Used:  %s\n", args->authfile ? args->authfile : places.paths.auth_file);
	puts("Login Succeeded!");
	return EXIT_OK;
}

static int logout_one(const struct places *places, const struct logout_args *args,
		      const char *registry, struct err *err)
{
	autocredentials struct credentials elsewhere = CREDENTIALS_EMPTY;
	struct err ignored = { 0 };
	int r = auth_remove(&places->paths, args->authfile, registry, err);

	if (r == -ENOENT &&
	    auth_find(&places->paths, args->authfile, places->registries, registry, &elsewhere,
		      &ignored) >= 0 &&
	    elsewhere.user)
		return err_set(err, ENOENT,
			       "not logged into %s by davit: its password is in a file of another "
			       "tool; use docker logout %s",
			       registry, registry);
	if (r < 0)
		return r;
	printf("Removed login credentials for %s\n", registry);
	return EXIT_OK;
}

static int logout(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct logout_args *args = arguments;
	autoplaces struct places places = { 0 };
	autofree char *registry = NULL;
	int r = places_find(&places, err);

	if (r < 0)
		return r;
	if (args->all && argc)
		return err_set(err, EINVAL, "--all takes no registry");
	if (args->all) {
		r = auth_remove_all(&places.paths, args->authfile, err);
		if (r >= 0)
			puts("Removed login credentials for all registries");
		return r < 0 ? r : EXIT_OK;
	}
	r = find_registry(&places, argc, argv, &registry, err);
	return r < 0 ? r : logout_one(&places, args, registry, err);
}

#define FIELD(f) offsetof(struct login_args, f)
static const struct option_spec login_options[] = {
	{ "authfile", 0, OPTION_STRING, FIELD(authfile), "FILE",
	  "Keep the password in FILE instead of the usual place", .complete = COMPLETE_FILES },
	{ "cert-dir", 0, OPTION_STRING, FIELD(cert_dir), "DIR", "Use the certificates in DIR",
	  .complete = COMPLETE_FILES },
	{ "get-login", 0, OPTION_FLAG, FIELD(get_login), NULL,
	  "Print who is logged in to the registry, and do nothing else" },
	{ "password", 'p', OPTION_STRING, FIELD(password), "PASSWORD",
	  "The password; everybody on this machine can see it, prefer --password-stdin" },
	{ "password-stdin", 0, OPTION_FLAG, FIELD(password_stdin), NULL,
	  "Read the password from standard input" },
	{ "tls-verify", 0, OPTION_TRISTATE, FIELD(tls_verify), NULL,
	  "Require HTTPS and a certificate that is trusted" },
	{ "username", 'u', OPTION_STRING, FIELD(user), "USER", "The user name" },
	{ "verbose", 'v', OPTION_FLAG, FIELD(verbose), NULL, "Tell where the password is kept" },
	OPTION_END,
};

const struct command command_login = {
	.names = "login",
	.summary = "Log in to a registry",
	.description = "Asks the registry whether it takes the user name and the password, and "
		       "keeps them for pull and the other commands.\nWithout REGISTRY it is the "
		       "first search registry of registries.conf.",
	.examples = "davit login quay.io\n"
		    "davit login --username ann --password-stdin localhost:5000 <password-file",
	.operands = "[REGISTRY]",
	.max_operands = 1,
	.options = login_options,
	.args_size = sizeof(struct login_args),
	.run = login,
};

#undef FIELD
#define FIELD(f) offsetof(struct logout_args, f)
static const struct option_spec logout_options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Forget the passwords of all registries" },
	{ "authfile", 0, OPTION_STRING, FIELD(authfile), "FILE",
	  "Forget what is in FILE instead of the usual place", .complete = COMPLETE_FILES },
	OPTION_END,
};

const struct command command_logout = {
	.names = "logout",
	.summary = "Forget the password of a registry",
	.operands = "[REGISTRY]",
	.max_operands = 1,
	.options = logout_options,
	.args_size = sizeof(struct logout_args),
	.run = logout,
};
