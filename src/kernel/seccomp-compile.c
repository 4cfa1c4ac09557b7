/* From a profile to a program for the kernel's filter machine.
 *
 * libseccomp has the numbers of system calls, but its own compiler is not used: for the three
 * architectures of an x86 machine it takes 16 to 30 ms and makes 1250 instructions, of which the
 * kernel, that runs a new filter once for each number of a call, needs 0.35 ms to take them. It
 * does not add numbers it has no name for, either, where a profile has more than one architecture.
 *
 * Here, each architecture's numbers are cut into segments that meet the same fate, and a balanced
 * tree of comparisons finds the segment: 300 instructions, a path of eight of them.
 *
 *	ld arch;  jeq X86_64 → tree;  jeq I386 → tree;  ret KILL
 *	tree:     ld nr;  jge 200 → …;  jge 90 → …;  ret ALLOW
 *	leaf:     ret ACTION, or, for calls whose arguments are looked at, a chain of comparisons
 *
 * x32 calls come under x86_64's name with bit 30 set, so these two share a tree. Old 32-bit
 * programs make their socket and SysV calls through socketcall(2) and ipc(2): a rule for such a
 * call without conditions holds there as well; one with conditions does not, since arguments are
 * behind a pointer. */
#include "kernel/seccomp-profile.h"

#include <endian.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define X32_CALL_BIT 0x40000000U

struct program {
	struct sock_filter *code;
	size_t count, capacity;
};

/* What a rule says of one number. */
struct verdict {
	uint32_t number;
	uint32_t order; /* place in the profile */
	const struct seccomp_rule *rule;
	int multiplexed; /* > 0: only if argument 0 is this */
};

/* Numbers from `first` to the next segment's. */
struct segment {
	uint32_t first;
	uint32_t action;
	const struct verdict *verdicts; /* NULL: just the action */
	size_t verdict_count;
};

struct tree {
	struct verdict *verdicts;
	size_t verdict_count, verdict_capacity;
	struct segment *segments;
	size_t segment_count, segment_capacity;
	bool is_32bit;
	uint32_t default_action;
};

static void *grow(void *array, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity ? *capacity * 2 : 64;
	return xreallocarray(array, *capacity, size);
}

static void emit(struct program *program, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	program->code =
		grow(program->code, program->count, &program->capacity, sizeof(struct sock_filter));
	program->code[program->count++] = (struct sock_filter){ code, jt, jf, k };
}

static void emit_return(struct program *program, uint32_t action)
{
	emit(program, BPF_RET | BPF_K, action, 0, 0);
}

/* ---- arguments ---- */

/* Jump offsets while a comparison is being written: they become real when its end and the rule's
 * are known. A rule has one condition for each of six arguments at most, so no real one is so large. */
enum { NEXT = 0, PASS = 254, FAIL = 255 };

static void emit_load_argument(struct program *program, unsigned argument, bool high)
{
	uint32_t at = (uint32_t)offsetof(struct seccomp_data, args) + argument * 8;

	if (high == (__BYTE_ORDER == __LITTLE_ENDIAN))
		at += 4;
	emit(program, BPF_LD | BPF_W | BPF_ABS, at, 0, 0);
}

static void emit_jump(struct program *program, uint16_t kind, uint32_t k, uint8_t jt, uint8_t jf)
{
	emit(program, BPF_JMP | kind | BPF_K, k, jt, jf);
}

/* A comparison of one half of an argument with that of the value, and where to go then. */
struct half_jump {
	uint16_t kind; /* 0: none */
	uint8_t if_true, if_false;
};

