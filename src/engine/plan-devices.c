/* Devices: nodes that the container gets, and what its device cgroup allows. */
#include "engine/plan-devices.h"

#include <errno.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/number.h"
#include "engine/container-spec.h"
#include "engine/plan.h"
#include "engine/settings.h"
#include "oci/runtime-config.h"

/* Processes may use these whatever the device cgroup says of the rest, and make nodes of any
 * device: a node without the permission to open it is only a name. */
static const struct {
	char type;
	int major, minor;
	const char *access;
} default_device_rules[] = {
	{ 'c', -1, -1, "m" }, { 'b', -1, -1, "m" }, { 'c', 1, 3, "rwm" },    { 'c', 1, 5, "rwm" },
	{ 'c', 1, 7, "rwm" }, { 'c', 1, 8, "rwm" }, { 'c', 1, 9, "rwm" },    { 'c', 5, 0, "rwm" },
	{ 'c', 5, 1, "rwm" }, { 'c', 5, 2, "rwm" }, { 'c', 136, -1, "rwm" },
};

static bool is_device_access(const char *text)
{
	size_t size = strlen(text);

	return size > 0 && size <= 3 && strspn(text, "rwm") == size;
}

static void add_device(const struct plan_input *input, const char *host, const char *inside,
		       const char *access, const struct stat *st, struct oci_runtime_config *config)
{
	char type = S_ISCHR(st->st_mode) ? 'c' : 'b';
	int64_t major_number = major(st->st_rdev), minor_number = minor(st->st_rdev);
	struct oci_device *device = oci_runtime_config_add_device(
		config, type, inside, major_number, minor_number, st->st_mode & 07777);
	device->source = xstrdup(host);
	if (!input->is_rootless) {
		device->uid = st->st_uid;
		device->gid = st->st_gid;
	}
	oci_runtime_config_add_device_rule(config, true, type, major_number, minor_number, access);
}

/* What the container has anyway, in a form of its own. */
static bool is_its_own(const char *path)
{
	static const char *const names[] = { "null", "zero", "full",	"random", "urandom", "tty",
					     "ptmx", "pts",  "console", "shm",	  "mqueue",  "fd" };

	for (size_t i = 0; strncmp(path, "/dev/", 5) == 0 && i < ARRAY_SIZE(names); i++)
		if (strcmp(path + 5, names[i]) == 0)
			return true;
	return false;
}

/* All devices below a directory. Returns how many; what goes away meanwhile is passed over. */
static size_t add_tree(const struct plan_input *input, const char *host, const char *inside,
		       const char *access, struct oci_runtime_config *config)
{
	autofree char *top = xstrdup(host);
	char *const paths[] = { top, NULL };
	size_t count = 0;
	FTSENT *entry;

	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while (tree && (entry = fts_read(tree))) {
		const struct stat *st = entry->fts_statp;
		bool is_directory = entry->fts_info == FTS_D;
		autofree char *target = xasprintf("%s%s", inside, entry->fts_path + strlen(host));
		if (is_its_own(target)) {
			if (is_directory)
				fts_set(tree, entry, FTS_SKIP);
		} else if (entry->fts_info == FTS_DEFAULT &&
			   (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))) {
			add_device(input, entry->fts_path, target, access, st, config);
			count++;
		}
	}
	if (tree)
		fts_close(tree);
	return count;
}

static int plan_directory(const struct plan_input *input, const char *host, const char *inside,
			  const char *access, struct oci_runtime_config *config, struct err *err)
{
	if (add_tree(input, host, inside, access, config) == 0)
		return err_set(
			err, ENODEV,
			"'%s' is no device, and no directory that holds any; for a directory "
			"use -v",
			host);
	return 0;
}

static int plan_device(const struct plan_input *input, const char *text,
		       struct oci_runtime_config *config, struct err *err)
{
	autostrlist struct strlist parts = STRLIST_EMPTY;
	struct stat st;

	strlist_split(&parts, text, ':');
	if (parts.count == 0 || parts.count > 3)
		return err_set(err, EINVAL,
			       "invalid device '%s'; write it as HOST[:CONTAINER[:rwm]]", text);
	const char *host = parts.items[0], *inside = host, *access = "rwm";
	if (parts.count == 2 && parts.items[1][0] != '/')
		access = parts.items[1];
	else if (parts.count >= 2)
		inside = parts.items[1];
	if (parts.count == 3)
		access = parts.items[2];
	if (inside[0] != '/' || !is_device_access(access))
		return err_set(err, EINVAL,
			       "invalid device '%s'; write it as HOST[:CONTAINER[:rwm]]", text);
	if (stat(host, &st) < 0)
		return err_errno(err, "device '%s'", host);
	if (S_ISDIR(st.st_mode))
		return plan_directory(input, host, inside, access, config, err);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, ENODEV, "'%s' is no device; for a file use -v", host);
	add_device(input, host, inside, access, &st, config);
	return 0;
}

/* "c 189:* rwm": a type, the numbers ('*': any), what may be done. */
static int plan_device_rule(const char *text, struct oci_runtime_config *config, struct err *err)
{
	const char *at = text + strcspn(text, " ");
	int64_t numbers[2] = { -1, -1 };
	int r = at == text + 1 && strchr("abc", *text) ? 0 : -EINVAL;

	at += strspn(at, " ");
	for (int i = 0; r == 0 && i < 2; i++) {
		if (*at == '*')
			at++;
		else
			r = number_take(&at, 0, UINT32_MAX, &numbers[i]);
		if (r == 0 && *at++ != (i == 0 ? ':' : ' '))
			r = -EINVAL;
	}
	if (r == 0 && !is_device_access(at))
		r = -EINVAL;
	if (r < 0)
		return err_set(err, EINVAL,
			       "invalid --device-cgroup-rule '%s'; write it as 'TYPE MAJOR:MINOR "
			       "ACCESS', e.g. 'c 189:* rwm'",
			       text);
	oci_runtime_config_add_device_rule(config, true, *text, numbers[0], numbers[1], at);
	return 0;
}

int plan_devices(const struct plan_input *input, struct oci_runtime_config *config, struct err *err)
{
	const struct strlist *lists[] = { &input->settings->devices, &input->spec->devices };

	if (input->spec->privileged) {
		oci_runtime_config_add_device_rule(config, true, 'a', -1, -1, "rwm");
		(void)add_tree(input, "/dev", "/dev", "rwm", config);
	} else {
		oci_runtime_config_add_device_rule(config, false, 'a', -1, -1, "rwm");
		for (size_t i = 0; i < ARRAY_SIZE(default_device_rules); i++)
			oci_runtime_config_add_device_rule(
				config, true, default_device_rules[i].type,
				default_device_rules[i].major, default_device_rules[i].minor,
				default_device_rules[i].access);
	}
	for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
		for (size_t i = 0; i < lists[l]->count; i++) {
			int r = plan_device(input, lists[l]->items[i], config, err);
			if (r < 0)
				return r;
		}
	for (size_t i = 0; i < input->spec->device_rules.count; i++) {
		int r = plan_device_rule(input->spec->device_rules.items[i], config, err);
		if (r < 0)
			return r;
	}
	return 0;
}
