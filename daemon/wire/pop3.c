/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/pop3.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "wire/chars.h"

static const struct {
	const char *word;
	enum pop3_verb verb;
} verb_rows[] = {
	{"CAPA", POP3_CAPA},	{"USER", POP3_USER},	{"PASS", POP3_PASS},
	{"APOP", POP3_APOP},	{"AUTH", POP3_AUTH},	{"STLS", POP3_STLS},
	{"QUIT", POP3_QUIT},	{"NOOP", POP3_NOOP},	{"UTF8", POP3_UTF8},
	{"LANG", POP3_LANG},	{"PROXY", POP3_PROXY},	{"XCLIENT", POP3_XCLIENT},
	{"STAT", POP3_MAILBOX}, {"LIST", POP3_MAILBOX}, {"RETR", POP3_MAILBOX},
	{"DELE", POP3_MAILBOX}, {"RSET", POP3_MAILBOX}, {"LAST", POP3_MAILBOX},
	{"TOP", POP3_MAILBOX},	{"UIDL", POP3_MAILBOX}, {"GET", POP3_HTTP},
	{"POST", POP3_HTTP},	{"PUT", POP3_HTTP},	{"HEAD", POP3_HTTP},
	{"OPTIONS", POP3_HTTP}, {"DELETE", POP3_HTTP},	{"PATCH", POP3_HTTP},
	{"CONNECT", POP3_HTTP}, {"TRACE", POP3_HTTP},
};

static bool pop3_is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct span pop3_trim(const char *text, struct span span)
{
	while (span.len > 0 && pop3_is_space(text[span.at])) {
		span.at++;
		span.len--;
	}
	while (span.len > 0 && pop3_is_space(text[span.at + span.len - 1]))
		span.len--;
	return span;
}

/* From a place on to the end. */
static struct span pop3_rest(size_t at, size_t len)
{
	return (struct span){.at = (uint32_t)at, .len = (uint32_t)(len - at)};
}

void pop3_parse_command(const char *line, size_t len, struct pop3_command *out_command)
{
	struct pop3_command command = {.verb = POP3_UNKNOWN};
	struct span word = {0};

	while (word.len < len && !pop3_is_space(line[word.len]))
		word.len++;
	for (size_t i = 0; i < sizeof(verb_rows) / sizeof(verb_rows[0]); i++) {
		if (span_is(line, word, verb_rows[i].word)) {
			command.verb = verb_rows[i].verb;
			break;
		}
	}
	command.arg = pop3_rest(word.len + (word.len < len), len);
	if (command.verb != POP3_PASS)
		command.arg = pop3_trim(line, command.arg);
	*out_command = command;
}

int pop3_parse_auth(const char *arg, size_t len, struct pop3_auth *out_auth)
{
	struct pop3_auth auth = {0};
	size_t at = 0;

	while (at < len &&
	       (chars_is(arg[at], CHARS_LET_DIG) || arg[at] == '-' || arg[at] == '_'))
		at++;
	if ((at == 0 && len > 0) || at > POP3_MECHANISM_MAX_BYTES ||
	    (at < len && arg[at] != ' '))
		return -EBADMSG;
	auth.mechanism.len = (uint32_t)at;
	auth.initial = pop3_trim(arg, pop3_rest(at, len));
	auth.has_initial = auth.initial.len > 0;
	if (memchr(arg + auth.initial.at, ' ', auth.initial.len))
		return -EBADMSG;
	*out_auth = auth;
	return 0;
}

int pop3_parse_apop(const char *arg, size_t len, struct pop3_apop *out_apop)
{
	const char *space = memrchr(arg, ' ', len);
	struct pop3_apop apop = {0};

	if (!space || space == arg)
		return -EBADMSG;
	apop.name.len = (uint32_t)(space - arg);
	apop.digest = pop3_rest(apop.name.len + 1, len);
	if (apop.digest.len != 32 || apop.name.len > POP3_NAME_MAX_BYTES)
		return -EBADMSG;
	for (size_t i = 0; i < apop.digest.len; i++) {
		const char c = arg[apop.digest.at + i];

		if (!strchr("0123456789abcdefABCDEF", c) || c == '\0')
			return -EBADMSG;
	}
	*out_apop = apop;
	return 0;
}

/* ---- replies --------------------------------------------------------------------------------- */

