/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What greylisting costs: a whole ledger, between a keeper and a gate that are played here, takes a million triplets of
 * random networks; then how long a decision takes from question to answer, while old ones expire; and how long a ban
 * takes, from the gate's message to the keeper's, with greylisting idle and busy.
 *
 *   bench_greylist [TRIPLETS]      1000000 unless said otherwise
 *
 * The store lies on the disk of /tmp. Prints a table in Markdown. The clock is moved, so that the triplets are spread
 * over the window.
 *
 * link: ../unit/proc/ledger_lab.c ../unit/proc/ledger_lab_double.c ../unit/fake_clock.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "unit/fake_clock.h"
#include "unit/proc/ledger_lab.h"

#define TRIPLETS_DEFAULT 1000000u
#define OPEN_MAX	 32u /* questions on their way */
#define SPREAD_S	 (47 * 3600)
#define DECISIONS	 20000u
#define BANS		 300u
#define BUSY_PER_S	 2000u /* new triplets beside the bans */

static struct lab lab;
static uint64_t random_state = 42;
static uint32_t asked;

/* splitmix64 */
static uint64_t random_next(void)
{
	uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* The question number n: the same again for the same number. */
static void ask(uint32_t n)
{
	char addr[32], sender[48], recipient[48];
	const struct lab_mail mail = {
		.addr = addr, .sender = sender, .recipient = recipient};
	uint64_t x;

	random_state = n;
	x = random_next();
	(void)snprintf(addr, sizeof(addr), "%u.%u.%u.1", 1 + (unsigned int)(x % 220),
		       (unsigned int)(x >> 8) % 256, (unsigned int)(x >> 16) % 256);
	(void)snprintf(sender, sizeof(sender), "q%xz@host%c.example.com",
		       (unsigned int)(x >> 32), 'a' + (int)(x % 26));
	(void)snprintf(recipient, sizeof(recipient), "user%u@example.org",
		       (unsigned int)(x >> 24) % 1000);
	lab_grey_ask(&lab, &mail);
	asked++;
}

static bool has_answers(struct lab *l, const void *context)
{
	return l->grey_count >= *(const size_t *)context;
}

static void await_answers(size_t open)
{
	const size_t wanted = asked > open ? asked - open : 0;

	lab_until(&lab, has_answers, &wanted);
}

static int compare_us(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_row(const char *what, uint32_t *us, size_t count)
{
	qsort(us, count, sizeof(*us), compare_us);
	(void)printf("| %s | %.2f ms | %.2f ms | %.2f ms |\n", what,
		     us[count / 2] / 1000.0, us[count * 99 / 100] / 1000.0,
		     us[count - 1] / 1000.0);
}

static void insert(uint32_t triplets)
{
	const uint64_t begun_ns = clock_mono_ns();
	uint64_t waited_s = 0;

	for (uint32_t n = 0; n < triplets; n++) {
		const uint64_t due_s = (uint64_t)SPREAD_S * n / triplets;

		if (due_s > waited_s + 60) {
			fake_clock_advance((int64_t)(due_s - waited_s));
			waited_s = due_s;
		}
		ask(n);
		await_answers(OPEN_MAX);
	}
	await_answers(0);
	(void)printf("%u triplets of random networks inserted in %.1f s\n\n", triplets,
		     (double)(clock_mono_ns() - begun_ns - waited_s * NS_PER_S) /
			     NS_PER_S);
}

/* One at a time. is_new: never seen; else from those that are there. */
static void decisions(const char *what, uint32_t triplets, bool is_new)
{
	static uint32_t us[DECISIONS];

	for (uint32_t i = 0; i < DECISIONS; i++) {
		const uint64_t begun_ns = clock_mono_ns();

		ask(is_new ? UINT32_C(0x80000000) + i
			   : triplets - 1 - (uint32_t)(random_next() % (triplets / 2)));
		await_answers(0);
		us[i] = (uint32_t)((clock_mono_ns() - begun_ns) / 1000);
	}
	print_row(what, us, DECISIONS);
}

/* What is waited for, while questions go on at their pace. */
struct wanted {
	const char *addr;  /* its ban; NULL: a time */
	uint64_t until_ns; /* if there is no addr */
	uint64_t next_ns;  /* when the next question is due; 0: none */
};

static bool is_wanted(struct lab *l, const void *context)
{
	struct wanted *wanted = *(struct wanted *const *)context;
	static uint32_t n = UINT32_C(0xc0000000);

	while (wanted->next_ns && clock_mono_ns() >= wanted->next_ns &&
	       asked - l->grey_count < OPEN_MAX) {
		ask(n++);
		wanted->next_ns += NS_PER_S / BUSY_PER_S;
	}
	return wanted->addr ? lab_kernel_find(l, wanted->addr, LAB_GLOBAL) != NULL
			    : clock_mono_ns() >= wanted->until_ns;
}

static void bans(const char *what, bool is_busy)
{
	static uint32_t us[BANS];
	struct wanted wanted = {.next_ns = is_busy ? clock_mono_ns() : 0};
	struct wanted *context = &wanted;

	for (uint32_t i = 0; i < BANS; i++) {
		char addr[32];
		uint64_t begun_ns;

		wanted.addr = NULL;
		wanted.until_ns = clock_mono_ns() + 10 * NS_PER_MS;
		lab_until(&lab, is_wanted, &context);
		(void)snprintf(addr, sizeof(addr), "%s.%u.%u",
			       is_busy ? "224.1" : "224.0", i / 256, i % 256);
		wanted.addr = addr;
		lab_strikes(&lab, addr, LAB_SMTP, 4);
		begun_ns = clock_mono_ns();
		lab_strikes(&lab, addr, LAB_SMTP, 1);
		lab_until(&lab, is_wanted, &context);
		us[i] = (uint32_t)((clock_mono_ns() - begun_ns) / 1000);
	}
	await_answers(0);
	print_row(what, us, BANS);
}

int main(int argc, char **argv)
{
	uint64_t triplets = TRIPLETS_DEFAULT;

	if (argc > 2 ||
	    (argc == 2 && num_parse_u64(argv[1], UINT32_MAX / 2, &triplets)) ||
	    triplets < 2) {
		(void)fprintf(stderr, "usage: bench_greylist [TRIPLETS]\n");
		return 2;
	}
	fake_clock_reset();
	lab_open(&lab);
	lab.conf.limits.triplets_max = 16777216;
	lab_start(&lab);
	insert((uint32_t)triplets);
	(void)printf(
		"| from question to answer, one at a time | p50 | p99 | worst |\n|---|---|---|---|\n");
	decisions("a triplet that is there", (uint32_t)triplets, false);
	decisions("a new one", (uint32_t)triplets, true);
	fake_clock_advance(3 * 3600); /* some tenths of them are over now */
	decisions("one that is there, while old ones expire", (uint32_t)triplets, false);
	decisions("one that comes back, stored before the answer", (uint32_t)triplets,
		  true);
	(void)printf(
		"\n| from the fifth strike to the order to the keeper, stored | p50 | p99 | worst |\n|---|---|---|---|\n");
	bans("greylisting idle", false);
	bans("beside 2000 new triplets a second", true);
	lab_close(&lab);
	return 0;
}
