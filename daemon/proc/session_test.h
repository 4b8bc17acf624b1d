/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_test - what the code that serves sessions tells a test (proc/gate_test). In a live session all of
 * it does nothing, or says no.
 */
#ifndef PROC_SESSION_TEST_H
#define PROC_SESSION_TEST_H

#include <stdbool.h>

#include "checks/check.h"
#include "policy/conf.h"

struct session;

/* Something was found out or done: a step. @text: printable ASCII; cut */
void test_note(struct session *session, const char *step, const char *result,
	       const char *text);

/* A check has answered. */
void test_note_check(struct session *session, enum conf_check check,
		     enum check_result result, const char *evidence);

/* Is the session to be taken for one inside TLS? */
bool test_has_tls(const struct session *session);

/* The session is over. */
void test_session_ends(struct session *session);

#endif
