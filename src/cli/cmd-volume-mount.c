/* davit volume mount, volume unmount: where the content of a volume is. davit's own volumes are directories, so there is
 * nothing to mount; scripts that are written for engines where there is get the path all the same. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "engine/container-mount.h"
#include "engine/engine.h"
#include "engine/volume-backing.h"
#include "engine/volume.h"

static int print_place(const struct volume *volume, struct err *err)
{
	autofree char *backing = NULL;

	int r = volume_backing_path(&volume->options, &backing, err);
	if (r == 0 && backing && backing[0] != '/')
		r = err_set(err, ENOTSUP,
			    "volume '%s' is memory that each container gets for itself, so it is "
			    "nowhere else; look at it with 'davit exec'",
			    volume->name);
	if (r == 0)
		puts(backing ?: volume->mountpoint);
	return r;
}

static int print_name(const struct volume *volume, struct err *err)
{
	puts(volume->name);
	return 0;
}

static int each(struct cli *cli, const char *command, int argc, char **argv,
		int (*print)(const struct volume *volume, struct err *err), struct err *err)
{
	int status = EXIT_OK;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = mount_refuse_outside(engine, command, err);
	if (r < 0)
		return r;
	for (int i = 0; i < argc; i++) {
		autovolume struct volume *volume = NULL;

		r = volume_find(engine, argv[i], &volume, err);
		if (r == 0)
			r = print(volume, err);
		if (r < 0)
			status = cli_report(err, EXIT_ENGINE);
	}
	return status;
}

static int mount(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	return each(cli, "volume mount", argc, argv, print_place, err);
}

static int unmount(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	return each(cli, "volume unmount", argc, argv, print_name, err);
}

const struct command command_volume_mount = {
	.names = "volume mount",
	.summary = "Print where the content of volumes is",
	.description =
		"An ordinary user does this in 'davit unshare', where all of it may be read.",
	.examples = "ls $(davit volume mount data)\ndavit unshare sh -c 'ls $(davit volume mount "
		    "data)'",
	.operands = "VOLUME...",
	.min_operands = 1,
	.max_operands = -1,
	.complete = COMPLETE_VOLUMES,
	.run = mount,
};

const struct command command_volume_unmount = {
	.names = "volume unmount|volume umount",
	.summary = "End what volume mount has begun",
	.description = "Nothing was mounted, so nothing is done; the names are printed.",
	.operands = "VOLUME...",
	.min_operands = 1,
	.max_operands = -1,
	.complete = COMPLETE_VOLUMES,
	.run = unmount,
};
