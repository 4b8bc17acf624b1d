/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate - see gate.h. The start-up ritual, the messages, the ticks and the end.
 */
#include "proc/gate.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/clock.h"
#include "proc/backend.h"
#include "proc/gate_accept.h"
#include "proc/gate_shared.h"
#include "proc/gate_smtp_checks.h"
#include "proc/gate_smtp_early.h"
#include "proc/gate_smtp_grey.h"
#include "proc/gate_test.h"
#include "proc/gate_verdict.h"
#include "proc/session.h"
#include "proc/session_detect.h"
#include "proc/session_log.h"
#include "proc/session_proxy.h"
#include "sys/sandbox.h"

#define BYTES_PER_KIB 1024u

static void gate_now(struct gate *gate)
{
	gate->now_ns = clock_mono_ns();
	gate->now_ms = gate->now_ns / NS_PER_MS;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* All that sessions can ever need, taken when the first configuration says how many there may be. */
static int gate_take_memory(struct gate *gate)
{
	uint32_t max = gate->conf->limits.sessions_max / gate->conf->gates;
	const uint32_t fds_max = gate->fds_max;
	uint32_t fds;
	int err;

	relay_pipes_init(&gate->pipes, gate->conf->gates, fds_max);
	fds = GATE_FDS_SPARE + 2 * gate->pipes.max;
	fds = fds < fds_max ? fds_max - fds : 0;
	if (max > fds / 2) {
		max = fds / 2;
		log_warn(
			"event=limit what=sessions-max now=%u why=\"only %u open files allowed\"",
			max * gate->conf->gates, fds_max);
	}
	if (max == 0)
		max = 1;
	err = session_pool_init(gate, max);
	if (!err)
		err = pool_init(&gate->small, max * GATE_SMALL_PER_SESSION,
				GATE_SMALL_BYTES);
	if (!err)
		err = pool_init(&gate->big, max + 1, GATE_BIG_BYTES);
	if (err)
		return err;
	err = detect_init(gate);
	if (err)
		return err;
	gate->in_client = pool_take(&gate->big);
	log_info(
		"event=memory sessions=%u session_bytes=%zu sessions_kib=%zu buffers_max_kib=%zu",
		max, sizeof(struct session), max * sizeof(struct session) / BYTES_PER_KIB,
		(pool_bytes(&gate->small) + pool_bytes(&gate->big)) / BYTES_PER_KIB);
	return 0;
}

/* ---- messages of the keeper ------------------------------------------------------------------ */

static void gate_fail(struct gate *gate, const char *what, int err)
{
	log_error("event=gate-failed what=%s why=%s", what, strerrorname_np(-err));
	gate->exit_status = EXIT_FAILURE;
	(void)event_base_loopbreak(gate->base);
}

static void sessions_renumber(struct gate *gate, const struct conf *old_conf)
{
	for (uint32_t i = 0; i < gate->session_max; i++) {
		struct session *s = &gate->sessions[i];

		if (s->state != SESSION_FREE && s->service >= 0)
			s->service = conf_service_find(
				gate->conf, old_conf->services[s->service].name);
	}
}

static void gate_take_conf(struct gate *gate, const struct msg_conf *message, int fd)
{
	struct snapshot old = gate->snapshot;
	struct snapshot snapshot;
	char name[16];
	struct buf text = BUF_OVER(name);
	int err = snapshot_open(fd, &snapshot);

	if (err) {
		gate_fail(gate, "conf", err);
		return;
	}
	gate->snapshot = snapshot;
	gate->conf = snapshot.conf;
	memset(gate->good_backend, 0, sizeof(gate->good_backend));
	memset(gate->offers, 0, sizeof(gate->offers));
	memset(gate->late, 0, sizeof(gate->late)); /* services have other numbers now */
	digest_set_key(gate->digest, message->digest_key);
	buf_printf(&text, "gate%u", gate->index);
	log_open(name, (enum log_level)gate->conf->log_level);
	sockets_refill(gate);

	if (!old.conf) {
		err = gate_take_memory(gate);
		if (err)
			gate_fail(gate, "memory", err);
		return;
	}
	accept_renumber(gate, old.conf);
	gate_tls_renumber(gate, old.conf);
	sessions_renumber(gate, old.conf);
	snapshot_close(&old);
}

static void gate_take_shared(struct gate *gate, const struct msg_shared *message, int fd)
{
	int err = shared_take(gate, message, fd);

	if (err)
		gate_fail(gate, "shared-memory", err);
}

static void gate_start(struct gate *gate)
{
	const struct msg ready = {.type = MSG_READY};

	gate->is_started = true;
	accept_resume(gate);
	(void)channel_send(gate->keeper, &ready,
			   -1); /* if the keeper has gone, its channel says so */
}

static void gate_drain(struct gate *gate, int64_t grace_s)
{
	const struct timeval soon = {.tv_usec = 1000};

	if (gate->is_draining)
		return;
	gate_now(gate);
	gate->is_draining = true;
	gate->drain_ends_ms = gate->now_ms + (uint64_t)grace_s * 1000;
	accept_stop(gate);
	for (uint32_t i = 0; i < gate->session_max; i++) {
		struct session *s = &gate->sessions[i];

		if (s->state == SESSION_TLS)
			session_kill(s, "shutdown", NULL);
		else if (s->state != SESSION_FREE)
			s->protocol->stop(s, "shutdown");
	}
	(void)evtimer_add(gate->tick, &soon);
}

/* The sessions go on as if nothing were; when the last one ends, so does this gate. */
static void gate_leave(struct gate *gate, int64_t grace_s)
{
	const struct timeval soon = {.tv_usec = 1000};

	gate_now(gate);
	gate->is_leaving = true;
	gate->drain_ends_ms = gate->now_ms + (uint64_t)grace_s * 1000;
	accept_stop(gate);
	(void)evtimer_add(gate->tick, &soon);
}

/* ---- messages of the ledger and the checker -------------------------------------------------- */

static void gate_recheck(struct gate *gate, const struct prefix *prefix)
{
	for (uint32_t i = 0; i < gate->session_max; i++) {
		struct session *s = &gate->sessions[i];
		struct verdict verdict;

		if (s->state == SESSION_FREE || s->service < 0)
			continue;
		if (prefix->addr.family != ADDR_NONE &&
		    !prefix_contains(prefix, &s->addr))
			continue;
		verdict = gate_verdict(gate, s->service, &s->addr);
		if (verdict.kind == VERDICT_PERMIT)
			continue;
		s->verdict = verdict_name(verdict.kind);
		s->is_banned = true;
		session_kill(s, "banned", s->protocol->banned);
	}
}

static void gate_send_sessions(struct gate *gate, uint32_t seq)
{
	struct msg msg = {.type = MSG_SESSIONS_PAGE};
	struct msg_sessions_page *page = &msg.sessions_page;

	page->seq = seq;
	page->gate = gate->index;
	for (uint32_t i = 0; i < gate->session_max; i++) {
		if (gate->sessions[i].state == SESSION_FREE || gate->sessions[i].is_test)
			continue;
		if (page->count == MSG_SESSIONS_MAX) {
			if (channel_send(gate->ledger, &msg, -1))
				return; /* the list ends here for whoever asked */
			page->count = 0;
		}
		session_describe(&gate->sessions[i], &page->sessions[page->count++]);
	}
	memset(page->sessions + page->count, 0,
	       (MSG_SESSIONS_MAX - page->count) * sizeof(page->sessions[0]));
	page->last = 1;
	(void)channel_send(gate->ledger, &msg, -1);
}

static void gate_take_answer(struct gate *gate, const struct msg_answer *answer)
{
	struct session *s = session_find(gate, answer->session_id);

	if (!s) {
		checks_take_late(gate, answer);
		return;
	}
	checks_take_answer(s, answer);
	if (s->is_held ||
	    s->state ==
		    SESSION_GREET) { /* it is held again if this was not what it waits for */
		s->is_held = false;
		session_deadline(s, gate->conf->limits.command_timeout_s);
		session_run(s);
	}
}

/* Nobody will answer any more: UNKNOWN, which refuses nobody. */
static void gate_lose_checker(struct gate *gate)
{
	for (uint32_t i = 0; i < gate->session_max; i++) {
		struct session *s = &gate->sessions[i];

		if (s->state == SESSION_FREE || !s->checks.pending)
			continue;
		checks_give_up(s);
		if (s->is_held || s->state == SESSION_GREET) {
			s->is_held = false;
			session_deadline(s, gate->conf->limits.command_timeout_s);
			session_run(s);
		}
	}
}

static void gate_take_grey(struct gate *gate, const struct msg_grey_answer *answer)
{
	struct session *s = session_find(gate, answer->session_id);

	if (s)
		smtp_grey_take(s, answer);
}

static void gate_lose_ledger(struct gate *gate)
{
	for (uint32_t i = 0; i < gate->session_max; i++)
		if (gate->sessions[i].state != SESSION_FREE)
			smtp_grey_give_up(&gate->sessions[i]);
}

/* ---- channels -------------------------------------------------------------------------------- */

static void gate_on_closed(void *context, struct channel *channel, int error)
{
	struct gate *gate = context;
	const enum process_role other = channel_other(channel);

	gate_now(gate);
	if (error)
		log_error("event=channel-broken other=%d why=%s", (int)other,
			  strerrorname_np(error < 0 ? -error : error));
	if (other == ROLE_LEDGER) {
		channel_free(&gate->ledger);
		gate_lose_ledger(gate);
	} else if (other == ROLE_CHECKER) {
		channel_free(&gate->checker);
		gate_lose_checker(gate);
	} else {
		/* Without a keeper nothing is repaired any more: end well, and be started anew. */
		channel_free(&gate->keeper);
		if (gate->is_leaving)
			return;
		gate->exit_status = EXIT_FAILURE;
		gate_drain(gate, gate->conf ? gate->conf->limits.shutdown_grace_s : 0);
	}
	if (error == -EPROTO && other != ROLE_KEEPER)
		gate_fail(gate, "message", error);
}

static void gate_on_message(void *context, struct channel *channel, const struct msg *msg,
			    int fd);

static struct channel *gate_open_channel(struct gate *gate, int fd,
					 enum process_role other)
{
	const struct channel_conf conf = {
		.base = gate->base,
		.fd = fd,
		.self = ROLE_GATE,
		.other = other,
		.on_message = gate_on_message,
		.on_closed = gate_on_closed,
		.context = gate,
	};

	return channel_new(&conf);
}

static void gate_take_peer(struct gate *gate, const struct msg_peer *message, int fd)
{
	const enum process_role role = (enum process_role)message->role;
	AUTO(close_fd) int owned = fd;
	struct channel *channel;

	if (role != ROLE_LEDGER && role != ROLE_CHECKER)
		return;
	channel = gate_open_channel(gate, owned, role);
	if (!channel) {
		gate_fail(gate, "channel", -ENOMEM);
		return;
	}
	owned = -1; /* the channel's from now on */
	if (role == ROLE_LEDGER) {
		channel_free(&gate->ledger);
		gate->ledger = channel;
		gate->grey_pause_ends_ms = 0; /* it is another one */
		gate_lose_ledger(gate);
	} else {
		channel_free(&gate->checker);
		gate->checker = channel;
		gate_lose_checker(gate);
	}
}

static void gate_on_message(void *context, struct channel *channel, const struct msg *msg,
			    int fd)
{
	struct gate *gate = context;
	AUTO(close_fd) int owned = fd;

	(void)channel;
	gate_now(gate);
	switch (msg->type) {
	case MSG_CONF:
		gate_take_conf(gate, &msg->conf, owned);
		break;
	case MSG_SHARED:
		gate_take_shared(gate, &msg->shared, owned);
		break;
	case MSG_LISTENER:
		accept_change(gate, &msg->listener, TAKE_FD(owned));
		break;
	case MSG_PEER:
		gate_take_peer(gate, &msg->peer, TAKE_FD(owned));
		break;
	case MSG_SOCKET:
		sockets_add(gate, (enum addr_family)msg->socket.family, TAKE_FD(owned));
		backend_resume(gate);
		break;
	case MSG_START:
		gate_start(gate);
		break;
	case MSG_DRAIN:
		if (msg->drain.is_handover)
			gate_leave(gate, msg->drain.grace_s);
		else
			gate_drain(gate, msg->drain.grace_s);
		break;
	case MSG_RECHECK:
		gate_recheck(gate, &msg->recheck.prefix);
		break;
	case MSG_SESSIONS:
		gate_send_sessions(gate, msg->sessions.seq);
		break;
	case MSG_GREY_ANSWER:
		gate_take_grey(gate, &msg->grey_answer);
		break;
	case MSG_TEST:
		gate_test_begin(gate, &msg->test);
		break;
	case MSG_ANSWER:
		gate_take_answer(gate, &msg->answer);
		break;
	case MSG_TLS:
		gate_tls_take(gate, owned);
		break;
	case MSG_TICKETS:
		gate_tls_take_tickets(gate, &msg->tickets);
		break;
	case MSG_SYNS:
		gate_now(gate);
		detect_syn_reports(gate, &msg->syns);
		break;
	default:
		break; /* msg_validate() lets through only what is above */
	}
}

/* ---- time ------------------------------------------------------------------------------------ */

static void gate_on_tick(evutil_socket_t fd, short what, void *context)
{
	const struct timeval tick = {.tv_usec = WHEEL_TICK_MS * 1000};
	struct gate *gate = context;
	struct wheel_node *node;

	(void)fd;
	(void)what;
	gate_now(gate);
	while ((node = wheel_next(&gate->wheel, gate->now_ms))) {
		struct session *s = (struct session *)node;

		if (s->awaits_proxy)
			session_proxy_timeout(s);
		else if (s->state == SESSION_TLS)
			session_kill(s, "tls-timeout", NULL);
		else
			s->protocol->timeout(s);
	}
	if (gate->is_started && !gate->is_draining && !gate->is_leaving)
		accept_resume(gate);
	if (gate->is_leaving && !gate->is_draining && gate->now_ms >= gate->drain_ends_ms)
		gate_drain(gate, gate->conf->limits.shutdown_grace_s);
	if (gate->is_draining && gate->now_ms >= gate->drain_ends_ms)
		for (uint32_t i = 0; i < gate->session_max; i++)
			if (gate->sessions[i].state != SESSION_FREE)
				session_kill(&gate->sessions[i], "shutdown", NULL);
	if (gate->session_count > 0)
		(void)evtimer_add(gate->tick, &tick);
	else if (gate->is_draining || gate->is_leaving)
		(void)event_base_loopbreak(gate->base);
}

/* ---- begin and end --------------------------------------------------------------------------- */

static struct event_base *gate_make_loop(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK |
						  EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) ==
		    0 &&
	    event_config_require_features(config,
					  EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

/* As many open files as this process may have; sessions take two each. */
static uint32_t gate_raise_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur > UINT32_MAX / 2 ? UINT32_MAX / 2
					       : (uint32_t)limit.rlim_cur;
}

static void gate_ignore_signals(void)
{
	/* The keeper says when to end: a signal to the whole group must not tear a message. */
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
}

static void gate_init(struct gate *gate, uint32_t index)
{
	const uint64_t started_s = (uint64_t)clock_wall_s();
	struct log_limit *limits = (struct log_limit *)&gate->log_limits;

	gate->index = index;
	/* Gate, start time, counter: no number comes twice, even after a restart. */
	gate->id_base = (uint64_t)index << 56 | (started_s << 24 & (UINT64_MAX >> 8));
	gate_now(gate);
	wheel_init(&gate->wheel, gate->now_ms);
	for (size_t i = 0; i < sizeof(gate->log_limits) / sizeof(*limits); i++)
		limits[i].per_minute = GATE_LOG_PER_MINUTE;
}

static void gate_free(struct gate **gate)
{
	struct gate *g = *gate;

	if (!g)
		return;
	gate_test_end_all(g);
	for (uint32_t i = 0; i < g->session_max; i++)
		if (g->sessions[i].state != SESSION_FREE)
			session_kill(&g->sessions[i], "shutdown", NULL);
	if (g->listeners)
		accept_stop(g);
	free_mem(&g->listeners);
	sockets_close(g);
	channel_free(&g->keeper);
	channel_free(&g->ledger);
	channel_free(&g->checker);
	if (g->tick)
		event_free(g->tick);
	session_pool_done(g);
	detect_done(g);
	early_done(g);
	pool_done(&g->small);
	pool_done(&g->big);
	relay_pipes_done(&g->pipes);
	shared_done(g);
	if (g->conf)
		snapshot_close(&g->snapshot);
	gate_tls_done(g);
	digest_free(&g->digest);
	if (g->base)
		event_base_free(g->base);
	free(g);
	*gate = NULL;
}

int gate_main(const struct child_boot *boot)
{
	AUTO(gate_free) struct gate *gate = calloc(1, sizeof(*gate));
	int err;

	if (!gate)
		return EXIT_FAILURE;
	gate_ignore_signals();
	gate_init(gate, boot->index);
	gate->fds_max = gate_raise_fds();
	if (tls_init()) { /* before all else that the library does */
		log_error("event=gate-failed what=tls");
		return EXIT_FAILURE;
	}
	gate->digest = digest_new();
	gate->base = gate_make_loop();
	if (!gate->digest || !gate->base || accept_init(gate) ||
	    getrandom(gate->client_seed, sizeof(gate->client_seed), 0) < 0 ||
	    early_init(gate) || gate_tls_init(gate)) {
		log_error("event=gate-failed what=start");
		return EXIT_FAILURE;
	}
	gate->tick = evtimer_new(gate->base, gate_on_tick, gate);
	gate->keeper = gate_open_channel(gate, boot->keeper_fd, ROLE_KEEPER);
	if (!gate->tick || !gate->keeper)
		return EXIT_FAILURE;

	err = sandbox_enter(SANDBOX_GATE, boot->user, boot->root_dir);
	if (err) {
		log_error("event=gate-failed what=sandbox why=%s", strerrorname_np(-err));
		return EXIT_FAILURE;
	}
	(void)event_base_dispatch(gate->base);
	return gate->exit_status;
}
