/* What is in a directory. */
#pragma once

struct strlist;

/* Append the names but "." and "..", in no order, from the first one on, wherever the descriptor stands. Returns 0 or
 * -errno. */
int directory_list(int dir_fd, struct strlist *names);

/* 1, 0 or -errno. */
int directory_is_empty(int dir_fd);
