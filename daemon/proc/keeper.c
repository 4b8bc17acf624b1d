/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper - see keeper.h. Start, the loop with its signals, and the end.
 *
 * Only the start may fail: later the keeper goes on with what it has, since while it lives the
 * others are started again.
 */
#include "proc/keeper.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "proc/keeper_state.h"
#include "sys/notify.h"
#include "sys/sandbox.h"

/* ---- start ------------------------------------------------------------------------------------- */

static int load_config(const char *path, struct config **out_config)
{
	int err = config_load(path, out_config);

	if (!err)
		return 0;
	for (size_t i = 0; *out_config && i < (*out_config)->report.kept; i++)
		if ((*out_config)->report.notes[i].is_error)
			log_error("event=config reason=\"%s\"",
				  (*out_config)->report.notes[i].text);
	log_error("event=error what=start reason=\"the configuration %s cannot be used\"",
		  path);
	return err;
}

/* What is left of an earlier run. */
static void take_xdp_off(const struct conf *conf)
{
	const int err = xdp_detach_all(conf->pin_dir);

	if (err && err != -ENOENT && err != -EMEDIUMTYPE)
		log_warn("event=warning what=detach path=%s reason=\"%s\"", conf->pin_dir,
			 strerror(-err));
}

/* Does this kernel, or what this process runs in, have no XDP for us at all? */
static bool has_no_xdp(int err)
{
	return err == -EPERM || err == -EACCES || err == -ENOSYS || err == -EOPNOTSUPP ||
	       err == -ENODEV;
}

/* Opens the kernel side, if anything is to be dropped there by XDP; else takes off what is left of it. */
static int open_kernel(struct keeper *keeper, const struct conf *conf)
{
	int err;

	if (conf->xdp == XDP_WISH_OFF || conf->interface_count == 0) {
		take_xdp_off(conf);
		log_warn(
			"event=kernel-off reason=\"%s\"",
			conf->interface_count
				? "xdp = off: nftables drops instead, which costs more"
				: "interfaces is empty: nothing is dropped in the kernel");
		return 0;
	}
	err = setup_bpffs(conf->pin_dir);
	if (!err) {
		err = xdp_open(conf->pin_dir, conf->limits.bans_max, &keeper->xdp);
		if (err)
			log_error("event=error what=xdp reason=\"%s: %s\"",
				  strerror(-err), xdp_problem());
	}
	if (!err || !has_no_xdp(err))
		return err;
	log_warn(
		"event=kernel-off reason=\"no XDP here: nftables drops instead, which costs "
		"more\"");
	return 0;
}

/* The snapshot, the kernel's side of it, and the listeners. */
static int put_in_force(struct keeper *keeper, struct config *config)
{
	char problem[KEEPER_PROBLEM_MAX] = "";
	struct snapshot snapshot;
	size_t opened;
	int err = kernel_assign_ids(keeper, &config->conf);

	if (!err)
		err = snapshot_of_config(config, ++keeper->generation,
					 &keeper->snapshot_fd, &snapshot);
	if (err) {
		log_error("event=error what=snapshot reason=\"%s\"", strerror(-err));
		return err;
	}
	/* First, as it is what most often fails: then nothing has changed in the kernel. */
	err = listeners_open(keeper, snapshot.conf, &opened, problem);
	if (!err)
		err = kernel_apply(keeper, &snapshot, problem);
	keeper->snapshot = snapshot;
	if (!err)
		err = intercept_apply(keeper, snapshot.conf, problem);
	if (!err)
		err = kernel_attach(keeper, snapshot.conf, problem);
	if (!err)
		err = fence_apply(keeper, &snapshot, problem);
	if (!err)
		kernel_detach_others(keeper, snapshot.conf);
	else
		kernel_attach_undo(keeper);
	if (err)
		log_error("event=error what=start reason=\"%s\"", problem);
	return err;
}

