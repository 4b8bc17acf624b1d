/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_strikes - see ledger_strikes.h.
 *
 * A permit is checked before a strike is counted: an entry without LL, or an address that may never
 * be banned, leaves no trace. Bans that fall due in one turn of the loop are stored together, since
 * the commit is what a ban waits for.
 */
#include "proc/ledger_strikes.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/ttlmap.h"
#include "policy/flags.h"
#include "policy/verdict.h"
#include "proc/ledger_bans.h"
#include "proc/ledger_events.h"
#include "proc/ledger_store.h"

#define EXPIRE_STEPS 4096u /* slots of the map in one second */

struct strikes {
	struct ttlmap *clients; /* struct prefix -> struct strikes_record */
	struct event *flush;	/* when the gates' messages of this turn have been read */
	struct ban_batch *pending; /* NULL: none */
};

/* A strike in its surroundings. */
struct strike_case {
	const struct msg_strike *msg;
	const struct conf_service *service;
	const struct conf_policy *policy;
	unsigned int policy_index;
	struct prefix client;
};

static_assert(sizeof(struct prefix) == sizeof(struct addr) + 1, "a key without padding");
static_assert((unsigned int)DB_DIGEST_BYTES == STRIKE_DIGEST_BYTES, "one digest");
static_assert(DB_USER_MAX >= MSG_USER_MAX, "users fit into the store");

static void strikes_flush(struct ledger *ledger)
{
	if (ledger->strikes->pending)
		bans_commit(ledger, &ledger->strikes->pending);
}

static void strikes_on_flush(evutil_socket_t fd, short what, void *context)
{
	struct ledger *ledger = context;

	(void)fd;
	(void)what;
	ledger_turn(ledger);
	strikes_flush(ledger);
}

struct strikes *strikes_new(struct ledger *ledger)
{
	AUTO(strikes_free) struct strikes *strikes = calloc(1, sizeof(*strikes));
	uint8_t seed[16];

