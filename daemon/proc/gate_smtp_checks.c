/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_checks - see gate_smtp_checks.h.
 */
#include "proc/gate_smtp_checks.h"

#include <string.h>

#include "base/buf.h"
#include "policy/flags.h"
#include "policy/relay.h"
#include "proc/gate_report.h"
#include "proc/gate_smtp_grey.h"
#include "proc/gate_smtp_pipe.h"
#include "proc/gate_smtp_spf.h"
#include "proc/session_auth.h"
#include "proc/session_test.h"

#define BIT(check) (1u << (unsigned int)(check))

static const struct {
	uint16_t flag;	   /* that an entry needs for it; 0: none */
	bool asks_checker; /* when the client connects */
	bool is_for_all;   /* who is authenticated is not exempt */
	const char *refused, *observed, *deferred; /* verdicts */
	const char *reply; /* NULL: put together for the occasion */
} rows[CHECK_COUNT] = {
	[CHECK_HELO] = {FLAG_HE, false, false, "refuse-helo", "observe-helo", NULL, NULL},
	/* Asked and answered at each recipient: gate_smtp_grey. */
	[CHECK_GREYLIST] = {FLAG_GL, false, false, "defer-greylist", "observe-greylist",
			    NULL, NULL},
	[CHECK_PTR] = {FLAG_PTR, true, false, "refuse-ptr", "observe-ptr", "defer-ptr",
		       "550 5.7.25 your address has no valid reverse name\r\n"},
	[CHECK_EARLY] = {0, false, false, "refuse-early-talker", "observe-early-talker",
			 NULL, NULL},
	[CHECK_PIPELINING] = {0, false, false, "refuse-pipelining", "observe-pipelining",
			      NULL, NULL},
	[CHECK_IMPERSONATION] = {FLAG_HE, false, false, "refuse-impersonation",
				 "observe-impersonation", NULL, NULL},
	[CHECK_RBL] = {FLAG_RBL, true, false, "refuse-rbl", "observe-rbl", "defer-rbl",
		       NULL},
	[CHECK_RELAY] = {0, false, true, "refuse-relay", "observe-relay", NULL, NULL},
	[CHECK_SPOOF] = {0, false, false, "refuse-spoof", "observe-spoof", NULL, NULL},
	/* Asked at MAIL, and replied to, by gate_smtp_spf. */
	[CHECK_SPF] = {FLAG_SPF, false, false, "refuse-spf", "observe-spf", "defer-spf",
		       NULL},
};

/* Whose word comes first when several have something against a recipient. */
static const enum conf_check order[] = {CHECK_RBL, CHECK_PTR, CHECK_SPF};
#define ORDER_COUNT (sizeof(order) / sizeof(order[0]))

/* Does the entry of the client ask for a check, or what SPF says of the present message? */
static bool is_asked_for(const struct session *s, enum conf_check check)
{
	if (!rows[check].flag || s->flags & rows[check].flag)
		return true;
	return check == CHECK_GREYLIST && spf_action(s) == SPF_GREYLIST &&
	       checks_mode(s, CHECK_SPF) == MODE_ENFORCE;
}

enum check_mode checks_mode(const struct session *s, enum conf_check check)
{
	if (!is_asked_for(s, check))
		return MODE_OFF;
	if (!rows[check].is_for_all && session_is_authenticated(s))
		return MODE_OFF;
	return report_mode(s, check);
}

const char *checks_skipped(const struct session *s, enum conf_check check)
{
	const bool needs_domains = check == CHECK_RELAY || check == CHECK_SPOOF;

	if (report_mode(s, check) == MODE_OFF)
		return "it is off in the policy";
	if (!is_asked_for(s, check))
		return "the entry does not ask for it";
	if (check == CHECK_RBL && session_policy(s) && !session_policy(s)->rbls)
		return "the policy names no rbls";
	if (!rows[check].is_for_all && session_is_authenticated(s))
		return "the client counts as authenticated";
	if (needs_domains && !relay_is_on(s->gate->snapshot.domains))
		return "local-domains is empty";
	return NULL;
}

/* ---- the checker ------------------------------------------------------------------------------- */

