/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_status - what the keeper knows of the whole, as JSON text for the ledger to pass on.
 *
 * Members: wire/ctl.h, done.status and the rows of verify.
 */
#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "proc/keeper_state.h"

#define VERIFY_ROWS_MAX 512u
#define PORTS_MAX	(CONF_SERVICES_MAX * CONF_LISTEN_MAX)

static const char *const mode_names[] = {
	[XDP_AUTO] = "auto",
	[XDP_NATIVE] = "native",
	[XDP_GENERIC] = "generic",
	[XDP_OFF] = "off",
};

static const char *const wish_names[] = {
	[XDP_WISH_AUTO] = "auto",
	[XDP_WISH_NATIVE] = "native",
	[XDP_WISH_GENERIC] = "generic",
	[XDP_WISH_OFF] = "off",
};

static json_t *endpoints_json(const struct conf_endpoint *endpoints, uint8_t count)
{
	json_t *array = json_array();

	for (uint8_t i = 0; i < count; i++) {
		char addr[ADDR_TEXT_MAX];
		char text[ADDR_TEXT_MAX + 16];
		struct buf buf = BUF_OVER(text);
		const bool is_v6 = endpoints[i].addr.family == ADDR_V6;

		buf_printf(&buf, "%s%s%s:%u", is_v6 ? "[" : "",
			   addr_format(&endpoints[i].addr, addr), is_v6 ? "]" : "",
			   endpoints[i].port);
		(void)json_array_append_new(array, json_string(text));
	}
	return array;
}

static json_t *interfaces_json(const struct keeper *keeper)
{
	const struct conf *conf = keeper_conf(keeper);
	json_t *array = json_array();

	for (uint8_t i = 0; i < conf->interface_count; i++) {
		const char *name = conf->interfaces[i];
		const char *mode = fence_guards(keeper, name)
					   ? "nftables"
					   : mode_names[kernel_mode(keeper, name)];
		char bridge[16];

		bridge_name(keeper, name, bridge);
		(void)json_array_append_new(
			array, json_pack("{s:s, s:s, s:s, s:o}", "name", name, "mode",
					 mode, "wanted", wish_names[conf->xdp], "bridge",
					 bridge[0] ? json_string(bridge) : json_null()));
	}
	return array;
}

/* pid null: not running. As 0 it would be read as a process group by whoever passes it to kill(). */
static json_t *process_json(const char *role, const struct keeper_child *child)
{
	return json_pack(
		"{s:s, s:i, s:o, s:o, s:i}", "role", role, "index", (int)child->index,
		"pid", child->pid > 0 ? json_integer(child->pid) : json_null(), "started",
		child->started_wall_s ? json_integer(child->started_wall_s) : json_null(),
		"restarts", (int)child->restarts);
}

static json_t *processes_json(const struct keeper *keeper)
{
	static const char *const roles[ROLE_COUNT] = {"keeper", "gate", "checker",
						      "ledger"};
	const struct keeper_child self = {.pid = getpid(),
					  .started_wall_s = keeper->started_wall_s};
	json_t *array = json_array();

	(void)json_array_append_new(array, process_json(roles[ROLE_KEEPER], &self));
	for (size_t i = 0; i < keeper->child_count; i++)
		(void)json_array_append_new(array,
					    process_json(roles[keeper->children[i].role],
							 &keeper->children[i]));
	for (size_t i = 0; i < keeper->handover.leaving_count; i++) {
		const struct keeper_child leaving = {
			.index = (uint32_t)i,
			.pid = keeper->handover.leaving[i],
		};

		(void)json_array_append_new(array,
					    process_json("gate-leaving", &leaving));
	}
	return array;
}

