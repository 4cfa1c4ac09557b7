#include "cli/container-options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/container-environment.h"
#include "cli/host-users.h"
#include "cli/mount-options.h"
#include "cli/network-options.h"
#include "cli/security-options.h"
#include "cli/userns-options.h"
#include "engine/container-restart.h"
#include "engine/container-secrets.h"
#include "engine/container-snapshot.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/log-driver.h"
#include "engine/plan.h"
#include "engine/recording.h"
#include "engine/signals.h"
#include "engine/volume.h"
#include "oci/image-config.h"
#include "store/image.h"

#define FIELD(f) offsetof(struct container_args, f)

/* For completion; the rest of a name or path is not offered. */
#define NAMESPACE_CHOICES "private|host|container:|ns:"

/* clang-format off */
const struct option_spec container_option_specs[] = {
	{ "add-host", 0, OPTION_STRINGS, FIELD(add_hosts), "NAME:IP", "Add a line to /etc/hosts; IP may be host-gateway" },
	{ "annotation", 0, OPTION_STRINGS, FIELD(annotations), "KEY=VALUE", "Add an OCI annotation" },
	{ "attach", 'a', OPTION_STRINGS, FIELD(attach), "STREAM", "Attach only to stdin, stdout or stderr; repeatable", OPTION_COMMAS, .choices = "stdin|stdout|stderr" },
	{ "cap-add", 0, OPTION_STRINGS, FIELD(cap_add), "CAPABILITY", "Let the container have a capability, or all", OPTION_COMMAS },
	{ "cap-drop", 0, OPTION_STRINGS, FIELD(cap_drop), "CAPABILITY", "Take a capability away, or all", OPTION_COMMAS },
	{ "cap-record", 0, OPTION_STRING, FIELD(cap_record), "FILE", "Write the capabilities that it uses to a file, as options", .complete = COMPLETE_FILES },
	{ "cgroup-parent", 0, OPTION_STRING, FIELD(cgroup_parent), "PATH", "Put the container's cgroup below this one" },
	{ "cgroupns", 0, OPTION_STRING, FIELD(cgroupns_mode), "MODE", "Cgroup namespace: private, host, container:NAME or ns:PATH", .choices = NAMESPACE_CHOICES },
	{ "cgroups", 0, OPTION_CHOICE, FIELD(cgroups), "MODE", "Whether it has a cgroup, and where", .choices = "enabled|disabled|no-conmon|split" },
	{ "chrootdirs", 0, OPTION_STRINGS, FIELD(chroot_dirs), "DIR", "Directory inside where davit's /etc/hosts, resolv.conf and hostname shall be too", OPTION_COMMAS },
	{ "cidfile", 0, OPTION_STRING, FIELD(cid_file), "FILE", "Write the container's ID to a new file", .complete = COMPLETE_FILES },
	{ "conmon-pidfile", 0, OPTION_STRING, FIELD(monitor_pid_file), "FILE", "Write the process ID of its monitor to a file", .complete = COMPLETE_FILES },
	{ "device", 0, OPTION_STRINGS, FIELD(devices), "HOST[:CONTAINER[:rwm]]", "Give it a device of the host, or those of a directory", .complete = COMPLETE_FILES },
	{ "device-cgroup-rule", 0, OPTION_STRINGS, FIELD(device_rules), "RULE", "Allow devices by number, e.g. 'c 189:* rwm'" },
	{ "dns", 0, OPTION_STRINGS, FIELD(dns), "ADDRESS", "Name server for /etc/resolv.conf, or none", OPTION_COMMAS },
	{ "dns-option", 0, OPTION_STRINGS, FIELD(dns_options), "OPTION", "Option for /etc/resolv.conf" },
	{ "dns-search", 0, OPTION_STRINGS, FIELD(dns_searches), "DOMAIN", "Search domain for /etc/resolv.conf" },
	{ "entrypoint", 0, OPTION_STRING, FIELD(entrypoint), "COMMAND", "Replace the image's entrypoint; a word or a JSON array" },
	{ "env", 'e', OPTION_ENV, FIELD(env), "KEY[=VALUE]", "Set a variable; KEY alone takes the caller's value" },
	{ "env-file", 0, OPTION_STRINGS, FIELD(env_files), "FILE", "Read variables from a file", .complete = COMPLETE_FILES },
	{ "env-merge", 0, OPTION_STRINGS, FIELD(env_merge), "KEY=VALUE", "Change a variable of the image, which VALUE may name: 'PATH=$PATH:/x'" },
	{ "env-host", 0, OPTION_FLAG, FIELD(env_host), NULL, "Pass all of the caller's variables on" },
	{ "expose", 0, OPTION_STRINGS, FIELD(expose), "PORT[/PROTO]", "Note a port that the container listens on" },
	{ "gpus", 0, OPTION_STRINGS, FIELD(gpus), "GPU", "Give it GPUs that a CDI specification describes" },
	{ "group-add", 0, OPTION_STRINGS, FIELD(groups), "GROUP", "Add the process to a group" },
	{ "gidmap", 0, OPTION_STRINGS, FIELD(gid_maps), "[FLAGS]CONTAINER:FROM[:SIZE]", "Map group IDs in a user namespace; see --uidmap", OPTION_COMMAS },
	{ "group-entry", 0, OPTION_STRING, FIELD(group_entry), "LINE", "Line of /etc/group for a group that the image lacks; $GROUPNAME, $GID and $USERLIST are replaced" },
	{ "hostname", 'h', OPTION_STRING, FIELD(hostname), "NAME", "Host name inside" },
	{ "hosts-file", 0, OPTION_STRING, FIELD(hosts_file), "FILE", "What /etc/hosts begins with instead of the host's: a file, none, or image", .complete = COMPLETE_FILES },
	{ "hostuser", 0, OPTION_STRINGS, FIELD(host_users), "USER", "Add a user of the host, by name or number, to /etc/passwd; repeatable" },
	{ "http-proxy", 0, OPTION_TRISTATE, FIELD(http_proxy), NULL, "Pass the caller's proxy variables on; the default" },
	{ "image-volume", 0, OPTION_CHOICE, FIELD(image_volume), "MODE", "What becomes of volumes that the image declares: anonymous ones (also called bind), a tmpfs, or nothing", .choices = "anonymous|bind|tmpfs|ignore" },
	{ "init", 0, OPTION_FLAG, FIELD(init), NULL, "Run davit-init as PID 1: it forwards signals and reaps" },
	{ "init-path", 0, OPTION_STRING, FIELD(init_path), "PATH", "With --init: a static program of the host instead of davit-init", .complete = COMPLETE_FILES },
	{ "interactive", 'i', OPTION_FLAG, FIELD(interactive), NULL, "Keep standard input open" },
	{ "ip", 0, OPTION_STRING, FIELD(ip), "ADDRESS", "Its IPv4 address on the bridge" },
	{ "ip6", 0, OPTION_STRING, FIELD(ip6), "ADDRESS", "Its IPv6 address on the bridge, where that has IPv6" },
	{ "ipc", 0, OPTION_STRING, FIELD(ipc_mode), "MODE", "IPC namespace: shareable (the default), private, none, host, container:NAME or ns:PATH", .choices = "shareable|none|" NAMESPACE_CHOICES },
	{ "label", 'l', OPTION_STRINGS, FIELD(labels), "KEY=VALUE", "Add a label" },
	{ "label-file", 0, OPTION_STRINGS, FIELD(label_files), "FILE", "Read labels from a file", .complete = COMPLETE_FILES },
	{ "log-driver", 0, OPTION_CHOICE, FIELD(log_driver), "DRIVER", "Where output goes", .choices = LOG_DRIVERS },
	{ "log-opt", 0, OPTION_STRINGS, FIELD(log_opts), "KEY=VALUE", "Option of the log driver: path=FILE, max-size=SIZE, max-file=COUNT, tag=TEMPLATE, label=NAME=VALUE" },
	{ "mac-address", 0, OPTION_STRING, FIELD(mac_address), "ADDRESS", "Its MAC address on the bridge" },
	{ "mount", 0, OPTION_STRINGS, FIELD(mounts), "type=TYPE,…", "Mount a bind, volume, image, glob, tmpfs, ramfs or devpts" },
	{ "name", 0, OPTION_STRING, FIELD(name), "NAME", "Name of the container" },
	{ "network", 0, OPTION_STRINGS, FIELD(networks), "MODE", "Network: bridge (root's default), pasta (users' default), host, none, container:NAME or ns:PATH", .choices = "bridge|pasta|none|" NAMESPACE_CHOICES },
	{ "net", 0, OPTION_STRINGS, FIELD(networks), "MODE", "The same as --network", OPTION_HIDDEN },
	{ "network-alias", 0, OPTION_STRINGS, FIELD(network_aliases), "NAME", "Another name for it on the bridge" },
	{ "no-hostname", 0, OPTION_FLAG, FIELD(no_hostname), NULL, "Leave the image's /etc/hostname alone" },
	{ "no-hosts", 0, OPTION_FLAG, FIELD(no_hosts), NULL, "Leave the image's /etc/hosts alone" },
	{ "oom-score-adj", 0, OPTION_INT, FIELD(oom_score_adj), "NUMBER", "How readily the kernel kills it, -1000 to 1000" },
	{ "passwd", 0, OPTION_TRISTATE, FIELD(passwd), NULL, "Add a user that the image lacks to /etc/passwd and /etc/group; the default" },
	{ "passwd-entry", 0, OPTION_STRING, FIELD(passwd_entry), "LINE", "Line of /etc/passwd for a user that the image lacks; $USERNAME, $UID, $GID, $NAME and $HOME are replaced" },
	{ "personality", 0, OPTION_CHOICE, FIELD(personality), "NAME", "What the kernel says that the machine is, for programs of 32 bits", .choices = "LINUX|LINUX32" },
	{ "pid", 0, OPTION_STRING, FIELD(pid_mode), "MODE", "PID namespace: private, host, container:NAME or ns:PATH", .choices = NAMESPACE_CHOICES },
	{ "pidfile", 0, OPTION_STRING, FIELD(pid_file), "FILE", "Write the process ID to a file, at each start", .complete = COMPLETE_FILES },
	{ "privileged", 0, OPTION_FLAG, FIELD(privileged), NULL, "Give up most of the containment" },
	{ "publish", 'p', OPTION_STRINGS, FIELD(publish), "[[IP:][HOST]:]PORT[/PROTO]", "Make a port reachable from the host" },
	{ "publish-all", 'P', OPTION_FLAG, FIELD(publish_all), NULL, "Publish all exposed ports on random host ports" },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "No progress of a pull" },
	{ "read-only", 0, OPTION_FLAG, FIELD(read_only), NULL, "Make the root file system read-only" },
	{ "read-only-tmpfs", 0, OPTION_TRISTATE, FIELD(read_only_tmpfs), NULL, "With --read-only: writable /run, /tmp and /var/tmp; the default" },
	{ "replace", 0, OPTION_FLAG, FIELD(replace), NULL, "Remove a container of the same name first" },
	{ "requires", 0, OPTION_STRINGS, FIELD(requires), "CONTAINER", "Start these containers first", OPTION_COMMAS, .complete = COMPLETE_CONTAINERS },
	{ "restart", 0, OPTION_STRING, FIELD(restart), "POLICY", "Start it again when it ends: no, on-failure[:RETRIES], always, unless-stopped", .choices = "no|on-failure|always|unless-stopped" },
	{ "rm", 0, OPTION_FLAG, FIELD(remove), NULL, "Remove the container when it exits" },
	{ "rmi", 0, OPTION_FLAG, FIELD(remove_image), NULL, "Remove the container when it exits, and its image unless others use it" },
	{ "rootfs", 0, OPTION_FLAG, FIELD(rootfs), NULL, "The image's name is a directory to use as root file system; DIR:O keeps it as it is" },
	{ "seccomp-policy", 0, OPTION_CHOICE, FIELD(seccomp_policy), "POLICY", "Where the system call filter comes from: default, or image, when that brings one", .choices = "default|image" },
	{ "secret", 0, OPTION_STRINGS, FIELD(secrets), "NAME[,OPTION…]", "Give it a secret, as the file /run/secrets/NAME or with type=env as a variable; target=, uid=, gid=, mode=", .complete = COMPLETE_SECRETS },
	{ "seccomp-record", 0, OPTION_STRING, FIELD(seccomp_record), "FILE", "Write a profile of the system calls that it makes to a file", .complete = COMPLETE_FILES },
	{ "security-opt", 0, OPTION_STRINGS, FIELD(security_opts), "OPTION", "no-new-privileges, seccomp=FILE|unconfined, apparmor=…, label=…, mask=…, unmask=…, proc-opts=…" },
	{ "shm-size", 0, OPTION_BYTES, FIELD(shm_size), "SIZE", "Size of /dev/shm; the default is 64m" },
	{ "stop-signal", 0, OPTION_STRING, FIELD(stop_signal), "SIGNAL", "What stop sends first" },
	{ "stop-timeout", 0, OPTION_INT, FIELD(stop_timeout_sec), "SECONDS", "How long stop waits before SIGKILL" },
	{ "subgidname", 0, OPTION_STRING, FIELD(subgid_name), "NAME", "Map group IDs to the ranges of this name in /etc/subgid" },
	{ "subuidname", 0, OPTION_STRING, FIELD(subuid_name), "NAME", "Map user IDs to the ranges of this name in /etc/subuid" },
	{ "sysctl", 0, OPTION_STRINGS, FIELD(sysctls), "NAME=VALUE", "Kernel parameter of the container's namespaces" },
	{ "time-offset", 0, OPTION_STRING, FIELD(time_offset), "SPAN", "Shift its monotonic and boot-time clocks, e.g. +1d, or monotonic=SPAN,boottime=SPAN" },
	{ "timeout", 0, OPTION_INT, FIELD(timeout_sec), "SECONDS", "Kill it after so long" },
	{ "tmpfs", 0, OPTION_STRINGS, FIELD(tmpfs), "TARGET[:OPTIONS]", "Mount a tmpfs" },
	{ "tty", 't', OPTION_FLAG, FIELD(tty), NULL, "Give it a terminal" },
	{ "tz", 0, OPTION_STRING, FIELD(timezone), "ZONE", "Time zone such as Europe/Berlin, or local: the host's" },
	{ "uidmap", 0, OPTION_STRINGS, FIELD(uid_maps), "[FLAGS]CONTAINER:FROM[:SIZE]", "Map user IDs in a user namespace", OPTION_COMMAS },
	{ "ulimit", 0, OPTION_STRINGS, FIELD(ulimits), "NAME=SOFT[:HARD]", "Resource limit, e.g. nofile=1024:2048, or host: the caller's" },
	{ "umask", 0, OPTION_STRING, FIELD(umask), "MODE", "File mode mask; the default is 0022" },
	{ "unsetenv", 0, OPTION_STRINGS, FIELD(unset_env), "KEY", "Take a variable of the image away" },
	{ "unsetenv-all", 0, OPTION_FLAG, FIELD(unset_env_all), NULL, "Take all variables of the image and davit's own defaults away" },
	{ "user", 'u', OPTION_STRING, FIELD(user), "USER[:GROUP]", "Name or number, looked up in the image" },
	{ "userns", 0, OPTION_STRING, FIELD(userns), "MODE", "User namespace: host, private, keep-id[:uid=,gid=,size=], nomap, auto[:size=,uidmapping=,gidmapping=], container:NAME or ns:PATH" },
	{ "uts", 0, OPTION_STRING, FIELD(uts_mode), "MODE", "UTS namespace: private, host, container:NAME or ns:PATH", .choices = NAMESPACE_CHOICES },
	{ "volume", 'v', OPTION_STRINGS, FIELD(volumes), "[SRC:]DST[:OPTIONS]", "Mount a directory, a file or a named volume" },
	{ "volumes-from", 0, OPTION_STRINGS, FIELD(volumes_from), "CONTAINER[:ro]", "Mount what another container has mounted" },
	{ "workdir", 'w', OPTION_STRING, FIELD(workdir), "DIR", "Working directory inside" },
	{ .kind = OPTION_INCLUDE, .name = "health options", .offset = FIELD(health), .include = health_option_specs },
	{ .kind = OPTION_INCLUDE, .name = "limit options", .offset = FIELD(limits), .include = limit_option_specs },
	{ .kind = OPTION_INCLUDE, .name = "pull options", .offset = FIELD(pull), .include = pull_option_specs },
	OPTION_END,
};
/* clang-format on */

