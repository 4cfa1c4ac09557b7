#include "kernel/seccomp-profile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define DEFAULT_CAPABILITIES UINT64_C(0x800405fb) /* a container's */
#define CAPABILITY(name)     (UINT64_C(1) << (name))
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define ERRNO(code) ((uint32_t)(SECCOMP_RET_ERRNO | (code)))

static uint32_t fate(const struct seccomp_filter *filter, uint32_t architecture, uint32_t number,
		     uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct seccomp_data data = { .nr = (int)number,
				     .arch = architecture,
				     .args = { a0, a1, a2 } };

	return seccomp_filter_run(filter, &data);
}

static struct seccomp_filter compiled(const char *json, uint64_t capabilities)
{
	struct seccomp_profile *profile;
	struct seccomp_filter filter;
	struct err err = { 0 };

	if (seccomp_profile_parse(json, strlen(json), capabilities, &profile, &err) < 0)
		fail_msg("%s", err.text);
	if (seccomp_profile_compile(profile, &filter, &err) < 0)
		fail_msg("%s", err.text);
	seccomp_profile_free(profile);
	return filter;
}

static struct seccomp_filter compiled_default(uint64_t capabilities)
{
	struct seccomp_profile *profile = seccomp_profile_default(capabilities);
	struct seccomp_filter filter;
	struct err err = { 0 };

	assert_int_equal(seccomp_profile_compile(profile, &filter, &err), 0);
	seccomp_profile_free(profile);
	return filter;
}

/* ---- profiles ---- */

#define X86_MAP                                                                                    \
	"\"archMap\": [{\"architecture\": \"SCMP_ARCH_X86_64\", \"subArchitectures\": "            \
	"[\"SCMP_ARCH_X86\", \"SCMP_ARCH_X32\"]}, {\"architecture\": \"SCMP_ARCH_AARCH64\", "      \
	"\"subArchitectures\": [\"SCMP_ARCH_ARM\"]}]"

#ifdef __x86_64__

static void expect_like_libseccomp(const struct seccomp_profile *profile,
				   const struct seccomp_filter *filter)
{
	scmp_filter_ctx context = seccomp_init(profile->default_action);

	for (size_t i = 0; i < profile->architecture_count; i++)
		if (profile->architectures[i] != SCMP_ARCH_X86_64)
			assert_int_equal(seccomp_arch_add(context, profile->architectures[i]), 0);
	for (size_t i = 0; i < profile->rule_count; i++) {
		static const enum scmp_compare kinds[] = {
			[SECCOMP_NOT_EQUAL] = SCMP_CMP_NE,
			[SECCOMP_LESS] = SCMP_CMP_LT,
			[SECCOMP_LESS_OR_EQUAL] = SCMP_CMP_LE,
			[SECCOMP_EQUAL] = SCMP_CMP_EQ,
			[SECCOMP_GREATER_OR_EQUAL] = SCMP_CMP_GE,
			[SECCOMP_GREATER] = SCMP_CMP_GT,
			[SECCOMP_MASKED_EQUAL] = SCMP_CMP_MASKED_EQ,
		};
		const struct seccomp_rule *rule = &profile->rules[i];
		struct scmp_arg_cmp conditions[6];
		if (rule->action == profile->default_action)
			continue;
		for (size_t j = 0; j < rule->condition_count; j++) {
			const struct seccomp_condition *condition = &rule->conditions[j];
			bool masked = condition->comparison == SECCOMP_MASKED_EQUAL;
			conditions[j] =
				(struct scmp_arg_cmp){ condition->argument,
						       kinds[condition->comparison],
						       masked ? condition->mask : condition->value,
						       masked ? condition->value : 0 };
		}
		for (size_t j = 0; j < rule->names.count; j++) {
			int number = seccomp_syscall_resolve_name(rule->names.items[j]);
			if (number == __NR_SCMP_ERROR)
				continue;
			(void)seccomp_rule_add_array(context, rule->action, number,
						     (unsigned)rule->condition_count, conditions);
		}
	}
	int fd = memfd_create("filter", MFD_CLOEXEC);
	assert_int_equal(seccomp_export_bpf(context, fd), 0);
	seccomp_release(context);
	off_t size = lseek(fd, 0, SEEK_END);
	struct sock_filter *peer = xmalloc((size_t)size);
	assert_int_equal(pread(fd, peer, (size_t)size, 0), size);
	close(fd);

	const struct seccomp_filter peer_filter = {
		.instructions = peer,
		.count = (size_t)size / sizeof(*peer),
	};
	static const struct {
		uint32_t architecture, first, end;
	} ranges[] = {
		{ AUDIT_ARCH_X86_64, 0, 450 },
		{ AUDIT_ARCH_X86_64, 512, 600 },
		{ AUDIT_ARCH_X86_64, 0x40000000, 0x40000000 + 600 },
		{ AUDIT_ARCH_X86_64, 0xfffffff0, 0xffffffff },
		{ AUDIT_ARCH_I386, 0, 450 },
	};
	static const uint64_t values[] = { 0,	       1,	   2,		8,
					   9,	       16,	   40,		0x20008,
					   0x7e020000, 0xffffffff, 0x100000008, UINT64_MAX };
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		for (uint32_t number = ranges[i].first; number < ranges[i].end; number++)
			for (size_t j = 0; j < ARRAY_SIZE(values) * ARRAY_SIZE(values); j++) {
				struct seccomp_data data = {
					.nr = (int)number,
					.arch = ranges[i].architecture,
					.args = { values[j % ARRAY_SIZE(values)], 3,
						  values[j / ARRAY_SIZE(values)] }
				};
				/* libseccomp looks at the lower halves of x32's arguments only;
				   the kernel at all of it. */
				if (data.arch == AUDIT_ARCH_I386 || (number & 0x40000000))
					data.args[0] &= 0xffffffff, data.args[2] &= 0xffffffff;
				uint32_t theirs = seccomp_filter_run(&peer_filter, &data);
				uint32_t ours = seccomp_filter_run(filter, &data);
				if (theirs != ours)
					fail_msg("call %x of %x with %llx, %llx: libseccomp %x, "
						 "here %x",
						 number, data.arch, data.args[0], data.args[2],
						 theirs, ours);
			}
	free(peer);
}

