/* davit system df: shows how much room everything takes. */
#include <errno.h>
#include <stdio.h>

#include "base/duration.h"
#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/output.h"
#include "engine/container-size.h"
#include "engine/container.h"
#include "engine/disk-usage.h"
#include "engine/engine.h"
#include "engine/mount-spec.h"
#include "engine/volume.h"

struct df_args {
	const char *format;
	bool verbose;
};

#define FIELD(f) offsetof(struct df_args, f)
static const struct option_spec options[] = {
	OUTPUT_FORMAT_OPTION(FIELD(format)),
	{ "verbose", 'v', OPTION_FLAG, FIELD(verbose), NULL,
	  "Tell of each image, container and volume" },
	OPTION_END,
};

static void add_size(struct json_object *row, const char *key, int64_t bytes)
{
	autofree char *size = human_size((double)bytes, 4, "");

	json_add_string(row, key, size);
}

static void add_row(struct json_object *rows, const char *type, size_t total, size_t active,
		    int64_t bytes, int64_t reclaimable)
{
	struct json_object *row = json_object_new_object();
	autofree char *size = human_size((double)reclaimable, 4, "");
	autofree char *text = xasprintf(
		"%s (%lld%%)", size,
		bytes ? (long long)((double)reclaimable * 100 / (double)bytes + 0.5) : 0LL);

	json_add_string(row, "Type", type);
	json_add_int(row, "Total", (int64_t)total);
	json_add_int(row, "Active", (int64_t)active);
	add_size(row, "Size", bytes);
	json_add_string(row, "Reclaimable", text);
	json_add_int(row, "RawSize", bytes);
	json_add_int(row, "RawReclaimable", reclaimable);
	json_object_array_add(rows, row);
}

static void add_containers(const struct disk_usage *usage, struct json_object *rows)
{
	size_t active = 0;

	for (size_t i = 0; i < usage->container_count; i++)
		active += !container_is_over(usage->containers[i]);
	add_row(rows, "Containers", usage->container_count, active, usage->container_totals.bytes,
		usage->container_totals.reclaimable_bytes);
}

static void add_volumes(const struct disk_usage *usage, struct json_object *rows)
{
	int64_t bytes = 0, reclaimable = 0;
	size_t active = 0;

	for (size_t i = 0; i < usage->volume_count; i++) {
		bool is_used = usage->volumes[i]->use_count > 0;
		active += is_used;
		bytes += usage->volume_bytes[i];
		reclaimable += is_used ? 0 : usage->volume_bytes[i];
	}
	add_row(rows, "Local Volumes", usage->volume_count, active, bytes, reclaimable);
}

static int summary(const struct disk_usage *usage, const char *format, struct err *err)
{
	static const struct output_column columns[] = { { "TYPE", "Type" },
							{ "TOTAL", "Total" },
							{ "ACTIVE", "Active" },
							{ "SIZE", "Size" },
							{ "RECLAIMABLE", "Reclaimable" },
							{ NULL, NULL } };
	autojson struct json_object *rows = json_object_new_array();
	size_t active = 0;

	for (size_t i = 0; i < usage->images.count; i++)
		active += usage->images.items[i]->container_count > 0;
	add_row(rows, "Images", usage->images.count, active, usage->image_bytes,
		usage->image_reclaimable);
	add_containers(usage, rows);
	add_volumes(usage, rows);
	return output_list(&(struct output_list){ .columns = columns, .format = format }, rows,
			   err);
}

static void add_age(struct json_object *row, int64_t created_nsec)
{
	autofree char *age = human_duration(timestamp_now_usec() - created_nsec / 1000);

	json_add_string(row, "Created", age);
}

static void add_image(const struct disk_usage *usage, size_t index, struct json_object *rows)
{
	const struct image *image = usage->images.items[index];
	struct json_object *row = json_object_new_object();
	autofree char *repository = NULL, *tag = NULL, *digest = NULL,
		      *id = xstrndup(image->id, 12);

	if (image->names.count)
		image_name_split(image->names.items[0], &repository, &tag, &digest);
	json_add_string(row, "Repository", repository ?: "<none>");
	json_add_string(row, "Tag", tag ?: "<none>");
	json_add_string(row, "ImageID", id);
	add_age(row, image->created_nsec);
	add_size(row, "Size", image->size_bytes);
	int64_t shared = image->size_bytes - usage->image_unique[index];
	add_size(row, "SharedSize", shared > 0 ? shared : 0);
	add_size(row, "UniqueSize", usage->image_unique[index]);
	json_add_int(row, "Containers", image->container_count);
	json_object_array_add(rows, row);
}