/* A new entrypoint also replaces the image's command; "" takes the entrypoint away. */
static int build_command(const struct container_args *args, bool has_entrypoint,
			 const struct oci_image_config *image, int argc, char **argv,
			 struct container_spec *spec, struct err *err)
{
	if (args->base && !has_entrypoint && argc == 0) {
		strlist_extend(&spec->entrypoint, &args->base->spec->entrypoint);
		strlist_extend(&spec->command, &args->base->spec->command);
		return 0;
	}
	if (has_entrypoint && args->entrypoint[0] == '[') {
		autojson struct json_object *json = NULL, *holder = json_object_new_object();
		int r = json_parse(args->entrypoint, strlen(args->entrypoint), &json, err);
		if (r < 0)
			return err_wrap(err, "--entrypoint '%s'", args->entrypoint);
		json_object_object_add(holder, "entrypoint", json_object_get(json));
		json_get_strlist(holder, "entrypoint", &spec->entrypoint);
	} else if (has_entrypoint && *args->entrypoint) {
		strlist_add(&spec->entrypoint, args->entrypoint);
	} else if (!has_entrypoint && image) {
		strlist_extend(&spec->entrypoint, &image->entrypoint);
	}
	for (int i = 0; i < argc; i++)
		strlist_add(&spec->command, argv[i]);
	if (argc == 0 && !has_entrypoint && image)
		strlist_extend(&spec->command, &image->cmd);
	if (spec->entrypoint.count + spec->command.count == 0)
		return err_set(err, EINVAL,
			       "image '%s' has no command; give one behind the image's name",
			       spec->image_name);
	return 0;
}

