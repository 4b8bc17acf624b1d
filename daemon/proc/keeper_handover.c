/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_handover - a new program takes over: no connection is refused, no session is cut.
 *
 * The keeper executes the program anew, in its own place (same process id, so a service manager sees nothing), and
 * hands it what must not be closed meanwhile: the lock, the control socket and the listening sockets. The gates of the
 * old program accept nobody any more and go on with the sessions that they have, without a keeper; the new one knows
 * their process ids, to collect them. The kernel's part (maps, link, nftables) is taken over as at any start.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <event2/event.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "policy/auth.h"
#include "proc/keeper_state.h"
#include "sys/sandbox.h"

#define HANDOVER_VARIABLE "POSTERN_HANDOVER"
#define HANDOVER_FORMAT	  1
#define CHECK_WAIT_S \
	60 /* for --check of the new program: a list of a million entries takes seconds */
#define CHECK_LOOK_MS 20

/* ---- the new program: is it any good? ---------------------------------------------------------------- */

int handover_note_program(struct keeper *keeper)
{
	const ssize_t len = readlink("/proc/self/exe", keeper->handover.program,
				     sizeof(keeper->handover.program) - 1);

	if (len <= 0)
		return len ? -errno : -ENOENT;
	keeper->handover.program[len] = '\0';
	return 0;
}

/* In the child: nothing of the keeper's stays open but what is said on standard error. */
static void check_child(const struct keeper *keeper)
{
	const int nowhere = open("/dev/null", O_RDWR);

	if (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0 ||
	    dup2(nowhere, STDOUT_FILENO) < 0)
		_exit(1);
	(void)execl(keeper->handover.program, keeper->handover.program, "--check",
		    keeper->config_path, (char *)NULL);
	_exit(127);
}

/* Reads the configuration as the new program will. 0; -errno. */
static int check_program(const struct keeper *keeper)
{
	const struct timespec pause = {.tv_nsec = (long)(CHECK_LOOK_MS * NS_PER_MS)};
	const uint64_t ends_ns = clock_mono_ns() + CHECK_WAIT_S * NS_PER_S;
	pid_t pid = fork();
	int status = 0;
	pid_t got;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		check_child(keeper);
	while ((got = waitpid(pid, &status, WNOHANG)) == 0) {
		if (clock_mono_ns() > ends_ns) {
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, NULL, 0);
			return -ETIMEDOUT;
		}
		(void)nanosleep(&pause, NULL);
	}
	if (got < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EINVAL;
}

/* The directory that the new program would look for elsewhere; NULL: none. */
static const char *moved_directory(const struct conf *old, const struct conf *fresh)
{
	if (strcmp(fresh->state_dir, old->state_dir) != 0)
		return "state-dir";
	if (strcmp(fresh->run_dir, old->run_dir) != 0)
		return "run-dir";
	return strcmp(fresh->pin_dir, old->pin_dir) != 0 ? "pin-dir" : NULL;
}

/*
 * What the new program will read: it could not make another directory, since the rights to do so have been given up;
 * and nobody is to be locked out by it who would not be by a reload. A configuration that this program cannot read
 * may yet be one for the new program.
 */
static int check_config(struct keeper *keeper, const struct reload_wish *wish,
			struct buf *out)
{
	AUTO(config_free) struct config *config = NULL;
	const char *moved;

	if (config_load(keeper->config_path, &config))
		return 0;
	moved = moved_directory(keeper_conf(keeper), &config->conf);
	if (!moved)
		return reload_check(keeper, config, wish, out);
	buf_printf(out, "%s is another: that takes a restart; nothing has changed",
		   moved);
	return -EINVAL;
}

int handover_check(struct keeper *keeper, const struct reload_wish *wish,
		   char out_text[RELOAD_TEXT_MAX])
{
	struct buf out;
	int err;

	buf_init(&out, out_text, RELOAD_TEXT_MAX);
	/* The new program would read the files, in which the change on trial stands, and keep it. */
	if (keeper->pending.is_on) {
		buf_puts(
			&out,
			"a reload waits to be confirmed: say 'postern confirm', or wait until "
			"it is taken back and correct the files; nothing has changed");
		return -EBUSY;
	}
	err = keeper->phase == PHASE_RUN ? check_program(keeper) : -EBUSY;
	if (err) {
		buf_printf(&out, "%s --check %s: %s; nothing has changed",
			   keeper->handover.program, keeper->config_path,
			   err == -EINVAL
				   ? "it refuses the configuration: the log says why"
			   : err == -EBUSY ? "posternd is starting or stopping"
					   : strerror(-err));
		return err;
	}
	err = check_config(keeper, wish, &out);
	if (!err)
		buf_printf(&out, "%s takes over", keeper->handover.program);
	return err;
}

