/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/spf_record - see the header.
 */
#include "wire/spf_record.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "wire/chars.h"

#define CIDR_DIGITS_MAX 3u

static const char version[] = "v=spf1";
#define VERSION_LEN (sizeof(version) - 1)

/* What may stand behind the name of a mechanism. */
enum argument {
	ARGUMENT_NONE,
	ARGUMENT_OPTIONAL, /* [ ":" domain-spec ] */
	ARGUMENT_REQUIRED, /* ":" domain-spec */
	ARGUMENT_NETWORK,  /* ":" network [ "/" length ] */
};

static const struct {
	const char *name;
	enum argument argument;
	bool has_lengths; /* [ dual-cidr-length ] */
} mechanisms[] = {
	[SPF_TERM_ALL] = {"all", ARGUMENT_NONE, false},
	[SPF_TERM_INCLUDE] = {"include", ARGUMENT_REQUIRED, false},
	[SPF_TERM_A] = {"a", ARGUMENT_OPTIONAL, true},
	[SPF_TERM_MX] = {"mx", ARGUMENT_OPTIONAL, true},
	[SPF_TERM_PTR] = {"ptr", ARGUMENT_OPTIONAL, false},
	[SPF_TERM_IP4] = {"ip4", ARGUMENT_NETWORK, false},
	[SPF_TERM_IP6] = {"ip6", ARGUMENT_NETWORK, false},
	[SPF_TERM_EXISTS] = {"exists", ARGUMENT_REQUIRED, false},
};
#define MECHANISM_COUNT (sizeof(mechanisms) / sizeof(mechanisms[0]))

const char *spf_result_name(enum spf_result result)
{
	static const char *const names[SPF_RESULT_COUNT] = {
		[SPF_PASS] = "pass",	       [SPF_FAIL] = "fail",
		[SPF_SOFTFAIL] = "softfail",   [SPF_NEUTRAL] = "neutral",
		[SPF_NONE] = "none",	       [SPF_TEMPERROR] = "temperror",
		[SPF_PERMERROR] = "permerror",
	};

	assert((unsigned int)result < SPF_RESULT_COUNT);
	return names[result];
}

bool spf_is_record(const char *text, size_t len)
{
	return len >= VERSION_LEN && strncasecmp(text, version, VERSION_LEN) == 0 &&
	       (len == VERSION_LEN || text[VERSION_LEN] == ' ');
}

/* A term being read. */
struct reading {
	const char *record;
	const char *text; /* of the term */
	size_t len;
	struct spf_term term;
};

static struct span span_of(const struct reading *r, const char *from, size_t len)
{
	return (struct span){.at = (uint32_t)(from - r->record), .len = (uint32_t)len};
}

/* ---- mechanisms ------------------------------------------------------------------------------ */

/*
 * Takes "/" and a number off the end. Returns false if there is none; a number that is no length of this
 * family (leading zeros, too large) stays, and is then found where it may not stand.
 *
 * ip4-cidr-length = "/" ("0" / %x31-39 0*1DIGIT);  ip6-cidr-length = "/" ("0" / %x31-39 0*2DIGIT)
 */
static bool take_length(const char *text, size_t *len, unsigned int max,
			uint8_t *out_length)
{
	unsigned int number = 0;
	size_t at = *len;

	while (at > 0 && chars_is(text[at - 1], CHARS_DIGIT))
		at--;
	if (at == 0 || text[at - 1] != '/' || at == *len || *len - at > CIDR_DIGITS_MAX ||
	    (text[at] == '0' && *len - at > 1))
		return false;
	for (size_t i = at; i < *len; i++)
		number = number * 10 + (unsigned int)(text[i] - '0');
	if (number > max)
		return false;
	*len = at - 1;
	*out_length = (uint8_t)number;
	return true;
}

/* dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ] */
static void take_lengths(const char *text, size_t *len, struct spf_term *term)
{
	size_t before = *len;
	uint8_t length = 0;

	if (take_length(text, len, 128, &length)) {
		if (*len > 0 && text[*len - 1] == '/') {
			term->len6 = length;
			--*len;
		} else {
			*len = before; /* one slash: the length of IPv4 */
		}
	}
	(void)take_length(text, len, 32, &term->len4);
}

/* ip4-network and ip6-network; RFC 4291 section 2.2 for the latter, which stays IPv6 even if it is a mapped one. */
static bool read_network(struct reading *r, const char *text, size_t len)
{
	const bool is_v4 = r->term.kind == SPF_TERM_IP4;
	struct addr addr = {.family = is_v4 ? ADDR_V4 : ADDR_V6};
	uint8_t length = is_v4 ? 32 : 128;
	char address[ADDR_TEXT_MAX];

	(void)take_length(text, &len, length, &length);
	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(is_v4 ? AF_INET : AF_INET6, address, addr.bytes) != 1)
		return false;
	r->term.network = prefix_make(&addr, length);
	return true;
}

