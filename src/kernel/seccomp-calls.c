/* Numbers of system calls: libseccomp's tables, and behind them the calls that are newer than
 * these. Since Linux 5.1 new calls have one number on all architectures. */
#include "kernel/seccomp-profile.h"

#include <seccomp.h>
#include <string.h>

#include "base/mem.h"

static const struct {
	const char *name;
	int number;
} newer_calls[] = {
	{ "quotactl_fd", 443 },	      { "landlock_create_ruleset", 444 },
	{ "landlock_add_rule", 445 }, { "landlock_restrict_self", 446 },
	{ "memfd_secret", 447 },      { "process_mrelease", 448 },
	{ "futex_waitv", 449 },	      { "set_mempolicy_home_node", 450 },
	{ "cachestat", 451 },	      { "fchmodat2", 452 },
	{ "map_shadow_stack", 453 },  { "futex_wake", 454 },
	{ "futex_wait", 455 },	      { "futex_requeue", 456 },
	{ "statmount", 457 },	      { "listmount", 458 },
	{ "lsm_get_self_attr", 459 }, { "lsm_set_self_attr", 460 },
	{ "lsm_list_modules", 461 },  { "mseal", 462 },
	{ "setxattrat", 463 },	      { "getxattrat", 464 },
	{ "listxattrat", 465 },	      { "removexattrat", 466 },
	{ "open_tree_attr", 467 },    { "file_getattr", 468 },
	{ "file_setattr", 469 },      { "listns", 470 },
};

/* Calls that the kernel's own trampolines make inside programs that somebody traces; without them
 * the traced program dies. */
static const struct {
	const char *name;
	int number;
} x86_64_calls[] = {
	{ "uretprobe", 335 },
	{ "uprobe", 336 },
};

#define X32_CALL_BIT 0x40000000

int seccomp_call_number(uint32_t architecture, const char *name)
{
	int number = seccomp_syscall_resolve_name_arch(architecture, name);

	if (number != __NR_SCMP_ERROR)
		return number;
	for (size_t i = 0; i < ARRAY_SIZE(newer_calls); i++)
		if (strcmp(newer_calls[i].name, name) == 0)
			return newer_calls[i].number |
			       (architecture == SCMP_ARCH_X32 ? X32_CALL_BIT : 0);
	for (size_t i = 0; architecture == SCMP_ARCH_X86_64 && i < ARRAY_SIZE(x86_64_calls); i++)
		if (strcmp(x86_64_calls[i].name, name) == 0)
			return x86_64_calls[i].number;
	return number;
}

char *seccomp_call_name(uint32_t architecture, int number)
{
	char *known = seccomp_syscall_resolve_num_arch(architecture, number);
	int bare = architecture == SCMP_ARCH_X32 ? number & ~X32_CALL_BIT : number;

	if (known)
		return known;
	for (size_t i = 0; i < ARRAY_SIZE(newer_calls); i++)
		if (newer_calls[i].number == bare)
			return xstrdup(newer_calls[i].name);
	for (size_t i = 0; architecture == SCMP_ARCH_X86_64 && i < ARRAY_SIZE(x86_64_calls); i++)
		if (x86_64_calls[i].number == number)
			return xstrdup(x86_64_calls[i].name);
	return NULL;
}
