/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_hello - see gate_smtp_hello.h.
 */
#include "proc/gate_smtp_hello.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "checks/helo.h"
#include "policy/flags.h"
#include "policy/relay.h"
#include "proc/gate_smtp_checks.h"
#include "proc/mail_name.h"

/* What of ours a name is; NULL: nothing. A name that nobody can have is nobody's. */
static const char *what_of_ours(const struct session *s, const struct mail_name *name)
{
	if (strcasecmp(name->text, s->gate->conf->hostname) == 0)
		return "the name of this host: ";
	if (relay_is_local(s->gate->snapshot.domains, name->text, name->len))
		return "a local domain: ";
	return NULL;
}

static bool is_impostor(struct session *s, const char *arg,
			const struct smtp_domain *name)
{
	struct check_answer answer = {.result = CHECK_CLEAN};
	struct mail_name canonical;
	struct buf evidence;
	const char *what;

	if (checks_mode(s, CHECK_IMPERSONATION) == MODE_OFF ||
	    name->kind != SMTP_DOMAIN_NAME || mail_name_domain(arg, name, &canonical))
		return false;
	what = what_of_ours(s, &canonical);
	buf_init(&evidence, answer.evidence, sizeof(answer.evidence));
	if (what) {
		answer.result = CHECK_HIT;
		buf_puts(&evidence, what);
		buf_puts(&evidence, canonical.text);
	}
	return checks_found(s, CHECK_IMPERSONATION, &answer);
}

/* Where people hand in their mail, the name waits for the login that may come. */
static bool hello_waits(const struct session *s)
{
	const struct conf *conf = s->gate->conf;

	return s->service >= 0 && (s->flags & FLAG_AS) &&
	       (conf->services[s->service].type == SERVICE_SUBMISSION ||
		conf->services[s->service].type == SERVICE_SUBMISSIONS);
}

static const char no_name[] =
	"501 5.5.4 EHLO and HELO need a host name or an address in brackets\r\n";

const char *hello_read(const char *arg, size_t len, struct smtp_domain *out_name)
{
	/* What no host can be called is for the check to refuse, where one is asked for. */
	return smtp_parse_ehlo(arg, len,
			       (unsigned int)SMTP_ALLOW_UNDERSCORE | SMTP_ALLOW_ANY_NAME,
			       out_name)
		       ? no_name
		       : NULL;
}

static const char *hello_judge(struct session *s, const char *arg,
			       const struct smtp_domain *name)
{
	const struct conf_policy *policy = session_policy(s);
	struct check_answer answer;

	if (policy && checks_mode(s, CHECK_HELO) != MODE_OFF) {
		(void)check_helo(arg + name->text.at, name->text.len, policy, &answer);
		if (checks_found(s, CHECK_HELO, &answer))
			return name->kind == SMTP_DOMAIN_ODD && !hello_waits(s)
				       ? no_name
				       : "550 5.7.1 the name in EHLO must be a full host name and no address\r\n";
	}
	if (is_impostor(s, arg, name))
		return "550 5.7.1 the name in EHLO is ours, and you are somebody else\r\n";
	return NULL;
}

const char *hello_refusal(struct session *s, const char *arg,
			  const struct smtp_domain *name)
{
	return hello_waits(s) ? NULL : hello_judge(s, arg, name);
}

const char *hello_refuse_recipient(struct session *s)
{
	struct smtp_domain name;

	if (!hello_waits(s) || hello_read(s->helo, s->helo_len, &name))
		return NULL;
	return hello_judge(s, s->helo, &name);
}
