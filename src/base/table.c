#include "base/table.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define GAP	  2
#define NARROWEST 12 /* with the gap; the peers' tables have it */

struct range {
	uint32_t first, last;
};

/* wcwidth(3) depends on a locale that we never set: that would cost every start. */
static const struct range zero_width[] = {
	{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd }, { 0x0610, 0x061a },
	{ 0x064b, 0x065f }, { 0x0900, 0x0902 }, { 0x0e31, 0x0e31 }, { 0x0e34, 0x0e3a },
	{ 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x200b, 0x200f }, { 0x20d0, 0x20ff },
	{ 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0xe0100, 0xe01ef },
};
static const struct range double_width[] = {
	{ 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x23e9, 0x23ec },	  { 0x2614, 0x2615 },
	{ 0x26a1, 0x26a1 },   { 0x2705, 0x2705 },   { 0x274c, 0x274c },	  { 0x2e80, 0x303e },
	{ 0x3041, 0x33ff },   { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },	  { 0xa000, 0xa4cf },
	{ 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },	  { 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff },
	{ 0x20000, 0x3fffd },
};

static bool is_in(uint32_t c, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/* The next character; a byte that is not UTF-8 counts as one. */
static size_t next_char(const char *text, size_t size, uint32_t *ret_char)
{
	unsigned char lead = (unsigned char)text[0];
	size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	uint32_t c = length == 1 ? lead : lead & (0x7fu >> length);

	for (size_t i = 1; i < length; i++) {
		if (i >= size || ((unsigned char)text[i] & 0xc0) != 0x80) {
			*ret_char = '?';
			return 1;
		}
		c = c << 6 | ((unsigned char)text[i] & 0x3f);
	}
	*ret_char = c;
	return length;
}

size_t text_width(const char *text, size_t size)
{
	size_t width = 0;

	for (size_t i = 0; i < size;) {
		uint32_t c;

		i += next_char(text + i, size - i, &c);
		if (c < 0x300)
			width += 1;
		else if (is_in(c, double_width, ARRAY_SIZE(double_width)))
			width += 2;
		else
			width += !is_in(c, zero_width, ARRAY_SIZE(zero_width));
	}
	return width;
}

/* The width of each column: its widest cell and the gap. A cell counts only when another one
 * follows on its line. */
static size_t *measure(const char *text, size_t *ret_columns)
{
	size_t *widths = NULL, columns = 0, column = 0;

	while (*text) {
		size_t size = strcspn(text, "\t\n");

		if (text[size] == '\t') {
			size_t width = text_width(text, size);

			if (column >= columns) {
				widths = xreallocarray(widths, ++columns, sizeof(*widths));
				widths[column] = 0;
			}
			if (width > widths[column])
				widths[column] = width;
		}
		column = text[size] == '\t' ? column + 1 : 0;
		text += size + (text[size] != 0);
	}
	for (size_t i = 0; i < columns; i++)
		widths[i] = widths[i] + GAP > NARROWEST ? widths[i] + GAP : NARROWEST;
	*ret_columns = columns;
	return widths;
}

void table_print(const char *text, FILE *out)
{
	autofree size_t *widths = NULL;
	size_t columns, column = 0;

	widths = measure(text, &columns);
	while (*text) {
		size_t size = strcspn(text, "\t\n");

		fwrite(text, 1, size, out);
		if (text[size] == '\t') {
			fprintf(out, "%*s", (int)(widths[column++] - text_width(text, size)), "");
		} else if (text[size] == '\n') {
			fputc('\n', out);
			column = 0;
		}
		text += size + (text[size] != 0);
	}
}
