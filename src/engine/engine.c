#include "engine/engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "config.h"
#include "engine/run-directory.h"
#include "engine/runroot.h"
#include "kernel/netns.h"
#include "store/store.h"

/* Helpers lie in DAVIT_LIBEXECDIR once installed. A program that runs from its build directory (…/src/cli/davit) finds
 * them in the directories of their rooms. */
static const struct {
	const char *name, *room;
} helpers[] = {
	{ "davit-monitor", "monitor" },
	{ "davit-init", "init" },
	{ "davit-registry", "registry" },
	{ "davit-pasta", "network" },
};

/* How davit unshare tells the davit commands in it what they are. */
#define UNSHARED_ROOT	 "_DAVIT_UNSHARED_ROOT"
#define UNSHARED_RUNROOT "_DAVIT_UNSHARED_RUNROOT"

static void find_programs(struct engine *engine)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	engine->self_path = xstrdup(n > 0 ? self : "davit");
	char *tail = strstr(self, "/src/cli/davit");
	if (tail && !tail[strlen("/src/cli/davit")]) {
		tail[strlen("/src")] = '\0';
		engine->build_dir = xstrdup(self);
	}
}

char *engine_helper_path(const struct engine *engine, const char *name)
{
	for (size_t i = 0; engine->build_dir && i < ARRAY_SIZE(helpers); i++)
		if (strcmp(helpers[i].name, name) == 0)
			return xasprintf("%s/%s/%s", engine->build_dir, helpers[i].room, name);
	return path_join(DAVIT_LIBEXECDIR, name);
}

static int find_places(struct engine *engine, const struct engine_options *options, struct err *err)
{
	/* Inside of davit unshare they are what they are outside. */
	const char *root = options->root;
	const char *runroot = options->runroot;
	if (engine->is_unshared && !root)
		root = engine_getenv(engine, UNSHARED_ROOT);
	engine->runroot_was_chosen = runroot;
	if (engine->is_unshared && !runroot)
		runroot = engine_getenv(engine, UNSHARED_RUNROOT);
	if (root)
		engine->root = realpath(root, NULL) ?: xstrdup(root);
	else if (!engine->is_rootless)
		engine->root = xstrdup("/var/lib/davit");
	else {
		const char *data_home = engine_getenv(engine, "XDG_DATA_HOME");
		autofree char *base = data_home && *data_home == '/'
					      ? xstrdup(data_home)
					      : path_join(engine->home, ".local/share");
		engine->root = path_join(base, "davit");
	}

	if (runroot)
		engine->runroot = realpath(runroot, NULL) ?: xstrdup(runroot);
	else if (!engine->is_rootless)
		engine->runroot = xstrdup("/run/davit");
	else {
		/* As systemd-logind makes it; a login without it gets a directory that only its
		 * owner may have made. */
		const char *runtime_dir = engine_getenv(engine, "XDG_RUNTIME_DIR");
		autofree char *of_login = xasprintf("/run/user/%u", (unsigned)engine->uid);
		struct stat st;
		if (!runtime_dir || *runtime_dir != '/')
			runtime_dir = access(of_login, W_OK) == 0 ? of_login : NULL;
		if (runtime_dir) {
			engine->runroot = path_join(runtime_dir, "davit");
		} else {
			engine->runroot = xasprintf("/tmp/davit-run-%u", (unsigned)engine->uid);
			if (lstat(engine->runroot, &st) == 0 &&
			    (!S_ISDIR(st.st_mode) || st.st_uid != engine->uid))
				return err_set(err, EPERM,
					       "'%s' belongs to somebody else; set XDG_RUNTIME_DIR",
					       engine->runroot);
		}
	}
	if (engine->root[0] != '/' || engine->runroot[0] != '/') {
		/* Paths given to the kernel later are used from other directories. */
		autofree char *here = getcwd(NULL, 0);
		if (!here)
			return err_errno(err, "current directory");
		char **places[] = { &engine->root, &engine->runroot };
		for (size_t i = 0; i < ARRAY_SIZE(places); i++)
			if (**places[i] != '/') {
				char *absolute = path_join(here, *places[i]);
				free(*places[i]);
				*places[i] = absolute;
			}
	}
	return 0;
}

