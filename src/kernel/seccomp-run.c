/* What a compiled filter answers, worked out as the kernel would: the instructions that seccomp-compile.c makes. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/seccomp.h"

uint32_t seccomp_filter_run(const struct seccomp_filter *filter, const struct seccomp_data *call)
{
	const struct sock_filter *code = filter->instructions;
	uint32_t a = 0;

	for (size_t pc = 0; pc < filter->count; pc++) {
		const struct sock_filter *at = &code[pc];
		bool taken = false;
		switch (at->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (at->k > sizeof(*call) - sizeof(a))
				return SECCOMP_RET_KILL_PROCESS;
			memcpy(&a, (const char *)call + at->k, sizeof(a));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= at->k;
			continue;
		case BPF_RET | BPF_K:
			return at->k;
		case BPF_JMP | BPF_JA:
			pc += at->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			taken = a == at->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			taken = a > at->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			taken = a >= at->k;
			break;
		default:
			return SECCOMP_RET_KILL_PROCESS;
		}
		pc += taken ? at->jt : at->jf;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

/* Far above the newest call, below the numbers that other ABIs begin with. */
#define NUMBERS 1024

static bool may_be_allowed(const struct seccomp_filter *filter, uint32_t architecture, int number)
{
	/* A rule with conditions on arguments shows itself by one of these two, nearly always. */
	static const uint64_t arguments[] = { 0, UINT64_MAX };

	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {
		struct seccomp_data call = { .nr = number, .arch = architecture };
		for (size_t a = 0; a < 6; a++)
			call.args[a] = arguments[i];
		uint32_t action = seccomp_filter_run(filter, &call) & SECCOMP_RET_ACTION_FULL;
		if (action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG ||
		    action == SECCOMP_RET_USER_NOTIF)
			return true;
	}
	return false;
}

void seccomp_filter_count(const struct seccomp_filter *filter, unsigned *ret_allowed,
			  unsigned *ret_known)
{
	uint32_t architecture = seccomp_arch_native();

	*ret_allowed = *ret_known = 0;
	for (int number = 0; number < NUMBERS; number++) {
		char *name = seccomp_syscall_resolve_num_arch(architecture, number);
		if (!name)
			continue;
		free(name);
		(*ret_known)++;
		if (!filter->count || may_be_allowed(filter, architecture, number))
			(*ret_allowed)++;
	}
}
