#include "cli/health-options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "engine/container-spec.h"
#include "engine/health.h"
#include "oci/image-config.h"

#define NSEC_PER_SEC INT64_C(1000000000)
#define DEFAULT_TIME (30 * NSEC_PER_SEC)

#define FIELD(f) offsetof(struct health_args, f)
/* clang-format off */
const struct option_spec health_option_specs[] = {
	{ "health-cmd", 0, OPTION_STRING, FIELD(command), "COMMAND", "Command that tells by its exit status how the container is" },
	{ "health-interval", 0, OPTION_STRING, FIELD(interval), "TIME", "Time between two checks, or disable; the default is 30s" },
	{ "health-log-destination", 0, OPTION_STRING, FIELD(log_destination), "DIR", "Where results go beside what inspect shows: a directory, or local: nowhere", .complete = COMPLETE_FILES },
	{ "health-max-log-count", 0, OPTION_INT, FIELD(log_count), "NUMBER", "How many results are kept; 0 for any number, the default is 5" },
	{ "health-max-log-size", 0, OPTION_INT, FIELD(log_size), "NUMBER", "How many characters are kept of what a check says; 0 for any number, the default is 500" },
	{ "health-on-failure", 0, OPTION_CHOICE, FIELD(on_failure), "ACTION", "What to do when it is unhealthy", .choices = HEALTH_ON_FAILURE },
	{ "health-retries", 0, OPTION_INT, FIELD(retries), "NUMBER", "How many checks in a row have to fail; the default is 3" },
	{ "health-start-period", 0, OPTION_STRING, FIELD(start_period), "TIME", "How long after the start failures do not count" },
	{ "health-startup-cmd", 0, OPTION_STRING, FIELD(startup_command), "COMMAND", "Check that has to succeed before the other one begins" },
	{ "health-startup-interval", 0, OPTION_STRING, FIELD(startup_interval), "TIME", "Time between two of these, or disable; the default is 30s" },
	{ "health-startup-retries", 0, OPTION_INT, FIELD(startup_retries), "NUMBER", "How many of these have to fail in a row for a restart; the default 0 means never" },
	{ "health-startup-success", 0, OPTION_INT, FIELD(startup_success), "NUMBER", "How many of these have to succeed in a row; the default is one" },
	{ "health-startup-timeout", 0, OPTION_STRING, FIELD(startup_timeout), "TIME", "When one of these takes longer it has failed; the default is 30s" },
	{ "health-timeout", 0, OPTION_STRING, FIELD(timeout), "TIME", "When a check takes longer it has failed; the default is 30s" },
	{ "no-healthcheck", 0, OPTION_FLAG, FIELD(none), NULL, "No check, not even that of the image" },
	OPTION_END,
};
/* clang-format on */

static int change_duration(const char *option, const char *text, int64_t least_nsec, int64_t *nsec,
			   struct err *err)
{
	int64_t usec;

	if (!text)
		return 0;
	int r = duration_parse(text, &usec, err);
	if (r < 0)
		return err_wrap(err, "--%s", option);
	if (usec > INT64_MAX / 1000 || usec * 1000 < least_nsec)
		return err_set(err, EINVAL, "--%s %s is out of range; give at least %g s", option,
			       text, (double)least_nsec / NSEC_PER_SEC);
	*nsec = usec * 1000;
	return 0;
}

static int change_interval(const char *option, const char *text, int64_t *nsec, struct err *err)
{
	if (text && strcmp(text, "disable") == 0) {
		*nsec = 0;
		return 0;
	}
	return change_duration(option, text, NSEC_PER_SEC / 10, nsec, err);
}

static int change_number(const struct cli *cli, const char *option, int64_t number, int64_t least,
			 int64_t *ret_number, struct err *err)
{
	if (!cli_given(cli, option))
		return 0;
	if (number < least)
		return err_set(err, EINVAL, "--%s has to be at least %lld", option,
			       (long long)least);
	*ret_number = number;
	return 0;
}

static int change_test(const char *text, struct strlist *test, struct err *err)
{
	if (!text)
		return 0;
	strlist_clear(test);
	return health_test_parse(text, test, err);
}

static int change_startup(const struct cli *cli, const struct health_args *args,
			  struct container_spec *spec, struct err *err)
{
	int r = change_test(args->startup_command, &spec->health_startup_test, err);

