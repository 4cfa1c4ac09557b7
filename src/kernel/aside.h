/* Running a function in a child process that works on our own memory while we stand still, as after
 * vfork(2): for steps that change the process they happen in for good, or whose end is slow.
 * Nothing is copied, so it costs a tenth of fork(2). */
#pragma once

struct err;

enum aside_flags {
	/* Descriptors that the body opens or closes are ours as well. */
	ASIDE_SHARE_FILES = 1 << 0,
	/* Go on as soon as the body has returned, while the child is still closing its descriptors;
	 * init reaps it. */
	ASIDE_LEAVE = 1 << 1,
};

/* Returns what `body` returns; its err comes back too. The body may do everything but end the
 * process or return to anything above. */
int aside_run(enum aside_flags flags, int (*body)(void *arg, struct err *err), void *arg,
	      struct err *err);
