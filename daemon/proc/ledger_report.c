/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_report - see ledger_report.h.
 */
#include "proc/ledger_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc/ledger_ask.h"

struct report {
	struct ledger *ledger;
	report_fn tell;
	void *context;
	struct report **slot; /* of the owner */
	char *text;
	size_t len;
};

void report_free(struct report **report)
{
	if (!*report)
		return;
	ask_forget((*report)->ledger, *report);
	free((*report)->text);
	free(*report);
	*report = NULL;
}

static void report_end(struct report *report, int error)
{
	report_fn tell = report->tell;
	void *context = report->context;
	AUTO(free_mem) char *text = TAKE_PTR(report->text);

	report_free(report->slot); /* before the call, which may free its owner */
	tell(context, error, text ? text : "");
}

static int report_add(struct report *report, const char *text)
{
	size_t len = strlen(text);
	char *grown;

	if (report->len + len >= REPORT_MAX_BYTES)
		return -EMSGSIZE;
	grown = realloc(report->text, report->len + len + 1);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + report->len, text, len + 1);
	report->text = grown;
	report->len += len;
	return 0;
}

static void report_on_part(void *context, const struct msg *answer)
{
	struct report *report = context;
	int err;

	if (!answer) {
		report_end(report, -ETIMEDOUT);
		return;
	}
	err = report_add(report, answer->report.text);
	if (err)
		report_end(report, err);
	else if (answer->report.last)
		report_end(report, answer->report.error);
}

int report_order(struct ledger *ledger, const struct msg_order *order, report_fn tell,
		 void *context, struct report **out_report)
{
	struct msg msg = {.type = MSG_ORDER, .order = *order};
	struct report *report = calloc(1, sizeof(*report));
	int err;

	if (!report)
		return -ENOMEM;
	report->ledger = ledger;
	report->tell = tell;
	report->context = context;
	report->slot = out_report;
	err = ask_send(ledger, &msg, report_on_part, report);
	if (err)
		free(report);
	else
		*out_report = report;
	return err;
}
