/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/smtp_path - the paths and parameters of MAIL and RCPT (wire/smtp.h).
 *
 *     Path       = "<" [ A-d-l ":" ] Mailbox ">"
 *     A-d-l      = At-domain *( "," At-domain );  At-domain = "@" Domain
 *     Mailbox    = Local-part "@" ( Domain / address-literal )
 *     Local-part = Dot-string / Quoted-string
 *     Parameters = esmtp-param *( SP esmtp-param )          RFC 5321 §4.1.2
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "wire/chars.h"
#include "wire/smtp.h"
#include "wire/smtp_domain.h"

/* A place in the text. Each step moves it, or sets err once and for all. */
struct path_cursor {
	const char *text;
	size_t len;
	size_t at;
	unsigned int allow;
	int err;
};

static size_t path_left(const struct path_cursor *c)
{
	return c->len - c->at;
}

static bool path_sees(const struct path_cursor *c, char wanted)
{
	return c->at < c->len && c->text[c->at] == wanted;
}

static void path_fail(struct path_cursor *c, int err)
{
	if (c->err == 0)
		c->err = err;
}

/* Syntax error here; but where a byte above 127 stands, that is the better reason. */
static void path_fail_here(struct path_cursor *c)
{
	bool is_8bit = c->at < c->len && (unsigned char)c->text[c->at] > 127;

	path_fail(c, is_8bit ? -EILSEQ : -EBADMSG);
}

static void path_expect(struct path_cursor *c, char wanted)
{
	if (path_sees(c, wanted))
		c->at++;
	else
		path_fail_here(c);
}

static struct span path_span(const struct path_cursor *c, size_t from)
{
	return (struct span){.at = (uint32_t)from, .len = (uint32_t)(c->at - from)};
}

/* One non-ASCII character, if such are allowed. */
static size_t path_utf8(const struct path_cursor *c)
{
	return c->allow & SMTP_ALLOW_UTF8 ? chars_utf8(c->text + c->at, path_left(c)) : 0;
}

/* Atom = 1*( atext / UTF8-non-ascii ); returns its bytes */
static size_t path_atom(struct path_cursor *c)
{
	size_t from = c->at;
	size_t n;

	do {
		n = chars_count(c->text + c->at, path_left(c), CHARS_ATOM);
		n += n == 0 ? path_utf8(c) : 0;
		c->at += n;
	} while (n > 0);
	return c->at - from;
}

/* Dot-string = Atom *( "." Atom ) */
static void path_dot_string(struct path_cursor *c)
{
	bool any_dots = c->allow & SMTP_ALLOW_DOTS;
	size_t from = c->at;
	size_t atom;

	do {
		if (c->at > from || (any_dots && path_sees(c, '.')))
			c->at += path_sees(c, '.');
		atom = path_atom(c);
		if (atom == 0 && !any_dots)
			path_fail_here(c);
	} while (c->err == 0 && path_sees(c, '.'));
	if (c->at == from)
		path_fail_here(c);
}

/* Quoted-string = DQUOTE *( qtextSMTP / "\" %d32-126 / UTF8-non-ascii ) DQUOTE */
static void path_quoted_string(struct path_cursor *c)
{
	size_t n;

	path_expect(c, '"');
	do {
		n = chars_count(c->text + c->at, path_left(c), CHARS_QTEXT);
		if (n == 0 && path_left(c) >= 2 && c->text[c->at] == '\\' &&
		    chars_is(c->text[c->at + 1], CHARS_PRINT))
			n = 2;
		n += n == 0 ? path_utf8(c) : 0;
		c->at += n;
	} while (n > 0);
	path_expect(c, '"');
}

static void path_local(struct path_cursor *c, struct smtp_path *path)
{
	unsigned int max = c->allow & SMTP_ALLOW_LONG_LOCAL ? SMTP_PATH_MAX_BYTES
							    : SMTP_LOCAL_MAX_BYTES;
	size_t from = c->at;

	path->is_quoted = path_sees(c, '"');
	if (path->is_quoted)
		path_quoted_string(c);
	else
		path_dot_string(c);
	path->local = path_span(c, from);
	if (path->local.len > max)
		path_fail(c, -EMSGSIZE);
}

static void path_domain(struct path_cursor *c, struct smtp_domain *out_domain)
{
	size_t used;

	used = smtp_scan_domain(c->text + c->at, path_left(c), c->allow, out_domain);
	if (used == 0)
		path_fail_here(c);
	if (used > SMTP_DOMAIN_MAX_BYTES)
		path_fail(c, -EMSGSIZE);
	out_domain->text.at = (uint32_t)c->at;
	c->at += used;
}

static void path_route(struct path_cursor *c, struct smtp_path *path)
{
	struct smtp_domain ignored;
	size_t from = c->at;

	for (;;) {
		path_expect(c, '@');
		path_domain(c, &ignored);
		if (c->err || !path_sees(c, ','))
			break;
		c->at++;
	}
	path->route = path_span(c, from);
	path_expect(c, ':');
}

static void path_mailbox(struct path_cursor *c, struct smtp_path *path)
{
	size_t from = c->at;

	path_local(c, path);
	if (c->err == 0 && path_sees(c, '@')) {
		c->at++;
		path_domain(c, &path->domain);
	}
	path->mailbox = path_span(c, from);
	for (size_t i = 0; i < path->mailbox.len; i++)
		path->has_8bit |= (unsigned char)c->text[from + i] > 127;
}

