/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_imap_say - see gate_imap_say.h.
 */
#include "proc/gate_imap_say.h"

#include <string.h>

#include "base/buf.h"
#include "proc/gate_mailbox.h"
#include "proc/session_tls.h"
#include "wire/imap_caps.h"

#define ANSWER_MAX_BYTES (IMAP_TAG_MAX_BYTES + 128u)

static void put_tag(struct buf *out, struct imap_tag tag)
{
	if (tag.len > 0)
		buf_add(out, tag.text, tag.len);
	else
		buf_puts(out, "*");
	buf_puts(out, " ");
}

static void put_answer(struct buf *out, struct imap_tag tag, const char *text)
{
	put_tag(out, tag);
	buf_printf(out, "%s\r\n", text);
}

void imap_say(struct session *s, struct imap_tag tag, const char *text)
{
	char memory[ANSWER_MAX_BYTES];
	struct buf out = BUF_OVER(memory);

	put_answer(&out, tag, text);
	mailbox_say(s, out.text);
}

void imap_refuse(struct session *s, struct imap_tag tag, const char *text)
{
	char memory[ANSWER_MAX_BYTES];
	struct buf out = BUF_OVER(memory);

	put_answer(&out, tag, text);
	mailbox_refuse(s, out.text);
}

bool imap_login_is_hidden(const struct session *s)
{
	return !session_may_login(s);
}

bool imap_knows_offer(const struct session *s)
{
	return imap_login_is_hidden(s) || s->mailbox.is_ready ||
	       offer_is_known(offer_of(s));
}

static void put_capabilities(const struct session *s, struct buf *out)
{
	const struct mailbox_offer *offer = offer_of(s);
	const bool is_known = offer_is_known(offer);
	const struct imap_view view = {
		.offers_starttls = session_offers_tls(s),
		.hides_login = imap_login_is_hidden(s),
	};

	imap_caps_write(is_known ? offer->text : "", is_known ? offer->text_len : 0,
			&view, out);
}

void imap_say_greeting(struct session *s)
{
	char memory[MAILBOX_SAY_MAX_BYTES];
	struct buf out = BUF_OVER(memory);

	buf_puts(&out, "* OK ");
	if (imap_knows_offer(s)) {
		buf_puts(&out, "[CAPABILITY ");
		put_capabilities(s, &out);
		buf_puts(&out, "] ");
	}
	buf_printf(&out, "%s IMAP ready\r\n", s->gate->conf->hostname);
	mailbox_say(s, out.text);
}

void imap_say_capability(struct session *s, struct imap_tag tag)
{
	char memory[MAILBOX_SAY_MAX_BYTES];
	struct buf out = BUF_OVER(memory);

	buf_puts(&out, "* CAPABILITY ");
	put_capabilities(s, &out);
	buf_puts(&out, "\r\n");
	put_tag(&out, tag);
	buf_puts(&out, "OK CAPABILITY completed\r\n");
	mailbox_say(s, out.text);
}

void imap_say_goodbye(struct session *s, struct imap_tag tag)
{
	mailbox_say(s, "* BYE logging out\r\n");
	imap_say(s, tag, "OK LOGOUT completed");
	s->is_polite = true;
	session_end_after_flush(s, "logout");
}
