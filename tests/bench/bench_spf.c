/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/bench/bench_spf - the suite of SPF cases, by postern's evaluator and by libspf2: what is right, and how fast.
 *
 *   bench_spf [TABLE]      a table in the form of tests/golden/spf.tsv, which is the default
 *
 * libspf2 gets its answers from the same table, once as they are, and once behind a check by the grammar: records
 * in error are a permerror without it, exp= and unknown modifiers are left out, redirect stands last. Each case of it
 * runs in a process of its own, as some abort.
 *
 * link: ../unit/dns_table.c ../unit/wire/golden.c
 */
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/nameser.h>

#include <cmocka.h>
#include <spf2/spf.h>

#include "base/clock.h"
#include "checks/spf_eval.h"
#include "unit/dns_table.h"
#include "unit/wire/golden.h"

#define REPEATS	   20u
#define EXIT_CHILD 100 /* and the result: what a child ends with */

enum contender {
	POSTERN,
	LIBSPF2_RAW,
	LIBSPF2_CHECKED,
	CONTENDERS
};

static const char *const names[CONTENDERS] = {"postern", "libspf2", "libspf2, checked"};

struct test_case {
	const char *client, *helo, *local, *domain;
};

static bool wants_check, is_in_error;

/* ---- postern ----------------------------------------------------------------------------------- */

static struct spf_text text_of(const char *text)
{
	return (struct spf_text){text, strlen(text)};
}

static int by_postern(const struct test_case *test)
{
	static struct spf_eval eval;
	struct spf_sender sender = {.local = text_of(test->local),
				    .domain = text_of(test->domain),
				    .helo = text_of(test->helo),
				    .receiver = text_of("gate.example.net")};
	bool wants;

	if (addr_parse(test->client, &sender.client) != 0)
		return -1;
	wants = spf_eval_begin(&eval, &sender);
	while (wants)
		wants = spf_eval_go_on(&eval, table_answer(eval.question, eval.type));
	return eval.result;
}

/* ---- libspf2 ----------------------------------------------------------------------------------- */

/* The record without exp= and unknown modifiers, redirect last; "v=spf1" alone if it is in error. */
static void normalise(const char *text, size_t len, char out[SPF_RECORD_MAX + 16])
{
	struct spf_record record;
	struct span wrong;
	struct spf_term term;
	size_t at = 0, out_len;

	out_len = (size_t)snprintf(out, 16, "v=spf1");
	if (memchr(text, '\0', len) || spf_read_record(text, len, &record, &wrong) != 0) {
		is_in_error = true;
		return;
	}
	while (spf_next_term(text, len, &at, &term))
		if (term.kind < SPF_TERM_REDIRECT)
			out_len += (size_t)snprintf(
				out + out_len, SPF_RECORD_MAX + 16 - out_len, " %.*s",
				(int)term.text.len, text + term.text.at);
	if (record.redirect.len > 0)
		(void)snprintf(out + out_len, SPF_RECORD_MAX + 16 - out_len,
			       " redirect=%.*s", (int)record.redirect.len,
			       text + record.redirect.at);
}

static void put_text(SPF_dns_rr_t *rr, size_t i, const struct dnsmsg_record *record)
{
	static char text[65536], checked[SPF_RECORD_MAX + 16];
	const char *chosen = text;
	size_t len = spf_join(record, text, sizeof(text) - 1);

	text[len] = '\0';
	if (wants_check && spf_is_record(text, len)) {
		normalise(text, len, checked);
		chosen = checked;
	}
	if (SPF_dns_rr_buf_realloc(rr, (int)i, strlen(chosen) + 1) == SPF_E_SUCCESS)
		memcpy(rr->rr[i]->txt, chosen, strlen(chosen) + 1);
}

static void put_record(SPF_dns_rr_t *rr, size_t i, const struct dnsmsg_record *record)
{
	if (rr->rr_type == ns_t_txt) {
		put_text(rr, i, record);
		return;
	}
	if (SPF_dns_rr_buf_realloc(rr, (int)i, sizeof(record->name.text)) !=
	    SPF_E_SUCCESS)
		return;
	if (rr->rr_type == ns_t_a)
		memcpy(&rr->rr[i]->a, record->addr.bytes, 4);
	else if (rr->rr_type == ns_t_aaaa)
		memcpy(&rr->rr[i]->aaaa, record->addr.bytes, 16);
	else
		memcpy(rr->rr[i]->ptr, record->name.text, record->name.len + 1);
}

static SPF_dns_rr_t *lookup(SPF_dns_server_t *server, const char *domain, ns_type type,
			    int should_cache)
{
	static const int errors[] = {[DNS_ANSWER] = NETDB_SUCCESS,
				     [DNS_NO_NAME] = HOST_NOT_FOUND,
				     [DNS_NO_RECORD] = NO_DATA,
				     [DNS_FAILED] = TRY_AGAIN,
				     [DNS_TIMED_OUT] = TRY_AGAIN};
	const struct dns_answer *answer = table_answer(domain, (uint16_t)type);
	struct dnsmsg_record record;
	struct dnsmsg_walk walk;
	SPF_dns_rr_t *rr;
	size_t count = 0;

	(void)should_cache;
	rr = SPF_dns_rr_new_init(server, domain, type, 0,
				 (SPF_dns_stat_t)errors[answer->status]);
	if (answer->status != DNS_ANSWER)
		return rr;
	dnsmsg_walk_init(&walk, &answer->message);
	while (dnsmsg_walk_next(&walk, &record))
		put_record(rr, count++, &record);
	rr->num_rr = (int)count;
	return rr;
}

