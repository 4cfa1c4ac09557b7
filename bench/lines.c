/* What writes and checks a log:
 *
 *	bench-lines COUNT           writes the lines 1 to COUNT at full speed, each its number in digits
 *	bench-lines --check COUNT   reads them: every line once and in order; else says which one is not
 *
 * It works in pieces of 64 KiB, so that a line is cut where a piece ends, as programs' output is. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 65536, LINE_MAX_SIZE = 24 };

static bool write_all(const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		size -= (size_t)n;
	}
	return true;
}

/* The number's digits and a newline, at the end of `line`. Returns where they begin. */
static const char *put_line(char line[LINE_MAX_SIZE], unsigned long number)
{
	char *at = line + LINE_MAX_SIZE;

	*--at = '\n';
	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	return at;
}

static int write_lines(unsigned long count)
{
	static char piece[PIECE + LINE_MAX_SIZE];
	char line[LINE_MAX_SIZE];
	size_t size = 0;

	for (unsigned long number = 1; number <= count; number++) {
		const char *at = put_line(line, number);
		size_t line_size = (size_t)(line + LINE_MAX_SIZE - at);

		memcpy(piece + size, at, line_size);
		size += line_size;
		if (size < PIECE)
			continue;
		if (!write_all(piece, PIECE))
			return 1;
		size -= PIECE;
		memcpy(piece, piece + PIECE, size);
	}
	return write_all(piece, size) ? 0 : 1;
}

static int check_lines(unsigned long count)
{
	static char line[PIECE];
	char wanted[LINE_MAX_SIZE];
	unsigned long number = 0;

	while (fgets(line, sizeof(line), stdin)) {
		const char *at = put_line(wanted, ++number);
		size_t size = (size_t)(wanted + LINE_MAX_SIZE - at);

		if (strlen(line) != size || memcmp(line, at, size) != 0) {
			fprintf(stderr, "line %lu is: %s", number, line);
			return 1;
		}
	}
	if (number == count)
		return 0;
	fprintf(stderr, "%lu lines of %lu\n", number, count);
	return 1;
}

int main(int argc, char *argv[])
{
	bool is_check = argc == 3 && strcmp(argv[1], "--check") == 0;

	if (argc != 2 && !is_check) {
		fprintf(stderr, "usage: %s [--check] COUNT\n", argv[0]);
		return 2;
	}
	unsigned long count = strtoul(argv[argc - 1], NULL, 10);
	return is_check ? check_lines(count) : write_lines(count);
}
