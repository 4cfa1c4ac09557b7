/* /etc/hosts and /etc/resolv.conf of containers on one network namespace: one file for all of them,
 * linked into the run directory of each. */
#pragma once

struct engine;
struct err;

/* Link the files of the container whose network it is. Returns 1, or 0 when that one has no such file.
 * The hosts file then names the newcomer too: from everywhere on that network it is at 127.0.0.1. */
int shared_hosts_link(struct engine *engine, const char *donor_dir, const char *run_dir,
		      const char *hostname, const char *name, struct err *err);
int shared_resolv_link(const char *donor_dir, const char *run_dir, struct err *err);

/* Take its line out of the file again, as it was when it joined. That the donor is gone is no error. */
int shared_hosts_leave(struct engine *engine, const char *donor_dir, const char *run_dir,
		       struct err *err);