/* Of both fences together: each packet comes to one of them. */
static json_t *counters_json(const struct keeper *keeper,
			     const struct conf_policy *policy)
{
	struct nft_fence_counters fence = {0};
	struct xdp_counters c = {0};
	const bool has_fence = fence_counters(keeper, policy->name, &fence);
	const bool has_xdp =
		keeper->xdp && xdp_counters(keeper->xdp, policy->id, &c) == 0;

	if (!has_fence && !has_xdp)
		return json_null();
	c.passed += fence.passed;
	c.dropped_ban += fence.dropped_ban;
	c.dropped_ban_prefix += fence.dropped_ban_prefix;
	c.dropped_blacklisted += fence.dropped_blacklisted;
	c.dropped_not_permitted += fence.dropped_not_permitted;
	c.dropped_no_entry += fence.dropped_no_entry;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "passed",
			 (json_int_t)c.passed, "dropped_ban", (json_int_t)c.dropped_ban,
			 "dropped_ban_prefix", (json_int_t)c.dropped_ban_prefix,
			 "dropped_blacklisted", (json_int_t)c.dropped_blacklisted,
			 "dropped_not_permitted", (json_int_t)c.dropped_not_permitted,
			 "dropped_no_entry", (json_int_t)c.dropped_no_entry,
			 "dropped_runt", (json_int_t)c.dropped_runt, "dropped_syn_rate",
			 (json_int_t)c.dropped_syn_rate, "would_drop_syn_rate",
			 (json_int_t)c.would_drop_syn_rate);
}

static json_t *policies_json(const struct keeper *keeper)
{
	const struct conf *conf = keeper_conf(keeper);
	json_t *array = json_array();

	for (uint8_t i = 0; i < conf->policy_count; i++) {
		const struct conf_policy *policy = &conf->policies[i];
		size_t entries = prefix_table_count(keeper->snapshot.tables[i]);

		(void)json_array_append_new(
			array,
			json_pack("{s:s, s:i, s:b, s:I, s:o}", "name", policy->name, "id",
				  (int)policy->id, "enabled", (int)policy->enabled,
				  "entries", (json_int_t)entries, "counters",
				  counters_json(keeper, policy)));
	}
	return array;
}

static json_t *services_json(const struct conf *conf)
{
	json_t *array = json_array();

	for (uint8_t i = 0; i < conf->service_count; i++) {
		const struct conf_service *service = &conf->services[i];
		json_t *ports = json_array();

		for (uint8_t j = 0; j < service->port_count; j++)
			(void)json_array_append_new(ports,
						    json_integer(service->ports[j]));
		(void)json_array_append_new(
			array,
			json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "name",
				  service->name, "type",
				  service_type_name((enum service_type)service->type),
				  "policy", conf->policies[service->policy].name, "on",
				  (int)conf_service_is_on(conf, service), "listen",
				  endpoints_json(service->listen, service->listen_count),
				  "ports", ports, "backend",
				  endpoints_json(service->backend,
						 service->backend_count)));
	}
	return array;
}

static json_t *certificate_services_json(const struct conf *conf, uint8_t index)
{
	json_t *array = json_array();

	for (uint8_t i = 0; i < conf->service_count; i++)
		for (uint8_t j = 0; j < conf->services[i].certificate_count; j++)
			if (conf->services[i].certificates[j] == index)
				(void)json_array_append_new(
					array, json_string(conf->services[i].name));
	return array;
}

static json_t *certificate_json(const struct keeper *keeper, uint8_t index)
{
	const struct conf *conf = keeper_conf(keeper);
	const struct tls_cert_facts *facts = &keeper->tls.certificates->facts[index];
	json_t *names = json_array();
	char memory[64];
	struct buf problem = BUF_OVER(memory);

	for (uint32_t i = 0; i < facts->name_count && i < TLS_NAMES_MAX; i++)
		(void)json_array_append_new(names, json_string(facts->names[i]));
	certificate_time_problem(facts, clock_wall_s(), &problem);
	return json_pack("{s:s, s:o, s:s, s:s, s:I, s:I, s:o, s:o}", "name",
			 conf->certificates[index].name, "names", names, "key",
			 facts->key, "issuer", facts->issuer, "not_before",
			 (json_int_t)facts->not_before_s, "not_after",
			 (json_int_t)facts->not_after_s, "services",
			 certificate_services_json(conf, index), "problem",
			 problem.len ? json_string(memory) : json_null());
}

static json_t *certificates_json(const struct keeper *keeper)
{
	json_t *array = json_array();

	for (uint8_t i = 0; i < keeper_conf(keeper)->certificate_count; i++)
		(void)json_array_append_new(array, certificate_json(keeper, i));
	return array;
}

