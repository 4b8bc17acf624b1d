/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/imap.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "wire/chars.h"
#include "wire/sasl.h"

/* A place in a command that is being read. */
struct cursor {
	const char *text;
	size_t at, end;
};

static const struct {
	const char *word;
	enum imap_verb verb;
} verb_rows[] = {
	{"CAPABILITY", IMAP_CAPABILITY},
	{"NOOP", IMAP_NOOP},
	{"LOGOUT", IMAP_LOGOUT},
	{"ID", IMAP_ID},
	{"STARTTLS", IMAP_STARTTLS},
	{"LOGIN", IMAP_LOGIN},
	{"AUTHENTICATE", IMAP_AUTHENTICATE},
	{"APPEND", IMAP_LATER},
	{"CHECK", IMAP_LATER},
	{"CLOSE", IMAP_LATER},
	{"COMPRESS", IMAP_LATER},
	{"COPY", IMAP_LATER},
	{"CREATE", IMAP_LATER},
	{"DELETE", IMAP_LATER},
	{"ENABLE", IMAP_LATER},
	{"EXAMINE", IMAP_LATER},
	{"EXPUNGE", IMAP_LATER},
	{"FETCH", IMAP_LATER},
	{"GETQUOTAROOT", IMAP_LATER},
	{"IDLE", IMAP_LATER},
	{"LIST", IMAP_LATER},
	{"LSUB", IMAP_LATER},
	{"MOVE", IMAP_LATER},
	{"NAMESPACE", IMAP_LATER},
	{"RENAME", IMAP_LATER},
	{"SEARCH", IMAP_LATER},
	{"SELECT", IMAP_LATER},
	{"STATUS", IMAP_LATER},
	{"STORE", IMAP_LATER},
	{"SUBSCRIBE", IMAP_LATER},
	{"UID", IMAP_LATER},
	{"UNSELECT", IMAP_LATER},
	{"UNSUBSCRIBE", IMAP_LATER},
};

static const char *const http_methods[] = {
	"GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"};

/* ---- characters and strings ------------------------------------------------------------------ */

/* ATOM-CHAR = <any CHAR except atom-specials>; with "]" an ASTRING-CHAR    RFC 9051 §9 */
static bool is_astring_char(char c)
{
	return c > ' ' && c < 127 && !strchr("(){%*\"\\", c);
}

static bool is_tag_char(char c)
{
	return is_astring_char(c) && c != '+';
}

/* What people have in passwords, and servers take. */
static bool is_login_atom_char(char c)
{
	return is_astring_char(c) || c == '%' || c == '*' || c == '\\';
}

static size_t count_chars(const struct cursor *cursor, bool (*is_one)(char c))
{
	size_t n = 0;

	while (cursor->at + n < cursor->end && is_one(cursor->text[cursor->at + n]))
		n++;
	return n;
}

static bool skip_spaces(struct cursor *cursor)
{
	const size_t from = cursor->at;

	while (cursor->at < cursor->end && cursor->text[cursor->at] == ' ')
		cursor->at++;
	return cursor->at > from;
}

/* Nothing but spaces is left. They are not cut off before: a literal may end with one. */
static bool is_at_end(struct cursor *cursor)
{
	(void)skip_spaces(cursor);
	return cursor->at == cursor->end;
}

