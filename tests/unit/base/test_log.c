/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define CAUGHT_MAX 8192

typedef void (*body_fn)(void);

/*
 * Runs a body in a child whose standard error is a packet pipe (each write is one read),
 * and collects what it wrote. Whether it is journald's is decided once per program.
 */
static size_t caught_in_child(body_fn body, bool journal, char *out_text)
{
	size_t len = 0;
	int status, fds[2];
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_DIRECT | O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct stat st;
		char stream[64];

		if (fstat(fds[1], &st) != 0 || dup2(fds[1], STDERR_FILENO) < 0)
			_exit(1);
		(void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
			       (uintmax_t)st.st_ino);
		(void)setenv("JOURNAL_STREAM", journal ? stream : "1:1", 1);
		body();
		_exit(0);
	}
	close(fds[1]);
	/* One read a line: a line in two writes would show as a mark in its middle. */
	while ((got = read(fds[0], out_text + len, CAUGHT_MAX - 2 - len)) > 0) {
		len += (size_t)got;
		out_text[len++] = '|';
	}
	out_text[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return len;
}

static void log_each_level(void)
{
	log_open("gate0", LOG_LEVEL_DEBUG);
	log_error("event=a n=%d", 1);
	log_warn("event=b");
	log_info("event=c");
	log_debug("event=d");
}

static void journald_gets_priorities(void **state)
{
	char text[CAUGHT_MAX];

	(void)state;
	caught_in_child(log_each_level, true, text);
	assert_string_equal(text, "<3>event=a n=1 proc=gate0\n|<4>event=b proc=gate0\n|"
				  "<6>event=c proc=gate0\n|<7>event=d proc=gate0\n|");
}

static void log_one(void)
{
	log_open("keeper", LOG_LEVEL_INFO);
	log_info("event=start");
}

/* "event=start time=2026-01-02T03:04:05.678Z proc=keeper" within a second of now. */
static void elsewhere_a_line_has_the_time(void **state)
{
	const char head[] = "event=start time=";
	const time_t before = time(NULL);
	char text[CAUGHT_MAX];
	struct tm tm = {0};
	char *rest;
	time_t at;

	(void)state;
	caught_in_child(log_one, false, text);
	assert_memory_equal(text, head, sizeof(head) - 1);
	rest = strptime(text + sizeof(head) - 1, "%Y-%m-%dT%H:%M:%S", &tm);
	assert_non_null(rest);
	at = timegm(&tm);
	assert_in_range(at, before, time(NULL));
	assert_int_equal(rest[0], '.');
	assert_string_equal(rest + 4, "Z proc=keeper\n|");
}

static void log_past_the_level(void)
{
	log_debug("event=before-open");
	log_info("event=nameless");
	log_open("gate0", LOG_LEVEL_WARN);
	log_warn("event=written");
	log_info("event=left-out");
	log_open("gate1", LOG_LEVEL_WARN);
	log_warn("event=renamed");
}

static void a_level_past_the_last_is_left_out(void **state)
{
	char text[CAUGHT_MAX];

	(void)state;
	caught_in_child(log_past_the_level, true, text);
	assert_null(strstr(text, "before-open"));
	assert_null(strstr(text, "left-out"));
	assert_non_null(strstr(text, "event=nameless time="));
	assert_null(strstr(text, "proc=\n"));
	assert_non_null(strstr(text, "<4>event=written proc=gate0\n|"));
	assert_non_null(strstr(text, "<4>event=renamed proc=gate1\n|"));
}

static void log_control_bytes(void)
{
	log_open("gate0", LOG_LEVEL_INFO);
	log_info("event=x user=%s", "a\nevent=ban\r\t\x1b[2J\x7f\xc3\xa4");
}

static void a_line_is_one_line_whatever_is_in_it(void **state)
{
	char text[CAUGHT_MAX];

	(void)state;
	caught_in_child(log_control_bytes, true, text);
	assert_string_equal(text, "<6>event=x user=a\\x0aevent=ban\\x0d\\x09\\x1b[2J\\x7f"
				  "\xc3\xa4 proc=gate0\n|");
}

static void log_long_lines(void)
{
	char text[2 * LOG_LINE_MAX_BYTES];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_open("a-name-that-is-far-too-long", LOG_LEVEL_INFO);
	log_info("event=long text=%s", text);
	memset(text, '\n', sizeof(text) - 1);
	log_info("event=long text=%s", text);
}

static void a_long_line_is_cut_and_still_says_whose_it_is(void **state)
{
	const char tail[] = " proc=a-name-that-is-\n|";
	char text[CAUGHT_MAX];
	size_t len;
	char *end;

	(void)state;
	len = caught_in_child(log_long_lines, true, text);
	end = strchr(text, '|');
	assert_non_null(end);
	assert_in_range(end - text, LOG_LINE_MAX_BYTES - 8, LOG_LINE_MAX_BYTES);
	assert_memory_equal(end + 1 - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	assert_memory_equal(text + len - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	/* An escape is whole or not there. */
	assert_memory_equal(text + len - (sizeof(tail) - 1) - 4, "\\x0a", 4);
}

static void log_with_errno(void)
{
	log_open("gate0", LOG_LEVEL_INFO);
	close(STDERR_FILENO);
	errno = EAGAIN;
	log_info("event=lost");
	if (errno != EAGAIN)
		_exit(2);
}

static void errno_survives_even_a_failed_write(void **state)
{
	char text[CAUGHT_MAX];

	(void)state;
	assert_int_equal(caught_in_child(log_with_errno, true, text), 0);
}

static void a_budget_is_for_one_minute_and_counts_what_was_dropped(void **state)
{
	const uint64_t minute_ns = 60 * NS_PER_S;
	struct log_limit limit = {.per_minute = 2};
	uint32_t dropped = 99;

	(void)state;
	assert_true(log_limit_take(&limit, 5 * minute_ns, &dropped));
	assert_int_equal(dropped, 0);
	assert_true(log_limit_take(&limit, 5 * minute_ns, &dropped));
	dropped = 99;
	assert_false(log_limit_take(&limit, 5 * minute_ns, &dropped));
	assert_false(log_limit_take(&limit, 6 * minute_ns - 1, &dropped));
	assert_int_equal(dropped, 99);
	assert_true(log_limit_take(&limit, 6 * minute_ns, &dropped));
	assert_int_equal(dropped, 2);
	assert_true(log_limit_take(&limit, 6 * minute_ns, &dropped));
	assert_int_equal(dropped, 0);
	assert_false(log_limit_take(&limit, 6 * minute_ns, &dropped));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(journald_gets_priorities),
		cmocka_unit_test(elsewhere_a_line_has_the_time),
		cmocka_unit_test(a_level_past_the_last_is_left_out),
		cmocka_unit_test(a_line_is_one_line_whatever_is_in_it),
		cmocka_unit_test(a_long_line_is_cut_and_still_says_whose_it_is),
		cmocka_unit_test(errno_survives_even_a_failed_write),
		cmocka_unit_test(a_budget_is_for_one_minute_and_counts_what_was_dropped),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
