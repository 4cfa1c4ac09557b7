/* Transient scopes: asking systemd, the host's or the user's, for a control group of our own.
 *
 * A scope is a unit around processes that systemd has not started. The one asked for is delegated
 * (systemd.resource-control(5), Delegate=): below its group everything is ours. It ends by itself
 * when its last process has. See org.freedesktop.systemd1(5). */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct err;
struct strbuf;

struct systemd_scope {
	const char *unit;  /* "davit-ID.scope" */
	const char *slice; /* "machine.slice"; NULL: systemd's own choice */
	const char *description;
	pid_t pid; /* the process to move there */
};

/* Where the manager listens that this caller may talk to: the host's for root, else the one below
 * the caller's XDG_RUNTIME_DIR. NULL if there is none; owned by the caller. */
char *systemd_private_socket(uid_t uid, const char *runtime_dir);

/* Make the scope and wait until the process is in it. -EEXIST if there is a unit of this name. */
int systemd_start_scope(const char *socket_path, const struct systemd_scope *scope,
			struct err *err);

/* Move a process of ours into the group `subgroup` ("/container") of a delegated unit. The kernel lets
 * nobody but the owner of what is above both places do that, so from a login session systemd has to. */
int systemd_attach(const char *socket_path, const char *unit, const char *subgroup, pid_t pid,
		   struct err *err);

/* ---- for tests ---- */

/* The call as it goes over the wire (D-Bus specification, "Message Protocol"). */
void systemd_scope_message(const struct systemd_scope *scope, uint32_t serial,
			   struct strbuf *message);

enum systemd_event {
	SYSTEMD_OTHER,	  /* not about us */
	SYSTEMD_ACCEPTED, /* the job is queued */
	SYSTEMD_DONE,	  /* the scope is there */
	SYSTEMD_EXISTS,	  /* there is a unit of this name */
	SYSTEMD_FAILED,	  /* with the reason in `err` */
};

/* How long the message is that begins with these 16 bytes, or -EBADMSG. */
ssize_t systemd_message_size(const void *header);

/* What a whole message says about the unit. */
enum systemd_event systemd_read_message(const void *message, size_t size, const char *unit,
					uint32_t serial, struct err *err);
