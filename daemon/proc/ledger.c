/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger - the process: its loop, its channels, and what happens at start, reload and end.
 */
#include "proc/ledger.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <event2/event.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/channel.h"
#include "proc/ledger_ask.h"
#include "proc/ledger_bans.h"
#include "proc/ledger_checker.h"
#include "proc/ledger_ctl.h"
#include "proc/ledger_events.h"
#include "proc/ledger_findings.h"
#include "proc/ledger_gather.h"
#include "proc/ledger_grey.h"
#include "proc/ledger_grey_store.h"
#include "proc/ledger_recent.h"
#include "proc/ledger_repair.h"
#include "proc/ledger_store.h"
#include "proc/ledger_strikes.h"
#include "proc/ledger_sync.h"
#include "proc/ledger_tests.h"
#include "sys/db.h"
#include "sys/sandbox.h"

#define ADMIN_GROUP "postern"

struct ledger_process {
	struct ledger ledger; /* first: the parts know only this */
	struct event *tick;
	int control_fd; /* until it is served */
	bool is_started;
	uint64_t start_mono_ns;
};

static struct ledger_process *process_of(struct ledger *ledger)
{
	return (struct ledger_process *)ledger;
}

/* ---- start: store, set, kernel ------------------------------------------------------------------ */

static int ledger_on_stored(void *context, const struct db_ban *ban)
{
	struct ledger *ledger = context;
	int err = bans_restore(ledger, ban);

	if (err)
		log_error(
			"event=ban-failed error=\"the set is full: bans-max is smaller than the store\"");
	return err;
}

/* Bans of the store into the set: of one policy (key), or of all (0). */
static int ledger_load_bans(struct ledger *ledger, uint32_t key)
{
	const struct db_range range = {.policy = key};
	int err = db_bans_read(store_db(ledger), &range, ledger_on_stored, ledger);

	return err == -ENOSPC ? 0 : err; /* what fits is enforced; it was said */
}

static void ledger_on_repaired(struct ledger *ledger, const struct repair_result *result)
{
	const struct msg ready = {.type = MSG_READY};
	struct ledger_process *process = process_of(ledger);

	ledger_turn(ledger);
	log_info(
		"event=bans-synced bans=%zu kernel=%zu kept=%zu set=%zu removed=%zu imported=%zu failed=%zu ms=%llu",
		prefix_set_count(ledger->set), result->kernel, result->kept, result->set,
		result->removed, result->imported, result->failed,
		(unsigned long long)((ledger->now.mono_ns - process->start_mono_ns) /
				     NS_PER_MS));
	if (ledger->is_ready)
		return;
	ledger->is_ready = true;
	(void)channel_send(ledger->keeper, &ready, -1);
	recent_count(ledger);
	if (process->control_fd >= 0)
		ledger->ctl = ctl_new(ledger, TAKE_FD(process->control_fd));
}

/* The store's part of the start. 0; -errno, logged. */
static int ledger_open_store(struct ledger *ledger, bool *out_is_empty)
{
	int err = store_open(ledger, LEDGER_DB_PATH, out_is_empty);

	if (err)
		return err;
	store_name_policies(ledger);
	err = db_bans_end_all(store_db(ledger), ledger->now.wall_s);
	if (err == -EUCLEAN)
		return err;
	if (err)
		store_abort(ledger,
			    err); /* a full disk: they are not enforced all the same */
	err = ledger_load_bans(ledger, 0);
	if (!err)
		err = strikes_restore(ledger);
	if (!err)
		grey_store_start(ledger);
	return err;
}

/* The store is damaged where only reading all of it shows it: nothing that was read counts. */
static int ledger_begin_anew(struct ledger *ledger)
{
	int err;

	/* Nobody else has the set before READY. */
	memset(ledger->set_memory, 0, ledger->set_bytes);
	ledger->set = prefix_set_init(ledger->set_memory, ledger->set_capacity);
	err = store_replace(ledger, LEDGER_DB_PATH);
	if (!err)
		store_name_policies(ledger);
	return err;
}

static void ledger_start(struct ledger *ledger)
{
	bool is_empty = false;
	int err;

	if (!ledger->has_snapshot || !ledger->set || process_of(ledger)->is_started ||
	    !recent_begin(ledger)) {
		log_error(
			"event=error what=start reason=\"START came too early or twice\"");
		ledger_fail(ledger);
		return;
	}
	process_of(ledger)->is_started = true;
	process_of(ledger)->start_mono_ns = ledger->now.mono_ns;
	ledger->strikes = strikes_new(ledger);
	err = ledger->strikes ? ledger_open_store(ledger, &is_empty) : -ENOMEM;
	if (err == -EUCLEAN && store_state(ledger) == STORE_OK) {
		/* Damage that only shows when everything is read. */
		err = ledger_begin_anew(ledger);
		is_empty = true;
	}
	if (!err)
		err = repair_begin(ledger, is_empty, ledger_on_repaired);
	if (err) {
		log_error("event=error what=start reason=\"%s\"", strerror(-err));
		ledger_fail(ledger);
	}
}

