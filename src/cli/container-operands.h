/* The containers that a command's words mean: one, or several that it does one thing to each of (stop, kill, rm, start, wait). */
#pragma once

#include <stdbool.h>

#include "base/strlist.h"
#include "engine/container.h"

struct cli;
struct engine;
struct err;

/* Of an option --filter: what may stand in front of its values. */
#define CONTAINER_FILTER_CHOICES                                                                   \
	.choices = "id=|name=|label=|label!=|status=|exited=|ancestor=|before=|since=|command=|"   \
		   "volume=|network=|pod=|health=|until=|restart-policy=|should-start-on-boot="

/* Which containers are meant. */
struct container_choice {
	bool all, latest;
	enum { CHOICE_ANY, CHOICE_RUNNING, CHOICE_STOPPED } all_means;
	bool newest_first;	       /* of several: nobody comes before who needs him */
	struct strlist cid_files;      /* --cidfile: files that hold an ID */
	struct strlist filters;	       /* --filter: among those of `all_means` */
	bool ignore_missing;	       /* --ignore */
	void (*on_missing)(void *arg); /* called for each of them that was ignored; NULL: nothing */
	int missing_status;	       /* exit status when one was not found */
	/* Called for several of them before `act` is for the first one: to begin what takes its time, so that it goes
	 * on for all side by side. Returns whether it has begun: then `act` is called for it, whatever has become of it
	 * by then. Of failures `act` will hear by itself. NULL: nothing is begun. */
	bool (*begin)(struct engine *engine, struct container *container, void *arg);
};

/* For commands on one container: that of the name, or with NULL the one that was made last, which --latest means. */
int find_container_or_latest(struct engine *engine, const char *name,
			     enum container_details details, struct container **ret_container,
			     struct err *err);

/* Are its filters all right? for_each_container() says so, too: this is for those who ask before. */
int container_choice_check(struct cli *cli, const struct container_choice *choice, struct err *err);

/* Call `act` for each of them; it prints what it has to say. The first failure's status is the
 * result, but all are tried. With nothing named: an error that tells how to name one. */
int for_each_container(struct cli *cli, const struct container_choice *choice, int argc,
		       char **argv,
		       int (*act)(struct engine *engine, struct container *container,
				  const char *word, void *arg, struct err *err),
		       void *arg, struct err *err);
