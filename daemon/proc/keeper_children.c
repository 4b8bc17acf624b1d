/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_children - ledger, checker and gates: forked, told what they need, started again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/channel.h"
#include "proc/child.h"
#include "proc/keeper_state.h"

#define CHILD_FD_KEEPER	 3 /* descriptors of a child at its start */
#define CHILD_FD_CONTROL 4
#define CHILD_FD_SAFE	 10 /* above both */

static const char *const users[ROLE_COUNT] = {
	[ROLE_GATE] = "postern-gate",
	[ROLE_CHECKER] = "postern-checker",
	[ROLE_LEDGER] = "postern-ledger",
};

static const char *const names[ROLE_COUNT] = {
	[ROLE_KEEPER] = "keeper",
	[ROLE_GATE] = "gate",
	[ROLE_CHECKER] = "checker",
	[ROLE_LEDGER] = "ledger",
};

/* "gate0", "ledger": as in the log. */
static void child_name(const struct keeper_child *child, char out_name[16])
{
	if (child->role == ROLE_GATE)
		(void)snprintf(out_name, 16, "gate%u", child->index);
	else
		(void)snprintf(out_name, 16, "%s", names[child->role]);
}

/* ---- in the child ---------------------------------------------------------------------------- */

/* The child keeps its two descriptors and nothing else of the keeper's: no map, no listener. */
static int child_keep_fds(int keeper_fd, int control_fd)
{
	unsigned int first = CHILD_FD_KEEPER + 1;
	int keeper_safe = fcntl(keeper_fd, F_DUPFD, CHILD_FD_SAFE);
	int control_safe =
		control_fd >= 0 ? fcntl(control_fd, F_DUPFD, CHILD_FD_SAFE) : -1;

	if (keeper_safe < 0 || (control_fd >= 0 && control_safe < 0) ||
	    dup2(keeper_safe, CHILD_FD_KEEPER) < 0)
		return -errno;
	if (control_fd >= 0) {
		if (dup2(control_safe, CHILD_FD_CONTROL) < 0)
			return -errno;
		first = CHILD_FD_CONTROL + 1;
	}
	return close_range(first, ~0U, 0) ? -errno : 0;
}

/* The keeper alone hears the admin's signals; the children end when it says so, or when it is gone. */
static void child_reset_signals(void)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE};
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int child_main(const struct keeper_child *child, int keeper_fd)
{
	const struct keeper *keeper = child->keeper;
	const bool is_ledger = child->role == ROLE_LEDGER;
	struct child_boot boot = {
		.keeper_fd = CHILD_FD_KEEPER,
		.index = child->index,
		.user = users[child->role],
		.root_dir = is_ledger ? NULL : keeper->empty_dir,
		.state_dir = is_ledger ? keeper_conf(keeper)->state_dir : NULL,
		.control_fd = is_ledger ? CHILD_FD_CONTROL : -1,
	};
	char name[16];
	int err;

	child_name(child, name);
	(void)prctl(PR_SET_NAME, name);
	log_open(name, (enum log_level)keeper_conf(keeper)->log_level);
	child_reset_signals();
	xdp_forget(keeper->xdp);
	err = child_keep_fds(keeper_fd, is_ledger ? keeper->control_fd : -1);
	if (err) {
		log_error("event=error what=start reason=\"%s\"", strerror(-err));
		return 1;
	}
	switch (child->role) {
	case ROLE_GATE:
		return gate_main(&boot);
	case ROLE_CHECKER:
		return checker_main(&boot);
	case ROLE_LEDGER:
		return ledger_main(&boot);
	case ROLE_KEEPER:
	case ROLE_COUNT:
		break;
	}
	return 1;
}

/* ---- what a child is told ---------------------------------------------------------------------- */

/* Already reaped, pid is 0, and kill(0) would end our whole process group. */
static void child_end(const struct keeper_child *child)
{
	if (child->pid > 0)
		(void)kill(child->pid, SIGKILL);
}

void child_kill(struct keeper_child *child, const char *why)
{
	char name[16];

	if (child->pid <= 0)
		return;
	child_name(child, name);
	log_error("event=child-killed process=%s pid=%d reason=\"%s\"", name,
		  (int)child->pid, why);
	child_end(child);
}

void child_send(struct keeper_child *child, const struct msg *msg, int fd)
{
	int err = channel_send(child->channel, msg, fd);

	if (err && err != -ENOTCONN)
		child_kill(child, "it takes no messages any more");
}

