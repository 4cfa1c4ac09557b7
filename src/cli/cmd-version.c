/* davit version: what this program is and what it was made for. */
#include "cli/command.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "config.h"
#include "oci/manifest.h"

struct version_args {
	const char *format;
};

static const struct option_spec options[] = {
	{ "format", 'f', OPTION_STRING, offsetof(struct version_args, format), "FORMAT",
	  "Print as json, or by a Go template such as '{{.Client.Version}}'", .choices = "json" },
	OPTION_END,
};

static int version(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct version_args *args = arguments;
	autojson struct json_object *root = json_object_new_object();
	struct json_object *client = json_object_new_object();
	autofree char *text = NULL, *os_arch = NULL;
	struct oci_platform host = oci_platform_of_host();

	os_arch = oci_platform_print(&host);
	oci_platform_clear(&host);
	json_add_string(client, "Name", "davit");
	json_add_string(client, "APIVersion", DAVIT_VERSION); /* as podman has it: its own */
	json_add_string(client, "Version", DAVIT_VERSION);
	json_add_string(client, "Os", "linux");
	json_add_string(client, "OsArch", os_arch);
	json_object_object_add(root, "Client", client);
	/* Templates of scripts ask the server, or nobody: there is only one program here. */
	if (args->format && !output_wants_json(args->format)) {
		json_object_object_add(root, "Server", json_object_get(client));
		json_add_string(root, "Version", DAVIT_VERSION);
	}
	text = xasprintf("Client:       davit\nVersion:      %s\nOS/Arch:      %s\n", DAVIT_VERSION,
			 os_arch);
	return output_object(args->format, root, text, err);
}

const struct command command_version = {
	.names = "version|system version",
	.summary = "Show the version",
	.options = options,
	.args_size = sizeof(struct version_args),
	.run = version,
};