/* ---- reload --------------------------------------------------------------------------------------- */

/* Bans of a policy that is not configured any more stay in the store alone. */
static void ledger_drop_policy(struct ledger *ledger, uint32_t id)
{
	bool is_changed;

	/* A removal moves items, so that a walk may miss some: until a whole walk finds none. */
	do {
		size_t cursor = 0;

		is_changed = false;
		do {
			struct prefix_set_item items[64];
			size_t count = 0;

			cursor = prefix_set_walk(ledger->set, cursor, items, 64, &count);
			for (size_t i = 0; i < count; i++) {
				if (items[i].group == id &&
				    prefix_set_remove(ledger->set, items[i].group,
						      &items[i].prefix))
					is_changed = true;
			}
		} while (cursor != 0);
	} while (is_changed && prefix_set_count(ledger->set));
}

static void ledger_apply_policies(struct ledger *ledger,
				  const uint32_t old_keys[CONF_POLICY_IDS])
{
	bool is_changed = false;
	int err = 0;

	store_name_policies(ledger);
	for (uint32_t id = 0; id < CONF_POLICY_IDS; id++) {
		if (ledger->keys[id] == old_keys[id])
			continue;
		is_changed = true;
		if (old_keys[id])
			ledger_drop_policy(ledger, id);
		if (ledger->keys[id] && !err)
			err = ledger_load_bans(ledger, ledger->keys[id]);
	}
	if (err)
		store_abort(ledger, err);
	if (is_changed) {
		process_of(ledger)->start_mono_ns = ledger->now.mono_ns;
		err = repair_begin(ledger, false, ledger_on_repaired);
		if (err && err != -EALREADY)
			ledger_fail(ledger);
	}
	ledger->next_round_protected = true;
}

static void ledger_on_conf(struct ledger *ledger, int fd)
{
	struct snapshot snapshot;
	uint32_t old_keys[CONF_POLICY_IDS];
	uint64_t generation = 0;
	int err = snapshot_open(fd, &snapshot);

	if (err) {
		log_error("event=error what=snapshot reason=\"%s\"", strerror(-err));
		ledger_fail(ledger);
		return;
	}
	if (ledger->has_snapshot) {
		generation = ledger_conf(ledger)->generation;
		snapshot_close(&ledger->snapshot);
	}
	ledger->snapshot = snapshot;
	ledger->has_snapshot = true;
	if (!process_of(ledger)->is_started)
		return;
	memcpy(old_keys, ledger->keys, sizeof(old_keys));
	ledger_apply_policies(ledger, old_keys);
	recent_count(ledger); /* services may have become others */
	if (ledger_conf(ledger)->generation != generation)
		events_message(ledger, "reload", "a new configuration is in force");
}

