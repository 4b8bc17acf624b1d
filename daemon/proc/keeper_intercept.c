/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_intercept - connections to guarded ports are led to the gates, and back out in the clients' names.
 *
 * The mail host goes on listening where it always did, and sees its clients' own addresses: table inet postern
 * (sys/nft) and routing rules (sys/netlink) do it. The keeper alone changes them, puts them back when somebody
 * else has flushed them, and takes them off at the end. While the gates die again and again, and if the keeper itself
 * is killed, fail-mode of the service decides what becomes of its connections.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/log.h"
#include "proc/channel.h"
#include "proc/keeper_state.h"
#include "sys/netlink.h"
#include "sys/nft.h"
#include "sys/sock.h"

#define MARK_GATE 0x706eu /* "pn": sent by a gate in a client's name */
#define MARK_OUT \
	0x706fu /* "po": sent by this host, and to be delivered to it, whatever its address says */
#define MARK_IN 0x7071u /* "pq": the same, where it comes in */
#define TABLE	112u	/* the routing table that does so */
/* Gates that have died so often that the next start is put off so long do not work. */
#define GATES_PATIENCE_MS 800u
#define REPAIR_AGAIN_S	  1    /* if it failed: others may be at it still */
#define REPAIR_PAUSE_MS	  100u /* others change nftables in several steps */

static const struct netlink_route route = {MARK_IN, MARK_OUT, TABLE};

static_assert(NFT_INTERFACES_MAX >= CONF_INTERFACES_MAX, "all interfaces fit");

/* ---- what is wanted ------------------------------------------------------------------------------ */

static enum nft_way way_of(const struct keeper *keeper, const struct conf *conf,
			   const struct conf_service *service)
{
	const bool is_open = service->fail_mode == FAIL_OPEN;

	if (keeper->intercept.is_released || !conf_service_is_on(conf, service))
		return NFT_PASS;
	if (keeper->intercept.are_gates_down)
		return is_open ? NFT_PASS : NFT_REFUSE;
	return is_open ? NFT_TO_GATE_OR_PASS : NFT_TO_GATE;
}

static int table_of(const struct keeper *keeper, const struct conf *conf,
		    struct nft_table *out_table)
{
	memset(out_table, 0, sizeof(*out_table));
	out_table->gate_mark = MARK_GATE;
	out_table->in_mark = MARK_IN;
	out_table->out_mark = MARK_OUT;
	out_table->interface_count = conf->interface_count;
	for (uint8_t i = 0; i < conf->interface_count; i++)
		(void)text_copy(out_table->interfaces[i],
				sizeof(out_table->interfaces[i]), conf->interfaces[i]);
	for (uint8_t i = 0; i < conf->service_count; i++) {
		const struct conf_service *service = &conf->services[i];

		for (uint8_t j = 0; service->intercept && j < service->port_count; j++) {
			if (out_table->port_count == NFT_PORTS_MAX)
				return -E2BIG;
			out_table->ports[out_table->port_count++] = (struct nft_port){
				.port = service->ports[j],
				.gate_port = (uint16_t)(service->ports[j] +
							CONF_INTERCEPT_BASE),
				.way = (uint8_t)way_of(keeper, conf, service),
			};
		}
	}
	return 0;
}

/* ---- in and out of force ---------------------------------------------------------------------------- */

static void explain(int err, char problem[KEEPER_PROBLEM_MAX])
{
	if (problem[0])
		return;
	(void)snprintf(problem, KEEPER_PROBLEM_MAX, "%s%s", strerror(-err),
		       err == -ENOENT || err == -EOPNOTSUPP
			       ? ": this kernel lacks nf_tables, nft_tproxy or nft_socket"
			       : "");
}

/* @problem: says why after a failure. */
static int put_in_force(struct keeper *keeper, const struct conf *conf,
			char problem[KEEPER_PROBLEM_MAX])
{
	AUTO(free_mem) struct nft_table *table = malloc(sizeof(*table));
	struct xdp_bridge_plan plan;
	int err = table ? table_of(keeper, conf, table) : -ENOMEM;

	problem[0] = '\0';
	if (!err)
		err = bridge_plan(table, &plan, problem);
	if (!err)
		err = netlink_route_add(&route);
	if (!err)
		err = nft_apply(table);
	/* After nftables, which has to know what to do with what is taken off a bridge. */
	if (!err)
		err = bridge_apply(keeper, &plan, problem);
	keeper->bridge.is_stale = err != 0;
	if (err) {
		explain(err, problem);
		return err;
	}
	keeper->intercept.is_on = true;
	keeper->intercept.rules = nft_rules_wanted(table);
	return 0;
}