	if (!strikes || getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return NULL;
	strikes->clients =
		ttlmap_new(ledger_conf(ledger)->limits.strikes_clients_max,
			   sizeof(struct prefix), sizeof(struct strikes_record), seed);
	strikes->flush = event_new(ledger->base, -1, 0, strikes_on_flush, ledger);
	if (!strikes->clients || !strikes->flush)
		return NULL;
	return TAKE_PTR(strikes);
}

void strikes_free(struct strikes **strikes)
{
	if (!*strikes)
		return;
	ttlmap_free(&(*strikes)->clients);
	if ((*strikes)->flush)
		event_free((*strikes)->flush);
	batch_free(&(*strikes)->pending);
	free(*strikes);
	*strikes = NULL;
}

/* The client's record, made if need be; kept as long as anything in it counts. */
static struct strikes_record *strikes_record_of(struct ledger *ledger,
						const struct prefix *client,
						const struct conf_strikes *conf)
{
	int64_t keep_s = conf->window_s > conf->success_credit_s ? conf->window_s
								 : conf->success_credit_s;
	uint64_t expires_ns = ledger_boot_from_wall(ledger, ledger->now.wall_s + keep_s);

	return ttlmap_put(ledger->strikes->clients, client, ledger->now.boot_ns,
			  expires_ns, NULL);
}

const struct strikes_record *strikes_of(struct ledger *ledger,
					const struct prefix *client)
{
	return ttlmap_get(ledger->strikes->clients, client, ledger->now.boot_ns);
}

size_t strikes_clients(const struct ledger *ledger)
{
	return ttlmap_count(ledger->strikes->clients);
}

void strikes_tick(struct ledger *ledger)
{
	(void)ttlmap_expire(ledger->strikes->clients, ledger->now.boot_ns, EXPIRE_STEPS);
}

bool strikes_clear(struct ledger *ledger, const struct prefix *client)
{
	const struct strikes_record *record = strikes_of(ledger, client);
	bool had = record && record->count > 0;

	if (!record)
		return false;
	(void)ttlmap_remove(ledger->strikes->clients, client);
	store_forget(ledger, client);
	return had;
}

/* ---- reading back ---------------------------------------------------------------------------- */

static int strikes_restore_one(void *context, const struct db_strike *stored)
{
	struct ledger *ledger = context;
	uint32_t id = ledger_policy_of_key(ledger, stored->policy);
	int index = id == LEDGER_POLICY_NONE ? -1 : ledger_policy_index(ledger, id);
	struct strike strike = {
		.at_s = stored->at_s,
		.kind = stored->kind,
		.policy_id = (uint8_t)id,
	};
	const struct conf_strikes *conf;
	uint32_t policies;

	if (index < 0 || stored->kind >= STRIKE_DOS)
		return 0;
	conf = &ledger_conf(ledger)->policies[index].strikes;
	memcpy(strike.digest, stored->digest, sizeof(strike.digest));
	/* A limit that was lowered meanwhile bans with the next strike. */
	(void)strikes_add(conf, strikes_record_of(ledger, &stored->client, conf), &strike,
			  &policies);
	return 0;
}

int strikes_restore(struct ledger *ledger)
{
	const struct conf *conf = ledger_conf(ledger);
	int64_t longest_s = 0;

	for (unsigned int i = 0; i < conf->policy_count; i++) {
		if (conf->policies[i].strikes.window_s > longest_s)
			longest_s = conf->policies[i].strikes.window_s;
	}
	return db_strikes_read(store_db(ledger), NULL, ledger->now.wall_s - longest_s,
			       strikes_restore_one, ledger);
}

/* ---- a strike -------------------------------------------------------------------------------- */

/* Has the entry of this address in the list of a policy a flag, and may it connect at all? */
static bool strikes_has_flag(const struct ledger *ledger, unsigned int policy_index,
			     const struct addr *addr, uint16_t flag)
{
	const struct conf_policy *policy = &ledger_conf(ledger)->policies[policy_index];
	struct verdict verdict =
		verdict_decide(ledger->snapshot.tables[policy_index], NULL, policy->id,
			       addr, ledger->now.boot_ns);

	return verdict.has_entry && (verdict.entry.value & flag) &&
	       !(verdict.entry.value & FLAG_BL);
}

static bool strikes_has_ll(const struct ledger *ledger, unsigned int policy_index,
			   const struct addr *addr)
{
	return strikes_has_flag(ledger, policy_index, addr, FLAG_LL);
}

/* Fills the case; false: this strike is not counted. */
static bool strikes_look(const struct ledger *ledger, const struct msg_strike *msg,
			 struct strike_case *out)
{
	const struct conf *conf = ledger_conf(ledger);
	const bool is_dos = msg->kind == STRIKE_DOS;
	struct prefix_set_item ban;