static char *find_home(const struct engine *engine)
{
	const char *home = engine_getenv(engine, "HOME");

	if (home && *home == '/')
		return xstrdup(home);
	struct passwd *entry = getpwuid(engine->uid);
	return xstrdup(entry && entry->pw_dir ? entry->pw_dir : "/");
}

/* Who says so in the environment has to be root of a user namespace only. */
static bool is_unshared(const struct engine *engine)
{
	unsigned inside, outside, size;

	if (!engine_getenv(engine, UNSHARED_ROOT) || !engine_getenv(engine, UNSHARED_RUNROOT))
		return false;
	FILE *map = fopen("/proc/self/uid_map", "re");
	if (!map)
		return false;
	bool is_mapped = fscanf(map, "%u %u %u", &inside, &outside, &size) == 3 &&
			 (inside != outside || size != UINT32_MAX);
	fclose(map);
	return is_mapped;
}

void engine_set_unshared(const struct engine *engine)
{
	(void)setenv(UNSHARED_ROOT, engine->root, 1);
	(void)setenv(UNSHARED_RUNROOT, engine->runroot, 1);
}

int engine_open(const struct engine_options *options, struct engine **ret_engine, struct err *err)
{
	autoengine struct engine *engine = xcalloc(1, sizeof(*engine));

	for (char **at = environ; at && *at; at++)
		strlist_add(&engine->environment, *at);
	engine->uid = geteuid();
	engine->gid = getegid();
	engine->is_unshared = engine->uid == 0 && is_unshared(engine);
	engine->is_rootless = engine->uid != 0 || engine->is_unshared;
	engine->home = find_home(engine);
	find_programs(engine);
	int r = find_places(engine, options, err);
	if (r == 0)
		r = settings_load(&engine->settings, &engine->environment, engine->home,
				  engine->is_rootless, err);
	if (r < 0)
		return r;
	if (options->cgroup_manager) {
		free(engine->settings.cgroup_manager);
		engine->settings.cgroup_manager = xstrdup(options->cgroup_manager);
		engine->cgroup_manager_was_chosen = true;
	}
	if (options->events_logger) {
		free(engine->settings.events_logger);
		engine->settings.events_logger = xstrdup(options->events_logger);
	}
	*ret_engine = take_ptr(&engine);
	return 0;
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	store_close(engine->store);
	engine_forget_namespaces(engine);
	if (engine->has_map)
		userns_map_clear(&engine->map);
	settings_clear(&engine->settings);
	strlist_clear(&engine->environment);
	free(engine->home);
	free(engine->self_path);
	free(engine->build_dir);
	free(engine->runroot);
	free(engine->root);
	free(engine);
}

const char *engine_getenv(const struct engine *engine, const char *name)
{
	return strlist_env_get(&engine->environment, name);
}

int engine_store(struct engine *engine, struct store **ret_store, struct err *err)
{
	if (!engine->store) {
		struct store *store;
		int r = store_open(engine->root, engine->is_rootless, &store, err);
		if (r < 0)
			return r;
		r = engine_settle_runroot(engine, engine->runroot_was_chosen, err);
		if (r < 0) {
			store_close(store);
			return r;
		}
		engine->store = store;
	}
	*ret_store = engine->store;
	return 0;
}

int engine_database(struct engine *engine, struct database **ret_db, struct err *err)
{
	struct store *store;

	int r = engine_store(engine, &store, err);
	if (r == 0)
		*ret_db = store_database(store);
	return r;
}

int engine_map(struct engine *engine, const struct userns_map **ret_map, struct err *err)
{
	if (!engine->has_map) {
		int r = userns_map_for_user(&engine->map, err);
		if (r < 0)
			return r;
		engine->has_map = true;
		if (engine->map.is_single_id)
			log_warn("no subordinate IDs for this user, so containers have one user ID "
				 "only; "
				 "add some with usermod --add-subuids and --add-subgids, see "
				 "davit-rootless(7)");
	}
	*ret_map = &engine->map;
	return 0;
}

