#include "monitor/restart.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int restart_parse(const char *text, size_t size, struct restart *ret_restart)
{
	static const char always[] = "always ", on_failure[] = "on-failure ";
	struct restart restart = { 0 };
	const char *end = text + size;

	if (size > sizeof(always) - 1 && memcmp(text, always, sizeof(always) - 1) == 0) {
		restart.after_success = true;
		text += sizeof(always) - 1;
	} else if (size > sizeof(on_failure) - 1 &&
		   memcmp(text, on_failure, sizeof(on_failure) - 1) == 0) {
		text += sizeof(on_failure) - 1;
	} else {
		return -1;
	}
	if (text == end || *text == '\n')
		return -1;
	for (; text < end && *text != '\n'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		restart.delay_msec = restart.delay_msec * 10 + (uint32_t)(*text - '0');
		if (restart.delay_msec > RESTART_DELAY_MAX_MSEC)
			restart.delay_msec = RESTART_DELAY_MAX_MSEC;
	}
	*ret_restart = restart;
	return 0;
}

int restart_read(int run_dir_fd, struct restart *ret_restart)
{
	char text[64];

	int fd = openat(run_dir_fd, RESTART_FILE, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, text, sizeof(text));
	close(fd);
	return n <= 0 ? -1 : restart_parse(text, (size_t)n, ret_restart);
}

bool restart_applies(const struct restart *restart, int wait_status)
{
	return restart->after_success || wait_status != 0;
}

uint32_t restart_delay(const struct restart *restart, int64_t ran_msec)
{
	return ran_msec >= RESTART_GOOD_RUN_MSEC ? RESTART_DELAY_MSEC : restart->delay_msec;
}

uint32_t restart_next_delay(uint32_t delay_msec)
{
	return delay_msec < RESTART_DELAY_MAX_MSEC / 2 ? 2 * delay_msec : RESTART_DELAY_MAX_MSEC;
}