void child_send_conf(struct keeper_child *child)
{
	const struct keeper *keeper = child->keeper;
	struct msg msg = {.type = MSG_CONF};

	msg.conf.generation = keeper_conf(keeper)->generation;
	if (child->role == ROLE_GATE)
		memcpy(msg.conf.digest_key, keeper->digest_key,
		       sizeof(msg.conf.digest_key));
	child_send(child, &msg, keeper->snapshot_fd);
}

static void child_send_start(struct keeper_child *child)
{
	const struct msg msg = {.type = MSG_START};

	child_send(child, &msg, -1);
	child->is_started = true;
}

/* A pair between two children; either may be a new one, and drops what it had. */
static void children_connect(struct keeper_child *a, struct keeper_child *b)
{
	struct msg to_a = {.type = MSG_PEER,
			   .peer = {.role = b->role, .index = b->index}};
	struct msg to_b = {.type = MSG_PEER,
			   .peer = {.role = a->role, .index = a->index}};
	int fds[2] = {-1, -1};
	int err;

	if (!a->channel || !b->channel)
		return;
	err = channel_pair(fds);
	if (err) {
		log_error("event=error what=channel reason=\"%s\"", strerror(-err));
		return;
	}
	child_send(a, &to_a, fds[0]);
	child_send(b, &to_b, fds[1]);
	close_fd(&fds[0]);
	close_fd(&fds[1]);
}

/* Gates, ledger and checker speak with each other, but no gate with a gate. */
static void child_connect_peers(struct keeper_child *child)
{
	struct keeper *keeper = child->keeper;

	for (size_t i = 0; i < keeper->child_count; i++) {
		struct keeper_child *other = &keeper->children[i];

		if (child->role != other->role)
			children_connect(child, other);
	}
}

static void child_equip(struct keeper_child *child)
{
	struct keeper *keeper = child->keeper;

	child_send_conf(child);
	if (child->role == ROLE_GATE) {
		tls_send(keeper, child);
		listeners_send(keeper, child);
	}
	if (child->role == ROLE_LEDGER)
		memories_send(child);
	child_connect_peers(child);
	if (child->role == ROLE_GATE) {
		if (!memories_are_there(keeper))
			return; /* its START comes when a ledger is ready */
		memories_send(child);
	}
	child_send_start(child);
}

/* ---- messages and the end of a channel --------------------------------------------------------- */

static void children_take_memories(struct keeper *keeper)
{
	int err = memories_publish(keeper);

	if (err) {
		log_error("event=error what=shared-memory reason=\"%s\"", strerror(-err));
		return;
	}
	for (size_t i = 0; i < keeper->child_count; i++) {
		struct keeper_child *gate = &keeper->children[i];

		if (gate->role != ROLE_GATE || !gate->channel)
			continue;
		memories_send(gate);
		if (!gate->is_started)
			child_send_start(gate);
	}
}

static void child_on_message(void *context, struct channel *channel,
			     const struct msg *msg, int fd)
{
	struct keeper_child *child = context;
	struct keeper *keeper = child->keeper;

	(void)channel;
	if (msg->type != MSG_READY) {
		keeper_on_message(child, msg, fd);
		return;
	}
	child->is_ready = true;
	intercept_gates_changed(keeper);
	if (child->role == ROLE_LEDGER) {
		children_take_memories(keeper);
		fence_settle(keeper);
	}
	keeper_on_ready(keeper);
}

static void child_on_closed(void *context, struct channel *channel, int error)
{
	struct keeper_child *child = context;

	(void)channel;
	/* Mostly it is dead already. One that only closed its channel cannot be told anything any more. */
	if (error)
		child_kill(child, "it sent what no correct sibling sends");
	else if (child->keeper->phase < PHASE_DRAIN)
		child_end(child);
	channel_free(&child->channel);
}

/* ---- life and death ---------------------------------------------------------------------------- */

static int child_fork(struct keeper_child *child)
{
	struct keeper *keeper = child->keeper;
	int fds[2] = {-1, -1};
	int err = channel_pair(fds);

	if (err)
		return err;
	child->pid = fork();
	if (child->pid == 0)
		exit(child_main(child, fds[1]));
	close_fd(&fds[1]);
	if (child->pid < 0) {
		err = -errno;
		child->pid = 0;
		close_fd(&fds[0]);
		return err;
	}
	child->channel = channel_new(&(struct channel_conf){
		.base = keeper->base,
		.fd = fds[0],
		.self = ROLE_KEEPER,
		.other = child->role,
		.index = child->index,
		.on_message = child_on_message,
		.on_closed = child_on_closed,
		.context = child,
	});
	if (child->channel)
		return 0;
	close_fd(&fds[0]);
	child_kill(child, "out of memory");
	return -ENOMEM;
}

