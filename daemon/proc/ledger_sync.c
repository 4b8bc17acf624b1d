/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_sync - see ledger_sync.h.
 */
#include "proc/ledger_sync.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/ledger_ask.h"

/* One message on its way: which changes it holds. */
struct sync_sent {
	struct ban_batch *batch; /* NULL: free */
	size_t first, count;
};

struct sync_list {
	struct ban_batch *head, *tail;
};

struct sync_queue {
	struct sync_list urgent, normal;
	struct sync_sent window[SYNC_WINDOW_MAX];
	unsigned int in_flight;
	sync_answered_fn answered;
	bool is_pumping;
};

struct ban_batch *batch_new(size_t capacity, size_t whys)
{
	AUTO(batch_free) struct ban_batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	batch->changes = calloc(capacity ? capacity : 1, sizeof(*batch->changes));
	batch->whys = calloc(whys ? whys : 1, sizeof(*batch->whys));
	if (!batch->changes || !batch->whys)
		return NULL;
	batch->capacity = capacity;
	batch->why_count = whys;
	return TAKE_PTR(batch);
}

void batch_free(struct ban_batch **batch)
{
	if (!*batch)
		return;
	free((*batch)->changes);
	free((*batch)->whys);
	free(*batch);
	*batch = NULL;
}

struct ban_change *batch_add(struct ban_batch *batch)
{
	return batch->count < batch->capacity ? &batch->changes[batch->count++] : NULL;
}

const char *batch_why(const struct ban_batch *batch, const struct ban_change *change)
{
	return change->why < batch->why_count ? batch->whys[change->why] : "";
}

struct sync_queue *sync_new(void)
{
	return calloc(1, sizeof(struct sync_queue));
}

static void sync_list_free(struct sync_list *list)
{
	while (list->head) {
		struct ban_batch *batch = list->head;

		list->head = batch->next;
		batch_free(&batch);
	}
}

void sync_free(struct sync_queue **queue)
{
	if (!*queue)
		return;
	sync_list_free(&(*queue)->urgent);
	sync_list_free(&(*queue)->normal);
	/* Those all of whose changes are on their way are in no list: found through the window. */
	for (unsigned int i = 0; i < SYNC_WINDOW_MAX; i++) {
		struct ban_batch *batch = (*queue)->window[i].batch;

		if (!batch || batch->is_queued)
			continue;
		for (unsigned int j = i; j < SYNC_WINDOW_MAX; j++) {
			if ((*queue)->window[j].batch == batch)
				(*queue)->window[j].batch = NULL;
		}
		batch_free(&batch);
	}
	free(*queue);
	*queue = NULL;
}

void sync_on_answer(struct ledger *ledger, sync_answered_fn answered)
{
	ledger->sync->answered = answered;
}

static bool sync_holds(const struct ban_batch *batch, size_t first, size_t count,
		       const struct ban_change *wanted)
{
	for (size_t i = first; i < first + count; i++) {
		if (batch->changes[i].policy == wanted->policy &&
		    prefix_equal(&batch->changes[i].prefix, &wanted->prefix))
			return true;
	}
	return false;
}

static bool sync_list_holds(const struct sync_list *list, const struct ban_change *wanted)
{
	for (const struct ban_batch *batch = list->head; batch; batch = batch->next) {
		if (sync_holds(batch, batch->sent, batch->count - batch->sent, wanted))
			return true;
	}
	return false;
}

bool sync_is_pending(const struct ledger *ledger, const struct prefix *prefix,
		     uint8_t policy)
{
	const struct sync_queue *queue = ledger->sync;
	const struct ban_change wanted = {.prefix = *prefix, .policy = policy};

	for (unsigned int i = 0; i < SYNC_WINDOW_MAX; i++) {
		const struct sync_sent *sent = &queue->window[i];

		if (sent->batch &&
		    sync_holds(sent->batch, sent->first, sent->count, &wanted))
			return true;
	}
	return sync_list_holds(&queue->urgent, &wanted) ||
	       sync_list_holds(&queue->normal, &wanted);
}

/* Does the kernel have to hear of it? What failed before, or lies only in the store, has not. */
static bool sync_concerns_kernel(const struct ban_change *change)
{
	return !change->error && change->policy != LEDGER_POLICY_NONE;
}

/* What the kernel should have: what the set says now. */
static void sync_fill(struct ledger *ledger, const struct ban_change *change,
		      struct msg_ban *out)
{
	struct prefix_set_item item;

	*out = (struct msg_ban){.prefix = change->prefix, .policy = change->policy};
	if (prefix_set_get(ledger->set, change->policy, &change->prefix, &item)) {
		out->edit = BAN_EDIT_SET;
		out->ends_ns = item.ends_ns;
	} else {
		out->edit = BAN_EDIT_REMOVE;
	}
}

