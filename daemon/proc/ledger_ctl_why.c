/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_why - `postern why`: what decides about an address, and the evidence (promise 5).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/flags.h"
#include "policy/limits.h"
#include "policy/relay.h"
#include "policy/verdict.h"
#include "proc/ledger_ask.h"
#include "proc/ledger_ctl_args.h"
#include "proc/ledger_ctl_commands.h"
#include "proc/ledger_ctl_grey.h"
#include "proc/ledger_ctl_show.h"
#include "proc/ledger_findings.h"
#include "proc/ledger_gather.h"
#include "proc/ledger_recent.h"
#include "proc/ledger_store.h"
#include "proc/ledger_strikes.h"

#define HISTORY_MAX  20u /* of each prefix around the address */
#define SESSIONS_MAX 100u

struct why_job {
	struct ctl_client *client;
	struct addr addr;
	struct prefix client_prefix;
	json_t *why;	   /* done.why, growing */
	struct msg lookup; /* the bans that contain the address, as asked of the kernel */
	json_t *sessions;
	struct auth_recent login; /* the last one over POP3 or IMAP */
	bool has_login;
	bool may_connect; /* at every service that is on */
	bool has_counters, has_sessions;
};

static void why_job_free(void *state)
{
	struct why_job *job = state;

	ask_forget(ctl_ledger(job->client), job);
	gather_forget(ctl_ledger(job->client), job);
	json_decref(job->why);
	json_decref(job->sessions);
	free(job);
}

/* ---- services ------------------------------------------------------------------------------------ */

static json_t *why_ports(const struct conf_service *service)
{
	json_t *ports = json_array();

	for (unsigned int i = 0; i < service->port_count; i++)
		(void)json_array_append_new(ports, json_integer(service->ports[i]));
	return ports;
}

/* Who vouches for a client of SMTP before it logs in, and until when. */
static void why_add_auth(const struct why_job *job, const struct conf_service *service,
			 uint16_t flags, json_t *row)
{
	const struct ledger *ledger = ctl_ledger(job->client);
	const struct auth_recent *login = job->has_login ? &job->login : NULL;
	const int64_t window_s =
		ledger_conf(ledger)->policies[service->policy].am_window_s;
	enum auth_by by = auth_decide(flags, login, window_s, ledger->now.boot_ns);
	const uint64_t until_ns =
		by == AUTH_BY_AM ? auth_recent_until(login, window_s) : CLOCK_FOREVER_NS;

	if (!service_type_is_smtp((enum service_type)service->type))
		by = AUTH_BY_NONE;
	(void)json_object_set_new(row, "auth_by", json_string(auth_by_name(by)));
	(void)json_object_set_new(
		row, "auth_until",
		until_ns == CLOCK_FOREVER_NS
			? json_null()
			: json_integer(ledger_wall_from_boot(ledger, until_ns)));
}

/* May it relay, and does the routing table apply: for a client that may hand in mail. */
static void why_add_relay(const struct ledger *ledger, const struct conf_service *service,
			  uint16_t flags, json_t *row)
{
	const struct conf_policy *policy =
		&ledger_conf(ledger)->policies[service->policy];
	const bool is_on = relay_is_on(ledger->snapshot.domains) &&
			   policy->mode[CHECK_RELAY] != MODE_OFF;

	if (!service_type_is_smtp((enum service_type)service->type))
		return;
	(void)json_object_set_new(row, "relay", json_string(relay_words(is_on, flags)));
	if (text_table_count(ledger->snapshot.routes) > 0)
		(void)json_object_set_new(
			row, "routing",
			json_string(flags & FLAG_DR ? "rewrites no recipient of it (DR)"
						    : "rewrites its recipients"));
}

