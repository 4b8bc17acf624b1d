/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_state - see ledger_state.h.
 */
#include "proc/ledger_state.h"

#include <assert.h>
#include <stdlib.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/num.h"
#include "proc/channel.h"
#include "sys/db.h"

static_assert(DB_FOREVER_S == DURATION_FOREVER_S, "one forever");

void ledger_turn(struct ledger *ledger)
{
	ledger->now.boot_ns = clock_boot_ns();
	ledger->now.mono_ns = clock_mono_ns();
	ledger->now.wall_s = clock_wall_s();
}

const struct conf *ledger_conf(const struct ledger *ledger)
{
	return ledger->snapshot.conf;
}

int ledger_policy_index(const struct ledger *ledger, uint32_t id)
{
	const struct conf *conf = ledger_conf(ledger);

	for (unsigned int i = 0; i < conf->policy_count; i++) {
		if (conf->policies[i].id == id)
			return (int)i;
	}
	return -1;
}

uint32_t ledger_policy_of_key(const struct ledger *ledger, uint32_t key)
{
	for (uint32_t id = 0; key && id < CONF_POLICY_IDS; id++) {
		if (ledger->keys[id] == key)
			return id;
	}
	return LEDGER_POLICY_NONE;
}

const char *ledger_policy_name(const struct ledger *ledger, uint32_t id)
{
	int index = ledger_policy_index(ledger, id);

	return index < 0 ? "-" : ledger_conf(ledger)->policies[index].name;
}

uint64_t ledger_boot_from_wall(const struct ledger *ledger, int64_t ends_s)
{
	int64_t left_s;

	if (ends_s == DB_FOREVER_S)
		return CLOCK_FOREVER_NS;
	left_s = ends_s - ledger->now.wall_s;
	if (left_s <= 0)
		return ledger->now.boot_ns;
	if ((uint64_t)left_s > (CLOCK_FOREVER_NS - ledger->now.boot_ns) / NS_PER_S - 1)
		return CLOCK_FOREVER_NS;
	return ledger->now.boot_ns + (uint64_t)left_s * NS_PER_S;
}

int64_t ledger_wall_from_boot(const struct ledger *ledger, uint64_t ends_ns)
{
	if (ends_ns == CLOCK_FOREVER_NS)
		return DB_FOREVER_S;
	if (ends_ns >= ledger->now.boot_ns)
		return ledger->now.wall_s +
		       (int64_t)((ends_ns - ledger->now.boot_ns + NS_PER_S / 2) /
				 NS_PER_S);
	return ledger->now.wall_s -
	       (int64_t)((ledger->now.boot_ns - ends_ns + NS_PER_S / 2) / NS_PER_S);
}

void ledger_recheck(struct ledger *ledger, const struct prefix *prefix)
{
	struct msg msg = {.type = MSG_RECHECK};

	if (prefix)
		msg.recheck.prefix = *prefix;
	for (size_t i = 0; i < CONF_GATES_MAX; i++) {
		/* A gate whose queue is full is dead or about to be; it looks again when it lives. */
		if (ledger->gates[i])
			(void)channel_send(ledger->gates[i], &msg, -1);
	}
}

void ledger_fail(struct ledger *ledger)
{
	ledger->exit_status = EXIT_FAILURE;
	(void)event_base_loopbreak(ledger->base);
}