void checks_ask(struct session *s)
{
	struct msg msg = {.type = MSG_CHECK};
	const struct conf_policy *policy = session_policy(s);
	const uint64_t timeout_ms =
		(uint64_t)s->gate->conf->limits.check_timeout_s * 1000;

	for (unsigned int i = 0; i < CHECK_COUNT; i++)
		if (rows[i].asks_checker &&
		    checks_mode(s, (enum conf_check)i) != MODE_OFF)
			msg.check.checks |= BIT(i);
	if (policy && !policy->rbls)
		msg.check.checks &= ~BIT(CHECK_RBL);
	if (!policy || !msg.check.checks)
		return;
	msg.check.session_id = s->id;
	msg.check.timeout_ms = (uint32_t)timeout_ms;
	msg.check.policy_id = policy->id;
	msg.check.addr = s->addr;
	s->checks.pending = msg.check.checks;
	s->checks.end_ms = s->gate->now_ms + timeout_ms;
	if (channel_send(s->gate->checker, &msg, -1))
		checks_give_up(s);
}

/* ---- findings ---------------------------------------------------------------------------------- */

/* What was found of the client, or of the sender of the present message. */
static enum check_result checks_result(const struct session *s, enum conf_check check)
{
	if (check == CHECK_SPF)
		return spf_finding(s);
	if (s->checks.hit & BIT(check))
		return CHECK_HIT;
	return s->checks.unknown & BIT(check) ? CHECK_UNKNOWN : CHECK_CLEAN;
}

static void finding_send(struct gate *gate, const struct msg_finding *finding)
{
	struct msg msg = {.type = MSG_FINDING, .finding = *finding};

	(void)channel_send(gate->ledger, &msg, -1); /* without a ledger nobody counts */
}

/* Tell the ledger what is applied now, of what it was not told yet. */
static void checks_tell(struct session *s, enum conf_check check, const char *evidence)
{
	const enum check_mode mode = report_mode(s, check);
	struct msg_finding finding = {
		.addr = s->addr,
		.check = (uint8_t)check,
		.mode = (uint8_t)mode,
		.result = (uint8_t)checks_result(s, check),
		.session_id = s->id,
	};

	if ((s->checks.told & BIT(check)) || s->service < 0 || mode == MODE_OFF ||
	    s->is_test)
		return;
	s->checks.told |= BIT(check);
	finding.service = (uint8_t)s->service;
	(void)text_copy(finding.evidence, sizeof(finding.evidence), evidence);
	finding_send(s->gate, &finding);
}

void checks_leave(const struct session *s)
{
	struct gate *gate = s->gate;
	const uint32_t due = s->checks.pending & s->checks.due & ~BIT(CHECK_SPF);

	if (!due || s->service < 0 || s->is_test)
		return;
	gate->late[gate->late_next++ % GATE_LATE_MAX] = (struct gate_late){
		.session_id = s->id,
		.addr = s->addr,
		.service = (uint8_t)s->service,
		.due = due,
	};
}

void checks_take_late(struct gate *gate, const struct msg_answer *answer)
{
	struct gate_late *late = gate->late;
	const struct conf *conf = gate->conf;
	struct msg_finding finding;
	enum check_mode mode;

	while (late < gate->late + GATE_LATE_MAX &&
	       late->session_id != answer->session_id)
		late++;
	if (late == gate->late + GATE_LATE_MAX || !(late->due & BIT(answer->check)) ||
	    late->service >= conf->service_count)
		return;
	late->due &= ~BIT(answer->check);
	mode = (enum check_mode)conf->policies[conf->services[late->service].policy]
		       .mode[answer->check];
	if (answer->result == CHECK_CLEAN || mode == MODE_OFF)
		return;
	finding = (struct msg_finding){
		.addr = late->addr,
		.service = late->service,
		.check = (uint8_t)answer->check,
		.mode = (uint8_t)mode,
		.result = (uint8_t)answer->result,
		.session_id = late->session_id,
	};
	memcpy(finding.evidence, answer->evidence, sizeof(finding.evidence));
	finding_send(gate, &finding);
}

/* How much a finding matters, for the place that a session has for evidence. */
static unsigned int checks_rank(const struct session *s, enum conf_check check)
{
	const unsigned int has_words = check == CHECK_RBL; /* they go into the reply */

	if (s->checks.hit & BIT(check))
		return has_words + (report_mode(s, check) == MODE_ENFORCE ? 4 : 2);
	return has_words;
}

/* What matters most stands in front, for the log and for the reply; one more waits to be told. */
static void checks_keep(struct session *s, enum conf_check check, const char *evidence)
{
	struct session_checks *checks = &s->checks;
	const enum conf_check shown = (enum conf_check)checks->shown;

	if (checks->evidence[0] && checks_rank(s, check) <= checks_rank(s, shown)) {
		checks->waits = (uint8_t)check;
		(void)text_copy(checks->waiting, sizeof(checks->waiting), evidence);
		return;
	}
	checks->waits = checks->shown;
	(void)text_copy(checks->waiting, sizeof(checks->waiting), checks->evidence);
	checks->shown = (uint8_t)check;
	(void)text_copy(checks->evidence, sizeof(checks->evidence), evidence);
}