void handover_leave(struct keeper *keeper)
{
	const struct msg leave = {
		.type = MSG_DRAIN,
		.drain = {.grace_s = keeper_conf(keeper)->limits.handover_grace_s,
			  .is_handover = 1},
	};

	keeper->handover.is_on = true;
	for (size_t i = 0; i < keeper->child_count; i++)
		if (keeper->children[i].role == ROLE_GATE && keeper->children[i].channel)
			child_send(&keeper->children[i], &leave, -1);
}

/* ---- what is handed over --------------------------------------------------------------------------------- */

static bool keep_open(int fd)
{
	return fcntl(fd, F_SETFD, 0) == 0;
}

static json_t *listener_json(const struct keeper *keeper,
			     const struct keeper_listener *listener)
{
	char text[ADDR_TEXT_MAX];
	json_t *fds = json_array();

	for (uint8_t i = 0; i < keeper_conf(keeper)->gates; i++)
		if (keep_open(listener->fds[i]))
			(void)json_array_append_new(fds, json_integer(listener->fds[i]));
	return json_pack("{s:s, s:i, s:o}", "addr",
			 addr_format(&listener->endpoint.addr, text), "port",
			 (int)listener->endpoint.port, "fds", fds);
}

/* Recent logins are stored nowhere but in memory. */
static json_t *logins_json(const struct keeper *keeper)
{
	const int fd = keeper->memories[SHARED_LOGINS].fd;

	if (fd < 0 || !keep_open(fd))
		return json_null();
	return json_pack("{s:i, s:i}", "fd", fd, "layout", AUTH_RECENT_LAYOUT);
}

static json_t *gates_json(const struct keeper *keeper)
{
	json_t *pids = json_array();

	for (size_t i = 0; i < keeper->child_count; i++)
		if (keeper->children[i].role == ROLE_GATE && keeper->children[i].pid > 0)
			(void)json_array_append_new(
				pids, json_integer(keeper->children[i].pid));
	for (size_t i = 0; i < keeper->handover.leaving_count; i++)
		(void)json_array_append_new(pids,
					    json_integer(keeper->handover.leaving[i]));
	return pids;
}

void handover_exec(struct keeper *keeper)
{
	AUTO(free_mem) char *text = NULL;
	json_t *listeners = json_array();
	json_t *all;

	for (size_t i = 0; i < keeper->listener_count; i++)
		(void)json_array_append_new(listeners,
					    listener_json(keeper, &keeper->listeners[i]));
	all = json_pack("{s:i, s:i, s:i, s:i, s:o, s:o, s:o}", "format", HANDOVER_FORMAT,
			"lock", keeper->lock_fd, "control", keeper->control_fd, "filter",
			sandbox_keeper_filter(), "listeners", listeners, "gates",
			gates_json(keeper), "logins", logins_json(keeper));
	text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	if (text && keep_open(keeper->lock_fd) && keep_open(keeper->control_fd) &&
	    setenv(HANDOVER_VARIABLE, text, 1) == 0)
		(void)execl(keeper->handover.program, keeper->handover.program,
			    "--config", keeper->config_path, (char *)NULL);
	log_error("event=error what=handover program=%s reason=\"%s\"",
		  keeper->handover.program, strerror(errno));
}

/* ---- and taken over ---------------------------------------------------------------------------------------- */

/* A descriptor that is open, and from now on closed at the next exec; -1. */
static int fd_of(const json_t *value)
{
	const json_int_t fd = json_is_integer(value) ? json_integer_value(value) : -1;

	if (fd <= STDERR_FILENO || fd > INT32_MAX || fcntl((int)fd, F_SETFD, FD_CLOEXEC))
		return -1;
	return (int)fd;
}

static bool take_listener(struct keeper_listener *listener, const json_t *value)
{
	const char *addr = json_string_value(json_object_get(value, "addr"));
	const json_int_t port = json_integer_value(json_object_get(value, "port"));
	const json_t *fds = json_object_get(value, "fds");
	const json_t *fd;
	size_t i;

	for (i = 0; i < CONF_GATES_MAX; i++)
		listener->fds[i] = -1;
	json_array_foreach(fds, i, fd)
	{
		if (i < CONF_GATES_MAX)
			listener->fds[i] = fd_of(fd);
	}
	listener->endpoint.port = (uint16_t)port;
	return addr && port > 0 && port <= UINT16_MAX &&
	       addr_parse(addr, &listener->endpoint.addr) == 0;
}

