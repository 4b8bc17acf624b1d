/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/routing.h"

#define ROUTES_MAX 3 /* of a row below */

static struct routing_address address_of(const char *text)
{
	const char *at = strrchr(text, '@');
	struct routing_address address = {.local_len = (size_t)(at - text),
					  .domain_len = strlen(at + 1)};

	memcpy(address.local, text, address.local_len);
	memcpy(address.domain, at + 1, address.domain_len);
	return address;
}

struct route {
	const char *from, *to;
};

/* A table of routes up to an empty one; the line of each is its number from 1. */
static const struct text_table *table_of(const struct route *routes, void **out_memory)
{
	AUTO(text_builder_free) struct text_builder *builder = text_builder_new();
	const struct text_table *table;

	for (uint32_t i = 0; routes[i].from; i++) {
		const struct routing_address from = address_of(routes[i].from);
		char key[ROUTING_KEY_MAX];
		const struct text_row row = {
			.key = key,
			.key_len = routing_key(&from, true, key),
			.value = routes[i].to,
			.value_len = strlen(routes[i].to),
			.line = i + 1,
		};

		assert_int_equal(text_builder_add(builder, &row, NULL), 0);
	}
	*out_memory = test_malloc(text_table_size(builder));
	table = text_table_write(builder, *out_memory);
	return table;
}

static const struct route good[] = {
	{"old@example.org", "new@example.net"},
	{"Mixed.Case@example.org", "Mixed.New@example.net"},
	{"tagged+x@example.org", "special@example.net"},
	{"tagged@example.org", "tagged@example.net"},
	{"+odd@example.org", "odd@example.net"},
	{"a b@example.org", "blank@example.net"},
	{"at@sign@example.org", "sign@example.net"},
	{"@old.example", "@new.example"},
	{"info@old.example", "direct@example.net"},
	{"sales@new.example", "shop@example.net"},
	{"@all.example", "all@example.net"},
	{"@mine.example", "anna@mine.example"},
	{"bob@mine.example", "bob@mine.example"},
	{"carl@mine.example", "carl@example.net"},
	{NULL, NULL},
};

static const struct {
	const char *why;
	const char *said;
	const char *to; /* NULL: none */
	uint32_t line;	/* of the row that decided first */
} rows[] = {
	{"an address", "old@example.org", "new@example.net", 1},
	{"its case says nothing", "OLD@example.org", "new@example.net", 1},
	{"the new one keeps its case", "mixed.case@example.org", "Mixed.New@example.net",
	 2},
	{"a tag is kept", "old+shop@example.org", "new+shop@example.net", 1},
	{"as it was written", "Old+Shop@example.org", "new+Shop@example.net", 1},
	{"two tags are one", "old+a+b@example.org", "new+a+b@example.net", 1},
	{"an empty tag", "old+@example.org", "new+@example.net", 1},
	{"a tag with a row of its own", "tagged+x@example.org", "special@example.net", 3},
	{"another tag of the same", "tagged+y@example.org", "tagged+y@example.net", 4},
	{"more behind that tag", "tagged+x+y@example.org", "tagged+x+y@example.net", 4},
	{"a plus in front is no tag", "+odd@example.org", "odd@example.net", 5},
	{"nor leads it to nobody's", "+x@example.org", NULL, 0},
	{"a blank", "a b@example.org", "blank@example.net", 6},
	{"an @ in the local part", "at@sign@example.org", "sign@example.net", 7},
	{"a neighbour", "older@example.org", NULL, 0},
	{"a neighbour", "ol@example.org", NULL, 0},
	{"the same name elsewhere", "old@example.net", NULL, 0},
	{"below the domain", "old@www.example.org", NULL, 0},
	{"a whole domain", "anyone@old.example", "anyone@new.example", 8},
	{"the case of a local part is kept", "Any.One@old.example", "Any.One@new.example",
	 8},
	{"with its tag", "anyone+x@old.example", "anyone+x@new.example", 8},
	{"below that domain", "anyone@a.old.example", NULL, 0},
	{"an address in it goes first", "info@old.example", "direct@example.net", 9},
	{"with a tag, too", "info+x@old.example", "direct+x@example.net", 9},
	{"two steps: domain, then address", "sales@old.example", "shop@example.net", 8},
	{"with a tag", "sales+x@old.example", "shop+x@example.net", 8},
	{"one step from there", "sales@new.example", "shop@example.net", 10},
	{"all into one", "anyone@all.example", "all@example.net", 11},
	{"no tag is kept there", "anyone+x@all.example", "all@example.net", 11},
	{"a mailbox of the same domain", "anyone@mine.example", "anna@mine.example", 12},
	{"that mailbox itself stays", "anna@mine.example", NULL, 0},
	{"in other letters, too", "ANNA@mine.example", NULL, 0},
	{"kept out of it", "bob@mine.example", NULL, 0},
	{"with a tag", "bob+x@mine.example", NULL, 0},
	{"or sent elsewhere", "carl@mine.example", "carl@example.net", 14},
};

static void the_closest_row_decides(void **state)
{
	void *memory;
	const struct text_table *table = table_of(good, &memory);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct routing_address said = address_of(rows[i].said);
		struct routing_address to = {.local_len = 0};
		char key[ROUTING_KEY_MAX + 1] = "";
		struct text_row row = {.line = 0};
		const bool found = routing_find(table, &said, &to, &row);

		if (found)
			key[routing_key(&to, false, key)] = '\0';
		if (found != (rows[i].to != NULL) ||
		    (found && (strcmp(key, rows[i].to) != 0 || row.line != rows[i].line)))
			fail_msg("%s: %s to '%s' by %u", rows[i].why, rows[i].said, key,
				 row.line);
	}
	test_free(memory);
}