static int ledger_take_bans(struct ledger *ledger, const struct msg_shared *msg, int fd)
{
	size_t capacity = ledger->has_snapshot ? ledger_conf(ledger)->limits.bans_max : 0;
	void *memory;

	if (ledger->set || !capacity || prefix_set_size(capacity) > msg->size_bytes)
		return -EINVAL;
	memory = mmap(NULL, msg->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	ledger->set_memory = memory;
	ledger->set_bytes = msg->size_bytes;
	ledger->set_capacity = capacity;
	ledger->set = prefix_set_init(memory, capacity);
	return 0;
}

static void ledger_on_shared(struct ledger *ledger, const struct msg_shared *msg, int fd)
{
	const int err = msg->what == SHARED_LOGINS ? recent_take_memory(ledger, msg, fd)
						   : ledger_take_bans(ledger, msg, fd);

	if (!err)
		return;
	log_error("event=error what=shared-memory reason=\"%s\"",
		  err == -EINVAL ? "it does not fit the configuration" : strerror(-err));
	ledger_fail(ledger);
}

/* ---- channels --------------------------------------------------------------------------------------- */

static void ledger_on_login(struct ledger *ledger, unsigned int gate,
			    const struct msg_login *login)
{
	strikes_on_login(ledger, login);
	recent_on_login(ledger, gate, login);
}

static void ledger_on_gate_message(void *context, struct channel *channel,
				   const struct msg *msg, int fd)
{
	const unsigned int gate = channel_index(channel);
	struct ledger *ledger = context;

	close_fd(&fd);
	ledger_turn(ledger);
	/* A gate of an earlier ledger may speak before the store is read: it is told to the wind. */
	if (!ledger->strikes || !process_of(ledger)->is_started) {
		if (msg->type == MSG_GREY_ASK)
			grey_decline(ledger, channel_index(channel), &msg->grey_ask);
		return;
	}
	if (msg->type == MSG_STRIKE)
		strikes_on_strike(ledger, &msg->strike);
	else if (msg->type == MSG_LOGIN)
		ledger_on_login(ledger, gate, &msg->login);
	else if (msg->type == MSG_LOGOUT)
		recent_on_logout(ledger, gate, &msg->logout);
	else if (msg->type == MSG_FINDING)
		findings_take(ledger, &msg->finding);
	else if (msg->type == MSG_TEST_STEP)
		tests_on_step(ledger, gate, &msg->test_step);
	else if (msg->type == MSG_SESSIONS_PAGE)
		gather_on_page(ledger, gate, &msg->sessions_page);
	else if (msg->type == MSG_GREY_ASK)
		grey_on_ask(ledger, gate, &msg->grey_ask);
}

/* What a gate that is gone was asked, and its sessions. */
static void ledger_forget_gate(struct ledger *ledger, unsigned int gate)
{
	gather_on_gate_gone(ledger, gate);
	tests_on_gate_gone(ledger, gate);
	recent_on_gate_gone(ledger, gate);
}

static void ledger_on_gate_closed(void *context, struct channel *channel, int error)
{
	struct ledger *ledger = context;
	uint32_t index = channel_index(channel);

	ledger_turn(ledger);
	if (error)
		log_error("event=channel-broken peer=gate%u error=\"%s\"", index,
			  strerror(-error));
	ledger_forget_gate(ledger, index);
	if (ledger->gates[index] == channel)
		channel_free(&ledger->gates[index]);
}

static void ledger_on_peer(struct ledger *ledger, const struct msg_peer *msg, int fd)
{
	struct channel_conf conf = {
		.base = ledger->base,
		.fd = fd,
		.self = ROLE_LEDGER,
		.other = ROLE_GATE,
		.index = msg->index,
		.on_message = ledger_on_gate_message,
		.on_closed = ledger_on_gate_closed,
		.context = ledger,
	};

	if (msg->role == ROLE_CHECKER) {
		if (ledger_checker_attach(ledger, fd))
			ledger_fail(ledger);
		return;
	}
	if (msg->role != ROLE_GATE || msg->index >= CONF_GATES_MAX) {
		close_fd(&fd);
		ledger_fail(ledger);
		return;
	}
	if (ledger->gates[msg->index]) { /* of its earlier life */
		ledger_forget_gate(ledger, msg->index);
		channel_free(&ledger->gates[msg->index]);
	}
	ledger->gates[msg->index] = channel_new(&conf);
	if (!ledger->gates[msg->index]) {
		close_fd(&fd);
		ledger_fail(ledger);
	}
}

static void ledger_drain(struct ledger *ledger)
{
	if (process_of(ledger)->is_started) {
		store_tick(ledger); /* strikes of the last second */
		grey_store_tick(ledger);
	}
	(void)event_base_loopbreak(ledger->base);
}

static void ledger_on_keeper_message(void *context, struct channel *channel,
				     const struct msg *msg, int fd)
{
	struct ledger *ledger = context;

	(void)channel;
	ledger_turn(ledger);
	if (msg->type == MSG_CONF)
		ledger_on_conf(ledger, fd);
	else if (msg->type == MSG_SHARED)
		ledger_on_shared(ledger, &msg->shared, fd);
	else if (msg->type == MSG_PEER)
		ledger_on_peer(ledger, &msg->peer, TAKE_FD(fd));
	else if (msg->type == MSG_START)
		ledger_start(ledger);
	else if (msg->type == MSG_DRAIN)
		ledger_drain(ledger);
	else if (msg->type == MSG_SYNS)
		findings_take_syns(ledger, &msg->syns);
	else
		ask_answer(ledger, msg);
	close_fd(&fd);
}

static void ledger_on_keeper_closed(void *context, struct channel *channel, int error)
{
	struct ledger *ledger = context;

	(void)channel;
	log_error("event=channel-broken peer=keeper error=\"%s\"", strerror(-error));
	ledger_fail(ledger);
}

/* ---- life --------------------------------------------------------------------------------------------- */

static void ledger_on_tick(evutil_socket_t fd, short what, void *context)
{
	struct ledger *ledger = context;

	(void)fd;
	(void)what;
	ledger_turn(ledger);
	ask_tick(ledger);
	if (!process_of(ledger)->is_started)
		return;
	store_tick(ledger);
	grey_store_tick(ledger);
	strikes_tick(ledger);
	recent_tick(ledger);
	sync_pump(ledger);
	ctl_tick(ledger);
	/* A walk in progress compares with the set: what has ended can wait. */
	if (ledger->is_ready && !repair_is_running(ledger))
		bans_tick(ledger);
}

static int ledger_make_parts(struct ledger *ledger)
{
	const struct timeval second = {.tv_sec = 1};
	struct ledger_process *process = process_of(ledger);

	ledger->asks = asks_new();
	ledger->store = store_new();
	ledger->sync = sync_new();
	ledger->events = events_new();
	ledger->findings = findings_new();
	ledger->gather = gather_new();
	ledger->checker = ledger_checker_new();
	ledger->tests = tests_new();
	ledger->recent = recent_new();
	ledger->grey = grey_new(ledger);
	ledger->grey_store = grey_store_new();
	process->tick = event_new(ledger->base, -1, EV_PERSIST, ledger_on_tick, ledger);
	if (!ledger->asks || !ledger->store || !ledger->sync || !ledger->events ||
	    !ledger->checker || !ledger->findings || !ledger->gather || !ledger->tests ||
	    !ledger->recent || !ledger->grey || !ledger->grey_store || !process->tick ||
	    evtimer_add(process->tick, &second))
		return -ENOMEM;
	bans_init(ledger);
	return 0;
}

int ledger_open(const struct child_boot *boot, gid_t admin_gid,
		struct ledger **out_ledger)
{
	AUTO(ledger_close)
	struct ledger *ledger = calloc(1, sizeof(struct ledger_process));
	struct channel_conf conf = {
		.fd = boot->keeper_fd,
		.self = ROLE_LEDGER,
		.other = ROLE_KEEPER,
		.on_message = ledger_on_keeper_message,
		.on_closed = ledger_on_keeper_closed,
		.context = ledger,
	};
	int err;

	if (!ledger)
		return -ENOMEM;
	process_of(ledger)->control_fd = boot->control_fd;
	ledger->admin_gid = admin_gid;
	ledger->base = event_base_new();
	if (!ledger->base)
		return -ENOMEM;
	ledger_turn(ledger);
	ledger->started_wall_s = ledger->now.wall_s;
	err = ledger_make_parts(ledger);
	if (err)
		return err;
	conf.base = ledger->base;
	ledger->keeper = channel_new(&conf);
	if (!ledger->keeper)
		return -ENOMEM;
	*out_ledger = TAKE_PTR(ledger);
	return 0;
}

int ledger_run(struct ledger *ledger)
{
	if (event_base_dispatch(ledger->base) < 0)
		return EXIT_FAILURE;
	return ledger->exit_status;
}

void ledger_close(struct ledger **ledger)
{
	struct ledger *l = *ledger;

	if (!l)
		return;
	ctl_free(&l->ctl); /* first: its jobs look at the others */
	close_fd(&process_of(l)->control_fd);
	repair_free(&l->repair);
	strikes_free(&l->strikes);
	recent_free(&l->recent);
	sync_free(&l->sync);
	gather_free(&l->gather);
	tests_free(&l->tests);
	findings_free(&l->findings);
	grey_free(&l->grey);
	grey_store_free(&l->grey_store);
	ledger_checker_free(&l->checker);
	events_free(&l->events);
	asks_free(&l->asks);
	for (size_t i = 0; i < CONF_GATES_MAX; i++)
		channel_free(&l->gates[i]);
	channel_free(&l->keeper);
	store_free(&l->store);
	if (l->set_memory)
		(void)munmap(l->set_memory, l->set_bytes);
	if (l->has_snapshot)
		snapshot_close(&l->snapshot);
	if (process_of(l)->tick)
		event_free(process_of(l)->tick);
	if (l->base)
		event_base_free(l->base);
	free(l);
	*ledger = NULL;
}

int ledger_main(const struct child_boot *boot)
{
	AUTO(ledger_close) struct ledger *ledger = NULL;
	/* The sandbox has no /etc/group. */
	const struct group *group = getgrnam(ADMIN_GROUP);
	gid_t admin_gid = group ? group->gr_gid : (gid_t)-1;
	int err;

	(void)umask(
		077); /* who was banned, and for which user name, is nobody else's business */
	/* Nor is there a /dev/urandom: chance is taken from it once. */
	db_seed();
	json_object_seed(0);
	err = sandbox_enter(SANDBOX_LEDGER, boot->user, boot->state_dir);
	if (err) {
		log_error("event=error what=sandbox reason=\"%s\"", strerror(-err));
		return EXIT_FAILURE;
	}
	err = ledger_open(boot, admin_gid, &ledger);
	if (err) {
		log_error("event=error what=start reason=\"%s\"", strerror(-err));
		return EXIT_FAILURE;
	}
	return ledger_run(ledger);
}
