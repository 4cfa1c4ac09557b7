/* What davit says while it works, on standard error. Results never go through here, secrets never
 * may. */
#pragma once

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level); /* default: warn */
enum log_level log_level(void);

void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_debug(...)                                                                             \
	(log_level() >= LOG_LEVEL_DEBUG ? log_write(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
/* We went on; say what was done instead. */
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