static bool read_argument(struct reading *r, enum argument rule, const char *text,
			  size_t len)
{
	const bool has_argument = len > 0 && text[0] == ':';

	if (len == 0)
		return rule == ARGUMENT_NONE || rule == ARGUMENT_OPTIONAL;
	if (!has_argument || rule == ARGUMENT_NONE)
		return false;
	if (rule == ARGUMENT_NETWORK)
		return read_network(r, text + 1, len - 1);
	r->term.domain_spec = span_of(r, text + 1, len - 1);
	return spf_text_is_valid(SPF_TEXT_DOMAIN_SPEC, text + 1, len - 1);
}

/* directive = [ "+" / "-" / "?" / "~" ] mechanism */
static bool read_directive(struct reading *r)
{
	static const char qualifiers[] = "+-~?"; /* from SPF_PASS on */
	const char *name = r->text, *qualifier = strchr(qualifiers, name[0]);
	size_t len = r->len, name_len;

	if (qualifier) {
		r->term.qualifier = (uint8_t)(SPF_PASS + (qualifier - qualifiers));
		name++;
		len--;
	}
	name_len = chars_count(name, len, CHARS_LET_DIG);
	for (size_t i = 0; i < MECHANISM_COUNT; i++) {
		size_t rest_len = len - name_len;

		if (strlen(mechanisms[i].name) != name_len ||
		    strncasecmp(mechanisms[i].name, name, name_len) != 0)
			continue;
		r->term.kind = (uint8_t)i;
		if (mechanisms[i].has_lengths)
			take_lengths(name + name_len, &rest_len, &r->term);
		return read_argument(r, mechanisms[i].argument, name + name_len,
				     rest_len);
	}
	return false;
}

/* ---- modifiers ------------------------------------------------------------------------------- */

/* name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ); 0: no modifier begins here */
static size_t modifier_name(const char *text, size_t len)
{
	size_t at = 0;

	if (len == 0 || !chars_is(text[0], CHARS_ALPHA))
		return 0;
	while (at < len && (chars_is(text[at], CHARS_LET_DIG) || strchr("-_.", text[at])))
		at++;
	return at < len && text[at] == '=' ? at : 0;
}

/* redirect and exp with a value of another kind are errors, not modifiers that nobody knows. */
static bool read_modifier(struct reading *r, size_t name_len)
{
	const char *value = r->text + name_len + 1;
	const size_t len = r->len - name_len - 1;
	const struct span name = {.at = 0, .len = (uint32_t)name_len};

	r->term.kind = SPF_TERM_OTHER;
	if (span_is(r->text, name, "redirect"))
		r->term.kind = SPF_TERM_REDIRECT;
	else if (span_is(r->text, name, "exp"))
		r->term.kind = SPF_TERM_EXP;
	r->term.domain_spec = span_of(r, value, len);
	return spf_text_is_valid(r->term.kind == SPF_TERM_OTHER ? SPF_TEXT_MODIFIER
								: SPF_TEXT_DOMAIN_SPEC,
				 value, len);
}

/* ---- records --------------------------------------------------------------------------------- */

static bool term_is_visible(const struct reading *r)
{
	for (size_t i = 0; i < r->len; i++)
		if (r->text[i] < '!' || r->text[i] > '~')
			return false;
	return true;
}

/* Reads the term that begins at @at, if there is one; it ends at the next space. Returns false at the end. */
static bool read_term(struct reading *r, size_t record_len, size_t *at, bool *out_is_good)
{
	const char *end;
	size_t name_len;

	while (*at < record_len && r->record[*at] == ' ')
		++*at;
	if (*at >= record_len)
		return false;
	r->text = r->record + *at;
	end = memchr(r->text, ' ', record_len - *at);
	r->len = end ? (size_t)(end - r->text) : record_len - *at;
	*at += r->len;

	r->term = (struct spf_term){.qualifier = SPF_PASS, .len4 = 32, .len6 = 128};
	r->term.text = span_of(r, r->text, r->len);
	name_len = modifier_name(r->text, r->len);
	*out_is_good = term_is_visible(r) &&
		       (name_len > 0 ? read_modifier(r, name_len) : read_directive(r));
	return true;
}

int spf_read_record(const char *text, size_t len, struct spf_record *out_record,
		    struct span *out_wrong)
{
	struct reading r = {.record = text};
	struct spf_record record = {0};
	size_t at = VERSION_LEN;
	bool is_good;

	if (len > SPF_RECORD_MAX) {
		*out_wrong = (struct span){0};
		return -EMSGSIZE;
	}
	while (read_term(&r, len, &at, &is_good)) {
		struct span *once = NULL;

		if (r.term.kind == SPF_TERM_REDIRECT)
			once = &record.redirect;
		else if (r.term.kind == SPF_TERM_EXP)
			once = &record.exp;
		if (!is_good || (once && once->len > 0)) {
			*out_wrong = r.term.text;
			return is_good ? -EEXIST : -EBADMSG;
		}
		if (once)
			*once = r.term.domain_spec;
	}
	*out_record = record;
	return 0;
}

bool spf_next_term(const char *text, size_t len, size_t *at, struct spf_term *out_term)
{
	struct reading r = {.record = text};
	bool is_good;

	if (*at < VERSION_LEN)
		*at = VERSION_LEN;
	if (!read_term(&r, len, at, &is_good))
		return false;
	assert(is_good);
	*out_term = r.term;
	return true;
}