/* For a file that is written at every start, wherever that is asked for. */
static char *absolute_path(const char *path)
{
	autofree char *cwd = path && path[0] != '/' ? getcwd(NULL, 0) : NULL;

	return cwd ? path_join(cwd, path) : xstrdup(path);
}

static int build_confinement(const struct engine *engine, const struct container_args *args,
			     struct container_spec *spec, struct err *err)
{
	uint64_t bounding;

	spec->privileged = args->privileged;
	spec->read_only = args->read_only;
	spec->read_only_tmpfs = args->read_only_tmpfs != TRISTATE_FALSE;
	strlist_extend(&spec->cap_add, &args->cap_add);
	strlist_extend(&spec->cap_drop, &args->cap_drop);
	strlist_extend(&spec->devices, &args->devices);
	strlist_extend(&spec->device_rules, &args->device_rules);
	strlist_extend(&spec->sysctls, &args->sysctls);
	for (size_t i = 0; i < args->security_opts.count; i++) {
		int r = security_option_apply(args->security_opts.items[i], spec, err);
		if (r < 0)
			return r;
	}
	if (args->gpus.count)
		return security_refuse_gpus(args->gpus.items[0], err);
	spec->seccomp_record = absolute_path(args->seccomp_record);
	spec->cap_record = absolute_path(args->cap_record);
	int r = recording_check(spec, err);
	return r < 0 ? r : plan_capabilities(spec, &engine->settings, &bounding, err);
}

