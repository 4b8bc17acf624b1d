/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/test_keeper_ops - the keeper obeys no order that it has not checked.
 *
 * Doubles stand here for the kernel's maps and for the way back to the ledger.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proc/keeper_state.h"

#define CALLS_MAX 16u

/* ---- doubles ------------------------------------------------------------------------------------- */

struct xdp {
	int unused;
};

static struct xdp the_xdp;
static char calls[CALLS_MAX][64]; /* "set 192.0.2.1", in order */
static size_t call_count;
static const char *failing; /* address whose setting fails */
static int load_error;
static size_t walk_left; /* bans that a walk still gives */
static struct msg sent[CALLS_MAX];
static size_t sent_count;

static void note(const char *what, const struct prefix *prefix)
{
	char text[PREFIX_TEXT_MAX];

	assert_true(call_count < CALLS_MAX);
	(void)snprintf(calls[call_count++], sizeof(calls[0]), "%s %s", what,
		       prefix_format(prefix, text));
}

int xdp_ban_set(struct xdp *xdp, const struct xdp_ban *bans, size_t count,
		size_t *out_done)
{
	assert_ptr_equal(xdp, &the_xdp);
	for (size_t i = 0; i < count; i++) {
		char text[PREFIX_TEXT_MAX];

		*out_done = i;
		if (failing && strcmp(prefix_format(&bans[i].prefix, text), failing) == 0)
			return -E2BIG;
		note("set", &bans[i].prefix);
	}
	*out_done = count;
	return 0;
}

int xdp_ban_load(struct xdp *xdp, const struct xdp_ban *bans, size_t count)
{
	assert_ptr_equal(xdp, &the_xdp);
	if (load_error)
		return load_error;
	for (size_t i = 0; i < count; i++)
		note("load", &bans[i].prefix);
	return 0;
}

int xdp_ban_remove(struct xdp *xdp, const struct prefix *prefix, uint16_t policy)
{
	assert_ptr_equal(xdp, &the_xdp);
	(void)policy;
	note("remove", prefix);
	return 0;
}

int xdp_ban_get(struct xdp *xdp, const struct prefix *prefix, uint16_t policy,
		struct xdp_ban *out_ban)
{
	assert_ptr_equal(xdp, &the_xdp);
	if (prefix->addr.bytes[3] != 1)
		return -ENOENT;
	*out_ban = (struct xdp_ban){*prefix, policy, 99, 7, 55};
	return 0;
}

int xdp_ban_walk(struct xdp *xdp, bool restart, struct xdp_ban *out_bans, size_t max,
		 size_t *out_count)
{
	assert_ptr_equal(xdp, &the_xdp);
	if (restart)
		walk_left = MSG_BANS_MAX + 3;
	*out_count = walk_left < max ? walk_left : max;
	memset(out_bans, 0, *out_count * sizeof(*out_bans));
	for (size_t i = 0; i < *out_count; i++)
		out_bans[i].prefix =
			(struct prefix){{.bytes = {192, 0, 2, 1}, .family = 4}, 32};
	walk_left -= *out_count;
	return 0;
}

/* The second fence: what reaches it as good, and what it has. */
void fence_edits(struct keeper *of, struct msg_bans *bans)
{
	for (uint32_t i = 0; of->fence.is_on && i < bans->count; i++)
		if (!bans->bans[i].error)
			note("fence", &bans->bans[i].prefix);
}

bool fence_find(const struct keeper *of, const struct prefix *prefix, uint16_t policy,
		struct xdp_ban *out_ban)
{
	assert_null(of->xdp);
	if (!of->fence.is_on || prefix->addr.bytes[3] != 1)
		return false;
	*out_ban = (struct xdp_ban){*prefix, policy, 98, 0, 0};
	return true;
}

void fence_walk(struct keeper *of, bool restart, struct xdp_ban *out_bans, size_t max,
		size_t *out_count)
{
	assert_null(of->xdp);
	assert_true(max > 0);
	*out_count = of->fence.is_on && restart;
	out_bans[0] = (struct xdp_ban){
		.prefix = {{.bytes = {192, 0, 2, 1}, .family = ADDR_V4}, 32}};
}

void child_send(struct keeper_child *child, const struct msg *msg, int fd)
{
	assert_int_equal(fd, -1);
	/* The keeper itself must not say what a receiver would refuse. */
	assert_int_equal(
		msg_validate(ROLE_KEEPER, child->role, msg, msg_size(msg->type), false),
		0);
	assert_true(sent_count < CALLS_MAX);
	sent[sent_count++] = *msg;
}

