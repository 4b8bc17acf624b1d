/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_count - see gate_count.h.
 */
#include "proc/gate_count.h"

#include <string.h>

#include "base/buf.h"

/* What is counted: the sessions of a client, and those of it at one service. */
struct count_name {
	struct prefix client;
	char service[CONF_NAME_MAX]; /* "": all */
};

static uint64_t count_hash(const struct gate *gate, const struct addr *addr,
			   const char *service_name)
{
	struct count_name name;

	memset(&name, 0, sizeof(name));
	name.client = prefix_of_client(addr);
	(void)text_copy(name.service, sizeof(name.service), service_name);
	return tally_hash(&gate->counts, &name, sizeof(name));
}

int count_take_memory(struct gate *gate, void *memory, size_t size_bytes)
{
	return tally_join(&gate->counts, memory, size_bytes, gate->conf->gates,
			  gate->index);
}

void count_comes(struct gate *gate, const struct addr *addr, const char *service_name)
{
	tally_add(&gate->counts, count_hash(gate, addr, ""));
	tally_add(&gate->counts, count_hash(gate, addr, service_name));
}

void count_goes(struct gate *gate, const struct addr *addr, const char *service_name)
{
	tally_remove(&gate->counts, count_hash(gate, addr, ""));
	tally_remove(&gate->counts, count_hash(gate, addr, service_name));
}

const char *count_limit(const struct gate *gate, const struct addr *addr, int service,
			bool is_counted)
{
	const struct conf_service *at = &gate->conf->services[service];
	const uint32_t all = tally_count(&gate->counts, count_hash(gate, addr, ""));
	const uint32_t here =
		tally_count(&gate->counts, count_hash(gate, addr, at->name));

	if (all >= gate->conf->limits.sessions_per_client_max + is_counted)
		return "sessions-per-client-max";
	if (here >= at->sessions_per_client_max + is_counted)
		return "sessions-per-client-max-of-service";
	return NULL;
}
