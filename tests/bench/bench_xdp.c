/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a verdict costs: ns a packet by BPF_PROG_TEST_RUN over random sources, at 0, 1 k, 100 k and 1 M bans, for
 * sources that are banned (hit) and that are not (miss), and how long it takes to load the bans.
 *
 * In namespaces of its own; attaches nothing. Prints TSV; "x_parse" is the cost as a multiple of
 * parsing. Without bans also what counting SYNs costs: a packet that is none; one while no limit is set ("miss"); of sources
 * that are new, that are known, and that are over their rate. Nothing is subtracted: "source" is what making the random address costs, which is in all figures.
 *
 * link: ../bpf/frame.c
 */
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "bench_xdp.h"
#include "bench_xdp.skel.h"
#include "bpf/abi.h"
#include "bpf/frame.h"
#include "policy/flags.h"
#include "sys/xdp.h"

#define PINS   "/sys/fs/bpf/postern"
#define PORT   25
#define ROUNDS 7u	/* the median counts */
#define REPEAT 1000000u /* packets of one round */
#define WARM_UP \
	5000000u /* each of a million sources has been met, as in the middle of a flood */
#define MISSES_FIRST 0x40000000u /* numbers that no ban has */
#define MISSES_COUNT 0x40000000u
#define LIST_ENTRIES 1000u  /* in the address list, beside the default entry */
#define KNOWN_COUNT  10000u /* sources that go on beginning connections */

static const uint32_t steps[] = {0, 1000, 100000, 1000000};

struct bench {
	struct xdp *xdp;
	struct bench_xdp_bpf *programs;
	struct frame frame;
	uint8_t family;
	double parse_ns;
};

static void die(const char *what, int err)
{
	(void)fprintf(stderr, "bench_xdp: %s: %s %s\n", what, strerror(-err),
		      xdp_problem());
	exit(1);
}

static int compare_ns(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t run_once(struct bench *bench, const struct bpf_program *program,
			 uint32_t repeat, uint32_t want)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bench->frame.bytes,
		    .data_size_in = (__u32)bench->frame.len, .repeat = (int)repeat);
	int err = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);

	if (err)
		die("BPF_PROG_TEST_RUN", err);
	if (opts.retval != want)
		die("a verdict that should not be", -EPROTO);
	return opts.duration;
}

/* Prints one line. Returns the median, ns. */
static uint32_t measure(struct bench *bench, const struct bpf_program *program,
			const char *name, uint32_t bans, uint32_t want)
{
	uint32_t ns[ROUNDS];

	(void)run_once(bench, program, WARM_UP, want);
	for (size_t i = 0; i < ROUNDS; i++)
		ns[i] = run_once(bench, program, REPEAT, want);
	qsort(ns, ROUNDS, sizeof(ns[0]), compare_ns);
	printf("packet\tipv%u\t%u\t%s\t%u\t%u\t%u", bench->family, bans, name,
	       ns[ROUNDS / 2], ns[0], ns[ROUNDS - 1]);
	if (bench->parse_ns > 0)
		printf("\t%.1f\n", ns[ROUNDS / 2] / bench->parse_ns);
	else
		printf("\t-\n");
	(void)fflush(stdout);
	return ns[ROUNDS / 2];
}

static void numbers_set(struct bench *bench, uint32_t first, uint32_t count)
{
	bench->programs->bss->bench_numbers.first = first;
	bench->programs->bss->bench_numbers.count = count;
}

static struct prefix numbered(uint8_t family, uint32_t number)
{
	struct prefix prefix = {.addr.family = family,
				.len = family == ADDR_V4 ? 32 : 64};
	const uint32_t source4 = bench_source4(number);
	const uint64_t source6 = bench_source6(number);

	if (family == ADDR_V4)
		memcpy(prefix.addr.bytes, &source4, sizeof(source4));
	else
		memcpy(prefix.addr.bytes, &source6, sizeof(source6));
	return prefix;
}

