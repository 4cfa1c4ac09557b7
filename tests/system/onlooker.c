/* A process of a container that looks at each other one as soon as there is one: it stops it as a debugger does, and says
 * what that one has and a process of the container should not have. Its rights, which are the most that one should have,
 * are the container's and CAP_SYS_PTRACE.
 *
 *	ready			it has begun
 *	met PID			a process that has come
 *	seen PID: WHAT		something that it should not have, or should have and has not */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIDS_MAX 65536

struct rights {
	uint64_t permitted, bounding;
	int seccomp, no_new_privs;
};

static bool known[PIDS_MAX];

static void seen(int pid, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("seen %d: ", pid);
	vprintf(format, arguments);
	putchar('\n');
	va_end(arguments);
}

static bool read_rights(int pid, struct rights *rights)
{
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		(void)sscanf(line, "CapPrm: %" SCNx64, &rights->permitted);
		(void)sscanf(line, "CapBnd: %" SCNx64, &rights->bounding);
		(void)sscanf(line, "Seccomp: %d", &rights->seccomp);
		(void)sscanf(line, "NoNewPrivs: %d", &rights->no_new_privs);
	}
	fclose(file);
	return true;
}

static bool is_harmless(const char *target)
{
	static const char *const beginnings[] = {
		"/dev/null", "/dev/pts/", "pipe:", "socket:", "/dev/console", "/memfd:davit-exec"
	};

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (strncmp(target, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static bool read_target(const char *path, char *target, size_t size)
{
	ssize_t n = readlink(path, target, size - 1);

	target[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static void look_at_descriptors(int pid)
{
	char path[64], target[4096];

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir));) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%.10s", pid, entry->d_name);
		if (entry->d_name[0] != '.' && read_target(path, target, sizeof(target)) &&
		    !is_harmless(target))
			seen(pid, "descriptor %s is %s", entry->d_name, target);
	}
	closedir(dir);
}

/* Each of these links leads to a file of the container. */
static void look_at_files(int pid)
{
	static const char *const links[] = { "root", "cwd", "exe" };
	char path[64], target[4096];

	for (int i = 0; i < 3; i++) {
		struct stat by_link, by_name;
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, links[i]);
		if (!read_target(path, target, sizeof(target)) || stat(path, &by_link) < 0)
			continue; /* it has ended */
		if (!is_harmless(target) &&
		    (stat(target, &by_name) < 0 || by_name.st_ino != by_link.st_ino ||
		     by_name.st_dev != by_link.st_dev))
			seen(pid, "%s is %s", links[i], target);
	}
}

static void look_at(int pid, const struct rights *own)
{
	struct rights rights = { 0 };

	if (!read_rights(pid, &rights))
		return;
	if (rights.permitted & ~own->permitted || rights.bounding & ~own->bounding)
		seen(pid, "capabilities %" PRIx64 " of %" PRIx64, rights.permitted,
		     rights.bounding);
	if (rights.seccomp != own->seccomp || rights.no_new_privs < own->no_new_privs)
		seen(pid, "seccomp %d, no new privileges %d", rights.seccomp, rights.no_new_privs);
	look_at_descriptors(pid);
	look_at_files(pid);
}

static void meet(int pid, const struct rights *own)
{
	int status;
	bool is_held = ptrace(PTRACE_SEIZE, pid, 0, 0) == 0 &&
		       ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0 &&
		       waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status);

	look_at(pid, own);
	if (is_held)
		(void)ptrace(PTRACE_DETACH, pid, 0, 0);
	printf("met %d\n", pid);
}

int main(void)
{
	struct rights own = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!read_rights(getpid(), &own))
		return 1;
	known[getpid()] = true;
	puts("ready");
	for (;;) {
		DIR *dir = opendir("/proc");
		if (!dir)
			return 1;
		for (struct dirent *entry; (entry = readdir(dir));) {
			long pid = strtol(entry->d_name, NULL, 10);
			if (pid <= 0 || pid >= PIDS_MAX || known[pid])
				continue;
			known[pid] = true;
			meet((int)pid, &own);
		}
		closedir(dir);
	}
}
