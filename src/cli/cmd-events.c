/* davit events: shows what davit does and did. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/template.h"
#include "cli/command.h"
#include "cli/output.h"
#include "engine/event.h"

struct events_args {
	const char *format, *since, *until;
	struct strlist filters;
	bool no_trunc, stream;
};

#define FIELD(f) offsetof(struct events_args, f)
static const struct option_spec options[] = {
	{ "filter", 'f', OPTION_STRINGS, FIELD(filters), "KEY=VALUE",
	  "Only those that match: container, event, image, label, pod, type, volume",
	  .choices = "container=|event=|image=|label=|pod=|type=|volume=" },
	{ "format", 0, OPTION_STRING, FIELD(format), "FORMAT",
	  "Print as json, one line each, or by a Go template such as '{{.Status}}'",
	  .choices = "json" },
	{ "no-trunc", 0, OPTION_FLAG, FIELD(no_trunc), NULL, "Show whole IDs", .initial = "true" },
	{ "since", 0, OPTION_STRING, FIELD(since), "TIME",
	  "Begin at this moment; a time or a duration such as 10m" },
	{ "stream", 0, OPTION_FLAG, FIELD(stream), NULL, "Go on and show what comes",
	  .initial = "true" },
	{ "until", 0, OPTION_STRING, FIELD(until), "TIME",
	  "End at this moment; a time, or a duration from now on" },
	OPTION_END,
};

struct printer {
	struct template *template; /* NULL: one of the other two */
	bool is_json, no_trunc;
	struct strbuf buf;
};

static void add_attributes(struct json_object *event, struct strbuf *out)
{
	struct json_object *labels = json_get(event, "Attributes");

	if (!json_object_is_type(labels, json_type_object))
		return;
	json_object_object_foreach(labels, key, value)
		strbuf_addf(out, ", %s=%s", key, json_object_get_string(value) ?: "");
}

/* "TIME TYPE STATUS ID (image=…, name=…, KEY=LABEL)" */
static void print_line(const struct printer *printer, struct json_object *event, struct strbuf *out)
{
	const char *type = json_get_string(event, "Type", ""),
		   *id = json_get_string(event, "ID", ""),
		   *name = json_get_string(event, "Name", ""),
		   *health = json_get_string(event, "HealthStatus", NULL),
		   *exec_id = json_get_string(event, "ExecID", NULL);
	bool is_container = strcmp(type, "container") == 0;

	strbuf_addf(out, "%s %s %s", json_get_string(event, "Time", ""), type,
		    json_get_string(event, "Status", ""));
	if (is_container || strcmp(type, "image") == 0)
		strbuf_addf(out, " %.*s", printer->no_trunc ? 64 : 12, id);
	if (!is_container) {
		strbuf_addf(out, " %s\n", name);
		return;
	}
	strbuf_addf(out, " (image=%s, name=%s", json_get_string(event, "Image", ""), name);
	if (health)
		strbuf_addf(out, ", health_status=%s", health);
	if (exec_id)
		strbuf_addf(out, ", execID=%.*s", printer->no_trunc ? 64 : 12, exec_id);
	add_attributes(event, out);
	strbuf_adds(out, ")\n");
}