int intercept_take_off(bool with_fence)
{
	const int bridge_err = xdp_bridge_remove();
	size_t fence_rules = 0;
	int route_err;
	int err = nft_fence_rules(&fence_rules);

	/* Else what drops addresses in the same table goes on doing so. */
	if (!err)
		err = fence_rules && !with_fence ? nft_remove_rules() : nft_remove();
	route_err = netlink_route_remove(&route);
	/* A kernel without nftables has nothing of ours in it. */
	if (err == -EOPNOTSUPP || err == -EPROTONOSUPPORT)
		err = 0;
	if (!err)
		err = route_err;
	return err ? err : bridge_err;
}

/* What an earlier run has left behind, which was killed, and what the last configuration wanted. */
static int put_out_of_force(struct keeper *keeper, char problem[KEEPER_PROBLEM_MAX])
{
	size_t rules = 0;
	int err;

	memset(&keeper->bridge.plan, 0, sizeof(keeper->bridge.plan));
	/* On a host that never intercepts nftables is not even touched. */
	if (!keeper->intercept.is_on && (nft_rules(&rules) || rules == 0))
		err = xdp_bridge_remove();
	else
		err = intercept_take_off(false);
	keeper->intercept.is_on = false;
	if (err)
		explain(err, problem);
	return err;
}

int intercept_apply(struct keeper *keeper, const struct conf *conf,
		    char problem[KEEPER_PROBLEM_MAX])
{
	char why[KEEPER_PROBLEM_MAX] = "";
	const int err = conf_wants_intercept(conf) ? put_in_force(keeper, conf, why)
						   : put_out_of_force(keeper, why);

	if (err) {
		struct buf text;

		buf_init(&text, problem, KEEPER_PROBLEM_MAX);
		buf_printf(&text, "intercept: %s", why);
	}
	return err;
}

static void apply_again(struct keeper *keeper, const char *why)
{
	char problem[KEEPER_PROBLEM_MAX];

	if (!keeper->intercept.is_on)
		return;
	if (put_in_force(keeper, keeper_conf(keeper), problem))
		log_error("event=error what=intercept reason=\"%s: %s\"", why, problem);
	else
		log_warn("event=intercept reason=\"%s\" rules=%zu", why,
			 keeper->intercept.rules);
}

void intercept_release(struct keeper *keeper)
{
	keeper->intercept.is_released = true;
	apply_again(keeper, "stopping: new connections go straight to the mail host");
}

void intercept_end(struct keeper *keeper)
{
	int err;

	if (keeper->intercept.watch)
		event_free(keeper->intercept.watch);
	if (keeper->intercept.pause)
		event_free(keeper->intercept.pause);
	close_fd(&keeper->intercept.watch_fd);
	xdp_bridge_close(&keeper->bridge.program);
	if (!keeper->intercept.is_on)
		return;
	err = intercept_take_off(false);
	if (err)
		log_error("event=error what=intercept reason=\"%s\"", strerror(-err));
}

/* ---- gates that do not work ----------------------------------------------------------------------------- */

void intercept_gates_changed(struct keeper *keeper)
{
	bool are_down = true;

	for (size_t i = 0; i < keeper->child_count; i++) {
		const struct keeper_child *child = &keeper->children[i];

		if (child->role == ROLE_GATE &&
		    (child->is_ready || child->delay_ms < GATES_PATIENCE_MS))
			are_down = false;
	}
	if (are_down == keeper->intercept.are_gates_down || keeper->phase >= PHASE_DRAIN)
		return;
	keeper->intercept.are_gates_down = are_down;
	apply_again(keeper, are_down ? "no gate works: fail-mode decides"
				     : "the gates work again");
}

/* ---- a host that changes ----------------------------------------------------------------------------------- */

