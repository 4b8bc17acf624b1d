/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/imap_caps.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "wire/chars.h"
#include "wire/span.h"

static const struct {
	const char *word;
	uint32_t caps;
	bool is_dropped; /* written by us, or by nobody */
} cap_rows[] = {
	{"IMAP4rev1", IMAP_CAP_REV1, true},
	{"IMAP4rev2", IMAP_CAP_REV2 | IMAP_CAP_SASL_IR | IMAP_CAP_LITERAL_MINUS, false},
	{"STARTTLS", IMAP_CAP_STARTTLS, true},
	{"LOGINDISABLED", IMAP_CAP_LOGINDISABLED, true},
	{"SASL-IR", IMAP_CAP_SASL_IR, true},
	{"ID", IMAP_CAP_ID, true},
	{"LITERAL+", IMAP_CAP_LITERAL_PLUS, false},
	{"LITERAL-", IMAP_CAP_LITERAL_MINUS, false},
	{"LOGIN-REFERRALS", 0, true},
	{"UNAUTHENTICATE", 0, true},
};

static bool next_word(const char *list, size_t len, size_t *at, struct span *out_word)
{
	size_t from = *at;
	size_t end;

	while (from < len && list[from] == ' ')
		from++;
	end = from;
	while (end < len && list[end] != ' ')
		end++;
	*at = end;
	*out_word = (struct span){.at = (uint32_t)from, .len = (uint32_t)(end - from)};
	return end > from;
}

/* capability = ("AUTH=" auth-type) / atom */
static bool take_mechanism(const char *list, struct span *word)
{
	static const char prefix[] = "AUTH=";
	const uint32_t prefix_len = sizeof(prefix) - 1;

	if (word->len <= prefix_len ||
	    strncasecmp(list + word->at, prefix, prefix_len) != 0)
		return false;
	word->at += prefix_len;
	word->len -= prefix_len;
	return true;
}

/*
 * EXTERNAL would log in whoever postern's own certificate is; "-PLUS" binds to a TLS channel that
 * ends here.
 */
static bool is_mechanism_through(const char *name, size_t len)
{
	static const char plus[] = "-PLUS";
	static const char external[] = "EXTERNAL";
	const size_t plus_len = sizeof(plus) - 1;

	if (len == sizeof(external) - 1 && strncasecmp(name, external, len) == 0)
		return false;
	return len < plus_len || strncasecmp(name + len - plus_len, plus, plus_len) != 0;
}

uint32_t imap_caps_parse(const char *list, size_t len)
{
	uint32_t caps = 0;
	struct span word;

	for (size_t at = 0; next_word(list, len, &at, &word);) {
		for (size_t i = 0; i < sizeof(cap_rows) / sizeof(cap_rows[0]); i++) {
			if (span_is(list, word, cap_rows[i].word))
				caps |= cap_rows[i].caps;
		}
		if (take_mechanism(list, &word))
			caps |= IMAP_CAP_AUTH;
	}
	return caps;
}

bool imap_caps_has_mechanism(const char *list, size_t len, const char *mechanism,
			     size_t mechanism_len)
{
	struct span word;

	if (!is_mechanism_through(mechanism, mechanism_len))
		return false;
	for (size_t at = 0; next_word(list, len, &at, &word);) {
		if (take_mechanism(list, &word) && word.len == mechanism_len &&
		    strncasecmp(list + word.at, mechanism, mechanism_len) == 0)
			return true;
	}
	return false;
}

static void add_word(struct buf *out, const char *word, size_t len)
{
	if (out->len > 0)
		buf_puts(out, " ");
	buf_add(out, word, len);
}

static bool is_shown(const char *list, struct span word, const struct imap_view *view)
{
	struct span mechanism = word;

	for (size_t i = 0; i < sizeof(cap_rows) / sizeof(cap_rows[0]); i++) {
		if (span_is(list, word, cap_rows[i].word))
			return !cap_rows[i].is_dropped;
	}
	if (take_mechanism(list, &mechanism))
		return !view->hides_login &&
		       is_mechanism_through(list + mechanism.at, mechanism.len);
	for (size_t i = 0; i < word.len; i++) {
		if (!chars_is(list[word.at + i], CHARS_PRINT))
			return false;
	}
	return true;
}

void imap_caps_write(const char *list, size_t len, const struct imap_view *view,
		     struct buf *out)
{
	const uint32_t caps = imap_caps_parse(list, len);
	struct span word;

	buf_puts(out, "IMAP4rev1 SASL-IR ID");
	if (view->offers_starttls)
		buf_puts(out, " STARTTLS");
	if (view->hides_login || (caps & IMAP_CAP_LOGINDISABLED))
		buf_puts(out, " LOGINDISABLED");
	for (size_t at = 0; next_word(list, len, &at, &word);) {
		if (is_shown(list, word, view))
			add_word(out, list + word.at, word.len);
	}
}
