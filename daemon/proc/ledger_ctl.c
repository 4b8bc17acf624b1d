/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl - see ledger_ctl.h. The protocol: wire/ctl.h.
 */
#include "proc/ledger_ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/ledger_ctl_client.h"
#include "proc/ledger_ctl_commands.h"

#define ACCEPTS_MAX 8u /* in one turn of the loop */

struct ctl {
	struct ledger *ledger;
	int fd;
	struct event *acceptable;
	struct ctl_client *clients[CTL_CLIENTS_MAX];
};

static const ctl_command_fn commands[CTL_COMMAND_COUNT] = {
	[CTL_STATUS] = ctl_command_status,
	[CTL_BAN] = ctl_command_ban,
	[CTL_UNBAN] = ctl_command_unban,
	[CTL_BANS] = ctl_command_bans,
	[CTL_WHY] = ctl_command_why,
	[CTL_POLICY] = ctl_command_policy,
	[CTL_SESSIONS] = ctl_command_sessions,
	[CTL_RELOAD] = ctl_command_reload,
	[CTL_CONFIRM] = ctl_command_confirm,
	[CTL_VERIFY] = ctl_command_verify,
	[CTL_EVENTS] = ctl_command_events,
	[CTL_GREYLIST_LIST] = ctl_command_greylist_list,
	[CTL_GREYLIST_PASS] = ctl_command_greylist_pass,
	[CTL_GREYLIST_FORGET] = ctl_command_greylist_forget,
	[CTL_UPGRADE] = ctl_command_upgrade,
	[CTL_TEST] = ctl_command_test,
};

/* ---- a request ---------------------------------------------------------------------------------- */

static void ctl_dispatch(struct ctl_client *client, const json_t *request)
{
	const json_t *args = json_object_get(request, "args");
	const char *name = json_string_value(json_object_get(request, "cmd"));
	int command = name ? ctl_command_from_name(name) : -1;

	if (json_integer_value(json_object_get(request, "v")) != CTL_VERSION) {
		ctl_done(client, CTL_USAGE,
			 "this daemon speaks version %d of the protocol", CTL_VERSION);
		return;
	}
	if (command < 0) {
		ctl_done(client, CTL_USAGE, "'cmd' is no command of this daemon");
		return;
	}
	if (args && !json_is_object(args)) {
		ctl_done(client, CTL_USAGE, "'args' must be an object");
		return;
	}
	log_info("event=ctl uid=%u cmd=%s", ctl_uid(client),
		 ctl_command_name((enum ctl_command)command));
	commands[command](client, args);
}

static void ctl_on_line(void *context, struct ctl_client *client, const char *line,
			size_t len)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);

	(void)context;
	if (json_is_object(request))
		ctl_dispatch(client, request);
	else
		ctl_done(client, CTL_USAGE, "a request is one JSON object on one line");
	json_decref(request);
}

static void ctl_on_closed(void *context, struct ctl_client *client)
{
	struct ctl *ctl = context;

	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++) {
		if (ctl->clients[i] == client)
			ctl_client_free(&ctl->clients[i]);
	}
}

/* ---- who may --------------------------------------------------------------------------------------- */

bool ctl_is_admin(uid_t uid, const gid_t *groups, size_t count, gid_t admin_gid)
{
	if (uid == 0)
		return true;
	for (size_t i = 0; admin_gid != (gid_t)-1 && i < count; i++) {
		if (groups[i] == admin_gid)
			return true;
	}
	return false;
}

/* Asks the kernel who is at the other end. */
static bool ctl_peer_is_admin(const struct ctl *ctl, int fd, uint32_t *out_uid)
{
	gid_t groups[CTL_GROUPS_MAX + 1];
	struct ucred peer;
	socklen_t len = sizeof(peer);
	size_t count = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return false;
	*out_uid = peer.uid;
	groups[count++] = peer.gid;
	len = CTL_GROUPS_MAX * sizeof(gid_t);
	/* Fails for who has more groups; then the first one alone counts. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &len) == 0)
		count += len / sizeof(gid_t);
	return ctl_is_admin(peer.uid, groups, count, ctl->ledger->admin_gid);
}

static struct ctl_client **ctl_slot(struct ctl *ctl)
{
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++) {
		if (!ctl->clients[i])
			return &ctl->clients[i];
	}
	return NULL;
}

/* One line for whom no place or right is there; the socket is new, so it fits. */
static void ctl_refuse(int fd, const char *line)
{
	(void)send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void ctl_welcome(struct ctl *ctl, int new_fd)
{
	AUTO(close_fd) int fd = new_fd;
	struct ctl_conf conf = {
		.ledger = ctl->ledger,
		.fd = fd,
		.on_line = ctl_on_line,
		.on_closed = ctl_on_closed,
		.context = ctl,
	};
	struct ctl_client **slot = ctl_slot(ctl);

	if (!ctl_peer_is_admin(ctl, fd, &conf.uid)) {
		log_warn("event=ctl-refused uid=%u", conf.uid);
		ctl_refuse(
			fd,
			"{\"done\":{\"code\":1,\"message\":\"only root and the group postern may use the control socket\"}}\n");
		return;
	}
	if (!slot) {
		ctl_refuse(
			fd,
			"{\"done\":{\"code\":3,\"message\":\"too many control connections\"}}\n");
		return;
	}
	*slot = ctl_client_new(&conf);
	if (*slot)
		(void)TAKE_FD(fd);
	else
		log_error("event=error what=ctl reason=\"out of memory\"");
}

static void ctl_on_acceptable(evutil_socket_t fd, short what, void *context)
{
	struct ctl *ctl = context;

	(void)what;
	ledger_turn(ctl->ledger);
	for (unsigned int i = 0; i < ACCEPTS_MAX; i++) {
		int new_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (new_fd < 0)
			return;
		ctl_welcome(ctl, new_fd);
	}
}

struct ctl *ctl_new(struct ledger *ledger, int listen_fd)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));

	if (!ctl)
		return NULL;
	ctl->ledger = ledger;
	ctl->fd = listen_fd;
	(void)evutil_make_socket_nonblocking(listen_fd);
	ctl->acceptable = event_new(ledger->base, listen_fd, EV_READ | EV_PERSIST,
				    ctl_on_acceptable, ctl);
	if (!ctl->acceptable || event_add(ctl->acceptable, NULL))
		ctl_free(&ctl);
	return ctl;
}

void ctl_free(struct ctl **ctl)
{
	if (!*ctl)
		return;
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++)
		ctl_client_free(&(*ctl)->clients[i]);
	if ((*ctl)->acceptable)
		event_free((*ctl)->acceptable);
	close_fd(&(*ctl)->fd);
	free(*ctl);
	*ctl = NULL;
}

void ctl_tick(struct ledger *ledger)
{
	const uint64_t idle_ns = CTL_IDLE_TIMEOUT_S * NS_PER_S;
	struct ctl *ctl = ledger->ctl;

	for (size_t i = 0; ctl && i < CTL_CLIENTS_MAX; i++) {
		if (ctl->clients[i] && ledger->now.mono_ns > idle_ns &&
		    ctl_is_idle(ctl->clients[i], ledger->now.mono_ns - idle_ns))
			ctl_client_free(&ctl->clients[i]);
		else if (ctl->clients[i])
			ctl_tick_job(ctl->clients[i]);
	}
}
