#include "store/layer-record.h"

#include "base/duration.h"
#include "base/err.h"
#include "store/database.h"
#include "store/layer.h"
#include "store/store.h"

bool layer_is_recorded(struct store *store, const char *diff_id)
{
	struct err err = { 0 };
	autostatement struct statement *stmt = NULL;

	if (database_prepare(store_database(store),
			     "SELECT 1 FROM layers WHERE diff_id = ? AND (synced OR boot_id = ?)",
			     &stmt, &err) < 0)
		return false;
	statement_bind_text(stmt, 1, diff_id);
	statement_bind_text(stmt, 2, store_boot_id(store));
	return statement_step(stmt, &err) > 0 && layer_exists(store_root_fd(store), diff_id);
}

int layer_record(struct store *store, const char *diff_id, int64_t size_bytes, struct err *err)
{
	autostatement struct statement *stmt = NULL;
	int r = database_prepare(store_database(store),
				 "INSERT OR REPLACE INTO layers(diff_id, size_bytes, created_nsec, "
				 "synced, boot_id) VALUES(?, ?, ?, 0, ?)",
				 &stmt, err);

	if (r < 0)
		return r;
	statement_bind_text(stmt, 1, diff_id);
	statement_bind_int(stmt, 2, size_bytes);
	statement_bind_int(stmt, 3, timestamp_now_nsec());
	statement_bind_text(stmt, 4, store_boot_id(store));
	return statement_run(stmt, err);
}

int64_t layer_recorded_bytes(struct store *store, const char *diff_id)
{
	struct err err = { 0 };
	autostatement struct statement *stmt = NULL;

	if (database_prepare(store_database(store),
			     "SELECT size_bytes FROM layers WHERE diff_id = ?", &stmt, &err) < 0)
		return 0;
	statement_bind_text(stmt, 1, diff_id);
	return statement_step(stmt, &err) > 0 ? statement_int(stmt, 0) : 0;
}
