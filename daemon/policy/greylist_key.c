/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/greylist_key.h"

#include <string.h>

#include "base/siphash.h"

#define LOCAL_MAX	256u
#define WORDS_MAX	64u
#define BATV_TAG_BYTES	10u /* K DDD SSSSSS: key, day, signature in hexadecimal */
#define HEX_WORD_BYTES	4u  /* a group of an UUID */
#define LONG_WORD_BYTES 12u

/* Part of a local part that is being looked at. */
struct text {
	const char *bytes;
	size_t len;
};

struct word {
	struct text text;
	bool is_hex, has_digit, is_number;
	bool is_volatile;
};

struct prefix grey_network_of(const struct addr *addr)
{
	return prefix_make(addr, addr->family == ADDR_V4 ? GREY_V4_LEN : GREY_V6_LEN);
}

bool grey_is_network(const struct prefix *prefix)
{
	return prefix->len ==
	       (prefix->addr.family == ADDR_V4 ? GREY_V4_LEN : GREY_V6_LEN);
}

/* ---- characters ------------------------------------------------------------------------------ */

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (unsigned char)c > 127;
}

static void skip(struct text *text, size_t len)
{
	text->bytes += len;
	text->len -= len;
}

static bool skip_if(struct text *text, const char *prefix)
{
	const size_t len = strlen(prefix);

	if (text->len < len || memcmp(text->bytes, prefix, len) != 0)
		return false;
	skip(text, len);
	return true;
}

/* The bytes before the next such character, which is skipped, too. false: it is not there, or first. */
static bool cut(struct text *text, char end, struct text *out_before)
{
	const char *at = memchr(text->bytes, end, text->len);

	if (!at || at == text->bytes)
		return false;
	*out_before = (struct text){text->bytes, (size_t)(at - text->bytes)};
	skip(text, out_before->len + 1);
	return true;
}

/* ---- tags that name themselves --------------------------------------------------------------- */

/* prvs=TAG=local, btv1==TAG==local: what is left is local. */
static void drop_batv(struct text *text)
{
	struct text rest = *text;
	struct text tag;

	if (skip_if(&rest, "prvs=")) {
		if (!cut(&rest, '=', &tag) || tag.len != BATV_TAG_BYTES)
			return;
	} else if (skip_if(&rest, "btv1==")) {
		if (!cut(&rest, '=', &tag) || !skip_if(&rest, "="))
			return;
	} else {
		return;
	}
	*text = rest;
}

/* HASH=TIME=host=local */
static bool fold_srs0(struct text *rest, struct buf *out)
{
	struct text hash, time, host;

	if (!cut(rest, '=', &hash) || !cut(rest, '=', &time) || !cut(rest, '=', &host))
		return false;
	buf_add(out, host.bytes, host.len);
	buf_puts(out, "=");
	return true;
}

static bool is_srs_separator(char c)
{
	return c == '=' || c == '+' || c == '-';
}

/*
 * "SRS0" sep HASH=TIME=host=local becomes srs0=host=local; "SRS1" sep HASH=host2= sep HASH=TIME=host=local
 * becomes srs1=host2=host=local. sep: "=", "+" or "-". What is left in text is local.
 */
static bool fold_srs(struct text *text, struct buf *out)
{
	char memory[LOCAL_MAX];
	struct buf head = BUF_OVER(memory);
	struct text rest = *text;
	struct text hash, host;
	bool is_second;

	if (rest.len < 5 || memcmp(rest.bytes, "srs", 3) != 0 ||
	    (rest.bytes[3] != '0' && rest.bytes[3] != '1') ||
	    !is_srs_separator(rest.bytes[4]))
		return false;
	is_second = rest.bytes[3] == '1';
	buf_puts(&head, is_second ? "srs1=" : "srs0=");
	skip(&rest, 5);
	if (is_second) {
		if (!cut(&rest, '=', &hash) || !cut(&rest, '=', &host) || rest.len == 0)
			return false;
		buf_add(&head, host.bytes, host.len);
		buf_puts(&head, "=");
		skip(&rest, 1); /* the separator of the SRS0 address inside */
	}
	if (!fold_srs0(&rest, &head))
		return false;
	buf_add(out, head.text, head.len);
	*text = rest;
	return true;
}

/* ---- words that are different each time ------------------------------------------------------ */

