#include "kernel/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

struct netns_draft {
	pthread_t thread;
	bool is_going_on;
	int fd; /* -1 where it failed */
	int code;
};

int netns_bring_up_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	int r = ioctl(fd, SIOCSIFFLAGS, &request);
	int code = errno;
	close(fd);
	errno = code;
	return r;
}

/* Which network namespace one is in is a matter of the thread. */
static void *make_namespace(void *arg)
{
	struct netns_draft *draft = arg;

	if (unshare(CLONE_NEWNET) == 0 && netns_bring_up_loopback() == 0)
		draft->fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (draft->fd < 0)
		draft->code = errno;
	return NULL;
}

static void await(struct netns_draft *draft)
{
	if (draft->is_going_on)
		(void)pthread_join(draft->thread, NULL);
	draft->is_going_on = false;
}

int netns_draft_begin(struct netns_draft **ret_draft, struct err *err)
{
	struct netns_draft *draft = xcalloc(1, sizeof(*draft));
	sigset_t all, before;

	draft->fd = -1;
	/* Signals are for the thread that everything else happens in. */
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int code = pthread_create(&draft->thread, NULL, make_namespace, draft);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code) {
		free(draft);
		return err_set(err, code, "make a thread: %s", strerror(code));
	}
	draft->is_going_on = true;
	*ret_draft = draft;
	return 0;
}

int netns_draft_finish(struct netns_draft *draft)
{
	await(draft);
	return draft->fd < 0 ? -draft->code : take_fd(&draft->fd);
}

void netns_draft_free(struct netns_draft *draft)
{
	if (!draft)
		return;
	await(draft);
	fd_close(&draft->fd);
	free(draft);
}