void intercept_host_changed(struct keeper *keeper)
{
	AUTO(free_mem) struct nft_table *table = malloc(sizeof(*table));
	char problem[KEEPER_PROBLEM_MAX] = "";
	struct xdp_bridge_plan plan;
	int err;

	if (!keeper->intercept.is_on || !table)
		return;
	err = table_of(keeper, keeper_conf(keeper), table);
	if (!err)
		err = bridge_plan(table, &plan, problem);
	/* Told once, when it was tried. */
	if (err && keeper->bridge.is_stale)
		return;
	if (err || keeper->bridge.is_stale ||
	    !xdp_bridge_plan_equal(&plan, &keeper->bridge.plan))
		apply_again(keeper, "a bridge has changed");
	else if (bridge_ports_lost(keeper) > 0)
		apply_again(
			keeper,
			"somebody took our program off a port of the bridge: it is put back");
}

/* ---- others that change nftables --------------------------------------------------------------------------- */

/* Its own doing is done; but what we put back meanwhile, before we could hear of it, must not stay. */
static void take_off_again(void)
{
	const int err = intercept_take_off(true);

	if (err)
		log_error("event=error what=detach reason=\"%s\"", strerror(-err));
}

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
	struct keeper *keeper = context;
	const struct nft_watched seen = keeper->intercept.seen;
	const struct timeval again = {.tv_sec = REPAIR_AGAIN_S};
	size_t count = 0;
	int err;

	(void)fd;
	(void)what;
	keeper->intercept.seen = (struct nft_watched){.is_ours = seen.is_ours};
	if (seen.by_detach && (keeper->fence.is_on || keeper->intercept.is_on))
		take_off_again();
	if (fence_on_change(keeper, &seen)) {
		keeper->intercept.seen.by_others = seen.by_others;
		(void)event_add(keeper->intercept.pause, &again);
	}
	if (!keeper->intercept.is_on)
		return;
	if (seen.by_detach) {
		keeper->intercept.is_on = false;
		log_warn(
			"event=intercept reason=\"posternd --detach took it off: clients reach the "
			"mail host itself until a restart\"");
		return;
	}
	err = nft_rules(&count);
	if (err)
		log_error("event=error what=intercept reason=\"%s\"", strerror(-err));
	else if (count != keeper->intercept.rules)
		apply_again(
			keeper,
			count ? "somebody changed table inet postern: it is put back"
			      : "somebody removed table inet postern: it is put back");
}

static void on_change(evutil_socket_t fd, short what, void *context)
{
	const struct timeval pause = {.tv_usec = REPAIR_PAUSE_MS * 1000};
	struct keeper *keeper = context;

	(void)what;
	nft_watch_take(fd, &keeper->intercept.seen);
	if (!event_pending(keeper->intercept.pause, EV_TIMEOUT, NULL))
		(void)event_add(keeper->intercept.pause, &pause);
}

int intercept_watch(struct keeper *keeper)
{
	struct keeper_intercept *intercept = &keeper->intercept;
	int err = nft_watch_open(&intercept->watch_fd);

	/* Then there is no nftables, and nothing of ours in it to be looked after. */
	if (err)
		return intercept->is_on || keeper->fence.is_on ? err : 0;
	intercept->pause = evtimer_new(keeper->base, on_pause_over, keeper);
	intercept->watch = event_new(keeper->base, intercept->watch_fd,
				     EV_READ | EV_PERSIST, on_change, keeper);
	if (!intercept->pause || !intercept->watch || event_add(intercept->watch, NULL))
		return -ENOMEM;
	return 0;
}

int intercept_rules(const struct keeper *keeper, size_t *out_wanted, size_t *out_there)
{
	*out_wanted = keeper->intercept.is_on ? keeper->intercept.rules : 0;
	return nft_rules(out_there);
}

/* ---- sockets with which a gate can connect in clients' names ---------------------------------------------- */

void intercept_give_sockets(struct keeper_child *gate, const struct msg_socket_want *want)
{
	struct msg msg = {.type = MSG_SOCKET, .socket = {.family = want->family}};

	if (!conf_wants_intercept(keeper_conf(gate->keeper)))
		return;
	for (uint32_t i = 0; i < want->count; i++) {
		AUTO(close_fd) int fd = -1;
		int err =
			sock_make_foreign((enum addr_family)want->family, MARK_GATE, &fd);

		if (err) {
			log_error("event=error what=socket reason=\"%s\"",
				  strerror(-err));
			return;
		}
		child_send(gate, &msg, fd);
	}
}
