/* A filter with a door for who sets it: seccomp_filter_add_door().
 *
 *	ld arch; jeq NATIVE
 *	ld, jeq for the halves of arguments 3, 4 and 5, which are the key
 *	ld nr; jeq; ld, jeq for the argument that is fixed: for each call
 *	ret ALLOW
 *	the filter as it was
 *
 * Nothing that passes is worth a stolen key: no call here gives a right, and what clone(2) could make, namespaces
 * above all, is fixed.
 */
#include "kernel/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/mem.h"

#define FIRST_ARGUMENT	 3
#define PLACE_OF(member) ((uint32_t)offsetof(struct seccomp_data, member))

/* Of arguments the lower half is looked at: flags and requests have no upper one. On machines of the other byte order it
 * is elsewhere; there the door stays shut. */
static const struct {
	uint32_t number, place, value;
} calls[] = {
	{ SYS_sendmsg, PLACE_OF(nr), SYS_sendmsg },  { SYS_close, PLACE_OF(nr), SYS_close },
	{ SYS_seccomp, PLACE_OF(nr), SYS_seccomp },  { SYS_setsid, PLACE_OF(nr), SYS_setsid },
	{ SYS_clone, PLACE_OF(args), CLONE_PARENT }, { SYS_ioctl, PLACE_OF(args) + 8, TIOCSCTTY },
};

#define DOOR_SIZE (2 + 4 * SECCOMP_KEY_WORDS + 4 * ARRAY_SIZE(calls) + 1)

static struct sock_filter load(uint32_t place)
{
	return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, place);
}

static struct sock_filter compare(uint32_t value, size_t skip_if_not)
{
	return (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0,
					    (uint8_t)skip_if_not);
}

static void make_door(struct sock_filter door[DOOR_SIZE], const uint64_t key[SECCOMP_KEY_WORDS])
{
	size_t at = 0;

	door[at++] = load(PLACE_OF(arch));
	door[at] = compare(seccomp_arch_native(), DOOR_SIZE - 1 - at);
	at++;
	for (size_t i = 0; i < SECCOMP_KEY_WORDS; i++) {
		uint32_t halves[2];
		memcpy(halves, &key[i], sizeof(halves));
		for (uint32_t half = 0; half < 2; half++) {
			door[at++] = load(PLACE_OF(args) + (uint32_t)(FIRST_ARGUMENT + i) * 8 +
					  half * 4);
			door[at] = compare(halves[half], DOOR_SIZE - 1 - at);
			at++;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		bool is_last = i + 1 == ARRAY_SIZE(calls);
		door[at++] = load(PLACE_OF(nr));
		door[at++] = compare(calls[i].number, is_last ? 3 : 2);
		door[at++] = load(calls[i].place);
		/* Equal: to the end. Of the last one that is the next instruction. */
		door[at] = compare(calls[i].value, is_last ? 1 : 0);
		door[at].jt = (uint8_t)(DOOR_SIZE - 2 - at);
		at++;
	}
	door[at] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
}

int seccomp_filter_add_door(const struct seccomp_filter *filter,
			    const uint64_t key[SECCOMP_KEY_WORDS],
			    struct seccomp_filter *ret_filter, struct err *err)
{
	size_t count = DOOR_SIZE + filter->count;

	if (count > BPF_MAXINSNS)
		return err_set(err, E2BIG,
			       "with the calls that set it up the filter has %zu instructions, and "
			       "the kernel "
			       "takes %d",
			       count, BPF_MAXINSNS);
	struct sock_filter *code = xcalloc(count, sizeof(*code));
	make_door(code, key);
	memcpy(code + DOOR_SIZE, filter->instructions, filter->count * sizeof(*code));
	*ret_filter = (struct seccomp_filter){ code, count, filter->flags };
	return 0;
}
