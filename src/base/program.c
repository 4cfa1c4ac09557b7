#include "base/program.h"

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

/* A file in memory as standard input: no pipe to break or to fill up. */
static int input_file(const struct program *program)
{
	autoclose int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	int r = fd_write_all(fd, program->input, program->input_size);
	if (r < 0)
		return r;
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : take_fd(&fd);
}

static int start(const struct program *program, int in_fd, int out_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in_fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	int r = posix_spawnp(ret_pid, program->argv[0], &actions, NULL,
			     (char *const *)program->argv, program->environment);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int program_run(const struct program *program, struct strbuf *output, struct err *err)
{
	const char *name = program->argv[0];
	int pipe_fds[2], status;
	pid_t pid = -1;

	autoclose int in_fd = input_file(program);
	if (in_fd < 0)
		return err_set(err, -in_fd, "start '%s': %s", name, strerror(-in_fd));
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_errno(err, "start '%s'", name);
	autoclose int read_fd = pipe_fds[0];
	autoclose int write_fd = pipe_fds[1];
	int r = start(program, in_fd, write_fd, &pid);
	if (r < 0)
		return err_set(err, -r, "start '%s': %s", name, strerror(-r));
	fd_close(&write_fd);
	r = fd_read_all(read_fd, output, program->output_limit);
	if (r < 0)
		(void)kill(pid, SIGKILL); /* it would wait for us to read on */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_set(err, -r, "read from '%s': %s", name, strerror(-r));
	if (!WIFEXITED(status))
		return 128;
	/* posix_spawn(3): 127 where the child is a copy of us and its error cannot come back (valgrind, emulators). */
	if (WEXITSTATUS(status) == 127)
		return err_set(err, ENOENT, "start '%s': a program was not found", name);
	return WEXITSTATUS(status);
}
