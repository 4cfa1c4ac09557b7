#include "engine/container-restart.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "engine/container-end.h"
#include "engine/container-start.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "monitor/restart.h"

#define ERROR_FILE "restart-error"

int restart_policy_parse(const char *text, const char **ret_policy, int64_t *ret_retries,
			 struct err *err)
{
	static const char *const policies[] = { "always", "unless-stopped", "on-failure" };
	const char *colon = strchr(text, ':');
	size_t size = colon ? (size_t)(colon - text) : strlen(text);
	const char *policy = NULL;
	int64_t retries = 0;

	for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
		if (strlen(policies[i]) == size && strncmp(text, policies[i], size) == 0)
			policy = policies[i];
	if (!policy && strcmp(text, "no") != 0 && strcmp(text, "never") != 0 && *text)
		return err_set(
			err, EINVAL,
			"invalid restart policy '%s'; it is no, on-failure[:RETRIES], always or "
			"unless-stopped",
			text);
	if (colon && (!policy || strcmp(policy, "on-failure") != 0))
		return err_set(err, EINVAL,
			       "restart policy '%s': only on-failure takes a number of retries",
			       text);
	if (colon && number_parse(colon + 1, 0, INT32_MAX, &retries) < 0)
		return err_set(err, EINVAL,
			       "restart policy '%s': '%s' is no number of retries; write it as "
			       "on-failure:3",
			       text, colon + 1);
	*ret_policy = policy;
	*ret_retries = retries;
	return 0;
}

int restart_policy_apply(const char *text, struct container_spec *spec, struct err *err)
{
	const char *policy;
	int64_t retries;

	int r = restart_policy_parse(text, &policy, &retries, err);
	if (r < 0)
		return r;
	if (spec->auto_remove && policy && strcmp(policy, "on-failure") != 0)
		return err_set(err, EINVAL,
			       "--rm and --restart %s contradict each other; give one of them, or "
			       "--restart on-failure",
			       policy);
	if (policy && spec->log_driver && strcmp(spec->log_driver, "passthrough") == 0)
		return err_set(err, EINVAL,
			       "--restart and --log-driver passthrough contradict each other: the "
			       "next start would have no streams to pass on");
	free(spec->restart_policy);
	spec->restart_policy = xstrdup(policy);
	spec->restart_retries = retries;
	return 0;
}

static int write_file(const char *run_dir, bool only_failure, uint32_t delay_msec, struct err *err)
{
	autofree char *path = path_join(run_dir, RESTART_FILE);
	autofree char *line =
		xasprintf("%s %u\n", only_failure ? "on-failure" : "always", (unsigned)delay_msec);

	return file_write(AT_FDCWD, path, line, strlen(line), 0600, 0, err);
}

int container_want_restart(struct engine *engine, const struct container *container,
			   struct err *err)
{
	autofree char *run_dir = container_run_directory(engine, container->id);

	return write_file(run_dir, false, RESTART_DELAY_MSEC, err);
}

/* Does the policy hold for the end of a run before which it has started it `count` times? */
static bool policy_holds(const struct container_spec *spec, int64_t count)
{
	return spec->restart_policy && (strcmp(spec->restart_policy, "on-failure") != 0 ||
					!spec->restart_retries || count < spec->restart_retries);
}

int container_write_restart(const char *run_dir, const struct container_spec *spec, int64_t count,
			    uint32_t delay_msec, struct err *err)
{
	if (!policy_holds(spec, count))
		return 0;
	return write_file(run_dir, strcmp(spec->restart_policy, "on-failure") == 0, delay_msec,
			  err);
}

int container_change_restart_locked(struct engine *engine, struct container *container,
				    const struct container_spec *spec, struct err *err)
{
	autofree char *run_dir = container_run_directory(engine, container->id);
	struct restart before = { .delay_msec = RESTART_DELAY_MSEC };

	if (!container_is_alive(container) && container->state != CONTAINER_RESTARTING)
		return 0;
	/* One that waits for a start that only follows a failure has to have failed. */
	if (!policy_holds(spec, container->restart_count) ||
	    (container->state == CONTAINER_RESTARTING && container->exit_code == 0 &&
	     strcmp(spec->restart_policy, "on-failure") == 0))
		return container_end_restarts_locked(engine, container, err);
	autoclose int fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)restart_read(fd, &before);
	return container_write_restart(run_dir, spec, container->restart_count, before.delay_msec,
				       err);
}

