/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_grey - see ledger_grey.h. The rules: policy/greylist.
 *
 * What is remembered belongs to all policies: only their delays and lifetimes differ.
 */
#include "proc/ledger_grey.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <event2/event.h>

#include "base/buf.h"
#include "proc/channel.h"
#include "proc/ledger_events.h"
#include "proc/ledger_grey_store.h"

struct grey_pending {
	uint32_t gate;
	struct msg_grey_answer answer;
};

struct grey {
	struct event *flush; /* when the gates' messages of this turn have been read */
	struct grey_pending pending[GREY_PENDING_MAX];
	size_t pending_count;
};

/* A question in its surroundings. */
struct grey_case {
	const struct msg_grey_ask *ask;
	const struct conf_service *service;
	const struct conf_policy *policy;
	struct db_grey_origin origin;	     /* what it counts for */
	struct db_grey_row triplet, network; /* what is known of it */
	bool knows_triplet, knows_network;
	bool has_triplet, has_network; /* stored under the origin itself */
};

static_assert(DB_GREY_DIGEST_BYTES == GREY_DIGEST_BYTES, "one digest");
static_assert(DB_GREY_NAME_MAX >= MSG_GREY_NAME_MAX, "names fit into the store");
static_assert(DB_GREY_DOMAIN_MAX >= CONF_HOST_MAX, "domains fit into the store");

/* ---- answers ------------------------------------------------------------------------------------ */

static void grey_send(struct ledger *ledger, uint32_t gate,
		      const struct msg_grey_answer *answer)
{
	const struct msg msg = {.type = MSG_GREY_ANSWER, .grey_answer = *answer};

	/* A gate that has gone, or whose queue is full, does without: it lets through. */
	(void)channel_send(ledger->gates[gate], &msg, -1);
}

static void grey_flush(struct ledger *ledger)
{
	struct grey *grey = ledger->grey;

	/* A proof that cannot be stored lets through all the same: he did come back. */
	if (grey_store_look(ledger))
		(void)grey_store_commit(ledger, grey->pending_count > 0);
	for (size_t i = 0; i < grey->pending_count; i++)
		grey_send(ledger, grey->pending[i].gate, &grey->pending[i].answer);
	grey->pending_count = 0;
}

static void grey_on_flush(evutil_socket_t fd, short what, void *context)
{
	struct ledger *ledger = context;

	(void)fd;
	(void)what;
	ledger_turn(ledger);
	grey_flush(ledger);
}

static void grey_answer(struct ledger *ledger, uint32_t gate,
			const struct msg_grey_ask *ask,
			const struct grey_decision *decision)
{
	struct grey *grey = ledger->grey;
	const struct msg_grey_answer answer = {
		.session_id = ask->session_id,
		.ask = ask->ask,
		.verdict = decision->verdict,
		.reason = decision->reason,
		.wait_s = decision->wait_s,
	};

	if (decision->reason != GREY_RETRY) {
		grey_send(ledger, gate, &answer);
		return;
	}
	if (grey->pending_count == GREY_PENDING_MAX)
		grey_flush(ledger);
	grey->pending[grey->pending_count++] = (struct grey_pending){gate, answer};
	/* It goes behind all that is ready in this turn of the loop, but before the next turn. */
	event_active(grey->flush, EV_TIMEOUT, 0);
}

void grey_decline(struct ledger *ledger, uint32_t gate, const struct msg_grey_ask *ask)
{
	const struct msg_grey_answer answer = {
		.session_id = ask->session_id,
		.ask = ask->ask,
		.verdict = GREY_UNKNOWN,
		.reason = GREY_UNSURE,
	};

	grey_send(ledger, gate, &answer);
}

/* ---- what is known ------------------------------------------------------------------------------ */

struct grey_network grey_network_from(const struct db_grey_row *row)
{
	return (struct grey_network){.successes = row->successes,
				     .counted_s = row->first_s,
				     .used_s = row->at_s};
}

static struct grey_record grey_record_from(const struct db_grey_row *row)
{
	const bool is_proven = row->kind == DB_GREY_PROVEN;

