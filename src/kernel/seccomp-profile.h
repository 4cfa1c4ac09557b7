/* A seccomp profile, as it stands between its source (JSON or the built-in default) and the
 * program the kernel runs. Conditions on capabilities, architectures and kernel versions have been
 * decided; rules that do not apply are not in it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"
#include "kernel/seccomp.h"

struct err;
struct json_at;
struct json_object;

enum seccomp_comparison {
	SECCOMP_NOT_EQUAL,
	SECCOMP_LESS,
	SECCOMP_LESS_OR_EQUAL,
	SECCOMP_EQUAL,
	SECCOMP_GREATER_OR_EQUAL,
	SECCOMP_GREATER,
	SECCOMP_MASKED_EQUAL, /* (argument & mask) == value */
};

struct seccomp_condition {
	unsigned argument; /* 0 to 5 */
	enum seccomp_comparison comparison;
	uint64_t value, mask; /* mask: SECCOMP_MASKED_EQUAL only */
};

/* All conditions must hold. For one system call, a rule without conditions beats those with, and
 * among its like the first one counts. */
struct seccomp_rule {
	struct strlist names; /* of system calls; unknown ones are passed over */
	uint32_t action;      /* SECCOMP_RET_* with its data */
	struct seccomp_condition *conditions;
	size_t condition_count;
};

struct seccomp_profile {
	uint32_t default_action;
	uint32_t architectures[8]; /* SCMP_ARCH_*, without duplicates; all of one machine */
	size_t architecture_count;
	struct seccomp_rule *rules;
	size_t rule_count, rule_capacity;
	unsigned flags;	      /* SECCOMP_FILTER_FLAG_* */
	bool with_absent_x32; /* for x32 programs, too, if the kernel cannot run any */
};

struct seccomp_profile *seccomp_profile_new(void);
void seccomp_profile_free(struct seccomp_profile *profile);

/* A new rule at the end, without names and conditions; borrowed until the next one is added. */
struct seccomp_rule *seccomp_profile_add_rule(struct seccomp_profile *profile, uint32_t action);
void seccomp_rule_add_condition(struct seccomp_rule *rule, unsigned argument,
				enum seccomp_comparison comparison, uint64_t value, uint64_t mask);

void seccomp_profile_add_architecture(struct seccomp_profile *profile, uint32_t token);
/* This machine's architecture and those whose programs it runs as well. */
void seccomp_profile_add_native_architectures(struct seccomp_profile *profile);

/* From JSON. Errors name the place: "syscalls[3].action: unknown action 'FOO'". */
int seccomp_profile_parse(const char *text, size_t size, uint64_t capabilities,
			  struct seccomp_profile **ret_profile, struct err *err);
/* The same of what is part of a document; NULL if that has failed, now or before. */
struct seccomp_profile *seccomp_profile_read(const struct json_at *at, uint64_t capabilities);

/* The words a profile may be made of: "SCMP_ACT_ERRNO", "SCMP_CMP_EQ", "SCMP_ARCH_X86", "SECCOMP_FILTER_FLAG_LOG". */
struct seccomp_words {
	struct strlist actions, comparisons, architectures, flags;
};
void seccomp_profile_words(struct seccomp_words *words);

const char *seccomp_action_name(uint32_t action); /* NULL: it has none */
const char *seccomp_comparison_name(enum seccomp_comparison comparison);
const char *seccomp_architecture_name(uint32_t token);

/* The profile that is in force where one asks for `path` (NULL: the host's, or else the built-in one), before it is
 * compiled; the rest as of seccomp_filter_load(). */
int seccomp_profile_load(const char *path, uint64_t capabilities,
			 struct seccomp_profile **ret_profile, struct err *err);

/* What allows the named calls only, and these under no other conditions than `wide` does (NULL: which allows all); others
 * get ENOSYS, so that programs fall back as on an older kernel. It has no architectures yet. */
struct seccomp_profile *seccomp_profile_narrow(const struct seccomp_profile *wide,
					       const struct strlist *names);
/* As seccomp_profile_parse() reads it; the caller's. */
struct json_object *seccomp_profile_to_json(const struct seccomp_profile *profile);

/* The default that davit carries. Its version changes whenever its meaning does. */
struct seccomp_profile *seccomp_profile_default(uint64_t capabilities);
#define SECCOMP_DEFAULT_VERSION 1

/* To instructions; `ret_filter` is the caller's. E2BIG when the kernel would not take so many. */
int seccomp_profile_compile(const struct seccomp_profile *profile,
			    struct seccomp_filter *ret_filter, struct err *err);

/* The number of a system call on an architecture, also of calls that are newer than libseccomp;
 * below 0 if it has none. */
int seccomp_call_number(uint32_t architecture, const char *name);
/* The other way round: NULL or a string that is the caller's. */
char *seccomp_call_name(uint32_t architecture, int number);