/* The machine has 32 bits: the upper half decides unless it is equal, and then the lower one. */
static const struct {
	struct half_jump upper[2], lower;
} half_jumps[] = {
	[SECCOMP_NOT_EQUAL] = { { { BPF_JEQ, NEXT, PASS } }, { BPF_JEQ, FAIL, NEXT } },
	[SECCOMP_LESS] = { { { BPF_JGT, FAIL, NEXT }, { BPF_JEQ, NEXT, PASS } },
			   { BPF_JGE, FAIL, NEXT } },
	[SECCOMP_LESS_OR_EQUAL] = { { { BPF_JGT, FAIL, NEXT }, { BPF_JEQ, NEXT, PASS } },
				    { BPF_JGT, FAIL, NEXT } },
	[SECCOMP_EQUAL] = { { { BPF_JEQ, NEXT, FAIL } }, { BPF_JEQ, NEXT, FAIL } },
	[SECCOMP_GREATER_OR_EQUAL] = { { { BPF_JGT, PASS, NEXT }, { BPF_JEQ, NEXT, FAIL } },
				       { BPF_JGE, NEXT, FAIL } },
	[SECCOMP_GREATER] = { { { BPF_JGT, PASS, NEXT }, { BPF_JEQ, NEXT, FAIL } },
			      { BPF_JGT, NEXT, FAIL } },
	[SECCOMP_MASKED_EQUAL] = { { { BPF_JEQ, NEXT, FAIL } }, { BPF_JEQ, NEXT, FAIL } },
};

