#include "engine/container-inspect.h"

#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/container-layers.h"
#include "engine/container-network.h"
#include "engine/container-own-layers.h"
#include "engine/container-processes.h"
#include "engine/container-restart.h"
#include "engine/container-secrets.h"
#include "engine/container-size.h"
#include "engine/container-snapshot.h"
#include "engine/container-users.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "engine/identity.h"
#include "engine/mount-spec.h"
#include "engine/plan.h"
#include "engine/published-ports.h"
#include "engine/run-directory.h"
#include "engine/shared-namespaces.h"
#include "engine/volume.h"
#include "kernel/caps.h"
#include "network/ports.h"
#include "oci/runtime-config.h"
#include "oci/timestamp.h"
#include "store/store.h"

static void add_time(struct json_object *object, const char *key, int64_t nsec)
{
	/* What has not been is the year 1, as it is for Go. */
	autofree char *text = oci_time_print(nsec > 0 ? nsec : INT64_MIN);

	json_add_string(object, key, text);
}

static struct json_object *state_json(const struct container *container, const char *start_error)
{
	struct json_object *state = json_object_new_object();
	bool running = container->state == CONTAINER_RUNNING;

	json_add_string(state, "OciVersion", "1.2.0");
	json_add_string(state, "Status", container_status_name(container));
	json_add_bool(state, "Running", running);
	json_add_bool(state, "Paused", running && container->run.is_paused);
	json_add_bool(state, "Restarting", container_is_restarting(container));
	json_add_bool(state, "OOMKilled", container->oom_killed);
	json_add_bool(state, "Dead", false);
	json_add_int(state, "Pid", container_is_alive(container) ? container->run.pid : 0);
	json_add_int(state, "ConmonPid",
		     container_is_alive(container) && container->run.monitor_lives
			     ? container->run.monitor_pid
			     : 0);
	json_add_int(state, "ExitCode", container->exit_code);
	json_add_string(state, "Error",
			running && !container->run.monitor_lives
				? "its monitor was killed: output is lost and the exit status will "
				  "not be known"
			: running ? ""
				  : start_error ?: "");
	add_time(state, "StartedAt", container->started_nsec);
	add_time(state, "FinishedAt", running ? 0 : container->finished_nsec);
	return state;
}

static struct json_object *mounts_json(const struct engine *engine,
				       const struct container_spec *spec)
{
	struct json_object *list = json_object_new_array();
	struct err ignored; /* of a damaged record the rest is still shown */

	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct json_object *row = json_object_new_object();
		struct mount_spec mount;

		if (mount_spec_load(spec->mounts.items[i], &mount, &ignored) < 0) {
			json_object_put(row);
			continue;
		}
		autofree char *data =
			mount.kind == MOUNT_VOLUME ? volume_data_path(engine, mount.source) : NULL;
		json_add_string(row, "Type", mount_kind_name(mount.kind));
		if (mount.kind == MOUNT_VOLUME)
			json_add_string(row, "Name", mount.source);
		json_add_string(row, "Source", data ?: mount.source ?: "");
		json_add_string(row, "Destination", mount.destination);
		json_add_string(row, "Driver", mount.kind == MOUNT_VOLUME ? "local" : "");
		json_add_string(row, "Mode", "");
		json_add_strlist(row, "Options", &mount.options);
		json_add_bool(row, "RW", !mount.read_only);
		json_add_string(row, "Propagation", "rprivate");
		mount_spec_clear(&mount);
		json_object_array_add(list, row);
	}
	return list;
}

/* As the process gets it, which depends on the image's list of users. */
static void environment(struct engine *engine, const struct container *container,
			const struct container_spec *spec, struct strlist *env)
{
	autostrlist struct strlist layers = STRLIST_EMPTY;
	struct identity identity = { 0 };
	autofree char *hostname = shared_namespaces_hostname(engine, container->id, spec);
	struct err ignored; /* without the image's files the rest is still shown */

	if (container_layer_dirs(engine, spec, &layers, &ignored) < 0 ||
	    identity_resolve(&layers, spec->user, &spec->groups, &identity, &ignored) < 0)
		strlist_extend(env, &spec->env);
	else {
		container_users_plan(&layers, spec, &identity);
		plan_environment(spec, hostname, identity.home, env);
	}
	identity_clear(&identity);
}

static struct json_object *startup_config_json(const struct container_spec *spec)
{
	struct json_object *health = json_object_new_object();

