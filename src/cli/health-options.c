#include "cli/health-options.h"

#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/container-options.h"
#include "engine/container-spec.h"
#include "engine/health.h"
#include "oci/image-config.h"

#define NSEC_PER_SEC INT64_C(1000000000)

/* The user's word, else the image's, else the default. */
static int choose_duration(const char *option, const char *text, int64_t image_nsec,
			   int64_t default_nsec, int64_t least_nsec, int64_t *ret_nsec,
			   struct err *err)
{
	int64_t usec;

	*ret_nsec = image_nsec > 0 ? image_nsec : default_nsec;
	if (!text)
		return 0;
	int r = duration_parse(text, &usec, err);
	if (r < 0)
		return err_wrap(err, "--%s", option);
	if (usec > INT64_MAX / 1000 || usec * 1000 < least_nsec)
		return err_set(err, EINVAL, "--%s %s is out of range; give at least %lld s", option,
			       text, (long long)(least_nsec / NSEC_PER_SEC));
	*ret_nsec = usec * 1000;
	return 0;
}

int health_options_apply(struct cli *cli, const struct container_args *args,
			 const struct oci_image_config *image, struct container_spec *spec,
			 struct err *err)
{
	const struct oci_health_check none = { 0 };
	const struct oci_health_check *given = image ? &image->health_check : &none;
	bool is_disabled = args->health_interval && strcmp(args->health_interval, "disable") == 0;
	int r = 0;

	if (args->no_health_check && args->health_command)
		return err_set(
			err, EINVAL,
			"--no-healthcheck and --health-cmd contradict each other; give one of "
			"them");
	if (args->health_command)
		r = health_test_parse(args->health_command, &spec->health_test, err);
	else if (!args->no_health_check)
		strlist_extend(&spec->health_test, &given->test);
	if (r == 0)
		r = choose_duration("health-interval", is_disabled ? NULL : args->health_interval,
				    given->interval_nsec, 30 * NSEC_PER_SEC, NSEC_PER_SEC / 10,
				    &spec->health_interval_nsec, err);
	if (r == 0)
		r = choose_duration("health-timeout", args->health_timeout, given->timeout_nsec,
				    30 * NSEC_PER_SEC, NSEC_PER_SEC, &spec->health_timeout_nsec,
				    err);
	if (r == 0)
		r = choose_duration("health-start-period", args->health_start_period,
				    given->start_period_nsec, 0, 0, &spec->health_start_period_nsec,
				    err);
	if (r < 0)
		return r;
	if (is_disabled)
		spec->health_interval_nsec = 0;
	spec->health_retries = cli_given(cli, "health-retries") ? args->health_retries
			       : given->retries > 0		? given->retries
								: 3;
	if (spec->health_retries < 1)
		return err_set(err, EINVAL, "--health-retries has to be at least 1");
	if (args->health_on_failure && strcmp(args->health_on_failure, "restart") == 0 &&
	    spec->restart_policy)
		return err_set(
			err, EINVAL,
			"--health-on-failure restart and --restart contradict each other; give "
			"one of them");
	spec->health_on_failure = xstrdup(args->health_on_failure);
	return 0;
}
