/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/checker_report - see checker_report.h.
 */
#include "proc/checker_report.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"

/* Without a ledger nobody is told; the next one is told everything. */
static void tell_list(struct checker_report *report, uint8_t list, enum rbl_family family)
{
	const struct rbl_report *state = rbl_lists_report(report->lists, list, family);
	struct msg msg = {.type = MSG_LIST};

	(void)text_copy(msg.list.name, sizeof(msg.list.name),
			report->conf->rbls[list].name);
	msg.list.family = (uint8_t)family;
	msg.list.health = (uint8_t)state->health;
	(void)text_copy(msg.list.why, sizeof(msg.list.why), state->why);
	(void)channel_send(report->ledger, &msg, -1);
}

void report_lists(struct checker_report *report)
{
	for (uint8_t i = 0; report->conf && i < report->conf->rbl_count; i++)
		for (unsigned int family = 0; family < RBL_FAMILY_COUNT; family++)
			tell_list(report, i, (enum rbl_family)family);
}

void report_list(void *context, uint8_t list, enum rbl_family family,
		 const struct rbl_report *state)
{
	struct checker_report *report = context;
	const struct conf_rbl *rbl = &report->conf->rbls[list];

	if (state->health == RBL_SUSPENDED)
		log_warn("event=rbl-suspended list=%s zone=%s family=%s reason=\"%s\"",
			 rbl->name, rbl->zone, rbl_family_name(family), state->why);
	else
		log_info("event=rbl-works list=%s zone=%s family=%s", rbl->name,
			 rbl->zone, rbl_family_name(family));
	tell_list(report, list, family);
}

static bool counts_equal(const struct resolver_counts *a, const struct resolver_counts *b)
{
	return a->asked == b->asked && a->cached == b->cached && a->shared == b->shared &&
	       a->failed == b->failed && a->cache_entries == b->cache_entries &&
	       a->cache_bytes == b->cache_bytes && a->is_silent == b->is_silent;
}

void report_tick(struct checker_report *report)
{
	struct msg msg = {.type = MSG_DNS};
	struct resolver_counts counts;

	resolver_count(report->resolver, &counts);
	if (counts_equal(&counts, &report->sent))
		return;
	msg.dns.asked = counts.asked;
	msg.dns.cached = counts.cached;
	msg.dns.shared = counts.shared;
	msg.dns.failed = counts.failed;
	msg.dns.cache_entries = counts.cache_entries;
	msg.dns.cache_bytes = counts.cache_bytes;
	msg.dns.is_silent = counts.is_silent;
	if (!channel_send(report->ledger, &msg, -1))
		report->sent = counts;
}

static void ledger_on_message(void *context, struct channel *channel,
			      const struct msg *msg, int fd)
{
	(void)context;
	(void)channel;
	(void)msg; /* msg_validate() lets nothing through here */
	close_fd(&fd);
}

static void ledger_on_closed(void *context, struct channel *channel, int error)
{
	struct checker_report *report = context;

	(void)channel;
	if (error)
		log_error("event=peer-refused peer=ledger error=\"%s\"",
			  strerror(-error));
	channel_free(&report->ledger);
}

int report_attach(struct checker_report *report, struct event_base *base, int fd)
{
	const struct channel_conf conf = {
		.base = base,
		.fd = fd,
		.self = ROLE_CHECKER,
		.other = ROLE_LEDGER,
		.on_message = ledger_on_message,
		.on_closed = ledger_on_closed,
		.context = report,
	};

	channel_free(&report->ledger);
	memset(&report->sent, 0, sizeof(report->sent));
	report->ledger = channel_new(&conf);
	if (!report->ledger) {
		close_fd(&fd);
		return -ENOMEM;
	}
	report_lists(report);
	report_tick(report);
	return 0;
}

void report_done(struct checker_report *report)
{
	channel_free(&report->ledger);
}
