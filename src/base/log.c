#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"

static enum log_level current_level = LOG_LEVEL_WARN;

void log_set_level(enum log_level level)
{
	current_level = level;
}

enum log_level log_level(void)
{
	return current_level;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {
		[LOG_LEVEL_ERROR] = "Error",
		[LOG_LEVEL_WARN] = "Warning",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	char line[4096]; /* one write(2) a line, so that lines of several processes do not mix */
	va_list ap;

	if (level > current_level)
		return;
	int n = snprintf(line, sizeof(line), "%s: ", names[level]);
	va_start(ap, fmt);
	int more = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (more > 0)
		n += more;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	(void)fd_write_all(STDERR_FILENO, line,
			   (size_t)n); /* a closed stderr is the user's choice */
}
