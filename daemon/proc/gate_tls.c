/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_tls - see gate_tls.h.
 */
#include "proc/gate_tls.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ttlmap.h"
#include "proc/gate_state.h"
#include "proc/tls_bundle.h"

int gate_tls_init(struct gate *gate)
{
	gate->tls.recent = ttlmap_new(GATE_TLS_CLIENTS_MAX, sizeof(struct prefix),
				      sizeof(uint64_t), gate->client_seed);
	return gate->tls.recent ? 0 : -ENOMEM;
}

void gate_tls_done(struct gate *gate)
{
	struct gate_tls *tls = &gate->tls;

	for (size_t i = 0; i < CONF_SERVICES_MAX; i++) {
		tls_server_free(&tls->servers[i]);
		tls_client_free(&tls->clients[i]);
	}
	ttlmap_free(&tls->recent);
	explicit_bzero(&tls->tickets, sizeof(tls->tickets));
}

void gate_tls_renumber(struct gate *gate, const struct conf *old_conf)
{
	struct gate_tls *tls = &gate->tls;
	struct tls_server *servers[CONF_SERVICES_MAX] = {0};
	struct tls_client *clients[CONF_SERVICES_MAX] = {0};

	for (size_t i = 0; i < old_conf->service_count; i++) {
		int now = conf_service_find(gate->conf, old_conf->services[i].name);

		if (now >= 0 && conf_service_has_tls(&gate->conf->services[now]))
			servers[now] = TAKE_PTR(tls->servers[i]);
		if (now >= 0 && gate->conf->services[now].backend_tls != BACKEND_TLS_NONE)
			clients[now] = TAKE_PTR(tls->clients[i]);
		tls_server_free(&tls->servers[i]);
		tls_client_free(&tls->clients[i]);
	}
	memcpy(tls->servers, servers, sizeof(servers));
	memcpy(tls->clients, clients, sizeof(clients));
}

/* ---- contexts -------------------------------------------------------------------------------- */

static const char *alpn_name(enum service_type type)
{
	if (type == SERVICE_POP3 || type == SERVICE_POP3S)
		return "pop3";
	return type == SERVICE_IMAP || type == SERVICE_IMAPS ? "imap" : NULL;
}

static void log_failed(const struct conf_service *service, const char *side,
		       const char *problem)
{
	log_error("event=tls-context service=%s side=%s reason=\"%s\"", service->name,
		  side, problem);
}

static void make_server(struct gate *gate, size_t index, const struct tls_bundle *bundle)
{
	const struct conf_service *service = &gate->conf->services[index];
	struct tls_pair pairs[CONF_SERVICE_CERTS_MAX];
	const struct tls_server_conf conf = {
		.pairs = pairs,
		.count = service->certificate_count,
		.min = service->tls_min == TLS_LEAST_1_3 ? TLS_VERSION_1_3
							 : TLS_VERSION_1_2,
		.id = service->name,
		.alpn = alpn_name((enum service_type)service->type),
		.tickets = &gate->tls.tickets,
		.ticket_life_s =
			gate->conf->limits.tls_ticket_rotation_s * (TLS_TICKET_KEYS - 1),
	};
	struct tls_server *server = NULL;
	char problem[TLS_PROBLEM_MAX];

	for (size_t i = 0; i < service->certificate_count; i++) {
		const uint8_t at = service->certificates[i];

		pairs[i].chain = tls_bundle_text(bundle, &bundle->head->chains[at]);
		pairs[i].key = tls_bundle_text(bundle, &bundle->head->keys[at]);
	}
	if (tls_server_new(&conf, &server, problem)) {
		log_failed(service, "client", problem);
		return;
	}
	tls_server_free(&gate->tls.servers[index]);
	gate->tls.servers[index] = server;
}

static void make_client(struct gate *gate, size_t index, const struct tls_bundle *bundle)
{
	const struct conf_service *service = &gate->conf->services[index];
	const struct tls_client_conf conf = {
		.verify = service->backend_verify,
		.ca = tls_bundle_text(bundle, &bundle->head->authorities[index]),
		.name = service->backend_verify_name[0] ? service->backend_verify_name
							: NULL,
	};
	struct tls_client *client = NULL;
	char problem[TLS_PROBLEM_MAX];

	if (tls_client_new(&conf, &client, problem)) {
		log_failed(service, "backend", problem);
		return;
	}
	tls_client_free(&gate->tls.clients[index]);
	gate->tls.clients[index] = client;
}

void gate_tls_take(struct gate *gate, int fd)
{
	struct tls_bundle bundle;
	int err = gate->conf ? tls_bundle_open(fd, &bundle) : -EPROTO;

	if (err) {
		log_error("event=error what=tls reason=\"%s\"", strerror(-err));
		return;
	}
	for (size_t i = 0; i < gate->conf->service_count; i++) {
		const struct conf_service *service = &gate->conf->services[i];

		if (conf_service_has_tls(service))
			make_server(gate, i, &bundle);
		if (service->backend_tls != BACKEND_TLS_NONE)
			make_client(gate, i, &bundle);
	}
	tls_bundle_close(&bundle);
}

void gate_tls_take_tickets(struct gate *gate, const struct msg_tickets *message)
{
	struct tls_tickets *tickets = &gate->tls.tickets;

	tickets->count = message->count;
	memcpy(tickets->keys, message->keys, sizeof(tickets->keys));
}

/* ---- the budget ------------------------------------------------------------------------------ */

/* Room for so many in a span, that comes back evenly: what is taken has to be earned again. */
struct budget {
	uint64_t span_ns;
	uint32_t max; /* > 0 */
};

/* @busy_until_ns: when all of it has come back. */
static bool budget_has_room(const struct budget *budget, uint64_t busy_until_ns,
			    uint64_t now_ns)
{
	return busy_until_ns <= now_ns ||
	       busy_until_ns - now_ns + budget->span_ns / budget->max <= budget->span_ns;
}

static void budget_take(const struct budget *budget, uint64_t *busy_until_ns,
			uint64_t now_ns)
{
	if (*busy_until_ns < now_ns)
		*busy_until_ns = now_ns;
	*busy_until_ns += budget->span_ns / budget->max;
}

const char *gate_tls_limit(struct gate *gate, const struct addr *addr)
{
	const struct conf *conf = gate->conf;
	const uint32_t share = conf->limits.tls_handshakes_max / conf->gates;
	const struct budget all = {NS_PER_S, share ? share : 1};
	const struct budget each = {60 * NS_PER_S,
				    conf->limits.tls_handshakes_per_client_max};
	const struct prefix client = prefix_of_client(addr);
	uint64_t *busy_until_ns;

	if (!budget_has_room(&all, gate->tls.busy_until_ns, gate->now_ns))
		return "tls-handshakes-max";
	busy_until_ns = ttlmap_put(gate->tls.recent, &client, gate->now_ns,
				   gate->now_ns + each.span_ns, NULL);
	if (!budget_has_room(&each, *busy_until_ns, gate->now_ns))
		return "tls-handshakes-per-client-max";
	budget_take(&all, &gate->tls.busy_until_ns, gate->now_ns);
	budget_take(&each, busy_until_ns, gate->now_ns);
	return NULL;
}