static json_t *why_service(struct why_job *job, const struct conf_service *service)
{
	const struct ledger *ledger = ctl_ledger(job->client);
	const struct conf *conf = ledger_conf(ledger);
	const struct conf_policy *policy = &conf->policies[service->policy];
	bool is_on = conf_service_is_on(conf, service);
	struct verdict verdict =
		verdict_decide(ledger->snapshot.tables[service->policy], ledger->set,
			       policy->id, &job->addr, ledger->now.boot_ns);
	char addr[PREFIX_TEXT_MAX];
	json_t *ban = verdict.kind == VERDICT_BANNED
			      ? json_string(prefix_format(&verdict.ban.prefix, addr))
			      : json_null();
	json_t *row;

	if (is_on && verdict.kind != VERDICT_PERMIT)
		job->may_connect = false;
	row = json_pack(
		"{s:s, s:s, s:s, s:b, s:o, s:s, s:o, s:o, s:o}", "service", service->name,
		"type", service_type_name((enum service_type)service->type), "policy",
		policy->name, "on", (int)is_on, "ports", why_ports(service), "verdict",
		is_on ? verdict_name(verdict.kind) : "unguarded", "entry",
		verdict.has_entry ? show_entry(ledger, &verdict.entry) : json_null(),
		"ban_addr", ban, "checks", show_checks(ledger, policy));
	why_add_auth(job, service,
		     is_on && verdict.kind == VERDICT_PERMIT ? verdict.entry.value : 0,
		     row);
	if (is_on && verdict.kind == VERDICT_PERMIT)
		why_add_relay(ledger, service, verdict.entry.value, row);
	return row;
}

static json_t *why_services(struct why_job *job)
{
	const struct conf *conf = ledger_conf(ctl_ledger(job->client));
	json_t *services = json_array();

	for (unsigned int i = 0; i < conf->service_count; i++)
		(void)json_array_append_new(services,
					    why_service(job, &conf->services[i]));
	return services;
}

/* ---- bans ---------------------------------------------------------------------------------------- */

struct why_rows {
	const struct ledger *ledger;
	json_t *rows;
};

static int why_on_strike(void *context, const struct db_strike *strike)
{
	struct why_rows *rows = context;

	(void)json_array_append_new(rows->rows, show_strike(rows->ledger, strike));
	return 0;
}

/* The strikes that made a ban. */
static json_t *why_evidence(struct ledger *ledger, const struct prefix *prefix,
			    int64_t began_s)
{
	struct why_rows rows = {.ledger = ledger, .rows = json_array()};
	int err =
		db_evidence_read(store_db(ledger), prefix, began_s, why_on_strike, &rows);

	if (err)
		store_abort(ledger, err);
	return rows.rows;
}

static json_t *why_ban(struct ledger *ledger, const struct db_ban *ban)
{
	const char *policy = db_policy_name(store_db(ledger), ban->policy);
	char addr[PREFIX_TEXT_MAX];

	return json_pack("{s:s, s:s, s:I, s:o, s:s, s:s, s:i, s:n, s:o}", "addr",
			 prefix_format(&ban->prefix, addr), "policy",
			 policy ? policy : "-", "began", (json_int_t)ban->began_s, "ends",
			 args_json_time(ban->ends_s), "source",
			 args_source_name(ban->source), "why", ban->why, "packets", 0,
			 "last_seen", "evidence",
			 why_evidence(ledger, &ban->prefix, ban->began_s));
}

/* A ban of the set; its details from the store, if it has them. */
static void why_add_ban(struct why_job *job, json_t *bans,
			const struct prefix_set_item *item)
{
	struct ledger *ledger = ctl_ledger(job->client);
	struct msg_bans *lookup = &job->lookup.bans;
	struct db_ban ban;

	if (lookup->count == MSG_BANS_MAX ||
	    db_ban_get(store_db(ledger), ledger->keys[item->group], &item->prefix,
		       &ban)) {
		ban = (struct db_ban){
			.prefix = item->prefix,
			.policy = ledger->keys[item->group],
			.began_s = ledger->now.wall_s,
			.why = "not stored (see the log)",
			.source = DB_SOURCE_COMMAND,
		};
	}
	ban.ends_s = ledger_wall_from_boot(ledger, item->ends_ns);
	(void)json_array_append_new(bans, why_ban(ledger, &ban));
	if (lookup->count < MSG_BANS_MAX)
		lookup->bans[lookup->count++] = (struct msg_ban){
			.prefix = item->prefix, .policy = (uint8_t)item->group};
}

/* All bans that contain the address, the longest first in each policy. */
static json_t *why_bans(struct why_job *job)
{
	struct ledger *ledger = ctl_ledger(job->client);
	const struct conf *conf = ledger_conf(ledger);
	json_t *bans = json_array();

	for (unsigned int i = 0; i < conf->policy_count; i++) {
		for (int len = addr_bits((enum addr_family)job->addr.family); len >= 0;
		     len--) {
			struct prefix prefix = prefix_make(&job->addr, (uint8_t)len);
			struct prefix_set_item item;

			if (prefix_set_get(ledger->set, conf->policies[i].id, &prefix,
					   &item) &&
			    item.ends_ns > ledger->now.boot_ns)
				why_add_ban(job, bans, &item);
		}
	}
	return bans;
}

