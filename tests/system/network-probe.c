/* Runs one command in a network namespace that network/ has connected, without images, state or
 * monitor: for tests of the network alone and for timing it.
 *
 *	network-probe [OPTION…] -- COMMAND [ARGUMENT…]
 *	network-probe --sweep [ID…]
 *
 *	--network MODE   as davit run --network
 *	-p SPEC          as davit run -p; repeatable
 *	--address IP     of a bridge network; the first one free otherwise
 *	--id ID          the container's ID
 *	--run-dir DIR    takes the place of RUNROOT; must exist
 *	--helper PATH    davit-pasta
 *	--keep           do not take the network down afterwards, as if we had been killed
 *	--timing         print microseconds of each step
 *	--names          print what the container's files would say, and exit
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/timing.h"
#include "kernel/pidfd.h"
#include "network/files.h"
#include "network/network.h"

static _Noreturn void die(const struct err *err)
{
	fprintf(stderr, "Error: %s\n", err->text);
	exit(125);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(124);
	close(fd);
}

/* The container: tells by closing `ready` that its namespaces are there, and waits for `go`. */
static _Noreturn void run_child(char **command, int ready, int go)
{
	char map[64], byte;
	uid_t uid = getuid();
	gid_t gid = getgid();

	if (unshare(CLONE_NEWNET | (uid ? CLONE_NEWUSER : 0)) < 0)
		_exit(124);
	if (uid) {
		write_file("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %u 1", uid);
		write_file("/proc/self/uid_map", map);
		snprintf(map, sizeof(map), "0 %u 1", gid);
		write_file("/proc/self/gid_map", map);
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* behind the new identity, which resets it */
	close(ready);
	if (read(go, &byte, 1) != 1)
		_exit(124);
	execvp(command[0], command);
	_exit(127);
}

static int print_names(const struct network_host *host, struct in_addr address)
{
	struct network_names names;

	network_names(host, address, &names);
	printf("own %s\nhost %s\ndns %s\n", names.own_address, names.host_address,
	       names.dns_forwarder);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "network", required_argument, NULL, 'n' },
		{ "address", required_argument, NULL, 'a' },
		{ "id", required_argument, NULL, 'i' },
		{ "run-dir", required_argument, NULL, 'r' },
		{ "helper", required_argument, NULL, 'h' },
		{ "keep", no_argument, NULL, 'k' },
		{ "timing", no_argument, NULL, 't' },
		{ "names", no_argument, NULL, 'N' },
		{ "sweep", no_argument, NULL, 's' },
		{ 0 },
	};
	struct err err = { 0 };
	autoports struct port_list ports = PORT_LIST_EMPTY;
	const char *mode_text = NULL, *address = NULL, *id = "0123456789abcdef", *pasta_options;
	struct network_settings settings = { .run_root = "/run" };
	struct network_request request = { 0 };
	struct network_status status;
	struct network_host host;
	enum network_mode mode;
	bool keep = false, timing = false, names = false, sweep = false;

	for (int c; (c = getopt_long(argc, argv, "+p:", options, NULL)) >= 0;) {
		switch (c) {
		case 'n':
			mode_text = optarg;
			break;
		case 'a':
			address = optarg;
			break;
		case 'i':
			id = optarg;
			break;
		case 'r':
			settings.run_root = optarg;
			break;
		case 'h':
			request.helper_path = optarg;
			break;
		case 'k':
			keep = true;
			break;
		case 't':
			timing = true;
			break;
		case 'N':
			names = true;
			break;
		case 's':
			sweep = true;
			break;
		case 'p':
			if (ports_parse(optarg, &ports, &err) < 0)
				die(&err);
			break;
		default:
			return 125;
		}
	}
	if (sweep) {
		if (network_sweep((const char *const *)argv + optind, (size_t)(argc - optind),
				  &err) < 0)
			die(&err);
		return 0;
	}

	int64_t t0 = clock_now_usec();
	if (network_mode_parse(mode_text, &mode, &pasta_options, &err) < 0 ||
	    network_prepare(mode, &settings, &host, &err) < 0)
		die(&err);
	int64_t t1 = clock_now_usec();
	if (ports_assign(&ports, &err) < 0)
		die(&err);
	struct in_addr none = { 0 };
	if (network_lease(&host, NULL, 0, none, &request.address, &err) < 0)
		die(&err);
	if (address)
		inet_pton(AF_INET, address, &request.address);
	if (names)
		return print_names(&host, request.address);
	int64_t t2 = clock_now_usec();

	int ready[2], go[2], status_word;
	char byte;
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		return 125;
	pid_t pid = fork();
	if (pid == 0) {
		close(ready[0]);
		close(go[1]);
		run_child(argv + optind, ready[1], go[0]);
	}
	close(ready[1]);
	close(go[0]);
	(void)!read(ready[0], &byte, 1);
	int64_t t3 = clock_now_usec();

	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	request.host = &host;
	request.container_id = id;
	request.ports = &ports;
	request.pid = pid;
	request.pid_fd = pidfd_open_process(pid);
	request.net_ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	request.pasta_options = pasta_options;
	request.run_dir = settings.run_root;
	if (network_start(&request, &status, &err) < 0) {
		kill(pid, SIGKILL);
		die(&err);
	}
	int64_t t4 = clock_now_usec();
	if (network_wait(&status, &err) < 0) {
		kill(pid, SIGKILL);
		die(&err);
	}
	int64_t t5 = clock_now_usec();
	if (timing)
		fprintf(stderr, "prepare %d ports %d namespaces %d start %d wait %d\n",
			(int)(t1 - t0), (int)(t2 - t1), (int)(t3 - t2), (int)(t4 - t3),
			(int)(t5 - t4));
	close(request.net_ns_fd);
	(void)!write(go[1], "g", 1);
	while (waitpid(pid, &status_word, 0) < 0 && errno == EINTR)
		;
	int64_t t6 = clock_now_usec();
	if (!keep && network_stop(&status, id, settings.run_root, &err) < 0)
		die(&err);
	if (timing)
		fprintf(stderr, "ran %d stop %d\n", (int)(t6 - t5), (int)(clock_now_usec() - t6));
	return WIFEXITED(status_word) ? WEXITSTATUS(status_word) : 128 + WTERMSIG(status_word);
}
