/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_relay - see gate_smtp_relay.h.
 */
#include "proc/gate_smtp_relay.h"

#include <errno.h>

#include "base/buf.h"
#include "proc/gate_smtp_checks.h"
#include "proc/session.h"
#include "proc/session_auth.h"

#define NAME_SHOWN_MAX 40u /* of a domain, in the evidence */

static const char no_memory[] = "451 4.3.0 out of memory, try again\r\n";

int relay_read_path(const char *arg, const struct smtp_path *path,
		    struct relay_path *out_path)
{
	int err = 0;

	*out_path = (struct relay_path){.has_domain = !path->is_null &&
						      path->domain.text.len > 0};
	mail_name_local(arg, path->local, path->is_quoted, &out_path->local);
	if (out_path->has_domain)
		err = mail_name_domain(arg, &path->domain, &out_path->domain);
	return err == -EINVAL ? 0 : err;
}

static struct relay_question question_of(const struct session *s,
					 const struct relay_path *path)
{
	return (struct relay_question){
		.domains = s->gate->snapshot.domains,
		.flags = s->flags,
		.is_authenticated = session_is_authenticated(s),
		.has_domain = path->has_domain,
		.local = path->local.text,
		.local_len = path->local.len,
		.domain = path->domain.text,
		.domain_len = path->domain.len,
	};
}

/* What was decided about a path. */
struct decision {
	enum conf_check check;
	bool is_against;
	const char *reason;
};

/* Return: true, refuse it. */
static bool decide(struct session *s, const struct relay_path *path,
		   const struct decision *decision)
{
	struct check_answer answer = {.result = decision->is_against ? CHECK_HIT
								     : CHECK_CLEAN};
	struct buf evidence;

	if (!decision->is_against && !s->is_test)
		return false;
	buf_init(&evidence, answer.evidence, sizeof(answer.evidence));
	buf_add_escaped(&evidence, path->domain.text, path->domain.len, NAME_SHOWN_MAX);
	buf_printf(&evidence, "%s%s", path->domain.len ? ": " : "", decision->reason);
	return checks_found(s, decision->check, &answer);
}

static bool is_asked(const struct session *s, enum conf_check check)
{
	return relay_is_on(s->gate->snapshot.domains) &&
	       checks_mode(s, check) != MODE_OFF;
}

const char *relay_refuse_sender(struct session *s, const char *arg,
				const struct smtp_path *path)
{
	struct decision decision = {.check = CHECK_SPOOF};
	struct relay_question question;
	struct relay_path sender;

	if (!is_asked(s, CHECK_SPOOF))
		return NULL;
	if (relay_read_path(arg, path, &sender))
		return no_memory;
	question = question_of(s, &sender);
	decision.is_against = relay_is_spoofed(&question);
	decision.reason = decision.is_against ? "local, not authenticated"
			  : path->is_null     ? "the null sender"
					      : "not local";
	return decide(s, &sender, &decision) ? relay_spoof_reply() : NULL;
}

const char *relay_refuse_recipient(struct session *s, const char *arg,
				   const struct smtp_path *path)
{
	struct decision decision = {.check = CHECK_RELAY};
	struct relay_question question;
	struct relay_path recipient;
	enum relay_verdict verdict;

	if (!is_asked(s, CHECK_RELAY))
		return NULL;
	if (relay_read_path(arg, path, &recipient))
		return no_memory;
	question = question_of(s, &recipient);
	verdict = relay_decide(&question);
	decision.is_against = relay_is_refusal(verdict);
	decision.reason = relay_reason(verdict);
	return decide(s, &recipient, &decision) ? relay_reply(verdict) : NULL;
}