	if (r == 0)
		r = change_interval("health-startup-interval", args->startup_interval,
				    &spec->health_startup_interval_nsec, err);
	if (r == 0)
		r = change_duration("health-startup-timeout", args->startup_timeout, NSEC_PER_SEC,
				    &spec->health_startup_timeout_nsec, err);
	if (r == 0)
		r = change_number(cli, "health-startup-retries", args->startup_retries, 0,
				  &spec->health_startup_retries, err);
	if (r == 0)
		r = change_number(cli, "health-startup-success", args->startup_success, 0,
				  &spec->health_startup_success, err);
	return r;
}

/* 0 means none. */
static int change_limit(const struct cli *cli, const char *option, int64_t number,
			int64_t *ret_limit, struct err *err)
{
	int r = change_number(cli, option, number, 0, ret_limit, err);

	if (r == 0 && cli_given(cli, option) && number == 0)
		*ret_limit = -1;
	return r;
}

static int change_log(const struct cli *cli, const struct health_args *args,
		      struct container_spec *spec, struct err *err)
{
	const char *destination = args->log_destination;
	struct stat st;

	int r = change_limit(cli, "health-max-log-count", args->log_count, &spec->health_log_count,
			     err);
	if (r == 0)
		r = change_limit(cli, "health-max-log-size", args->log_size, &spec->health_log_size,
				 err);
	if (r < 0 || !destination)
		return r;
	free(take_ptr(&spec->health_log_destination));
	if (strcmp(destination, "local") == 0)
		return 0;
	spec->health_log_destination = realpath(destination, NULL);
	if (!spec->health_log_destination || stat(spec->health_log_destination, &st) < 0 ||
	    !S_ISDIR(st.st_mode))
		return err_set(err, EINVAL,
			       "--health-log-destination '%s' is no directory; make it, or give "
			       "local",
			       destination);
	return 0;
}

/* What would have no effect, or two at once. */
static int check(const struct health_args *args, const struct container_spec *spec, struct err *err)
{
	bool is_restart =
		spec->health_on_failure && strcmp(spec->health_on_failure, "restart") == 0;

	if (is_restart && spec->restart_policy)
		return err_set(
			err, EINVAL,
			"--health-on-failure restart and --restart contradict each other; give "
			"one of them");
	if (args->startup_command && !health_has_check(spec))
		return err_set(err, EINVAL,
			       "--health-startup-cmd comes before another check, and there is "
			       "none; give --health-cmd too");
	return 0;
}

int health_options_change(const struct cli *cli, const struct health_args *args,
			  struct container_spec *spec, struct err *err)
{
	if (args->none && args->command)
		return err_set(
			err, EINVAL,
			"--no-healthcheck and --health-cmd contradict each other; give one of "
			"them");
	if (args->none) {
		strlist_clear(&spec->health_test);
		strlist_clear(&spec->health_startup_test);
	}
	int r = change_test(args->command, &spec->health_test, err);
	if (r == 0)
		r = change_interval("health-interval", args->interval, &spec->health_interval_nsec,
				    err);
	if (r == 0)
		r = change_duration("health-timeout", args->timeout, NSEC_PER_SEC,
				    &spec->health_timeout_nsec, err);
	if (r == 0)
		r = change_duration("health-start-period", args->start_period, 0,
				    &spec->health_start_period_nsec, err);
	if (r == 0)
		r = change_number(cli, "health-retries", args->retries, 1, &spec->health_retries,
				  err);
	if (r == 0 && args->on_failure) {
		free(spec->health_on_failure);
		spec->health_on_failure = xstrdup(args->on_failure);
	}
	if (r == 0)
		r = change_startup(cli, args, spec, err);
	if (r == 0)
		r = change_log(cli, args, spec, err);
	return r < 0 ? r : check(args, spec, err);
}

int health_options_apply(struct cli *cli, const struct health_args *args,
			 const struct oci_image_config *image, struct container_spec *spec,
			 struct err *err)
{
	const struct oci_health_check none = { 0 };
	const struct oci_health_check *given = image ? &image->health_check : &none;

	strlist_extend(&spec->health_test, &given->test);
	spec->health_interval_nsec = given->interval_nsec > 0 ? given->interval_nsec : DEFAULT_TIME;
	spec->health_timeout_nsec = given->timeout_nsec > 0 ? given->timeout_nsec : DEFAULT_TIME;
	spec->health_start_period_nsec =
		given->start_period_nsec > 0 ? given->start_period_nsec : 0;
	spec->health_retries = given->retries > 0 ? given->retries : 3;
	spec->health_startup_interval_nsec = spec->health_startup_timeout_nsec = DEFAULT_TIME;
	return health_options_change(cli, args, spec, err);
}