static int start_guard(struct keeper *keeper)
{
	AUTO(config_free) struct config *config = NULL;
	int err = setup_check_accounts();

	if (!err)
		err = load_config(keeper->config_path, &config);
	if (err)
		return err;
	log_open("keeper", (enum log_level)config->conf.log_level);
	reload_keep_warnings(keeper, &config->report);
	if (getrandom(keeper->digest_key, sizeof(keeper->digest_key), 0) !=
	    sizeof(keeper->digest_key))
		return -EIO;
	err = tls_prepare(keeper);
	if (err)
		return err;
	keeper->tls.certificates = TAKE_PTR(config->certificates);
	setup_limits(&config->conf);
	err = setup_directories(keeper, &config->conf);
	if (!err)
		err = open_kernel(keeper, &config->conf);
	if (!err)
		err = put_in_force(keeper, config);
	if (!err)
		err = setup_control(keeper, &config->conf);
	return err;
}

/* From now on files change below our directories only; to the ledger, which inherits it, the store is left. */
static int give_up_rights(const struct keeper *keeper)
{
	const struct conf *conf = keeper_conf(keeper);
	char pins[CONF_PATH_MAX];
	const struct sandbox_paths paths = {
		.writable = {conf->run_dir, conf->state_dir, pins, "/dev/null"},
		.program = keeper->handover.program,
	};
	char *slash;

	/* The directory of the pins is made and removed, too. */
	(void)text_copy(pins, sizeof(pins), conf->pin_dir);
	slash = strrchr(pins, '/');
	if (slash && slash != pins)
		*slash = '\0';
	return sandbox_keeper(&paths, keeper->handover.is_filtered);
}

/* ---- the end ------------------------------------------------------------------------------------- */

static void wait_until(struct keeper *keeper, int64_t seconds)
{
	const struct timeval at = {.tv_sec = seconds};

	(void)event_add(keeper->deadline, &at);
}

static void children_drain(struct keeper *keeper, bool gates, int64_t grace_s)
{
	const struct msg msg = {.type = MSG_DRAIN, .drain = {.grace_s = grace_s}};

	for (size_t i = 0; i < keeper->child_count; i++) {
		struct keeper_child *child = &keeper->children[i];

		if ((child->role == ROLE_GATE) == gates && child->channel)
			child_send(child, &msg, -1);
	}
}

static void begin_drain(struct keeper *keeper)
{
	const int64_t grace_s = keeper_conf(keeper)->limits.shutdown_grace_s;

	if (keeper->phase >= PHASE_DRAIN)
		return;
	log_info("event=stopping grace_s=%lld", (long long)grace_s);
	notify_stopping();
	keeper->phase = PHASE_DRAIN;
	intercept_release(keeper);
	children_drain(keeper, true, grace_s);
	wait_until(keeper, grace_s + KEEPER_DRAIN_SLACK_S);
	keeper_on_child_gone(keeper);
}

static void begin_end(struct keeper *keeper)
{
	keeper->phase = PHASE_END;
	children_drain(keeper, false, 0);
	wait_until(keeper, KEEPER_END_WAIT_S);
}

void keeper_on_child_gone(struct keeper *keeper)
{
	const size_t gates = children_running(keeper, ROLE_GATE);
	const size_t others = children_running(keeper, ROLE_CHECKER) +
			      children_running(keeper, ROLE_LEDGER);

	if (keeper->phase == PHASE_DRAIN && gates == 0)
		begin_end(keeper);
	if (keeper->phase == PHASE_END && others == 0)
		(void)event_base_loopbreak(keeper->base);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
	struct keeper *keeper = context;
	const bool gates = keeper->phase == PHASE_DRAIN;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < keeper->child_count; i++)
		if ((keeper->children[i].role == ROLE_GATE) == gates)
			child_kill(&keeper->children[i], "it has not ended in time");
}

/* ---- the loop -------------------------------------------------------------------------------------- */

/* One event is one line. */
static void reload_log(const struct keeper *keeper, int err, const char *text)
{
	AUTO(free_mem) char *line = strdup(text);

	for (char *c = line; c && *c; c++)
		if (*c == '\n')
			*c = ';';
	if (err)
		log_error("event=reload result=refused reason=\"%s\"", line ? line : "");
	else
		log_info("event=reload result=done generation=%llu reason=\"%s\"",
			 (unsigned long long)keeper_conf(keeper)->generation,
			 line ? line : "");
}

