#include "engine/namespace-mode.h"

#include <errno.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/container-spec.h"
#include "engine/shared-namespaces.h"

static void expect(enum oci_namespace ns, const char *text, enum namespace_mode_kind kind,
		   const char *value)
{
	struct namespace_mode mode;
	struct err err;

	assert_int_equal(namespace_mode_parse(ns, text, &mode, &err), 0);
	assert_int_equal(mode.kind, kind);
	if (value)
		assert_string_equal(mode.value, value);
	else
		assert_null(mode.value);
}

static void refuse(enum oci_namespace ns, const char *text, const char *word)
{
	struct namespace_mode mode;
	struct err err;

	assert_int_equal(namespace_mode_parse(ns, text, &mode, &err), -EINVAL);
	assert_non_null(strstr(err.text, word));
}

static void test_every_option_has_the_common_words(void **state)
{
	for (size_t i = 0; i < NAMESPACE_MODE_COUNT; i++) {
		enum oci_namespace ns = namespace_mode_list[i];
		expect(ns, NULL, NAMESPACE_PRIVATE, NULL);
		expect(ns, "", NAMESPACE_PRIVATE, NULL);
		expect(ns, "private", NAMESPACE_PRIVATE, NULL);
		expect(ns, "host", NAMESPACE_HOST, NULL);
		expect(ns, "container:web", NAMESPACE_CONTAINER, "web");
		expect(ns, "ns:/run/netns/a:b", NAMESPACE_PATH, "/run/netns/a:b");
	}
}

static void test_ipc_has_more(void **state)
{
	expect(OCI_NS_IPC, "shareable", NAMESPACE_SHAREABLE, NULL);
	expect(OCI_NS_IPC, "none", NAMESPACE_NONE, NULL);
	refuse(OCI_NS_PID, "shareable", "--pid");
	refuse(OCI_NS_UTS, "none", "--uts");
}

static void test_networks_have_names_of_their_own(void **state)
{
	expect(OCI_NS_NETWORK, "none", NAMESPACE_PRIVATE, NULL);
	expect(OCI_NS_NETWORK, "pasta:--map-gw", NAMESPACE_PRIVATE, NULL);
	refuse(OCI_NS_CGROUP, "bridge", "--cgroupns");
}

static void test_empty_names_are_refused(void **state)
{
	refuse(OCI_NS_NETWORK, "container:", "container:NAME");
	refuse(OCI_NS_PID, "ns:", "ns:PATH");
	refuse(OCI_NS_PID, "Host", "Host");
	refuse(OCI_NS_PID, "hostile", "hostile");
}

static void test_needed_containers_are_named_once(void **state)
{
	autocontainer_spec struct container_spec *spec = container_spec_new();
	autostrlist struct strlist needed = STRLIST_EMPTY;

	spec->network_mode = xstrdup("container:one");
	spec->ipc_mode = xstrdup("container:one");
	spec->pid_mode = xstrdup("container:two");
	spec->uts_mode = xstrdup("host");
	strlist_add(&spec->requires, "two");
	strlist_add(&spec->requires, "three");
	shared_namespaces_needed(spec, &needed);
	assert_int_equal(needed.count, 3);
	assert_string_equal(needed.items[0], "one");
	assert_string_equal(needed.items[1], "two");
	assert_string_equal(needed.items[2], "three");
	assert_true(namespace_mode_is_shared(spec, OCI_NS_PID));
	assert_true(namespace_mode_is_shared(spec, OCI_NS_UTS));
	assert_false(namespace_mode_is_shared(spec, OCI_NS_CGROUP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_option_has_the_common_words),
		cmocka_unit_test(test_ipc_has_more),
		cmocka_unit_test(test_networks_have_names_of_their_own),
		cmocka_unit_test(test_empty_names_are_refused),
		cmocka_unit_test(test_needed_containers_are_named_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
