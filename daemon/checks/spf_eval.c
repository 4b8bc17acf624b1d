/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/spf_eval - see the header.
 *
 * Each step but SPF_STEP_TERM waits for one answer; its function in the table at the end takes it, and either asks
 * the next question, or goes on to the next term, or ends a record. The names of the client (for ptr and %{p}) are
 * looked up once, in between, when the first text asks for them: then what asked begins again.
 */
#include "checks/spf_eval.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "checks/spf_answer.h"
#include "wire/revname.h"

static_assert(SPF_TEXTS_MAX <= UINT16_MAX && SPF_NAME_MAX <= DNSMSG_NAME_MAX, "fits");

static struct spf_frame *top(struct spf_eval *eval)
{
	return &eval->frames[eval->depth - 1];
}

static const char *text_at(const struct spf_eval *eval, const struct spf_frame *frame,
			   struct span span)
{
	return eval->texts + frame->record_at + span.at;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void explain(struct spf_eval *eval);

static void conclude(struct spf_eval *eval, enum spf_result result)
{
	eval->has_result = true;
	eval->result = (uint8_t)result;
	eval->step = SPF_STEP_OVER;
	if (result == SPF_FAIL && eval->frames[0].record.exp.len > 0)
		explain(eval);
}

/* An error ends all records at once. @what: about the record on top. */
static void fail(struct spf_eval *eval, enum spf_result result, const char *what,
		 const char *detail, size_t detail_len)
{
	const char *domain = eval->texts + top(eval)->domain_at;
	struct buf text;

	buf_init(&text, eval->problem, sizeof(eval->problem));
	buf_puts(&text, what);
	if (detail_len > 0) {
		buf_puts(&text, ": ");
		buf_add_escaped(&text, detail, detail_len, SPF_SHOWN_MAX);
	}
	buf_puts(&text, " (");
	buf_add_escaped(&text, domain, strlen(domain), SPF_SHOWN_MAX);
	buf_puts(&text, ")");
	conclude(eval, result);
}

/* The same, about the name that was asked for. */
static void fail_question(struct spf_eval *eval, enum spf_result result, const char *what)
{
	fail(eval, result, what, eval->question, strlen(eval->question));
}

static void fail_dns(struct spf_eval *eval, const struct dns_answer *answer)
{
	fail_question(eval, SPF_TEMPERROR, answer->why ? answer->why : "no answer");
}

/* The record on top has come to this: what does that mean for those that include it? Section 5.2. */
static void end_record(struct spf_eval *eval, enum spf_result result)
{
	while (eval->depth > 1) {
		assert(result >= SPF_PASS && result <= SPF_NEUTRAL);
		eval->texts_len = top(eval)->domain_at;
		eval->depth--;
		eval->values.domain.text = eval->texts + top(eval)->domain_at;
		eval->values.domain.len = strlen(eval->values.domain.text);
		if (result != SPF_PASS) {
			eval->step = SPF_STEP_TERM;
			return;
		}
		result = (enum spf_result)top(eval)->qualifier;
	}
	conclude(eval, result);
}

static void say_mechanism(struct spf_eval *eval, const char *text, size_t len)
{
	const char *domain = eval->texts + top(eval)->domain_at;
	struct buf shown;

	buf_init(&shown, eval->mechanism, sizeof(eval->mechanism));
	buf_add_escaped(&shown, text, len, SPF_SHOWN_MAX);
	buf_puts(&shown, " of ");
	buf_add_escaped(&shown, domain, strlen(domain), SPF_SHOWN_MAX);
}

static void match(struct spf_eval *eval)
{
	say_mechanism(eval, text_at(eval, top(eval), eval->term.text),
		      eval->term.text.len);
	end_record(eval, (enum spf_result)eval->term.qualifier);
}

static void no_match(struct spf_eval *eval)
{
	eval->step = SPF_STEP_TERM;
}

/* ---- questions ------------------------------------------------------------------------------- */

static void ask(struct spf_eval *eval, enum spf_step step, const char *name,
		uint16_t type)
{
	(void)text_copy(eval->question, sizeof(eval->question), name);
	eval->type = type;
	eval->step = (uint8_t)step;
}

static uint16_t address_type(const struct spf_eval *eval)
{
	return eval->values.client.family == ADDR_V4 ? DNSMSG_A : DNSMSG_AAAA;
}

static bool is_failure(const struct dns_answer *answer)
{
	return answer->status == DNS_FAILED || answer->status == DNS_TIMED_OUT;
}

/* An answer without a record. Returns true if that was one too many. Section 4.6.4. */
static bool count_void(struct spf_eval *eval)
{
	if (++eval->voids <= SPF_VOIDS_MAX)
		return false;
	fail_question(eval, SPF_PERMERROR, "more than 2 names without a record");
	return true;
}

/* ---- the client's names: ptr and %{p} -------------------------------------------------------- */

static void resume(struct spf_eval *eval);

static void ask_client_names(struct spf_eval *eval, enum spf_resume then)
{
	char name[REVNAME_TEXT_MAX];

	eval->resume = (uint8_t)then;
	ask(eval, SPF_STEP_PTR, revname_of_addr(&eval->values.client, name), DNSMSG_PTR);
}

static void next_client_name(struct spf_eval *eval)
{
	struct spf_names *names = &eval->clients;

	if (names->next < names->count) {
		ask(eval, SPF_STEP_PTR_HOST, names->name[names->next],
		    address_type(eval));
		return;
	}
	eval->knows_names = true;
	resume(eval);
}

/*
 * A failure means no names (section 5.5). That there are none counts like any other answer without a record; but
 * not for an explanation, which comes after the result.
 */
static void on_ptr(struct spf_eval *eval, const struct dns_answer *answer)
{
	spf_names_take(&eval->clients, answer);
	if (answer->status != DNS_ANSWER && !is_failure(answer) && !eval->has_result &&
	    count_void(eval))
		return;
	next_client_name(eval);
}

/*
 * A name whose addresses cannot be found out is skipped. One that has none does not count: what names an address has
 * is for its owner to say, who is not the owner of the record.
 */
static void on_ptr_host(struct spf_eval *eval, const struct dns_answer *answer)
{
	struct spf_names *names = &eval->clients;

	if (spf_has_client(answer, &eval->values.client,
			   addr_bits((enum addr_family)eval->values.client.family)))
		names->valid |= (uint16_t)(1u << names->next);
	names->next++;
	next_client_name(eval);
}

/* ---- targets --------------------------------------------------------------------------------- */

enum target {
	TARGET_READY,
	TARGET_WAITS,	/* for the client's names */
	TARGET_NO_NAME, /* what it stands for cannot be in the DNS */
	TARGET_NO_MATCH,
};

/* The macro p is about to be used. Returns false: first its value has to be found out. */
static bool knows_client_name(struct spf_eval *eval, enum spf_resume then)
{
	struct spf_text *name = &eval->values.client_name;

	if (!eval->knows_names) {
		ask_client_names(eval, then);
		return false;
	}
	name->text = spf_names_best(&eval->clients, eval->values.domain.text);
	name->len = strlen(name->text);
	return true;
}

/* The name that a domain-spec of the record on top stands for. */
static enum target find_target(struct spf_eval *eval, struct span spec,
			       enum spf_resume then, char out_name[SPF_NAME_MAX])
{
	const char *text = text_at(eval, top(eval), spec);