static int64_t count_volumes(const struct container *container)
{
	autocontainer_spec struct container_spec *spec = NULL;
	struct err ignored; /* of a damaged record none is known */
	int64_t count = 0;

	if (container_spec_of(container, &spec, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct mount_spec mount;
		if (mount_spec_load(spec->mounts.items[i], &mount, &ignored) < 0)
			continue;
		count += mount.kind == MOUNT_VOLUME;
		mount_spec_clear(&mount);
	}
	return count;
}

static void add_container(const struct disk_usage *usage, size_t index, struct json_object *rows)
{
	const struct container *container = usage->containers[index];
	struct json_object *row = json_object_new_object();
	autofree char *id = xstrndup(container->id, 12),
		      *image = xstrndup(container->image_id ?: "", 12),
		      *command = xstrndup(container->command, 40);

	json_add_string(row, "ContainerID", id);
	json_add_string(row, "Image", image);
	json_add_string(row, "Command", command);
	json_add_int(row, "LocalVolumes", count_volumes(container));
	add_size(row, "Size", usage->container_sizes[index].writable_bytes);
	add_age(row, container->created_nsec);
	json_add_string(row, "Status", container_status_name(container));
	json_add_string(row, "Names", container->name);
	json_object_array_add(rows, row);
}

static void add_volume(const struct disk_usage *usage, size_t index, struct json_object *rows)
{
	struct json_object *row = json_object_new_object();

	json_add_string(row, "VolumeName", usage->volumes[index]->name);
	json_add_int(row, "Links", usage->volumes[index]->use_count);
	add_size(row, "Size", usage->volume_bytes[index]);
	json_object_array_add(rows, row);
}

static int section(const char *title, const struct output_column *columns,
		   const struct disk_usage *usage, size_t count,
		   void (*add)(const struct disk_usage *usage, size_t index,
			       struct json_object *rows),
		   struct err *err)
{
	autojson struct json_object *rows = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		add(usage, i, rows);
	printf("%s space usage:\n\n", title);
	return output_list(&(struct output_list){ .columns = columns }, rows, err);
}

static int details(const struct disk_usage *usage, struct err *err)
{
	static const struct output_column image_columns[] = { { "REPOSITORY", "Repository" },
							      { "TAG", "Tag" },
							      { "IMAGE ID", "ImageID" },
							      { "CREATED", "Created" },
							      { "SIZE", "Size" },
							      { "SHARED SIZE", "SharedSize" },
							      { "UNIQUE SIZE", "UniqueSize" },
							      { "CONTAINERS", "Containers" },
							      { NULL, NULL } };
	static const struct output_column container_columns[] = { { "CONTAINER ID", "ContainerID" },
								  { "IMAGE", "Image" },
								  { "COMMAND", "Command" },
								  { "LOCAL VOLUMES",
								    "LocalVolumes" },
								  { "SIZE", "Size" },
								  { "CREATED", "Created" },
								  { "STATUS", "Status" },
								  { "NAMES", "Names" },
								  { NULL, NULL } };
	static const struct output_column volume_columns[] = { { "VOLUME NAME", "VolumeName" },
							       { "LINKS", "Links" },
							       { "SIZE", "Size" },
							       { NULL, NULL } };

	int r = section("Images", image_columns, usage, usage->images.count, add_image, err);
	if (r >= 0) {
		putchar('\n');
		r = section("Containers", container_columns, usage, usage->container_count,
			    add_container, err);
	}
	if (r >= 0) {
		putchar('\n');
		r = section("Local Volumes", volume_columns, usage, usage->volume_count, add_volume,
			    err);
	}
	return r;
}

static int df(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct df_args *args = arguments;
	autodisk_usage struct disk_usage usage = { 0 };
	struct engine *engine;

	if (args->verbose && args->format)
		return err_set(err, EINVAL, "cannot combine --format and --verbose flags");
	int r = cli_engine(cli, &engine, err);
	if (r >= 0)
		r = disk_usage_load(engine, args->verbose ? DISK_USAGE_EACH : 0, &usage, err);
	if (r < 0)
		return r;
	return args->verbose ? details(&usage, err) : summary(&usage, args->format, err);
}

const struct command command_system_df = {
	.names = "system df",
	.summary = "Show how much room everything takes",
	.examples = "davit system df\ndavit system df --format '{{.Type}}\\t{{.RawSize}}'",
	.options = options,
	.args_size = sizeof(struct df_args),
	.run = df,
};
