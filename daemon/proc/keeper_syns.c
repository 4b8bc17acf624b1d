/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_syns - the kernel reports who begins too many connections: passed on to the gates, which know whose
 * handshakes were completed, and to the ledger, which says it.
 *
 * A flood can make as many reports as there are addresses to forge. So they are read in portions with a pause in
 * between, the kernel loses what there is no room for, and a child that is behind is not told.
 */
#include <errno.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "proc/channel.h"
#include "proc/keeper_state.h"

#define SYNS_READ_MAX	256u /* in one portion */
#define SYNS_PAUSE_MS	100u /* before the next */
#define SYNS_QUEUE_MAX	32u  /* messages that wait for a child: then it is behind */
#define SYNS_PER_MINUTE 30u  /* lines of the log */

/* The service that a report is about; -1: none that is on, as the configuration is another one meanwhile. */
static int syns_service(const struct conf *conf, const struct xdp_syn_report *report)
{
	for (uint8_t i = 0; i < conf->service_count; i++) {
		const struct conf_service *service = &conf->services[i];

		if (!conf_service_is_on(conf, service) ||
		    conf->policies[service->policy].id != report->policy)
			continue;
		for (uint8_t j = 0; j < service->port_count; j++)
			if (service->ports[j] == report->port)
				return i;
	}
	return -1;
}

/* Only one that could come from our program, and that says anything. */
static bool syns_fill(const struct keeper *keeper, const struct xdp_syn_report *report,
		      struct msg_syn *out_syn)
{
	const struct prefix client = prefix_of_client(&report->source.addr);
	const int service = syns_service(keeper_conf(keeper), report);

	if (service < 0 || report->over == 0 || !prefix_equal(&client, &report->source))
		return false;
	*out_syn = (struct msg_syn){
		.client = client,
		.service = (uint8_t)service,
		.passed = report->passed,
		.over = report->over,
	};
	return true;
}

static void syns_log(struct keeper *keeper, const struct msg_syn *syn)
{
	const struct conf *conf = keeper_conf(keeper);
	const struct conf_service *service = &conf->services[syn->service];
	const struct conf_policy *policy = &conf->policies[service->policy];
	char client[PREFIX_TEXT_MAX];
	uint32_t dropped;

	if (log_limit_take(&keeper->syns.lines, clock_mono_ns(), &dropped))
		log_info(
			"event=syn-rate addr=%s policy=%s service=%s mode=%s over=%llu passed=%llu dropped=%u",
			prefix_format(&syn->client, client), policy->name, service->name,
			check_mode_name((enum check_mode)policy->mode[CHECK_DOS]),
			(unsigned long long)syn->over, (unsigned long long)syn->passed,
			dropped);
}

/* Not child_send(): that takes a full queue for a child that does not work. */
static void syns_send(struct keeper *keeper, const struct msg *msg)
{
	for (size_t i = 0; i < keeper->child_count; i++) {
		struct keeper_child *child = &keeper->children[i];

		if (child->role != ROLE_CHECKER && child->is_started && child->channel &&
		    channel_queued(child->channel) < SYNS_QUEUE_MAX)
			(void)channel_send(child->channel, msg, -1);
	}
}

static void syns_on_readable(evutil_socket_t fd, short what, void *context)
{
	const struct timeval pause = {.tv_usec = SYNS_PAUSE_MS * 1000};
	struct xdp_syn_report reports[SYNS_READ_MAX];
	struct keeper *keeper = context;
	struct msg msg = {.type = MSG_SYNS};
	const size_t count = xdp_syn_reports_read(keeper->xdp, reports, SYNS_READ_MAX);

	(void)fd;
	(void)what;
	for (size_t i = 0; i < count; i++) {
		struct msg_syn *syn = &msg.syns.syns[msg.syns.count];

		if (!syns_fill(keeper, &reports[i], syn))
			continue;
		syns_log(keeper, syn);
		if (++msg.syns.count == MSG_SYNS_MAX) {
			syns_send(keeper, &msg);
			msg.syns.count = 0;
		}
	}
	if (msg.syns.count > 0)
		syns_send(keeper, &msg);
	(void)event_del(keeper->syns.readable);
	(void)event_add(keeper->syns.pause, &pause);
}

static void syns_on_pause_over(evutil_socket_t fd, short what, void *context)
{
	struct keeper *keeper = context;

	(void)fd;
	(void)what;
	if (keeper->phase < PHASE_DRAIN)
		(void)event_add(keeper->syns.readable, NULL);
}

int syns_start(struct keeper *keeper)
{
	struct keeper_syns *syns = &keeper->syns;

	if (!keeper->xdp)
		return 0;
	syns->lines.per_minute = SYNS_PER_MINUTE;
	syns->pause = evtimer_new(keeper->base, syns_on_pause_over, keeper);
	syns->readable = event_new(keeper->base, xdp_syn_reports_fd(keeper->xdp),
				   EV_READ | EV_PERSIST, syns_on_readable, keeper);
	if (!syns->pause || !syns->readable || event_add(syns->readable, NULL))
		return -ENOMEM;
	return 0;
}

void syns_free(struct keeper *keeper)
{
	if (keeper->syns.readable)
		event_free(keeper->syns.readable);
	if (keeper->syns.pause)
		event_free(keeper->syns.pause);
}
