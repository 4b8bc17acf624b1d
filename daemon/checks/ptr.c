/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/ptr - see the header.
 */
#include "checks/ptr.h"

#include <string.h>

#include "base/buf.h"
#include "wire/revname.h"

#define QUOTE_MAX 60u /* bytes of a name in the evidence */

/* The answer when the DNS has spoken. */
static void ptr_judge(struct task *task, const struct revname_answer *record)
{
	struct check_answer answer = {.result = CHECK_HIT, .ttl_s = record->ttl_s};
	struct buf buf;

	buf_init(&buf, answer.evidence, sizeof(answer.evidence));
	if (record->name[0]) {
		answer.result = CHECK_CLEAN;
		buf_add_escaped(&buf, record->name, strlen(record->name),
				CHECK_EVIDENCE_MAX - 4u);
	} else if (record->ptr_count > 0) {
		buf_puts(&buf, "its PTR record is no name of a host: ");
		buf_add_escaped(&buf, record->other, strlen(record->other), QUOTE_MAX);
	} else {
		buf_puts(&buf, "no PTR record");
	}
	task_finish(task, &answer);
}

static void ptr_on_reply(struct task *task, enum dns_status status, const uint8_t *bytes,
			 size_t len)
{
	char question[REVNAME_TEXT_MAX];
	struct revname_answer record = {0};
	int err = 0;

	(void)revname_of_addr(&task->client, question);
	switch (status) {
	case DNS_ANSWER:
		err = revname_read_answer(bytes, len, question, &record);
		break;
	case DNS_NO_NAME:
	case DNS_NO_RECORD:
		/* Only the SOA with its TTL is of interest; without it the answer is not kept. */
		if (revname_read_answer(bytes, len, question, &record) == 0)
			record = (struct revname_answer){.ttl_s = record.ttl_s};
		break;
	case DNS_FAILED:
	case DNS_TIMED_OUT:
		err = -1;
		break;
	}
	if (err)
		task_finish_unknown(task, status, question);
	else
		ptr_judge(task, &record);
}

void ptr_start(struct task *task)
{
	char question[REVNAME_TEXT_MAX];

	task_ask(task, revname_of_addr(&task->client, question), REVNAME_TYPE_PTR,
		 ptr_on_reply);
}
