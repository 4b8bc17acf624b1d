/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/fuzz/fuzz_spf_record - any bytes as an SPF record, as a domain-spec, and as an explanation.
 *
 * A record that is good consists of its terms: put together again with single spaces they are the same record.
 * What macros make of bytes is a name that the DNS can be asked for, or printable.
 *
 * link: target.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"
#include "wire/spf_macro.h"
#include "wire/spf_record.h"

static bool spans_equal(const char *a, struct span x, const char *b, struct span y)
{
	return x.len == y.len && memcmp(a + x.at, b + y.at, x.len) == 0;
}

static bool terms_equal(const char *a, const struct spf_term *x, const char *b,
			const struct spf_term *y)
{
	return x->kind == y->kind && x->qualifier == y->qualifier && x->len4 == y->len4 &&
	       x->len6 == y->len6 && prefix_equal(&x->network, &y->network) &&
	       spans_equal(a, x->domain_spec, b, y->domain_spec);
}

static void check_record(const char *text, size_t len)
{
	static char again[SPF_RECORD_MAX + 1];
	struct spf_record record = {{7, 7}, {7, 7}}, second;
	size_t at = 0, again_at = 0, again_len = 6;
	struct span wrong = {0};
	struct spf_term term, other;

	if (spf_read_record(text, len, &record, &wrong) != 0) {
		assert(record.redirect.at == 7 && record.exp.len == 7);
		target_check_span(wrong, len);
		return;
	}
	memcpy(again, text, 6);
	while (spf_next_term(text, len, &at, &term)) {
		assert(at <= len && term.text.len > 0 &&
		       term.text.at + term.text.len == at);
		again[again_len++] = ' ';
		memcpy(again + again_len, text + term.text.at, term.text.len);
		again_len += term.text.len;
	}
	assert(again_len <= len);
	assert(spf_is_record(again, again_len));
	if (spf_read_record(again, again_len, &second, &wrong) != 0)
		abort();
	assert(spans_equal(text, record.redirect, again, second.redirect));
	assert(spans_equal(text, record.exp, again, second.exp));
	at = 0;
	while (spf_next_term(text, len, &at, &term)) {
		if (!spf_next_term(again, again_len, &again_at, &other))
			abort();
		assert(terms_equal(text, &term, again, &other));
	}
}

static void check_macros(const char *text, size_t len)
{
	struct spf_text rest = {text + len / 2, len - len / 2};
	struct spf_values values = {
		.local = rest,
		.sender_domain = rest,
		.domain = {"example.org", 11},
		.helo = {text, len / 2},
		.client_name = {"unknown", 7},
		.receiver = {"gate.example.net", 16},
		.client = {.family = len & 1 ? ADDR_V4 : ADDR_V6},
	};
	char name[SPF_NAME_MAX], words[SPF_EXPLANATION_MAX];

	if (spf_text_is_valid(SPF_TEXT_DOMAIN_SPEC, text, len) &&
	    spf_expand_name(&values, text, len, name) == 0) {
		assert(memchr(name, '\0', sizeof(name)) != NULL);
		assert(spf_name_is_valid(name, strlen(name)));
	}
	if (spf_text_is_valid(SPF_TEXT_EXPLANATION, text, len)) {
		spf_expand_explanation(&values, text, len, words);
		(void)target_check_text(words, sizeof(words));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (spf_is_record((const char *)data, size))
		check_record((const char *)data, size);
	check_macros((const char *)data, size);
	return 0;
}
