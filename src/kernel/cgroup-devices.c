/* Device rules of a v2 group: a program that the kernel asks about every opening and making of a
 * device node.
 *
 * v1 has a list of rules in which later ones win. The program looks at them from the last to the
 * first and answers with the first that fits; where none does, the answer is no. It has for each
 * rule:
 *
 *	if (type differs) skip;  if (access has other bits) skip;
 *	if (major differs) skip; if (minor differs) skip;  return 0 or 1
 *
 * which differs from v1 in one point: a rule allows a combination of accesses only if it has all of
 * them, and none of the combinations that programs use (read, write, both, mknod) is put together
 * from two rules. See bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE. */
#include "kernel/cgroup-internal.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define RULE_INSTRUCTIONS 11 /* at most */

struct program {
	struct bpf_insn *code;
	size_t count;
};

/* Registers: 2 type, 3 access, 4 major, 5 minor. */
static void emit(struct program *program, uint8_t code, uint8_t to, uint8_t from, int16_t offset,
		 int32_t value)
{
	program->code[program->count++] = (struct bpf_insn){
		.code = code,
		.dst_reg = to,
		.src_reg = from,
		.off = offset,
		.imm = value,
	};
}

static void emit_load_context(struct program *program)
{
	const int16_t access_at = offsetof(struct bpf_cgroup_dev_ctx, access_type);
	const int16_t major_at = offsetof(struct bpf_cgroup_dev_ctx, major);
	const int16_t minor_at = offsetof(struct bpf_cgroup_dev_ctx, minor);

	/* access_type is (access << 16) | type. */
	emit(program, BPF_LDX | BPF_MEM | BPF_W, 2, 1, access_at, 0);
	emit(program, BPF_ALU | BPF_MOV | BPF_X, 3, 2, 0, 0);
	emit(program, BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
	emit(program, BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);
	emit(program, BPF_LDX | BPF_MEM | BPF_W, 4, 1, major_at, 0);
	emit(program, BPF_LDX | BPF_MEM | BPF_W, 5, 1, minor_at, 0);
}

static void emit_return(struct program *program, bool allow)
{
	emit(program, BPF_ALU | BPF_MOV | BPF_K, 0, 0, 0, allow);
	emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int32_t access_bits(const struct cgroup_device_rule *rule)
{
	int32_t bits = 0;

	for (size_t i = 0; i < sizeof(rule->access) && rule->access[i]; i++)
		bits |= rule->access[i] == 'r'	 ? BPF_DEVCG_ACC_READ
			: rule->access[i] == 'w' ? BPF_DEVCG_ACC_WRITE
			: rule->access[i] == 'm' ? BPF_DEVCG_ACC_MKNOD
						 : 0;
	return bits;
}

/* Jumps whose offset is not known yet have 0, which no real one has. */
static void emit_rule(struct program *program, const struct cgroup_device_rule *rule)
{
	const int32_t all = BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD;
	size_t start = program->count;
	int32_t bits = rule->type == 'a' ? all : access_bits(rule);

	if (rule->type != 'a')
		emit(program, BPF_JMP | BPF_JNE | BPF_K, 2, 0, 0,
		     rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (bits != all && rule->allow) {
		/* Any bit that the rule does not have? */
		emit(program, BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
		emit(program, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, all & ~bits);
		emit(program, BPF_JMP | BPF_JNE | BPF_K, 1, 0, 0, 0);
	} else if (bits != all) {
		/* A denial is for any bit that it has. */
		emit(program, BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
		emit(program, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, bits);
		emit(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0, 0);
	}
	if (rule->type != 'a' && rule->major >= 0)
		emit(program, BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, (int32_t)rule->major);
	if (rule->type != 'a' && rule->minor >= 0)
		emit(program, BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, (int32_t)rule->minor);
	emit_return(program, rule->allow);
	for (size_t i = start; i < program->count; i++) {
		struct bpf_insn *jump = &program->code[i];
		if (BPF_CLASS(jump->code) == BPF_JMP && BPF_OP(jump->code) != BPF_EXIT)
			jump->off = (int16_t)(program->count - i - 1);
	}
}

size_t cgroup_devices_compile(const struct cgroup_device_rule *rules, size_t count,
			      struct bpf_insn **ret_code)
{
	struct program program = {
		xcalloc(count + 1, RULE_INSTRUCTIONS * sizeof(struct bpf_insn)),
		0,
	};
	bool decided = false;

	emit_load_context(&program);
	for (size_t i = count; i > 0 && !decided; i--) {
		emit_rule(&program, &rules[i - 1]);
		/* The kernel refuses instructions that are never reached. */
		decided = rules[i - 1].type == 'a';
	}
	if (!decided)
		emit_return(&program, false);
	*ret_code = program.code;
	return program.count;
}

int cgroup_devices_attach(int dir_fd, const struct cgroup_device_rule *rules, size_t count)
{
	static const char licence[] = "Apache-2.0";
	union bpf_attr load = { 0 }, attach = { 0 };
	autofree struct bpf_insn *code = NULL;

	load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load.insn_cnt = (uint32_t)cgroup_devices_compile(rules, count, &code);
	load.insns = (uintptr_t)code;
	load.license = (uintptr_t)licence;
	autoclose int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (fd < 0)
		return -errno;
	attach.target_fd = (uint32_t)dir_fd;
	attach.attach_bpf_fd = (uint32_t)fd;
	attach.attach_type = BPF_CGROUP_DEVICE;
	attach.attach_flags = BPF_F_ALLOW_MULTI;
	return syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)) < 0 ? -errno : 0;
}
