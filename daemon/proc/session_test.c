/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_test - see session_test.h.
 */
#include "proc/session_test.h"

#include "proc/gate_report.h"
#include "proc/gate_test_state.h"
#include "proc/session.h"

void test_note(struct session *s, const char *step, const char *result, const char *text)
{
	if (s->test)
		test_step(s->test, step, result, text);
}

void test_note_check(struct session *s, enum conf_check check, enum check_result result,
		     const char *evidence)
{
	const bool is_observed =
		result == CHECK_HIT && report_mode(s, check) == MODE_OBSERVE;

	if (s->test)
		test_step_check(s->test, check,
				is_observed ? "would-refuse" : check_result_name(result),
				evidence);
}

bool test_has_tls(const struct session *s)
{
	return s->test && (s->test->request.tls || s->tls_mode == TLS_MODE_IMPLICIT);
}

void test_session_ends(struct session *s)
{
	/* What it said last is still to be read: the end shows behind it. */
	if (s->test)
		s->test->session = NULL;
	s->test = NULL;
}
