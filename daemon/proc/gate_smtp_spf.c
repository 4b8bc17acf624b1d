/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_spf - see gate_smtp_spf.h.
 */
#include "proc/gate_smtp_spf.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "proc/gate_smtp_checks.h"
#include "proc/mail_name.h"

#define DOMAIN_SHOWN_MAX 64u /* bytes of a domain in a reply */
#define HEADER_MAX	 2048u

static_assert(sizeof(struct smtp_spf) <= GATE_SMALL_BYTES, "it lives in a small block");

/* Whose domain was asked about: that of the sender, or the name in HELO. */
static const char *spf_domain(const struct smtp_spf *spf)
{
	return spf->sender.domain[0] ? spf->sender.domain : spf->sender.helo;
}

static bool is_awaited(const struct session *s)
{
	return s->checks.pending & 1u << CHECK_SPF;
}

void spf_forget(struct session *s)
{
	pool_give(&s->gate->small, &s->smtp.spf);
	s->smtp.spf_result = SPF_NONE;
	s->smtp.spf_was_asked = false;
	checks_renew(s, CHECK_SPF);
}

void spf_message_over(struct session *s)
{
	if (!is_awaited(s))
		spf_forget(s);
}

/* ---- the question ---------------------------------------------------------------------------- */

static void sender_set(struct check_sender *sender, const struct session *s,
		       const char *arg, const struct smtp_path *path)
{
	const struct span domain = path->domain.text;
	struct mail_name name;

	mail_name_local(arg, path->local, path->is_quoted, &name);
	(void)text_copy(sender->local, sizeof(sender->local), name.text);
	memcpy(sender->domain, arg + domain.at, domain.len);
	sender->domain[domain.len] = '\0';
	/* U-labels are asked about as A-labels; what has none stays, and has no record. */
	if (path->has_8bit && mail_name_domain(arg, &path->domain, &name) == 0)
		(void)text_copy(sender->domain, sizeof(sender->domain), name.text);
	memcpy(sender->helo, s->helo, s->helo_len);
	sender->helo[s->helo_len] = '\0';
}

void spf_ask(struct session *s, const char *arg, const struct smtp_path *path)
{
	struct msg msg = {.type = MSG_CHECK_SENDER};
	struct msg_check *check = &msg.check_sender.check;
	const struct conf_policy *policy = session_policy(s);
	const uint64_t timeout_ms =
		(uint64_t)s->gate->conf->limits.check_timeout_s * 1000;

	spf_forget(s);
	if (!policy || checks_mode(s, CHECK_SPF) == MODE_OFF)
		return;
	s->smtp.spf = pool_take(&s->gate->small);
	if (!s->smtp.spf)
		return; /* a gate without memory ends the session soon enough */
	memset(s->smtp.spf, 0, sizeof(*s->smtp.spf));
	sender_set(&s->smtp.spf->sender, s, arg, path);
	s->smtp.spf_was_asked = true;
	s->smtp.spf_result = SPF_TEMPERROR; /* until somebody says better */

	check->session_id = s->id;
	check->serial = ++s->smtp.spf_serial;
	check->checks = 1u << CHECK_SPF;
	check->timeout_ms = (uint32_t)timeout_ms;
	check->policy_id = policy->id;
	check->addr = s->addr;
	msg.check_sender.sender = s->smtp.spf->sender;
	(void)text_copy(s->smtp.spf->detail, sizeof(s->smtp.spf->detail),
			"the checker did not answer");
	s->checks.pending |= 1u << CHECK_SPF;
	s->checks.end_ms = s->gate->now_ms + timeout_ms;
	if (channel_send(s->gate->checker, &msg, -1))
		checks_give_up(s);
}

/* ---- the answer ------------------------------------------------------------------------------ */

enum spf_action spf_action(const struct session *s)
{
	const struct conf_policy *policy = session_policy(s);

	if (!policy || !s->smtp.spf_was_asked)
		return SPF_ACCEPT;
	return spf_decide(policy, (enum spf_result)s->smtp.spf_result);
}

static void put_name(struct buf *out, const char *name)
{
	buf_add_escaped(out, name, strlen(name), DOMAIN_SHOWN_MAX);
}

/* @words: of the domain, printable; "": it says nothing */
static void spf_write_reply(struct session *s, const char *words)
{
	const enum spf_result result = (enum spf_result)s->smtp.spf_result;
	const char *domain = spf_domain(s->smtp.spf);
	char addr[ADDR_TEXT_MAX];
	struct buf reply;

	buf_init(&reply, s->smtp.spf->reply, sizeof(s->smtp.spf->reply));
	if (result == SPF_TEMPERROR) {
		buf_puts(&reply, "451 4.4.3 the SPF record of ");
		put_name(&reply, domain);
		buf_puts(&reply, " cannot be looked up now, try again later\r\n");
		return;
	}
	if (result == SPF_PERMERROR) {
		buf_puts(&reply, "550 5.7.24 the SPF record of ");
		put_name(&reply, domain);
		buf_puts(&reply, " is in error\r\n");
		return;
	}
	buf_printf(&reply, "550%c5.7.23 by its SPF record ", words[0] ? '-' : ' ');
	put_name(&reply, domain);
	buf_printf(&reply, " does not send mail from %s\r\n",
		   addr_format(&s->addr, addr));
	if (words[0]) {
		buf_puts(&reply, "550 5.7.23 ");
		put_name(&reply, domain);
		buf_printf(&reply, " explains: %s\r\n", words);
	}
}

