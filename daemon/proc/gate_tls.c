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

/* Handshakes of one client in one minute. */
struct client_minute {
	uint64_t minute;
	uint32_t count;
	uint32_t pad;
};

int gate_tls_init(struct gate *gate)
{
	gate->tls.recent = ttlmap_new(GATE_TLS_CLIENTS_MAX, sizeof(struct prefix),
				      sizeof(struct client_minute), gate->client_seed);
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

static bool second_is_full(struct gate *gate)
{
	const struct conf *conf = gate->conf;
	const uint64_t second = gate->now_ns / NS_PER_S;
	const uint32_t share = conf->limits.tls_handshakes_max / conf->gates;

	if (gate->tls.second != second) {
		gate->tls.second = second;
		gate->tls.begun = 0;
	}
	return gate->tls.begun >= (share ? share : 1);
}

const char *gate_tls_limit(struct gate *gate, const struct addr *addr)
{
	const uint64_t minute_ns = 60 * NS_PER_S;
	const uint64_t minute = gate->now_ns / minute_ns;
	const struct prefix client = prefix_of_client(addr);
	struct client_minute *recent;

	if (second_is_full(gate))
		return "tls-handshakes-max";
	recent = ttlmap_put(gate->tls.recent, &client, gate->now_ns,
			    gate->now_ns + minute_ns, NULL);
	if (recent->minute != minute)
		*recent = (struct client_minute){.minute = minute};
	if (recent->count >= gate->conf->limits.tls_handshakes_per_client_max)
		return "tls-handshakes-per-client-max";
	recent->count++;
	gate->tls.begun++;
	return NULL;
}
