/* Runs one process by the runtime alone, without images, state or monitor: for tests that try a
 * configuration no command line can ask for, and for timing the start itself.
 *
 *	runtime-probe [OPTION…] -- COMMAND [ARGUMENT…]
 *
 * --root DIR, or --lower DIR… [--upper DIR --work DIR]; the other options are in the table of
 * main(). As root it runs without a user namespace unless --map asks for one. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/timing.h"
#include "kernel/pidfd.h"
#include "oci/runtime-config.h"
#include "runtime/runtime.h"

#define DEFAULT_CAPS 0x800405fbULL /* what podman gives */

struct probe {
	struct oci_runtime_config *config;
	int rounds;
	bool plain; /* none of the usual mounts */
	bool single_id;
	int join_pid;
	int enter_pid;
	bool hold; /* keep the namespaces open until the time is taken */
};

static char *field(char **rest)
{
	char *value = strsep(rest, ":");
	return value && *value ? value : NULL;
}

static void usual_mounts(struct oci_runtime_config *config)
{
	oci_runtime_config_add_mount(config, "/proc", "proc", "proc", "nosuid,noexec,nodev");
	oci_runtime_config_add_mount(config, "/dev", "tmpfs", "tmpfs",
				     "nosuid,strictatime,mode=755,size=65536k");
	oci_runtime_config_add_mount(config, "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro");
	oci_runtime_config_add_mount(config, "/dev/pts", "devpts", "devpts",
				     "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	oci_runtime_config_add_mount(config, "/dev/mqueue", "mqueue", "mqueue",
				     "nosuid,noexec,nodev");
	oci_runtime_config_add_mount(config, "/dev/shm", "tmpfs", "shm",
				     "nosuid,noexec,nodev,mode=1777,size=65536k");
	oci_runtime_config_add_mount(config, "/sys/fs/cgroup", "cgroup", "cgroup",
				     "nosuid,noexec,nodev,relatime,ro");
}

static void usual_masks(struct oci_runtime_config *config)
{
	static const char *const masked[] = {
		"/proc/acpi",	    "/proc/kcore",	 "/proc/keys",	      "/proc/latency_stats",
		"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
		"/sys/firmware",    "/sys/fs/selinux",	 "/sys/dev/block",
	};
	static const char *const read_only[] = {
		"/proc/asound", "/proc/bus", "/proc/fs",
		"/proc/irq",	"/proc/sys", "/proc/sysrq-trigger",
	};

	for (size_t i = 0; i < ARRAY_SIZE(masked); i++)
		strlist_add(&config->masked_paths, masked[i]);
	for (size_t i = 0; i < ARRAY_SIZE(read_only); i++)
		strlist_add(&config->readonly_paths, read_only[i]);
}

static void parse_mount(struct oci_runtime_config *config, char *text, bool bind)
{
	const char *type = bind ? "bind" : field(&text);
	const char *source = field(&text);
	const char *target = field(&text);
	oci_runtime_config_add_mount(config, target ? target : "", type, source,
				     text   ? text
				     : bind ? "rbind"
					    : NULL);
}

static void share(struct oci_runtime_config *config, char *names)
{
	static const char *const known[OCI_NS_COUNT] = { "user", "mount", "pid",    "net",
							 "ipc",	 "uts",	  "cgroup", "time" };

	for (char *name; (name = strsep(&names, ","));)
		for (int i = 0; i < OCI_NS_COUNT; i++) {
			size_t size = strlen(known[i]);
			if (strncmp(name, known[i], size) != 0)
				continue;
			config->namespaces[i].wanted = name[size] == '=';
			if (name[size] == '=')
				config->namespaces[i].path = xstrdup(name + size + 1);
		}
}

/* A filter that answers one system call with EPERM and allows the rest. */
static void forbid(struct seccomp_filter *filter, unsigned number)
{
	const struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	free(filter->instructions);
	filter->instructions = xmemdup(program, sizeof(program));
	filter->count = ARRAY_SIZE(program);
}

static void capabilities(struct oci_runtime_config *config, uint64_t caps)
{
	struct capability_sets *sets = &config->process.capabilities;

	sets->bounding = sets->permitted = sets->effective = caps;
	if (config->process.uid)
		sets->permitted = sets->effective = 0;
}

