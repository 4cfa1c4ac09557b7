/* What davit-monitor and the commands that attach to it say to each other.
 *
 * The monitor listens on a SOCK_SEQPACKET socket, RUNDIR/attach, and is born with one connection
 * already made (the foreground `davit run`, when there is one). Each packet is one byte of enum
 * monitor_packet and its payload. This header is shared with the monitor, which is linked without
 * any of our libraries: types and constants only. */
#pragma once

#include <stdint.h>

#define MONITOR_PACKET_MAX (32768 + 1)

enum monitor_packet {
	/* command → monitor */
	MONITOR_STDIN = 'i', /* bytes for the container's standard input. The next may be sent only
				when MONITOR_STDIN_TAKEN has come for this one, so that a container
				that does not read keeps nothing but input from getting through */
	MONITOR_STDIN_EOF = 'e', /* no more of them: closes the container's standard input if it was
				    opened with -i */
	MONITOR_RESIZE = 'r',	 /* struct monitor_resize */
	MONITOR_OUTPUT_CLOSED =
		'p',	    /* one byte, MONITOR_STDOUT or MONITOR_STDERR: our own output of that
			name is closed. From the connection born with the monitor this
			closes the container's, so that it gets its SIGPIPE */
	MONITOR_MUTE = 'm', /* no output, please, only the end */
	MONITOR_CLEANED =
		'c', /* answer to MONITOR_EXIT: all is cleaned up, the monitor need not do it, but for
			directories that nobody knows any more: their absolute paths, each with its
			zero byte, for the monitor to remove in this order */
	MONITOR_HEALTH = 'h', /* struct monitor_health: health is checked at other times from now
				 on. Answered by the same byte */
	/* monitor → command */
	MONITOR_STDOUT = 'o',
	MONITOR_STDERR = 'x',
	MONITOR_SKIPPED = 's',	    /* uint64_t: so many bytes of output were left out, because this
				       client did not read for a while; the log has them */
	MONITOR_STDIN_TAKEN = 't',  /* the container has the last MONITOR_STDIN */
	MONITOR_STDIN_CLOSED = 'n', /* nobody reads the container's standard input any more */
	MONITOR_EXIT = 'q',	    /* struct monitor_exit: after the last byte of output */
	MONITOR_AGAIN = 'a', /* the container ended and was started again: what it has to know of
				this client (end of input, size, closed output) has to be told again */
};

struct monitor_resize {
	uint16_t rows, columns;
};

struct monitor_health {
	uint32_t every_msec; /* 0: not any more */
	uint8_t is_due;	     /* at once, not only after that time */
	uint8_t unused[3];
};

struct monitor_exit {
	int32_t wait_status; /* as waitpid(2) gives it */
	uint8_t oom_killed;
	uint8_t you_clean_up; /* this connection was the one born with the monitor: it is asked to
				 do the cleaning and answer MONITOR_CLEANED; if it hangs up before,
				 the monitor starts the cleaning itself */
	uint8_t unused[2];
};

/* Files in the container's run directory (tmpfs). Written aside and renamed. */
#define MONITOR_FILE_EXIT                                                                          \
	"exit" /* "WAIT_STATUS OOM(0|1) UNIX_NSEC\n", written by the monitor when the init ended   \
		*/
#define MONITOR_FILE_ATTACH "attach" /* the socket */
#define MONITOR_FILE_PID                                                                           \
	"pid" /* "PID STARTTIME MONITOR_PID MONITOR_STARTTIME UNIX_NSEC\n", written by the engine  \
		 before exec; STARTTIME is field 22 of /proc/PID/stat */