	return (struct grey_record){.first_s = row->first_s,
				    .used_s = is_proven ? row->at_s : 0,
				    .is_proven = is_proven};
}

/* Look for a row; false: there is none. Whatever goes wrong stays in *err, and then nothing is looked for. */
static bool grey_find(struct db_grey *db, struct db_grey_row *row, int *err)
{
	if (*err)
		return false;
	*err = db_grey_get(db, row, row);
	if (*err == -ENOENT) {
		*err = 0;
		return false;
	}
	return *err == 0;
}

/* What is stored under an origin, as far as it is not known yet. */
static int grey_look(struct db_grey *db, struct grey_case *c,
		     const struct db_grey_origin *origin)
{
	struct db_grey_row triplet = {.kind = DB_GREY_WAITING, .origin = *origin};
	struct db_grey_row network = {.kind = DB_GREY_NETWORK, .origin = *origin};
	int err = 0;

	memcpy(triplet.digest, c->ask->digest, sizeof(triplet.digest));
	if (!c->knows_triplet) {
		c->knows_triplet = grey_find(db, &triplet, &err);
		c->triplet = triplet;
	}
	if (!c->knows_network) {
		c->knows_network = grey_find(db, &network, &err);
		c->network = network;
	}
	return err;
}

static int grey_look_all(struct db_grey *db, struct grey_case *c)
{
	const struct db_grey_origin network = {.network = grey_network_of(&c->ask->addr)};
	int err;

	if (c->ask->domain[0])
		(void)text_copy(c->origin.domain, sizeof(c->origin.domain),
				c->ask->domain);
	else
		c->origin = network;
	err = grey_look(db, c, &c->origin);
	c->has_triplet = c->knows_triplet;
	c->has_network = c->knows_network;
	/* Before SPF was asked, or while it could not be, the client counted for its network. */
	if (!err && c->ask->domain[0])
		err = grey_look(db, c, &network);
	return err;
}

/* ---- what is remembered -------------------------------------------------------------------------- */

static int grey_keep_triplet(struct ledger *ledger, struct db_grey *db,
			     const struct grey_case *c, const struct grey_record *record)
{
	struct db_grey_row row = c->triplet;
	int err = c->has_triplet ? 0 : grey_store_make_room(ledger);

	if (err)
		return err;
	row.origin = c->origin;
	row.kind = record->is_proven ? DB_GREY_PROVEN : DB_GREY_WAITING;
	row.first_s = record->first_s;
	row.at_s = record->is_proven ? record->used_s : record->first_s;
	(void)text_copy(row.sender, sizeof(row.sender), c->ask->sender);
	(void)text_copy(row.recipient, sizeof(row.recipient), c->ask->recipient);
	return db_grey_put(db, c->has_triplet ? &c->triplet : NULL, &row);
}

static int grey_keep_network(struct ledger *ledger, struct db_grey *db,
			     const struct grey_case *c,
			     const struct grey_network *network)
{
	const struct db_grey_row row = {
		.origin = c->origin,
		.kind = DB_GREY_NETWORK,
		.successes = network->successes,
		.first_s = network->counted_s,
		.at_s = network->used_s,
	};
	int err = c->has_network ? 0 : grey_store_make_room(ledger);

	return err ? err : db_grey_put(db, c->has_network ? &c->network : NULL, &row);
}

static int grey_keep(struct ledger *ledger, struct db_grey *db, const struct grey_case *c,
		     const struct grey_decision *decision)
{
	int err = 0;

	if (decision->has_triplet)
		err = grey_keep_triplet(ledger, db, c, &decision->triplet);
	if (!err && decision->has_network)
		err = grey_keep_network(ledger, db, c, &decision->network);
	return err;
}

/* ---- the decision -------------------------------------------------------------------------------- */

static void grey_unsure(struct grey_decision *decision)
{
	*decision =
		(struct grey_decision){.verdict = GREY_UNKNOWN, .reason = GREY_UNSURE};
}