	json_add_strlist(health, "Test", &spec->health_startup_test);
	json_add_int(health, "Interval", spec->health_startup_interval_nsec);
	json_add_int(health, "Timeout", spec->health_startup_timeout_nsec);
	json_add_int(health, "Retries", spec->health_startup_retries);
	json_add_int(health, "Successes", spec->health_startup_success);
	return health;
}

/* As the user has given it: 0 is without a limit. */
static int64_t limit_or(int64_t limit, int64_t other)
{
	return limit < 0 ? 0 : limit ?: other;
}

static struct json_object *health_config_json(const struct container_spec *spec)
{
	struct json_object *health = json_object_new_object();

	json_add_strlist(health, "Test", &spec->health_test);
	json_add_int(health, "Interval", spec->health_interval_nsec);
	json_add_int(health, "Timeout", spec->health_timeout_nsec);
	json_add_int(health, "StartPeriod", spec->health_start_period_nsec);
	json_add_int(health, "Retries", spec->health_retries);
	return health;
}

static struct json_object *config_json(struct engine *engine, const struct container *container,
				       const struct container_spec *spec)
{
	autostrlist struct strlist env = STRLIST_EMPTY;
	struct json_object *config = json_object_new_object();
	autofree char *hostname = shared_namespaces_hostname(engine, container->id, spec);
	autofree char *entrypoint = strlist_join(&spec->entrypoint, " ");

	json_add_string(config, "Hostname", hostname);
	json_add_string(config, "Domainname", "");
	json_add_string(config, "User", spec->user ?: "");
	json_add_bool(config, "AttachStdin", spec->open_stdin && !spec->detached);
	json_add_bool(config, "AttachStdout", !spec->detached);
	json_add_bool(config, "AttachStderr", !spec->detached);
	json_add_bool(config, "Tty", spec->tty);
	json_add_bool(config, "OpenStdin", spec->open_stdin);
	json_add_bool(config, "StdinOnce", false);
	environment(engine, container, spec, &env);
	container_secrets_hide(spec, &env);
	json_add_strlist(config, "Env", &env);
	json_add_strlist(config, "Cmd", &spec->command);
	json_add_string(config, "Image", spec->image_name ?: "");
	json_object_object_add(config, "Volumes", NULL);
	json_add_string(config, "WorkingDir", spec->workdir ?: "/");
	json_add_string(config, "Entrypoint", entrypoint);
	json_object_object_add(config, "OnBuild", NULL);
	json_object_object_add(config, "Labels", json_from_pairs(&spec->labels));
	json_object_object_add(config, "Annotations", json_from_pairs(&spec->annotations));
	json_add_string(config, "StopSignal", spec->stop_signal ?: "SIGTERM");
	json_add_int(config, "StopTimeout", spec->stop_timeout);
	json_add_int(config, "Timeout", spec->timeout);
	if (spec->health_test.count)
		json_object_object_add(config, "Healthcheck", health_config_json(spec));
	if (spec->health_startup_test.count)
		json_object_object_add(config, "StartupHealthCheck", startup_config_json(spec));
	json_add_string(config, "HealthLogDestination", spec->health_log_destination ?: "local");
	json_add_int(config, "HealthMaxLogCount",
		     limit_or(spec->health_log_count, HEALTH_LOG_COUNT));
	json_add_int(config, "HealthMaxLogSize", limit_or(spec->health_log_size, HEALTH_LOG_SIZE));
	json_add_string(config, "HealthcheckOnFailureAction", spec->health_on_failure ?: "none");
	json_object_object_add(config, "Secrets", container_secrets_json(spec));
	json_add_string(config, "Umask", spec->umask ?: "0022");
	return config;
}

static struct json_object *id_mappings_json(const struct container_spec *spec)
{
	struct json_object *mappings = json_object_new_object();

	json_add_strlist(mappings, "UidMap", &spec->uid_maps);
	json_add_strlist(mappings, "GidMap", &spec->gid_maps);
	return mappings;
}

static struct json_object *host_config_json(const struct container_spec *spec,
					    const char *cgroup_location,
					    struct json_object *bindings)
{
	struct json_object *config = json_object_new_object(), *log = json_object_new_object(),
			   *restart = json_object_new_object();

