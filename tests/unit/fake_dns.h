/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/fake_dns - takes the place of sys/dns: keeps the questions, and replies when told to.
 */
#ifndef UNIT_FAKE_DNS_H
#define UNIT_FAKE_DNS_H

#include "sys/dns.h"
#include "unit/dns_message.h"

#define FAKE_QUESTIONS_MAX 64u

struct fake_question {
	char name[256];
	uint16_t type;
	dns_reply_fn reply; /* NULL: has been replied to */
	void *context;
};

extern struct fake_question
	fake_questions[FAKE_QUESTIONS_MAX]; /* in the order of asking */
extern size_t fake_asked;

/* Called by dns_ask(); returns true if it replied at once. NULL: everything waits for fake_reply(). */
extern bool (*fake_hook)(const char *name, dns_reply_fn reply, void *context);

void fake_reset(void);
void fake_reply(size_t index, enum dns_status status, const struct dns_message *message);

#endif
