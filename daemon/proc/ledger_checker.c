/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_checker - see ledger_checker.h.
 */
#include "proc/ledger_checker.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "proc/channel.h"

#define STATES_MAX (CONF_RBLS_MAX * RBL_FAMILY_COUNT)

struct list_told {
	int64_t since_s;
	struct msg_list msg;
};

struct ledger_checker {
	struct channel *channel; /* NULL: none */
	size_t count;
	struct list_told lists[STATES_MAX];
	struct msg_dns dns;
};

struct ledger_checker *ledger_checker_new(void)
{
	return calloc(1, sizeof(struct ledger_checker));
}

void ledger_checker_free(struct ledger_checker **checker)
{
	if (*checker)
		channel_free(&(*checker)->channel);
	free_mem(checker);
}

static struct list_told *told_find(struct ledger_checker *checker, const char *name,
				   unsigned int family)
{
	for (size_t i = 0; i < checker->count; i++)
		if (checker->lists[i].msg.family == family &&
		    strcmp(checker->lists[i].msg.name, name) == 0)
			return &checker->lists[i];
	return NULL;
}

/* Lists that no configuration has any more make room. */
static void told_forget_gone(struct ledger *ledger)
{
	struct ledger_checker *checker = ledger->checker;
	size_t kept = 0;

	for (size_t i = 0; i < checker->count; i++)
		if (conf_rbl_find(ledger_conf(ledger), checker->lists[i].msg.name) >= 0)
			checker->lists[kept++] = checker->lists[i];
	checker->count = kept;
}

static void take_list(struct ledger *ledger, const struct msg_list *msg)
{
	struct ledger_checker *checker = ledger->checker;
	struct list_told *told = told_find(checker, msg->name, msg->family);

	if (!told && checker->count == STATES_MAX)
		told_forget_gone(ledger);
	if (!told && checker->count == STATES_MAX)
		return;
	if (!told)
		told = &checker->lists[checker->count++];
	if (told->since_s == 0 || told->msg.health != msg->health)
		told->since_s = ledger->now.wall_s;
	told->msg = *msg;
}

static void checker_on_message(void *context, struct channel *channel,
			       const struct msg *msg, int fd)
{
	struct ledger *ledger = context;

	(void)channel;
	ledger_turn(ledger);
	if (msg->type == MSG_LIST)
		take_list(ledger, &msg->list);
	else if (msg->type == MSG_DNS)
		ledger->checker->dns = msg->dns;
	close_fd(&fd);
}

static void checker_on_closed(void *context, struct channel *channel, int error)
{
	struct ledger *ledger = context;

	if (error)
		log_error("event=channel-broken peer=checker error=\"%s\"",
			  strerror(-error));
	if (ledger->checker->channel == channel)
		channel_free(&ledger->checker->channel);
}

int ledger_checker_attach(struct ledger *ledger, int fd)
{
	const struct channel_conf conf = {
		.base = ledger->base,
		.fd = fd,
		.self = ROLE_LEDGER,
		.other = ROLE_CHECKER,
		.on_message = checker_on_message,
		.on_closed = checker_on_closed,
		.context = ledger,
	};

	channel_free(&ledger->checker->channel);
	ledger->checker->channel = channel_new(&conf);
	if (ledger->checker->channel)
		return 0;
	close_fd(&fd);
	return -ENOMEM;
}

/* What was told of a list and a family that is asked; NULL: nothing. */
static const struct list_told *told_of(const struct ledger *ledger,
				       const struct conf_rbl *rbl, enum rbl_family family)
{
	const struct list_told *told = told_find(ledger->checker, rbl->name, family);

	return told && told->msg.health != RBL_UNUSED ? told : NULL;
}

static json_t *health_json(const struct list_told *told)
{
	return told ? json_string(rbl_health_name((enum rbl_health)told->msg.health))
		    : json_null();
}

json_t *ledger_checker_lists(const struct ledger *ledger)
{
	const struct conf *conf = ledger_conf(ledger);
	json_t *rows = json_array();

	for (uint8_t i = 0; i < conf->rbl_count; i++) {
		const struct conf_rbl *rbl = &conf->rbls[i];
		const struct list_told *v4 = told_of(ledger, rbl, RBL_V4);
		const struct list_told *v6 = told_of(ledger, rbl, RBL_V6);
		const struct list_told *shown = v4 && (v4->msg.why[0] || !v6) ? v4 : v6;

		if (!shown)
			continue;
		(void)json_array_append_new(
			rows,
			json_pack("{s:s, s:s, s:o, s:o, s:s, s:I}", "name", rbl->name,
				  "zone", rbl->zone, "ipv4", health_json(v4), "ipv6",
				  health_json(v6), "why", shown->msg.why, "since",
				  (json_int_t)shown->since_s));
	}
	return rows;
}

size_t ledger_checker_warning(const struct ledger *ledger, size_t at, char *out_text,
			      size_t cap_bytes)
{
	const struct conf *conf = ledger_conf(ledger);
	struct buf text;

	buf_init(&text, out_text, cap_bytes);
	for (; at < conf->rbl_count * RBL_FAMILY_COUNT; at++) {
		const struct conf_rbl *rbl = &conf->rbls[at / RBL_FAMILY_COUNT];
		const enum rbl_family family = (enum rbl_family)(at % RBL_FAMILY_COUNT);
		const struct list_told *told = told_of(ledger, rbl, family);

		if (!told || told->msg.health != RBL_SUSPENDED)
			continue;
		buf_printf(&text, "DNS list %s (%s) is not asked: %s", rbl->name,
			   rbl_family_name(family), told->msg.why);
		return at + 1;
	}
	if (at++ == conf->rbl_count * RBL_FAMILY_COUNT && ledger->checker->channel &&
	    ledger->checker->dns.is_silent)
		buf_puts(&text, "the DNS does not answer: what checks ask is not known");
	return at;
}

json_t *ledger_checker_dns(const struct ledger *ledger)
{
	const struct msg_dns *dns = &ledger->checker->dns;

	if (!ledger->checker->channel)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "asked",
			 (json_int_t)dns->asked, "cached", (json_int_t)dns->cached,
			 "shared", (json_int_t)dns->shared, "failed",
			 (json_int_t)dns->failed, "cache_entries",
			 (json_int_t)dns->cache_entries, "cache_bytes",
			 (json_int_t)dns->cache_bytes, "silent", (int)dns->is_silent);
}
