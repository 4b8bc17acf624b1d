/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/smtp_ehlo - what a line of an EHLO reply offers (wire/smtp_reply.h).
 */
#include <errno.h>

#include "wire/chars.h"
#include "wire/smtp_reply.h"

static const struct {
	const char *keyword;
	uint32_t cap;
} ehlo_rows[] = {
	{"PIPELINING", SMTP_CAP_PIPELINING},
	{"8BITMIME", SMTP_CAP_8BITMIME},
	{"SIZE", SMTP_CAP_SIZE},
	{"DSN", SMTP_CAP_DSN},
	{"SMTPUTF8", SMTP_CAP_SMTPUTF8},
	{"ENHANCEDSTATUSCODES", SMTP_CAP_ENHANCEDSTATUSCODES},
	{"CHUNKING", SMTP_CAP_CHUNKING},
	{"BINARYMIME", SMTP_CAP_BINARYMIME},
	{"STARTTLS", SMTP_CAP_STARTTLS},
	{"AUTH", SMTP_CAP_AUTH},
	{"VRFY", SMTP_CAP_VRFY},
	{"ETRN", SMTP_CAP_ETRN},
	{"EXPN", SMTP_CAP_EXPN},
	{"HELP", SMTP_CAP_HELP},
	{"XCLIENT", SMTP_CAP_XCLIENT},
	{"XFORWARD", SMTP_CAP_XFORWARD},
	{"DELIVERBY", SMTP_CAP_DELIVERBY},
	{"MT-PRIORITY", SMTP_CAP_MTPRIORITY},
	{"REQUIRETLS", SMTP_CAP_REQUIRETLS},
	{"LIMITS", SMTP_CAP_LIMITS},
	{"FUTURERELEASE", SMTP_CAP_FUTURERELEASE},
};

static uint32_t ehlo_find(const char *text, struct span keyword)
{
	for (size_t i = 0; i < sizeof(ehlo_rows) / sizeof(ehlo_rows[0]); i++) {
		if (span_is(text, keyword, ehlo_rows[i].keyword))
			return ehlo_rows[i].cap;
	}
	return 0;
}

/* size-param = [1*20DIGIT], RFC 1870 §4. Past 64 bits it is as good as no limit. */
static int ehlo_size(const char *text, struct span param, uint64_t *out_size)
{
	uint64_t size = 0;

	for (size_t i = 0; i < param.len; i++) {
		char c = text[param.at + i];

		if (!chars_is(c, CHARS_DIGIT))
			return -EBADMSG;
		if (__builtin_mul_overflow(size, 10, &size) ||
		    __builtin_add_overflow(size, (uint64_t)(c - '0'), &size)) {
			*out_size = 0;
			return 0;
		}
	}
	*out_size = size;
	return 0;
}

int smtp_parse_ehlo_line(const char *text, size_t len, struct smtp_ehlo_line *out_line)
{
	struct smtp_ehlo_line line = {0};
	size_t at = 0;

	while (len > 0 && text[len - 1] == ' ')
		len--;
	/* ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
	while (at < len &&
	       (chars_is(text[at], CHARS_LET_DIG) || (at > 0 && text[at] == '-')))
		at++;
	line.keyword.len = (uint32_t)at;
	if (at == 0 || (at < len && text[at] != ' ' && text[at] != '='))
		return -EBADMSG;
	for (size_t i = at; i < len; i++) {
		if (!chars_is(text[i], CHARS_PRINT))
			return -EBADMSG;
	}

	line.cap = ehlo_find(text, line.keyword);
	if (at < len && text[at] == '=') {
		/* Older than RFC 2554; known of AUTH alone. */
		line.old_auth = line.cap == SMTP_CAP_AUTH;
		line.cap = line.old_auth ? line.cap : 0;
		at++;
	}
	while (at < len && text[at] == ' ')
		at++;
	line.params = (struct span){.at = (uint32_t)at, .len = (uint32_t)(len - at)};
	if (line.cap == SMTP_CAP_SIZE &&
	    ehlo_size(text, line.params, &line.size_max) != 0)
		return -EBADMSG;

	*out_line = line;
	return 0;
}

bool smtp_next_word(const char *text, struct span *rest, struct span *out_word)
{
	size_t at = rest->at;
	size_t end = at + rest->len;
	size_t from;

	while (at < end && text[at] == ' ')
		at++;
	if (at == end)
		return false;
	from = at;
	while (at < end && text[at] != ' ')
		at++;
	*out_word = (struct span){.at = (uint32_t)from, .len = (uint32_t)(at - from)};
	*rest = (struct span){.at = (uint32_t)at, .len = (uint32_t)(end - at)};
	return true;
}