static json_t *warnings_json(const struct keeper *keeper)
{
	json_t *array = json_array();

	for (size_t i = 0; i < keeper->child_count; i++)
		if (keeper->children[i].pid == 0)
			(void)json_array_append_new(
				array,
				json_string(
					"a process is not running: see processes; it is "
					"started again"));
	if (pending_left_s(keeper) > 0)
		(void)json_array_append_new(
			array,
			json_sprintf(
				"the last reload is taken back in %llds: say 'postern "
				"confirm' before, if all is well",
				(long long)pending_left_s(keeper)));
	for (size_t i = 0; i < keeper->warning_count; i++)
		(void)json_array_append_new(array, json_string(keeper->warnings[i]));
	if (keeper->tls.is_told)
		(void)json_array_append_new(
			array, json_pack("s+",
					 "certificate files have changed, and those "
					 "read before stay in force: ",
					 keeper->tls.problem));
	return array;
}

/* Takes the value; NULL (no memory) becomes an error report. */
static void report_json(struct keeper *keeper, uint32_t seq, json_t *value)
{
	AUTO(free_mem) char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

	json_decref(value);
	if (text)
		ops_report(keeper, seq, 0, text);
	else
		ops_report(keeper, seq, -ENOMEM, "");
}

void status_report(struct keeper *keeper, uint32_t seq)
{
	const struct conf *conf = keeper_conf(keeper);

	report_json(keeper, seq,
		    json_pack("{s:s, s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o}",
			      "version", POSTERN_VERSION, "generation",
			      (json_int_t)conf->generation, "started",
			      (json_int_t)keeper->started_wall_s, "hostname",
			      conf->hostname, "interfaces", interfaces_json(keeper),
			      "processes", processes_json(keeper), "policies",
			      policies_json(keeper), "services", services_json(conf),
			      "certificates", certificates_json(keeper), "warnings",
			      warnings_json(keeper)));
}

/* ---- verify: rows {where, addr, policy, problem} ------------------------------------------------ */

static void row_add(json_t *rows, const char *where, const char *policy,
		    const char *problem)
{
	if (json_array_size(rows) < VERIFY_ROWS_MAX)
		(void)json_array_append_new(
			rows, json_pack("{s:s, s:n, s:s?, s:s}", "where", where, "addr",
					"policy", policy, "problem", problem));
}

static void verify_lists(struct keeper *keeper, json_t *rows)
{
	const struct conf *conf = keeper_conf(keeper);

	for (uint8_t i = 0; i < conf->policy_count; i++) {
		const struct conf_policy *policy = &conf->policies[i];
		char text[128];
		struct buf problem = BUF_OVER(text);
		size_t differences = 0;
		int result = xdp_policy_compare(keeper->xdp, policy->id,
						keeper->snapshot.tables[i], &differences);

		if (result > 0)
			buf_printf(&problem,
				   "%zu entries differ between the kernel and the list",
				   differences);
		else if (result == -ENOENT || result == -ESTALE)
			buf_puts(&problem, result == -ENOENT
						   ? "the list is not in the kernel"
						   : "the kernel has another list");
		else if (result < 0)
			buf_printf(&problem, "the kernel's list cannot be read: %s",
				   strerror(-result));
		if (problem.len)
			row_add(rows, "lists", policy->name, text);
	}
}

static void verify_port(const struct keeper *keeper, json_t *rows, uint16_t port,
			uint16_t id)
{
	const struct conf *conf = keeper_conf(keeper);
	char text[128];
	struct buf problem = BUF_OVER(text);
	uint8_t policy = 0;

	if (!conf_guards_port(conf, port, &policy))
		buf_printf(&problem,
			   "port %u is guarded in the kernel, but in no service", port);
	else if (conf->policies[policy].id != id)
		buf_printf(&problem, "port %u is guarded in the kernel by policy id %u",
			   port, id);
	if (problem.len)
		row_add(rows, "services", NULL, text);
}