static int result_of(SPF_response_t *response, SPF_errcode_t err)
{
	static const int results[] = {[SPF_RESULT_INVALID] = SPF_PERMERROR,
				      [SPF_RESULT_NEUTRAL] = SPF_NEUTRAL,
				      [SPF_RESULT_PASS] = SPF_PASS,
				      [SPF_RESULT_FAIL] = SPF_FAIL,
				      [SPF_RESULT_SOFTFAIL] = SPF_SOFTFAIL,
				      [SPF_RESULT_NONE] = SPF_NONE,
				      [SPF_RESULT_TEMPERROR] = SPF_TEMPERROR,
				      [SPF_RESULT_PERMERROR] = SPF_PERMERROR};
	const SPF_result_t result = SPF_response_result(response);

	if (wants_check && is_in_error)
		return SPF_PERMERROR;
	if (result == SPF_RESULT_INVALID &&
	    (err == SPF_E_DNS_ERROR || err == SPF_E_NO_MEMORY))
		return SPF_TEMPERROR;
	return results[result];
}

static int by_libspf2(const struct test_case *test)
{
	SPF_dns_server_t layer = {.name = "table", .lookup = lookup};
	SPF_server_t *server = SPF_server_new_dns(&layer, 0);
	SPF_request_t *request = SPF_request_new(server);
	SPF_response_t *response = NULL;
	struct addr addr;
	char from[600], ip[ADDR_TEXT_MAX];
	SPF_errcode_t err;
	int result;

	is_in_error = false;
	if (addr_parse(test->client, &addr) != 0)
		return -1;
	if (addr.family == ADDR_V4)
		(void)SPF_request_set_ipv4_str(request, addr_format(&addr, ip));
	else
		(void)SPF_request_set_ipv6_str(request, addr_format(&addr, ip));
	(void)SPF_request_set_helo_dom(request, test->helo);
	(void)snprintf(from, sizeof(from), "%s@%s",
		       test->local[0] ? test->local : "postmaster", test->domain);
	(void)SPF_request_set_env_from(request, from);
	err = SPF_request_query_mailfrom(request, &response);
	result = result_of(response, err);
	SPF_response_free(response);
	SPF_request_free(request);
	SPF_server_free(server);
	return result;
}

/* ---- both -------------------------------------------------------------------------------------- */

static int run(enum contender contender, const struct test_case *test)
{
	wants_check = contender == LIBSPF2_CHECKED;
	return contender == POSTERN ? by_postern(test) : by_libspf2(test);
}

/* The result, from a process of its own; -1: it did not survive. @ns: of one evaluation, added */
static int run_apart(enum contender contender, const struct test_case *test, uint64_t *ns)
{
	int fds[2], status = 0, result = -1;
	uint64_t took_ns = 0;
	pid_t pid;

	if (pipe(fds) != 0 || (pid = fork()) < 0)
		exit(EXIT_FAILURE);
	if (pid == 0) {
		uint64_t began_ns;

		if (!freopen("/dev/null", "w", stderr)) /* its own last words */
			_exit(EXIT_FAILURE);
		result = run(contender, test);
		began_ns = clock_mono_ns();
		for (unsigned int i = 0; i < REPEATS; i++)
			(void)run(contender, test);
		took_ns = (clock_mono_ns() - began_ns) / REPEATS;
		_exit(write(fds[1], &took_ns, sizeof(took_ns)) == sizeof(took_ns) &&
				      result >= 0
			      ? EXIT_CHILD + result
			      : EXIT_FAILURE);
	}
	close(fds[1]);
	if (read(fds[0], &took_ns, sizeof(took_ns)) == sizeof(took_ns))
		*ns += took_ns;
	close(fds[0]);
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) >= EXIT_CHILD)
		return WEXITSTATUS(status) - EXIT_CHILD;
	return -1;
}

/* "fail", or "fail/permerror" where the RFC leaves it open. */
static bool is_wanted(const char *want, int result)
{
	const char *name = spf_result_name((enum spf_result)result);
	const char *found = strstr(want, name);
	const char after = found ? found[strlen(name)] : '\0';

	return found && (found == want || found[-1] == '/') &&
	       (after == '\0' || after == '/');
}

int main(int argc, char **argv)
{
	unsigned int tests = 0, wrong[CONTENDERS] = {0}, died[CONTENDERS] = {0};
	uint64_t ns[CONTENDERS] = {0};
	struct golden golden;

	golden_open(&golden, argc > 1 ? argv[1] : "spf.tsv");
	while (golden_next(&golden)) {
		char *const *field = golden.field;

		if (strcmp(field[0], "begin") == 0) {
			table_clear();
		} else if (strcmp(field[0], "zone") == 0) {
			table_add(field[1], field[2], field[3]);
		} else {
			struct test_case test = {field[1], field[2], "", field[2]};
			char *at = strrchr(field[3], '@');

			if (at) {
				*at = '\0';
				test.local = field[3];
				test.domain = at + 1;
			}
			tests++;
			for (unsigned int i = 0; i < CONTENDERS; i++) {
				int result = run_apart((enum contender)i, &test, &ns[i]);

				died[i] += result < 0;
				wrong[i] += result >= 0 && !is_wanted(field[4], result);
			}
		}
	}
	for (unsigned int i = 0; i < CONTENDERS; i++)
		printf("%-17s %u cases, %u wrong, %u aborted, %.1f us each\n", names[i],
		       tests, wrong[i], died[i], (double)ns[i] / 1000 / tests);
	return 0;
}