/* @order: NULL: by signal. */
static void order_reload(struct keeper *keeper, const struct msg_order *order)
{
	AUTO(free_mem) char *text = malloc(RELOAD_TEXT_MAX);
	struct reload_wish wish = {0};
	int err = -ENOMEM;

	if (order)
		wish = (struct reload_wish){order->caller, order->force,
					    order->confirm_s};
	if (text)
		err = reload(keeper, &wish, text);
	reload_log(keeper, err, text ? text : "out of memory");
	if (order)
		ops_report(keeper, order->seq, err, text ? text : "out of memory");
}

static void order_confirm(struct keeper *keeper, const struct msg_order *order)
{
	AUTO(free_mem) char *text = malloc(RELOAD_TEXT_MAX);
	const int err = text ? pending_confirm(keeper, text) : -ENOMEM;

	ops_report(keeper, order->seq, err, text ? text : "out of memory");
}

static void on_upgrade(evutil_socket_t fd, short what, void *context)
{
	struct keeper *keeper = context;

	(void)fd;
	(void)what;
	if (keeper->phase != PHASE_RUN)
		return;
	handover_leave(keeper);
	begin_end(keeper);
}

static void order_upgrade(struct keeper *keeper, const struct msg_order *order)
{
	const struct timeval soon = {.tv_usec = KEEPER_UPGRADE_MS * 1000};
	AUTO(free_mem) char *text = malloc(RELOAD_TEXT_MAX);
	const struct reload_wish wish = {order->caller, order->force, 0};
	int err = text ? handover_check(keeper, &wish, text) : -ENOMEM;

	if (!err &&
	    event_base_once(keeper->base, -1, EV_TIMEOUT, on_upgrade, keeper, &soon))
		err = -ENOMEM;
	ops_report(keeper, order->seq, err, text ? text : "out of memory");
	log_line(err ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "event=upgrade reason=\"%s\"",
		 text ? text : "out of memory");
}

static void on_order(struct keeper *keeper, const struct msg_order *order)
{
	switch ((enum order_kind)order->kind) {
	case ORDER_RELOAD:
		order_reload(keeper, order);
		break;
	case ORDER_CONFIRM:
		order_confirm(keeper, order);
		break;
	case ORDER_UPGRADE:
		order_upgrade(keeper, order);
		break;
	case ORDER_STATUS:
		status_report(keeper, order->seq);
		break;
	case ORDER_VERIFY:
		status_verify(keeper, order->seq);
		break;
	case ORDER_COUNT:
		break;
	}
}

void keeper_on_message(struct keeper_child *child, const struct msg *msg, int fd)
{
	struct keeper *keeper = child->keeper;

	/* msg_validate() has let only the ledger's orders and the gates' wishes through, and no descriptor. */
	close_fd(&fd);
	switch (msg->type) {
	case MSG_BAN_EDITS:
		ops_edit(keeper, msg);
		break;
	case MSG_BAN_WALK:
		ops_walk(keeper, msg);
		break;
	case MSG_BAN_LOOKUP:
		ops_lookup(keeper, msg);
		break;
	case MSG_SOCKET_WANT:
		intercept_give_sockets(child, &msg->socket_want);
		break;
	case MSG_ORDER:
		on_order(keeper, &msg->order);
		break;
	default:
		child_kill(child, "it sent a message that is not for the keeper");
		break;
	}
}

void keeper_on_ready(struct keeper *keeper)
{
	if (keeper->phase != PHASE_START)
		return;
	for (size_t i = 0; i < keeper->child_count; i++)
		if (!keeper->children[i].is_ready)
			return;
	keeper->phase = PHASE_RUN;
	log_info("event=ready version=" POSTERN_VERSION
		 " gates=%u services=%u policies=%u",
		 keeper_conf(keeper)->gates, keeper_conf(keeper)->service_count,
		 keeper_conf(keeper)->policy_count);
	notify_ready("guarding");
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	struct keeper *keeper = context;

	(void)what;
	switch ((int)number) {
	case SIGCHLD:
		children_reap(keeper);
		handover_reap(keeper);
		keeper_on_child_gone(keeper);
		break;
	case SIGHUP:
		if (keeper->phase < PHASE_DRAIN)
			order_reload(keeper, NULL);
		break;
	default:
		/* Said twice: at once. */
		if (keeper->phase >= PHASE_DRAIN)
			on_deadline(-1, 0, keeper);
		begin_drain(keeper);
		break;
	}
}