static void word_look(struct word *word, const char *bytes, size_t len)
{
	*word = (struct word){.text = {bytes, 0}, .is_hex = true, .is_number = true};
	while (word->text.len < len && is_word(bytes[word->text.len])) {
		const char c = bytes[word->text.len++];

		word->has_digit |= is_digit(c);
		word->is_number &= is_digit(c);
		word->is_hex &= is_hex(c);
	}
	word->is_volatile =
		word->is_number ||
		(word->has_digit &&
		 word->text.len >= (word->is_hex ? HEX_WORD_BYTES : LONG_WORD_BYTES));
}

/* Groups of an UUID that happen to have no digit: they stand beside others that have. */
static void words_infect(struct word *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const bool has_neighbour = (i > 0 && words[i - 1].is_volatile) ||
					   (i + 1 < count && words[i + 1].is_volatile);

		if (words[i].is_hex && words[i].text.len >= HEX_WORD_BYTES &&
		    has_neighbour)
			words[i].is_volatile = true;
	}
}

/* "a-12-34-b" becomes "a-#-b": how many numbers there are may change, too. */
static void words_write(const struct text *text, const struct word *words, size_t count,
			struct buf *out)
{
	const char *at = text->bytes;
	bool was_volatile = false;

	for (size_t i = 0; i < count; i++) {
		const struct word *word = &words[i];
		const size_t gap = (size_t)(word->text.bytes - at);

		if (!(word->is_volatile && was_volatile && gap == 1)) {
			buf_add(out, at, gap);
			if (word->is_volatile)
				buf_puts(out, "#");
			else
				buf_add(out, word->text.bytes, word->text.len);
		}
		was_volatile = word->is_volatile;
		at = word->text.bytes + word->text.len;
	}
	buf_add(out, at, text->len - (size_t)(at - text->bytes));
}

static void fold_words(const struct text *text, struct buf *out)
{
	struct word words[WORDS_MAX];
	size_t count = 0;

	for (size_t at = 0; at < text->len && count < WORDS_MAX;) {
		if (!is_word(text->bytes[at])) {
			at++;
			continue;
		}
		word_look(&words[count], text->bytes + at, text->len - at);
		at += words[count++].text.len;
	}
	words_infect(words, count);
	words_write(text, words, count, out);
}

static void fold_local(const char *bytes, size_t len, struct buf *out)
{
	char memory[LOCAL_MAX] = {0};
	struct text text = {memory, len};
	const char *plus;

	for (size_t i = 0; i < len; i++)
		memory[i] = lower(bytes[i]);
	drop_batv(&text);
	if (!fold_srs(&text, out)) {
		plus = text.len > 0 ? memchr(text.bytes, '+', text.len) : NULL;
		if (plus && plus > text.bytes)
			text.len = (size_t)(plus - text.bytes);
	}
	fold_words(&text, out);
}

static void add_lower(struct buf *out, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const char c = lower(bytes[i]);

		buf_add(out, &c, 1);
	}
}

void grey_sender_fold(const char *mailbox, size_t len, struct buf *out)
{
	const char *at = len > 0 ? memrchr(mailbox, '@', len) : NULL;
	const size_t local = at ? (size_t)(at - mailbox) : len;

	if (local > 0 && local <= LOCAL_MAX && mailbox[0] != '"')
		fold_local(mailbox, local, out);
	else
		add_lower(out, mailbox, local);
	add_lower(out, mailbox + local, len - local);
}

static void digest_text(const struct buf *text, uint8_t out[GREY_DIGEST_BYTES])
{
	/* Any numbers will do, as long as they never change: the store keeps what they made. */
	static const uint8_t keys[2][SIPHASH_KEY_BYTES] = {"postern-greylist",
							   "tsilyerg-nretsop"};

	for (size_t i = 0; i < 2; i++) {
		const uint64_t hash = siphash24(keys[i], text->text, text->len);

		for (size_t byte = 0; byte < 8; byte++)
			out[8 * i + byte] = (uint8_t)(hash >> (8 * byte));
	}
}

void grey_sender_digest(const char *mailbox, size_t len, uint8_t out[GREY_DIGEST_BYTES])
{
	char memory[GREY_SENDER_MAX];
	struct buf text = BUF_OVER(memory);

	grey_sender_fold(mailbox, len, &text);
	digest_text(&text, out);
}

void grey_digest(const uint8_t sender[GREY_DIGEST_BYTES], const char *mailbox, size_t len,
		 uint8_t out[GREY_DIGEST_BYTES])
{
	char memory[GREY_SENDER_MAX];
	struct buf text = BUF_OVER(memory);

	buf_add(&text, sender, GREY_DIGEST_BYTES);
	add_lower(&text, mailbox, len);
	digest_text(&text, out);
}
