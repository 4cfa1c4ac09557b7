/* The words of seccomp profiles and what they mean to the kernel. */
#include "kernel/seccomp-words.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/seccomp-profile.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* since Linux 5.19 */
#endif

static const struct {
	const char *name;
	uint32_t action;
	bool takes_errno;
} actions[] = {
	{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW },
	{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true },
	{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
	{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_LOG", SECCOMP_RET_LOG },
	{ "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF },
	{ "SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true },
	{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
};

static const struct {
	const char *name;
	enum seccomp_comparison comparison;
} comparisons[] = {
	{ "SCMP_CMP_EQ", SECCOMP_EQUAL },     { "SCMP_CMP_GE", SECCOMP_GREATER_OR_EQUAL },
	{ "SCMP_CMP_GT", SECCOMP_GREATER },   { "SCMP_CMP_LE", SECCOMP_LESS_OR_EQUAL },
	{ "SCMP_CMP_LT", SECCOMP_LESS },      { "SCMP_CMP_MASKED_EQ", SECCOMP_MASKED_EQUAL },
	{ "SCMP_CMP_NE", SECCOMP_NOT_EQUAL },
};

static const struct {
	const char *name;
	unsigned long flag;
} flags[] = {
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
};

/* Architectures of one machine share a line. */
static const struct seccomp_architecture architectures[] = {
	{ "SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, SCMP_ARCH_X86_64, "amd64" },
	{ "SCMP_ARCH_X86", SCMP_ARCH_X86, SCMP_ARCH_X86_64, "x86" },
	{ "SCMP_ARCH_X32", SCMP_ARCH_X32, SCMP_ARCH_X86_64, "x32" },
	{ "SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, SCMP_ARCH_AARCH64, "arm64" },
	{ "SCMP_ARCH_ARM", SCMP_ARCH_ARM, SCMP_ARCH_AARCH64, "arm" },
	{ "SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE, SCMP_ARCH_PPC64LE, "ppc64le" },
	{ "SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64, SCMP_ARCH_RISCV64, "riscv64" },
	{ "SCMP_ARCH_S390X", SCMP_ARCH_S390X, SCMP_ARCH_S390X, "s390x" },
	{ "SCMP_ARCH_S390", SCMP_ARCH_S390, SCMP_ARCH_S390X, "s390" },
	/* Known, so that profiles may name them. */
	{ "SCMP_ARCH_MIPS", SCMP_ARCH_MIPS, 0, "mips" },
	{ "SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64, 0, "mips64" },
	{ "SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32, 0, "mips64n32" },
	{ "SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL, 0, "mipsel" },
	{ "SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64, 0, "mipsel64" },
	{ "SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32, 0, "mipsel64n32" },
	{ "SCMP_ARCH_PARISC", SCMP_ARCH_PARISC, 0, "parisc" },
	{ "SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64, 0, "parisc64" },
	{ "SCMP_ARCH_PPC", SCMP_ARCH_PPC, 0, "ppc" },
	{ "SCMP_ARCH_PPC64", SCMP_ARCH_PPC64, 0, "ppc64" },
	{ "SCMP_ARCH_LOONGARCH64", 0, 0, "loong64" },
	{ "SCMP_ARCH_M68K", 0, 0, "m68k" },
	{ "SCMP_ARCH_SH", 0, 0, "sh" },
	{ "SCMP_ARCH_SHEB", 0, 0, "sheb" },
};

const struct seccomp_architecture *seccomp_architecture_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (strcmp(architectures[i].name, name) == 0)
			return &architectures[i];
	return NULL;
}

/* A 32-bit davit on a 64-bit kernel makes containers of 32-bit programs only if these run no
 * others; they may, so the whole machine is meant. */
uint32_t seccomp_native_machine(void)
{
	uint32_t token = seccomp_arch_native();

	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].token == token && architectures[i].machine)
			return architectures[i].machine;
	return token;
}

const char *seccomp_machine_name(uint32_t machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].token == machine)
			return architectures[i].go_name;
	return "";
}

int seccomp_action_from_name(const char *name, uint32_t code, uint32_t *ret_action)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, name) == 0) {
			*ret_action = actions[i].action | (actions[i].takes_errno ? code : 0);
			return 0;
		}
	return -EINVAL;
}

int seccomp_comparison_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++)
		if (strcmp(comparisons[i].name, name) == 0)
			return (int)comparisons[i].comparison;
	return -EINVAL;
}

int seccomp_flag_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (strcmp(flags[i].name, name) == 0)
			return (int)flags[i].flag;
	return -EINVAL;
}

const struct seccomp_architecture *seccomp_architecture_of_machine(uint32_t machine, size_t index)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].machine == machine && index-- == 0)
			return &architectures[i];
	return NULL;
}

void seccomp_profile_words(struct seccomp_words *words)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		strlist_add(&words->actions, actions[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++)
		strlist_add(&words->comparisons, comparisons[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		strlist_add(&words->architectures, architectures[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		strlist_add(&words->flags, flags[i].name);
}

const char *seccomp_action_name(uint32_t action)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (actions[i].action == (action & SECCOMP_RET_ACTION_FULL))
			return actions[i].name;
	return NULL;
}

const char *seccomp_comparison_name(enum seccomp_comparison comparison)
{
	for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++)
		if (comparisons[i].comparison == comparison)
			return comparisons[i].name;
	return NULL;
}

const char *seccomp_architecture_name(uint32_t token)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].token == token)
			return architectures[i].name;
	return NULL;
}