/* What podman leaves out is left out. */
static void print_json(struct json_object *event, struct strbuf *out)
{
	static const char *const members[] = {
		"ContainerExitCode", "ExecID", "HealthStatus", "ID", "Image", "Name", "Status", NULL
	};
	autojson struct json_object *row = json_object_new_object();
	struct json_object *labels = json_get(event, "Attributes");
	bool is_container = strcmp(json_get_string(event, "Type", ""), "container") == 0;

	for (const char *const *at = members; *at; at++)
		if (json_get(event, *at))
			json_object_object_add(row, *at, json_object_get(json_get(event, *at)));
	json_add_string(row, "Time", json_get_string(event, "time", NULL));
	json_add_string(row, "Type", json_get_string(event, "Type", ""));
	json_object_object_add(row, "Attributes",
			       labels	      ? json_object_get(labels)
			       : is_container ? json_object_new_object()
					      : NULL);
	strbuf_adds(out, json_object_to_json_string_ext(
				 row, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	strbuf_addc(out, '\n');
}

/* A template finds every field, whatever happened. */
static int print_template(const struct printer *printer, struct json_object *event,
			  struct strbuf *out, struct err *err)
{
	static const char *const texts[] = { "ExecID", "HealthStatus", "ID",   "Image",
					     "Name",   "Network",      "PodID" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!json_get(event, texts[i]))
			json_add_string(event, texts[i], "");
	if (!json_get(event, "ContainerExitCode"))
		json_add_int(event, "ContainerExitCode", 0);
	if (!json_get(event, "Attributes"))
		json_object_object_add(event, "Attributes", json_object_new_object());
	if (!printer->no_trunc) {
		autofree char *id = xstrndup(json_get_string(event, "ID", ""), 12);
		json_add_string(event, "ID", id);
	}
	json_object_object_del(event, "time");
	int r = template_render(printer->template, event, out, err);
	if (r == 0 && (!out->size || out->data[out->size - 1] != '\n'))
		strbuf_addc(out, '\n');
	return r;
}

static int print_event(struct json_object *event, void *arg, struct err *err)
{
	struct printer *printer = arg;
	int r = 0;

	if (!event)
		return fflush(stdout) == 0 ? 0 : err_errno(err, "write events");
	strbuf_reset(&printer->buf);
	if (printer->template)
		r = print_template(printer, event, &printer->buf, err);
	else if (printer->is_json)
		print_json(event, &printer->buf);
	else
		print_line(printer, event, &printer->buf);
	fwrite(strbuf_text(&printer->buf), 1, printer->buf.size, stdout);
	return r;
}

/* A duration counts back from now for the beginning, and forward for the end, as with podman. */
static int parse_until(const char *text, int64_t *ret_usec, struct err *err)
{
	int64_t now_usec = timestamp_now_usec(), span_usec;
	struct err ignored; /* then it is a point in time, or none */
	size_t digits = strspn(text, "0123456789.");

	if (text[digits] && duration_parse(text, &span_usec, &ignored) == 0) {
		*ret_usec = now_usec + span_usec;
		return 0;
	}
	return timestamp_parse(text, now_usec, ret_usec, err);
}

static int events(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct events_args *args = arguments;
	autoevent_filter struct event_filter *filter = NULL;
	autotemplate struct template *template = NULL;
	struct printer printer = { .no_trunc = args->no_trunc };
	struct event_query query = { .follows = args->stream, .output_fd = STDOUT_FILENO };
	int64_t usec = 0;
	struct engine *engine;

	int r = event_filter_parse(&args->filters, &filter, err);
	if (r == 0 && args->since) {
		r = timestamp_parse(args->since, timestamp_now_usec(), &usec, err);
		query.since_nsec = usec * 1000;
	}
	if (r == 0 && args->until) {
		r = parse_until(args->until, &usec, err);
		query.until_nsec = usec * 1000;
	}
	printer.is_json = output_wants_json(args->format);
	if (r == 0 && args->format && !printer.is_json)
		r = template_parse(args->format, &template, err);
	if (r == 0)
		r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	printer.template = template;
	query.filter = filter;
	query.wants_past = args->since || args->until || !args->stream;
	r = event_query_run(engine, &query, print_event, &printer, err);
	strbuf_clear(&printer.buf);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_events = {
	.names = "events|system events",
	.summary = "Show what davit does with containers, images and volumes",
	.description = "Without --since, --until and --stream=false only what happens from now on "
		       "is shown.",
	.examples = "davit events --filter event=died --format '{{.Name}} {{.ContainerExitCode}}'\n"
		    "davit events --since 1h --stream=false",
	.options = options,
	.args_size = sizeof(struct events_args),
	.run = events,
};