/* Directories that a process changes its root to: what davit puts into /etc is there too. */
static int build_chroot_dirs(const struct container_args *args, struct container_spec *spec,
			     struct err *err)
{
	for (size_t i = 0; i < args->chroot_dirs.count; i++) {
		const char *path = args->chroot_dirs.items[i];
		if (path[0] != '/')
			return err_set(err, EINVAL,
				       "--chrootdirs '%s' is not absolute; begin it with '/'",
				       path);
		if (!path[strspn(path, "/")])
			continue; /* it is there anyway */
		strlist_add(&spec->chroot_dirs, path);
	}
	return 0;
}

static int build_limits(struct cli *cli, struct engine *engine, const struct container_args *args,
			struct container_spec *spec, struct err *err)
{
	int64_t shm = 0;

	int r = limit_args_apply(cli, &args->limits, spec, err);
	if (r < 0)
		return r;
	spec->cgroups = xstrdup(args->cgroups ?: engine->settings.cgroups);
	spec->cgroup_parent = xstrdup(args->cgroup_parent);
	if (args->oom_score_adj < -1000 || args->oom_score_adj > 1000)
		return err_set(err, EINVAL, "--oom-score-adj %lld is not from -1000 to 1000",
			       (long long)args->oom_score_adj);
	spec->has_oom_score_adj = cli_given(cli, "oom-score-adj");
	spec->oom_score_adj = args->oom_score_adj;
	strlist_extend(&spec->ulimits, &args->ulimits);
	if (!cli_given(cli, "shm-size") &&
	    human_parse_bytes(engine->settings.shm_size, &shm, err) < 0)
		return err_wrap(err, "containers.conf, shm_size");
	spec->shm_size = cli_given(cli, "shm-size") ? args->shm_size : shm;
	return 0;
}

