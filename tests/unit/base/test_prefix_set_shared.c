/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The set as it is used: one process writes, others read the same memory, read-only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/prefix_set.h"
#include "unit/seed.h"

#define NOW_NS		(1000 * NS_PER_S)
#define CAPACITY	4000u
#define ITEMS		3600u /* nearly full: long chains, so that items move a lot */
#define VALUE_WORDS	3u
#define VALUE_BYTES	(VALUE_WORDS * sizeof(uint64_t))
#define BATCH		16u /* items that are out of the set at a time */
#define READERS		2
#define LOAD_NS		(NS_PER_S / 2)
#define STOPS		150
#define LOOKS_MIN	1000u /* of a reader, which may get little of a busy machine */
#define PROGRESS_MAX_NS (30 * NS_PER_S)
#define WRITER_LIFE_NS	(110 * NS_PER_S)

/* What the writer says about its work, beside the set. */
struct diary {
	uint32_t turns[ITEMS]; /* even: the item is in the set */
	uint32_t rounds;
};

enum reader_exit {
	READER_FINE,
	READER_MISSED, /* an item that was there all the time was not found */
	READER_MIXED,  /* parts of two items were taken for one */
	READER_IDLE,   /* it read too little to prove anything */
};

/* The end follows from the address: a mixture of two items gives itself away. */
static struct prefix_set_item numbered(uint32_t number)
{
	struct prefix_set_item item = {.group = 3, .ends_ns = NOW_NS + 1 + number};

	item.prefix.addr.family = ADDR_V6;
	item.prefix.addr.bytes[0] = 0x20;
	item.prefix.addr.bytes[6] = (uint8_t)(number >> 8);
	item.prefix.addr.bytes[7] = (uint8_t)number;
	item.prefix.len = 64;
	return item;
}

/* A value that follows from the address as well. */
static void number_spread(uint32_t number, uint64_t value[VALUE_WORDS])
{
	for (uint64_t i = 0; i < VALUE_WORDS; i++)
		value[i] = (i + 1) << 32 | number;
}

static int set_put(struct prefix_set *set, uint32_t number)
{
	const struct prefix_set_item item = numbered(number);
	uint64_t value[VALUE_WORDS];

	number_spread(number, value);
	return prefix_set_put_value(set, &item, value);
}

/* The same memfd mapped twice: writable, and as a gate has it. */
static struct prefix_set *set_shared(const struct prefix_set **out_readonly)
{
	const size_t size_bytes = prefix_set_valued_size(CAPACITY, VALUE_BYTES);
	AUTO(close_fd) int fd = memfd_create("set", MFD_CLOEXEC);
	struct prefix_set *set;
	void *writable, *readonly;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size_bytes), 0);
	writable = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	readonly = mmap(NULL, size_bytes, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(writable != MAP_FAILED && readonly != MAP_FAILED);
	set = prefix_set_valued_init(writable, CAPACITY, VALUE_BYTES);
	*out_readonly = prefix_set_attach(readonly, size_bytes);
	assert_ptr_equal(*out_readonly, readonly);
	return set;
}

static void set_unmap(struct prefix_set *set, const struct prefix_set *readonly)
{
	munmap(set, prefix_set_valued_size(CAPACITY, VALUE_BYTES));
	munmap((void *)(uintptr_t)readonly,
	       prefix_set_valued_size(CAPACITY, VALUE_BYTES));
}

