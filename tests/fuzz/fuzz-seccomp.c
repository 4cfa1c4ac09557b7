/* seccomp profiles: what is accepted must become a program that ends on every path; what is not,
 * an error with words. */
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "kernel/seccomp-profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Jumps lead forward only, so a program ends if none leads behind the end and the last instruction
 * returns. */
static void check_program(const struct seccomp_filter *filter)
{
	const struct sock_filter *code = filter->instructions;

	if (filter->count == 0 || filter->count > BPF_MAXINSNS ||
	    BPF_CLASS(code[filter->count - 1].code) != BPF_RET)
		abort();
	for (size_t i = 0; i < filter->count; i++) {
		size_t room = filter->count - i - 1;
		if (BPF_CLASS(code[i].code) != BPF_JMP)
			continue;
		if (BPF_OP(code[i].code) == BPF_JA ? code[i].k >= room
						   : code[i].jt >= room || code[i].jf >= room)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_profile *profile = NULL;
	struct seccomp_filter filter = { 0 };
	struct err err = { 0 };

	int r = seccomp_profile_parse((const char *)data, size, UINT64_C(0x800405fb), &profile,
				      &err);
	if (r < 0) {
		if (profile || err.code != -r || !err.text[0])
			abort();
		return 0;
	}
	if (seccomp_profile_compile(profile, &filter, &err) == 0)
		check_program(&filter);
	seccomp_filter_clear(&filter);
	seccomp_profile_free(profile);
	return 0;
}