static const char *checks_evidence(const struct session *s, enum conf_check check)
{
	if (s->checks.shown == check)
		return s->checks.evidence;
	return s->checks.waits == check ? s->checks.waiting : "";
}

/* Something other than CLEAN. */
static void checks_note(struct session *s, enum conf_check check,
			enum check_result result, const char *evidence)
{
	if (result == CHECK_HIT)
		s->checks.hit |= BIT(check);
	else
		s->checks.unknown |= BIT(check);
	checks_keep(s, check, evidence);
	/* What was refused says more than what would have been. */
	if (result == CHECK_HIT && report_mode(s, check) == MODE_OBSERVE &&
	    strncmp(s->verdict, "refuse-", strlen("refuse-")) != 0)
		s->verdict = rows[check].observed;
	if (s->checks.due & BIT(check))
		checks_tell(s, check, evidence);
}

/* A name that leads back to the address may be told as the client's. */
static void checks_keep_name(struct session *s, const char *name)
{
	const struct conf_policy *policy = session_policy(s);

	if (policy && policy->ptr_forward_confirmed && !strchr(name, '\\') &&
	    !text_copy(s->host_name, sizeof(s->host_name), name))
		s->host_name[0] = '\0'; /* too long a one is none */
}

void checks_take_answer(struct session *s, const struct msg_answer *answer)
{
	const enum conf_check check = (enum conf_check)answer->check;

	const char *evidence = answer->evidence;
	enum check_result result = (enum check_result)answer->result;

	if (!(s->checks.pending & BIT(check)) ||
	    (check == CHECK_SPF && !spf_take_answer(s, answer)))
		return;
	s->checks.pending &= ~BIT(check);
	if (check == CHECK_SPF) {
		result = spf_finding(s);
		evidence = spf_evidence(s);
	}
	if (check == CHECK_PTR && result == CHECK_CLEAN)
		checks_keep_name(s, evidence);
	test_note_check(s, check, result, evidence);
	if (result != CHECK_CLEAN && !session_is_authenticated(s))
		checks_note(s, check, result, evidence);
}

void checks_renew(struct session *s, enum conf_check check)
{
	s->checks.pending &= ~BIT(check);
	s->checks.due &= ~BIT(check);
	s->checks.told &= ~BIT(check);
}

void checks_give_up(struct session *s)
{
	for (unsigned int i = 0; i < CHECK_COUNT; i++) {
		if (!(s->checks.pending & BIT(i)))
			continue;
		s->checks.pending &= ~BIT(i);
		test_note_check(s, (enum conf_check)i, CHECK_UNKNOWN,
				"no answer within the time for checks");
		if (!session_is_authenticated(s))
			checks_note(s, (enum conf_check)i, CHECK_UNKNOWN,
				    "no answer within the time for checks");
	}
}

bool checks_found(struct session *s, enum conf_check check,
		  const struct check_answer *answer)
{
	test_note_check(s, check, answer->result, answer->evidence);
	if (answer->result == CHECK_CLEAN)
		return false;
	s->checks.due |= BIT(check);
	checks_note(s, check, answer->result, answer->evidence);
	if (answer->result != CHECK_HIT || checks_mode(s, check) != MODE_ENFORCE)
		return false;
	s->verdict = rows[check].refused;
	return true;
}

/* ---- at RCPT ----------------------------------------------------------------------------------- */

/* For good, by something that is known of it: what the other checks will say does not matter any more. */
static bool client_is_refused(const struct session *s)
{
	for (size_t i = 0; i < ORDER_COUNT; i++)
		if (order[i] != CHECK_SPF && (s->checks.hit & BIT(order[i])) &&
		    checks_mode(s, order[i]) == MODE_ENFORCE)
			return true;
	return false;
}

/* RCPT wants what may refuse or defer it; DATA what goes into the message. */
static bool checks_are_awaited(const struct session *s, enum smtp_verb verb)
{
	if (verb == SMTP_DATA)
		return (s->checks.pending & BIT(CHECK_SPF)) && spf_wants_header(s);
	if (verb != SMTP_RCPT || client_is_refused(s))
		return false;
	if (s->checks.pending & smtp_grey_wants(s))
		return true;
	for (size_t i = 0; i < ORDER_COUNT; i++)
		if ((s->checks.pending & BIT(order[i])) &&
		    (checks_mode(s, order[i]) == MODE_ENFORCE || s->is_test))
			return true;
	return false;
}