/* ---- a keeper with one policy, id 3, and a protected backend ------------------------------------- */

static struct conf conf;
static struct protected_set protected_set;
static struct keeper keeper;

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

static int set_up(void **state)
{
	const struct prefix backend = prefix_of("198.51.100.2");
	const struct prefix network = prefix_of("2001:db8:5::1");

	(void)state;
	conf_init(&conf);
	conf.policy_count = 1;
	conf.policies[0].id = 3;
	memset(&protected_set, 0, sizeof(protected_set));
	assert_int_equal(protected_add(&protected_set, &backend, "backend"), 0);
	assert_int_equal(protected_add(&protected_set, &network, "own address"), 0);
	memset(&keeper, 0, sizeof(keeper));
	keeper.snapshot.conf = &conf;
	keeper.snapshot.protected_set = &protected_set;
	keeper.xdp = &the_xdp;
	keeper.children[0].role = ROLE_LEDGER;
	keeper.child_count = 1;
	call_count = sent_count = 0;
	failing = NULL;
	load_error = 0;
	return 0;
}

static void add(struct msg *msg, enum ban_edit_kind edit, const char *prefix)
{
	msg->bans.bans[msg->bans.count++] = (struct msg_ban){
		.prefix = prefix_of(prefix),
		.edit = (uint8_t)edit,
		.policy = 3,
		.ends_ns = clock_boot_ns() + NS_PER_S,
	};
}

static struct msg edits(void)
{
	return (struct msg){.type = MSG_BAN_EDITS, .bans = {.seq = 17}};
}

static const struct msg_bans *answer(uint32_t type)
{
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0].type, type);
	assert_int_equal(sent[0].bans.seq, 17);
	return &sent[0].bans;
}

