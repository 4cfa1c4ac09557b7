#!/usr/bin/env python3
"""An agent for SCMP_ACT_NOTIFY: seccomp-agent.py SOCKET STATES [ERRNO]

Each connection brings the state of a container process, which is added to the file STATES, and the listener of its
filter. A notified call fails with ERRNO, or goes on without one. Prints "ready" when it listens."""
import fcntl, os, select, socket, struct, sys

RECV, SEND = 0xC0502100, 0xC0182101

path, states, errno = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(path)
server.listen()
print("ready", flush=True)
poll = select.poll()
poll.register(server, select.POLLIN)
while True:
    for fd, events in poll.poll():
        if fd == server.fileno():
            connection, _ = server.accept()
            text, fds, _, _ = socket.recv_fds(connection, 65536, 1)
            while more := connection.recv(65536):
                text += more
            connection.close()
            with open(states, "ab") as file:
                file.write(text + b"\n")
            poll.register(fds[0], select.POLLIN)
        elif events & select.POLLIN:
            call = bytearray(80)
            try:
                fcntl.ioctl(fd, RECV, call)
                (number,) = struct.unpack_from("=Q", call)
                fcntl.ioctl(fd, SEND, struct.pack("=QqiI", number, 0, -errno, 0 if errno else 1))
            except OSError:
                pass  # who called is gone
        else:
            poll.unregister(fd)
            os.close(fd)
