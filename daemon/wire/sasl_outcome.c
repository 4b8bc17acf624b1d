/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/sasl_outcome - what a reply to a login means (wire/sasl.h).
 *
 * The code alone does not tell: servers say 535 to a mechanism they do not know and to
 * broken base64, too. The golden table tests/golden/smtp_auth.tsv has the cases.
 */
#include "wire/sasl.h"

#define ANY 0xffffu

/* First match counts. */
static const struct {
	uint16_t code_low, code_high;
	uint16_t subject, detail;  /* ANY: also without enhanced code */
	enum sasl_outcome outcome; /* of a credential that was really presented */
} outcome_rows[] = {
	{535, 535, 7, 9, SASL_NOT_A_LOGIN},  /* mechanism too weak, RFC 4954 §6 */
	{535, 535, 7, 11, SASL_NOT_A_LOGIN}, /* encryption required, RFC 4954 §6 */
	{535, 535, 7, 12, SASL_NOT_A_LOGIN}, /* password transition needed, RFC 4954 §6 */
	{535, 535, 7, 13, SASL_NOT_A_LOGIN}, /* account disabled, RFC 5248 */
	{535, 535, 7, 139,
	 SASL_NOT_A_LOGIN}, /* Exchange Online: SMTP AUTH is switched off */
	{535, 535, 5, ANY, SASL_NOT_A_LOGIN}, /* protocol error, RFC 3463 §3.6 */
	{535, 535, ANY, ANY, SASL_REFUSED},
	{500, 599, 7, 8, SASL_REFUSED},		/* credentials invalid, RFC 4954 §6 */
	{500, 599, ANY, ANY, SASL_NOT_A_LOGIN}, /* 501 503 504 530 534 538 ... */
};

static enum sasl_outcome outcome_of_credential(unsigned int code,
					       struct smtp_enhanced enhanced)
{
	for (size_t i = 0; i < sizeof(outcome_rows) / sizeof(outcome_rows[0]); i++) {
		bool has_code = enhanced.class != 0;

		if (code < outcome_rows[i].code_low || code > outcome_rows[i].code_high)
			continue;
		if (outcome_rows[i].subject != ANY &&
		    (!has_code || outcome_rows[i].subject != enhanced.subject))
			continue;
		if (outcome_rows[i].detail != ANY &&
		    (!has_code || outcome_rows[i].detail != enhanced.detail))
			continue;
		return outcome_rows[i].outcome;
	}
	return SASL_NOT_A_LOGIN;
}

enum sasl_outcome sasl_outcome(unsigned int code, struct smtp_enhanced enhanced,
			       const struct sasl_dialogue *dialogue)
{
	if (code >= 200 && code < 300)
		return SASL_SUCCESS;
	if (code >= 300 && code < 400)
		return code == 334 ? SASL_CONTINUES : SASL_NOT_A_LOGIN;
	if (dialogue->is_cancelled)
		return SASL_NOT_A_LOGIN;
	if (code >= 400 && code < 500)
		return SASL_TEMPORARY;
	if (!dialogue->is_offered || dialogue->is_broken || !dialogue->is_presented)
		return SASL_NOT_A_LOGIN;
	/* The refusal was the challenge; what follows it only ends the exchange. */
	if (dialogue->is_challenged)
		return SASL_REFUSED;
	return outcome_of_credential(code, enhanced);
}

const char *sasl_outcome_name(enum sasl_outcome outcome)
{
	static const char *const names[SASL_OUTCOME_COUNT] = {
		[SASL_SUCCESS] = "success",	[SASL_REFUSED] = "refused",
		[SASL_TEMPORARY] = "temporary", [SASL_NOT_A_LOGIN] = "not-a-login",
		[SASL_CONTINUES] = "continues",
	};

	return names[outcome];
}
