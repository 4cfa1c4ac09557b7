/* Options, declared once: a row of a table says everything about one option. The parser, --help,
 * shell completion and the test that compares manual pages with the program all read these rows.
 *
 * Accepted spellings: --name value, --name=value, -n value, -nvalue, -n=value, clusters of flags
 * (-it) whose last one may take a value (-itp8080:80), flags with a value (--rm=false), and "--"
 * as the end of options. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/strlist.h"

struct err;

/* What the option is and the type of the field at `offset`. Texts are borrowed from argv, the
 * environment or the table; only the lists are owned, and released by options_clear(). */
enum option_kind {
	OPTION_FLAG,	 /* bool; --x, --x=true, --x=false */
	OPTION_TRISTATE, /* enum option_tristate; as FLAG, but "not given" can be told from "false"
			  */
	OPTION_STRING,	 /* const char *; the last one counts */
	OPTION_STRINGS,	 /* struct strlist; every one counts, in order */
	OPTION_CHOICE,	 /* const char *; one of `choices`, else an error */
	OPTION_INT,	 /* int64_t */
	OPTION_DECIMAL,	 /* double */
	OPTION_BYTES,	 /* int64_t; 512m, 1g, 1.5GiB, 4096 */
	OPTION_DURATION, /* int64_t microseconds; 1h30m, 500ms, a bare number counts seconds */
	OPTION_ENV,	 /* struct strlist of KEY=VALUE; KEY alone takes the caller's value or is
			    passed over, KEY* takes all that begin so; a later KEY replaces */
	OPTION_INCLUDE,	 /* no option: the rows of `include`, whose offsets count from here */
};

enum option_tristate { TRISTATE_UNSET, TRISTATE_FALSE, TRISTATE_TRUE };

enum option_traits {
	OPTION_HIDDEN = 1 << 0,	    /* works, but is in no help, completion or manual page */
	OPTION_COMMAS = 1 << 1,	    /* STRINGS: a,b,c are three */
	OPTION_MINUS_ONE = 1 << 2,  /* BYTES: -1 is allowed and means unlimited */
	OPTION_NEEDS_ROOT = 1 << 3, /* only works for root; --help says so */
	OPTION_TOP_ONLY = 1 << 4,   /* global option that is not understood behind a command */
	OPTION_FROM_ZERO =
		1 << 5, /* INT: the user may give no negative number; .initial may be one */
};

/* Where completion takes names from that only the engine knows. */
enum completion_source {
	COMPLETE_NOTHING,
	COMPLETE_FILES,
	COMPLETE_CONTAINERS,
	COMPLETE_RUNNING,	  /* containers that run */
	COMPLETE_CONTAINER_PATHS, /* "CONTAINER:", or files */
	COMPLETE_IMAGES,
	COMPLETE_VOLUMES,
	COMPLETE_SECRETS,
	COMPLETE_OBJECTS,  /* containers, images, volumes */
	COMPLETE_COMMANDS, /* davit's own */
};

struct option_spec {
	const char *name; /* without dashes */
	char short_name;  /* or 0 */
	enum option_kind kind;
	size_t offset; /* of the field in the command's arguments: offsetof(struct x_args, f) */
	const char *metavar; /* the value in help texts, in capitals; NULL for flags */
	const char *help;    /* one line, no full stop */
	/* The rest is usually left out, or written as .choices = … */
	enum option_traits traits;
	enum completion_source complete; /* of the value, beside `choices` */
	const char *choices;		 /* "always|missing|never"; also offered by completion */
	const char *if_bare; /* makes the value optional: what --x alone means; "--x value" does
				not take the value then, only "--x=value" does */
	const char *initial; /* the field's value when the option is not given, as a user would
				write it; shown in --help */
	const struct option_spec *include;
};

#define OPTION_END                                                                                 \
	{                                                                                          \
		.name = NULL, .include = NULL                                                      \
	}

/* One table of rows and the struct that its offsets point into. */
struct option_set {
	const struct option_spec *specs;
	void *fields;
};

struct option_parser {
	/* In the order of search: a command's own options hide global ones of the same name. */
	struct option_set sets[2];
	char *const *environment; /* for OPTION_ENV; borrowed */
	/* The first operand ends the options: what follows belongs to the container's command. */
	bool stop_at_operand;
	bool is_top; /* options marked OPTION_TOP_ONLY are understood */

	/* Results */
	char **operands; /* array owned, texts borrowed; NULL at its end */
	int operand_count;
	struct strlist given; /* names, in the order of the command line */
};

/* Parse argv[0 … argc-1], which has no program name in front. Fields without an `initial` keep
 * what they had. Errors read as podman's: "unknown flag: --x". Call options_clear() in any case. */
int options_parse(struct option_parser *parser, int argc, char **argv, struct err *err);
void options_clear(struct option_parser *parser); /* the lists in the fields too */

/* Was the option on the command line? */
bool options_given(const struct option_parser *parser, const char *name);

/* Walk over the rows of a table and of those that it includes. The row's field is at
 * fields + *ret_base + row->offset. */
struct option_walk {
	const struct option_spec *at[4];
	size_t base[4];
	int depth;
};
void options_walk_start(struct option_walk *walk, const struct option_spec *specs);
const struct option_spec *options_walk_next(struct option_walk *walk, size_t *ret_base);

/* The row of an option that may stand here: by its name when `name` is set, else by its letter. */
const struct option_spec *options_find(const struct option_parser *parser, const char *name,
				       size_t name_size, char short_name);

/* Does the option take a value in the next word? */
bool option_takes_word(const struct option_spec *spec);
/* Is this a FLAG or TRISTATE? */
bool option_is_flag(const struct option_spec *spec);