	json_object_object_add(config, "Binds", json_object_new_array());
	json_add_string(config, "CgroupManager",
			cgroup_location && strstr(cgroup_location, ".scope/container")
				? "systemd"
				: "cgroupfs");
	json_add_string(config, "Cgroups", spec->cgroups ?: "enabled");
	json_add_string(config, "CgroupMode", spec->cgroupns_mode ?: "private");
	json_add_string(log, "Type", spec->log_driver ?: "k8s-file");
	json_add_string(log, "Path", spec->log_path ?: "");
	json_add_string(log, "Tag", spec->log_tag ?: "");
	json_object_object_add(log, "Config", NULL);
	json_object_object_add(config, "LogConfig", log);
	json_add_string(config, "NetworkMode", spec->network_mode ?: "");
	json_object_object_add(config, "PortBindings", bindings);
	json_add_string(restart, "Name", spec->restart_policy ?: "no");
	json_add_int(restart, "MaximumRetryCount", spec->restart_retries);
	json_object_object_add(config, "RestartPolicy", restart);
	json_add_bool(config, "AutoRemove", spec->auto_remove);
	json_add_strlist(config, "CapAdd", &spec->cap_add);
	json_add_strlist(config, "CapDrop", &spec->cap_drop);
	json_add_strlist(config, "Dns", &spec->dns_servers);
	json_add_strlist(config, "DnsOptions", &spec->dns_options);
	json_add_strlist(config, "DnsSearch", &spec->dns_searches);
	json_add_strlist(config, "ExtraHosts", &spec->add_hosts);
	json_add_strlist(config, "GroupAdd", &spec->groups);
	json_add_string(config, "IpcMode", spec->ipc_mode ?: "shareable");
	json_add_string(config, "PidMode", spec->pid_mode ?: "private");
	json_add_string(config, "UTSMode", spec->uts_mode ?: "private");
	if (spec->time_offset)
		json_add_string(config, "TimeOffset", spec->time_offset);
	/* As podman says it: what kind of own one, IDMappings tell. */
	bool own_userns = spec->userns_mode || spec->uid_maps.count;
	json_add_string(config, "UsernsMode", own_userns ? "private" : "");
	json_object_object_add(config, "IDMappings",
			       spec->uid_maps.count ? id_mappings_json(spec) : NULL);
	json_add_bool(config, "Privileged", spec->privileged);
	json_add_bool(config, "PublishAllPorts", spec->publish_all);
	json_add_bool(config, "ReadonlyRootfs", spec->read_only);
	json_add_bool(config, "Init", spec->init);
	json_add_int(config, "ShmSize", spec->shm_size);
	json_add_string(config, "Runtime", "davit");
	json_add_int(config, "Memory", spec->memory > 0 ? spec->memory : 0);
	/* What it gets by default, see plan-limits.c. */
	bool is_default_swap =
		!spec->memory_swap && spec->memory > 0 && spec->memory <= INT64_MAX / 2;
	json_add_int(config, "MemorySwap", is_default_swap ? spec->memory * 2 : spec->memory_swap);
	json_add_int(config, "MemoryReservation", spec->memory_reservation);
	json_add_int(config, "NanoCpus",
		     spec->cpu_period ? spec->cpu_quota * 1000000000 / spec->cpu_period : 0);
	json_add_int(config, "CpuShares", spec->cpu_shares);
	json_add_int(config, "CpuPeriod", spec->cpu_period);
	json_add_int(config, "CpuQuota", spec->cpu_quota);
	json_add_string(config, "CpusetCpus", spec->cpuset_cpus ?: "");
	json_add_string(config, "CpusetMems", spec->cpuset_mems ?: "");
	json_add_int(config, "PidsLimit", spec->pids_limit ?: 2048);
	json_add_int(config, "MemorySwappiness",
		     spec->has_memory_swappiness ? spec->memory_swappiness : -1);
	json_add_bool(config, "OomKillDisable", spec->oom_kill_disable);
	json_add_int(config, "CpuRealtimePeriod", spec->cpu_rt_period);
	json_add_int(config, "CpuRealtimeRuntime", spec->cpu_rt_runtime);
	json_add_int(config, "BlkioWeight", spec->blkio_weight);
	json_add_strlist(config, "BlkioWeightDevice", &spec->blkio_weight_devices);
	json_add_strlist(config, "BlkioDeviceReadBps", &spec->device_read_bps);
	json_add_strlist(config, "BlkioDeviceWriteBps", &spec->device_write_bps);
	json_add_strlist(config, "BlkioDeviceReadIOps", &spec->device_read_iops);
	json_add_strlist(config, "BlkioDeviceWriteIOps", &spec->device_write_iops);
	json_add_strlist(config, "CgroupConf", &spec->cgroup_conf);
	json_add_int(config, "OomScoreAdj", spec->oom_score_adj);
	json_add_strlist(config, "Devices", &spec->devices);
	json_add_strlist(config, "Ulimits", &spec->ulimits);
	json_add_string(config, "CgroupParent", spec->cgroup_parent ?: "");
	return config;
}

