/* What --label takes. */
#pragma once

struct err;
struct strlist;

/* Has each a key? "KEY" alone has the value "". */
int labels_check(const struct strlist *labels, struct err *err);