int container_end_restarts_locked(struct engine *engine, struct container *container,
				  struct err *err)
{
	autofree char *run_dir = container_run_directory(engine, container->id);
	autofree char *path = path_join(run_dir, RESTART_FILE);

	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(err, "end the restarts of container '%s'", container->name);
	if (container->state != CONTAINER_RESTARTING)
		return 0;
	container_refresh(engine, container, CONTAINER_IS_LOCKED); /* now it has ended for good */
	return container_cleanup_locked(engine, container, err);
}

bool container_starts_on_boot(const struct container *container, const struct container_spec *spec)
{
	if (!spec->restart_policy || container->state == CONTAINER_CREATED)
		return false;
	return strcmp(spec->restart_policy, "always") == 0 ||
	       (strcmp(spec->restart_policy, "unless-stopped") == 0 && !container->stopped_by_user);
}

/* Only one policy asks for it, and a stop without need for the database does without. */
static int note_stopped(struct engine *engine, const struct container *container, struct err *err)
{
	if (container->stopped_by_user || !strstr(container->spec_text, "\"unless-stopped\""))
		return 0;
	return container_set_stopped_by_user(engine, container->id, err);
}

int container_end_restarts(struct engine *engine, const char *id, enum restart_end why,
			   struct err *err)
{
	autocontainer struct container *container = NULL;
	autoclose int lock_fd = -1;

	/* It cannot be between two runs under the lock. */
	int r = container_find_locked(engine, id, &container, &lock_fd, err);
	if (r == -ENOENT)
		return CONTAINER_EXITED;
	if (r < 0)
		return r;
	enum container_state state = container->state;
	r = container_end_restarts_locked(engine, container, err);
	if (r >= 0 && why == RESTART_END_STOPPED)
		r = note_stopped(engine, container, err);
	return r < 0 ? r : (int)state;
}

/* How long the monitor has waited after the last run, from which follows how long it will after the next. */
static uint32_t last_delay(const struct container *container, const char *run_dir)
{
	struct restart restart;

	autoclose int fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || restart_read(fd, &restart) < 0)
		return RESTART_DELAY_MSEC;
	return restart_delay(
		&restart, (container->run.finished_nsec - container->run.started_nsec) / 1000000);
}

static void write_error(const struct engine *engine, const char *id, const char *text)
{
	autofree char *directory = container_directory(engine, id);
	autofree char *path = path_join(directory, ERROR_FILE);
	struct err ignored; /* then inspect does not tell */

	(void)file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, &ignored);
}

int container_restart(struct engine *engine, const char *id,
		      const struct restart_connections *connections, struct err *err)
{
	autocontainer struct container *container = NULL;
	autofree char *run_dir = container_run_directory(engine, id);
	autoclose int lock_fd = -1;
	struct err cause;

	int r = container_find_locked(engine, id, &container, &lock_fd, err);
	if (r == -ENOENT)
		return 0; /* it was removed while we waited */
	if (r < 0)
		return r;
	if (container->state != CONTAINER_RESTARTING)
		return container_cleanup_locked(engine, container, err);
	uint32_t delay_msec = restart_next_delay(last_delay(container, run_dir));
	r = container_start_again(engine, container, delay_msec, connections, &cause);
	if (r == 0)
		return 0;
	/* Nobody reads what we say, so it is kept for those who look. */
	err_wrap(&cause, "start it again");
	write_error(engine, container->id, cause.text);
	fd_close(&lock_fd);
	if (container->auto_remove)
		(void)container_remove(engine, container, REMOVE_VOLUMES, 0, err);
	*err = cause;
	return err_wrap(err, "container '%s'", container->name);
}

char *container_restart_error(const struct engine *engine, const char *id)
{
	autofree char *directory = container_directory(engine, id);
	autofree char *path = path_join(directory, ERROR_FILE);
	struct strbuf text = STRBUF_EMPTY;
	struct err ignored; /* there was no failure */

	(void)file_read(AT_FDCWD, path, &text, 4096, &ignored);
	return strbuf_take(&text);
}

void container_forget_restart_error(const struct engine *engine, const char *id)
{
	autofree char *directory = container_directory(engine, id);
	autofree char *path = path_join(directory, ERROR_FILE);

	(void)unlink(path); /* mostly there is none */
}