static int check_entry(const char *option, const char *text, struct err *err)
{
	return text && strchr(text, '\n')
		       ? err_set(err, EINVAL, "--%s is one line; leave the line break out", option)
		       : 0;
}

/* The caller's own groups are kept as a whole or not at all. */
static int build_groups(const struct container_args *args, struct container_spec *spec,
			struct err *err)
{
	int r = check_entry("passwd-entry", args->passwd_entry, err);

	if (r == 0)
		r = check_entry("group-entry", args->group_entry, err);
	if (r < 0)
		return r;
	spec->no_passwd = args->passwd == TRISTATE_FALSE;
	spec->passwd_entry = xstrdup(args->passwd_entry);
	spec->group_entry = xstrdup(args->group_entry);
	strlist_extend(&spec->groups, &args->groups);
	spec->keep_groups = strlist_contains(&spec->groups, "keep-groups");
	if (!spec->keep_groups)
		return 0;
	if (spec->groups.count > 1)
		return err_set(
			err, EINVAL,
			"--group-add keep-groups keeps the groups of the caller, so no other "
			"groups can be added");
	strlist_clear(&spec->groups);
	return 0;
}

static int build_timezone(const struct engine *engine, const struct container_args *args,
			  struct container_spec *spec, struct err *err)
{
	const char *zone = args->timezone ?: engine->settings.tz;
	struct stat st;

