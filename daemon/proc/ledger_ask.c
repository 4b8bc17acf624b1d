/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ask - see ledger_ask.h.
 */
#include "proc/ledger_ask.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "proc/channel.h"

struct ask {
	uint32_t seq;	      /* 0: free */
	uint64_t deadline_ns; /* monotonic */
	ask_fn answered;      /* NULL: the asker has gone */
	const void *owner;
	void *context;
};

struct asks {
	struct ask waiting[ASKS_MAX];
	uint32_t last_seq;
};

struct asks *asks_new(void)
{
	return calloc(1, sizeof(struct asks));
}

void asks_free(struct asks **asks)
{
	free(*asks);
	*asks = NULL;
}

/* Where a request or an answer carries its number. */
static uint32_t *ask_seq(struct msg *msg)
{
	switch (msg->type) {
	case MSG_BAN_EDITS:
	case MSG_EDITS_DONE:
	case MSG_BAN_LOOKUP:
	case MSG_BAN_PAGE:
		return &msg->bans.seq;
	case MSG_BAN_WALK:
		return &msg->ban_walk.seq;
	case MSG_ORDER:
		return &msg->order.seq;
	case MSG_REPORT:
		return &msg->report.seq;
	default:
		return NULL;
	}
}

static struct ask *ask_find(struct asks *asks, uint32_t seq)
{
	for (size_t i = 0; i < ASKS_MAX; i++) {
		if (asks->waiting[i].seq == seq)
			return &asks->waiting[i];
	}
	return NULL;
}

int ask_send(struct ledger *ledger, struct msg *msg, ask_fn answered, void *context)
{
	struct asks *asks = ledger->asks;
	struct ask *ask = ask_find(asks, 0);
	uint32_t *seq = ask_seq(msg);
	int err;

	assert(seq);
	if (!ask)
		return -ENOBUFS;
	do
		asks->last_seq++;
	while (asks->last_seq == 0 || ask_find(asks, asks->last_seq));
	*seq = asks->last_seq;
	err = channel_send(ledger->keeper, msg, -1);
	if (err)
		return err;
	*ask = (struct ask){
		.seq = *seq,
		.deadline_ns = ledger->now.mono_ns + ASK_TIMEOUT_S * NS_PER_S,
		.answered = answered,
		.owner = context,
		.context = context,
	};
	return 0;
}

void ask_forget(struct ledger *ledger, const void *context)
{
	for (size_t i = 0; i < ASKS_MAX; i++) {
		if (ledger->asks->waiting[i].owner == context)
			ledger->asks->waiting[i].answered = NULL;
	}
}

static bool ask_is_last(const struct msg *msg)
{
	return msg->type != MSG_REPORT || msg->report.last;
}

void ask_answer(struct ledger *ledger, const struct msg *msg)
{
	uint32_t *seq = ask_seq((struct msg *)msg);
	struct ask *ask = seq && *seq ? ask_find(ledger->asks, *seq) : NULL;
	struct ask found;

	if (!ask)
		return;
	found = *ask;
	if (ask_is_last(msg))
		ask->seq = 0; /* before the call: it may ask again */
	if (found.answered)
		found.answered(found.context, msg);
}

void ask_tick(struct ledger *ledger)
{
	for (size_t i = 0; i < ASKS_MAX; i++) {
		struct ask found = ledger->asks->waiting[i];

		if (!found.seq || found.deadline_ns > ledger->now.mono_ns)
			continue;
		ledger->asks->waiting[i].seq = 0;
		if (found.answered)
			found.answered(found.context, NULL);
	}
}
