/* All calls of a container pass through here one after the other, so what is done for each matters: a bit is set, and the
 * answer goes out. Looking at who calls and with what is done for the calls only that some capability may be needed for.
 *
 * Were we killed, the kernel would answer ENOSYS to the container's calls from then on: it would hardly get far, but it
 * would not hang. */
#include "engine/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd-pass.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "base/timing.h"
#include "engine/capability-use.h"
#include "kernel/caps.h"
#include "kernel/seccomp-notice.h"
#include "kernel/seccomp-profile.h"

enum {
	LISTENERS = 64, /* the first process, and those that are executed at the same time */
	NUMBERS = 1024, /* far above the newest call */
	ARCHITECTURES = 4,
	SETTLE_MSEC = 200,
	MAX_STATE_BYTES = 1 << 20,
};

#define X32_CALL_BIT 0x40000000

/* The calls of one architecture. */
struct calls {
	uint32_t architecture; /* 0: free */
	bool seen[NUMBERS];
};

struct recorder {
	const struct recorder_request *request;
	struct seccomp_profile *profile; /* in force; NULL: none */
	struct calls calls[ARCHITECTURES];
	struct capability_use *use;
	uint64_t capabilities;
	bool is_dirty, is_answering;
	int64_t written_usec;
	struct pollfd polls[1 + LISTENERS]; /* the socket, then listeners */
	size_t count;			    /* of listeners */
};

void recorder_list_assumed(struct strlist *names)
{
	/* Ending, and coming back from a signal's handler or a stop. */
	strlist_split(names, "exit exit_group restart_syscall rt_sigreturn sigreturn", ' ');
}

/* What davit does between setting the filter and the command, with and without no_new_privs and the stub: the profile is in
 * force then. How it is this time was recorded; the next time may be otherwise. */
static const char runtime_calls[] = "capset close execve execveat fcntl prctl pread64 write";

/* ---- what was seen ---- */

static struct calls *calls_of(struct recorder *recorder, uint32_t architecture)
{
	for (size_t i = 0; i < ARCHITECTURES; i++) {
		struct calls *calls = &recorder->calls[i];
		if (!calls->architecture)
			calls->architecture = architecture;
		if (calls->architecture == architecture)
			return calls;
	}
	return NULL;
}

static void note_call(struct recorder *recorder, uint32_t architecture, int number)
{
	if (architecture == SCMP_ARCH_X86_64 && (number & X32_CALL_BIT)) {
		architecture = SCMP_ARCH_X32;
		number &= ~X32_CALL_BIT;
	}
	struct calls *calls =
		number >= 0 && number < NUMBERS ? calls_of(recorder, architecture) : NULL;
	if (!calls || calls->seen[number])
		return;
	calls->seen[number] = true;
	recorder->is_dirty = true;
}

static void note_capabilities(struct recorder *recorder, uint64_t used)
{
	used &= recorder->request->granted;
	if (used & ~recorder->capabilities)
		recorder->is_dirty = true;
	recorder->capabilities |= used;
}

/* ---- from one run of the container to the next ---- */

/* Lines of "call ARCHITECTURE NUMBER" and "capabilities SET", decimal. */
static void load_state(struct recorder *recorder)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err ignored; /* there was no run before */
	int64_t architecture, number;

	if (file_read(AT_FDCWD, recorder->request->state_file, &text, MAX_STATE_BYTES, &ignored) <
	    0)
		return;
	for (const char *at = strbuf_text(&text); *at;) {
		if (strncmp(at, "call ", 5) == 0) {
			at += 5;
			if (number_take(&at, 0, UINT32_MAX, &architecture) < 0 || *at++ != ' ' ||
			    number_take(&at, 0, NUMBERS - 1, &number) < 0)
				return;
			if (architecture == SCMP_ARCH_X32)
				architecture = SCMP_ARCH_X86_64, number |= X32_CALL_BIT;
			note_call(recorder, (uint32_t)architecture, (int)number);
		} else if (strncmp(at, "capabilities ", 13) == 0) {
			at += 13;
			if (number_take(&at, 0, INT64_MAX, &number) < 0)
				return;
			note_capabilities(recorder, (uint64_t)number);
		}
		at = strchrnul(at, '\n');
		at += *at == '\n';
	}
}

static int save_state(const struct recorder *recorder, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	for (size_t i = 0; i < ARCHITECTURES; i++)
		for (int number = 0; number < NUMBERS; number++)
			if (recorder->calls[i].seen[number])
				strbuf_addf(&text, "call %u %d\n", recorder->calls[i].architecture,
					    number);
	strbuf_addf(&text, "capabilities %llu\n", (unsigned long long)recorder->capabilities);
	return file_write(AT_FDCWD, recorder->request->state_file, text.data, text.size, 0600, 0,
			  err);
}

/* ---- the files ---- */

static void add_name(struct strlist *names, const char *name)
{
	if (!strlist_contains(names, name))
		strlist_add(names, name);
}

static void list_names(const struct recorder *recorder, struct strlist *names)
{
	strlist_split(names, runtime_calls, ' ');
	recorder_list_assumed(names);
	for (size_t i = 0; i < ARCHITECTURES; i++) {
		const struct calls *calls = &recorder->calls[i];
		int bit = calls->architecture == SCMP_ARCH_X32 ? X32_CALL_BIT : 0;
		for (int number = 0; number < NUMBERS; number++) {
			autofree char *name =
				calls->seen[number]
					? seccomp_call_name(calls->architecture, number | bit)
					: NULL;
			if (name)
				add_name(names, name);
		}
	}
	strlist_sort(names);
}