static void add_endpoint(struct json_object *object, const struct network_status *status)
{
	json_add_string(object, "IPAddress", status->address);
	json_add_int(object, "IPPrefixLen", status->prefix);
	json_add_string(object, "Gateway", status->gateway);
	json_add_string(object, "MacAddress", status->mac);
}

/* What the network gave it while it runs; empty texts otherwise. */
static struct json_object *network_json(struct engine *engine, const char *run_dir,
					const struct container_spec *spec,
					struct json_object *ports)
{
	autofree char *network_dir = shared_namespaces_network_dir(engine, spec);
	struct json_object *settings = json_object_new_object(),
			   *networks = json_object_new_object();
	struct network_status status = { 0 };
	struct err ignored; /* nothing is known of a container that does not run */

	(void)container_network_status(network_dir ?: run_dir, &status, &ignored);
	add_endpoint(settings, &status);
	json_add_string(settings, "Bridge", "");
	json_object_object_add(settings, "Ports", ports);
	if (*status.network) {
		struct json_object *network = json_object_new_object();
		add_endpoint(network, &status);
		json_add_string(network, "NetworkID", status.network);
		if (spec->network_aliases.count)
			json_add_strlist(network, "Aliases", &spec->network_aliases);
		json_object_object_add(networks, status.network, network);
	}
	json_object_object_add(settings, "Networks", networks);
	return settings;
}

static struct json_object *capabilities_json(uint64_t set)
{
	struct json_object *list = json_object_new_array();

	for (int number = 0; number < 64; number++)
		if (set >> number & 1 && capability_name(number))
			json_append_string(list, capability_name(number));
	return list;
}

static struct json_object *graph_json(struct engine *engine, const struct container *container,
				      const struct container_spec *spec, const char *directory)
{
	struct json_object *graph = json_object_new_object(), *data = json_object_new_object();
	autostrlist struct strlist lowers = STRLIST_EMPTY;
	struct err ignored; /* of a damaged record the rest is still shown */

	(void)container_frozen_dirs(engine, container, &lowers, &ignored);
	for (size_t i = spec->layers.count; i > 0; i--)
		strlist_take(&lowers, store_layer_path(engine->store, spec->layers.items[i - 1]));
	autofree char *lower = strlist_join(&lowers, ":"), *upper = path_join(directory, "upper"),
		      *work = path_join(directory, "work");
	json_add_string(graph, "Name", "overlay");
	json_add_string(data, "LowerDir", lower);
	json_add_string(data, "UpperDir", upper);
	json_add_string(data, "WorkDir", work);
	json_object_object_add(graph, "Data", data);
	return graph;
}

static struct json_object *exec_ids_json(struct engine *engine, const struct container *container)
{
	autostrlist struct strlist ids = STRLIST_EMPTY;
	struct json_object *list = json_object_new_array();

	container_exec_ids(engine, container, &ids);
	for (size_t i = 0; i < ids.count; i++)
		json_append_string(list, ids.items[i]);
	return list;
}

static struct json_object *snapshots_json(struct engine *engine, const struct container *container)
{
	struct json_object *rows = json_object_new_array();
	autosnapshots struct snapshot_list list = { .count = 0 };
	struct err ignored; /* the rest is still shown */

	if (container->head_layer) /* else it has none */
		(void)container_snapshots(engine, container, &list, &ignored);
	for (size_t i = 0; i < list.count; i++) {
		struct json_object *row = json_object_new_object();
		json_add_string(row, "Tag", list.items[i].tag);
		add_time(row, "Created", list.items[i].created_nsec);
		json_add_string(row, "Layer", list.items[i].layer_id);
		json_add_bool(row, "Current", list.items[i].is_current);
		json_object_array_add(rows, row);
	}
	return rows;
}

