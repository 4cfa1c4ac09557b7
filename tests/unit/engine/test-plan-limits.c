#include "engine/plan-limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/container-spec.h"
#include "engine/settings.h"
#include "oci/runtime-config.h"

struct ground {
	struct container_spec *spec;
	struct oci_runtime_config *config;
	struct cgroup_resources *limits;
	struct settings settings;
	struct err err;
};

static int set_up(void **state)
{
	struct ground *ground = xcalloc(1, sizeof(*ground));

	ground->spec = container_spec_new();
	ground->config = oci_runtime_config_new();
	ground->limits = &ground->config->resources;
	ground->settings = (struct settings){ .pids_limit = 2048, .memory_limit = -1 };
	*state = ground;
	return 0;
}

static int tear_down(void **state)
{
	struct ground *ground = *state;

	container_spec_free(ground->spec);
	oci_runtime_config_free(ground->config);
	free(ground);
	return 0;
}

static void test_defaults_only_where_nothing_was_said(void **state)
{
	struct ground *ground = *state;

	assert_int_equal(
		plan_limits(ground->spec, &ground->settings, 1000, ground->limits, &ground->err),
		0);
	assert_int_equal(ground->limits->pids_limit, 2048);
	assert_true(ground->limits->pids_limit_is_default);
	assert_int_equal(ground->limits->memory_limit, 900);
	assert_true(ground->limits->memory_limit_is_default);
	assert_int_equal(ground->limits->memory_swappiness, -1);
}

static void test_without_settings_there_are_no_defaults(void **state)
{
	struct ground *ground = *state;

	ground->spec->memory = 64 << 20;
	assert_int_equal(plan_limits(ground->spec, NULL, 1000, ground->limits, &ground->err), 0);
	assert_int_equal(ground->limits->pids_limit, 0);
	assert_int_equal(ground->limits->memory_limit, 64 << 20);
	assert_int_equal(ground->limits->memory_swap, 128 << 20);
	assert_true(ground->limits->memory_swap_is_default);
}

static void test_raw_settings_are_split_at_the_first_sign(void **state)
{
	struct ground *ground = *state;

	strlist_add(&ground->spec->cgroup_conf, "io.max=8:0 rbps=1");
	assert_int_equal(plan_limits(ground->spec, NULL, 0, ground->limits, &ground->err), 0);
	assert_int_equal(ground->limits->unified_count, 1);
	assert_string_equal(ground->limits->unified[0].key, "io.max");
	assert_string_equal(ground->limits->unified[0].value, "8:0 rbps=1");
	strlist_add(&ground->spec->cgroup_conf, "=1");
	assert_int_equal(plan_limits(ground->spec, NULL, 0, ground->limits, &ground->err), -EINVAL);
}

static void test_only_block_devices_have_rates(void **state)
{
	struct ground *ground = *state;

	strlist_add(&ground->spec->device_read_bps, "/dev/null:1m");
	assert_int_equal(plan_limits(ground->spec, NULL, 0, ground->limits, &ground->err),
			 -ENOTBLK);
	strlist_clear(&ground->spec->device_read_bps);
	strlist_add(&ground->spec->device_write_iops, "/no/such/device:1");
	assert_int_equal(plan_limits(ground->spec, NULL, 0, ground->limits, &ground->err), -ENOENT);
	strlist_clear(&ground->spec->device_write_iops);
	strlist_add(&ground->spec->blkio_weight_devices, "500");
	assert_int_equal(plan_limits(ground->spec, NULL, 0, ground->limits, &ground->err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults_only_where_nothing_was_said, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_without_settings_there_are_no_defaults, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_raw_settings_are_split_at_the_first_sign,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_only_block_devices_have_rates, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