static void emit_half(struct program *program, const struct seccomp_condition *condition,
		      bool is_upper)
{
	const struct half_jump *upper = half_jumps[condition->comparison].upper;
	const struct half_jump *jumps = is_upper ? upper : &half_jumps[condition->comparison].lower;
	uint32_t value = (uint32_t)(is_upper ? condition->value >> 32 : condition->value);
	uint32_t mask = (uint32_t)(is_upper ? condition->mask >> 32 : condition->mask);
	bool is_masked = condition->comparison == SECCOMP_MASKED_EQUAL;

	if (is_upper && is_masked && !mask && !value)
		return;
	emit_load_argument(program, condition->argument, is_upper);
	if (is_masked)
		emit(program, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
	for (size_t i = 0; i < (is_upper ? 2 : 1) && jumps[i].kind; i++)
		emit_jump(program, jumps[i].kind, value, jumps[i].if_true, jumps[i].if_false);
}

/* Give the open jumps from `from` on their distance to the end of what is written. */
static void close_jumps(struct program *program, size_t from, uint8_t which)
{
	for (size_t i = from; i < program->count; i++) {
		struct sock_filter *jump = &program->code[i];
		if (BPF_CLASS(jump->code) != BPF_JMP)
			continue;
		if (jump->jt == which)
			jump->jt = (uint8_t)(program->count - i - 1);
		if (jump->jf == which)
			jump->jf = (uint8_t)(program->count - i - 1);
	}
}

static void emit_verdict(struct program *program, const struct verdict *verdict, bool is_32bit)
{
	const struct seccomp_rule *rule = verdict->rule;
	size_t start = program->count;

	if (verdict->multiplexed) {
		emit_load_argument(program, 0, false);
		emit_jump(program, BPF_JEQ, (uint32_t)verdict->multiplexed, NEXT, FAIL);
	}
	for (size_t i = 0; !verdict->multiplexed && i < rule->condition_count; i++) {
		size_t begin = program->count;
		if (!is_32bit)
			emit_half(program, &rule->conditions[i], true);
		emit_half(program, &rule->conditions[i], false);
		close_jumps(program, begin, PASS);
	}
	emit_return(program, rule->action);
	close_jumps(program, start, FAIL);
}

/* ---- segments ---- */

static void add_verdict(struct tree *tree, uint32_t number, const struct seccomp_rule *rule,
			uint32_t order, int multiplexed)
{
	tree->verdicts = grow(tree->verdicts, tree->verdict_count, &tree->verdict_capacity,
			      sizeof(struct verdict));
	tree->verdicts[tree->verdict_count++] =
		(struct verdict){ number, order, rule, multiplexed };
}

/* The calls behind socketcall(2) and ipc(2), by their number there, and the ones of their own that
 * they were given later: the same on all architectures that have both. libseccomp gives them
 * numbers -100 - N and -200 - N. */
static const uint16_t socket_calls[] = {
	[1] = 359,  [2] = 361,	[3] = 362,  [4] = 363,	[6] = 367,
	[7] = 368,  [8] = 360,	[11] = 369, [12] = 371, [13] = 373,
	[14] = 366, [15] = 365, [16] = 370, [17] = 372, [18] = 364,
};
static const uint16_t ipc_calls[] = {
	[2] = 393,  [3] = 394,	[11] = 400, [12] = 401, [13] = 399,
	[14] = 402, [21] = 397, [22] = 398, [23] = 395, [24] = 396,
};

static void add_multiplexed(struct tree *tree, uint32_t architecture, int number,
			    const struct seccomp_rule *rule, uint32_t order)
{
	bool is_ipc = number <= -200;
	int call = is_ipc ? -200 - number : -100 - number;
	int entry = seccomp_syscall_resolve_name_arch(architecture, is_ipc ? "ipc" : "socketcall");

	if (entry < 0)
		return;
	if (!rule->condition_count)
		add_verdict(tree, (uint32_t)entry, rule, order, call);
	int direct = is_ipc ? (call < (int)ARRAY_SIZE(ipc_calls) ? ipc_calls[call] : 0)
			    : (call < (int)ARRAY_SIZE(socket_calls) ? socket_calls[call] : 0);
	if (direct)
		add_verdict(tree, (uint32_t)direct, rule, order, 0);
}

static void add_architecture(struct tree *tree, const struct seccomp_profile *profile,
			     uint32_t architecture)
{
	uint32_t order = 0;

	for (size_t i = 0; i < profile->rule_count; i++) {
		const struct seccomp_rule *rule = &profile->rules[i];
		for (size_t j = 0; j < rule->names.count; j++, order++) {
			int number = seccomp_call_number(architecture, rule->names.items[j]);
			if (number >= 0)
				add_verdict(tree, (uint32_t)number, rule, order, 0);
			else if (number <= -101 && number >= -224)
				add_multiplexed(tree, architecture, number, rule, order);
		}
	}
}

static bool has_conditions(const struct verdict *verdict)
{
	return verdict->multiplexed || verdict->rule->condition_count;
}

/* By number, then those without conditions, then by place. */
static int compare_verdicts(const void *a, const void *b)
{
	const struct verdict *left = a, *right = b;

	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	if (has_conditions(left) != has_conditions(right))
		return has_conditions(left) ? 1 : -1;
	return left->order < right->order ? -1 : left->order > right->order;
}

static void add_segment(struct tree *tree, uint32_t first, uint32_t action,
			const struct verdict *verdicts, size_t count)
{
	if (tree->segment_count && !verdicts) {
		const struct segment *last = &tree->segments[tree->segment_count - 1];
		if (!last->verdicts && last->action == action)
			return;
	}
	tree->segments = grow(tree->segments, tree->segment_count, &tree->segment_capacity,
			      sizeof(struct segment));
	tree->segments[tree->segment_count++] = (struct segment){ first, action, verdicts, count };
}

static void cut_segments(struct tree *tree)
{
	uint64_t next = 0; /* the first number that has no segment yet */

	if (tree->verdict_count)
		qsort(tree->verdicts, tree->verdict_count, sizeof(struct verdict),
		      compare_verdicts);
	for (size_t i = 0, end; i < tree->verdict_count; i = end) {
		const struct verdict *verdict = &tree->verdicts[i];
		for (end = i + 1; end < tree->verdict_count; end++)
			if (tree->verdicts[end].number != verdict->number)
				break;
		if (verdict->number > next)
			add_segment(tree, (uint32_t)next, tree->default_action, NULL, 0);
		if (has_conditions(verdict))
			add_segment(tree, verdict->number, 0, verdict, end - i);
		else
			add_segment(tree, verdict->number, verdict->rule->action, NULL, 0);
		next = (uint64_t)verdict->number + 1;
	}
	add_segment(tree, (uint32_t)next, tree->default_action, NULL, 0);
}

/* Calls with x32's bit where the profile does not have x32, or the kernel does not: then nothing
 * would come of them anyway, and the tree is a third smaller. Number -1 is what a tracer leaves of
 * a call it has cancelled. */
static void refuse_x32(struct tree *tree, bool is_in_profile)
{
	uint32_t action = is_in_profile ? tree->default_action : SECCOMP_RET_KILL_PROCESS;

	add_segment(tree, X32_CALL_BIT, action, NULL, 0);
	add_segment(tree, UINT32_MAX, tree->default_action, NULL, 0);
}

/* ---- the tree ---- */

static void emit_segments(struct program *program, const struct tree *tree, size_t first,
			  size_t end)
{
	const struct segment *segment = &tree->segments[first];

	if (end - first == 1) {
		for (size_t i = 0; i < segment->verdict_count; i++)
			emit_verdict(program, &segment->verdicts[i], tree->is_32bit);
		emit_return(program, segment->verdicts ? tree->default_action : segment->action);
		return;
	}
	size_t middle = first + (end - first) / 2;
	size_t jump = program->count;
	emit_jump(program, BPF_JGE, tree->segments[middle].first, 0, 1);
	emit(program, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_segments(program, tree, first, middle);
	size_t distance = program->count - jump - 2; /* to behind the lower half */
	if (distance <= 255) {
		/* One instruction is enough. Jumps inside the halves are relative, so these move.
		 */
		memmove(&program->code[jump + 1], &program->code[jump + 2],
			distance * sizeof(struct sock_filter));
		program->count--;
		program->code[jump].jt = (uint8_t)distance;
		program->code[jump].jf = 0;
	} else {
		program->code[jump + 1].k = (uint32_t)distance;
	}
	emit_segments(program, tree, middle, end);
}

static bool is_32bit(uint32_t architecture)
{
	return !(architecture & __AUDIT_ARCH_64BIT);
}

static bool profile_has(const struct seccomp_profile *profile, uint32_t architecture)
{
	for (size_t i = 0; i < profile->architecture_count; i++)
		if (profile->architectures[i] == architecture)
			return true;
	return false;
}

/* Asked by a process of its own: where we are filtered ourselves, the question may be deadly. */
static bool kernel_has_x32(void)
{
#ifdef __x86_64__
	int status;

	pid_t pid = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
	if (pid == 0) {
		(void)prctl(PR_SET_DUMPABLE, 0); /* no core file of it */
		syscall(SYS_exit_group, syscall((long)(X32_CALL_BIT | SYS_getpid)) > 0);
	}
	return pid > 0 && waitpid(pid, &status, __WCLONE) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 1;
#else
	return false;
#endif
}

/* What a stale filter, made before somebody switched x32 on, must not do is let calls through. */
static bool is_permissive(uint32_t action)
{
	action &= SECCOMP_RET_ACTION_FULL;
	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG ||
	       action == SECCOMP_RET_TRACE;
}

static void emit_architecture(struct program *program, const struct seccomp_profile *profile,
			      uint32_t architecture)
{
	bool x32_in_profile = profile_has(profile, SCMP_ARCH_X32);
	bool with_x32 = x32_in_profile && architecture == SCMP_ARCH_X86_64 &&
			(profile->with_absent_x32 || is_permissive(profile->default_action) ||
			 kernel_has_x32());
	struct tree tree = {
		.is_32bit = is_32bit(architecture),
		.default_action = profile->default_action,
	};

	add_architecture(&tree, profile, architecture);
	if (with_x32)
		add_architecture(&tree, profile, SCMP_ARCH_X32);
	cut_segments(&tree);
	if (architecture == SCMP_ARCH_X86_64 && !with_x32)
		refuse_x32(&tree, x32_in_profile);

	size_t jump = program->count;
	emit_jump(program, BPF_JEQ, architecture, 1, 0);
	emit(program, BPF_JMP | BPF_JA, 0, 0, 0);
	emit(program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	emit_segments(program, &tree, 0, tree.segment_count);
	program->code[jump + 1].k = (uint32_t)(program->count - jump - 2);
	free(tree.segments);
	free(tree.verdicts);
}

int seccomp_profile_compile(const struct seccomp_profile *profile,
			    struct seccomp_filter *ret_filter, struct err *err)
{
	struct program program = { 0 };

	emit(&program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	for (size_t i = 0; i < profile->architecture_count; i++)
		if (profile->architectures[i] != SCMP_ARCH_X32)
			emit_architecture(&program, profile, profile->architectures[i]);
	emit_return(&program, SECCOMP_RET_KILL_PROCESS);
	if (program.count > BPF_MAXINSNS) {
		free(program.code);
		return err_set(err, E2BIG,
			       "it makes a filter of %zu instructions, and the kernel takes %d",
			       program.count, BPF_MAXINSNS);
	}
	*ret_filter = (struct seccomp_filter){ program.code, program.count, profile->flags };
	return 0;
}
