/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_events - see ledger_events.h. Names of events and keys: posternd(8).
 */
#include "proc/ledger_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "proc/ledger_store.h"

struct follower {
	events_fn tell; /* NULL: free */
	void *context;
};

struct events {
	struct follower followers[EVENTS_FOLLOWERS_MAX];
	size_t count;
	struct log_limit strikes, grey;
};

struct events *events_new(void)
{
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return NULL;
	events->strikes.per_minute = EVENTS_STRIKES_PER_MINUTE;
	events->grey.per_minute = EVENTS_GREY_PER_MINUTE;
	return events;
}

void events_free(struct events **events)
{
	free(*events);
	*events = NULL;
}

int events_follow(struct ledger *ledger, events_fn tell, void *context)
{
	struct events *events = ledger->events;

	for (size_t i = 0; i < EVENTS_FOLLOWERS_MAX; i++) {
		if (!events->followers[i].tell) {
			events->followers[i] = (struct follower){tell, context};
			events->count++;
			return 0;
		}
	}
	return -ENOBUFS;
}

void events_unfollow(struct ledger *ledger, const void *context)
{
	struct events *events = ledger->events;

	for (size_t i = 0; i < EVENTS_FOLLOWERS_MAX; i++) {
		if (events->followers[i].tell &&
		    events->followers[i].context == context) {
			events->followers[i].tell = NULL;
			events->count--;
		}
	}
}

/* Tells a row to all who follow. Takes the row; NULL: no memory, they miss it. */
static void events_tell(struct ledger *ledger, json_t *row)
{
	const struct events *events = ledger->events;

	for (size_t i = 0; row && i < EVENTS_FOLLOWERS_MAX; i++) {
		struct follower follower = events->followers[i];

		if (follower.tell)
			follower.tell(follower.context, row);
	}
	json_decref(row);
}

static const char *events_change_name(const struct ban_change *change)
{
	if (change->edit == BAN_EDIT_SET)
		return "ban";
	return change->cause == CAUSE_EXPIRED ? "expire" : "unban";
}

/* What strangers put into a text was escaped by the gate; the reason came from an admin. */
static const char *events_quote(const char *text, char *memory, size_t cap_bytes)
{
	struct buf buf;

	buf_init(&buf, memory, cap_bytes);
	buf_add_escaped(&buf, text, strlen(text), DB_WHY_MAX);
	return memory;
}

/* Of a large batch only the sum is said; its single bans for who debugs. */
static enum log_level events_level(const struct ban_batch *batch)
{
	return batch->count > EVENTS_LINES_MAX ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

static void events_log_ban(struct ledger *ledger, const struct ban_batch *batch,
			   const struct ban_change *change, const char *addr,
			   const char *why)
{
	const char *source = change->cause == CAUSE_STRIKES ? "strikes" : "command";
	uint64_t latency_us = 0;

	if (change->seen_mono_ns && ledger->now.mono_ns > change->seen_mono_ns)
		latency_us = (ledger->now.mono_ns - change->seen_mono_ns) / 1000;
	log_line(
		events_level(batch),
		"event=ban addr=%s policy=%s source=%s ends=%lld why=\"%s\" latency_us=%llu stored=%s xdp=%s",
		addr, ledger_policy_name(ledger, change->policy), source,
		change->ends_s == DB_FOREVER_S ? -1LL : (long long)change->ends_s, why,
		(unsigned long long)latency_us, change->is_unstored ? "no" : "yes",
		change->is_without_xdp ? "off" : "yes");
}

void events_change(struct ledger *ledger, const struct ban_batch *batch, size_t index)
{
	const struct ban_change *change = &batch->changes[index];
	const char *name = events_change_name(change);
	const char *policy = change->policy == LEDGER_POLICY_NONE
				     ? db_policy_name(store_db(ledger), change->key)
				     : ledger_policy_name(ledger, change->policy);
	char addr[PREFIX_TEXT_MAX];
	char why[4 * DB_WHY_MAX];

	(void)prefix_format(&change->prefix, addr);
	(void)events_quote(batch_why(batch, change), why, sizeof(why));
	if (change->error)
		log_error("event=%s-failed addr=%s policy=%s error=\"%s\"", name, addr,
			  policy,
			  change->error == -EPERM
				  ? "protected address, refused by the keeper"
				  : strerror(-change->error));
	else if (change->edit == BAN_EDIT_SET)
		events_log_ban(ledger, batch, change, addr, why);
	else
		log_line(events_level(batch), "event=%s addr=%s policy=%s", name, addr,
			 policy);
	if (ledger->events->count == 0 || change->error)
		return;
	events_tell(ledger,
		    json_pack("{s:s, s:I, s:s, s:s, s:s, s:o*}", "event", name, "time",
			      (json_int_t)ledger->now.wall_s, "addr", addr, "policy",
			      policy, "why", batch_why(batch, change), "ends",
			      change->edit != BAN_EDIT_SET ? NULL
			      : change->ends_s == DB_FOREVER_S
				      ? json_null()
				      : json_integer(change->ends_s)));
}

void events_batch(struct ledger *ledger, const struct ban_batch *batch)
{
	size_t done[2] = {0};

	(void)ledger;
	if (batch->count <= EVENTS_LINES_MAX || batch->changes[0].cause == CAUSE_REPAIR)
		return;
	for (size_t i = 0; i < batch->count; i++) {
		if (!batch->changes[i].error)
			done[batch->changes[i].edit == BAN_EDIT_SET]++;
	}
	log_info("event=bans-changed source=%s set=%zu removed=%zu failed=%zu",
		 batch->changes[0].cause == CAUSE_COMMAND   ? "command"
		 : batch->changes[0].cause == CAUSE_STRIKES ? "strikes"
							    : "expiry",
		 done[1], done[0], batch->count - done[0] - done[1]);
}

void events_strike(struct ledger *ledger, const struct events_strike *strike)
{
	const struct msg_strike *msg = strike->msg;
	char addr[ADDR_TEXT_MAX];
	uint32_t dropped = 0;

	(void)addr_format(&msg->addr, addr);
	/* user and reply were escaped by the gate. */
	if (log_limit_take(&ledger->events->strikes, ledger->now.mono_ns, &dropped))
		log_info(
			"event=strike id=%016llx addr=%s service=%s policy=%s kind=%s user=\"%s\" reply=\"%s\" result=%s count=%u max=%u dropped=%u",
			(unsigned long long)msg->session_id, addr, strike->service,
			strike->policy, strike_kind_name((enum strike_kind)msg->kind),
			msg->user, msg->reply, strike->result, strike->count, strike->max,
			dropped);
	if (ledger->events->count == 0)
		return;
	events_tell(ledger,
		    json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i}",
			      "event", "strike", "time", (json_int_t)ledger->now.wall_s,
			      "addr", addr, "service", strike->service, "policy",
			      strike->policy, "kind",
			      strike_kind_name((enum strike_kind)msg->kind), "user",
			      msg->user, "reply", msg->reply, "result", strike->result,
			      "count", (int)strike->count, "max", (int)strike->max));
}