static void expect_calls(const char *const *want, size_t count)
{
	assert_int_equal(call_count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(calls[i], want[i]);
}

static void what_is_protected_is_not_banned(void **state)
{
	static const char *const refused[] = {"198.51.100.2",  "198.51.100.0/24",
					      "0.0.0.0/0",     "2001:db8:5::/64",
					      "2001:db8:5::1", "::/0"};
	static const char *const want[] = {"set 198.51.100.3", "set 2001:db8:5:1::/64"};
	struct msg msg = edits();
	const struct msg_bans *done;

	(void)state;
	for (size_t i = 0; i < 6; i++)
		add(&msg, BAN_EDIT_SET, refused[i]);
	add(&msg, BAN_EDIT_SET, "198.51.100.3");
	add(&msg, BAN_EDIT_SET, "2001:db8:5:1::/64");
	ops_edit(&keeper, &msg);
	done = answer(MSG_EDITS_DONE);
	for (size_t i = 0; i < 6; i++)
		if (done->bans[i].error != -EPERM)
			fail_msg("%s was not refused", refused[i]);
	assert_int_equal(done->bans[6].error, 0);
	assert_int_equal(done->bans[7].error, 0);
	expect_calls(want, 2);
}

static void a_ban_of_what_is_protected_can_be_lifted(void **state)
{
	static const char *const want[] = {"remove 198.51.100.2"};
	struct msg msg = edits();

	(void)state;
	add(&msg, BAN_EDIT_REMOVE, "198.51.100.2");
	ops_edit(&keeper, &msg);
	assert_int_equal(answer(MSG_EDITS_DONE)->bans[0].error, 0);
	expect_calls(want, 1);
}

static void a_policy_that_is_not_configured_takes_no_ban(void **state)
{
	struct msg msg = edits();

	(void)state;
	add(&msg, BAN_EDIT_SET, "192.0.2.1");
	msg.bans.bans[0].policy = 0;
	ops_edit(&keeper, &msg);
	assert_int_equal(answer(MSG_EDITS_DONE)->bans[0].error, -ENOENT);
	assert_int_equal(call_count, 0);
}

static void an_end_that_cannot_be_is_refused(void **state)
{
	struct msg msg = edits();
	const struct msg_bans *done;

	(void)state;
	for (int i = 0; i < 4; i++)
		add(&msg, BAN_EDIT_SET, "192.0.2.1");
	msg.bans.bans[0].ends_ns = 0;
	msg.bans.bans[1].ends_ns = CLOCK_FOREVER_NS - 1;
	msg.bans.bans[2].ends_ns = CLOCK_FOREVER_NS;
	msg.bans.bans[3].ends_ns =
		clock_boot_ns() + UINT64_C(100) * 365 * 86400 * NS_PER_S;
	ops_edit(&keeper, &msg);
	done = answer(MSG_EDITS_DONE);
	assert_int_equal(done->bans[0].error, -EINVAL);
	assert_int_equal(done->bans[1].error, -EINVAL);
	assert_int_equal(done->bans[2].error, 0);
	assert_int_equal(done->bans[3].error, 0);
}

static void edits_keep_their_order(void **state)
{
	static const char *const want[] = {"set 192.0.2.1", "set 192.0.2.2",
					   "remove 192.0.2.1", "set 192.0.2.1"};
	struct msg msg = edits();

	(void)state;
	add(&msg, BAN_EDIT_SET, "192.0.2.1");
	add(&msg, BAN_EDIT_SET, "192.0.2.2");
	add(&msg, BAN_EDIT_REMOVE, "192.0.2.1");
	add(&msg, BAN_EDIT_SET, "192.0.2.1");
	ops_edit(&keeper, &msg);
	assert_int_equal(answer(MSG_EDITS_DONE)->count, 4);
	expect_calls(want, 4);
}

static void one_that_fails_does_not_stop_the_rest(void **state)
{
	static const char *const want[] = {"set 192.0.2.1", "set 192.0.2.3"};
	struct msg msg = edits();
	const struct msg_bans *done;

	(void)state;
	failing = "192.0.2.2";
	add(&msg, BAN_EDIT_SET, "192.0.2.1");
	add(&msg, BAN_EDIT_SET, "192.0.2.2");
	add(&msg, BAN_EDIT_SET, "192.0.2.3");
	ops_edit(&keeper, &msg);
	done = answer(MSG_EDITS_DONE);
	assert_int_equal(done->bans[0].error, 0);
	assert_int_equal(done->bans[1].error, -E2BIG);
	assert_int_equal(done->bans[2].error, 0);
	expect_calls(want, 2);
}

static void a_load_that_fails_is_done_one_by_one(void **state)
{
	static const char *const loaded[] = {"load 192.0.2.1", "load 192.0.2.2"};
	static const char *const set[] = {"set 192.0.2.1", "set 192.0.2.2"};
	struct msg msg = edits();

	(void)state;
	msg.bans.load = 1;
	add(&msg, BAN_EDIT_SET, "192.0.2.1");
	add(&msg, BAN_EDIT_SET, "192.0.2.2");
	ops_edit(&keeper, &msg);
	expect_calls(loaded, 2);
	call_count = 0;
	load_error = -E2BIG;
	ops_edit(&keeper, &msg);
	expect_calls(set, 2);
}

static void without_a_kernel_side_the_ledger_is_told(void **state)
{
	struct msg msg = edits();
	const struct msg_bans *done;

	(void)state;
	keeper.xdp = NULL;
	add(&msg, BAN_EDIT_SET, "192.0.2.1");
	add(&msg, BAN_EDIT_REMOVE, "192.0.2.1");
	add(&msg, BAN_EDIT_SET, "198.51.100.2");
	ops_edit(&keeper, &msg);
	done = answer(MSG_EDITS_DONE);
	assert_int_equal(done->bans[0].error, -EOPNOTSUPP);
	assert_int_equal(done->bans[1].error, -EOPNOTSUPP);
	assert_int_equal(done->bans[2].error,
			 -EPERM); /* the gates shall not ban it, either */
}

static void both_fences_get_what_was_checked(void **state)
{
	static const char *const want[] = {"set 192.0.2.1", "fence 192.0.2.1"};
	struct msg msg = edits();

	(void)state;
	keeper.fence.is_on = true;
	add(&msg, BAN_EDIT_SET, "192.0.2.1");
	add(&msg, BAN_EDIT_SET, "198.51.100.2"); /* protected */
	ops_edit(&keeper, &msg);
	assert_int_equal(answer(MSG_EDITS_DONE)->bans[1].error, -EPERM);
	expect_calls(want, 2);
}

static void without_xdp_the_second_fence_is_all_there_is(void **state)
{
	static const char *const want[] = {"fence 192.0.2.1", "fence 192.0.2.2"};
	struct msg msg = edits();

	(void)state;
	keeper.xdp = NULL;
	keeper.fence.is_on = true;
	add(&msg, BAN_EDIT_SET, "192.0.2.1");
	add(&msg, BAN_EDIT_REMOVE, "192.0.2.2");
	ops_edit(&keeper, &msg);
	assert_int_equal(answer(MSG_EDITS_DONE)->bans[0].error, 0);
	assert_int_equal(sent[0].bans.bans[1].error, 0);
	expect_calls(want, 2);
	sent_count = 0;
	ops_lookup(&keeper, &msg);
	assert_int_equal(answer(MSG_BAN_PAGE)->bans[0].ends_ns, 98);
	assert_int_equal(sent[0].bans.bans[1].error, -ENOENT);
	sent_count = 0;
	ops_walk(&keeper, &(const struct msg){.ban_walk = {.seq = 17, .restart = true}});
	assert_int_equal(answer(MSG_BAN_PAGE)->count, 1);
	assert_int_equal(sent[0].bans.last, 0);
}

static void a_walk_comes_in_pages_and_has_an_end(void **state)
{
	static const uint32_t want[] = {MSG_BANS_MAX, 3, 0};
	struct msg msg = {.type = MSG_BAN_WALK, .ban_walk = {.seq = 17, .restart = 1}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		ops_walk(&keeper, &msg);
		msg.ban_walk.restart = 0;
		assert_int_equal(sent[i].type, MSG_BAN_PAGE);
		assert_int_equal(sent[i].bans.count, want[i]);
		assert_int_equal(sent[i].bans.last, want[i] == 0);
	}
}

static void a_lookup_says_of_each_what_the_kernel_has(void **state)
{
	struct msg msg = {.type = MSG_BAN_LOOKUP, .bans = {.seq = 17}};
	const struct msg_bans *page;

	(void)state;
	add(&msg, BAN_EDIT_SET, "192.0.2.1");
	add(&msg, BAN_EDIT_SET, "192.0.2.2");
	ops_lookup(&keeper, &msg);
	page = answer(MSG_BAN_PAGE);
	assert_int_equal(page->last, 1);
	assert_int_equal(page->bans[0].error, 0);
	assert_int_equal(page->bans[0].packets, 7);
	assert_int_equal(page->bans[0].ends_ns, 99);
	assert_int_equal(page->bans[1].error, -ENOENT);
}

static void a_long_report_comes_in_parts_and_whole(void **state)
{
	static char text[3 * MSG_TEXT_MAX];
	static char got[sizeof(text)];
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + i % 26);
	ops_report(&keeper, 17, -EINVAL, text);
	for (size_t i = 0; i < sent_count; i++) {
		size_t part = strlen(sent[i].report.text);

		assert_int_equal(sent[i].report.error, -EINVAL);
		assert_int_equal(sent[i].report.last, i + 1 == sent_count);
		memcpy(got + len, sent[i].report.text, part);
		len += part;
	}
	assert_string_equal(got, text);
}

