/* davit port: shows the published ports of containers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container.h"
#include "engine/published-ports.h"
#include "network/ports.h"

struct port_args {
	bool all, latest;
};

static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, offsetof(struct port_args, all), NULL,
	  "Of every running container" },
	{ "latest", 'l', OPTION_FLAG, offsetof(struct port_args, latest), NULL,
	  "Of the container that was made last, instead of a name" },
	OPTION_END,
};

static int load_ports(const struct container *container, struct port_list *ports, struct err *err)
{
	autostrlist struct strlist lines = STRLIST_EMPTY;

	strlist_split(&lines, container->ports, '\n');
	return published_ports_load(&lines, ports, err);
}

static int show_all(struct engine *engine, struct err *err)
{
	struct container **list;
	size_t count;

	int r = container_list(engine, 0, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < count; i++) {
		autoports struct port_list ports = PORT_LIST_EMPTY;
		autostrbuf struct strbuf text = STRBUF_EMPTY;
		autostrlist struct strlist lines = STRLIST_EMPTY;
		if (list[i]->state != CONTAINER_RUNNING)
			continue;
		r = load_ports(list[i], &ports, err);
		ports_format_lines(&ports, &text);
		strlist_split(&lines, strbuf_text(&text), '\n');
		for (size_t l = 0; l < lines.count; l++)
			if (*lines.items[l])
				printf("%.12s\t%s\n", list[i]->id, lines.items[l]);
	}
	container_list_free(list, count);
	return r;
}

/* "80", "80/tcp": what is published of this one port, without its own name in front. */
static int show_one(const struct container *container, const struct port_list *ports,
		    const char *wanted, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	autostrlist struct strlist lines = STRLIST_EMPTY;
	autofree char *key =
		strchr(wanted, '/') ? xasprintf("%s -> ", wanted) : xasprintf("%s/tcp -> ", wanted);
	bool found = false;

	ports_format_lines(ports, &text);
	strlist_split(&lines, strbuf_text(&text), '\n');
	for (size_t i = 0; i < lines.count; i++)
		if (strncmp(lines.items[i], key, strlen(key)) == 0) {
			puts(lines.items[i] + strlen(key));
			found = true;
		}
	if (!found)
		return err_set(err, ENOENT,
			       "port %s of container '%s' is not published; see 'davit port %s'",
			       wanted, container->name, container->name);
	return 0;
}

static int port(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct port_args *args = arguments;
	autocontainer struct container *container = NULL;
	autoports struct port_list ports = PORT_LIST_EMPTY;
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct engine *engine;

	/* With --latest only a port may follow. */
	if (args->all ? argc > 0 || args->latest : args->latest ? argc > 1 : argc == 0)
		return err_set(err, EINVAL, "name one container, or give --latest or --all");
	int r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	if (args->all)
		return show_all(engine, err);
	r = find_container_or_latest(engine, args->latest ? NULL : argv[0], 0, &container, err);
	if (r == 0)
		r = load_ports(container, &ports, err);
	if (r < 0)
		return r;
	if (argc == (args->latest ? 1 : 2))
		return show_one(container, &ports, argv[argc - 1], err);
	ports_format_lines(&ports, &text);
	fputs(strbuf_text(&text), stdout);
	return EXIT_OK;
}

const struct command command_port = {
	.names = "port|container port",
	.summary = "Show the published ports of containers",
	.operands = "[CONTAINER [PORT[/PROTO]]]",
	.min_operands = 0,
	.max_operands = 2,
	.complete = COMPLETE_RUNNING,
	.options = options,
	.args_size = sizeof(struct port_args),
	.run = port,
};