/* To be told to come back, somebody must be remembered. */
static void grey_remember(struct ledger *ledger, struct db_grey *db,
			  const struct grey_case *c, struct grey_decision *decision)
{
	int err;

	if (!decision->has_triplet && !decision->has_network)
		return;
	if (!grey_store_may_write(ledger)) {
		if (decision->verdict == GREY_DEFER)
			grey_unsure(decision);
		return;
	}
	err = grey_keep(ledger, db, c, decision);
	if (err)
		grey_store_abort(ledger, err);
	else if (grey_store_state(ledger) == GREY_STORE_FAILING)
		err = grey_store_commit(ledger, false); /* a trial: is it on the disk? */
	else if (db_grey_changes(db) >= GREY_BATCH)
		event_active(ledger->grey->flush, EV_TIMEOUT, 0);
	if (err && decision->verdict == GREY_DEFER)
		grey_unsure(decision);
}

static void grey_decide(struct ledger *ledger, struct grey_case *c,
			struct grey_decision *decision)
{
	struct db_grey *db = grey_store_db(ledger);
	struct prefix_set_item command;
	struct grey_record record;
	struct grey_network network;
	struct grey_known known = {.is_passed_by_command = grey_store_passes(
					   ledger, &c->ask->addr, &command)};
	int err;

	if (!db && !known.is_passed_by_command) {
		grey_unsure(decision);
		return;
	}
	err = known.is_passed_by_command ? 0 : grey_look_all(db, c);
	if (err) {
		grey_store_abort(ledger, err);
		grey_unsure(decision);
		return;
	}
	record = grey_record_from(&c->triplet);
	network = grey_network_from(&c->network);
	known.triplet = c->knows_triplet ? &record : NULL;
	known.network = c->knows_network ? &network : NULL;
	greylist_decide(&c->policy->greylist, &known, ledger->now.wall_s, decision);
	if (db && !c->ask->is_test)
		grey_remember(ledger, db, c, decision);
}

static void grey_tell(struct ledger *ledger, const struct grey_case *c,
		      const struct grey_decision *decision)
{
	const bool is_observed = c->policy->mode[CHECK_GREYLIST] == MODE_OBSERVE;
	char network[PREFIX_TEXT_MAX];
	struct prefix prefix = grey_network_of(&c->ask->addr);
	const struct events_grey told = {
		.ask = c->ask,
		.decision = decision,
		.service = c->service->name,
		.policy = c->policy->name,
		.origin = c->ask->domain[0] ? c->ask->domain
					    : prefix_format(&prefix, network),
		.verdict = is_observed && decision->verdict == GREY_DEFER
				   ? "would-defer"
				   : grey_verdict_name(decision->verdict),
	};

	events_grey(ledger, &told);
}

void grey_on_ask(struct ledger *ledger, uint32_t gate, const struct msg_grey_ask *ask)
{
	const struct conf *conf = ledger_conf(ledger);
	struct grey_case c = {.ask = ask};
	struct grey_decision decision;

	/* A reload may have taken the service away while the message was on its way. */
	if (ask->service >= conf->service_count) {
		grey_decline(ledger, gate, ask);
		return;
	}
	c.service = &conf->services[ask->service];
	c.policy = &conf->policies[c.service->policy];
	grey_decide(ledger, &c, &decision);
	if (!ask->is_test)
		grey_tell(ledger, &c, &decision);
	grey_answer(ledger, gate, ask, &decision);
}

/* ---- life --------------------------------------------------------------------------------------- */

struct grey *grey_new(struct ledger *ledger)
{
	struct grey *grey = calloc(1, sizeof(*grey));

	if (!grey)
		return NULL;
	grey->flush = event_new(ledger->base, -1, 0, grey_on_flush, ledger);
	if (!grey->flush)
		grey_free(&grey);
	return grey;
}

void grey_free(struct grey **grey)
{
	if (!*grey)
		return;
	if ((*grey)->flush)
		event_free((*grey)->flush);
	free(*grey);
	*grey = NULL;
}
