#include "base/progress.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/human.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/timing.h"

#define DRAW_USEC	100000
#define BAR_CELLS	24
#define RATE_AFTER_USEC 500000

struct item {
	char *label;
	const char *activity; /* borrowed literal */
	int64_t total, bytes;
	int64_t first_bytes, start_usec; /* for the rate */
	bool is_live, has_started;
};

struct progress {
	int fd;
	bool is_terminal;
	struct item *items;
	int count;
	int drawn_lines; /* of the live block on the screen now */
	int64_t drawn_usec;
	bool is_dirty;
};

struct progress *progress_new(int fd)
{
	struct progress *progress = xcalloc(1, sizeof(*progress));

	progress->fd = fd;
	progress->is_terminal = isatty(fd);
	return progress;
}

/* Put the cursor where the block began and clear from there. */
static void add_erase(struct progress *progress, struct strbuf *out)
{
	if (progress->drawn_lines > 0)
		strbuf_addf(out, "\r\033[%dA\033[J", progress->drawn_lines);
	progress->drawn_lines = 0;
}

static void flush(struct progress *progress, struct strbuf *out)
{
	if (out->size > 0) /* a closed terminal is no reason to stop working */
		(void)fd_write_all(progress->fd, out->data, out->size);
}

void progress_free(struct progress *progress)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY;

	if (!progress)
		return;
	add_erase(progress, &out);
	flush(progress, &out);
	for (int i = 0; i < progress->count; i++)
		free(progress->items[i].label);
	free(progress->items);
	free(progress);
}

static void add_rate(const struct item *item, int64_t now, struct strbuf *out)
{
	int64_t usec = now - item->start_usec, bytes = item->bytes - item->first_bytes;

	if (!item->has_started || usec < RATE_AFTER_USEC || bytes <= 0)
		return;
	double rate = (double)bytes * 1e6 / (double)usec;
	autofree char *rate_text = human_size(rate, 3, "");
	strbuf_addf(out, "  %s/s", rate_text);
	if (item->total > item->bytes) {
		int64_t left = (int64_t)((double)(item->total - item->bytes) / rate) + 1;
		if (left < 3600)
			strbuf_addf(out, "  %d:%02d left", (int)(left / 60), (int)(left % 60));
		else
			strbuf_addf(out, "  %dh%02dm left", (int)(left / 3600),
				    (int)(left % 3600 / 60));
	}
}

static void add_item(const struct item *item, int64_t now, int columns, struct strbuf *out)
{
	autostrbuf struct strbuf line = STRBUF_EMPTY;
	autofree char *bytes = human_size((double)item->bytes, 3, "");

	strbuf_addf(&line, "%-20s ", item->label);
	if (item->total > 0) {
		autofree char *total = human_size((double)item->total, 3, "");
		int64_t cells = item->bytes >= item->total ? BAR_CELLS
							   : item->bytes * BAR_CELLS / item->total;
		strbuf_addc(&line, '[');
		for (int i = 0; i < BAR_CELLS; i++)
			strbuf_addc(&line, i < cells ? '=' : i == cells ? '>' : ' ');
		strbuf_addf(&line, "] %s / %s", bytes, total);
	} else if (item->bytes > 0) {
		strbuf_adds(&line, bytes);
	}
	if (item->activity)
		strbuf_addf(&line, "  %s", item->activity);
	add_rate(item, now, &line);
	size_t size = line.size;
	if (columns > 1 && size > (size_t)columns - 1)
		size = (size_t)columns - 1; /* a line that wraps would spoil the counting */
	strbuf_add(out, line.data, size);
	strbuf_addc(out, '\n');
}

static void redraw(struct progress *progress, struct strbuf *out)
{
	struct winsize window = { 0 };
	int64_t now = clock_now_usec();

	(void)ioctl(progress->fd, TIOCGWINSZ, &window);
	int limit = window.ws_row > 2 ? window.ws_row - 1 : 20;
	add_erase(progress, out);
	for (int i = 0; i < progress->count && progress->drawn_lines < limit; i++) {
		if (!progress->items[i].is_live)
			continue;
		add_item(&progress->items[i], now, window.ws_col, out);
		progress->drawn_lines++;
	}
	progress->drawn_usec = now;
	progress->is_dirty = false;
}

static void say(struct progress *progress, const char *text)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY;

	if (progress->is_terminal)
		add_erase(progress, &out);
	strbuf_addf(&out, "%s\n", text);
	if (progress->is_terminal)
		redraw(progress, &out);
	flush(progress, &out);
}

void progress_say(struct progress *progress, const char *fmt, ...)
{
	va_list args;
	char *text = NULL;

	if (!progress)
		return;
	va_start(args, fmt);
	int size = vasprintf(&text, fmt, args);
	va_end(args);
	if (size < 0)
		abort();
	say(progress, text);
	free(text);
}

int progress_add(struct progress *progress, const char *label, int64_t total_bytes)
{
	if (!progress)
		return 0;
	progress->items = xreallocarray(progress->items, (size_t)progress->count + 1,
					sizeof(*progress->items));
	progress->items[progress->count] =
		(struct item){ .label = xstrdup(label), .total = total_bytes, .is_live = true };
	progress->is_dirty = true;
	return progress->count++;
}

void progress_update(struct progress *progress, int number, int64_t bytes, const char *activity)
{
	if (!progress)
		return;
	struct item *item = &progress->items[number];
	if (activity && activity != item->activity) {
		item->activity = activity;
		item->has_started = false;
	}
	if (!item->has_started) {
		item->has_started = true;
		item->first_bytes = bytes;
		item->start_usec = clock_now_usec();
	}
	item->bytes = bytes;
	progress->is_dirty = true;
}

void progress_finish(struct progress *progress, int number, const char *outcome)
{
	if (!progress || !progress->items[number].is_live)
		return;
	struct item *item = &progress->items[number];
	item->is_live = false;
	progress->is_dirty = true;
	if (!outcome)
		return;
	int64_t bytes = item->total > 0 ? item->total : item->bytes;
	autofree char *size = bytes > 0 ? human_size((double)bytes, 3, "") : xstrdup("");
	autofree char *line =
		xasprintf("%-20s %s%s%s", item->label, size, *size ? "  " : "", outcome);
	say(progress, line);
}

int progress_draw(struct progress *progress)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY;

	if (!progress || !progress->is_terminal)
		return -1;
	int64_t due = progress->drawn_usec + DRAW_USEC - clock_now_usec();
	if (due > 0)
		return (int)(due / 1000) + 1;
	redraw(progress, &out);
	flush(progress, &out);
	return DRAW_USEC / 1000;
}