int container_inspect(struct engine *engine, const struct container *container,
		      struct json_object **ret_json, struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	autoports struct port_list ports = PORT_LIST_EMPTY, exposed = PORT_LIST_EMPTY,
				   reached = PORT_LIST_EMPTY;
	autostrlist struct strlist reached_lines = STRLIST_EMPTY;
	autofree char *directory = container_directory(engine, container->id),
		      *run_dir = container_run_directory(engine, container->id);
	uint64_t bounding = 0;

	int r = container_spec_of(container, &spec, err);
	if (r == 0)
		r = published_ports_load(&spec->ports, &ports, err);
	strlist_split(&reached_lines, container->ports, '\n');
	if (r == 0)
		r = published_ports_load(&reached_lines, &reached, err);
	for (size_t i = 0; r == 0 && i < spec->expose.count; i++)
		r = ports_parse_exposed(spec->expose.items[i], &exposed, err);
	if (r == 0)
		r = plan_capabilities(spec, &engine->settings, &bounding, err);
	if (r < 0)
		return r;
	const struct strlist *words = spec->entrypoint.count ? &spec->entrypoint : &spec->command;
	struct json_object *json = json_object_new_object(), *args = json_object_new_array();
	for (size_t i = 1; i < words->count; i++)
		json_append_string(args, words->items[i]);
	if (words == &spec->entrypoint)
		for (size_t i = 0; i < spec->command.count; i++)
			json_append_string(args, spec->command.items[i]);
	autofree char *hosts = path_join(run_dir, "hosts"),
		      *resolv = path_join(run_dir, "resolv.conf"),
		      *hostname = path_join(run_dir, "hostname"),
		      *pid_file = path_join(run_dir, "pid"),
		      *log = spec->log_path ? xstrdup(spec->log_path)
					    : path_join(directory, "ctr.log");

	json_add_string(json, "Id", container->id);
	add_time(json, "Created", container->created_nsec);
	json_add_string(json, "Path", words->count ? words->items[0] : "");
	json_object_object_add(json, "Args", args);
	autofree char *start_error = container_restart_error(engine, container->id);
	struct json_object *state = state_json(container, start_error);
	if (health_has_check(spec))
		json_object_object_add(state, "Health", health_to_json(engine, container));
	json_object_object_add(json, "State", state);
	json_add_string(json, "Image", spec->image_id ?: "");
	json_add_string(json, "ImageDigest", spec->image_digest ?: "");
	json_add_string(json, "ImageName", spec->image_name ?: "");
	json_add_string(json, "Rootfs", spec->rootfs ?: "");
	json_add_string(json, "Pod", "");
	json_add_string(json, "ResolvConfPath", resolv);
	json_add_string(json, "HostnamePath", hostname);
	json_add_string(json, "HostsPath", hosts);
	json_add_string(json, "StaticDir", directory);
	json_add_string(json, "OCIRuntime", "davit");
	json_add_string(json, "ConmonPidFile", pid_file);
	json_add_string(json, "PidFile", pid_file);
	json_add_string(json, "Name", container->name);
	json_add_int(json, "RestartCount", container->restart_count);
	json_add_string(json, "Driver", "overlay");
	json_add_string(json, "MountLabel", "");
	json_add_string(json, "ProcessLabel", spec->selinux_label ?: "");
	json_add_string(json, "AppArmorProfile", spec->apparmor_profile ?: "");
	json_object_object_add(json, "EffectiveCaps", capabilities_json(bounding));
	json_object_object_add(json, "BoundingCaps", capabilities_json(bounding));
	json_object_object_add(json, "ExecIDs", exec_ids_json(engine, container));
	if (!spec->rootfs)
		json_object_object_add(json, "GraphDriver",
				       graph_json(engine, container, spec, directory));
	json_object_object_add(json, "Mounts", mounts_json(engine, spec));
	json_add_string(json, "Parent", spec->base_container ?: "");
	json_object_object_add(json, "Snapshots", snapshots_json(engine, container));
	autostrlist struct strlist needed = STRLIST_EMPTY;
	shared_namespaces_needed(spec, &needed);
	json_add_strlist(json, "Dependencies", &needed);
	json_object_object_add(
		json, "NetworkSettings",
		network_json(engine, run_dir, spec, ports_to_inspect_json(&reached, &exposed)));
	json_add_string(json, "LogPath", log);
	json_add_string(json, "Namespace", "");
	json_add_bool(json, "IsInfra", false);
	json_add_bool(json, "IsService", false);
	json_object_object_add(json, "Config", config_json(engine, container, spec));
	autofree char *cgroup_location = run_directory_read_cgroup(run_dir);
	json_object_object_add(
		json, "HostConfig",
		host_config_json(spec, cgroup_location, ports_to_inspect_json(&ports, NULL)));
	*ret_json = json;
	return 0;
}

int container_inspect_size(struct engine *engine, struct container *container,
			   struct json_object *json, struct err *err)
{
	struct container_size size = { 0 };

	int r = container_sizes(engine, &container, 1, &size, err);
	if (r < 0)
		return r;
	json_add_int(json, "SizeRw", size.writable_bytes);
	json_add_int(json, "SizeRootFs", size.image_bytes);
	return 0;
}