static void sync_told(struct ledger *ledger, const struct sync_sent *sent)
{
	if (ledger->sync->answered)
		ledger->sync->answered(ledger, sent->batch, sent->first, sent->count);
}

/* A batch that is neither queued nor on its way is done. */
static void sync_settle(struct ban_batch *batch)
{
	if (batch->is_queued || batch->waiting)
		return;
	if (batch->done)
		batch->done(batch->context, batch);
	batch_free(&batch);
}

/* The answer repeats the changes that concerned the kernel, in their order. */
static void sync_take_errors(struct ledger *ledger, const struct sync_sent *sent,
			     const struct msg *answer)
{
	uint32_t at = 0;

	for (size_t i = 0; i < sent->count; i++) {
		struct ban_change *change = &sent->batch->changes[sent->first + i];

		if (!sync_concerns_kernel(change))
			continue;
		if (!answer || at >= answer->bans.count ||
		    !prefix_equal(&answer->bans.bans[at].prefix, &change->prefix)) {
			change->error = -ETIMEDOUT;
			continue;
		}
		change->error = answer->bans.bans[at++].error;
		if (change->error == -ENOENT && change->edit == BAN_EDIT_REMOVE)
			change->error = 0;
		ledger->is_without_xdp = change->error == -EOPNOTSUPP;
		if (change->error == -EOPNOTSUPP) {
			change->is_without_xdp = true;
			change->error = 0;
		}
	}
}

static void sync_answer(void *context, const struct msg *answer)
{
	struct sync_sent *slot = context;
	struct sync_sent sent = *slot;
	struct ledger *ledger = sent.batch->ledger;

	slot->batch = NULL;
	ledger->sync->in_flight--;
	sent.batch->waiting--;
	if (!answer)
		log_error("event=keeper-silent changes=%zu", sent.count);
	sync_take_errors(ledger, &sent, answer);
	sync_told(ledger, &sent);
	sync_settle(sent.batch);
	sync_pump(ledger);
}

/* Cut the next message out of the batch. Returns how many changes it covers, sent or not. */
static size_t sync_compose(struct ledger *ledger, const struct ban_batch *batch,
			   struct msg *msg)
{
	size_t taken = 0;

	msg->type = MSG_BAN_EDITS;
	msg->bans.load = batch->is_load;
	while (batch->sent + taken < batch->count && msg->bans.count < MSG_BANS_MAX) {
		const struct ban_change *change = &batch->changes[batch->sent + taken++];

		if (sync_concerns_kernel(change))
			sync_fill(ledger, change, &msg->bans.bans[msg->bans.count++]);
	}
	return taken;
}

static struct sync_sent *sync_slot(struct sync_queue *queue)
{
	for (unsigned int i = 0; i < SYNC_WINDOW_MAX; i++) {
		if (!queue->window[i].batch)
			return &queue->window[i];
	}
	return NULL;
}

/* Send one message of a batch. false: not now. */
static bool sync_send(struct ledger *ledger, struct ban_batch *batch)
{
	struct sync_sent *slot = sync_slot(ledger->sync);
	struct msg msg = {.type = 0};
	struct sync_sent sent = {.batch = batch, .first = batch->sent};

	if (!slot)
		return false;
	sent.count = sync_compose(ledger, batch, &msg);
	if (msg.bans.count > 0) {
		*slot = sent;
		if (ask_send(ledger, &msg, sync_answer, slot)) {
			slot->batch = NULL;
			return false;
		}
		batch->waiting++;
		ledger->sync->in_flight++;
	}
	batch->sent += sent.count;
	if (msg.bans.count == 0)
		sync_told(ledger, &sent);
	return true;
}

/* One step with the first batch of a list. false: not now. */
static bool sync_step(struct ledger *ledger, struct sync_list *list)
{
	struct ban_batch *batch = list->head;

	if (batch->sent < batch->count)
		return sync_send(ledger, batch);
	list->head = batch->next;
	if (!list->head)
		list->tail = NULL;
	batch->is_queued = false;
	sync_settle(batch);
	return true;
}

void sync_pump(struct ledger *ledger)
{
	struct sync_queue *queue = ledger->sync;

	/* A batch that ends may hand in the next one: the outer call takes it. */
	if (queue->is_pumping)
		return;
	queue->is_pumping = true;
	for (;;) {
		struct sync_list *list =
			queue->urgent.head ? &queue->urgent : &queue->normal;

		if (!list->head || !sync_step(ledger, list))
			break;
	}
	queue->is_pumping = false;
}

void sync_submit(struct ledger *ledger, struct ban_batch **batch)
{
	struct ban_batch *taken = TAKE_PTR(*batch);
	struct sync_list *list =
		taken->is_urgent ? &ledger->sync->urgent : &ledger->sync->normal;

	taken->ledger = ledger;
	taken->is_queued = true;
	if (list->tail)
		list->tail->next = taken;
	else
		list->head = taken;
	list->tail = taken;
	sync_pump(ledger);
}