static int child_start(struct keeper_child *child)
{
	struct keeper *keeper = child->keeper;
	char name[16];
	int err = 0;

	child->is_started = false;
	child->is_ready = false;
	if (child->role == ROLE_LEDGER)
		err = memories_make(keeper);
	if (!err)
		err = child_fork(child);
	if (err)
		return err;
	child->started_wall_s = clock_wall_s();
	child->started_mono_ns = clock_mono_ns();
	child_name(child, name);
	log_info("event=child-started process=%s pid=%d restarts=%u", name,
		 (int)child->pid, child->restarts);
	child_equip(child);
	return 0;
}

static void child_plan_restart(struct keeper_child *child)
{
	const struct timeval at = {
		.tv_sec = child->delay_ms / 1000u,
		.tv_usec = (suseconds_t)(child->delay_ms % 1000u) * 1000,
	};

	(void)event_add(child->restart, &at);
	child->delay_ms = child->delay_ms ? child->delay_ms * 2 : KEEPER_RESTART_FIRST_MS;
	if (child->delay_ms > KEEPER_RESTART_MAX_MS)
		child->delay_ms = KEEPER_RESTART_MAX_MS;
}

static void child_on_restart(evutil_socket_t fd, short what, void *context)
{
	struct keeper_child *child = context;
	char name[16];
	int err;

	(void)fd;
	(void)what;
	if (child->keeper->phase >= PHASE_DRAIN || child->pid > 0)
		return;
	child->restarts++;
	err = child_start(child);
	if (!err || child->pid > 0)
		return;
	child_name(child, name);
	log_error("event=error what=fork process=%s reason=\"%s\"", name, strerror(-err));
	child_plan_restart(child);
}

static void child_died(struct keeper_child *child, int status)
{
	const bool is_expected = child->keeper->phase >= PHASE_DRAIN &&
				 WIFEXITED(status) && WEXITSTATUS(status) == 0;
	const uint64_t lived_ns = clock_mono_ns() - child->started_mono_ns;
	char name[16];

	child_name(child, name);
	if (WIFSIGNALED(status))
		log_error(
			"event=child-died process=%s pid=%d signal=SIG%s%s", name,
			(int)child->pid,
			sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status))
						       : "?",
			WTERMSIG(status) == SIGSYS
				? " reason=\"it made a system call that its sandbox does not allow; the "
				  "kernel's audit log names it\""
				: "");
	else
		log_line(is_expected ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
			 "event=%s process=%s pid=%d status=%d",
			 is_expected ? "child-ended" : "child-died", name,
			 (int)child->pid, WEXITSTATUS(status));
	child->pid = 0;
	child->is_ready = false;
	channel_free(&child->channel);
	if (lived_ns > KEEPER_RESTART_CALM_S * NS_PER_S)
		child->delay_ms = 0;
	if (child->keeper->phase < PHASE_DRAIN)
		child_plan_restart(child);
	intercept_gates_changed(child->keeper);
}

void children_reap(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->child_count; i++) {
		struct keeper_child *child = &keeper->children[i];
		int status;

		if (child->pid > 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
			child_died(child, status);
	}
}

size_t children_running(const struct keeper *keeper, enum process_role role)
{
	size_t count = 0;

	for (size_t i = 0; i < keeper->child_count; i++)
		if (keeper->children[i].role == role && keeper->children[i].pid > 0)
			count++;
	return count;
}

void children_init(struct keeper *keeper, uint8_t gates)
{
	keeper->child_count = 2u + gates;
	for (size_t i = 0; i < keeper->child_count; i++) {
		struct keeper_child *child = &keeper->children[i];

		child->keeper = keeper;
		child->role = i == 0 ? ROLE_LEDGER : i == 1 ? ROLE_CHECKER : ROLE_GATE;
		child->index = i < 2 ? 0 : (uint32_t)i - 2;
	}
}

int children_start(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->child_count; i++) {
		struct keeper_child *child = &keeper->children[i];
		int err;

		child->restart = evtimer_new(keeper->base, child_on_restart, child);
		err = child->restart ? child_start(child) : -ENOMEM;
		if (err)
			return err;
	}
	return 0;
}

void children_free(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->child_count; i++) {
		struct keeper_child *child = &keeper->children[i];

		if (child->pid > 0) {
			(void)kill(child->pid, SIGKILL);
			(void)waitpid(child->pid, NULL, 0);
		}
		channel_free(&child->channel);
		if (child->restart)
			event_free(child->restart);
	}
	memories_free(keeper);
}
