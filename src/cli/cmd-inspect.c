/* davit inspect: tells everything about containers, images and volumes, as JSON or by a template.
 */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/image-row.h"
#include "cli/inspect.h"
#include "cli/output.h"

#define FIELD(f) offsetof(struct inspect_request, f)
static const struct option_spec options[] = {
	OUTPUT_INSPECT_FORMAT_OPTION(FIELD(format)),
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL,
	  "The container that was made last, instead of names" },
	{ "security", 0, OPTION_FLAG, FIELD(security), NULL,
	  "Tell what containers can do to this host, with a score; --format json for programs" },
	{ "size", 's', OPTION_FLAG, FIELD(size), NULL,
	  "Tell how much room containers take: SizeRw and SizeRootFs" },
	{ "type", 't', OPTION_CHOICE, FIELD(type), "TYPE",
	  "What the name is of; without it each kind is tried",
	  .choices = "all|container|image|volume", .initial = "all" },
	OPTION_END,
};

/* Kinds that are looked at when no container has the name. */
static const struct {
	const char *type;
	int (*find)(struct engine *engine, const char *name, struct json_object **ret_json,
		    struct err *err);
} other_kinds[] = {
	{ "image", inspect_image },
	{ "volume", inspect_volume },
};

static int inspect_one(struct engine *engine, const struct inspect_request *request,
		       const char *name, struct json_object **ret_json, struct err *err)
{
	bool any = strcmp(request->type, "all") == 0 && !request->security;
	int r = -ENOENT;

	if (any || request->security || strcmp(request->type, "container") == 0)
		r = inspect_container(engine, request, name, ret_json, err);
	if (request->security || r != -ENOENT || !name ||
	    (!any && strcmp(request->type, "container") == 0))
		return r;
	for (size_t i = 0; i < sizeof(other_kinds) / sizeof(other_kinds[0]); i++) {
		if (!any && strcmp(request->type, other_kinds[i].type) != 0)
			continue;
		r = other_kinds[i].find(engine, name, ret_json, err);
		if (!any || r != -ENOENT)
			return r;
	}
	return err_set(err, ENOENT,
		       "no such object: \"%s\"; 'davit ps -a', 'davit images' and 'davit volume "
		       "ls' list what there is",
		       name);
}

/* What can be said before anything is looked up. */
static int check_request(const struct inspect_request *request, int argc, struct err *err)
{
	bool containers =
		strcmp(request->type, "container") == 0 || strcmp(request->type, "all") == 0;

	if (!containers && (request->latest || request->size || request->security))
		return err_set(err, EINVAL,
			       "%s is about containers, --type %s is not; leave one of them out",
			       request->latest ? "--latest"
			       : request->size ? "--size"
					       : "--security",
			       request->type);
	if (request->security && request->size)
		return err_set(err, EINVAL, "--security does not tell sizes; leave --size out");
	if (request->latest && argc)
		return err_set(
			err, EINVAL,
			"--latest names the container, so no other name can be given with it");
	if (!request->latest && !argc)
		return err_set(err, EINVAL, "nothing named; give a name or an ID, or --latest");
	return output_check_format(request->format, err);
}

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : "";
}

/* For people: the checks, worst first where they are not good, then what was loosened, then the sum. */
static void print_security(struct json_object *objects)
{
	for (size_t i = 0; i < json_object_array_length(objects); i++) {
		struct json_object *object = json_object_array_get_idx(objects, i), *checks,
				   *loosened;
		json_object_object_get_ex(object, "Checks", &checks);
		json_object_object_get_ex(object, "Loosened", &loosened);
		printf("%s%-2s%-22s %-8s %s\n", i ? "\n" : "", "", "NAME", "EXPOSURE",
		       "WHAT IT MEANS");
		for (size_t c = 0; c < json_object_array_length(checks); c++) {
			struct json_object *check = json_object_array_get_idx(checks, c), *good;
			const char *remedy = text_of(check, "Remedy");
			json_object_object_get_ex(check, "Good", &good);
			bool is_good = json_object_get_boolean(good);
			printf("%s %-22s %8s %s%s%s%s\n", is_good ? "✓" : "✗",
			       text_of(check, "Name"), text_of(check, "Exposure"),
			       text_of(check, "Text"), *remedy && !is_good ? " (better: " : "",
			       is_good ? "" : remedy, *remedy && !is_good ? ")" : "");
		}
		for (size_t l = 0; l < json_object_array_length(loosened); l++) {
			struct json_object *row = json_object_array_get_idx(loosened, l);
			printf("%s%s: %s\n", l == 0 ? "\nLoosened by\n  " : "  ",
			       text_of(row, "Option"), text_of(row, "Effect"));
		}
		printf("\n→ Exposure of container %s: %s of 10, %s\n", text_of(object, "Name"),
		       text_of(object, "Exposure"), text_of(object, "Level"));
	}
}

int inspect_objects(struct cli *cli, const struct inspect_request *request, int argc, char **argv,
		    struct err *err)
{
	autojson struct json_object *objects = json_object_new_array();
	struct engine *engine;
	int status = EXIT_OK;

	int r = check_request(request, argc, err);
	if (r == 0)
		r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	for (int i = 0; i < argc + request->latest; i++) {
		struct json_object *json = NULL;
		r = inspect_one(engine, request, i < argc ? argv[i] : NULL, &json, err);
		if (r < 0)
			status = cli_report(err, EXIT_ENGINE);
		else
			json_object_array_add(objects, json);
	}
	/* What was found is printed; scripts that parse find "[]" when there was nothing. */
	if (request->security && !request->format) {
		print_security(objects);
		return status;
	}
	r = output_objects(request->format, objects, err);
	return r < 0 ? r : status;
}

static int inspect(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	return inspect_objects(cli, arguments, argc, argv, err);
}

const struct command command_inspect = {
	.names = "inspect",
	.summary = "Tell everything about containers, images and volumes",
	.examples = "davit inspect web\ndavit inspect --format '{{.State.Pid}}' web",
	.operands = "[NAME...]",
	.max_operands = -1,
	.complete = COMPLETE_OBJECTS,
	.options = options,
	.args_size = sizeof(struct inspect_request),
	.run = inspect,
};

static int inspect_containers(struct cli *cli, void *arguments, int argc, char **argv,
			      struct err *err)
{
	struct inspect_request *request = arguments;

	request->type = "container";
	return inspect_objects(cli, request, argc, argv, err);
}

static const struct option_spec container_options[] = {
	OUTPUT_INSPECT_FORMAT_OPTION(FIELD(format)),
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL,
	  "The one that was made last, instead of names" },
	{ "security", 0, OPTION_FLAG, FIELD(security), NULL,
	  "Tell what they can do to this host, with a score; --format json for programs" },
	{ "size", 's', OPTION_FLAG, FIELD(size), NULL,
	  "Tell how much room they take: SizeRw and SizeRootFs" },
	OPTION_END,
};

const struct command command_container_inspect = {
	.names = "container inspect",
	.summary = "Tell everything about containers",
	.operands = "[CONTAINER...]",
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = container_options,
	.args_size = sizeof(struct inspect_request),
	.run = inspect_containers,
};