static struct diary *diary_new(void)
{
	struct diary *diary = mmap(NULL, sizeof(*diary), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(diary != MAP_FAILED);
	return diary;
}

static enum reader_exit reader_run(const struct prefix_set *set,
				   const struct diary *diary, uint64_t random)
{
	const uint64_t until_ns = clock_mono_ns() + LOAD_NS;
	uint64_t now_ns = 0;
	uint32_t looks = 0;

	while (now_ns < until_ns ||
	       (looks <= LOOKS_MIN && now_ns < until_ns + PROGRESS_MAX_NS)) {
		const uint32_t number = seed_below(&random, ITEMS);
		const uint32_t *turn = &diary->turns[number];
		const struct prefix_set_item want = numbered(number);
		const uint32_t before = __atomic_load_n(turn, __ATOMIC_SEQ_CST);
		struct prefix_set_item got;
		uint64_t value[VALUE_WORDS], wanted[VALUE_WORDS];
		const struct prefix_set_question question = {want.prefix.addr, 3, NOW_NS};
		bool found = prefix_set_find_value(set, &question, &got, value);

		number_spread(number, wanted);
		if (!found && before % 2 == 0 &&
		    __atomic_load_n(turn, __ATOMIC_SEQ_CST) == before)
			return READER_MISSED;
		if (found && (got.ends_ns != want.ends_ns || got.group != 3 ||
			      !prefix_equal(&got.prefix, &want.prefix)))
			return READER_MIXED;
		/* None at all is allowed, when the writer is in the way too long. */
		if (found && value[0] != 0 && memcmp(value, wanted, sizeof(value)) != 0)
			return READER_MIXED;
		looks += found && value[0] != 0;
		now_ns = clock_mono_ns();
	}
	return looks > LOOKS_MIN ? READER_FINE : READER_IDLE;
}

static void set_fill(struct prefix_set *set)
{
	for (uint32_t i = 0; i < ITEMS; i++)
		assert_int_equal(set_put(set, i), 0);
}

/* Takes some items out and puts them back: those behind them in their chains move up. */
static void writer_round(struct prefix_set *set, struct diary *diary, uint64_t *random)
{
	const uint32_t first = seed_below(random, ITEMS);

	for (uint32_t i = 0; i < 2 * BATCH; i++) {
		const bool is_out = i < BATCH;
		const uint32_t number = (first + i % BATCH * (ITEMS / BATCH)) % ITEMS;
		const struct prefix_set_item item = numbered(number);

		if (is_out)
			__atomic_add_fetch(&diary->turns[number], 1, __ATOMIC_SEQ_CST);
		if (is_out ? !prefix_set_remove(set, item.group, &item.prefix)
			   : set_put(set, number) != 0)
			_exit(1);
		if (!is_out)
			__atomic_add_fetch(&diary->turns[number], 1, __ATOMIC_SEQ_CST);
	}
	__atomic_add_fetch(&diary->rounds, 1, __ATOMIC_SEQ_CST);
}

static pid_t writer_start(struct prefix_set *set, struct diary *diary, uint64_t random)
{
	const uint64_t until_ns = clock_mono_ns() + WRITER_LIFE_NS;
	pid_t writer = fork();

	assert_true(writer >= 0);
	if (writer > 0)
		return writer;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves no one behind */
	while (clock_mono_ns() < until_ns)
		writer_round(set, diary, &random);
	_exit(0);
}

static void writer_end(pid_t writer)
{
	int status;

	assert_int_equal(kill(writer, SIGKILL), 0);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_true(WIFSIGNALED(status)); /* it had not given up before */
}

static void readers_see_whole_items_while_the_writer_works(void **state)
{
	uint64_t random = seed_start();
	const struct prefix_set *readonly;
	struct prefix_set *set = set_shared(&readonly);
	struct diary *diary = diary_new();
	pid_t readers[READERS], writer;

	(void)state;
	set_fill(set);
	writer = writer_start(set, diary, random ^ 0xabcd);
	for (int i = 0; i < READERS; i++) {
		readers[i] = fork();
		assert_true(readers[i] >= 0);
		if (readers[i] == 0)
			_exit(reader_run(readonly, diary, random + (uint64_t)i));
	}
	for (int i = 0; i < READERS; i++) {
		int status;

		assert_int_equal(waitpid(readers[i], &status, 0), readers[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), READER_FINE);
	}
	writer_end(writer);
	munmap(diary, sizeof(*diary));
	set_unmap(set, readonly);
}

/* Lets the stopped writer do a few rounds more. */
static void writer_go_on(pid_t writer, const struct diary *diary, uint32_t rounds)
{
	const uint64_t until_ns = clock_mono_ns() + PROGRESS_MAX_NS;
	const uint32_t before = __atomic_load_n(&diary->rounds, __ATOMIC_SEQ_CST);

	assert_int_equal(kill(writer, SIGCONT), 0);
	while (__atomic_load_n(&diary->rounds, __ATOMIC_SEQ_CST) - before < rounds) {
		assert_true(clock_mono_ns() < until_ns);
		sched_yield();
	}
}

/* Stopped anywhere, also in the middle of moving items: all others are still found. */
static void a_writer_that_is_stopped_hides_nothing(void **state)
{
	uint64_t random = seed_start();
	const struct prefix_set *readonly;
	struct prefix_set *set = set_shared(&readonly);
	struct diary *diary = diary_new();
	pid_t writer;

	(void)state;
	set_fill(set);
	writer = writer_start(set, diary, random ^ 0xabcd);
	for (int stop = 0; stop < STOPS; stop++) {
		struct prefix_set_item got;
		int status;

		assert_int_equal(kill(writer, SIGSTOP), 0);
		assert_int_equal(waitpid(writer, &status, WUNTRACED), writer);
		assert_true(WIFSTOPPED(status));
		for (uint32_t i = 0; i < ITEMS; i++) {
			const struct prefix_set_item item = numbered(i);

			if (diary->turns[i] % 2 != 0)
				continue;
			if (!prefix_set_find(readonly, 3, &item.prefix.addr, NOW_NS,
					     &got) ||
			    got.ends_ns != item.ends_ns)
				fail_msg("stop %d: item %u is hidden", stop, i);
		}
		writer_go_on(writer, diary, 1 + seed_below(&random, 5));
	}
	writer_end(writer);
	munmap(diary, sizeof(*diary));
	set_unmap(set, readonly);
}

/* The sequence number is the word that a change of an item moves on by two. */
static uint64_t *sequence_of(struct prefix_set *set, struct prefix_set_item *item)
{
	uint64_t before[128]; /* 1 KiB: the head of the set */
	uint64_t *words = (uint64_t *)(void *)set;

	memcpy(before, words, sizeof(before));
	item->ends_ns += NS_PER_S;
	assert_int_equal(prefix_set_put(set, item), 1);
	for (size_t i = 0; i < 128; i++) {
		if (words[i] == before[i] + 2)
			return &words[i];
	}
	fail_msg("no sequence number");
	return NULL;
}

static void a_dead_writer_does_not_stop_readers(void **state)
{
	const struct prefix_set *readonly;
	struct prefix_set *set = set_shared(&readonly);
	struct prefix_set_item item = numbered(7), got;
	uint64_t *sequence, start_ns;

	(void)state;
	assert_int_equal(prefix_set_put(set, &item), 0);
	sequence = sequence_of(set, &item);
	assert_int_equal(*sequence % 2, 0);
	*sequence += 1; /* as left behind by one that died at work */

	start_ns = clock_mono_ns();
	for (int i = 0; i < 100; i++) {
		assert_true(
			prefix_set_find(readonly, 3, &item.prefix.addr, NOW_NS, &got));
		assert_true(got.ends_ns == item.ends_ns);
	}
	assert_true(clock_mono_ns() - start_ns < 20 * NS_PER_S);

	assert_int_equal(prefix_set_put(set, &item), 1); /* the next writer heals it */
	assert_int_equal(*sequence % 2, 0);
	set_unmap(set, readonly);
}

/* Whatever stands in the slots, a reader stays inside, and takes nothing impossible. */
static void garbage_does_no_harm(void **state)
{
	uint64_t random = seed_start();
	const size_t size_bytes = prefix_set_size(CAPACITY);
	AUTO(free_mem) struct prefix_set *set = aligned_alloc(64, size_bytes);
	struct prefix_set_item item = numbered(0), got[64];
	uint64_t *sequence, *words = (uint64_t *)(void *)set;
	size_t cursor = 0, count;

	(void)state;
	assert_non_null(set);
	memset(set, 0, size_bytes);
	prefix_set_init(set, CAPACITY);
	assert_int_equal(prefix_set_put(set, &item), 0);
	sequence = sequence_of(set, &item);
	/* All but the geometry; half of it looks like the key of an item. */
	for (uint32_t *word = (uint32_t *)(void *)words + 9;
	     word < (uint32_t *)(void *)(words + size_bytes / 8); word++) {
		const uint32_t noise = (uint32_t)seed_next(&random);

		*word = seed_below(&random, 2) ? noise : (noise & 0x3f0002ff) | 0x400;
	}
	for (int i = 0; i < 20; i++) {
		item = numbered(seed_below(&random, 65536));
		*sequence = seed_next(&random);
		(void)prefix_set_find(set, 3, &item.prefix.addr, NOW_NS, got);
		(void)prefix_set_get(set, 3, &item.prefix, got);
	}
	do {
		cursor = prefix_set_walk(set, cursor, got, 64, &count);
		for (size_t i = 0; i < count; i++) {
			assert_true(got[i].group < PREFIX_SET_GROUPS_MAX);
			assert_true(got[i].prefix.len <=
				    addr_bits(got[i].prefix.addr.family));
		}
	} while (cursor != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_see_whole_items_while_the_writer_works),
		cmocka_unit_test(a_writer_that_is_stopped_hides_nothing),
		cmocka_unit_test(a_dead_writer_does_not_stop_readers),
		cmocka_unit_test(garbage_does_no_harm),
	};

	return cmocka_run_group_tests_name("base/prefix_set shared", tests, NULL, NULL);
}