bool spf_take_answer(struct session *s, const struct msg_answer *answer)
{
	struct smtp_spf *spf = s->smtp.spf;
	struct buf evidence;

	if (!spf || answer->serial != s->smtp.spf_serial)
		return false; /* of a message that is over */
	s->smtp.spf_result = (uint8_t)answer->spf;
	if (answer->result == CHECK_UNKNOWN)
		s->smtp.spf_result = SPF_TEMPERROR;
	memcpy(spf->detail, answer->evidence, sizeof(spf->detail));
	buf_init(&evidence, spf->evidence, sizeof(spf->evidence));
	buf_puts(&evidence, spf_result_name((enum spf_result)s->smtp.spf_result));
	if (s->smtp.spf_result == SPF_NONE) {
		buf_puts(&evidence, ": no record of ");
		put_name(&evidence, spf_domain(spf));
	} else {
		buf_printf(&evidence, ": %s", spf->detail);
	}
	if (spf_action(s) >= SPF_DEFER)
		spf_write_reply(s, answer->words);
	return true;
}

enum check_result spf_finding(const struct session *s)
{
	if (!s->smtp.spf_was_asked || is_awaited(s))
		return CHECK_CLEAN;
	if (s->smtp.spf_result == SPF_TEMPERROR)
		return CHECK_UNKNOWN;
	return spf_action(s) == SPF_REJECT ? CHECK_HIT : CHECK_CLEAN;
}

const char *spf_evidence(const struct session *s)
{
	return s->smtp.spf ? s->smtp.spf->evidence : "";
}

const char *spf_passing_domain(const struct session *s)
{
	if (!s->smtp.spf || is_awaited(s) || s->smtp.spf_result != SPF_PASS)
		return NULL;
	return spf_domain(s->smtp.spf);
}

const char *spf_refusal(struct session *s)
{
	if (spf_action(s) < SPF_DEFER)
		return NULL;
	if (!s->smtp.spf->reply[0])
		spf_write_reply(s, ""); /* nobody has answered */
	return s->smtp.spf->reply;
}

/* ---- the header ------------------------------------------------------------------------------ */

bool spf_wants_header(const struct session *s)
{
	const struct conf_policy *policy = session_policy(s);

	return policy && policy->add_headers && s->smtp.spf_was_asked;
}

/* quoted-string of RFC 5322 section 3.2.4, folded onto a line of its own. */
static void put_pair(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, "\r\n\t%s=\"", key);
	for (; *value; value++) {
		char c = *value;

		if (c < ' ' || c > '~')
			c = '?';
		if (c == '"' || c == '\\')
			buf_puts(out, "\\");
		buf_add(out, &c, 1);
	}
	buf_puts(out, "\";");
}

static void put_sender(struct buf *out, const struct check_sender *sender)
{
	char memory[2 * CONF_HOST_MAX];
	struct buf mailbox = BUF_OVER(memory);

	if (sender->domain[0])
		buf_printf(&mailbox, "%s@%s", sender->local, sender->domain);
	put_pair(out, "envelope-from", mailbox.text);
}

/* Only the term: what stands behind it says in which record. */
static void put_mechanism(struct buf *out, const char *detail)
{
	char term[CHECK_EVIDENCE_MAX];

	(void)text_copy(term, sizeof(term), detail);
	term[strcspn(term, " ")] = '\0';
	put_pair(out, "mechanism", term);
}

void spf_put_header(struct session *s)
{
	static const char *const phrases[SPF_RESULT_COUNT] = {
		[SPF_NONE] = "no record about",
		[SPF_PASS] = "permits",
		[SPF_FAIL] = "does not permit",
		[SPF_SOFTFAIL] = "does not like",
		[SPF_NEUTRAL] = "says nothing about",
		[SPF_TEMPERROR] = "could not be asked about",
		[SPF_PERMERROR] = "has a record in error, and cannot be asked about",
	};
	const enum spf_result result = (enum spf_result)s->smtp.spf_result;
	const struct smtp_spf *spf = s->smtp.spf;
	char memory[HEADER_MAX], addr[ADDR_TEXT_MAX];
	struct buf out = BUF_OVER(memory);

	if (!spf_wants_header(s))
		return;
	addr_format(&s->addr, addr);
	buf_printf(&out, "Received-SPF: %s (%s: the domain %s %s)",
		   spf_result_name(result), s->gate->conf->hostname, phrases[result],
		   addr);
	put_pair(&out, "receiver", s->gate->conf->hostname);
	put_pair(&out, "client-ip", addr);
	put_sender(&out, &spf->sender);
	put_pair(&out, "helo", spf->sender.helo);
	put_pair(&out, "identity", spf->sender.domain[0] ? "mailfrom" : "helo");
	if (result == SPF_TEMPERROR || result == SPF_PERMERROR)
		put_pair(&out, "problem", spf->detail);
	else if (result != SPF_NONE)
		put_mechanism(&out, spf->detail);
	buf_puts(&out, "\r\n");
	if (!out.overflow && leg_room(&s->backend) >= out.len)
		leg_put(&s->backend, out.text, out.len);
}