	/* A reload may have taken the service away while the message was on its way. */
	if (msg->service >= conf->service_count)
		return false;
	out->msg = msg;
	out->service = &conf->services[msg->service];
	out->policy_index = out->service->policy;
	out->policy = &conf->policies[out->policy_index];
	out->client = prefix_of_client(&msg->addr);
	if (out->policy->mode[is_dos ? CHECK_DOS : CHECK_STRIKES] == MODE_OFF)
		return false;
	if (protected_find(ledger->snapshot.protected_set, &out->client))
		return false;
	/* A session that is about to be closed: it is banned already. */
	if (prefix_set_find(ledger->set, out->policy->id, &msg->addr, ledger->now.boot_ns,
			    &ban))
		return false;
	return strikes_has_flag(ledger, out->policy_index, &msg->addr,
				is_dos ? FLAG_BAN : FLAG_LL);
}

static void strikes_keep(struct ledger *ledger, const struct strike_case *strike)
{
	struct db_strike stored = {
		.client = strike->client,
		.at_s = ledger->now.wall_s,
		.policy = ledger->keys[strike->policy->id],
		.kind = strike->msg->kind,
	};

	memcpy(stored.digest, strike->msg->digest, sizeof(stored.digest));
	(void)text_copy(stored.service, sizeof(stored.service), strike->service->name);
	(void)text_copy(stored.user, sizeof(stored.user), strike->msg->user);
	(void)text_copy(stored.reply, sizeof(stored.reply), strike->msg->reply);
	store_strike(ledger, &stored);
}

/* How long: longer with each repeat. */
static int64_t strikes_ban_length(struct ledger *ledger, const struct prefix *client,
				  const struct conf_strikes *conf)
{
	int64_t since_s = conf->ban_memory_s < ledger->now.wall_s
				  ? ledger->now.wall_s - conf->ban_memory_s
				  : 0;
	uint32_t earlier = 0;
	int err = db_repeats(store_db(ledger), client, since_s, &earlier);

	if (err)
		store_abort(ledger, err); /* then as if it were the first */
	return ban_length_s(conf, earlier);
}

static struct ban_change *strikes_pending_add(struct ledger *ledger)
{
	struct strikes *strikes = ledger->strikes;
	struct ban_change *change;

