/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/sasl.h"

#include <string.h>
#include <strings.h>

#include "wire/base64.h"

/* A decoded line, and where it lies. */
struct sasl_text {
	struct sasl_scratch *scratch;
	size_t len;
};

typedef void (*sasl_read_fn)(struct sasl_dialogue *dialogue,
			     const struct sasl_text *text);

static void sasl_set_user(struct sasl_dialogue *dialogue, const char *user, size_t len)
{
	dialogue->user_is_cut = len > SASL_USER_MAX;
	dialogue->user_len = (uint8_t)(len > SASL_USER_MAX ? SASL_USER_MAX : len);
	memcpy(dialogue->user, user, dialogue->user_len);
}

static void sasl_set_secret(struct sasl_dialogue *dialogue, const struct sasl_text *text,
			    size_t at)
{
	text->scratch->secret_at = (uint16_t)at;
	text->scratch->secret_len = (uint16_t)(text->len - at);
	dialogue->is_presented = true;
	dialogue->is_repeatable = true;
}

/* Where a word stands in the text, from a place on; text->len if nowhere. */
static size_t sasl_find(const struct sasl_text *text, size_t from, const char *word)
{
	const char *found = NULL;

	if (from <= text->len)
		found = memmem(text->scratch->bytes + from, text->len - from, word,
			       strlen(word));
	return found ? (size_t)(found - text->scratch->bytes) : text->len;
}

/* The value behind a key, up to any byte of ends; false if there is no such key. */
static bool sasl_value(const struct sasl_text *text, const char *key, const char *ends,
		       struct span *out_value)
{
	size_t at = sasl_find(text, 0, key);
	size_t end;

	if (at == text->len)
		return false;
	at += strlen(key);
	end = at;
	while (end < text->len && !strchr(ends, text->scratch->bytes[end]))
		end++;
	*out_value = (struct span){.at = (uint32_t)at, .len = (uint32_t)(end - at)};
	return true;
}

/* message = [authzid] NUL authcid NUL passwd    RFC 4616 §2 */
static void sasl_read_plain(struct sasl_dialogue *dialogue, const struct sasl_text *text)
{
	const char *bytes = text->scratch->bytes;
	const char *user = memchr(bytes, '\0', text->len);
	const char *password = NULL;
	size_t user_len;

	if (user) {
		user++;
		password = memchr(user, '\0', text->len - (size_t)(user - bytes));
	}
	if (!password) {
		dialogue->is_broken = true;
		return;
	}
	user_len = (size_t)(password - user);
	password++;
	sasl_set_user(dialogue, user, user_len);
	/* RFC 4616 wants no NUL in a password, but servers that stop there exist. */
	if (user_len > 0 && (size_t)(password - bytes) < text->len)
		sasl_set_secret(dialogue, text, (size_t)(password - bytes));
}

/* User name, then password, each a line. */
static void sasl_read_login(struct sasl_dialogue *dialogue, const struct sasl_text *text)
{
	if (dialogue->lines == 1)
		sasl_set_user(dialogue, text->scratch->bytes, text->len);
	else if (dialogue->lines == 2 && text->len > 0 && dialogue->user_len > 0)
		sasl_set_secret(dialogue, text, 0);
}

/* response = user SP digest    RFC 2195 §2; the user may hold spaces */
static void sasl_read_cram(struct sasl_dialogue *dialogue, const struct sasl_text *text)
{
	const char *bytes = text->scratch->bytes;
	const char *space = memrchr(bytes, ' ', text->len);
	size_t user_len;

	if (!space) {
		dialogue->is_broken = text->len > 0;
		return;
	}
	user_len = (size_t)(space - bytes);
	sasl_set_user(dialogue, bytes, user_len);
	dialogue->is_presented = user_len > 0 && user_len + 1 < text->len;
}