	if (!zone || !*zone)
		return 0;
	spec->timezone = xstrdup(zone);
	if (strcmp(zone, "local") == 0)
		return 0;
	autofree char *path = path_join("/usr/share/zoneinfo", zone);
	if (zone[0] == '/' || strstr(zone, "..") || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, EINVAL,
			       "time zone '%s' is not in /usr/share/zoneinfo; name one as "
			       "Europe/Berlin, or local",
			       zone);
	return 0;
}

/* Here, as the path is the caller's. */
static int build_init_path(const struct container_args *args, struct container_spec *spec,
			   struct err *err)
{
	struct stat st;

	if (!args->init_path)
		return 0;
	if (!spec->init)
		return err_set(err, EINVAL,
			       "--init-path '%s' has no effect without --init; give both",
			       args->init_path);
	spec->init_path = realpath(args->init_path, NULL);
	if (!spec->init_path || stat(spec->init_path, &st) < 0)
		return err_errno(err, "--init-path '%s'", args->init_path);
	if (!S_ISREG(st.st_mode) || access(spec->init_path, X_OK) < 0)
		return err_set(err, EACCES, "--init-path '%s' is no program; name one",
			       args->init_path);
	return 0;
}

static int build_process(struct cli *cli, struct engine *engine, const struct container_args *args,
			 const struct oci_image_config *image, struct container_spec *spec,
			 struct err *err)
{
	const char *signal = args->stop_signal
				     ?: image && *image->stop_signal ? image->stop_signal
								     : NULL;
	const char *workdir = args->workdir ?: image ? image->working_dir : "";
	int r;
	char *end;

