/* Network namespaces that are made beside: see network_namespaces(7). */
#pragma once

struct err;
struct netns_draft;

/* Begin to make a network namespace with its loopback interface up, while the caller does something else: it takes the
 * kernel half a millisecond. It belongs to the caller's user namespace.
 * netns_draft_finish() waits for it and returns a descriptor, owned by the caller, or -errno; it is called once at
 * most, and before the process goes on to do what only a process without threads can do. */
int netns_draft_begin(struct netns_draft **ret_draft, struct err *err);
int netns_draft_finish(struct netns_draft *draft);
void netns_draft_free(struct netns_draft *draft); /* waits, too; NULL is fine */

/* Bring up the loopback interface of the network namespace that the calling thread is in. Async-signal-safe. -1 and errno. */
int netns_bring_up_loopback(void);