/* ---- strikes and history ---------------------------------------------------------------------------- */

static int64_t why_window_s(const struct conf *conf)
{
	int64_t longest_s = 0;

	for (unsigned int i = 0; i < conf->policy_count; i++) {
		if (conf->policies[i].strikes.window_s > longest_s)
			longest_s = conf->policies[i].strikes.window_s;
	}
	return longest_s;
}

static json_t *why_strikes(struct why_job *job)
{
	struct ledger *ledger = ctl_ledger(job->client);
	struct why_rows rows = {.ledger = ledger, .rows = json_array()};
	const struct strikes_record *record = strikes_of(ledger, &job->client_prefix);
	int err;

	if (!record || record->count == 0)
		return rows.rows;
	err = db_strikes_read(store_db(ledger), &job->client_prefix,
			      ledger->now.wall_s - why_window_s(ledger_conf(ledger)),
			      why_on_strike, &rows);
	if (err)
		store_abort(ledger, err);
	(void)store_waiting_each(ledger, &job->client_prefix, why_on_strike, &rows);
	return rows.rows;
}

static int why_on_past(void *context, const struct db_past *past)
{
	struct why_rows *rows = context;
	const char *policy = db_policy_name(store_db(rows->ledger), past->ban.policy);
	char addr[PREFIX_TEXT_MAX];

	(void)json_array_append_new(
		rows->rows,
		json_pack("{s:s, s:s, s:I, s:o, s:I, s:s, s:s, s:s}", "addr",
			  prefix_format(&past->ban.prefix, addr), "policy",
			  policy ? policy : "-", "began", (json_int_t)past->ban.began_s,
			  "ends", args_json_time(past->ban.ends_s), "ended",
			  (json_int_t)past->ended_s, "how",
			  past->how == DB_END_EXPIRED ? "expired" : "unbanned", "source",
			  args_source_name(past->ban.source), "why", past->ban.why));
	return 0;
}

static json_t *why_history(struct why_job *job)
{
	struct ledger *ledger = ctl_ledger(job->client);
	struct why_rows rows = {.ledger = ledger, .rows = json_array()};
	int err = 0;

	for (int len = addr_bits((enum addr_family)job->addr.family); !err && len >= 0;
	     len--) {
		struct prefix prefix = prefix_make(&job->addr, (uint8_t)len);

		err = db_history_read(store_db(ledger), &prefix, HISTORY_MAX, why_on_past,
				      &rows);
	}
	if (err)
		store_abort(ledger, err);
	return rows.rows;
}

/* What the next strike would do, at the first service whose policy counts strikes of this address. */
static void why_next(struct why_job *job)
{
	struct ledger *ledger = ctl_ledger(job->client);
	const struct conf *conf = ledger_conf(ledger);
	const struct strikes_record *record = strikes_of(ledger, &job->client_prefix);
	uint32_t earlier = 0;

	for (unsigned int i = 0; i < conf->policy_count; i++) {
		const struct conf_policy *policy = &conf->policies[i];
		const struct conf_strikes *s = &policy->strikes;
		struct prefix_row row;
		bool bans;

		if (policy->mode[CHECK_STRIKES] == MODE_OFF ||
		    !ledger->snapshot.tables[i] ||
		    !prefix_table_find(ledger->snapshot.tables[i], &job->addr, &row) ||
		    !(row.value & FLAG_LL))
			continue;
		if (db_repeats(store_db(ledger), &job->client_prefix,
			       s->ban_memory_s < ledger->now.wall_s
				       ? ledger->now.wall_s - s->ban_memory_s
				       : 0,
			       &earlier))
			earlier = 0;
		bans = (record ? record->count : 0) + 1 >= s->max;
		(void)json_object_set_new(job->why, "strikes_max", json_integer(s->max));
		(void)json_object_set_new(job->why, "strikes_window_s",
					  json_integer(s->window_s));
		(void)json_object_set_new(
			job->why, "next",
			json_pack("{s:s, s:s, s:b, s:o}", "policy", policy->name, "mode",
				  check_mode_name(
					  (enum check_mode)policy->mode[CHECK_STRIKES]),
				  "bans", (int)bans, "for_s",
				  args_json_time(ban_length_s(s, earlier))));
		return;
	}
}

