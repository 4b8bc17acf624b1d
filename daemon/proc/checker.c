/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/checker - see the header.
 *
 * The channels and the loop. What is asked, and what stands between a question and the DNS, is the business of
 * checks/runner and checks/resolver: whatever happens there ends in an answer.
 */
#include "proc/checker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "checks/breaker.h"
#include "checks/rbl_lists.h"
#include "checks/resolver.h"
#include "checks/runner.h"
#include "proc/channel.h"
#include "proc/checker_report.h"
#include "proc/snapshot.h"
#include "sys/dns.h"
#include "sys/sandbox.h"

#define FAILURES_PER_MINUTE 6u

/* A socket of the DNS in the loop. */
struct watch {
	struct event *event; /* owned; NULL: not in use */
	int fd;		     /* borrowed from sys/dns */
};

struct checker {
	struct event_base *base;
	struct channel *keeper;
	struct channel *gates[CONF_GATES_MAX];
	struct dns *dns;
	struct resolver *resolver;
	struct rbl_lists *lists;
	struct checker_report report;
	struct task_world world;
	struct runner *runner;
	struct snapshot snapshot; /* holds world.conf; none before the first CONF */
	struct watch watches[DNS_FDS_MAX];
	struct event *dns_timer, *tick, *second, *drain_timer;
	struct log_limit log_busy;
	bool is_draining;
	int exit_status;
};

/* ---- loop and DNS ---------------------------------------------------------------------------- */

static void timer_add(struct event *timer, int64_t ms)
{
	struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	(void)event_add(timer, &after);
}

/* At the begin of every turn of the loop. Return: the time. */
static uint64_t checker_turn(struct checker *checker)
{
	const uint64_t now_ns = clock_mono_ns();

	resolver_turn(checker->resolver, now_ns);
	return now_ns;
}

/* After anything that may have opened or closed a question. */
static void checker_arm(struct checker *checker)
{
	int ms = dns_timeout_ms(checker->dns);

	if (ms >= 0)
		timer_add(checker->dns_timer, ms);
	if (runner_waiting(checker->runner) > 0 &&
	    !event_pending(checker->tick, EV_TIMEOUT, NULL))
		timer_add(checker->tick, CHECKER_TICK_MS);
}

static void checker_on_socket(evutil_socket_t fd, short what, void *context)
{
	struct checker *checker = context;

	(void)checker_turn(checker);
	dns_on_ready(checker->dns, fd, what & EV_READ, what & EV_WRITE);
	checker_arm(checker);
}

static void checker_on_dns_time(evutil_socket_t fd, short what, void *context)
{
	struct checker *checker = context;

	(void)fd;
	(void)what;
	(void)checker_turn(checker);
	dns_on_time(checker->dns);
	checker_arm(checker);
}

static void checker_on_tick(evutil_socket_t fd, short what, void *context)
{
	struct checker *checker = context;

	(void)fd;
	(void)what;
	runner_expire(checker->runner, checker_turn(checker));
	checker_arm(checker);
}

static void checker_on_second(evutil_socket_t fd, short what, void *context)
{
	struct checker *checker = context;

	(void)fd;
	(void)what;
	(void)checker_turn(checker);
	rbl_lists_tick(checker->lists);
	report_tick(&checker->report);
	checker_arm(checker);
}

/* A dns_watch_fn. Without a free slot the question times out like any other. */
static void checker_watch(void *context, int fd, bool readable, bool writable)
{
	short what = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	struct checker *checker = context;
	struct watch *watch = NULL;

	for (size_t i = 0; i < DNS_FDS_MAX; i++) {
		if (checker->watches[i].event && checker->watches[i].fd == fd) {
			watch = &checker->watches[i];
			event_free(watch->event);
			watch->event = NULL;
			break;
		}
		if (!watch && !checker->watches[i].event)
			watch = &checker->watches[i];
	}
	if (!what || !watch)
		return;
	watch->fd = fd;
	watch->event = event_new(checker->base, fd, (short)(what | EV_PERSIST),
				 checker_on_socket, checker);
	if (watch->event)
		(void)event_add(watch->event, NULL);
}

/* ---- answers ----------------------------------------------------------------------------------- */