static void verify_services(struct keeper *keeper, json_t *rows)
{
	const struct conf *conf = keeper_conf(keeper);
	uint16_t ports[PORTS_MAX];
	uint16_t ids[PORTS_MAX];
	size_t count = 0;

	if (xdp_service_list(keeper->xdp, ports, ids, PORTS_MAX, &count)) {
		row_add(rows, "services", NULL, "the kernel's services cannot be read");
		return;
	}
	for (size_t i = 0; i < count; i++)
		verify_port(keeper, rows, ports[i], ids[i]);
	for (uint8_t i = 0; i < conf->service_count; i++)
		for (uint8_t j = 0; j < conf->services[i].port_count; j++) {
			bool is_guarded = !conf_service_is_on(conf, &conf->services[i]);
			char text[128];
			struct buf problem = BUF_OVER(text);

			for (size_t k = 0; k < count; k++)
				is_guarded = is_guarded ||
					     ports[k] == conf->services[i].ports[j];
			if (is_guarded)
				continue;
			buf_printf(&problem, "port %u is not guarded in the kernel",
				   conf->services[i].ports[j]);
			row_add(rows, "services",
				conf->policies[conf->services[i].policy].name, text);
		}
}

static void verify_limits(struct keeper *keeper, json_t *rows)
{
	const struct conf *conf = keeper_conf(keeper);

	for (uint8_t i = 0; i < conf->policy_count; i++) {
		const struct conf_policy *policy = &conf->policies[i];
		const struct xdp_syn_limit wanted = kernel_syn_limit(policy);
		struct xdp_syn_limit limit;

		if (xdp_syn_limit_get(keeper->xdp, policy->id, &limit))
			row_add(rows, "limits", policy->name,
				"the kernel's limit of SYNs cannot be read");
		else if (limit.mode != wanted.mode || limit.rate != wanted.rate ||
			 limit.burst != wanted.burst)
			row_add(rows, "limits", policy->name,
				"the kernel has another dos-syn-rate or dos-syn-burst");
	}
}

static void verify_interfaces(const struct keeper *keeper, json_t *rows)
{
	const struct conf *conf = keeper_conf(keeper);

	for (uint8_t i = 0; i < conf->interface_count; i++) {
		char text[128];
		struct buf problem = BUF_OVER(text);

		if (kernel_mode(keeper, conf->interfaces[i]) != XDP_OFF ||
		    fence_guards(keeper, conf->interfaces[i]))
			continue;
		buf_printf(&problem,
			   "neither XDP nor nftables of ours guards interface %s",
			   conf->interfaces[i]);
		row_add(rows, "kernel", NULL, text);
	}
}

static void verify_intercept(const struct keeper *keeper, json_t *rows)
{
	size_t wanted = 0, there = 0;
	char text[128];
	struct buf problem = BUF_OVER(text);
	int err = intercept_rules(keeper, &wanted, &there);

	if (err && wanted > 0)
		buf_printf(&problem, "nftables cannot be read: %s", strerror(-err));
	else if (!err && wanted != there)
		buf_printf(&problem,
			   "table inet postern has %zu rules and should have %zu", there,
			   wanted);
	if (problem.len)
		row_add(rows, "nftables", NULL, text);
}

static void verify_bridge(const struct keeper *keeper, json_t *rows)
{
	const size_t lost = bridge_ports_lost(keeper);
	char text[128];
	struct buf problem = BUF_OVER(text);

	if (lost == 0)
		return;
	buf_printf(&problem, "%zu ports of the bridge lack our program", lost);
	row_add(rows, "bridge", NULL, text);
}

static void verify_on_fence(void *context, const char *policy,
			    const struct prefix *prefix, const char *problem)
{
	char addr[PREFIX_TEXT_MAX];
	json_t *rows = context;

	if (json_array_size(rows) < VERIFY_ROWS_MAX)
		(void)json_array_append_new(
			rows,
			json_pack("{s:s, s:s?, s:s?, s:s}", "where", "nftables", "addr",
				  prefix ? prefix_format(prefix, addr) : NULL, "policy",
				  policy, "problem", problem));
}

void status_verify(struct keeper *keeper, uint32_t seq)
{
	json_t *rows = json_array();

	verify_intercept(keeper, rows);
	verify_bridge(keeper, rows);
	fence_verify(keeper, verify_on_fence, rows);
	if (keeper->xdp) {
		verify_lists(keeper, rows);
		verify_services(keeper, rows);
		verify_limits(keeper, rows);
	}
	if (keeper->xdp || keeper->fence.is_on) {
		verify_interfaces(keeper, rows);
	} else {
		row_add(rows, "kernel", NULL,
			"nothing is dropped in the kernel: no interface, or taken off");
	}
	report_json(keeper, seq, rows);
}
