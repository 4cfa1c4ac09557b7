/* Results on standard output: what ps, images, volume ls, inspect and info share.
 *
 *	static const struct output_column columns[] = {
 *		{ "DRIVER", "Driver" }, { "VOLUME NAME", "Name" }, { NULL, NULL },
 *	};
 *	static const struct output_sort sorts[] = {
 *		{ "name", "Name", 0 }, { "created", "created_usec", OUTPUT_DESCENDING }, { NULL,
 *NULL, 0 },
 *	};
 *	struct output_list how = {
 *		.columns = columns, .sorts = sorts, .quiet_field = "Name",
 *		.format = args->format, .quiet = args->quiet, .noheading = args->noheading,
 *		.sort = args->sort,
 *	};
 *	return output_list(&how, rows, err);	// EXIT_OK or negative
 *
 * Rows are objects by field name, as --format knows them: for a table with texts ready to be read
 * ("3 minutes ago"), for --format json with the values that programs want. output_wants_json()
 * tells which is asked for. Control characters in a default table are shown as "?": whatever a
 * container put into its names must not move the terminal's cursor. */
#pragma once

#include <stdbool.h>

#include "cli/options.h"

struct err;
struct json_object;

struct output_column {
	const char *heading; /* "CONTAINER ID" */
	const char *field;   /* "ID" */
};

enum output_order { OUTPUT_ASCENDING, OUTPUT_DESCENDING };

/* What may stand behind --sort, and the field that it looks at: numbers are compared as numbers,
 * texts as texts. Fields whose names begin with a small letter are keys only: no --format shows them. */
struct output_sort {
	const char *name;
	const char *field;
	enum output_order order;
};

struct output_list {
	const struct output_column *columns; /* of the default table; the heading NULL ends it */
	/* More headings for "--format 'table {{.X}}'": fields that are in no default column and
	 * whose name in capitals would not do. May be NULL. */
	const struct output_column *headings;
	const struct output_sort *sorts; /* the name NULL ends it; the first is the default; NULL:
					    no sorting */
	const char *quiet_field;	 /* what --quiet prints */
	/* As the user wants it */
	const char *format; /* NULL, "json", "table", a template, "table " and a template */
	const char *sort;   /* NULL: the first of `sorts` */
	bool quiet, noheading;
};

/* Is the format "json", or "{{json .}}", which means the same? */
bool output_wants_json(const char *format);

/* Print the rows, an array of objects; sorts it in place. Returns 0 (EXIT_OK) or negative: bad
 * template, unknown sort key. An empty list prints the headings. */
int output_list(const struct output_list *how, struct json_object *rows, struct err *err);

/* Whether a template is one, before anything is looked up for it: a bad one is the only error then. */
int output_check_format(const char *format, struct err *err);

/* For inspect: the array as JSON, or the template once for each of its objects. */
int output_objects(const char *format, struct json_object *objects, struct err *err);

/* For info and version: YAML or `text` when there is no format ("json", a template). */
int output_object(const char *format, struct json_object *object, const char *text,
		  struct err *err);

/* The option rows --format of lists, where -f is --filter, and of commands that inspect. */
#define OUTPUT_FORMAT_OPTION(offset)                                                               \
	{                                                                                          \
		"format", 0, OPTION_STRING, offset, "FORMAT",                                      \
			"Print as json, or by a Go template such as '{{.ID}}'",                    \
			.choices = "json|table"                                                    \
	}
#define OUTPUT_INSPECT_FORMAT_OPTION(offset)                                                       \
	{                                                                                          \
		"format", 'f', OPTION_STRING, offset, "FORMAT",                                    \
			"Print as json, or by a Go template such as '{{.Id}}'", .choices = "json"  \
	}