/* Of a layout that is not ours nothing can be read; the descriptor is closed. */
static void take_logins(struct keeper *keeper, const json_t *value)
{
	const json_int_t layout = json_integer_value(json_object_get(value, "layout"));
	AUTO(close_fd) int fd = fd_of(json_object_get(value, "fd"));

	if (fd >= 0 && layout == AUTH_RECENT_LAYOUT)
		keeper->memories[SHARED_LOGINS].fd = TAKE_FD(fd);
}

static void take_all(struct keeper *keeper, const json_t *all)
{
	struct keeper_handover *handover = &keeper->handover;
	const json_t *value;
	size_t i;

	handover->lock_fd = fd_of(json_object_get(all, "lock"));
	handover->control_fd = fd_of(json_object_get(all, "control"));
	handover->is_filtered = json_integer_value(json_object_get(all, "filter")) ==
				sandbox_keeper_filter();
	take_logins(keeper, json_object_get(all, "logins"));
	json_array_foreach(json_object_get(all, "listeners"), i, value)
	{
		if (handover->listener_count < KEEPER_LISTENERS_MAX &&
		    take_listener(&handover->listeners[handover->listener_count], value))
			handover->listener_count++;
	}
	json_array_foreach(json_object_get(all, "gates"), i, value)
	{
		const json_int_t pid = json_integer_value(value);

		if (handover->leaving_count < KEEPER_LEAVING_MAX && pid > 1 &&
		    pid <= INT32_MAX)
			handover->leaving[handover->leaving_count++] = (pid_t)pid;
	}
}

void handover_take(struct keeper *keeper)
{
	struct keeper_handover *handover = &keeper->handover;
	const char *text = getenv(HANDOVER_VARIABLE);
	json_t *all;

	handover->lock_fd = handover->control_fd = -1;
	if (!text)
		return;
	all = json_loads(text, 0, NULL);
	if (json_integer_value(json_object_get(all, "format")) == HANDOVER_FORMAT)
		take_all(keeper, all);
	json_decref(all);
	(void)unsetenv(HANDOVER_VARIABLE);
	log_info("event=handover listeners=%zu gates=%zu", handover->listener_count,
		 handover->leaving_count);
}

bool handover_take_listener(struct keeper *keeper, const struct conf_endpoint *endpoint,
			    uint8_t gates, int out_fds[CONF_GATES_MAX])
{
	struct keeper_handover *handover = &keeper->handover;

	for (size_t i = 0; i < handover->listener_count; i++) {
		struct keeper_listener *listener = &handover->listeners[i];
		uint8_t count = 0;

		while (count < CONF_GATES_MAX && listener->fds[count] >= 0)
			count++;
		/* The kernel spreads clients over as many sockets as there were gates. */
		if (count != gates || listener->endpoint.port != endpoint->port ||
		    !addr_equal(&listener->endpoint.addr, &endpoint->addr))
			continue;
		for (uint8_t j = 0; j < gates; j++)
			out_fds[j] = TAKE_FD(listener->fds[j]);
		return true;
	}
	return false;
}

void handover_close_rest(struct keeper *keeper)
{
	struct keeper_handover *handover = &keeper->handover;

	for (size_t i = 0; i < handover->listener_count; i++)
		for (size_t j = 0; j < CONF_GATES_MAX; j++)
			close_fd(&handover->listeners[i].fds[j]);
	handover->listener_count = 0;
}

/* ---- gates of the program before ------------------------------------------------------------------------------ */

void handover_reap(struct keeper *keeper)
{
	struct keeper_handover *handover = &keeper->handover;

	for (size_t i = 0; i < handover->leaving_count;) {
		const pid_t pid = handover->leaving[i];
		const pid_t got = waitpid(pid, NULL, WNOHANG);

		if (got == 0 || (got < 0 && errno != ECHILD)) {
			i++;
			continue;
		}
		log_info(
			"event=child-ended process=gate pid=%d reason=\"of the program before: its last session is over\"",
			(int)pid);
		handover->leaving[i] = handover->leaving[--handover->leaving_count];
	}
}

void handover_end(struct keeper *keeper)
{
	struct keeper_handover *handover = &keeper->handover;

	for (size_t i = 0; i < handover->leaving_count; i++) {
		(void)kill(handover->leaving[i], SIGKILL);
		(void)waitpid(handover->leaving[i], NULL, 0);
	}
	handover->leaving_count = 0;
	handover_close_rest(keeper);
}