/* Keys may be in any case, with white space around them: make them alike. */
static void sasl_flatten(const struct sasl_text *text)
{
	char *bytes = text->scratch->bytes;
	size_t end = 0;

	for (size_t i = 0; i < text->len; i++) {
		char c = bytes[i];

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		bytes[end++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	memset(bytes + end, 0, text->len - end);
}

/* digest-response = 1#( username | response | ... )    RFC 2831 §2.1.2 */
static void sasl_read_digest(struct sasl_dialogue *dialogue, const struct sasl_text *text)
{
	struct span value;

	if (dialogue->is_presented)
		return;
	if (sasl_value(text, "username=\"", "\"", &value))
		sasl_set_user(dialogue, text->scratch->bytes + value.at, value.len);
	sasl_flatten(text);
	dialogue->is_presented =
		sasl_value(text, "response=", ",", &value) && value.len > 0;
}

/* first = gs2-header "n=" user ",r=" ...; final = ... ",p=" proof    RFC 5802 §7 */
static void sasl_read_scram(struct sasl_dialogue *dialogue, const struct sasl_text *text)
{
	struct span value;

	if (dialogue->lines == 1) {
		if (sasl_value(text, ",n=", ",", &value))
			sasl_set_user(dialogue, text->scratch->bytes + value.at,
				      value.len);
		else
			dialogue->is_broken = text->len > 0;
	} else if (sasl_value(text, ",p=", ",", &value) && value.len > 0) {
		dialogue->is_presented = true;
	}
}

/*
 * XOAUTH2: "user=" user %x01 "auth=" type SP token %x01 %x01
 * OAUTHBEARER: gs2-header kvsep *( key "=" value kvsep ) kvsep    RFC 7628 §3.1
 */
static void sasl_read_oauth(struct sasl_dialogue *dialogue, const struct sasl_text *text)
{
	bool is_bearer = dialogue->mechanism == SASL_OAUTHBEARER;
	struct span value;

	if (sasl_value(text, is_bearer ? ",a=" : "user=", is_bearer ? ",\x01" : "\x01",
		       &value))
		sasl_set_user(dialogue, text->scratch->bytes + value.at, value.len);
	/* Some servers take the fields in any order, so this may be the first. */
	if (!sasl_value(text, "auth=", "\x01", &value)) {
		dialogue->is_broken = text->len > 0;
		return;
	}
	if (value.len > 0)
		sasl_set_secret(dialogue, text, value.at);
}

/* The third message alone holds a response to a challenge. */
static void sasl_read_ntlm(struct sasl_dialogue *dialogue, const struct sasl_text *text)
{
	static const char third[] = "NTLMSSP\0\3";

	if (text->len >= sizeof(third) &&
	    memcmp(text->scratch->bytes, third, sizeof(third) - 1) == 0)
		dialogue->is_presented = true;
}

static void sasl_read_other(struct sasl_dialogue *dialogue, const struct sasl_text *text)
{
	if (text->len > 0)
		dialogue->is_presented = true;
}

/* Nothing to guess: a certificate said it all, or nobody is meant. */
static void sasl_read_nothing(struct sasl_dialogue *dialogue,
			      const struct sasl_text *text)
{
	if (dialogue->mechanism == SASL_EXTERNAL)
		sasl_set_user(dialogue, text->scratch->bytes, text->len);
}

/* Rows of a name with "*" match what begins so. */
static const struct {
	const char *name;
	enum sasl_mechanism mechanism;
	sasl_read_fn read;
} sasl_rows[] = {
	{"PLAIN", SASL_PLAIN, sasl_read_plain},
	{"LOGIN", SASL_LOGIN, sasl_read_login},
	{"CRAM-*", SASL_CRAM_MD5, sasl_read_cram},
	{"DIGEST-MD5", SASL_DIGEST_MD5, sasl_read_digest},
	{"SCRAM-*", SASL_SCRAM, sasl_read_scram},
	{"XOAUTH2", SASL_XOAUTH2, sasl_read_oauth},
	{"OAUTHBEARER", SASL_OAUTHBEARER, sasl_read_oauth},
	{"NTLM", SASL_NTLM, sasl_read_ntlm},
	{"EXTERNAL", SASL_EXTERNAL, sasl_read_nothing},
	{"ANONYMOUS", SASL_ANONYMOUS, sasl_read_nothing},
	{"*", SASL_OTHER, sasl_read_other},
};

static bool sasl_name_matches(const char *pattern, const char *name, size_t len)
{
	size_t pattern_len = strlen(pattern);

	if (pattern[pattern_len - 1] == '*')
		return len >= pattern_len - 1 &&
		       strncasecmp(pattern, name, pattern_len - 1) == 0;
	return len == pattern_len && strncasecmp(pattern, name, len) == 0;
}

void sasl_begin(struct sasl_dialogue *dialogue, const char *mechanism, size_t len,
		bool is_offered)
{
	size_t i = 0;

	while (!sasl_name_matches(sasl_rows[i].name, mechanism, len))
		i++; /* the last row matches */
	*dialogue = (struct sasl_dialogue){.mechanism = sasl_rows[i].mechanism,
					   .is_offered = is_offered};
}

static sasl_read_fn sasl_reader(enum sasl_mechanism mechanism)
{
	size_t i = 0;

	while (sasl_rows[i].mechanism != mechanism)
		i++; /* each mechanism has a row */
	return sasl_rows[i].read;
}

void sasl_client_line(struct sasl_dialogue *dialogue, const char *line, size_t len,
		      struct sasl_scratch *scratch)
{
	bool is_oauth = dialogue->mechanism == SASL_XOAUTH2 ||
			dialogue->mechanism == SASL_OAUTHBEARER;
	struct sasl_text text = {.scratch = scratch};

	scratch->secret_at = 0;
	scratch->secret_len = 0;
	/* A server that ignores or asks again after a first response gets a good one later. */
	dialogue->is_broken = false;
	if (dialogue->mechanism == SASL_LOGIN && dialogue->lines == 0 && len == 1 &&
	    line[0] == '=')
		return;
	if (dialogue->lines < UINT8_MAX)
		dialogue->lines++;
	if (is_oauth && dialogue->is_presented) {
		/* The server answers a bad token with a challenge, RFC 7628 §3.2.2. */
		dialogue->is_challenged = true;
		return;
	}
	if (len == 1 && line[0] == '*') {
		dialogue->is_cancelled = true;
		return;
	}
	/* Lenient: what a server may accept must count, or spaces would hide a guess. */
	if (base64_decode_lenient(line, len, scratch->bytes, sizeof(scratch->bytes),
				  &text.len) != 0) {
		dialogue->is_broken = true;
		return;
	}
	sasl_reader(dialogue->mechanism)(dialogue, &text);
}

void sasl_password(struct sasl_dialogue *dialogue, const char *user, size_t user_len)
{
	*dialogue = (struct sasl_dialogue){.mechanism = SASL_LOGIN, .is_offered = true};
	dialogue->lines = 1;
	sasl_set_user(dialogue, user, user_len);
}

void sasl_secret(struct sasl_dialogue *dialogue, struct sasl_scratch *scratch, size_t len)
{
	const struct sasl_text text = {.scratch = scratch, .len = len};

	scratch->secret_at = 0;
	scratch->secret_len = 0;
	dialogue->lines = 2;
	sasl_read_login(dialogue, &text);
}