static int run_once(struct probe *probe, int userns_fd, int64_t *ret_usec, struct err *err)
{
	struct runtime_stdio stdio = { { 0, 1, 2 } };
	const struct runtime_namespaces made = { .user_fd = userns_fd, .network_fd = -1 };
	struct runtime_child child;
	int code = RUNTIME_FAILED, status = 0;
	int64_t begin = clock_now_usec();

	autoclose int target_fd = probe->enter_pid ? pidfd_open_process(probe->enter_pid) : -1;
	struct runtime_target target = { .pid = probe->enter_pid, .pid_fd = target_fd };
	int r = probe->enter_pid ? runtime_enter(&target, &probe->config->process,
						 &probe->config->seccomp, NULL, &stdio, &child, err)
				 : runtime_spawn(probe->config, NULL, &made, &stdio, &child, err);
	if (r >= 0)
		r = runtime_ready(&child, err);
	if (r < 0)
		return -RUNTIME_FAILED;
	r = runtime_exec(&child, &code, err);
	if (r < 0)
		return -code;
	if (child.console_fd >= 0) { /* print what the terminal says */
		char buffer[4096];
		ssize_t n;
		while ((n = read(child.console_fd, buffer, sizeof(buffer))) > 0)
			(void)!write(1, buffer, (size_t)n);
	}
	(void)process_reap(child.pid, &status);
	*ret_usec = clock_now_usec() - begin;
	runtime_child_clear(&child);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static void fresh_upper(const struct oci_runtime_config *config)
{
	struct err ignored;

	if (!config->overlay.upper)
		return;
	(void)file_remove_tree(AT_FDCWD, config->overlay.upper, &ignored);
	(void)file_remove_tree(AT_FDCWD, config->overlay.work, &ignored);
	mkdir(config->overlay.upper, 0755);
	mkdir(config->overlay.work, 0755);
}

static int run_rounds(struct probe *probe, int userns_fd)
{
	int64_t *times = xcalloc((size_t)probe->rounds, sizeof(*times));
	struct err err = { 0 };
	int r = 0;

	for (int i = 0; i < probe->rounds; i++) {
		if (probe->rounds > 1)
			fresh_upper(probe->config);
		r = run_once(probe, userns_fd, &times[i], &err);
		if (r < 0) {
			fprintf(stderr, "Error: %s\n", err.text);
			r = -r;
			break;
		}
	}
	if (probe->rounds > 1 && r == 0) {
		qsort(times, (size_t)probe->rounds, sizeof(*times), compare);
		fprintf(stderr, "min %lld  p25 %lld  median %lld us\n", (long long)times[0],
			(long long)times[probe->rounds / 4], (long long)times[probe->rounds / 2]);
	}
	free(times);
	return r;
}

static int set_maps(struct probe *probe, const char *map_text, struct err *err)
{
	struct oci_runtime_config *config = probe->config;
	struct userns_map map;

	if (geteuid() == 0 && !map_text && probe->join_pid < 0)
		return 0;
	config->namespaces[OCI_NS_USER].wanted = true;
	if (map_text) {
		struct id_extent extent = { 0 };
		sscanf(map_text, "%u:%u:%u", &extent.inside, &extent.outside, &extent.size);
		config->uid_maps = xmemdup(&extent, sizeof(extent));
		config->gid_maps = xmemdup(&extent, sizeof(extent));
		config->uid_map_count = config->gid_map_count = 1;
		return 0;
	}
	int r = userns_map_for_user(&map, err);
	if (r < 0)
		return r;
	config->uid_maps = map.uid;
	config->gid_maps = map.gid;
	config->uid_map_count = probe->single_id ? 1 : map.uid_count;
	config->gid_map_count = probe->single_id ? 1 : map.gid_count;
	return 0;
}

int main(int argc, char **argv)
{
	enum {
		ROOT = 256,
		LOWER,
		UPPER,
		WORK,
		VOLATILE,
		BIND,
		MOUNT,
		USER,
		GROUPS,
		SHARE,
		TTY,
		ROUNDS,
		HOSTNAME,
		SYSCTL,
		RLIMIT,
		DEVICE,
		CAPS,
		PRIVILEGES,
		CWD,
		ENV,
		UMASK,
		PLAIN,
		MASKS,
		SINGLE,
		MAP,
		JOIN,
		READONLY,
		OOM,
		PROPAGATION,
		FORBID,
		ENTER
	};
	static const struct option options[] = {
		{ "root", 1, 0, ROOT },
		{ "lower", 1, 0, LOWER },
		{ "upper", 1, 0, UPPER },
		{ "work", 1, 0, WORK },
		{ "volatile", 0, 0, VOLATILE },
		{ "bind", 1, 0, BIND },
		{ "mount", 1, 0, MOUNT },
		{ "user", 1, 0, USER },
		{ "group", 1, 0, GROUPS },
		{ "share", 1, 0, SHARE },
		{ "tty", 0, 0, TTY },
		{ "rounds", 1, 0, ROUNDS },
		{ "hostname", 1, 0, HOSTNAME },
		{ "sysctl", 1, 0, SYSCTL },
		{ "rlimit", 1, 0, RLIMIT },
		{ "device", 1, 0, DEVICE },
		{ "caps", 1, 0, CAPS },
		{ "new-privileges", 0, 0, PRIVILEGES },
		{ "cwd", 1, 0, CWD },
		{ "env", 1, 0, ENV },
		{ "umask", 1, 0, UMASK },
		{ "plain", 0, 0, PLAIN },
		{ "mask", 1, 0, MASKS },
		{ "single-id", 0, 0, SINGLE },
		{ "map", 1, 0, MAP },
		{ "join-user", 1, 0, JOIN },
		{ "read-only", 0, 0, READONLY },
		{ "oom", 1, 0, OOM },
		{ "propagation", 1, 0, PROPAGATION },
		{ "forbid", 1, 0, FORBID },
		{ "enter", 1, 0, ENTER },
		{ 0 },
	};
	struct probe probe = { .config = oci_runtime_config_new(), .rounds = 1, .join_pid = -1 };
	struct oci_runtime_config *config = probe.config;
	struct oci_process *process = &config->process;
	const char *map = NULL;
	char *late_mounts[64][2];
	size_t late = 0;
	uint64_t caps = DEFAULT_CAPS;
	unsigned long long soft, hard;
	char name[32];
	struct err err = { 0 };

	for (int i = OCI_NS_MOUNT; i <= OCI_NS_CGROUP; i++)
		config->namespaces[i].wanted = true;
	process->no_new_privileges = true;
	for (int option; (option = getopt_long(argc, argv, "+", options, NULL)) != -1;)
		switch (option) {
		case ROOT:
			config->root_path = xstrdup(optarg);
			break;
		case LOWER:
			strlist_add(&config->overlay.lowers, optarg);
			break;
		case UPPER:
			config->overlay.upper = xstrdup(optarg);
			break;
		case WORK:
			config->overlay.work = xstrdup(optarg);
			break;
		case VOLATILE:
			config->overlay.is_volatile = true;
			break;
		case BIND:
		case MOUNT:
			late_mounts[late][0] = option == BIND ? "" : NULL;
			late_mounts[late++][1] = optarg;
			break;
		case USER:
			sscanf(optarg, "%u:%u", &process->uid, &process->gid);
			break;
		case GROUPS:
			process->additional_gids =
				xreallocarray(process->additional_gids,
					      process->additional_gid_count + 1, sizeof(uint32_t));
			process->additional_gids[process->additional_gid_count++] =
				(uint32_t)strtoul(optarg, NULL, 10);
			break;
		case SHARE:
			share(config, optarg);
			break;
		case TTY:
			process->terminal = true;
			process->console_rows = 30;
			process->console_columns = 100;
			break;
		case ROUNDS:
			probe.rounds = (int)strtol(optarg, NULL, 10);
			break;
		case HOSTNAME:
			config->hostname = xstrdup(optarg);
			break;
		case SYSCTL: {
			char *value = strchr(optarg, '=');
			*value++ = '\0';
			oci_runtime_config_add_sysctl(config, optarg, value);
			break;
		}
		case RLIMIT:
			if (sscanf(optarg, "%31[^=]=%llu:%llu", name, &soft, &hard) == 3)
				oci_runtime_config_add_rlimit(config, name, soft, hard);
			break;
		case DEVICE: {
			char type, path[256];
			long long major, minor;
			if (sscanf(optarg, "%255[^:]:%c:%lld:%lld", path, &type, &major, &minor) ==
			    4)
				oci_runtime_config_add_device(config, type, path, major, minor, 0);
			break;
		}
		case CAPS:
			caps = strtoull(optarg, NULL, 16);
			break;
		case PRIVILEGES:
			process->no_new_privileges = false;
			break;
		case CWD:
			process->cwd = xstrdup(optarg);
			break;
		case ENV:
			strlist_add(&process->env, optarg);
			break;
		case UMASK:
			process->umask = (int)strtol(optarg, NULL, 8);
			break;
		case PLAIN:
			probe.plain = true;
			break;
		case MASKS:
			strlist_add(&config->masked_paths, optarg);
			break;
		case SINGLE:
			probe.single_id = true;
			break;
		case MAP:
			map = optarg;
			break;
		case ENTER:
			probe.enter_pid = (int)strtol(optarg, NULL, 10);
			break;
		case JOIN:
			probe.join_pid = (int)strtol(optarg, NULL, 10);
			break;
		case READONLY:
			config->root_readonly = true;
			break;
		case OOM:
			process->has_oom_score_adj = true;
			process->oom_score_adj = (int)strtol(optarg, NULL, 10);
			break;
		case PROPAGATION:
			config->rootfs_propagation = xstrdup(optarg);
			break;
		case FORBID:
			forbid(&config->seccomp, (unsigned)strtoul(optarg, NULL, 10));
			break;
		default:
			return 2;
		}
	for (int i = optind; i < argc; i++)
		strlist_add(&process->args, argv[i]);
	if (!probe.plain) {
		usual_mounts(config);
		usual_masks(config);
	}
	for (size_t i = 0; i < late; i++)
		parse_mount(config, late_mounts[i][1], late_mounts[i][0] != NULL);
	capabilities(config, caps);
	if (!strlist_env_get(&process->env, "PATH"))
		strlist_add(&process->env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");

	int userns_fd = -1;
	if (probe.join_pid > 0) {
		char path[32];
		snprintf(path, sizeof(path), "/proc/%d/ns/user", probe.join_pid);
		userns_fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (set_maps(&probe, map, &err) < 0) {
		fprintf(stderr, "Error: %s\n", err.text);
		return RUNTIME_FAILED;
	}
	int r = run_rounds(&probe, userns_fd);
	oci_runtime_config_free(config);
	return r;
}
