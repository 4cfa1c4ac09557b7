/* A filter with a door for who sets it: seccomp_filter_add_door().
 *
 *	ld arch; jeq NATIVE; ld nr; jeq sendmsg, close, seccomp
 *	ld, jeq for the halves of arguments 3, 4 and 5
 *	ret ALLOW
 *	the filter as it was
 */
#include "kernel/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/mem.h"

#define FIRST_ARGUMENT 3
#define DOOR_SIZE      (6 + 4 * SECCOMP_KEY_WORDS + 1)

static void make_door(struct sock_filter door[DOOR_SIZE], const uint64_t key[SECCOMP_KEY_WORDS])
{
	static const uint32_t calls[] = { SYS_sendmsg, SYS_close, SYS_seccomp };
	size_t at = 0;

#define PAST (uint8_t)(DOOR_SIZE - 1 - at)
	door[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  offsetof(struct seccomp_data, arch));
	door[at] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 0,
						PAST);
	at++;
	door[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		bool is_last = i + 1 == ARRAY_SIZE(calls);
		door[at] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i],
							(uint8_t)(ARRAY_SIZE(calls) - 1 - i),
							is_last ? PAST : 0);
		at++;
	}
	for (size_t i = 0; i < SECCOMP_KEY_WORDS; i++) {
		uint32_t halves[2];
		memcpy(halves, &key[i], sizeof(halves));
		for (uint32_t half = 0; half < 2; half++) {
			uint32_t place = (uint32_t)offsetof(struct seccomp_data, args) +
					 (uint32_t)(FIRST_ARGUMENT + i) * 8 + half * 4;
			door[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, place);
			door[at] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								halves[half], 0, PAST);
			at++;
		}
	}
#undef PAST
	door[at] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
}

int seccomp_filter_add_door(const struct seccomp_filter *filter,
			    const uint64_t key[SECCOMP_KEY_WORDS],
			    struct seccomp_filter *ret_filter, struct err *err)
{
	size_t count = DOOR_SIZE + filter->count;

	if (count > BPF_MAXINSNS)
		return err_set(err, E2BIG,
			       "with a listener the filter has %zu instructions, and the kernel "
			       "takes %d",
			       count, BPF_MAXINSNS);
	struct sock_filter *code = xcalloc(count, sizeof(*code));
	make_door(code, key);
	memcpy(code + DOOR_SIZE, filter->instructions, filter->count * sizeof(*code));
	*ret_filter = (struct seccomp_filter){ code, count, filter->flags };
	return 0;
}
