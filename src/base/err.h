/* Errors as values: why something failed, in the words the user will read.
 *
 * A function that can fail returns int (>= 0 on success, -errno on failure) and takes `struct err
 * *err` last. The struct lives on the caller's stack and owns nothing, so an ignored failure costs
 * nothing. The lowest caller that knows the object names it; callers above wrap only to add another
 * noun. */
#pragma once

struct err {
	int code;	/* positive errno, 0 while nothing failed */
	char text[508]; /* "outer: inner: cause", without newline or other control characters */
};

/* Set code and text. Returns -code, so that `return err_set(err, EINVAL, …)` works. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same, with errno as the code and ": strerror(errno)" behind the text. */
int err_errno(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "text: " in front of what is there. A prefix that does not fit is dropped: the cause must
 * survive. Returns -err->code. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "; remedy" behind what is there, unless there is no room for all of it. Returns -err->code. */
int err_remedy(struct err *err, const char *remedy);