	spec->tty = args->tty;
	spec->open_stdin = args->interactive;
	spec->init = args->init || engine->settings.init;
	r = build_init_path(args, spec, err);
	if (r < 0)
		return r;
	if (args->user || (image && *image->user) || !spec->user) {
		free(take_ptr(&spec->user_name));
		free(spec->user); /* that of --userns keep-id is the last choice */
		spec->user = xstrdup(args->user ?: image ? image->user : "");
	}
	if (args->workdir && args->workdir[0] != '/')
		return err_set(err, EINVAL,
			       "working directory '%s' is not absolute; begin it with '/'",
			       args->workdir);
	spec->workdir_is_given = args->workdir;
	spec->workdir =
		workdir && *workdir == '/' ? xstrdup(workdir) : xasprintf("/%s", workdir ?: "");
	if (signal && signal_from_name(signal) < 0)
		return err_set(err, EINVAL, "unknown signal '%s'; see signal(7)", signal);
	spec->stop_signal = xstrdup(signal);
	spec->stop_timeout = cli_given(cli, "stop-timeout") ? args->stop_timeout_sec
							    : engine->settings.stop_timeout;
	spec->personality = xstrdup(args->personality);
	spec->timeout = args->timeout_sec;
	if (spec->stop_timeout < 0 || spec->timeout < 0)
		return err_set(err, EINVAL, "--%s cannot be negative",
			       spec->timeout < 0 ? "timeout" : "stop-timeout");
	spec->umask = xstrdup(args->umask ?: engine->settings.umask);
	long umask_value = strtol(spec->umask, &end, 8);
	if (*end || end == spec->umask || umask_value < 0 || umask_value > 0777)
		return err_set(err, EINVAL,
			       "invalid umask '%s'; it is an octal number such as 0022",
			       spec->umask);
	r = build_groups(args, spec, err);
	if (r == 0)
		r = host_users_apply(args, spec, err);
	return r < 0 ? r : build_timezone(engine, args, spec, err);
}

/* The image, or the directory that stands for one. */
static int find_root(struct engine *engine, const struct container_args *args, const char *name,
		     struct image **ret_image, struct container_spec *spec, struct err *err)
{
	if (args->rootfs) {
		struct stat st;
		const char *colon = strrchr(name, ':');
		spec->rootfs_is_lower = colon && strcmp(colon, ":O") == 0;
		spec->rootfs_idmap = colon && strcmp(colon, ":idmap") == 0;
		bool has_option = spec->rootfs_is_lower || spec->rootfs_idmap;
		autofree char *path =
			has_option ? xstrndup(name, (size_t)(colon - name)) : xstrdup(name);
		spec->rootfs = realpath(path, NULL);
		if (!spec->rootfs || stat(spec->rootfs, &st) < 0)
			return err_errno(err, "root file system '%s'", name);
		if (!S_ISDIR(st.st_mode))
			return err_set(err, ENOTDIR, "root file system '%s' is no directory", name);
		return 0;
	}
	int r = pull_args_find_image(engine, &args->pull, name, args->quiet, ret_image, err);
	if (r < 0)
		return r;
	spec->image_name = xstrdup((*ret_image)->found_name);
	spec->image_id = xstrdup((*ret_image)->id);
	spec->image_digest = xstrdup((*ret_image)->manifest_digest);
	strlist_extend(&spec->layers, &(*ret_image)->config->diff_ids);
	return 0;
}