static void compare_with_libseccomp(const char *json, uint64_t capabilities)
{
	struct seccomp_profile *profile;
	struct seccomp_filter filter;
	struct err err = { 0 };

	if (seccomp_profile_parse(json, strlen(json), capabilities, &profile, &err) < 0)
		fail_msg("%s", err.text);
	profile->with_absent_x32 = true;
	assert_int_equal(seccomp_profile_compile(profile, &filter, &err), 0);
	expect_like_libseccomp(profile, &filter);
	seccomp_profile_free(profile);
	seccomp_filter_clear(&filter);
}

static void test_filters_decide_as_those_of_libseccomp(void **state)
{
	(void)state;
	compare_with_libseccomp(
		"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 38, " X86_MAP
		", \"syscalls\": ["
		"{\"names\": [\"read\", \"write\", \"open\", \"socketcall\", \"ipc\", \"umount\", "
		"\"rt_sigaction\", \"clone3\"], \"action\": \"SCMP_ACT_ALLOW\"},"
		"{\"names\": [\"kexec_load\"], \"action\": \"SCMP_ACT_KILL_PROCESS\"},"
		"{\"name\": \"personality\", \"action\": \"SCMP_ACT_ALLOW\", \"args\": "
		"[{\"index\": 0, \"value\": 8, \"op\": \"SCMP_CMP_EQ\"}]},"
		"{\"names\": [\"clone\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 0,"
		"\"value\": 2114060288, \"valueTwo\": 0, \"op\": \"SCMP_CMP_MASKED_EQ\"}]},"
		"{\"names\": [\"fcntl\"], \"action\": \"SCMP_ACT_LOG\", \"args\": [{\"index\": 0, "
		"\"value\": 9, \"op\": \"SCMP_CMP_GT\"}, {\"index\": 2, \"value\": 16, "
		"\"op\": \"SCMP_CMP_LE\"}]},"
		"{\"names\": [\"mmap\"], \"action\": \"SCMP_ACT_TRAP\", \"args\": [{\"index\": 2, "
		"\"value\": 40, \"op\": \"SCMP_CMP_LT\"}]},"
		"{\"names\": [\"mremap\"], \"action\": \"SCMP_ACT_TRACE\", \"errnoRet\": 5, "
		"\"args\": [{\"index\": 2, \"value\": 16, \"op\": \"SCMP_CMP_GE\"}]},"
		"{\"names\": [\"prctl\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{\"index\": "
		"0, "
		"\"value\": 16, \"op\": \"SCMP_CMP_NE\"}]}"
		"]}",
		0);
}

static void test_calls_behind_socketcall_are_allowed_too(void **state)
{
	(void)state;
	compare_with_libseccomp("{\"defaultAction\": \"SCMP_ACT_ERRNO\", " X86_MAP
				", \"syscalls\": [{\"names\": [\"socket\", \"bind\", \"accept4\", "
				"\"sendto\", \"recvmsg\", \"shutdown\", \"semget\", \"shmat\", "
				"\"msgsnd\", \"send\", \"semop\"], \"action\": "
				"\"SCMP_ACT_ALLOW\"}]}",
				0);
}

