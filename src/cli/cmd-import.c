/* davit import: makes an image of an archive of files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cli/command.h"
#include "engine/image.h"
#include "engine/import.h"
#include "oci/manifest.h"

struct import_args {
	const char *architecture, *os, *variant, *message;
	struct strlist changes;
	bool quiet;
};

#define FIELD(f) offsetof(struct import_args, f)
static const struct option_spec options[] = {
	{ "arch", 0, OPTION_STRING, FIELD(architecture), "ARCH",
	  "What processors the programs in it are for; this host's without it" },
	{ "change", 'c', OPTION_STRINGS, FIELD(changes), "INSTRUCTION",
	  "Set something of the image; repeatable",
	  .choices = "CMD |ENTRYPOINT |ENV |EXPOSE |HEALTHCHECK |LABEL |ONBUILD |STOPSIGNAL |USER |"
		     "VOLUME |WORKDIR " },
	{ "message", 'm', OPTION_STRING, FIELD(message), "TEXT", "A comment for the history" },
	{ "os", 0, OPTION_STRING, FIELD(os), "OS", "What system the programs are for" },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Show no progress" },
	{ "variant", 0, OPTION_STRING, FIELD(variant), "VARIANT", "Of the architecture: v7, v8" },
	OPTION_END,
};

static int open_source(const char *source, struct err *err)
{
	if (strncmp(source, "http://", 7) == 0 || strncmp(source, "https://", 8) == 0)
		return err_set(err, EOPNOTSUPP,
			       "'%s': import does not download; try curl -L '%s' | davit import -",
			       source, source);
	if (strcmp(source, "-") != 0) {
		int fd = open(source, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? err_errno(err, "open '%s'", source) : fd;
	}
	if (isatty(STDIN_FILENO))
		return err_set(err, EINVAL,
			       "cannot read from terminal, use command-line redirection or name a "
			       "file");
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? err_errno(err, "open standard input") : fd;
}

static int import_from(struct cli *cli, const struct import_args *args, const char *source,
		       const char *name, char **ret_id, struct err *err)
{
	autoprogress struct progress *progress = args->quiet ? NULL : progress_new(STDERR_FILENO);
	struct oci_platform platform = oci_platform_of_host();
	struct engine *engine;

	oci_platform_set(&platform, args->os, args->architecture, args->variant);
	struct import_options how = {
		.name = name,
		.message = args->message,
		.changes = &args->changes,
		.platform = &platform,
		.progress = progress,
	};
	autoclose int fd = open_source(source, err);
	int r = fd < 0 ? fd : cli_engine(cli, &engine, err);
	if (r >= 0) {
		r = image_import(engine, fd, &how, ret_id, err);
		if (r < 0)
			err_wrap(err, "import '%s'", source);
	}
	oci_platform_clear(&platform);
	return r;
}

static int import(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	autofree char *name = NULL, *id = NULL;
	int r = argc > 1 ? image_local_name(argv[1], &name, err) : 0;

	if (r >= 0)
		r = import_from(cli, args, argv[0], name, &id, err);
	if (r < 0)
		return r;
	printf("sha256:%s\n", id);
	return EXIT_OK;
}

const struct command command_import = {
	.names = "import|image import",
	.summary = "Make an image of an archive of files",
	.description =
		"The archive, as davit export or tar write it, becomes the only layer of the "
		"image, whose ID is printed. It may be compressed by gzip or zstd.",
	.examples =
		"davit import root.tar.gz mine\n"
		"debootstrap stable root && tar -C root -c . | davit import -c 'CMD [\"bash\"]' - "
		"debian:mine",
	.operands = "FILE|- [IMAGE]",
	.min_operands = 1,
	.max_operands = 2,
	.complete = COMPLETE_FILES,
	.complete_rest = COMPLETE_IMAGES,
	.options = options,
	.args_size = sizeof(struct import_args),
	.run = import,
};
