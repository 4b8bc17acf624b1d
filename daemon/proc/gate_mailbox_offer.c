/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_mailbox_offer - see gate_mailbox_offer.h.
 */
#include "proc/gate_mailbox_offer.h"

#include <assert.h>
#include <string.h>

#include "proc/session.h"

static_assert(sizeof(struct mailbox_offer) <= GATE_SMALL_BYTES,
	      "one is collected in a block");

struct mailbox_offer *offer_of(const struct session *s)
{
	return s->service < 0 ? NULL : &s->gate->offers[s->service];
}

bool offer_is_known(const struct mailbox_offer *offer)
{
	return offer && offer->known_ms > 0;
}

bool offer_is_fresh(const struct session *s, const struct mailbox_offer *offer)
{
	return offer_is_known(offer) &&
	       s->gate->now_ms - offer->known_ms < OFFER_FRESH_MS;
}

struct mailbox_offer *offer_begin(struct session *s)
{
	struct mailbox_offer *draft = s->mailbox.draft;

	if (!draft)
		draft = pool_take(&s->gate->small);
	if (!draft) {
		session_end(s, "memory");
		return NULL;
	}
	s->mailbox.draft = draft;
	draft->caps = 0;
	draft->text_len = 0;
	draft->mechs[0] = '\0';
	return draft;
}

void offer_add(struct mailbox_offer *offer, const char *text, size_t len)
{
	if (len > sizeof(offer->text) - offer->text_len)
		return;
	memcpy(offer->text + offer->text_len, text, len);
	offer->text_len = (uint16_t)(offer->text_len + len);
}

void offer_end(struct session *s)
{
	struct mailbox_offer *offer = offer_of(s);
	struct mailbox_offer *draft = s->mailbox.draft;

	draft->known_ms = s->gate->now_ms;
	if (offer)
		*offer = *draft;
	offer_drop(s);
}

void offer_drop(struct session *s)
{
	pool_give(&s->gate->small, &s->mailbox.draft);
}