/* What another container began with; on it lies what that one has written. */
static int find_base_root(struct engine *engine, const struct container_args *args,
			  struct image **ret_image, struct container_spec *spec, struct err *err)
{
	const struct container_spec *from = args->base->spec;
	struct container_args local = { .pull.policy = "never" };

	int r = container_base_apply(engine, args->base, spec, err);
	if (r == 0 && from->rootfs) {
		spec->rootfs = xstrdup(from->rootfs);
		spec->rootfs_is_lower = from->rootfs_is_lower;
	} else if (r == 0) {
		r = find_root(engine, &local, from->image_id, ret_image, spec, err);
	}
	if (r == 0 && from->image_name) {
		free(spec->image_name);
		spec->image_name = xstrdup(from->image_name);
	}
	return r;
}

int container_args_to_spec(struct cli *cli, const struct container_args *args, int argc,
			   char **argv, struct container_spec **ret_spec, struct err *err)
{
	autocontainer_spec struct container_spec *spec = container_spec_new();
	autoimage struct image *image = NULL;
	const struct container_base *base = args->base;
	struct mount_list mounts = { 0 };
	struct engine *engine;

	/* What can be wrong without the image comes first: nobody wants to wait for a download to hear of a typing error. */
	int r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	spec->auto_remove = args->remove || args->remove_image;
	r = build_confinement(engine, args, spec, err);
	if (r == 0)
		r = build_chroot_dirs(args, spec, err);
	if (r == 0)
		r = build_limits(cli, engine, args, spec, err);
	if (r == 0)
		r = log_driver_choose(args->log_driver, &args->log_opts, &engine->settings, spec,
				      err);
	if (r == 0 && args->restart)
		r = restart_policy_apply(args->restart, spec, err);
	if (r == 0)
		r = network_options_apply(engine, args, spec, err);
	if (r == 0)
		r = namespace_options_apply(engine, args, spec, err);
	if (r == 0)
		r = userns_options_apply(engine, args, spec, err);
	if (r == 0)
		r = container_secrets_add(engine, &args->secrets, spec, err);
	if (r == 0)
		r = mount_options_read(engine, args, &mounts, err);
	if (r == 0)
		r = base ? find_base_root(engine, args, &image, spec, err)
			 : find_root(engine, args, argv[0], &image, spec, err);
	const struct oci_image_config *config = image ? image->config : NULL;
	if (r == 0)
		r = build_process(cli, engine, args, config, spec, err);
	if (r == 0 && args->seccomp_policy && config)
		security_apply_policy(args->seccomp_policy, config, spec);
	if (r == 0)
		r = health_options_apply(cli, &args->health, config, spec, err);
	if (r == 0)
		r = base ? build_command(args, cli_given(cli, "entrypoint"), config, argc, argv,
					 spec, err)
			 : build_command(args, cli_given(cli, "entrypoint"), config, argc - 1,
					 argv + 1, spec, err);
	if (r == 0)
		r = container_environment_build(cli, engine, args, config, spec, err);
	if (r == 0)
		r = container_labels_build(cli, engine, args, config, spec, err);
	if (r == 0)
		r = network_options_apply_ports(args, config, spec, err);
	if (r == 0)
		r = mount_options_apply(engine, args, config, &mounts, spec, err);
	mount_list_clear(&mounts);
	if (r < 0) {
		volume_drop_anonymous(engine, &spec->mounts);
		return r;
	}
	strlist_extend(&spec->attach, &args->attach);
	spec->cid_file = xstrdup(args->cid_file);
	spec->pid_file = absolute_path(args->pid_file);
	spec->monitor_pid_file = absolute_path(args->monitor_pid_file);
	spec->remove_image = args->remove_image;
	*ret_spec = take_ptr(&spec);
	return 0;
}
