#include "registry/credential-helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "registry/auth.h"

#define OUTPUT_MAX ((size_t)64 * 1024)

/* A file in memory as standard input: no pipe to break or to fill up. */
static int input_file(const char *input)
{
	autoclose int fd = memfd_create("credentials", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	int r = fd_write_all(fd, input, strlen(input));
	if (r < 0)
		return r;
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : take_fd(&fd);
}

static int start(const char *program, const char *verb, int in_fd, int out_fd, pid_t *ret_pid)
{
	char *argv[] = { (char *)program, (char *)verb, NULL };
	posix_spawn_file_actions_t actions;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in_fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	int r = posix_spawnp(ret_pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Returns the program's exit status. */
static int run(const char *name, const char *verb, const char *input, struct strbuf *output,
	       struct err *err)
{
	autofree char *program = xasprintf("docker-credential-%s", name);
	int pipe_fds[2], status;
	pid_t pid = -1;

	if (!*name || strchr(name, '/'))
		return err_set(err, EINVAL, "credential helper '%s' is no plain name", name);
	autoclose int in_fd = input_file(input);
	if (in_fd < 0)
		return err_set(err, -in_fd, "start '%s': %s", program, strerror(-in_fd));
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_errno(err, "start '%s'", program);
	autoclose int read_fd = pipe_fds[0];
	autoclose int write_fd = pipe_fds[1];
	int r = start(program, verb, in_fd, write_fd, &pid);
	if (r < 0)
		return err_set(err, -r,
			       "start credential helper '%s': %s; install it, or take it out of "
			       "auth.json",
			       program, strerror(-r));
	fd_close(&write_fd);
	r = fd_read_all(read_fd, output, OUTPUT_MAX);
	if (r < 0)
		(void)kill(pid, SIGKILL); /* it would wait for us to read on */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_set(err, -r, "read from '%s': %s", program, strerror(-r));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
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