static void load_bans(struct bench *bench, uint32_t from, uint32_t to)
{
	struct xdp_ban *bans = calloc(to - from, sizeof(*bans));
	uint64_t begin_ns;
	int err;

	if (!bans)
		die("memory", -ENOMEM);
	for (uint32_t i = from; i < to; i++) {
		bans[i - from].prefix = numbered(bench->family, i);
		bans[i - from].ends_ns = ABI_FOREVER_NS;
	}
	begin_ns = clock_mono_ns();
	err = xdp_ban_load(bench->xdp, bans, to - from);
	if (err)
		die("loading bans", err);
	printf("load\tipv%u\t%u\tseconds\t%.3f\n", bench->family, to - from,
	       (double)(clock_mono_ns() - begin_ns) / (double)NS_PER_S);
	free(bans);
}

/* A default entry that permits, and some more specific ones. */
static void load_list(struct bench *bench)
{
	AUTO(prefix_builder_free) struct prefix_builder *builder = prefix_builder_new();
	AUTO(free_mem) void *memory = NULL;
	struct prefix_row first, second;
	int err = 0;

	for (uint32_t i = 0; i <= LIST_ENTRIES * 2 + 1 && !err; i++) {
		const uint8_t family = i % 2 ? ADDR_V4 : ADDR_V6;
		const uint8_t len = i < 2 ? 0 : family == ADDR_V4 ? 24 : 48;
		const struct addr addr = {
			.family = family,
			.bytes = {(uint8_t)(i * 37), (uint8_t)(i >> 8), (uint8_t)i},
		};
		const struct prefix_row row = {.prefix = prefix_make(&addr, len),
					       .value = FLAG_PA};

		err = prefix_builder_add(builder, &row);
	}
	if (!err)
		err = prefix_builder_sort(builder, &first, &second);
	memory = malloc(prefix_table_size(builder) + 8);
	if (!err)
		err = xdp_policy_load(bench->xdp, 0, "bench",
				      prefix_table_write(builder, memory));
	if (!err)
		err = xdp_service_set(bench->xdp, PORT, 0, false);
	if (err)
		die("the address list", err);
}

/* The bench's programs work on the maps that sys/xdp has pinned. */
static void programs_load(struct bench *bench)
{
	struct bpf_map *map;
	int err = 0;

	bench->programs = bench_xdp_bpf__open();
	if (!bench->programs)
		die("opening the programs", -errno);
	bpf_object__for_each_map(map, bench->programs->obj)
	{
		AUTO(close_fd) int fd = -1;
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", PINS, bpf_map__name(map));
		if (strchr(bpf_map__name(map), '.') ||
		    strncmp(bpf_map__name(map), "bench_", 6) == 0)
			continue; /* the bench's own */
		fd = bpf_obj_get(path);
		err = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
		if (err)
			die(path, err);
	}
	bench->programs->rodata->ban_cache_mask =
		bpf_map__max_entries(bench->programs->maps.ban_cache) - 1;
	bpf_program__set_autoload(bench->programs->progs.postern, false);
	err = bench_xdp_bpf__load(bench->programs);
	if (err)
		die("loading the programs", err);
}

/* The same addresses in the peers' maps. */
static void load_peers(const struct bench *bench, uint32_t count)
{
	const int hash = bpf_map__fd(bench->programs->maps.bench_hash);
	const int trie = bpf_map__fd(bench->programs->maps.bench_trie);
	int err = 0;

	for (uint32_t i = 0; i < count && !err; i++) {
		const uint32_t source = bench_source4(i);
		struct list4_key key = {.prefixlen = 32};

		memcpy(key.addr, &source, sizeof(source));
		err = bpf_map_update_elem(hash, &source, &i, BPF_ANY);
		if (!err)
			err = bpf_map_update_elem(trie, &key, &i, BPF_ANY);
	}
	if (err)
		die("loading the peers", err);
}

static void bench_peers(struct bench *bench, uint32_t bans)
{
	load_peers(bench, bans);
	(void)measure(bench, bench->programs->progs.bench_in_hash, "hash-hit", bans,
		      XDP_DROP);
	(void)measure(bench, bench->programs->progs.bench_in_trie, "trie-hit", bans,
		      XDP_DROP);
	numbers_set(bench, MISSES_FIRST, MISSES_COUNT);
	(void)measure(bench, bench->programs->progs.bench_in_hash, "hash-miss", bans,
		      XDP_PASS);
	(void)measure(bench, bench->programs->progs.bench_in_trie, "trie-miss", bans,
		      XDP_PASS);
}

