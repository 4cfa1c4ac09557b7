/* What cgroup.c and the back ends share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "kernel/cgroup-settings.h"
#include "kernel/cgroup.h"

struct err;
struct strlist;

#define CGROUP_ROOT "/sys/fs/cgroup"

/* One directory of the group: v1 has one in each hierarchy that it uses. */
struct cgroup_directory {
	char *path; /* absolute */
	int fd;
	enum cgroup_controller controller; /* v1 only */
};

#define CGROUP_MAX_DIRECTORIES (CGROUP_CONTROLLER_COUNT + 1)

struct cgroup {
	const struct cgroup_ops *ops;
	char *name; /* as the caller said it: "davit/ID" */
	char *base; /* v2: the directory that `name` is below; NULL before it is known */
	struct cgroup_directory directories[CGROUP_MAX_DIRECTORIES];
	size_t count;
	int entry_fds[CGROUP_MAX_DIRECTORIES];
	size_t entry_count;
	bool is_new; /* the directories were made by this cgroup_create() */
};

/* A way of having groups. A manager that leaves the making to systemd would be a third one. */
struct cgroup_ops {
	/* Make the directories and set the limits in an empty `group`; what was made is taken away
	 * by the caller when this fails. -ENOTSUP with *ret_none set: no group can be made here.
	 */
	int (*create)(struct cgroup *group, const struct cgroup_resources *resources,
		      struct strlist *left_out, bool *ret_none, struct err *err);
	/* See cgroup_limit_devices(); NULL where create() has done it. */
	int (*limit_devices)(const struct cgroup *group, const struct cgroup_resources *resources,
			     struct err *err);
	/* Find the directories; finding none is success. */
	int (*open)(struct cgroup *group, struct err *err);
	/* Kill everything in the group in one go, or make it ready to be killed one by one, which
	 * the caller does in any case. */
	void (*kill)(const struct cgroup *group);
	int (*freeze)(struct cgroup *group, bool frozen, struct err *err);
	/* Set what is planned on a group with processes. */
	int (*update)(struct cgroup *group, const struct cgroup_resources *resources,
		      struct err *err);
	void (*read_statistics)(const struct cgroup *group, struct cgroup_statistics *statistics);
	/* The directory and the file that count OOM kills; NULL if there is none. */
	const struct cgroup_directory *(*memory_directory)(const struct cgroup *group);
	const char *oom_file;
	bool clones_into; /* CLONE_INTO_CGROUP works */
};

extern const struct cgroup_ops cgroup_v1_ops, cgroup_v2_ops;

/* Make the group NAME with its limits, below `base` where that is given. See cgroup_create(). */
int cgroup_create_below(const char *base, const char *name,
			const struct cgroup_resources *resources, struct cgroup **ret_cgroup,
			char **ret_left_out, struct err *err);

/* cgroup-v2.c: append the absolute path of the caller's own group. 0 or -errno. */
int cgroup_v2_own_group(struct strbuf *path);

/* Append a directory, which has to be there. */
int cgroup_add_directory(struct cgroup *group, const char *path, enum cgroup_controller controller);

/* mkdir with the missing parents, which stay until cgroup_tidy(). *is_new is set if the last one
 * was missing. 0 or -errno. */
int cgroup_make_directory(const char *path, bool *is_new);

/* Write a file of the directory. 0 or -errno. */
int cgroup_write(int dir_fd, const char *file, const char *value);
int cgroup_read(int dir_fd, const char *file, struct strbuf *text);

/* A file that holds a number ("max" is UINT64_MAX), and the number behind `key` in a file of "key
 * number" lines. False if there is none. */
bool cgroup_read_number(int dir_fd, const char *file, uint64_t *ret_number);
bool cgroup_read_key(int dir_fd, const char *file, const char *key, uint64_t *ret_number);

/* Write a setting by whichever of its names is there. 0 or -errno. */
int cgroup_apply(int dir_fd, const struct cgroup_setting *setting);

/* What to do about a setting that could not be applied: note a default (returns 0), or make the
 * error. `code` is the positive errno; `remedy` may be NULL. With `left_out` NULL defaults count
 * as wishes. */
int cgroup_leave_out(const struct cgroup_setting *setting, int code, const char *remedy,
		     struct strlist *left_out, struct err *err);

/* Whether the settings are the user's wish, any of them. */
const struct cgroup_setting *cgroup_first_wanted(const struct cgroup_settings *settings);

/* cgroup-devices.c: allow only what the rules do, by a program attached to a v2 group. 0 or
 * -errno. */
int cgroup_devices_attach(int dir_fd, const struct cgroup_device_rule *rules, size_t count);

/* The program; the code is the caller's, the result its length. */
struct bpf_insn;
size_t cgroup_devices_compile(const struct cgroup_device_rule *rules, size_t count,
			      struct bpf_insn **ret_code);
