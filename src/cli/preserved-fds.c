/* The runtime hands on descriptors 3 to 2 + N. Where single ones are wanted, those between them lead to /dev/null: the
 * numbers would otherwise be taken by descriptors of ours, which are no business of a container. */
#include "cli/preserved-fds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/err.h"
#include "base/number.h"

#define FIRST	 3
#define FD_LIMIT 1024

#define FIELD(f) offsetof(struct preserve_args, f)
const struct option_spec preserve_option_specs[] = {
	{ "preserve-fd", 0, OPTION_STRINGS, FIELD(numbers), "FD",
	  "Hand these open descriptors on to the command; a list with commas", OPTION_COMMAS },
	{ "preserve-fds", 0, OPTION_INT, FIELD(count), "N",
	  "Hand so many open descriptors on to the command, from 3 on" },
	OPTION_END,
};

/* Programs that are started on the way do not get it, the container's command does. */
static int claim(int fd, const char *option, struct err *err)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		return 0;
	return err_set(err, EBADF, "--%s: descriptor %d is not open; open it, e.g. with %d<FILE",
		       option, fd, fd);
}

static int fill(int fd, struct err *err)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0 || (null_fd != fd && dup3(null_fd, fd, O_CLOEXEC) < 0))
		return err_errno(err, "descriptor %d", fd);
	if (null_fd != fd)
		(void)close(null_fd);
	return 0;
}

static int claim_listed(const struct strlist *numbers, struct err *err)
{
	bool is_wanted[FD_LIMIT] = { false };
	int highest = FIRST - 1;

	for (size_t i = 0; i < numbers->count; i++) {
		int64_t number;
		if (number_parse(numbers->items[i], FIRST, FD_LIMIT - 1, &number) < 0)
			return err_set(err, EINVAL,
				       "--preserve-fd '%s': give numbers from %d to %d; 0, 1 and 2 "
				       "are handed on anyway",
				       numbers->items[i], FIRST, FD_LIMIT - 1);
		int r = claim((int)number, "preserve-fd", err);
		if (r < 0)
			return r;
		is_wanted[number] = true;
		if (number > highest)
			highest = (int)number;
	}
	for (int fd = FIRST; fd <= highest; fd++)
		if (!is_wanted[fd]) {
			int r = fill(fd, err);
			if (r < 0)
				return r;
		}
	return highest - FIRST + 1;
}

int preserve_args_claim(const struct preserve_args *args, struct err *err)
{
	if (args->count && args->numbers.count)
		return err_set(
			err, EINVAL,
			"--preserve-fds and --preserve-fd contradict each other; give one of them");
	if (args->numbers.count)
		return claim_listed(&args->numbers, err);
	if (args->count < 0 || args->count > FD_LIMIT - FIRST)
		return err_set(err, EINVAL, "--preserve-fds %lld is not from 0 to %d",
			       (long long)args->count, FD_LIMIT - FIRST);
	for (int fd = FIRST; fd < FIRST + args->count; fd++) {
		int r = claim(fd, "preserve-fds", err);
		if (r < 0)
			return r;
	}
	return (int)args->count;
}
