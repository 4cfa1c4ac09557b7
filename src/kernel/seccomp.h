/* seccomp: from a profile in the containers project's JSON to a filter the kernel takes.
 *
 * Compiling a profile takes far longer than starting a container, so compiled filters are cached by
 * what they were made from. See seccomp(2), libseccomp, and the profile format of
 * containers/common. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;

struct seccomp_filter {
	void *instructions; /* struct sock_filter[], owned */
	size_t count;	    /* 0: no filter */
	unsigned flags;	    /* SECCOMP_FILTER_FLAG_*; with NEW_LISTENER some calls are notified */
};

/* The filter of `profile_path` (NULL: the built-in default) for a container that may hold
 * `capabilities`; rules of the profile can depend on them. `cache_dir_fd` keeps compiled filters,
 * -1 for no cache. */
int seccomp_filter_load(const char *profile_path, uint64_t capabilities, int cache_dir_fd,
			struct seccomp_filter *ret_filter, struct err *err);
/* The same of a profile that is in memory; it is its own key. */
int seccomp_filter_make(const char *text, size_t size, uint64_t capabilities, int cache_dir_fd,
			struct seccomp_filter *ret_filter, struct err *err);
/* The same filter with a door in front, for what has to be done between setting a filter and the command: handing the
 * filter's listener on, by calls that already wait for an answer, and making the process that is to be the command.
 * sendmsg(2), close(2), seccomp(2), setsid(2), clone(2) with nothing but CLONE_PARENT, and ioctl(2) TIOCSCTTY pass if
 * their arguments 3 to 5, which they do not have, are the key; nobody but who sets the filter knows it. -E2BIG when the
 * kernel would not take so many instructions. */
#define SECCOMP_KEY_WORDS 3
int seccomp_filter_add_door(const struct seccomp_filter *filter,
			    const uint64_t key[SECCOMP_KEY_WORDS],
			    struct seccomp_filter *ret_filter, struct err *err);
void seccomp_filter_clear(struct seccomp_filter *filter);

struct seccomp_data;

/* What the filter answers to a call: SECCOMP_RET_*. */
uint32_t seccomp_filter_run(const struct seccomp_filter *filter, const struct seccomp_data *call);

/* How many of the system calls of this machine's architecture it lets through, at least with certain arguments. */
void seccomp_filter_count(const struct seccomp_filter *filter, unsigned *ret_allowed,
			  unsigned *ret_known);