	if (spec.len == 0) {
		memcpy(out_name, eval->values.domain.text, eval->values.domain.len + 1);
		return TARGET_READY;
	}
	/* RFC 8616 section 4: a local part that is not ASCII cannot be part of a name. */
	if (!eval->is_ascii && spf_text_uses(text, spec.len, "sl"))
		return TARGET_NO_MATCH;
	if (spf_text_uses(text, spec.len, "p") && !knows_client_name(eval, then))
		return TARGET_WAITS;
	return spf_expand_name(&eval->values, text, spec.len, out_name) ? TARGET_NO_NAME
									: TARGET_READY;
}

/* ---- records --------------------------------------------------------------------------------- */

/* Begin with the record of a domain, behind those that are open. @name: valid; may not lie in texts. */
static void begin_record(struct spf_eval *eval, const char *name, bool has_to_exist)
{
	const size_t size = strlen(name) + 1;
	struct spf_frame *frame = &eval->frames[eval->depth];

	assert(eval->depth < SPF_TERMS_MAX + 1);
	if (eval->texts_len + size > SPF_TEXTS_MAX) {
		fail(eval, SPF_PERMERROR,
		     "too much text in records that include each other", name, size - 1);
		return;
	}
	*frame = (struct spf_frame){.domain_at = eval->texts_len,
				    .has_to_exist = has_to_exist};
	memcpy(eval->texts + eval->texts_len, name, size);
	eval->texts_len = (uint16_t)(eval->texts_len + size);
	eval->depth++;
	eval->values.domain.text = eval->texts + frame->domain_at;
	eval->values.domain.len = size - 1;
	ask(eval, SPF_STEP_RECORD, name, DNSMSG_TXT);
}

static void read_record(struct spf_eval *eval, const struct dnsmsg_record *record)
{
	const size_t room = SPF_TEXTS_MAX - eval->texts_len;
	struct spf_frame *frame = top(eval);
	char *text = eval->texts + eval->texts_len;
	size_t len = spf_join(record, text, room);
	struct span wrong = {0};
	int err;

	if (len > room) {
		fail(eval, SPF_PERMERROR,
		     "too much text in one record, or in all that are open", "", 0);
		return;
	}
	frame->record_at = eval->texts_len;
	frame->record_len = (uint16_t)len;
	err = spf_read_record(text, len, &frame->record, &wrong);
	if (err) {
		fail(eval, SPF_PERMERROR,
		     wrong.len == 0 ? "too long a record"
				    : "syntax error, or a modifier twice",
		     text + wrong.at, wrong.len);
		return;
	}
	eval->texts_len = (uint16_t)(eval->texts_len + len);
	eval->step = SPF_STEP_TERM;
}

static void on_record(struct spf_eval *eval, const struct dns_answer *answer)
{
	struct dnsmsg_record record = {0};
	unsigned int count = spf_select_records(answer, &record);

	if (is_failure(answer))
		fail_dns(eval, answer);
	else if (count > 1)
		fail(eval, SPF_PERMERROR, "more than one record", "", 0);
	else if (count == 1)
		read_record(eval, &record);
	else if (top(eval)->has_to_exist)
		fail(eval, SPF_PERMERROR, "no record where there has to be one", "", 0);
	else
		conclude(eval, SPF_NONE);
}

/* ---- terms ----------------------------------------------------------------------------------- */

/* Returns false if that was one too many. Section 4.6.4. */
static bool count_term(struct spf_eval *eval)
{
	if (++eval->terms <= SPF_TERMS_MAX)
		return true;
	fail(eval, SPF_PERMERROR, "more than 10 terms that ask the DNS", "", 0);
	return false;
}

/* @name: NULL: it cannot be a name */
static void do_include(struct spf_eval *eval, const char *name)
{
	if (!name || !spf_domain_is_valid(name, strlen(name))) {
		fail(eval, SPF_PERMERROR, "includes what is no domain",
		     text_at(eval, top(eval), eval->term.text), eval->term.text.len);
		return;
	}
	top(eval)->qualifier = eval->term.qualifier;
	begin_record(eval, name, true);
}

static void do_ptr(struct spf_eval *eval, const char *name)
{
	const struct spf_names *names = &eval->clients;

	for (size_t i = 0; i < names->count; i++)
		if (names->valid & 1u << i && spf_name_is_within(names->name[i], name)) {
			match(eval);
			return;
		}
	no_match(eval);
}

static void do_target(struct spf_eval *eval)
{
	char name[SPF_NAME_MAX];
	enum target target;

	if (eval->term.kind == SPF_TERM_PTR && !eval->knows_names) {
		ask_client_names(eval, SPF_RESUME_TERM);
		return;
	}
	target = find_target(eval, eval->term.domain_spec, SPF_RESUME_TERM, name);
	if (target == TARGET_WAITS)
		return;
	if (target == TARGET_NO_NAME && eval->term.kind == SPF_TERM_INCLUDE)
		do_include(eval, NULL);
	else if (target != TARGET_READY)
		no_match(eval);
	else if (eval->term.kind == SPF_TERM_INCLUDE)
		do_include(eval, name);
	else if (eval->term.kind == SPF_TERM_PTR)
		do_ptr(eval, name);
	else if (eval->term.kind == SPF_TERM_MX)
		ask(eval, SPF_STEP_MX, name, DNSMSG_MX);
	else if (eval->term.kind == SPF_TERM_EXISTS)
		ask(eval, SPF_STEP_EXISTS, name,
		    DNSMSG_A); /* for IPv6, too: section 5.7 */
	else
		ask(eval, SPF_STEP_A, name, address_type(eval));
}

static void do_redirect(struct spf_eval *eval)
{
	struct spf_frame *frame = top(eval);
	char name[SPF_NAME_MAX];
	enum target target;

	target = find_target(eval, frame->record.redirect, SPF_RESUME_REDIRECT, name);
	if (target == TARGET_WAITS)
		return;
	if (target == TARGET_NO_MATCH) {
		end_record(eval, SPF_NEUTRAL);
		return;
	}
	if (target != TARGET_READY || !spf_domain_is_valid(name, strlen(name))) {
		fail(eval, SPF_PERMERROR, "redirects to what is no domain", "", 0);
		return;
	}
	eval->texts_len = frame->domain_at;
	eval->depth--;
	begin_record(eval, name, true);
}

static void end_of_terms(struct spf_eval *eval)
{
	if (top(eval)->record.redirect.len == 0) {
		say_mechanism(eval, "default", strlen("default"));
		end_record(eval, SPF_NEUTRAL);
	} else if (count_term(eval)) {
		do_redirect(eval);
	}
}

static void next_term(struct spf_eval *eval)
{
	struct spf_frame *frame = top(eval);
	const char *text = eval->texts + frame->record_at;

	do {
		if (!spf_next_term(text, frame->record_len, &frame->at, &eval->term)) {
			end_of_terms(eval);
			return;
		}
	} while (eval->term.kind >= SPF_TERM_REDIRECT);

	if (eval->term.kind == SPF_TERM_ALL) {
		match(eval);
	} else if (eval->term.kind == SPF_TERM_IP4 || eval->term.kind == SPF_TERM_IP6) {
		if (prefix_contains(&eval->term.network, &eval->values.client))
			match(eval);
	} else if (count_term(eval)) {
		do_target(eval);
	}
}

static uint8_t term_len(const struct spf_eval *eval)
{
	return eval->values.client.family == ADDR_V4 ? eval->term.len4 : eval->term.len6;
}

static void on_exists(struct spf_eval *eval, const struct dns_answer *answer)
{
	if (is_failure(answer))
		fail_dns(eval, answer);
	else if (answer->status == DNS_ANSWER)
		match(eval);
	else if (!count_void(eval))
		no_match(eval);
}

static void next_host(struct spf_eval *eval)
{
	struct spf_names *hosts = &eval->hosts;

	if (hosts->next < hosts->count)
		ask(eval, SPF_STEP_MX_HOST, hosts->name[hosts->next++],
		    address_type(eval));
	else
		no_match(eval);
}

/* Counted before any is looked at, or the order of the records would decide. */
static void on_mx(struct spf_eval *eval, const struct dns_answer *answer)
{
	if (is_failure(answer)) {
		fail_dns(eval, answer);
	} else if (answer->status != DNS_ANSWER) {
		if (!count_void(eval))
			no_match(eval);
	} else if (answer->message.count > SPF_NAMES_MAX) {
		fail_question(eval, SPF_PERMERROR, "more than 10 MX records");
	} else {
		spf_names_take(&eval->hosts, answer);
		next_host(eval);
	}
}

/* Addresses of the domain, or of one of its hosts. */
static void on_address(struct spf_eval *eval, const struct dns_answer *answer)
{
	if (is_failure(answer))
		fail_dns(eval, answer);
	else if (spf_has_client(answer, &eval->values.client, term_len(eval)))
		match(eval);
	else if (answer->status != DNS_ANSWER && count_void(eval))
		return;
	else if (eval->step == SPF_STEP_MX_HOST)
		next_host(eval);
	else
		no_match(eval);
}

/* ---- explanations ---------------------------------------------------------------------------- */

static void explain(struct spf_eval *eval)
{
	char name[SPF_NAME_MAX];

	if (find_target(eval, eval->frames[0].record.exp, SPF_RESUME_EXP, name) ==
	    TARGET_READY)
		ask(eval, SPF_STEP_EXPLANATION, name, DNSMSG_TXT);
}

static void explain_in_words(struct spf_eval *eval)
{
	const char *text = eval->texts + eval->explain.at;

	if (!spf_text_uses(text, eval->explain.len, "p") ||
	    knows_client_name(eval, SPF_RESUME_EXPLANATION))
		spf_expand_explanation(&eval->values, text, eval->explain.len,
				       eval->explanation);
}

/* Whatever is wrong with it, the result stands: section 6.2. */
static void on_explanation(struct spf_eval *eval, const struct dns_answer *answer)
{
	const size_t room = SPF_TEXTS_MAX - eval->texts_len;
	char *text = eval->texts + eval->texts_len;
	struct dnsmsg_record record;
	size_t len;

	eval->step = SPF_STEP_OVER;
	if (!spf_only_record(answer, &record))
		return;
	len = spf_join(&record, text, room);
	if (len > room || !spf_text_is_valid(SPF_TEXT_EXPLANATION, text, len))
		return;
	eval->explain = (struct span){.at = eval->texts_len, .len = (uint32_t)len};
	explain_in_words(eval);
}

/* ---- the machine ----------------------------------------------------------------------------- */

static void resume(struct spf_eval *eval)
{
	eval->step = eval->has_result ? SPF_STEP_OVER : SPF_STEP_TERM;
	switch ((enum spf_resume)eval->resume) {
	case SPF_RESUME_TERM:
		do_target(eval);
		break;
	case SPF_RESUME_REDIRECT:
		do_redirect(eval);
		break;
	case SPF_RESUME_EXP:
		explain(eval);
		break;
	case SPF_RESUME_EXPLANATION:
		explain_in_words(eval);
		break;
	}
}

static bool run(struct spf_eval *eval)
{
	while (eval->step == SPF_STEP_TERM)
		next_term(eval);
	return eval->step != SPF_STEP_OVER;
}

bool spf_eval_begin(struct spf_eval *eval, const struct spf_sender *sender)
{
	static const struct spf_text postmaster = {"postmaster",
						   sizeof("postmaster") - 1};
	struct spf_text domain = sender->domain;
	char name[SPF_NAME_MAX];

	memset(eval, 0, offsetof(struct spf_eval, hosts));
	eval->hosts.count = 0;
	eval->clients.count = 0;
	eval->texts_len = 0;
	if (domain.len > 0 && domain.text[domain.len - 1] == '.')
		domain.len--;
	eval->values = (struct spf_values){
		.local = sender->local.len > 0 ? sender->local : postmaster,
		.sender_domain = domain,
		.domain = domain,
		.helo = sender->helo,
		.receiver = sender->receiver,
		.client = sender->client,
		.now_s = sender->now_s,
	};
	eval->is_ascii = spf_text_is_ascii(eval->values.local);
	if (!spf_domain_is_valid(domain.text, domain.len)) {
		conclude(eval, SPF_NONE);
		return false;
	}
	memcpy(name, domain.text, domain.len);
	name[domain.len] = '\0';
	begin_record(eval, name, false);
	return run(eval);
}

bool spf_eval_go_on(struct spf_eval *eval, const struct dns_answer *answer)
{
	static void (*const steps[SPF_STEP_COUNT])(struct spf_eval * eval,
						   const struct dns_answer *answer) = {
		[SPF_STEP_RECORD] = on_record,
		[SPF_STEP_A] = on_address,
		[SPF_STEP_EXISTS] = on_exists,
		[SPF_STEP_MX] = on_mx,
		[SPF_STEP_MX_HOST] = on_address,
		[SPF_STEP_PTR] = on_ptr,
		[SPF_STEP_PTR_HOST] = on_ptr_host,
		[SPF_STEP_EXPLANATION] = on_explanation,
	};

	assert(eval->step < SPF_STEP_COUNT && steps[eval->step]);
	steps[eval->step](eval, answer);
	return run(eval);
}