static void checker_answer(struct checker *checker, const struct check_request *request,
			   const struct check_answer *answer)
{
	struct msg msg = {.type = MSG_ANSWER};

	msg.answer.session_id = request->session_id;
	msg.answer.check = request->check;
	msg.answer.serial = request->serial;
	msg.answer.result = answer->result;
	msg.answer.spf = answer->spf;
	memcpy(msg.answer.evidence, answer->evidence, sizeof(msg.answer.evidence));
	memcpy(msg.answer.words, answer->words, sizeof(msg.answer.words));
	/* A gate that is gone, or does not read, has its own deadline. */
	(void)channel_send(checker->gates[request->asker], &msg, -1);
}

/* A runner_answer_fn. */
static void checker_on_answer(void *context, const struct check_request *request,
			      const struct check_answer *answer)
{
	checker_answer(context, request, answer);
}

/* A resolver_silent_fn. */
static void checker_on_silent(void *context)
{
	(void)context;
	log_warn("event=dns-silent pause_s=%u",
		 (unsigned int)(BREAKER_OPEN_NS / NS_PER_S));
}

static void checker_say_busy(struct checker *checker)
{
	uint32_t dropped;

	if (log_limit_take(&checker->log_busy, resolver_now_ns(checker->resolver),
			   &dropped))
		log_warn("event=checks-crowded max=%u dropped=%u", CHECKER_RUNNING_MAX,
			 dropped);
}

static void checker_check(struct checker *checker, const struct check_request *request)
{
	struct check_answer answer = {.result = CHECK_UNKNOWN};
	int err = runner_start(checker->runner, request);

	if (!err)
		return;
	if (err == -ENOSPC)
		checker_say_busy(checker);
	(void)text_copy(answer.evidence, sizeof(answer.evidence),
			err == -ENOSPC	 ? "not asked: too many checks at a time"
			: err == -ESTALE ? "not asked: its policy has gone"
			: err == -ENOMEM ? "not asked: out of memory"
					 : "the checker has no such check");
	checker_answer(checker, request, &answer);
}

/* ---- channels ---------------------------------------------------------------------------------- */

static void checker_stop(struct checker *checker, int exit_status)
{
	checker->exit_status = exit_status;
	(void)event_base_loopbreak(checker->base);
}

static void checker_on_drained(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	checker_stop(context, EXIT_SUCCESS);
}

/* While draining, the last gate that goes ends it. */
static void checker_leave(struct checker *checker)
{
	if (!checker->is_draining)
		return;
	for (size_t i = 0; i < CONF_GATES_MAX; i++)
		if (checker->gates[i])
			return;
	checker_stop(checker, EXIT_SUCCESS);
}

static void gate_on_message(void *context, struct channel *channel, const struct msg *msg,
			    int fd)
{
	/* The one begins with the other. */
	const struct msg_check *check = &msg->check;
	struct check_request request = {.client = check->addr,
					.policy_id = (uint16_t)check->policy_id,
					.asker = channel_index(channel),
					.session_id = check->session_id,
					.serial = check->serial,
					.asked_wall_s = clock_wall_s()};
	struct checker *checker = context;

	close_fd(&fd); /* msg_validate() has seen that there is none */
	if (msg->type == MSG_CHECK_SENDER)
		request.sender = msg->check_sender.sender;
	else if (msg->type != MSG_CHECK)
		return;
	request.deadline_ns = checker_turn(checker) + check->timeout_ms * NS_PER_MS;
	for (unsigned int i = 0; i < CHECK_COUNT; i++) {
		request.check = (enum conf_check)i;
		if (check->checks & 1u << i)
			checker_check(checker, &request);
	}
	checker_arm(checker);
}

static void gate_on_closed(void *context, struct channel *channel, int error)
{
	struct checker *checker = context;
	uint32_t index = channel_index(channel);

	if (error)
		log_error("event=peer-refused peer=gate%u error=\"%s\"", index,
			  strerror(-error));
	channel_free(&checker->gates[index]);
	checker_leave(checker);
}