static bool is_next(const struct cursor *cursor, char c)
{
	return cursor->at < cursor->end && cursor->text[cursor->at] == c;
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE    RFC 9051 §9 */
static int read_quoted(struct cursor *cursor, struct imap_string *out_string)
{
	struct imap_string string = {.kind = IMAP_STRING_QUOTED};
	size_t at = cursor->at + 1;

	string.span.at = (uint32_t)at;
	for (; at < cursor->end && cursor->text[at] != '"'; at++) {
		char c = cursor->text[at];

		if (c == '\\') {
			if (++at == cursor->end ||
			    (cursor->text[at] != '"' && cursor->text[at] != '\\'))
				return -EBADMSG;
			string.has_escapes = true;
		} else if (c == '\0' || c == '\r' || c == '\n') {
			return -EBADMSG;
		}
	}
	if (at == cursor->end)
		return -EBADMSG;
	string.span.len = (uint32_t)at - string.span.at;
	cursor->at = at + 1;
	*out_string = string;
	return 0;
}

/* literal = "{" number ["+" / "-"] "}" CRLF *OCTET; wire/imap_read has seen that it is whole */
static int read_literal(struct cursor *cursor, struct imap_string *out_string)
{
	struct imap_string string = {.kind = IMAP_STRING_LITERAL};
	size_t len = 0;
	size_t at = cursor->at + 1;

	for (; at < cursor->end && chars_is(cursor->text[at], CHARS_DIGIT); at++) {
		len = len * 10 + (size_t)(cursor->text[at] - '0');
		if (len > cursor->end)
			return -EBADMSG;
	}
	if (at == cursor->at + 1)
		return -EBADMSG;
	if (at < cursor->end && (cursor->text[at] == '+' || cursor->text[at] == '-'))
		at++;
	if (at == cursor->end || cursor->text[at++] != '}')
		return -EBADMSG;
	if (at < cursor->end && cursor->text[at] == '\r')
		at++;
	if (at == cursor->end || cursor->text[at++] != '\n' || cursor->end - at < len ||
	    memchr(cursor->text + at, '\0', len))
		return -EBADMSG;
	string.span = (struct span){.at = (uint32_t)at, .len = (uint32_t)len};
	cursor->at = at + len;
	*out_string = string;
	return 0;
}

/* string = quoted / literal */
static int read_string(struct cursor *cursor, struct imap_string *out_string)
{
	if (is_next(cursor, '"'))
		return read_quoted(cursor, out_string);
	if (is_next(cursor, '{'))
		return read_literal(cursor, out_string);
	return -EBADMSG;
}

/* astring = 1*ASTRING-CHAR / string */
static int read_astring(struct cursor *cursor, struct imap_string *out_string)
{
	const size_t len = count_chars(cursor, is_login_atom_char);

	if (len == 0)
		return read_string(cursor, out_string);
	*out_string = (struct imap_string){
		.kind = IMAP_STRING_ATOM,
		.span = {.at = (uint32_t)cursor->at, .len = (uint32_t)len},
	};
	cursor->at += len;
	return 0;
}

/* nstring = string / nil */
static int read_nstring(struct cursor *cursor, struct imap_string *out_string)
{
	if (cursor->end - cursor->at < 3 ||
	    strncasecmp(cursor->text + cursor->at, "NIL", 3) != 0)
		return read_string(cursor, out_string);
	*out_string = (struct imap_string){.kind = IMAP_STRING_NIL};
	cursor->at += 3;
	return 0;
}

void imap_string_copy(const char *text, const struct imap_string *string, struct buf *out)
{
	const char *from = text + string->span.at;

	if (!string->has_escapes) {
		buf_add(out, from, string->span.len);
		return;
	}
	for (size_t i = 0; i < string->span.len; i++) {
		if (from[i] == '\\')
			i++; /* another one is there: read_quoted() has seen it */
		buf_add(out, from + i, 1);
	}
}

/* ---- commands -------------------------------------------------------------------------------- */

static enum imap_verb verb_find(const char *text, struct span word)
{
	for (size_t i = 0; i < sizeof(verb_rows) / sizeof(verb_rows[0]); i++) {
		if (span_is(text, word, verb_rows[i].word))
			return verb_rows[i].verb;
	}
	return IMAP_UNKNOWN;
}

/* "GET / HTTP/1.1": the method stands where a tag should. */
static bool is_http(const char *text, size_t len, struct span tag)
{
	static const char version[] = " HTTP/";

	for (size_t i = 0; i < sizeof(http_methods) / sizeof(http_methods[0]); i++) {
		if (span_is(text, tag, http_methods[i]))
			return memmem(text, len, version, sizeof(version) - 1) != NULL;
	}
	return false;
}

int imap_parse_command(const char *text, size_t len, struct imap_command *out_command)
{
	struct cursor cursor = {.text = text, .end = len};
	struct imap_command command = {.verb = IMAP_UNKNOWN};

	*out_command = command;
	command.tag.len = (uint32_t)count_chars(&cursor, is_tag_char);
	cursor.at = command.tag.len;
	if (command.tag.len == 0 || command.tag.len > IMAP_TAG_MAX_BYTES ||
	    !skip_spaces(&cursor))
		return -EBADMSG;
	out_command->tag = command.tag;
	if (is_http(text, len, command.tag)) {
		out_command->verb = IMAP_HTTP;
		return 0;
	}

	command.word = (struct span){.at = (uint32_t)cursor.at,
				     .len = (uint32_t)count_chars(&cursor, is_tag_char)};
	cursor.at += command.word.len;
	if (command.word.len == 0 || (!skip_spaces(&cursor) && cursor.at < len))
		return -EBADMSG;
	command.args = (struct span){.at = (uint32_t)cursor.at,
				     .len = (uint32_t)(len - cursor.at)};
	command.verb = verb_find(text, command.word);
	*out_command = command;
	return 0;
}

static struct cursor cursor_over(const char *text, struct span args)
{
	return (struct cursor){
		.text = text, .at = args.at, .end = (size_t)args.at + args.len};
}

int imap_parse_login(const char *text, struct span args, struct imap_login *out_login)
{
	struct cursor cursor = cursor_over(text, args);
	struct imap_login login;

	if (read_astring(&cursor, &login.user) || !skip_spaces(&cursor) ||
	    read_astring(&cursor, &login.secret) || !is_at_end(&cursor))
		return -EBADMSG;
	if (login.user.span.len > IMAP_LOGIN_MAX_BYTES ||
	    login.secret.span.len > IMAP_LOGIN_MAX_BYTES)
		return -EMSGSIZE;
	*out_login = login;
	return 0;
}

void imap_login_dialogue(const char *text, const struct imap_login *login,
			 struct sasl_dialogue *dialogue, struct sasl_scratch *scratch)
{
	struct buf bytes;

	static_assert(sizeof(scratch->bytes) > IMAP_LOGIN_MAX_BYTES, "holds either");
	buf_init(&bytes, scratch->bytes, sizeof(scratch->bytes));
	imap_string_copy(text, &login->user, &bytes);
	sasl_password(dialogue, bytes.text, bytes.len);
	buf_init(&bytes, scratch->bytes, sizeof(scratch->bytes));
	imap_string_copy(text, &login->secret, &bytes);
	sasl_secret(dialogue, scratch, bytes.len);
}

static bool is_mechanism_char(char c)
{
	return chars_is(c, CHARS_LET_DIG) || c == '-' || c == '_';
}

static bool is_response_char(char c)
{
	return c > ' ' && c < 127;
}

int imap_parse_authenticate(const char *text, struct span args,
			    struct imap_authenticate *out_authenticate)
{
	struct cursor cursor = cursor_over(text, args);
	struct imap_authenticate found = {0};

	found.mechanism =
		(struct span){.at = (uint32_t)cursor.at,
			      .len = (uint32_t)count_chars(&cursor, is_mechanism_char)};
	if (found.mechanism.len == 0 || found.mechanism.len > IMAP_MECHANISM_MAX_BYTES)
		return -EBADMSG;
	cursor.at += found.mechanism.len;
	if (skip_spaces(&cursor)) {
		found.initial = (struct span){
			.at = (uint32_t)cursor.at,
			.len = (uint32_t)count_chars(&cursor, is_response_char)};
		cursor.at += found.initial.len;
		found.has_initial = found.initial.len > 0;
	}
	if (!is_at_end(&cursor))
		return -EBADMSG;
	*out_authenticate = found;
	return 0;
}

/* ---- ID -------------------------------------------------------------------------------------- */

static int read_id_pair(struct cursor *cursor, struct imap_id_pair *out_pair)
{
	struct imap_id_pair pair;

	if (read_string(cursor, &pair.key) || !skip_spaces(cursor) ||
	    read_nstring(cursor, &pair.value))
		return -EBADMSG;
	if (pair.key.span.len > IMAP_ID_KEY_MAX_BYTES ||
	    pair.value.span.len > IMAP_ID_VALUE_MAX_BYTES)
		return -EMSGSIZE;
	*out_pair = pair;
	return 0;
}

int imap_parse_id(const char *text, struct span args, struct span *out_pairs)
{
	struct cursor cursor = cursor_over(text, args);
	struct imap_id_pair pair;
	unsigned int count = 0;
	size_t from, end;

	if (!is_next(&cursor, '(')) {
		if (read_nstring(&cursor, &pair.value) ||
		    pair.value.kind != IMAP_STRING_NIL || !is_at_end(&cursor))
			return -EBADMSG;
		*out_pairs = (struct span){.at = args.at};
		return 0;
	}
	cursor.at++;
	(void)skip_spaces(&cursor); /* none is as good */
	from = cursor.at;
	while (!is_next(&cursor, ')')) {
		int err = read_id_pair(&cursor, &pair);

		if (err)
			return err;
		if (++count > IMAP_ID_PAIRS_MAX)
			return -EMSGSIZE;
		if (!skip_spaces(&cursor) && !is_next(&cursor, ')'))
			return -EBADMSG;
	}
	end = cursor.at++;
	if (!is_at_end(&cursor))
		return -EBADMSG;
	*out_pairs = (struct span){.at = (uint32_t)from, .len = (uint32_t)(end - from)};
	return 0;
}

bool imap_next_id_pair(const char *text, struct span *pairs,
		       struct imap_id_pair *out_pair)
{
	struct cursor cursor = cursor_over(text, *pairs);

	(void)skip_spaces(&cursor); /* there are some between two pairs */
	if (cursor.at == cursor.end || read_id_pair(&cursor, out_pair))
		return false;
	*pairs = (struct span){.at = (uint32_t)cursor.at,
			       .len = (uint32_t)(cursor.end - cursor.at)};
	return true;
}