static void limit_set(struct bench *bench, const struct xdp_syn_limit *limit)
{
	int err = xdp_syn_limit_set(bench->xdp, 0, limit);

	if (err)
		die("setting the limit of SYNs", err);
}

/* The verdict on packets of a permitted source, by what they begin. */
static void bench_syns(struct bench *bench)
{
	static const struct xdp_syn_limit off = {.mode = XDP_SYN_OFF};
	static const struct xdp_syn_limit usual = {XDP_SYN_ENFORCE, 20, 100};
	static const struct xdp_syn_limit wide = {XDP_SYN_ENFORCE, XDP_SYN_RATE_MAX,
						  XDP_SYN_BURST_MAX};
	static const struct xdp_syn_limit narrow = {XDP_SYN_ENFORCE, 1, 1};
	const struct bpf_program *verdict = bench->programs->progs.bench_verdict;

	frame_flags(&bench->frame, FRAME_ACK);
	(void)measure(bench, verdict, "no-syn", 0, XDP_PASS);
	frame_flags(&bench->frame, FRAME_SYN);
	limit_set(bench, &usual);
	(void)measure(bench, verdict, "syn-new", 0, XDP_PASS);
	numbers_set(bench, MISSES_FIRST, KNOWN_COUNT);
	limit_set(bench, &wide);
	(void)measure(bench, verdict, "syn-known", 0, XDP_PASS);
	numbers_set(bench, MISSES_FIRST, 1);
	limit_set(bench, &narrow);
	(void)measure(bench, verdict, "syn-over", 0, XDP_DROP);
	limit_set(bench, &off);
}

static void bench_family(uint8_t family)
{
	struct bench bench = {.family = family};
	uint32_t loaded = 0;
	int err;

	frame_knock(&bench.frame, family == ADDR_V4 ? FRAME_SOURCE4 : FRAME_SOURCE6,
		    PORT);
	err = xdp_open(PINS, ABI_BANS_DEFAULT, &bench.xdp);
	if (err)
		die("opening", err);
	load_list(&bench);
	programs_load(&bench);
	numbers_set(&bench, MISSES_FIRST, MISSES_COUNT);
	(void)measure(&bench, bench.programs->progs.bench_source, "source", 0, XDP_PASS);
	bench.parse_ns =
		measure(&bench, bench.programs->progs.bench_parse, "parse", 0, XDP_DROP);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i] > loaded)
			load_bans(&bench, loaded, steps[i]);
		loaded = steps[i];
		numbers_set(&bench, MISSES_FIRST, MISSES_COUNT);
		(void)measure(&bench, bench.programs->progs.bench_verdict, "miss", loaded,
			      XDP_PASS);
		if (loaded == 0) {
			bench_syns(&bench);
			continue;
		}
		numbers_set(&bench, 0, loaded);
		(void)measure(&bench, bench.programs->progs.bench_verdict, "hit", loaded,
			      XDP_DROP);
		if (family == ADDR_V4 && loaded == 1000000)
			bench_peers(&bench, loaded);
	}
	bench_xdp_bpf__destroy(bench.programs);
	xdp_close(&bench.xdp);
	err = xdp_detach_all(PINS);
	if (err)
		die("detaching", err);
}

/* A million at once into an empty map, as a start does. */
static void bench_load(uint8_t family)
{
	struct bench bench = {.family = family};
	int err = xdp_open(PINS, ABI_BANS_DEFAULT, &bench.xdp);

	if (err)
		die("opening", err);
	load_bans(&bench, 0, 1000000);
	xdp_close(&bench.xdp);
	err = xdp_detach_all(PINS);
	if (err)
		die("detaching", err);
}

int main(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=700") < 0)
		die("namespaces (root?)", -errno);
	printf("#packet\tfamily\tbans\tcase\tns_median\tns_min\tns_max\tx_parse\n");
	printf("#load\tfamily\tbans\tunit\ttime\n");
	bench_load(ADDR_V4);
	bench_load(ADDR_V6);
	bench_family(ADDR_V4);
	bench_family(ADDR_V6);
	return 0;
}
