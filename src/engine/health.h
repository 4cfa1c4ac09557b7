/* Health checks: a command that is run inside a container again and again, and what its results make of the container.
 *
 * The monitor keeps the time. When a check is due it starts `davit container cleanup --health`, which runs the command,
 * adds the result to the file "health" in the run directory, and does what is to be done about a container that is not
 * well. So the state of health costs no database, and a container without checks nothing at all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
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

/* Has it a check to run, and one for the time before? */
bool health_has_check(const struct container_spec *spec);
bool health_has_startup(const struct container_spec *spec);

enum {
	HEALTH_LOG_COUNT = 5,	    /* results that are kept */
	HEALTH_LOG_SIZE = 500,	    /* bytes of output of each, as podman does */
	HEALTH_LOG_BYTES = 1 << 20, /* of output in all, where there is no limit */
};
/* How many bytes of output are kept of one result. */
size_t health_output_limit(const struct container_spec *spec);

/* For a start: nothing is known yet. */
int health_begin(const char *run_dir, const struct container_spec *spec, struct err *err);
/* For the end: keep what was known last. Nothing more than that is lost if it fails. */
void health_keep(const char *run_dir, const char *container_dir);

/* Of one that runs: "starting", "healthy", "unhealthy"; "" without checks. Owned by the caller. */
char *health_status(const struct engine *engine, const struct container *container);
/* State.Health of inspect, of one that has ended as it was last; NULL without checks. */
struct json_object *health_to_json(const struct engine *engine, const struct container *container);

/* What one more result makes of it. `is_starting`: the start period is not over. Changes the document. */
struct health_result {
	int exit_code;	 /* -1: it took too long */
	bool is_startup; /* it was the check of the start that was run */
	int64_t start_nsec, end_nsec;
	const char *output;
};
enum health_verdict {
	HEALTH_GOES_ON,
	HEALTH_UNHEALTHY,
	HEALTH_STARTED, /* the check of the start has succeeded often enough: the other one takes over */
	HEALTH_START_FAILED /* … has failed too often */
};
enum health_verdict health_add_result(struct json_object *health, const struct container_spec *spec,
				      const struct health_result *result, bool is_starting);
/* Is the check of the start the one to run? */
bool health_is_startup(struct json_object *health, const struct container_spec *spec);
/* As the monitor counts it. */
unsigned health_interval_msec(int64_t nsec);
/* So often does the monitor check at the beginning; 0: it does not. */
unsigned health_first_interval_msec(const struct container_spec *spec);

/* The document as the file in the run directory has it, NULL if there is none; owned by the caller. */
struct json_object *health_read(const char *run_dir);
int health_write(const char *run_dir, const struct container_spec *spec, const char *id,
		 struct json_object *health, struct err *err);

/* For a container that runs: what its spec says of health is different now, so its monitor is told. Without a monitor
 * nobody can be told, which is a warning. */
void health_changed(struct engine *engine, const struct container *container,
		    const struct container_spec *spec);

/* Run the check once, write down the result, and act on it. *ret_exit_code is the command's, -1 after its time was over.
 * -ESRCH if the container does not run, -ENOENT if it has no check. Found with CONTAINER_WITH_SPEC. */
int container_check_health(struct engine *engine, struct container *container, int *ret_exit_code,
			   struct err *err);