/* The map a process lives under, in the words of /proc/PID/uid_map, is the one we would make. */
static bool has_our_map(pid_t pid, const char *file, const struct id_extent *extents, size_t count)
{
	autofree char *path = xasprintf("/proc/%d/%s", (int)pid, file);
	FILE *map = fopen(path, "re");
	if (!map)
		return false;
	size_t at = 0;
	bool same = true;
	for (unsigned inside, outside, size;
	     same && fscanf(map, "%u %u %u", &inside, &outside, &size) == 3; at++)
		same = at < count && extents[at].inside == inside &&
		       extents[at].outside == outside && extents[at].size == size;
	fclose(map);
	return same && at == count;
}

pid_t engine_join_pid(struct engine *engine)
{
	const struct userns_map *map;
	struct err ignored;

	return engine_map(engine, &map, &ignored) < 0 ? 0 : engine_join_pid_of(engine, map);
}

pid_t engine_join_pid_of(struct engine *engine, const struct userns_map *map)
{
	if (!engine->is_rootless || map->is_single_id)
		return 0;
	autofree char *directory = path_join(engine->runroot, "containers");
	DIR *dir = opendir(directory);
	if (!dir)
		return 0;
	pid_t found = 0;
	for (struct dirent *entry; !found && (entry = readdir(dir));) {
		struct run_status status;
		if (entry->d_name[0] == '.')
			continue;
		autofree char *path = path_join(directory, entry->d_name);
		if (run_directory_status(path, &status) == 0 && status.is_running &&
		    has_our_map(status.pid, "uid_map", map->uid, map->uid_count) &&
		    has_our_map(status.pid, "gid_map", map->gid, map->gid_count))
			found = status.pid;
	}
	closedir(dir);
	return found;
}

void engine_expect_netns(struct engine *engine)
{
	struct err ignored; /* whoever needs it will see the same, and tell */

	if (!engine->is_rootless && !engine->netns_draft)
		(void)netns_draft_begin(&engine->netns_draft, &ignored);
}

void engine_expect_userns(struct engine *engine)
{
	const struct userns_map *map;
	struct err ignored; /* as above */

	if (!engine->is_rootless || engine->userns_draft ||
	    engine_map(engine, &map, &ignored) < 0 || map->is_single_id ||
	    engine_join_pid_of(engine, map) > 0)
		return;
	(void)userns_draft_begin(map, &engine->userns_draft, &ignored);
}

static bool is_same_map(const struct userns_map *a, const struct userns_map *b)
{
	return a->uid_count == b->uid_count && a->gid_count == b->gid_count &&
	       memcmp(a->uid, b->uid, a->uid_count * sizeof(*a->uid)) == 0 &&
	       memcmp(a->gid, b->gid, a->gid_count * sizeof(*a->gid)) == 0;
}

int engine_take_userns(struct engine *engine, const struct userns_map *map)
{
	struct err err;

	if (!engine->userns_draft || !is_same_map(map, &engine->map))
		return -1;
	int fd = userns_draft_finish(engine->userns_draft, &err);
	if (fd < 0) {
		log_debug("%s", err.text);
		userns_draft_free(take_ptr(&engine->userns_draft));
	}
	return fd;
}

int engine_take_netns(struct engine *engine)
{
	return engine->netns_draft ? netns_draft_finish(engine->netns_draft) : -1;
}

void engine_forget_namespaces(struct engine *engine)
{
	userns_draft_free(take_ptr(&engine->userns_draft));
	netns_draft_free(take_ptr(&engine->netns_draft));
}

int engine_run_mapped(struct engine *engine, int (*body)(void *arg, struct err *err), void *arg,
		      struct err *err)
{
	const struct userns_map *map;

	int r = engine_map(engine, &map, err);
	if (r < 0)
		return r;
	return userns_run(map, engine_join_pid(engine), body, arg, err);
}
