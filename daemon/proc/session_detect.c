/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_detect - see session_detect.h.
 */
#include "proc/session_detect.h"

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

int detect_init(struct gate *gate)
{
	uint8_t seed[16];

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return -EIO;
	gate->detected =
		ttlmap_new(gate->conf->limits.dos_clients_max, sizeof(struct prefix),
			   sizeof(struct detect_record), seed);
	return gate->detected ? 0 : -ENOMEM;
}

void detect_done(struct gate *gate)
{
	ttlmap_free(&gate->detected);
}

static void tell_ledger(struct gate *gate, const struct detect_event *event,
			const struct conf_detector *conf)
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
	(void)channel_send(gate->ledger, &msg, -1); /* without a ledger nobody bans */
}

void detect_note(struct gate *gate, const struct detect_event *event)
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
		tell_ledger(gate, event, conf);
}

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