/* A gate, or one that was started again in its place. */
static void checker_add_gate(struct checker *checker, uint32_t index, int fd)
{
	struct channel_conf conf = {
		.base = checker->base,
		.fd = fd,
		.self = ROLE_CHECKER,
		.other = ROLE_GATE,
		.index = index,
		.on_message = gate_on_message,
		.on_closed = gate_on_closed,
		.context = checker,
	};

	channel_free(&checker->gates[index]);
	checker->gates[index] = channel_new(&conf);
	if (!checker->gates[index]) {
		close_fd(&fd);
		log_error("event=out-of-memory what=channel");
		checker_stop(checker, EXIT_FAILURE);
	}
}

static void checker_add_peer(struct checker *checker, const struct msg_peer *msg, int fd)
{
	if (msg->role == ROLE_GATE)
		checker_add_gate(checker, msg->index, fd);
	else if (report_attach(&checker->report, checker->base, fd))
		log_error("event=out-of-memory what=channel");
}

static int checker_set_servers(struct checker *checker, const struct conf *conf)
{
	struct dns_server servers[CONF_DNS_MAX];

	for (size_t i = 0; i < conf->dns_count; i++)
		servers[i] = (struct dns_server){.addr = conf->dns[i].addr,
						 .port = conf->dns[i].port};
	return dns_set_servers(checker->dns, servers, conf->dns_count);
}

static struct resolver_limits limits_of(const struct conf *conf)
{
	return (struct resolver_limits){
		.cache_entries = conf->limits.dns_cache_entries,
		.ttl_min_s = (uint32_t)conf->limits.dns_ttl_min_s,
		.ttl_max_s = (uint32_t)conf->limits.dns_ttl_max_s,
	};
}

static void checker_configure(struct checker *checker, int fd)
{
	struct snapshot old = checker->snapshot;
	struct resolver_limits limits;
	struct snapshot snapshot;
	int err;

	err = snapshot_open(fd, &snapshot);
	if (err) {
		log_error("event=conf-refused error=\"%s\"", strerror(-err));
		checker_stop(checker, EXIT_FAILURE);
		return;
	}
	(void)checker_turn(checker);
	log_open("checker", (enum log_level)snapshot.conf->log_level);
	/* Nobody waits while servers change: open questions fail then. */
	runner_hold(checker->runner);
	rbl_lists_configure(checker->lists, snapshot.conf);
	limits = limits_of(snapshot.conf);
	resolver_set_limits(checker->resolver, &limits);
	err = checker_set_servers(checker, snapshot.conf);
	if (err)
		log_error("event=dns-servers error=\"%s\"", strerror(-err));
	checker->snapshot = snapshot;
	checker->world.conf = snapshot.conf;
	checker->report.conf = snapshot.conf;
	rbl_lists_tick(checker->lists);
	report_lists(&checker->report);
	runner_restart(checker->runner);
	if (old.conf)
		snapshot_close(&old);
	checker_arm(checker);
}

static void checker_drain(struct checker *checker, int64_t grace_s)
{
	checker->is_draining = true;
	timer_add(checker->drain_timer, grace_s * 1000);
	checker_leave(checker);
}

static void keeper_on_message(void *context, struct channel *channel,
			      const struct msg *msg, int fd)
{
	struct checker *checker = context;

	switch (msg->type) {
	case MSG_CONF:
		checker_configure(checker, fd);
		break;
	case MSG_PEER:
		checker_add_peer(checker, &msg->peer, TAKE_FD(fd));
		break;
	case MSG_START:
		(void)channel_send(channel, &(struct msg){.type = MSG_READY}, -1);
		break;
	case MSG_DRAIN:
		checker_drain(checker, msg->drain.grace_s);
		break;
	default: /* listeners and the like are not for us */
		break;
	}
	close_fd(&fd);
}

static void keeper_on_closed(void *context, struct channel *channel, int error)
{
	struct checker *checker = context;

	(void)channel;
	if (error)
		log_error("event=peer-refused peer=keeper error=\"%s\"",
			  strerror(-error));
	channel_free(&checker->keeper);
	checker_stop(checker,
		     EXIT_FAILURE); /* without a keeper nobody would restart us */
}

/* ---- life ---------------------------------------------------------------------------------------- */