static int loop_prepare(struct keeper *keeper)
{
	static const int numbers[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT};

	static_assert(sizeof(numbers) / sizeof(numbers[0]) <= KEEPER_SIGNALS,
		      "room for all");
	(void)signal(SIGPIPE, SIG_IGN);
	keeper->base = event_base_new();
	if (!keeper->base)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		keeper->signals[i] =
			evsignal_new(keeper->base, numbers[i], on_signal, keeper);
		if (!keeper->signals[i] || event_add(keeper->signals[i], NULL))
			return -ENOMEM;
	}
	keeper->deadline = evtimer_new(keeper->base, on_deadline, keeper);
	return keeper->deadline ? 0 : -ENOMEM;
}

static void keeper_free(struct keeper **keeper)
{
	struct keeper *k = *keeper;

	if (!k)
		return;
	children_free(k);
	for (size_t i = 0; i < KEEPER_SIGNALS; i++)
		if (k->signals[i])
			event_free(k->signals[i]);
	if (k->deadline)
		event_free(k->deadline);
	watch_free(k);
	syns_free(k);
	pending_drop(k);
	handover_end(k);
	tls_free(k);
	intercept_end(k);
	fence_free(k);
	if (k->base)
		event_base_free(k->base);
	listeners_undo(k, k->listener_count);
	snapshot_close(&k->snapshot);
	close_fd(&k->snapshot_fd);
	close_fd(&k->control_fd);
	close_fd(&k->lock_fd);
	xdp_close(&k->xdp);
	explicit_bzero(k->digest_key, sizeof(k->digest_key));
	free(k);
	*keeper = NULL;
}

int keeper_main(const char *config_path)
{
	AUTO(keeper_free) struct keeper *keeper = calloc(1, sizeof(*keeper));
	int err;

	log_open("keeper", LOG_LEVEL_INFO);
	if (!keeper)
		return 1;
	keeper->config_path = config_path;
	keeper->snapshot_fd = keeper->control_fd = keeper->lock_fd = -1;
	keeper->watch_fd = -1;
	keeper->intercept.watch_fd = keeper->pending.snapshot_fd = -1;
	memories_init(keeper);
	keeper->started_wall_s = clock_wall_s();
	handover_take(keeper);
	if (start_guard(keeper) || handover_note_program(keeper))
		return 1;
	handover_close_rest(keeper);
	/* The lists' builders are gone: give their memory back before it is forked. */
	(void)malloc_trim(0);
	err = give_up_rights(keeper);
	if (!err)
		err = loop_prepare(keeper);
	if (!err)
		err = watch_start(keeper);
	if (!err)
		err = syns_start(keeper);
	if (!err)
		err = tls_start(keeper);
	if (!err)
		err = intercept_watch(keeper);
	if (!err) {
		children_init(keeper, keeper_conf(keeper)->gates);
		err = children_start(keeper);
	}
	if (err) {
		log_error("event=error what=start reason=\"%s\"", strerror(-err));
		return 1;
	}
	(void)event_base_dispatch(keeper->base);
	if (keeper->handover.is_on) {
		handover_exec(keeper);
		return 1;
	}
	log_info("event=stopped");
	return keeper->exit_status;
}

int keeper_detach(const char *pin_dir)
{
	int intercept_err;
	int err;

	/* A posternd that runs is to see who did it, and not to put it back. */
	nft_call_detach();
	intercept_err = intercept_take_off(true);
	err = xdp_detach_all(pin_dir);

	if (intercept_err) {
		(void)fprintf(stderr, "posternd --detach: nftables and routes: %s\n",
			      strerror(-intercept_err));
		return 1;
	}
	if (!err || err == -ENOENT) {
		(void)printf("%s: nothing of postern is attached or pinned any more\n",
			     pin_dir);
		return 0;
	}
	(void)fprintf(stderr, "posternd --detach: %s: %s\n", pin_dir,
		      err == -EMEDIUMTYPE
			      ? "not on a bpffs: nothing of postern can be pinned there"
		      : err == -ENOTEMPTY
			      ? "all of postern's is gone, but something else lies there"
			      : strerror(-err));
	return 1;
}
