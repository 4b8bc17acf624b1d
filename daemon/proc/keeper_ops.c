/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_ops - the ledger's orders about bans, each checked again before it is obeyed.
 *
 * The ledger decides, but a ledger that has been taken over must not be able to shut the admin, the backend or
 * the gateway out. It could lift bans: that is its job, and no check can tell why.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/limits.h"
#include "proc/channel.h"
#include "proc/keeper_state.h"

#define BAN_LONGEST_NS \
	(UINT64_C(200) * 365 * 86400 * NS_PER_S) /* twice what a duration may be */

static_assert(MSG_BANS_MAX <= XDP_BATCH_MAX, "one message is one batch");

static struct xdp_ban ban_of(const struct msg_ban *ban)
{
	return (struct xdp_ban){
		.prefix = ban->prefix,
		.policy = ban->policy,
		.ends_ns = ban->ends_ns,
	};
}

static int edit_check(const struct keeper *keeper, const struct msg_ban *ban,
		      uint64_t now_ns)
{
	if (ban->edit == BAN_EDIT_REMOVE)
		return 0;
	if (protected_find(keeper->snapshot.protected_set, &ban->prefix))
		return -EPERM;
	if (!conf_policy_by_id(keeper_conf(keeper), ban->policy))
		return -ENOENT;
	if (ban->ends_ns == 0 ||
	    (ban->ends_ns != CLOCK_FOREVER_NS && ban->ends_ns > now_ns + BAN_LONGEST_NS))
		return -EINVAL;
	return 0;
}

/* Sets the bans whose numbers stand in chosen; what fails is said in its place, the rest goes on. */
static void edits_set(struct keeper *keeper, struct msg_bans *bans,
		      const uint32_t *chosen, size_t count)
{
	struct xdp_ban batch[MSG_BANS_MAX];
	size_t at = 0;

	if (count == 0 || !keeper->xdp)
		return;
	for (size_t i = 0; i < count; i++)
		batch[i] = ban_of(&bans->bans[chosen[i]]);
	if (bans->load && xdp_ban_load(keeper->xdp, batch, count) == 0)
		return;
	while (at < count) {
		size_t made = 0;
		int err = xdp_ban_set(keeper->xdp, batch + at, count - at, &made);

		at += made;
		if (!err)
			return;
		if (at < count)
			bans->bans[chosen[at++]].error = (int16_t)err;
	}
}

static void edits_apply(struct keeper *keeper, struct msg_bans *bans)
{
	const uint64_t now_ns = clock_boot_ns();
	uint32_t chosen[MSG_BANS_MAX];
	size_t count = 0;

	for (uint32_t i = 0; i < bans->count; i++) {
		struct msg_ban *ban = &bans->bans[i];
		int err = edit_check(keeper, ban, now_ns);

		if (!err && !keeper->xdp && !keeper->fence.is_on)
			err = -EOPNOTSUPP;
		ban->error = (int16_t)err;
		if (err)
			continue;
		if (ban->edit == BAN_EDIT_SET) {
			chosen[count++] = i;
			continue;
		}
		/* Their order counts: the same address may be set before and after. */
		edits_set(keeper, bans, chosen, count);
		count = 0;
		if (keeper->xdp)
			ban->error = (int16_t)xdp_ban_remove(keeper->xdp, &ban->prefix,
							     ban->policy);
	}
	edits_set(keeper, bans, chosen, count);
}

static void edits_log(const struct msg_bans *bans)
{
	uint32_t refused = 0;
	char text[PREFIX_TEXT_MAX];

	for (uint32_t i = 0; i < bans->count; i++) {
		const struct msg_ban *ban = &bans->bans[i];

		if (ban->error && ban->error != -EOPNOTSUPP && ban->error != -ENOENT &&
		    refused++ == 0)
			log_warn("event=ban-refused addr=%s policy_id=%u reason=\"%s\"",
				 prefix_format(&ban->prefix, text), ban->policy,
				 ban->error == -EPERM ? "protected address"
						      : strerror(-ban->error));
	}
	if (refused > 1)
		log_warn("event=ban-refused more=%u", refused - 1);
}

void ops_edit(struct keeper *keeper, const struct msg *msg)
{
	struct msg answer = *msg;

	answer.type = MSG_EDITS_DONE;
	edits_apply(keeper, &answer.bans);
	fence_edits(keeper, &answer.bans);
	edits_log(&answer.bans);
	child_send(keeper_ledger(keeper), &answer, -1);
}

static void ban_tell(struct msg_ban *out_ban, const struct xdp_ban *ban)
{
	*out_ban = (struct msg_ban){
		.prefix = ban->prefix,
		.policy = (uint8_t)ban->policy,
		.ends_ns = ban->ends_ns,
		.packets = ban->packets,
		.last_seen_ns = ban->last_seen_ns,
	};
}

void ops_walk(struct keeper *keeper, const struct msg *msg)
{
	struct msg answer = {.type = MSG_BAN_PAGE, .bans = {.seq = msg->ban_walk.seq}};
	struct xdp_ban bans[MSG_BANS_MAX];
	size_t count = 0;
	int err = 0;

	if (keeper->xdp)
		err = xdp_ban_walk(keeper->xdp, msg->ban_walk.restart != 0, bans,
				   MSG_BANS_MAX, &count);
	else
		fence_walk(keeper, msg->ban_walk.restart != 0, bans, MSG_BANS_MAX,
			   &count);
	if (err) {
		log_error("event=error what=ban-walk reason=\"%s\"", strerror(-err));
		count = 0;
	}
	for (size_t i = 0; i < count; i++)
		ban_tell(&answer.bans.bans[i], &bans[i]);
	answer.bans.count = (uint32_t)count;
	answer.bans.last = count == 0;
	child_send(keeper_ledger(keeper), &answer, -1);
}

static int ban_find(struct keeper *keeper, const struct msg_ban *ban,
		    struct xdp_ban *out_ban)
{
	if (keeper->xdp)
		return xdp_ban_get(keeper->xdp, &ban->prefix, ban->policy, out_ban);
	return fence_find(keeper, &ban->prefix, ban->policy, out_ban) ? 0 : -ENOENT;
}

void ops_lookup(struct keeper *keeper, const struct msg *msg)
{
	struct msg answer = *msg;

	answer.type = MSG_BAN_PAGE;
	answer.bans.last = 1;
	for (uint32_t i = 0; i < answer.bans.count; i++) {
		struct msg_ban *ban = &answer.bans.bans[i];
		struct xdp_ban found;
		int err = ban_find(keeper, ban, &found);

		if (!err)
			ban_tell(ban, &found);
		ban->error = (int16_t)err;
	}
	child_send(keeper_ledger(keeper), &answer, -1);
}

void ops_report(struct keeper *keeper, uint32_t seq, int error, const char *text)
{
	size_t left = strlen(text);

	do {
		struct msg msg = {.type = MSG_REPORT,
				  .report = {.seq = seq, .error = error}};
		size_t part = left < MSG_TEXT_MAX ? left : MSG_TEXT_MAX - 1;

		memcpy(msg.report.text, text, part);
		text += part;
		left -= part;
		msg.report.last = left == 0;
		child_send(keeper_ledger(keeper), &msg, -1);
	} while (left > 0);
}
