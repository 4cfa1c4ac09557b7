#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "kernel/id-map.h"
#include "kernel/posix-acl.h"

/* Version 2; then owner, user 5, owning group, group 6, mask, others: tag, permissions, ID. */
#define NONE 0xff, 0xff, 0xff, 0xff
static const uint8_t acl[] = {
	2,    0, 0, 0,		      /**/
	0x01, 0, 6, 0, NONE,	      /**/
	0x02, 0, 4, 0, 5,    0, 0, 0, /**/
	0x04, 0, 4, 0, NONE,	      /**/
	0x08, 0, 4, 0, 6,    0, 0, 0, /**/
	0x10, 0, 4, 0, NONE,	      /**/
	0x20, 0, 0, 0, NONE,
};
#define AT_USER	 16
#define AT_GROUP 32

static struct id_extent uid_extent = { 0, 100000, 10 }, gid_extent = { 0, 200000, 10 };
static const struct id_map uids = { &uid_extent, 1 }, gids = { &gid_extent, 1 };

static uint32_t id_at(const uint8_t *value, size_t at)
{
	return value[at] | (uint32_t)value[at + 1] << 8 | (uint32_t)value[at + 2] << 16 |
	       (uint32_t)value[at + 3] << 24;
}

static void test_named_users_and_groups_are_mapped_and_nothing_else(void **state)
{
	(void)state;
	uint8_t value[sizeof(acl)];

	memcpy(value, acl, sizeof(acl));
	assert_int_equal(posix_acl_map_ids(value, sizeof(value), &uids, &gids, userns_id_to_host),
			 0);
	assert_int_equal(id_at(value, AT_USER), 100005);
	assert_int_equal(id_at(value, AT_GROUP), 200006);
	assert_int_equal(posix_acl_map_ids(value, sizeof(value), &uids, &gids, id_map_to_inside),
			 0);
	assert_memory_equal(value, acl, sizeof(acl));
}

static void test_an_id_outside_of_the_map_is_told(void **state)
{
	(void)state;
	uint8_t value[sizeof(acl)];

	memcpy(value, acl, sizeof(acl));
	assert_int_equal(posix_acl_map_ids(value, sizeof(value), &uids, NULL, id_map_to_inside),
			 -EOVERFLOW);
	assert_int_equal(posix_acl_map_ids(value, sizeof(value), NULL, NULL, id_map_to_inside), 0);
	assert_memory_equal(value, acl, sizeof(acl));
}

static void test_half_an_entry_is_left_alone(void **state)
{
	(void)state;
	uint8_t value[AT_USER + 3];

	memcpy(value, acl, sizeof(value));
	for (size_t size = 0; size <= sizeof(value); size++)
		assert_int_equal(posix_acl_map_ids(value, size, &uids, &gids, userns_id_to_host),
				 0);
	assert_memory_equal(value, acl, sizeof(value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_named_users_and_groups_are_mapped_and_nothing_else),
		cmocka_unit_test(test_an_id_outside_of_the_map_is_told),
		cmocka_unit_test(test_half_an_entry_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