static void test_x32_has_the_default_fate_of_its_own(void **state)
{
	(void)state;
	compare_with_libseccomp("{\"defaultAction\": \"SCMP_ACT_ALLOW\", " X86_MAP
				", \"syscalls\": [{\"names\": [\"execve\", \"readv\"], "
				"\"action\": \"SCMP_ACT_ERRNO\"}]}",
				0);
	struct seccomp_filter filter =
		compiled("{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": "
			 "[\"SCMP_ARCH_X86_64\"]}",
			 0);
	assert_int_equal(fate(&filter, AUDIT_ARCH_X86_64, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(fate(&filter, AUDIT_ARCH_X86_64, 0x40000000, 0, 0, 0),
			 SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(fate(&filter, AUDIT_ARCH_I386, 0, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(fate(&filter, AUDIT_ARCH_X86_64, UINT32_MAX, 0, 0, 0), SECCOMP_RET_ALLOW);
	seccomp_filter_clear(&filter);
}

static void test_x32_calls_are_never_more_than_allowed(void **state)
{
	struct seccomp_filter filter = compiled_default(DEFAULT_CAPABILITIES);

	(void)state;
	/* reboot(2), read(2), of which a kernel without x32 has neither. */
	assert_int_not_equal(fate(&filter, AUDIT_ARCH_X86_64, 0x40000000 | SYS_reboot, 0, 0, 0),
			     SECCOMP_RET_ALLOW);
	uint32_t action = fate(&filter, AUDIT_ARCH_X86_64, 0x40000000, 0, 0, 0);
	assert_true(action == SECCOMP_RET_ALLOW || action == ERRNO(ENOSYS));
	seccomp_filter_clear(&filter);
	filter = compiled("{\"defaultAction\": \"SCMP_ACT_ALLOW\", " X86_MAP
			  ", \"syscalls\": [{\"names\": [\"read\"], \"action\": "
			  "\"SCMP_ACT_KILL\"}]}",
			  0);
	assert_int_equal(fate(&filter, AUDIT_ARCH_X86_64, 0x40000000, 0, 0, 0),
			 SECCOMP_RET_KILL_THREAD);
	seccomp_filter_clear(&filter);
}

static void test_the_default_knows_what_libseccomp_does_not(void **state)
{
	static const uint32_t newer[] = { 335, 451, 452, 453, 454, 455, 456, 457,
					  458, 459, 462, 463, 464, 465, 466 };
	struct seccomp_filter filter = compiled_default(DEFAULT_CAPABILITIES);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
		assert_int_equal(fate(&filter, AUDIT_ARCH_X86_64, newer[i], 0, 0, 0),
				 SECCOMP_RET_ALLOW);
	assert_int_equal(fate(&filter, AUDIT_ARCH_X86_64, 467, 0, 0, 0), ERRNO(EPERM));
	assert_int_equal(fate(&filter, AUDIT_ARCH_X86_64, 4000, 0, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(fate(&filter, AUDIT_ARCH_I386, 451, 0, 0, 0), SECCOMP_RET_ALLOW);
	seccomp_filter_clear(&filter);
}

#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#ifdef NATIVE

static uint32_t native_fate(const struct seccomp_filter *filter, long number, uint64_t a0,
			    uint64_t a2)
{
	return fate(filter, NATIVE, (uint32_t)number, a0, 0, a2);
}

static void test_the_default_asks_for_capabilities(void **state)
{
	struct seccomp_filter plain = compiled_default(DEFAULT_CAPABILITIES);
	struct seccomp_filter admin =
		compiled_default(DEFAULT_CAPABILITIES | CAPABILITY(CAP_SYS_ADMIN));

	(void)state;
	assert_int_equal(native_fate(&plain, SYS_mount, 0, 0), ERRNO(EPERM));
	assert_int_equal(native_fate(&admin, SYS_mount, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&plain, SYS_unshare, 0, 0), ERRNO(EPERM));
	assert_int_equal(native_fate(&plain, SYS_bpf, 0, 0), ERRNO(EPERM));
	assert_int_equal(native_fate(&plain, SYS_clone3, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(native_fate(&admin, SYS_clone3, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&plain, SYS_clone, SIGCHLD | CLONE_VM, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&plain, SYS_clone, SIGCHLD | CLONE_NEWUSER, 0), ERRNO(EPERM));
	assert_int_equal(native_fate(&admin, SYS_clone, CLONE_NEWUSER, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&plain, SYS_chroot, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&plain, SYS_settimeofday, 0, 0), ERRNO(EPERM));
	seccomp_filter_clear(&plain);
	seccomp_filter_clear(&admin);
}

static void test_the_default_looks_at_arguments(void **state)
{
	struct seccomp_filter filter = compiled_default(DEFAULT_CAPABILITIES);

	(void)state;
	assert_int_equal(native_fate(&filter, SYS_socket, AF_INET, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&filter, SYS_socket, AF_VSOCK, 0), ERRNO(EAFNOSUPPORT));
	/* The kernel takes the lower half. */
	assert_int_equal(native_fate(&filter, SYS_socket, (UINT64_C(1) << 32) | AF_VSOCK, 0),
			 ERRNO(EAFNOSUPPORT));
	assert_int_equal(native_fate(&filter, SYS_socket, AF_NETLINK, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&filter, SYS_socket, AF_NETLINK, 9), ERRNO(EINVAL));
	assert_int_equal(native_fate(&filter, SYS_socket, AF_INET, 9), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&filter, SYS_personality, 0xffffffff, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&filter, SYS_personality, 0x40000, 0), ERRNO(EPERM));
	seccomp_filter_clear(&filter);
	filter = compiled_default(DEFAULT_CAPABILITIES | CAPABILITY(CAP_AUDIT_WRITE));
	assert_int_equal(native_fate(&filter, SYS_socket, AF_NETLINK, 9), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&filter, SYS_socket, AF_VSOCK, 9), ERRNO(EAFNOSUPPORT));
	seccomp_filter_clear(&filter);
}

static void test_rules_depend_on_capabilities_and_host(void **state)
{
	static const char json[] =
		"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": ["
		"{\"names\": [\"chroot\"], \"action\": \"SCMP_ACT_ALLOW\", \"includes\": "
		"{\"caps\": "
		"[\"CAP_SYS_CHROOT\"]}},"
		"{\"names\": [\"chroot\"], \"action\": \"SCMP_ACT_LOG\", \"excludes\": {\"caps\": "
		"[\"CAP_SYS_CHROOT\"]}},"
		"{\"names\": [\"read\"], \"action\": \"SCMP_ACT_ALLOW\", \"includes\": "
		"{\"minKernel\": \"3.0\"}},"
		"{\"names\": [\"write\"], \"action\": \"SCMP_ACT_ALLOW\", \"includes\": "
		"{\"minKernel\": \"99.0\"}},"
		"{\"names\": [\"getpid\"], \"action\": \"SCMP_ACT_ALLOW\", \"includes\": "
		"{\"arches\": "
		"[\"amd64\", \"arm64\"]}},"
		"{\"names\": [\"getppid\"], \"action\": \"SCMP_ACT_ALLOW\", \"excludes\": "
		"{\"arches\": [\"amd64\", \"arm64\"]}},"
		"{\"names\": [\"no_such_call\"], \"action\": \"SCMP_ACT_ALLOW\"}]}";
	struct seccomp_filter filter = compiled(json, CAPABILITY(CAP_SYS_CHROOT));

	(void)state;
	assert_int_equal(native_fate(&filter, SYS_chroot, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&filter, SYS_read, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&filter, SYS_write, 0, 0), ERRNO(EPERM));
	assert_int_equal(native_fate(&filter, SYS_getpid, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native_fate(&filter, SYS_getppid, 0, 0), ERRNO(EPERM));
	seccomp_filter_clear(&filter);
	filter = compiled(json, 0);
	assert_int_equal(native_fate(&filter, SYS_chroot, 0, 0), SECCOMP_RET_LOG);
	seccomp_filter_clear(&filter);
}

static void test_conditions_on_one_argument_are_alternatives(void **state)
{
	struct seccomp_filter filter =
		compiled("{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrno\": \"ENOSYS\", "
			 "\"syscalls\": [{\"names\": [\"personality\"], \"action\": "
			 "\"SCMP_ACT_ERRNO\", \"errno\": \"EXDEV\", \"args\": ["
			 "{\"index\": 0, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"},"
			 "{\"index\": 0, \"value\": 3, \"op\": \"SCMP_CMP_EQ\"}]}]}",
			 0);

	(void)state;
	assert_int_equal(native_fate(&filter, SYS_personality, 1, 0), ERRNO(EXDEV));
	assert_int_equal(native_fate(&filter, SYS_personality, 3, 0), ERRNO(EXDEV));
	assert_int_equal(native_fate(&filter, SYS_personality, 2, 0), ERRNO(ENOSYS));
	seccomp_filter_clear(&filter);
}

#endif

static void expect_error(const char *json, const char *text)
{
	struct seccomp_profile *profile = NULL;
	struct err err = { 0 };

	assert_int_equal(seccomp_profile_parse(json, strlen(json), 0, &profile, &err), -EINVAL);
	assert_string_equal(err.text, text);
}

#define RULES(text) "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [" text "]}"

static void test_errors_name_the_place(void **state)
{
	(void)state;
	expect_error("[]", "not an object");
	expect_error("{}", "defaultAction: missing");
	expect_error("{\"defaultAction\": 7}", "defaultAction: not a string");
	expect_error("{\"defaultAction\": \"FOO\"}", "defaultAction: unknown action 'FOO'");
	expect_error("{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrno\": \"ENOWAY\"}",
		     "defaultErrno: unknown error 'ENOWAY'");
	expect_error("{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 5000}",
		     "defaultErrnoRet: not from 0 to 4095");
	expect_error(RULES("{\"names\": [\"a\"], \"action\": \"SCMP_ACT_LOG\"}, "
			   "{\"names\": [], \"action\": \"FOO\"}"),
		     "syscalls[1].action: unknown action 'FOO'");
	expect_error(RULES("{\"names\": [3], \"action\": \"SCMP_ACT_LOG\"}"),
		     "syscalls[0].names[0]: not a string");
	expect_error(RULES("{\"names\": [\"a\"], \"name\": \"b\", \"action\": \"SCMP_ACT_LOG\"}"),
		     "syscalls[0]: 'name' and 'names' cannot be together");
	expect_error(RULES("{\"names\": [\"a\"], \"action\": \"SCMP_ACT_LOG\", \"args\": [{"
			   "\"index\": 6, \"op\": \"SCMP_CMP_EQ\"}]}"),
		     "syscalls[0].args[0].index: not from 0 to 5");
	expect_error(RULES("{\"names\": [\"a\"], \"action\": \"SCMP_ACT_LOG\", \"args\": [{"
			   "\"index\": 1, \"op\": \"EQ\"}]}"),
		     "syscalls[0].args[0].op: unknown comparison 'EQ'");
	expect_error(RULES("{\"names\": [\"a\"], \"action\": \"SCMP_ACT_LOG\", \"includes\": "
			   "{\"minKernel\": \"new\"}}"),
		     "syscalls[0].includes.minKernel: 'new' is not MAJOR.MINOR");
	expect_error("{\"defaultAction\": \"SCMP_ACT_LOG\", \"archMap\": [{\"architecture\": "
		     "\"SCMP_ARCH_PDP11\"}]}",
		     "archMap[0].architecture: unknown architecture 'SCMP_ARCH_PDP11'");
	expect_error("{\"defaultAction\": \"SCMP_ACT_LOG\", \"flags\": [\"X\"]}",
		     "flags[0]: unknown flag 'X'");
	expect_error(RULES("{\"names\": [\"a\"], \"action\": \"SCMP_ACT_NOTIFY\"}"),
		     "listenerPath: SCMP_ACT_NOTIFY needs it: the socket of an agent that answers");
}

#define NOTIFY_MKDIR                                                                               \
	"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"listenerPath\": \"/run/agent\", "               \
	"\"flags\": [\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\", \"SECCOMP_FILTER_FLAG_TSYNC\"], " \
	"\"syscalls\": [{\"names\": [\"mkdirat\", \"sendmsg\"], \"action\": \"SCMP_ACT_%s\"}]}"

static void test_notifications_have_a_listener(void **state)
{
	autofree char *notifying = xasprintf(NOTIFY_MKDIR, "NOTIFY");
	autofree char *refusing = xasprintf(NOTIFY_MKDIR, "ERRNO");
	struct seccomp_filter filter = compiled(notifying, 0);

	assert_int_equal(filter.flags,
			 SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	seccomp_filter_clear(&filter);
	/* A flag that is about notifications the kernel refuses where there are none. */
	filter = compiled(refusing, 0);
	assert_int_equal(filter.flags, SECCOMP_FILTER_FLAG_TSYNC);
	seccomp_filter_clear(&filter);
}

static void test_who_has_the_key_passes_the_door(void **state)
{
	static const uint64_t key[SECCOMP_KEY_WORDS] = { 0x1122334455667788, 7, UINT64_MAX };
	autofree char *text = xasprintf(NOTIFY_MKDIR, "NOTIFY");
	struct seccomp_filter plain = compiled(text, 0), filter;
	struct seccomp_data call = { .nr = SYS_sendmsg, .arch = seccomp_arch_native() };
	struct err err;

	assert_int_equal(seccomp_filter_add_door(&plain, key, &filter, &err), 0);
	assert_int_equal(filter.flags, plain.flags);
	memcpy(&call.args[3], key, sizeof(key));
	assert_int_equal(seccomp_filter_run(&filter, &call), SECCOMP_RET_ALLOW);
	call.nr = SYS_mkdirat;
	assert_int_equal(seccomp_filter_run(&filter, &call), SECCOMP_RET_USER_NOTIF);
	call.nr = SYS_sendmsg;
	for (size_t i = 0; i < 64 * ARRAY_SIZE(key); i++) {
		call.args[3 + i / 64] ^= UINT64_C(1) << i % 64;
		assert_int_equal(seccomp_filter_run(&filter, &call), SECCOMP_RET_USER_NOTIF);
		call.args[3 + i / 64] ^= UINT64_C(1) << i % 64;
	}
	call.arch ^= 1;
	assert_int_not_equal(seccomp_filter_run(&filter, &call), SECCOMP_RET_ALLOW);
	seccomp_filter_clear(&filter);
	seccomp_filter_clear(&plain);
}

/* What is let through lets a process be made, without namespaces, and have a session and a terminal. */
static void test_the_door_is_for_the_fork_too(void **state)
{
	static const uint64_t key[SECCOMP_KEY_WORDS] = { 1, 2, 3 };
	static const struct {
		int number;
		uint64_t arguments[2];
		bool passes;
	} calls[] = {
		{ SYS_setsid, { 0, 0 }, true },
		{ SYS_clone, { CLONE_PARENT, 0 }, true },
		{ SYS_clone, { CLONE_PARENT | CLONE_NEWUSER, 0 }, false },
		{ SYS_clone, { SIGCHLD, 0 }, false },
		{ SYS_ioctl, { 0, TIOCSCTTY }, true },
		{ SYS_ioctl, { 0, TIOCSTI }, false },
		{ SYS_execve, { 0, 0 }, false },
	};
	struct seccomp_filter plain =
		compiled("{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 13}", 0);
	struct seccomp_filter filter;
	struct err err;

	assert_int_equal(seccomp_filter_add_door(&plain, key, &filter, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct seccomp_data call = {
			.nr = calls[i].number,
			.arch = seccomp_arch_native(),
			.args = { calls[i].arguments[0], calls[i].arguments[1], 0, 1, 2, 3 },
		};
		assert_int_equal(seccomp_filter_run(&filter, &call),
				 calls[i].passes ? SECCOMP_RET_ALLOW : ERRNO(13));
		call.args[5] = 4;
		assert_int_equal(seccomp_filter_run(&filter, &call), ERRNO(13));
	}
	seccomp_filter_clear(&filter);
	seccomp_filter_clear(&plain);
}

static void test_a_narrowed_profile_allows_no_more_than_before(void **state)
{
	struct seccomp_profile *wide, *narrow, *again;
	autostrlist struct strlist names = STRLIST_EMPTY;
	struct seccomp_filter filter;
	struct err err = { 0 };
	const char *text =
		"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": ["
		"{\"names\": [\"read\", \"write\"], \"action\": \"SCMP_ACT_ALLOW\"},"
		"{\"names\": [\"personality\", \"dup\"], \"action\": \"SCMP_ACT_ALLOW\", "
		"\"args\": [{\"index\": 0, \"value\": 8, \"op\": \"SCMP_CMP_EQ\"}]},"
		"{\"names\": [\"clone\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": "
		"[{\"index\": 0, \"value\": 2114060288, \"valueTwo\": 0, "
		"\"op\": \"SCMP_CMP_MASKED_EQ\"}]}]}";

	assert_int_equal(seccomp_profile_parse(text, strlen(text), 0, &wide, &err), 0);
	strlist_split(&names, "read personality clone", ' ');
	narrow = seccomp_profile_narrow(wide, &names);
	seccomp_profile_add_architecture(narrow, seccomp_arch_native());
	autojson struct json_object *document = seccomp_profile_to_json(narrow);
	const char *json = json_object_to_json_string(document);
	if (seccomp_profile_parse(json, strlen(json), 0, &again, &err) < 0)
		fail_msg("%s: %s", err.text, json);
	assert_int_equal(seccomp_profile_compile(again, &filter, &err), 0);

	uint32_t native = seccomp_arch_native(), no = ERRNO(ENOSYS);
	assert_int_equal(fate(&filter, native, SYS_read, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(fate(&filter, native, SYS_write, 0, 0, 0), no);
	assert_int_equal(fate(&filter, native, SYS_dup, 8, 0, 0), no);
	assert_int_equal(fate(&filter, native, SYS_personality, 8, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(fate(&filter, native, SYS_personality, 9, 0, 0), no);
	assert_int_equal(fate(&filter, native, SYS_clone, SIGCHLD, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(fate(&filter, native, SYS_clone, 0x10000000, 0, 0), no);
	seccomp_filter_clear(&filter);
	seccomp_profile_free(wide);
	seccomp_profile_free(narrow);
	seccomp_profile_free(again);
}

static void test_names_and_numbers_are_two_ways(void **state)
{
	static const char *const names[] = { "read", "clone3", "listns", "futex_waitv" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int number = seccomp_call_number(seccomp_arch_native(), names[i]);
		autofree char *name = seccomp_call_name(seccomp_arch_native(), number);
		assert_string_equal(name, names[i]);
	}
	assert_null(seccomp_call_name(seccomp_arch_native(), 1000));
}

/* ---- in the kernel ---- */

/* Runs `ask` under the filter in a process of its own; gives what it returned. */
static int under_filter(const struct seccomp_filter *filter, int (*ask)(void))
{
	struct sock_fprog program = { (unsigned short)filter->count, filter->instructions };
	int status;

	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter->flags, &program) < 0)
			_exit(255);
		_exit(ask());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int ask_personality(void)
{
	return personality(0x40000) < 0 ? errno : 0;
}

static int ask_unshare(void)
{
	return unshare(CLONE_NEWUSER) < 0 ? errno : 0;
}

static int ask_vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int ask_unknown(void)
{
	return syscall(999) < 0 ? errno : 0;
}

static int ask_everyday(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0 || write(fds[1], "x", 1) != 1)
		return errno;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return pid < 0 || waitpid(pid, NULL, 0) != pid ? errno : 0;
}

static void test_the_kernel_takes_the_default_and_keeps_to_it(void **state)
{
	struct seccomp_filter filter = compiled_default(DEFAULT_CAPABILITIES);

	(void)state;
	assert_int_equal(under_filter(&filter, ask_everyday), 0);
	assert_int_equal(under_filter(&filter, ask_personality), EPERM);
	assert_int_equal(under_filter(&filter, ask_unshare), EPERM);
	assert_int_equal(under_filter(&filter, ask_vsock), EAFNOSUPPORT);
	assert_int_equal(under_filter(&filter, ask_unknown), ENOSYS);
	seccomp_filter_clear(&filter);
}

/* ---- the cache ---- */

struct cache {
	char directory[40];
	int fd;
	char *profile_path;
	char file[300]; /* the one cached filter */
};

static int cache_setup(void **state)
{
	struct cache *cache = xcalloc(1, sizeof(*cache));

	strcpy(cache->directory, "/tmp/test-seccomp-XXXXXX");
	assert_non_null(mkdtemp(cache->directory));
	cache->profile_path = xasprintf("%s/profile.json", cache->directory);
	autofree char *inside = xasprintf("%s/cache", cache->directory);
	assert_int_equal(mkdir(inside, 0700), 0);
	cache->fd = open(inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(cache->fd >= 0);
	*state = cache;
	return 0;
}

static int cache_teardown(void **state)
{
	struct cache *cache = *state;
	struct err err;

	close(cache->fd);
	assert_int_equal(file_remove_tree(AT_FDCWD, cache->directory, &err), 0);
	free(cache->profile_path);
	free(cache);
	return 0;
}

static void write_profile(struct cache *cache, const char *action)
{
	autofree char *text = xasprintf("{\"defaultAction\": \"%s\"}", action);
	struct err err;

	assert_int_equal(
		file_write(AT_FDCWD, cache->profile_path, text, strlen(text), 0644, 0, &err), 0);
}

/* The action of the filter that is loaded, for any call. */
static uint32_t loaded_action(struct cache *cache)
{
	struct seccomp_filter filter;
	struct err err = { 0 };

	if (seccomp_filter_load(cache->profile_path, 0, cache->fd, &filter, &err) < 0)
		fail_msg("%s", err.text);
	uint32_t action = fate(&filter, seccomp_arch_native(), 1, 0, 0, 0);
	seccomp_filter_clear(&filter);
	return action;
}

static size_t cached_files(struct cache *cache)
{
	autofree char *command = xasprintf("ls %s/cache", cache->directory);
	size_t count = 0;

	FILE *list = popen(command, "re");
	char name[256];
	while (fscanf(list, "%255s", name) == 1) {
		snprintf(cache->file, sizeof(cache->file), "%s", name);
		count++;
	}
	pclose(list);
	return count;
}

/* Changes one byte of the last instruction, in place. */
static void damage(struct cache *cache)
{
	char byte;

	assert_int_equal(cached_files(cache), 1);
	autoclose int fd = openat(cache->fd, cache->file, O_RDWR | O_CLOEXEC);
	off_t end = lseek(fd, -5, SEEK_END);
	assert_int_equal(pread(fd, &byte, 1, end), 1);
	byte = (char)(byte ^ 1);
	assert_int_equal(pwrite(fd, &byte, 1, end), 1);
}

static void test_a_filter_is_made_once(void **state)
{
	struct cache *cache = *state;
	struct stat before, after;

	write_profile(cache, "SCMP_ACT_LOG");
	assert_int_equal(loaded_action(cache), SECCOMP_RET_LOG);
	assert_int_equal(cached_files(cache), 1);
	assert_int_equal(fstatat(cache->fd, cache->file, &before, 0), 0);
	assert_int_equal(before.st_mode & 0777, 0600);
	assert_int_equal(loaded_action(cache), SECCOMP_RET_LOG);
	assert_int_equal(fstatat(cache->fd, cache->file, &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void test_a_changed_profile_makes_another_filter(void **state)
{
	struct cache *cache = *state;

	write_profile(cache, "SCMP_ACT_LOG");
	assert_int_equal(loaded_action(cache), SECCOMP_RET_LOG);
	write_profile(cache, "SCMP_ACT_TRAP");
	assert_int_equal(loaded_action(cache), SECCOMP_RET_TRAP);
	assert_int_equal(cached_files(cache), 2);
}

static void test_a_damaged_cache_is_made_anew(void **state)
{
	struct cache *cache = *state;

	write_profile(cache, "SCMP_ACT_LOG");
	assert_int_equal(loaded_action(cache), SECCOMP_RET_LOG);
	damage(cache);
	assert_int_equal(loaded_action(cache), SECCOMP_RET_LOG);
	assert_int_equal(cached_files(cache), 1);
	assert_int_equal(truncate(cache->profile_path, 0), 0);
	write_profile(cache, "SCMP_ACT_LOG");
	autoclose int fd = openat(cache->fd, cache->file, O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_int_equal(loaded_action(cache), SECCOMP_RET_LOG);
}

static void test_a_cache_that_others_can_write_is_made_anew(void **state)
{
	struct cache *cache = *state;
	struct stat before, after;

	write_profile(cache, "SCMP_ACT_LOG");
	assert_int_equal(loaded_action(cache), SECCOMP_RET_LOG);
	assert_int_equal(cached_files(cache), 1);
	assert_int_equal(fchmodat(cache->fd, cache->file, 0620, 0), 0);
	assert_int_equal(fstatat(cache->fd, cache->file, &before, 0), 0);
	assert_int_equal(loaded_action(cache), SECCOMP_RET_LOG);
	assert_int_equal(fstatat(cache->fd, cache->file, &after, 0), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_mode & 0777, 0600);
}

static void test_errors_name_the_profile(void **state)
{
	struct cache *cache = *state;
	struct seccomp_filter filter;
	struct err err = { 0 };

	write_profile(cache, "FOO");
	assert_int_equal(seccomp_filter_load(cache->profile_path, 0, -1, &filter, &err), -EINVAL);
	autofree char *text = xasprintf("seccomp profile '%s': defaultAction: unknown action 'FOO'",
					cache->profile_path);
	assert_string_equal(err.text, text);
	assert_int_equal(seccomp_filter_load("/nonexistent", 0, -1, &filter, &err), -ENOENT);
	assert_string_equal(err.text, "seccomp profile '/nonexistent': No such file or directory");
	assert_int_equal(seccomp_filter_load("/tmp", 0, -1, &filter, &err), -EINVAL);
	assert_string_equal(err.text, "seccomp profile '/tmp': not a file");
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, cache_setup, cache_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef __x86_64__
		cmocka_unit_test(test_filters_decide_as_those_of_libseccomp),
		cmocka_unit_test(test_calls_behind_socketcall_are_allowed_too),
		cmocka_unit_test(test_x32_has_the_default_fate_of_its_own),
		cmocka_unit_test(test_x32_calls_are_never_more_than_allowed),
		cmocka_unit_test(test_the_default_knows_what_libseccomp_does_not),
#endif
#ifdef NATIVE
		cmocka_unit_test(test_the_default_asks_for_capabilities),
		cmocka_unit_test(test_the_default_looks_at_arguments),
		cmocka_unit_test(test_rules_depend_on_capabilities_and_host),
		cmocka_unit_test(test_conditions_on_one_argument_are_alternatives),
#endif
		cmocka_unit_test(test_errors_name_the_place),
		cmocka_unit_test(test_notifications_have_a_listener),
		cmocka_unit_test(test_who_has_the_key_passes_the_door),
		cmocka_unit_test(test_the_door_is_for_the_fork_too),
		cmocka_unit_test(test_a_narrowed_profile_allows_no_more_than_before),
		cmocka_unit_test(test_names_and_numbers_are_two_ways),
		cmocka_unit_test(test_the_kernel_takes_the_default_and_keeps_to_it),
		CACHE_TEST(test_a_filter_is_made_once),
		CACHE_TEST(test_a_changed_profile_makes_another_filter),
		CACHE_TEST(test_a_damaged_cache_is_made_anew),
		CACHE_TEST(test_a_cache_that_others_can_write_is_made_anew),
		CACHE_TEST(test_errors_name_the_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
