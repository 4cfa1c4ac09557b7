#include "engine/address-lease.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/container-network.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "store/database.h"

static int own_lease(struct database *db, const char *id, struct in_addr *ret_address,
		     struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(db, "SELECT address FROM leases WHERE container_id = ?", &query,
				 err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, id);
	r = statement_step(query, err);
	if (r > 0 && inet_pton(AF_INET, statement_text(query, 0), ret_address) != 1)
		r = 0;
	return r;
}

static int drop_lease(struct database *db, const char *id, struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(db, "DELETE FROM leases WHERE container_id = ?", &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, id);
	return statement_run(query, err);
}

static int taken_addresses(struct database *db, const char *network, struct in_addr **ret_list,
			   size_t *ret_count, struct err *err)
{
	autostatement struct statement *query = NULL;
	autofree struct in_addr *list = NULL;
	size_t count = 0;

	int r = database_prepare(db, "SELECT address FROM leases WHERE network = ?", &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, network);
	while ((r = statement_step(query, err)) > 0) {
		struct in_addr address;
		if (inet_pton(AF_INET, statement_text(query, 0), &address) != 1)
			continue;
		if ((count & (count + 1)) == 0)
			list = xreallocarray(take_ptr(&list), 2 * count + 1, sizeof(*list));
		list[count++] = address;
	}
	if (r < 0)
		return r;
	*ret_list = take_ptr(&list);
	*ret_count = count;
	return 0;
}

/* Who has the address: his ID, owned by the caller, or NULL. */
static int lease_holder(struct database *db, const char *network, const char *address,
			char **ret_id, struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(
		db, "SELECT container_id FROM leases WHERE network = ? AND address = ?", &query,
		err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, network);
	statement_bind_text(query, 2, address);
	r = statement_step(query, err);
	if (r > 0)
		*ret_id = xstrdup(statement_text(query, 0));
	return r < 0 ? r : 0;
}

static int take_over(struct engine *engine, struct database *db, const char *network,
		     const char *address, struct err *err)
{
	autocontainer struct container *holder = NULL;
	autofree char *id = NULL;
	struct err ignored; /* one that is gone needs no address */

	int r = lease_holder(db, network, address, &id, err);
	if (r < 0 || !id)
		return r;
	if (container_find(engine, id, 0, &holder, &ignored) == 0 && !container_is_over(holder))
		return err_set(err, EADDRINUSE,
			       "the address %s is already given to container %s; stop it, or ask "
			       "for another --ip",
			       address, holder->name);
	return drop_lease(db, id, err);
}

static int choose_wanted(struct container_network *network, struct engine *engine,
			 struct database *db, const char *wanted, struct err *err)
{
	const struct bridge_network *bridge = &network->host.bridge;
	struct in_addr address;
	char subnet[INET_ADDRSTRLEN];

	if (inet_pton(AF_INET, wanted, &address) != 1 ||
	    !network_address_fits(&network->host, address))
		return err_set(err, EADDRNOTAVAIL,
			       "requested static ip %s is not one for containers of network '%s', "
			       "which is %s/%u; ask for a free one in there",
			       wanted, bridge->name,
			       inet_ntop(AF_INET, &bridge->subnet.v4, subnet, sizeof(subnet)),
			       bridge->subnet.prefix);
	int r = take_over(engine, db, bridge->name, wanted, err);
	network->address = address;
	return r;
}

static int choose_free(struct container_network *network, struct database *db, struct err *err)
{
	autofree struct in_addr *taken = NULL;
	struct in_addr first = { 0 };
	size_t count = 0;

	int r = taken_addresses(db, network->host.bridge.name, &taken, &count, err);
	return r < 0 ? r
		     : network_lease(&network->host, taken, count, first, &network->address, err);
}

/* One transaction, so that no two get the same. */
int address_lease(struct container_network *network, struct engine *engine, const char *wanted,
		  struct err *err)
{
	autostatement struct statement *insert = NULL;
	char text[INET_ADDRSTRLEN];
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_begin(db, err);
	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	r = own_lease(db, network->id, &network->address, err);
	if (r < 0)
		return r;
	if (r > 0 && network_address_fits(&network->host, network->address) &&
	    (!wanted ||
	     strcmp(wanted, inet_ntop(AF_INET, &network->address, text, sizeof(text))) == 0))
		return 0;
	if (r > 0) /* the bridge has another subnet since then */
		r = drop_lease(db, network->id, err);
	if (r == 0)
		r = wanted ? choose_wanted(network, engine, db, wanted, err)
			   : choose_free(network, db, err);
	if (r == 0)
		r = database_prepare(
			db, "INSERT INTO leases(network, address, container_id) VALUES(?, ?, ?)",
			&insert, err);
	if (r < 0)
		return r;
	statement_bind_text(insert, 1, network->host.bridge.name);
	statement_bind_text(insert, 2, inet_ntop(AF_INET, &network->address, text, sizeof(text)));
	statement_bind_text(insert, 3, network->id);
	r = statement_run(insert, err);
	return r < 0 ? r : database_commit(db, err);
}