/* resp-code = "[" resp-level *( "/" resp-level ) "]"    RFC 2449 §8 */
static void pop3_read_code(const char *line, struct pop3_reply *reply)
{
	static const struct {
		const char *word;
		enum pop3_code code;
	} rows[] = {
		{"AUTH", POP3_CODE_AUTH},
		{"SYS/TEMP", POP3_CODE_SYS_TEMP},
		{"SYS/PERM", POP3_CODE_SYS_PERM},
		{"IN-USE", POP3_CODE_IN_USE},
		{"LOGIN-DELAY", POP3_CODE_LOGIN_DELAY},
	};
	const char *open = line + reply->text.at;
	const char *close = memchr(open, ']', reply->text.len);
	struct span word;

	if (reply->text.len == 0 || *open != '[' || !close)
		return;
	word = (struct span){.at = reply->text.at + 1,
			     .len = (uint32_t)(close - open) - 1};
	reply->code = POP3_CODE_OTHER;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (span_is(line, word, rows[i].word))
			reply->code = rows[i].code;
	reply->text.at += word.len + 2;
	reply->text.len -= word.len + 2;
	reply->text = pop3_trim(line, reply->text);
}

int pop3_parse_reply(const char *line, size_t len, struct pop3_reply *out_reply)
{
	static const struct {
		const char *word;
		enum pop3_status status;
	} rows[] = {
		{"+OK", POP3_OK},
		{"-ERR", POP3_ERR},
		{"+", POP3_CHALLENGE},
	};
	struct span word = {0};

	while (word.len < len && !pop3_is_space(line[word.len]))
		word.len++;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pop3_reply reply = {.status = rows[i].status};

		if (!span_is(line, word, rows[i].word))
			continue;
		reply.text = pop3_trim(line, pop3_rest(word.len, len));
		if (reply.status != POP3_CHALLENGE)
			pop3_read_code(line, &reply);
		*out_reply = reply;
		return 0;
	}
	return -EBADMSG;
}

bool pop3_is_end(const char *line, size_t len)
{
	return len == 1 && line[0] == '.';
}

/* ---- capabilities and greetings -------------------------------------------------------------- */

bool pop3_next_word(const char *text, struct span *rest, struct span *out_word)
{
	struct span left = pop3_trim(text, *rest);
	struct span word = {.at = left.at};

	while (word.len < left.len && !pop3_is_space(text[word.at + word.len]))
		word.len++;
	if (word.len == 0)
		return false;
	*rest = (struct span){.at = left.at + word.len, .len = left.len - word.len};
	*out_word = word;
	return true;
}

int pop3_parse_capa(const char *line, size_t len, struct pop3_capa_line *out_line)
{
	static const struct {
		const char *word;
		enum pop3_capability capability;
	} rows[] = {
		{"SASL", POP3_CAPA_SASL},
		{"USER", POP3_CAPA_USER},
		{"STLS", POP3_CAPA_STLS},
		{"XCLIENT", POP3_CAPA_XCLIENT},
		{"IMPLEMENTATION", POP3_CAPA_IMPLEMENTATION},
	};
	struct pop3_capa_line capa = {.capability = POP3_CAPA_PLAIN};
	struct span tag;

	capa.text = pop3_trim(line, pop3_rest(0, len));
	capa.params = capa.text;
	if (chars_count(line, len, CHARS_PRINT) != len ||
	    !pop3_next_word(line, &capa.params, &tag) || line[tag.at] == '.')
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (span_is(line, tag, rows[i].word))
			capa.capability = rows[i].capability;
	*out_line = capa;
	return 0;
}

/* msg-id = "<" local-part "@" domain ">"    RFC 822 §6.1, as RFC 1939 §7 wants it */
bool pop3_find_timestamp(const char *text, size_t len, struct span *out_stamp)
{
	const char *open = memchr(text, '<', len);
	const char *close = open ? memchr(open, '>', len - (size_t)(open - text)) : NULL;
	size_t inside;

	if (!close)
		return false;
	inside = (size_t)(close - open) - 1;
	if (inside == 0 || chars_count(open, inside + 2, CHARS_PRINT) != inside + 2 ||
	    memchr(open, ' ', inside) || !memchr(open, '@', inside))
		return false;
	*out_stamp =
		(struct span){.at = (uint32_t)(open - text), .len = (uint32_t)inside + 2};
	return true;
}

bool pop3_greets_xclient(const char *text, size_t len)
{
	return memmem(text, len, "[XCLIENT]", 9) != NULL;
}

size_t pop3_write_xclient(const struct addr *addr, uint16_t port, uint64_t session_id,
			  char out[POP3_XCLIENT_MAX_BYTES])
{
	char addr_text[ADDR_TEXT_MAX];
	struct buf text;

	buf_init(&text, out, POP3_XCLIENT_MAX_BYTES);
	buf_printf(&text, "XCLIENT ADDR=%s PORT=%u SESSION=postern-%016" PRIx64 "\r\n",
		   addr_format(addr, addr_text), port, session_id);
	return text.len;
}