void events_would_ban(struct ledger *ledger, const struct prefix *client,
		      const char *policy, const char *why)
{
	char addr[PREFIX_TEXT_MAX];

	(void)prefix_format(client, addr);
	log_info("event=would-ban addr=%s policy=%s why=\"%s\"", addr, policy, why);
	if (ledger->events->count == 0)
		return;
	events_tell(ledger, json_pack("{s:s, s:I, s:s, s:s, s:s}", "event", "would-ban",
				      "time", (json_int_t)ledger->now.wall_s, "addr",
				      addr, "policy", policy, "why", why));
}

/* Who is known passes with every mail: that is nothing to tell. */
static enum log_level events_grey_level(const struct grey_decision *decision)
{
	return decision->verdict == GREY_PASS && decision->reason != GREY_RETRY
		       ? LOG_LEVEL_DEBUG
		       : LOG_LEVEL_INFO;
}

void events_grey(struct ledger *ledger, const struct events_grey *grey)
{
	const struct msg_grey_ask *ask = grey->ask;
	const enum log_level level = events_grey_level(grey->decision);
	const char *reason = grey_reason_name(grey->decision->reason);
	char addr[ADDR_TEXT_MAX];
	uint32_t dropped = 0;

	(void)addr_format(&ask->addr, addr);
	/* sender, recipient and domain were escaped by the gate. */
	if (level == LOG_LEVEL_DEBUG ||
	    log_limit_take(&ledger->events->grey, ledger->now.mono_ns, &dropped))
		log_line(
			level,
			"event=greylist id=%016llx addr=%s service=%s policy=%s origin=\"%s\" from=\"%s\" rcpt=\"%s\" verdict=%s why=%s wait_s=%u dropped=%u",
			(unsigned long long)ask->session_id, addr, grey->service,
			grey->policy, grey->origin, ask->sender, ask->recipient,
			grey->verdict, reason, grey->decision->wait_s, dropped);
	if (ledger->events->count == 0)
		return;
	events_tell(ledger,
		    json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i}",
			      "event", "greylist", "time", (json_int_t)ledger->now.wall_s,
			      "addr", addr, "service", grey->service, "policy",
			      grey->policy, "result", grey->verdict, "why", reason,
			      "origin", grey->origin, "from", ask->sender, "rcpt",
			      ask->recipient, "wait_s", (int)grey->decision->wait_s));
}

void events_login(struct ledger *ledger, const struct msg_login *login,
		  const char *service)
{
	char addr[ADDR_TEXT_MAX];

	if (ledger->events->count == 0)
		return;
	(void)addr_format(&login->addr, addr);
	events_tell(ledger, json_pack("{s:s, s:I, s:s, s:s, s:s}", "event", "login",
				      "time", (json_int_t)ledger->now.wall_s, "addr",
				      addr, "service", service, "user", login->user));
}

void events_finding(struct ledger *ledger, const struct msg_finding *finding,
		    const char *result)
{
	const struct conf_service *service =
		&ledger_conf(ledger)->services[finding->service];
	char addr[ADDR_TEXT_MAX];

	if (ledger->events->count == 0)
		return;
	(void)addr_format(&finding->addr, addr);
	events_tell(ledger,
		    json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "event",
			      "check", "time", (json_int_t)ledger->now.wall_s, "addr",
			      addr, "service", service->name, "policy",
			      ledger_conf(ledger)->policies[service->policy].name, "kind",
			      conf_check_name((enum conf_check)finding->check), "result",
			      result, "why", finding->evidence));
}

void events_message(struct ledger *ledger, const char *name, const char *message)
{
	if (ledger->events->count == 0)
		return;
	events_tell(ledger,
		    json_pack("{s:s, s:I, s:s}", "event", name, "time",
			      (json_int_t)ledger->now.wall_s, "message", message));
}
