/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_detect - see session_detect.h.
 */
#include "proc/session_detect.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/ttlmap.h"
#include "policy/flags.h"
#include "proc/channel.h"
#include "proc/session.h"

#define EXPIRE_STEPS 64u /* slots of the table with each event */

/* Reasons of session_end() that say something about the client. */
static const struct {
	const char *reason;
	enum detector detector;
	bool only_early; /* of one that was never greeted, or logged in */
} rows[] = {
	{"timeout", DETECT_SLOW, true},	    {"login-timeout", DETECT_SLOW, true},
	{"tls-timeout", DETECT_SLOW, true}, {"errors", DETECT_FLOODS, false},
	{"commands", DETECT_FLOODS, false}, {"not-smtp", DETECT_JUNK, false},
	{"not-imap", DETECT_JUNK, false},   {"starttls-injection", DETECT_JUNK, false},
	{"tls-failed", DETECT_TLS, false},  {"tls-limit", DETECT_TLS, false},
};

/* Whom the kernel has reported: a client in one policy, as it counts them. Compared byte by byte. */
struct syns_key {
	struct prefix client;
	uint8_t policy_id;
};
static_assert(sizeof(struct syns_key) == sizeof(struct prefix) + 1, "no padding");

struct syns_record {
	struct detect_syns syns;
	struct addr addr; /* of the last connection */
	uint16_t flags;	  /* of its entry */
};

static struct syns_key syns_key(const struct conf *conf, const struct prefix *client,
				int service)
{
	struct syns_key key;

	memset(&key, 0, sizeof(key));
	key.client = *client;
	key.policy_id = (uint8_t)conf->policies[conf->services[service].policy].id;
	return key;
}

int detect_init(struct gate *gate)
{
	uint8_t seed[16];

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return -EIO;
	gate->detected =
		ttlmap_new(gate->conf->limits.dos_clients_max, sizeof(struct prefix),
			   sizeof(struct detect_record), seed);
	gate->syns =
		ttlmap_new(gate->conf->limits.dos_clients_max, sizeof(struct syns_key),
			   sizeof(struct syns_record), seed);
	return gate->detected && gate->syns ? 0 : -ENOMEM;
}

void detect_done(struct gate *gate)
{
	ttlmap_free(&gate->detected);
	ttlmap_free(&gate->syns);
}

/* @found: what the last of them was, if there is more to be said; may be NULL. */
static void tell_ledger(struct gate *gate, const struct detect_event *event,
			const struct conf_detector *conf,
			const struct detect_syns_found *found)
{
	struct msg msg = {.type = MSG_STRIKE};
	struct msg_strike *strike = &msg.strike;
	struct buf reply;
	char window[DURATION_TEXT_MAX];

	strike->addr = event->addr;
	strike->kind = STRIKE_DOS;
	strike->service = (uint8_t)event->service;
	strike->seen_mono_ns = gate->now_ns;
	(void)text_copy(strike->user, sizeof(strike->user),
			detector_name(event->detector));
	buf_init(&reply, strike->reply, sizeof(strike->reply));
	buf_printf(&reply, "%u in %s", conf->max,
		   num_format_duration(conf->window_s, window));
	if (found)
		buf_printf(&reply,
			   ", the last: %" PRIu64 " SYN over the rate, %u of %" PRIu64
			   " others became connections",
			   found->over, found->accepted, found->passed);
	(void)channel_send(gate->ledger, &msg, -1); /* without a ledger nobody bans */
}

static void note(struct gate *gate, const struct detect_event *event,
		 const struct detect_syns_found *found)
{
	const struct prefix client = prefix_of_client(&event->addr);
	const struct conf_policy *policy;
	const struct conf_detector *conf;
	struct detect_record *record;

	if (event->service < 0 || !(event->flags & FLAG_BAN) || !gate->detected)
		return;
	policy = &gate->conf->policies[gate->conf->services[event->service].policy];
	conf = &policy->detectors[event->detector];
	if (policy->mode[CHECK_DOS] == MODE_OFF)
		return;
	(void)ttlmap_expire(gate->detected, gate->now_ns, EXPIRE_STEPS);
	record = ttlmap_put(gate->detected, &client, gate->now_ns,
			    gate->now_ns + DETECT_WINDOW_MAX_S * NS_PER_S, NULL);
	if (detect_count(conf, record, event->detector, gate->now_ms))
		tell_ledger(gate, event, conf, found);
}

void detect_note(struct gate *gate, const struct detect_event *event)
{
	note(gate, event, NULL);
}

/* ---- SYNs ---------------------------------------------------------------------------------------- */

void detect_accepted(struct gate *gate, const struct detect_event *event)
{
	const struct prefix client = prefix_of_client(&event->addr);
	const struct syns_key key = syns_key(gate->conf, &client, event->service);
	struct syns_record *record = ttlmap_get(gate->syns, &key, gate->now_ns);

	if (record) {
		record->syns.accepted++;
		record->addr = event->addr;
		record->flags = event->flags;
	}
	detect_note(gate, event);
}

static void take_report(struct gate *gate, const struct msg_syn *report)
{
	const struct syns_key key =
		syns_key(gate->conf, &report->client, report->service);
	struct syns_record *record =
		ttlmap_put(gate->syns, &key, gate->now_ns,
			   gate->now_ns + 2 * DETECT_SYNS_GAP_MS * NS_PER_MS, NULL);
	struct detect_syns_found found;
	struct detect_event event;

	if (!detect_syns(&record->syns, report->passed, report->over, gate->now_ms,
			 &found))
		return;
	event = (struct detect_event){
		.addr = record->addr,
		.flags = record->flags,
		.service = report->service,
		.detector = DETECT_SYNS,
	};
	note(gate, &event, &found);
}

void detect_syn_reports(struct gate *gate, const struct msg_syns *message)
{
	if (!gate->syns)
		return;
	(void)ttlmap_expire(gate->syns, gate->now_ns, EXPIRE_STEPS);
	for (uint32_t i = 0; i < message->count; i++)
		if (message->syns[i].service < gate->conf->service_count)
			take_report(gate, &message->syns[i]);
}

/* ---- sessions ------------------------------------------------------------------------------------ */

void detect_session(const struct session *s)
{
	const bool is_early = s->helo_len == 0 && s->user[0] == '\0';

	if (s->is_test)
		return; /* no client did it */
	for (size_t i = 0; s->reason && i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct detect_event event = {
			.addr = s->addr,
			.flags = s->flags,
			.service = s->service,
			.detector = rows[i].detector,
		};

		if (strcmp(s->reason, rows[i].reason) != 0)
			continue;
		if (is_early || !rows[i].only_early)
			detect_note(s->gate, &event);
		return;
	}
}