int checker_open(struct checker **out_checker)
{
	/* Nothing is asked before the first CONF. */
	static const struct resolver_limits no_conf_yet = {.cache_entries = 1};
	AUTO(checker_close) struct checker *checker = calloc(1, sizeof(*checker));
	uint8_t seed[SIPHASH_KEY_BYTES];
	int err;

	if (!checker)
		return -ENOMEM;
	checker->log_busy.per_minute = FAILURES_PER_MINUTE;
	err = dns_open(checker_watch, checker, &checker->dns);
	if (err)
		return err;
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return -errno;
	checker->resolver = resolver_new(checker->dns, &no_conf_yet, seed);
	if (!checker->resolver)
		return -ENOMEM;
	resolver_on_silent(checker->resolver, checker_on_silent, checker);
	checker->lists = rbl_lists_new(checker->resolver, report_list, &checker->report);
	if (!checker->lists)
		return -ENOMEM;
	checker->report.resolver = checker->resolver;
	checker->report.lists = checker->lists;
	checker->world.resolver = checker->resolver;
	checker->world.lists = checker->lists;
	checker->runner = runner_new(&checker->world, CHECKER_RUNNING_MAX,
				     checker_on_answer, checker);
	if (!checker->runner)
		return -ENOMEM;
	*out_checker = TAKE_PTR(checker);
	return 0;
}

void checker_close(struct checker **checker)
{
	struct checker *c = *checker;

	if (!c)
		return;
	report_done(&c->report);
	runner_free(&c->runner); /* nobody waits any more */
	rbl_lists_free(&c->lists);
	dns_close(
		&c->dns); /* replies to whatever is open, so it goes before the resolver */
	resolver_free(&c->resolver);
	for (size_t i = 0; i < CONF_GATES_MAX; i++)
		channel_free(&c->gates[i]);
	channel_free(&c->keeper);
	for (size_t i = 0; i < DNS_FDS_MAX; i++)
		if (c->watches[i].event)
			event_free(c->watches[i].event);
	if (c->dns_timer)
		event_free(c->dns_timer);
	if (c->tick)
		event_free(c->tick);
	if (c->second)
		event_free(c->second);
	if (c->drain_timer)
		event_free(c->drain_timer);
	if (c->base)
		event_base_free(c->base);
	if (c->snapshot.conf)
		snapshot_close(&c->snapshot);
	free_mem(checker);
}

static int checker_loop(struct checker *checker, int keeper_fd)
{
	const struct timeval second = {.tv_sec = 1};
	struct channel_conf conf = {
		.fd = keeper_fd,
		.self = ROLE_CHECKER,
		.other = ROLE_KEEPER,
		.on_message = keeper_on_message,
		.on_closed = keeper_on_closed,
		.context = checker,
	};

	checker->base = event_base_new();
	if (!checker->base)
		return -ENOMEM;
	checker->dns_timer = evtimer_new(checker->base, checker_on_dns_time, checker);
	checker->tick = evtimer_new(checker->base, checker_on_tick, checker);
	checker->second =
		event_new(checker->base, -1, EV_PERSIST, checker_on_second, checker);
	checker->drain_timer = evtimer_new(checker->base, checker_on_drained, checker);
	conf.base = checker->base;
	checker->keeper = channel_new(&conf);
	if (!checker->keeper)
		close_fd(&keeper_fd);
	if (!checker->dns_timer || !checker->tick || !checker->second ||
	    evtimer_add(checker->second, &second) || !checker->drain_timer ||
	    !checker->keeper)
		return -ENOMEM;
	return 0;
}

int checker_run(struct checker *checker, int keeper_fd)
{
	int err = checker_loop(checker, keeper_fd);

	if (err) {
		log_error("event=start-failed error=\"%s\"", strerror(-err));
		return EXIT_FAILURE;
	}
	if (event_base_dispatch(checker->base) < 0)
		return EXIT_FAILURE;
	return checker->exit_status;
}

int checker_main(const struct child_boot *boot)
{
	AUTO(checker_close) struct checker *checker = NULL;
	int err;

	log_open("checker", LOG_LEVEL_INFO);
	err = checker_open(&checker);
	if (!err)
		err = sandbox_enter(SANDBOX_CHECKER, boot->user, boot->root_dir);
	if (err) {
		log_error("event=start-failed error=\"%s\"", strerror(-err));
		return EXIT_FAILURE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	/* Ctrl-C reaches the whole group; the keeper decides who ends when. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	return checker_run(checker, boot->keeper_fd);
}
