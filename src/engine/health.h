/* Health checks: a command that is run inside a container again and again, and what its results make of the container.
 *
 * The monitor keeps the time. When a check is due it starts `davit container cleanup --health`, which runs the command,
 * adds the result to the file "health" in the run directory, and does what is to be done about a container that is not
 * well. So the state of health costs no database, and a container without checks nothing at all. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct container;
struct container_spec;
struct engine;
struct err;
struct json_object;
struct strlist;

#define HEALTH_ON_FAILURE "none|kill|restart|stop"

/* Read --health-cmd as podman does: a JSON array, "CMD word…", "CMD-SHELL text", "none", or text for a shell. `test`
 * becomes the words of an image's HEALTHCHECK. */
int health_test_parse(const char *text, struct strlist *test, struct err *err);

/* Has it a check to run? */
bool health_has_check(const struct container_spec *spec);

/* For a start: nothing is known yet. */
int health_begin(const char *run_dir, const struct container_spec *spec, struct err *err);
/* For the end: keep what was known last. Nothing more than that is lost if it fails. */
void health_keep(const char *run_dir, const char *container_dir);

/* Of one that runs: "starting", "healthy", "unhealthy"; "" without checks. Owned by the caller. */
char *health_status(const struct engine *engine, const struct container *container);
/* State.Health of inspect, of one that has ended as it was last; NULL without checks. */
struct json_object *health_to_json(const struct engine *engine, const struct container *container);

/* What one more result makes of it. `is_starting`: the start period is not over. Changes the document. Returns whether
 * it is unhealthy now. */
struct health_result {
	int exit_code; /* -1: it took too long */
	int64_t start_nsec, end_nsec;
	const char *output;
};
bool health_add_result(struct json_object *health, const struct container_spec *spec,
		       const struct health_result *result, bool is_starting);

/* Run the check once, write down the result, and act on it. *ret_exit_code is the command's, -1 after its time was over.
 * -ESRCH if the container does not run, -ENOENT if it has no check. Found with CONTAINER_WITH_SPEC. */
int container_check_health(struct engine *engine, struct container *container, int *ret_exit_code,
			   struct err *err);