static int write_profile(const struct recorder *recorder, struct err *err)
{
	autostrlist struct strlist names = STRLIST_EMPTY;

	list_names(recorder, &names);
	struct seccomp_profile *profile = seccomp_profile_narrow(recorder->profile, &names);
	seccomp_profile_add_architecture(profile, seccomp_arch_native());
	for (size_t i = 0; i < ARCHITECTURES; i++)
		if (recorder->calls[i].architecture)
			seccomp_profile_add_architecture(profile, recorder->calls[i].architecture);
	autojson struct json_object *document = seccomp_profile_to_json(profile);
	autofree char *text = xasprintf(
		"%s\n", json_object_to_json_string_ext(document, JSON_C_TO_STRING_PRETTY |
									 JSON_C_TO_STRING_SPACED));
	seccomp_profile_free(profile);
	return file_write(AT_FDCWD, recorder->request->seccomp_file, text, strlen(text), 0644, 0,
			  err);
}

/* As options, so that it can be put into a command line as it is. */
static int write_capabilities(const struct recorder *recorder, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	uint64_t kept = recorder->capabilities | capability_use_unknown(recorder->request->granted);
	bool is_first = true;

	strbuf_adds(&text, "--cap-drop=all");
	for (int i = 0; capability_name(i); i++) {
		if (!(kept >> i & 1))
			continue;
		strbuf_addf(&text, "%s%s", is_first ? " --cap-add=" : ",", capability_name(i));
		is_first = false;
	}
	strbuf_adds(&text, "\n");
	return file_write(AT_FDCWD, recorder->request->capability_file, text.data, text.size, 0644,
			  0, err);
}

static int write_all(struct recorder *recorder, struct err *err)
{
	int r = save_state(recorder, err);

	if (r == 0 && recorder->request->seccomp_file)
		r = write_profile(recorder, err);
	if (r == 0 && recorder->request->capability_file)
		r = write_capabilities(recorder, err);
	recorder->is_dirty = false;
	recorder->written_usec = clock_now_usec();
	return r;
}

/* ---- listening ---- */

static void answer(struct recorder *recorder, int listener_fd)
{
	struct seccomp_notice notice;

	if (seccomp_notice_receive(listener_fd, &notice) <= 0)
		return;
	if (recorder->request->seccomp_file)
		note_call(recorder, notice.architecture, notice.number);
	if (recorder->request->capability_file)
		note_capabilities(recorder, capability_use_find(recorder->use, &notice,
								recorder->request->granted &
									~recorder->capabilities));
	seccomp_notice_continue(listener_fd, notice.id);
}

static void add_listener(struct recorder *recorder, int fd)
{
	if (recorder->count == LISTENERS) { /* then its process gets ENOSYS */
		close(fd);
		return;
	}
	seccomp_notice_set_sync(fd);
	recorder->polls[1 + recorder->count++] = (struct pollfd){ fd, POLLIN, 0 };
}

static void take_listener(struct recorder *recorder)
{
	autoclose int connection = accept4(recorder->polls[0].fd, NULL, NULL, SOCK_CLOEXEC);
	int fd = connection < 0 ? -1 : fd_receive(connection, 0);

	if (fd >= 0)
		add_listener(recorder, fd);
}

static void serve(struct recorder *recorder)
{
	for (size_t i = 1; i <= recorder->count; i++) {
		struct pollfd *poll = &recorder->polls[i];
		if (poll->revents & POLLIN) {
			answer(recorder, poll->fd);
		} else if (poll->revents) {
			close(poll->fd);
			*poll = recorder->polls[recorder->count--];
			i--;
		}
	}
	if (recorder->polls[0].revents)
		take_listener(recorder);
}

/* One that always has something to do is never quiet for so long. */
static bool is_overdue(const struct recorder *recorder)
{
	return clock_now_usec() - recorder->written_usec > SETTLE_MSEC * 5000;
}

int recorder_run(const struct recorder_request *request, struct err *err)
{
	struct recorder *recorder = xcalloc(1, sizeof(*recorder));
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE };
	int r = 0;

	/* The container's end is ours. */
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		(void)sigaction(ignored[i], &ignore, NULL);
	recorder->request = request;
	recorder->use = capability_use_new();
	if (!request->is_unconfined && request->seccomp_file)
		r = seccomp_profile_load(request->profile, request->granted, &recorder->profile,
					 err);
	recorder->polls[0] = (struct pollfd){ RECORDER_FIRST_FD + RECORDER_SOCKET, POLLIN, 0 };
	add_listener(recorder, RECORDER_FIRST_FD + RECORDER_LISTENER);
	load_state(recorder);
	if (r == 0)
		r = write_all(recorder, err);
	/* From here on the container depends on the answers, whatever becomes of the files. */
	while (recorder->count && (r == 0 || recorder->is_answering)) {
		int n = poll(recorder->polls, 1 + recorder->count,
			     recorder->is_dirty ? SETTLE_MSEC : -1);
		recorder->is_answering = true;
		if (n > 0)
			serve(recorder);
		if (recorder->is_dirty && (n == 0 || is_overdue(recorder)))
			r = write_all(recorder, err);
	}
	if (recorder->is_dirty)
		r = write_all(recorder, err);
	seccomp_profile_free(recorder->profile);
	capability_use_free(recorder->use);
	free(recorder);
	return r;
}
