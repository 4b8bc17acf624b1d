/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_early - see gate_smtp_early.h.
 */
#include "proc/gate_smtp_early.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/ttlmap.h"
#include "proc/gate_smtp_checks.h"
#include "proc/gate_smtp_say.h"
#include "proc/session_auth.h"
#include "wire/foreign.h"
#include "wire/smtp.h"

#define QUOTE_MAX 40u /* bytes of the client in the evidence */

int early_init(struct gate *gate)
{
	gate->good =
		ttlmap_new(GOOD_CLIENTS_MAX, sizeof(struct prefix), 1, gate->client_seed);
	return gate->good ? 0 : -ENOMEM;
}

void early_done(struct gate *gate)
{
	ttlmap_free(&gate->good);
}

/* The gate has found it: is the client to go for it? */
static bool is_refused(struct session *s, enum conf_check check, const char *words)
{
	struct check_answer answer = {.result = CHECK_HIT};
	struct buf evidence;

	if (checks_mode(s, check) == MODE_OFF || (s->checks.hit & 1u << check))
		return false;
	buf_init(&evidence, answer.evidence, sizeof(answer.evidence));
	buf_puts(&evidence, words);
	if (s->client.in_len > 0)
		buf_add_escaped(&evidence, s->client.in + s->client.in_at,
				s->client.in_len, QUOTE_MAX);
	return checks_found(s, check, &answer);
}

/* ---- other protocols --------------------------------------------------------------------------- */

void early_not_smtp(struct session *s, const char *protocol, const char *words)
{
	char addr_text[ADDR_TEXT_MAX];
	uint32_t dropped;

	if (log_limit_take(&s->gate->log_limits.http, s->gate->now_ns, &dropped))
		log_info("event=not-smtp addr=%s service=%s protocol=%s dropped=%u",
			 addr_format(&s->addr, addr_text), s->service_name, protocol,
			 dropped);
	(void)is_refused(s, CHECK_EARLY, "it speaks another protocol: ");
	smtp_bye(s, words, "not-smtp");
}

void early_http(struct session *s)
{
	early_not_smtp(s, "HTTP", "421 4.7.0 this is no web server\r\n");
}

/* "GET / HTTP/1.1", as far as it has come. */
static bool is_http(const char *bytes, size_t len)
{
	const char *end = memchr(bytes, '\n', len);
	struct smtp_command command;

	smtp_parse_command(bytes, end ? (size_t)(end - bytes) : len, &command);
	return command.verb == SMTP_HTTP && command.arg.len > 0;
}

bool early_bytes(struct session *s)
{
	const char *bytes = s->client.in + s->client.in_at;
	const char *protocol;

	if (s->smtp.has_spoken || s->client.in_len == 0)
		return false;
	s->smtp.has_spoken = true;
	/* Ahead of what is said of clients that do not wait: a request has more lines than one. */
	if (is_http(bytes, s->client.in_len)) {
		early_http(s);
		return true;
	}
	protocol = foreign_protocol(bytes, s->client.in_len);
	if (!protocol)
		return false;
	early_not_smtp(s, protocol, "421 4.7.0 this is SMTP, and nothing else\r\n");
	return true;
}

/* ---- pipelining -------------------------------------------------------------------------------- */

static bool pipelining_is_offered(const struct session *s)
{
	return s->smtp.is_esmtp && s->smtp.has_hello &&
	       (s->smtp.caps & SMTP_CAP_PIPELINING);
}

void early_look(struct session *s)
{
	if (s->client.in_len == 0 && checks_mode(s, CHECK_PIPELINING) != MODE_OFF)
		(void)leg_fill(&s->client, false);
	s->smtp.has_pipelined |= s->client.in_len > 0;
}

bool early_line(struct session *s, size_t consumed)
{
	if (s->state != SESSION_HELO && s->state != SESSION_COMMAND)
		return false;
	if (!s->smtp.has_pipelined &&
	    (s->client.in_len <= consumed || pipelining_is_offered(s)))
		return false;
	s->smtp.has_pipelined = false;
	if (!is_refused(s, CHECK_PIPELINING, "commands ahead of the reply: "))
		return false;
	smtp_bye(s, "554 5.5.0 you do not wait for replies to your commands\r\n",
		 "pipelining");
	return true;
}

/* ---- the greeting ------------------------------------------------------------------------------ */

static bool client_is_good(const struct session *s)
{
	const struct prefix client = prefix_of_client(&s->addr);

	return ttlmap_get(s->gate->good, &client, s->gate->now_ns) != NULL;
}

void early_remember(struct session *s)
{
	const struct conf_policy *policy = session_policy(s);
	const struct prefix client = prefix_of_client(&s->addr);

	if (policy && policy->greet_delay_s > 0 && !s->is_test)
		(void)ttlmap_put(s->gate->good, &client, s->gate->now_ns,
				 s->gate->now_ns + GOOD_KEEP_S * NS_PER_S, NULL);
}

static uint64_t greet_delay_ms(const struct session *s)
{
	const struct conf_policy *policy = session_policy(s);

	if (!policy || policy->greet_delay_s == 0 || s->is_test ||
	    session_is_authenticated(s) || client_is_good(s))
		return 0;
	return (uint64_t)policy->greet_delay_s * 1000;
}

static void say_greeting(struct session *s)
{
	char memory[SMTP_SAY_MAX_BYTES];
	struct buf banner = BUF_OVER(memory);

	buf_printf(&banner, "220 %s ESMTP postern\r\n", s->gate->conf->hostname);
	leg_put(&s->client, banner.text, banner.len);
	s->state = SESSION_HELO;
	session_deadline(s, s->gate->conf->limits.greeting_timeout_s);
}

/* Something came before the greeting. Return: true if the session is about to end for it. */
static bool spoke_too_early(struct session *s)
{
	if (checks_mode(s, CHECK_EARLY) == MODE_OFF)
		return false;
	if (s->client.in_len == 0)
		(void)leg_fill(&s->client, false);
	if (s->client.in_len == 0)
		return false;
	if (early_bytes(s))
		return true;
	if (!is_refused(s, CHECK_EARLY, "before the greeting: "))
		return false;
	smtp_bye(s, "554 5.5.1 you spoke before the greeting\r\n", "early-talker");
	return true;
}

bool early_step(struct session *s)
{
	const uint64_t now_ms = s->gate->now_ms;
	const char *refusal;

	if (spoke_too_early(s))
		return true;
	if (s->client.has_ended)
		return false;
	if (now_ms < s->smtp.greet_ms) {
		session_deadline_ms(s, s->smtp.greet_ms - now_ms);
		return false;
	}
	if (checks_wait_to_greet(s))
		return false;
	refusal = checks_refuse_greeting(s);
	if (refusal)
		smtp_bye(s, refusal, "listed");
	else
		say_greeting(s);
	return true;
}

void early_begin(struct session *s)
{
	line_scanner_init(&s->smtp.lines, session_line_max(s));
	session_auth_look(s);
	checks_ask(s);
	s->state = SESSION_GREET;
	s->smtp.greet_ms = s->gate->now_ms + greet_delay_ms(s);
	s->client.can_read =
		true; /* what came with the connection makes no edge of its own */
	session_run(s);
}
