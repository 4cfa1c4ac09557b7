/* Room on a full disk for who is about to make some. */
#pragma once

/* For the database at `path`, which is opened next and whose spare file is "PATH-spare". Borrowed until the database is
 * closed; then say NULL. */
void database_spare_watch(const char *path);

/* From now on this process may take the spare when the disk is full. */
void database_spare_allow(void);

/* Make it where there is none: of a new database, of one of an older davit, and after it was taken. No room is no
 * failure: the next one tries again. */
void database_spare_make(void);

/* The same if this process has taken it. */
void database_spare_restore(void);
