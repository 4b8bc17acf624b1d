/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_gather - see ledger_gather.h.
 */
#include "proc/ledger_gather.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <event2/event.h>

#include "proc/channel.h"

struct gathering {
	uint32_t seq; /* 0: free */
	struct ledger *ledger;
	struct event *deadline;
	gather_fn tell; /* NULL: who asked has gone */
	void *context;
	uint64_t waiting; /* bit for each gate that has not ended its answer */
};

static_assert(CONF_GATES_MAX <= 64, "a bit for each gate");

struct gather {
	struct gathering running[GATHERS_MAX];
	uint32_t last_seq;
};

struct gather *gather_new(void)
{
	return calloc(1, sizeof(struct gather));
}

void gather_free(struct gather **gather)
{
	if (!*gather)
		return;
	for (size_t i = 0; i < GATHERS_MAX; i++) {
		if ((*gather)->running[i].deadline)
			event_free((*gather)->running[i].deadline);
	}
	free(*gather);
	*gather = NULL;
}

static struct gathering *gather_find(struct gather *gather, uint32_t seq)
{
	for (size_t i = 0; i < GATHERS_MAX; i++) {
		if (gather->running[i].seq == seq)
			return &gather->running[i];
	}
	return NULL;
}

static void gather_end(struct gathering *g)
{
	gather_fn tell = g->tell;
	void *context = g->context;
	unsigned int missing = (unsigned int)__builtin_popcountll(g->waiting);

	event_free(g->deadline);
	*g = (struct gathering){.seq = 0};
	if (tell)
		tell(context, NULL, missing);
}

static void gather_on_deadline(evutil_socket_t fd, short what, void *context)
{
	struct gathering *g = context;

	(void)fd;
	(void)what;
	ledger_turn(g->ledger);
	gather_end(g);
}

int gather_begin(struct ledger *ledger, gather_fn tell, void *context)
{
	struct gather *gather = ledger->gather;
	struct gathering *g = gather_find(gather, 0);
	const struct timeval timeout = {
		.tv_sec = GATHER_TIMEOUT_MS / 1000,
		.tv_usec = GATHER_TIMEOUT_MS % 1000 * 1000L,
	};
	struct msg msg = {.type = MSG_SESSIONS};

	if (!g)
		return -ENOBUFS;
	g->deadline = evtimer_new(ledger->base, gather_on_deadline, g);
	if (!g->deadline)
		return -ENOBUFS;
	do
		gather->last_seq++;
	while (gather->last_seq == 0 || gather_find(gather, gather->last_seq));
	msg.sessions.seq = gather->last_seq;
	g->seq = gather->last_seq;
	g->ledger = ledger;
	g->tell = tell;
	g->context = context;
	for (unsigned int i = 0; i < CONF_GATES_MAX; i++) {
		if (!ledger->gates[i])
			continue;
		g->waiting |= UINT64_C(1) << i; /* stays, if it cannot be asked */
		(void)channel_send(ledger->gates[i], &msg, -1);
	}
	(void)evtimer_add(g->deadline, &timeout);
	if (!g->waiting)
		gather_end(g);
	return 0;
}

void gather_forget(struct ledger *ledger, const void *context)
{
	for (size_t i = 0; i < GATHERS_MAX; i++) {
		if (ledger->gather->running[i].context == context)
			ledger->gather->running[i].tell = NULL;
	}
}

void gather_on_page(struct ledger *ledger, unsigned int gate,
		    const struct msg_sessions_page *page)
{
	struct gathering *g = page->seq ? gather_find(ledger->gather, page->seq) : NULL;

	if (!g || !(g->waiting & UINT64_C(1) << gate))
		return;
	for (uint32_t i = 0; i < page->count && g->tell; i++)
		if (msg_session_gate(page->sessions[i].id) == gate)
			g->tell(g->context, &page->sessions[i], 0);
	if (!page->last)
		return;
	g->waiting &= ~(UINT64_C(1) << gate);
	if (!g->waiting)
		gather_end(g);
}

void gather_on_gate_gone(struct ledger *ledger, unsigned int gate)
{
	for (size_t i = 0; i < GATHERS_MAX; i++) {
		struct gathering *g = &ledger->gather->running[i];

		if (!g->seq || !(g->waiting & UINT64_C(1) << gate))
			continue;
		g->waiting &= ~(UINT64_C(1) << gate);
		if (!g->waiting)
			gather_end(g);
	}
}
