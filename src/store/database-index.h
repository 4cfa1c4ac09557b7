/* The index of SQLite's write-ahead log, kept from one process to the next. */
#pragma once

/* For the database at `path`, which is opened next. The string is borrowed until it is
 * closed; then say NULL. Nothing is lost when it cannot be done: then the index is built again. */
void database_index_keep(const char *path);