static void an_empty_report_is_one_message(void **state)
{
	(void)state;
	ops_report(&keeper, 17, 0, "");
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0].report.last, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_protected_is_not_banned, set_up),
		cmocka_unit_test_setup(a_ban_of_what_is_protected_can_be_lifted, set_up),
		cmocka_unit_test_setup(a_policy_that_is_not_configured_takes_no_ban,
				       set_up),
		cmocka_unit_test_setup(an_end_that_cannot_be_is_refused, set_up),
		cmocka_unit_test_setup(edits_keep_their_order, set_up),
		cmocka_unit_test_setup(one_that_fails_does_not_stop_the_rest, set_up),
		cmocka_unit_test_setup(a_load_that_fails_is_done_one_by_one, set_up),
		cmocka_unit_test_setup(without_a_kernel_side_the_ledger_is_told, set_up),
		cmocka_unit_test_setup(both_fences_get_what_was_checked, set_up),
		cmocka_unit_test_setup(without_xdp_the_second_fence_is_all_there_is,
				       set_up),
		cmocka_unit_test_setup(a_walk_comes_in_pages_and_has_an_end, set_up),
		cmocka_unit_test_setup(a_lookup_says_of_each_what_the_kernel_has, set_up),
		cmocka_unit_test_setup(a_long_report_comes_in_parts_and_whole, set_up),
		cmocka_unit_test_setup(an_empty_report_is_one_message, set_up),
	};

	return cmocka_run_group_tests_name("proc/keeper_ops", tests, NULL, NULL);
}