/* The reply of a check stands in gate.reply, which no other reply may use before it has been said. */
static bool words_wait(const struct session *s, enum smtp_verb verb)
{
	return verb == SMTP_RCPT && pipe_count(s) && (s->checks.hit & BIT(CHECK_RBL)) &&
	       checks_mode(s, CHECK_RBL) == MODE_ENFORCE;
}

bool checks_wait(struct session *s, enum smtp_verb verb)
{
	if (words_wait(s, verb))
		return true; /* without being held: the reply that is awaited brings it back */
	if (!checks_are_awaited(s, verb))
		return false;
	if (s->gate->now_ms >= s->checks.end_ms) {
		checks_give_up(s);
		return false;
	}
	s->is_held = true;
	session_deadline_ms(s, s->checks.end_ms - s->gate->now_ms);
	return true;
}

/* "554 5.7.1 192.0.2.66 is listed by zen: see https://..." */
static const char *checks_compose(struct session *s, const char *evidence)
{
	char addr_text[ADDR_TEXT_MAX];
	struct buf reply;

	buf_init(&reply, s->gate->reply, sizeof(s->gate->reply));
	buf_printf(&reply, "554 5.7.1 %s is %s\r\n", addr_format(&s->addr, addr_text),
		   evidence);
	return s->gate->reply;
}

/* What a check that is applied now means for a recipient. Return: verdict, out_reply set; NULL: nothing. */
static const char *checks_apply(struct session *s, enum conf_check check,
				const char **out_reply)
{
	const struct conf_policy *policy = session_policy(s);
	const enum check_mode mode = checks_mode(s, check);

	if (mode == MODE_OFF)
		return NULL;
	s->checks.due |= BIT(check);
	if (checks_result(s, check) == CHECK_CLEAN)
		return NULL;
	checks_tell(s, check, checks_evidence(s, check));
	if (mode != MODE_ENFORCE)
		return NULL;
	if (check == CHECK_SPF) {
		*out_reply = spf_refusal(s);
		if (!*out_reply)
			return NULL;
		return **out_reply == '5' ? rows[check].refused : rows[check].deferred;
	}
	if (s->checks.hit & BIT(check)) {
		*out_reply = rows[check].reply
				     ? rows[check].reply
				     : checks_compose(s, checks_evidence(s, check));
		return rows[check].refused;
	}
	if (!policy || policy->dns_failure != DNS_FAILURE_DEFER)
		return NULL;
	*out_reply =
		"451 4.4.3 the DNS tells nothing about your address now; try again later\r\n";
	return rows[check].deferred;
}

const char *checks_refusal(struct session *s)
{
	const char *refusal = NULL;

	for (size_t i = 0; i < ORDER_COUNT; i++) {
		const char *reply = NULL;
		const char *verdict = checks_apply(s, order[i], &reply);

		/* A refusal for good is the better answer; of equal ones the first. */
		if (!verdict || (refusal && (refusal[0] == '5' || reply[0] == '4')))
			continue;
		refusal = reply;
		s->verdict = verdict;
	}
	return refusal;
}

/* ---- at the greeting --------------------------------------------------------------------------- */

static bool lists_greet(const struct session *s)
{
	const struct conf_policy *policy = session_policy(s);

	return policy && policy->rbl_at == RBL_AT_CONNECT &&
	       checks_mode(s, CHECK_RBL) == MODE_ENFORCE;
}

bool checks_wait_to_greet(struct session *s)
{
	if (!lists_greet(s) || !(s->checks.pending & BIT(CHECK_RBL)))
		return false;
	if (s->gate->now_ms < s->checks.end_ms) {
		session_deadline_ms(s, s->checks.end_ms - s->gate->now_ms);
		return true;
	}
	checks_give_up(s);
	return false;
}

const char *checks_refuse_greeting(struct session *s)
{
	const char *reply = NULL;
	const char *verdict;

	if (!lists_greet(s))
		return NULL;
	verdict = checks_apply(s, CHECK_RBL, &reply);
	if (!verdict)
		return NULL;
	s->verdict = verdict;
	/* Of the replies for now only this one may stand there: RFC 5321 4.3.2. */
	return reply[0] == '4'
		       ? "421 4.4.3 the DNS tells nothing about your address now; try again later\r\n"
		       : reply;
}