	if (strikes->pending && strikes->pending->count == strikes->pending->capacity)
		strikes_flush(ledger);
	if (!strikes->pending) {
		strikes->pending = batch_new(STRIKES_PENDING_MAX, STRIKES_PENDING_MAX);
		if (!strikes->pending)
			return NULL;
		strikes->pending->is_urgent = true;
	}
	change = batch_add(strikes->pending);
	change->why = (uint32_t)strikes->pending->count - 1;
	/* It goes behind all that is ready in this turn of the loop, but before the next turn. */
	event_active(strikes->flush, EV_TIMEOUT, 0);
	return change;
}

static bool strikes_is_pending(const struct ledger *ledger, const struct prefix *client,
			       uint16_t policy)
{
	const struct ban_batch *batch = ledger->strikes->pending;

	for (size_t i = 0; batch && i < batch->count; i++) {
		if (batch->changes[i].policy == policy &&
		    prefix_equal(&batch->changes[i].prefix, client))
			return true;
	}
	return false;
}

static void strikes_ban(struct ledger *ledger, const struct strike_case *strike,
			const struct conf_policy *policy, const char *why)
{
	struct ban_change *change;

	if (strikes_is_pending(ledger, &strike->client, policy->id))
		return;
	change = strikes_pending_add(ledger);
	if (!change) {
		log_error("event=ban-failed policy=%s error=\"out of memory\"",
			  policy->name);
		return;
	}
	change->prefix = strike->client;
	change->policy = (uint8_t)policy->id;
	change->cause = CAUSE_STRIKES;
	change->seen_mono_ns = strike->msg->seen_mono_ns;
	bans_fill_set(ledger, change,
		      strikes_ban_length(ledger, &strike->client, &policy->strikes));
	(void)text_copy(ledger->strikes->pending->whys[change->why], DB_WHY_MAX, why);
}

/* The limit: ban in every policy in which a strike was made and LL is set. */
static void strikes_limit(struct ledger *ledger, const struct strike_case *strike,
			  uint32_t policies)
{
	const struct conf *conf = ledger_conf(ledger);
	char why[DB_WHY_MAX];
	struct buf buf = BUF_OVER(why);

	buf_printf(&buf, "%u strikes, the last: %s of %s at %s",
		   strike->policy->strikes.max,
		   strike->msg->kind == STRIKE_LOGIN ? "login" : "recipient",
		   strike->msg->user[0] ? strike->msg->user : "-", strike->service->name);
	policies |= UINT32_C(1) << strike->policy->id;
	for (unsigned int i = 0; i < conf->policy_count; i++) {
		const struct conf_policy *policy = &conf->policies[i];
		struct prefix_set_item ban;

		if (!(policies & UINT32_C(1) << policy->id) ||
		    !strikes_has_ll(ledger, i, &strike->msg->addr))
			continue;
		/* A ban that runs is not made longer by what its client did elsewhere. */
		if (prefix_set_find(ledger->set, policy->id, &strike->msg->addr,
				    ledger->now.boot_ns, &ban))
			continue;
		if (policy->mode[CHECK_STRIKES] == MODE_OBSERVE)
			events_would_ban(ledger, &strike->client, policy->name, why);
		else if (policy->mode[CHECK_STRIKES] == MODE_ENFORCE)
			strikes_ban(ledger, strike, policy, why);
	}
}

/* No counting: the gate has done it. It bans in the policy of the service that was attacked. */
static void strikes_on_dos(struct ledger *ledger, const struct strike_case *strike)
{
	char why[DB_WHY_MAX];
	struct buf buf = BUF_OVER(why);

	buf_printf(&buf, "denial of service (%s): %s at %s", strike->msg->user,
		   strike->msg->reply, strike->service->name);
	if (strike->policy->mode[CHECK_DOS] == MODE_OBSERVE) {
		events_would_ban(ledger, &strike->client, strike->policy->name, why);
		return;
	}
	strikes_keep(ledger, strike);
	strikes_ban(ledger, strike, strike->policy, why);
}

static const char *strikes_result_name(enum strike_result result)
{
	static const char *const names[] = {
		[STRIKE_COUNTED] = "counted",
		[STRIKE_REPEATED] = "repeated",
		[STRIKE_CREDITED] = "credited",
		[STRIKE_LIMIT] = "limit",
	};

	return names[result];
}

void strikes_on_strike(struct ledger *ledger, const struct msg_strike *msg)
{
	struct strike_case found;
	struct strike strike = {.at_s = ledger->now.wall_s, .kind = msg->kind};
	const struct conf_strikes *conf;
	struct strikes_record *record;
	enum strike_result result;
	uint32_t policies = 0;
	struct events_strike told = {.msg = msg};

	if (!strikes_look(ledger, msg, &found))
		return;
	if (msg->kind == STRIKE_DOS) {
		strikes_on_dos(ledger, &found);
		return;
	}
	conf = &found.policy->strikes;
	strike.policy_id = (uint8_t)found.policy->id;
	memcpy(strike.digest, msg->digest, sizeof(strike.digest));
	record = strikes_record_of(ledger, &found.client, conf);
	result = strikes_add(conf, record, &strike, &policies);
	told.service = found.service->name;
	told.policy = found.policy->name;
	told.max = conf->max;
	told.count = result == STRIKE_LIMIT ? conf->max : record->count;
	told.result = strikes_result_name(result);
	if (result == STRIKE_COUNTED || result == STRIKE_LIMIT)
		strikes_keep(ledger, &found);
	events_strike(ledger, &told);
	if (result != STRIKE_LIMIT)
		return;
	strikes_limit(ledger, &found, policies);
	/* If only an observing policy was at its limit, the count begins anew there, too. */
	if (!strikes_is_pending(ledger, &found.client, found.policy->id))
		store_forget(ledger, &found.client);
}

void strikes_on_login(struct ledger *ledger, const struct msg_login *msg)
{
	const struct conf *conf = ledger_conf(ledger);
	struct prefix client = prefix_of_client(&msg->addr);
	const struct conf_service *service;
	const struct conf_strikes *strikes;
	struct strikes_record *record;
	bool had_strikes;

	if (msg->service >= conf->service_count)
		return;
	service = &conf->services[msg->service];
	strikes = &conf->policies[service->policy].strikes;
	events_login(ledger, msg, service->name);
	if (strikes->success_credit_s == 0)
		return;
	record = strikes_record_of(ledger, &client, strikes);
	had_strikes = record->count > 0;
	strikes_succeed(strikes, record, ledger->now.wall_s);
	if (had_strikes && record->count == 0)
		store_forget(ledger, &client);
}