/* ---- the answer ---------------------------------------------------------------------------------------- */

static void why_end_if_complete(struct why_job *job)
{
	if (!job->has_counters || !job->has_sessions)
		return;
	ctl_done_with(job->client, job->may_connect ? CTL_OK : CTL_NO, "why",
		      TAKE_PTR(job->why));
}

static void why_on_counters(void *context, const struct msg *answer)
{
	struct why_job *job = context;
	const struct ledger *ledger = ctl_ledger(job->client);
	json_t *bans = json_object_get(job->why, "bans");

	/* The answer keeps the order of the question, which is that of the bans. */
	for (uint32_t i = 0;
	     answer && i < answer->bans.count && i < job->lookup.bans.count; i++) {
		const struct msg_ban *kernel = &answer->bans.bans[i];
		json_t *ban = json_array_get(bans, i);

		if (kernel->error)
			continue;
		(void)json_object_set_new(ban, "packets",
					  json_integer((json_int_t)kernel->packets));
		if (kernel->last_seen_ns)
			(void)json_object_set_new(ban, "last_seen",
						  json_integer(ledger_wall_from_boot(
							  ledger, kernel->last_seen_ns)));
	}
	job->has_counters = true;
	why_end_if_complete(job);
}

static void why_on_session(void *context, const struct msg_session *session,
			   unsigned int missing)
{
	struct why_job *job = context;

	if (session) {
		if (prefix_contains(&job->client_prefix, &session->addr) &&
		    json_array_size(job->sessions) < SESSIONS_MAX)
			(void)json_array_append_new(
				job->sessions,
				show_session(ctl_ledger(job->client), session));
		return;
	}
	if (!missing)
		(void)json_object_set(job->why, "sessions", job->sessions);
	job->has_sessions = true;
	why_end_if_complete(job);
}

static bool why_pump(struct ctl_client *client, void *state)
{
	(void)client;
	(void)state;
	return false; /* the answers of keeper and gates end it */
}

static json_t *why_protected(const struct why_job *job)
{
	const struct protected_prefix *found = protected_find(
		ctl_ledger(job->client)->snapshot.protected_set, &job->client_prefix);

	return found ? json_string(found->why) : json_null();
}

static json_t *why_login(const struct why_job *job)
{
	const struct auth_recent *login = &job->login;

	if (!job->has_login)
		return json_null();
	return json_pack("{s:s, s:s, s:I, s:i, s:b}", "user", login->user, "service",
			 login->service, "time", (json_int_t)login->login_at_s, "open",
			 (int)login->open, "many_users", (int)(login->has_many != 0));
}

static void why_begin(struct why_job *job, const char *text)
{
	struct ledger *ledger = ctl_ledger(job->client);
	char client[PREFIX_TEXT_MAX];

	job->lookup.type = MSG_BAN_LOOKUP;
	job->may_connect = true;
	job->sessions = json_array();
	job->has_login = recent_find(ledger, &job->addr, &job->login);
	job->why = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "addr",
			     text, "client", prefix_format(&job->client_prefix, client),
			     "protected", why_protected(job), "services",
			     why_services(job), "bans", why_bans(job), "strikes",
			     why_strikes(job), "history", why_history(job), "login",
			     why_login(job), "findings", findings_of(ledger, &job->addr),
			     "greylist", grey_why(ledger, &job->addr));
	why_next(job);
	ctl_start(job->client, why_pump, why_job_free, job);
	if (job->lookup.bans.count == 0 ||
	    ask_send(ledger, &job->lookup, why_on_counters, job))
		job->has_counters = true;
	if (gather_begin(ledger, why_on_session, job)) {
		job->has_sessions = true;
		why_end_if_complete(job);
	}
}

void ctl_command_why(struct ctl_client *client, const json_t *args)
{
	const char *text = NULL;
	struct addr addr = {.family = ADDR_NONE};
	struct why_job *job;

	if (args_text(client, args, "addr", &text) ||
	    args_addr(client, args, "addr", &addr))
		return;
	if (!text) {
		ctl_done(client, CTL_USAGE, "'addr' must be an address");
		return;
	}
	job = ctl_job_new(client, sizeof(*job));
	if (!job)
		return;
	job->client = client;
	job->addr = addr;
	job->client_prefix = prefix_of_client(&addr);
	why_begin(job, text);
}
