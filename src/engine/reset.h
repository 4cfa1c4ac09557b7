/* Back to the first day: all containers, images and volumes of this user go. */
#pragma once

struct engine;
struct err;

/* Remove every container, stopping what runs, then everything of davit's below the two roots.
 * Directories that hold something else too stay with that. A container that cannot be removed ends
 * it before anything else is touched. A damaged database is no obstacle: its containers are passed
 * over with a warning. The store is closed afterwards. */
int engine_reset(struct engine *engine, struct err *err);