/* Path, or <>; and without brackets if allowed */
static void path_path(struct path_cursor *c, struct smtp_path *path)
{
	size_t from = c->at;

	if (!path_sees(c, '<') && c->allow & SMTP_ALLOW_NO_BRACKETS) {
		path_mailbox(c, path);
	} else {
		path_expect(c, '<');
		path->is_null = path_sees(c, '>');
		if (path_sees(c, '@'))
			path_route(c, path);
		if (c->err == 0 && !path->is_null)
			path_mailbox(c, path);
		if (c->err == 0)
			path_expect(c, '>');
	}
	if (c->at - from > SMTP_PATH_MAX_BYTES)
		path_fail(c, -EMSGSIZE);
}

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-"); returns its bytes */
static size_t param_keyword(const char *text, size_t len)
{
	size_t n = chars_count(text, len, CHARS_LET_DIG);

	while (n > 0 && n < len && (text[n] == '-' || chars_is(text[n], CHARS_LET_DIG)))
		n++;
	return n;
}

/* esmtp-value = 1*(%d33-60 / %d62-126 / UTF8-non-ascii) */
static void path_value(struct path_cursor *c)
{
	size_t from = c->at;
	size_t n;

	do {
		n = chars_count(c->text + c->at, path_left(c), CHARS_VALUE);
		n += n == 0 ? path_utf8(c) : 0;
		c->at += n;
	} while (n > 0);
	if (c->at == from)
		path_fail_here(c);
}

static void path_skip_spaces(struct path_cursor *c)
{
	while (path_sees(c, ' '))
		c->at++;
}

static void path_params(struct path_cursor *c, struct smtp_path *path)
{
	unsigned int count = 0;
	size_t from;
	size_t end;

	if (c->at < c->len)
		path_expect(c, ' ');
	path_skip_spaces(c);
	from = end = c->at;
	while (c->err == 0 && c->at < c->len) {
		size_t keyword = param_keyword(c->text + c->at, path_left(c));

		c->at += keyword;
		if (keyword == 0)
			path_fail_here(c);
		if (++count > SMTP_PARAMS_MAX)
			path_fail(c, -EMSGSIZE);
		if (path_sees(c, '=')) {
			c->at++;
			path_value(c);
		}
		end = c->at;
		if (c->at < c->len)
			path_expect(c, ' ');
		path_skip_spaces(c);
	}
	path->params = (struct span){.at = (uint32_t)from, .len = (uint32_t)(end - from)};
}

static int path_parse(struct path_cursor *c, const char *keyword, struct smtp_path *path)
{
	size_t keyword_len = strlen(keyword);

	if (c->len < keyword_len || strncasecmp(c->text, keyword, keyword_len) != 0)
		return -EBADMSG;
	c->at = keyword_len;
	if (c->allow & SMTP_ALLOW_SPACE)
		path_skip_spaces(c);
	path_path(c, path);
	if (c->err == 0)
		path_params(c, path);
	return c->err;
}

int smtp_parse_mail(const char *arg, size_t len, unsigned int allow,
		    struct smtp_path *out_path)
{
	struct path_cursor c = {.text = arg, .len = len, .allow = allow};
	struct smtp_path path = {0};
	int err;

	err = path_parse(&c, "FROM:", &path);
	if (err)
		return err;
	if (!path.is_null && path.domain.text.len == 0)
		return -EBADMSG;
	*out_path = path;
	return 0;
}

int smtp_parse_rcpt(const char *arg, size_t len, unsigned int allow,
		    struct smtp_path *out_path)
{
	struct path_cursor c = {.text = arg, .len = len, .allow = allow};
	struct smtp_path path = {0};
	int err;

	err = path_parse(&c, "TO:", &path);
	if (err)
		return err;
	if (path.is_null)
		return -EBADMSG;
	if (path.domain.text.len == 0 && !span_is(arg, path.local, "postmaster"))
		return -EBADMSG;
	*out_path = path;
	return 0;
}

bool smtp_next_param(const char *arg, struct span *params, struct smtp_param *out_param)
{
	struct smtp_param param = {0};
	size_t at = params->at;
	size_t end = at + params->len;

	while (at < end && arg[at] == ' ')
		at++;
	if (at == end)
		return false;
	param.keyword.at = (uint32_t)at;
	while (at < end && arg[at] != '=' && arg[at] != ' ')
		at++;
	param.keyword.len = (uint32_t)at - param.keyword.at;
	if (at < end && arg[at] == '=') {
		param.has_value = true;
		param.value.at = (uint32_t)++at;
		while (at < end && arg[at] != ' ')
			at++;
		param.value.len = (uint32_t)at - param.value.at;
	}
	*params = (struct span){.at = (uint32_t)at, .len = (uint32_t)(end - at)};
	*out_param = param;
	return true;
}

void smtp_write_path(struct buf *out, enum smtp_verb verb, const char *arg,
		     const struct smtp_path *path)
{
	struct span params = path->params;
	struct smtp_param param;

	buf_puts(out, verb == SMTP_RCPT ? "RCPT TO:<" : "MAIL FROM:<");
	buf_add(out, arg + path->mailbox.at, path->mailbox.len);
	buf_puts(out, ">");
	while (smtp_next_param(arg, &params, &param)) {
		buf_puts(out, " ");
		buf_add(out, arg + param.keyword.at, param.keyword.len);
		if (param.has_value) {
			buf_puts(out, "=");
			buf_add(out, arg + param.value.at, param.value.len);
		}
	}
}
