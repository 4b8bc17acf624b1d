/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_recent_open - see ledger_recent_open.h.
 *
 * An array without gaps, so that a sweep looks at what is there and at nothing else, and a hash of
 * chains through it. Numbers of sessions count up, so their lower bits spread well.
 */
#include "proc/ledger_recent_open.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define NO_LOGIN UINT32_MAX

struct open_slot {
	struct open_login login; /* first: a pointer to it is one to the slot */
	uint32_t next;		 /* in its chain */
};

struct open_logins {
	struct open_slot *slots;
	uint32_t *heads; /* of the chains; NO_LOGIN: empty */
	uint32_t count, capacity;
	uint32_t mask;
};

struct open_logins *open_logins_new(uint32_t capacity)
{
	AUTO(open_logins_free) struct open_logins *logins = calloc(1, sizeof(*logins));
	uint32_t heads = 64;

	if (!logins)
		return NULL;
	while (heads < capacity && heads < UINT32_MAX / 4)
		heads *= 2;
	logins->slots = calloc(capacity, sizeof(*logins->slots));
	logins->heads = malloc(heads * sizeof(*logins->heads));
	if (!logins->slots || !logins->heads)
		return NULL;
	memset(logins->heads, 0xff, heads * sizeof(*logins->heads)); /* NO_LOGIN */
	logins->capacity = capacity;
	logins->mask = heads - 1;
	return TAKE_PTR(logins);
}

void open_logins_free(struct open_logins **logins)
{
	if (!*logins)
		return;
	free_mem(&(*logins)->slots);
	free_mem(&(*logins)->heads);
	free(*logins);
	*logins = NULL;
}

/* Sessions of all gates share the lower bits; the gate's number stands at the top. */
static uint32_t *head_of(struct open_logins *logins, uint64_t id)
{
	return &logins->heads[(uint32_t)(id ^ id >> 56) & logins->mask];
}

bool open_logins_add(struct open_logins *logins, const struct open_login *login)
{
	uint32_t *head = head_of(logins, login->id);

	if (logins->count == logins->capacity)
		return false;
	logins->slots[logins->count] = (struct open_slot){*login, *head};
	*head = logins->count++;
	return true;
}

struct open_login *open_logins_find(struct open_logins *logins, uint64_t id)
{
	uint32_t at = *head_of(logins, id);

	for (; at != NO_LOGIN; at = logins->slots[at].next)
		if (logins->slots[at].login.id == id)
			return &logins->slots[at].login;
	return NULL;
}

/* The word that leads to a slot: a head, or the next of another. */
static uint32_t *word_to(struct open_logins *logins, uint32_t slot)
{
	uint32_t *word = head_of(logins, logins->slots[slot].login.id);

	while (*word != slot) {
		assert(*word != NO_LOGIN);
		word = &logins->slots[*word].next;
	}
	return word;
}

void open_logins_remove(struct open_logins *logins, struct open_login *login)
{
	const uint32_t hole = (uint32_t)((struct open_slot *)login - logins->slots);
	const uint32_t last = logins->count - 1;

	assert(hole < logins->count);
	*word_to(logins, hole) = logins->slots[hole].next;
	if (hole != last) {
		*word_to(logins, last) = hole;
		logins->slots[hole] = logins->slots[last];
	}
	logins->count--;
}

void open_logins_sweep(struct open_logins *logins, open_logins_fn ends, void *context)
{
	/* From the end: what moves into a hole has been visited. */
	for (uint32_t i = logins->count; i-- > 0;)
		if (ends(context, &logins->slots[i].login))
			open_logins_remove(logins, &logins->slots[i].login);
}

size_t open_logins_count(const struct open_logins *logins)
{
	return logins->count;
}