static void a_good_table_has_no_conflict(void **state)
{
	struct routing_conflict conflict;
	void *memory;
	const struct text_table *table = table_of(good, &memory);

	(void)state;
	for (size_t i = 0; i < text_table_count(table); i++)
		assert_false(routing_conflict(table, i, &conflict));
	test_free(memory);
}

enum conflict_kind {
	FINE,
	CHAIN,
	LOOP
};

static const struct {
	const char *why;
	struct route routes[ROUTES_MAX + 1];
	size_t at; /* which one is asked */
	enum conflict_kind want;
	uint32_t next; /* line of the one that leads on */
} conflicts[] = {
	{"two steps", {{"a@x", "b@x"}, {"b@x", "c@x"}}, 0, CHAIN, 2},
	{"the second of them is right", {{"a@x", "b@x"}, {"b@x", "c@x"}}, 1, FINE, 0},
	{"three steps", {{"a@x", "b@x"}, {"b@x", "c@x"}, {"c@x", "d@x"}}, 0, CHAIN, 2},
	{"a loop of two", {{"a@x", "b@x"}, {"b@x", "a@x"}}, 0, LOOP, 2},
	{"a loop of two", {{"a@x", "b@x"}, {"b@x", "a@x"}}, 1, LOOP, 1},
	{"a loop of three", {{"a@x", "b@x"}, {"b@x", "c@x"}, {"c@x", "a@x"}}, 0, LOOP, 2},
	{"into a loop, not on it",
	 {{"z@x", "a@x"}, {"a@x", "b@x"}, {"b@x", "a@x"}},
	 0,
	 CHAIN,
	 2},
	{"to itself", {{"a@x", "a@x"}}, 0, LOOP, 1},
	{"to itself in other letters", {{"A@x", "a@x"}}, 0, LOOP, 1},
	{"to itself, out of a domain", {{"a@x", "a@x"}, {"@x", "@y"}}, 0, FINE, 0},
	{"a domain to itself", {{"@x", "@x"}}, 0, LOOP, 1},
	{"to a tag of itself", {{"a@x", "a+t@x"}}, 0, LOOP, 1},
	{"to a tag of another", {{"a@x", "b+t@x"}, {"b@x", "c@x"}}, 0, CHAIN, 2},
	{"a chain in other letters", {{"a@x", "B@x"}, {"b@x", "c@x"}}, 0, CHAIN, 2},
	{"a chain of domains", {{"@x", "@y"}, {"@y", "@z"}}, 0, CHAIN, 2},
	{"a loop of domains", {{"@x", "@y"}, {"@y", "@x"}}, 0, LOOP, 2},
	{"an address into a routed domain", {{"a@w", "a@x"}, {"@x", "@y"}}, 0, CHAIN, 2},
	{"an address back by its domain", {{"a@y", "a@x"}, {"@x", "@y"}}, 0, LOOP, 2},
	{"a domain with addresses behind it", {{"@x", "@y"}, {"a@y", "b@z"}}, 0, FINE, 0},
	{"from there back into it", {{"@x", "@y"}, {"a@y", "a@x"}}, 1, LOOP, 1},
	{"all of a domain into one of it", {{"@x", "a@x"}}, 0, FINE, 0},
	{"and that one goes on", {{"@x", "a@x"}, {"a@x", "b@y"}}, 0, CHAIN, 2},
	{"an address beside it", {{"@x", "a@x"}, {"b@x", "c@x"}}, 1, CHAIN, 1},
	{"all of a domain into another", {{"@x", "a@y"}, {"@y", "@z"}}, 0, CHAIN, 2},
};

static void loops_and_chains_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(conflicts) / sizeof(conflicts[0]); i++) {
		struct routing_conflict conflict = {.is_loop = false};
		void *memory;
		const struct text_table *table = table_of(conflicts[i].routes, &memory);
		const bool found = routing_conflict(table, conflicts[i].at, &conflict);
		const enum conflict_kind got = !found		  ? FINE
					       : conflict.is_loop ? LOOP
								  : CHAIN;

		if (got != conflicts[i].want ||
		    (found && conflict.next.line != conflicts[i].next))
			fail_msg("%s: %d, line %u", conflicts[i].why, got,
				 conflict.next.line);
		test_free(memory);
	}
}

static void a_tag_that_does_not_fit_is_left_out(void **state)
{
	static const struct route long_routes[] = {{"a@x", "bb@y"}, {NULL, NULL}};
	struct routing_address said = address_of("a@x");
	struct routing_address to;
	void *memory;
	const struct text_table *table = table_of(long_routes, &memory);

	(void)state;
	memset(said.local + 1, '+', sizeof(said.local) - 1);
	said.local_len =
		sizeof(said.local) - 1; /* one longer makes it as long as it may be */
	assert_true(routing_find(table, &said, &to, NULL));
	assert_int_equal(to.local_len, sizeof(to.local));
	said.local_len = sizeof(said.local);
	assert_true(routing_find(table, &said, &to, NULL));
	assert_int_equal(to.local_len, 2);
	test_free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_closest_row_decides),
		cmocka_unit_test(a_good_table_has_no_conflict),
		cmocka_unit_test(loops_and_chains_are_found),
		cmocka_unit_test(a_tag_that_does_not_fit_is_left_out),
	};

	return cmocka_run_group_tests_name("policy/routing", tests, NULL, NULL);
}
