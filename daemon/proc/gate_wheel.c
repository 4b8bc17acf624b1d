/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_wheel - see gate_wheel.h.
 */
#include "proc/gate_wheel.h"

#include <assert.h>
#include <stddef.h>

static_assert((WHEEL_SLOTS & (WHEEL_SLOTS - 1)) == 0, "a slot is found by a mask");

void wheel_init(struct wheel *wheel, uint64_t now_ms)
{
	for (uint32_t i = 0; i < WHEEL_SLOTS; i++)
		wheel->slots[i].next = wheel->slots[i].prev = &wheel->slots[i];
	wheel->tick = now_ms / WHEEL_TICK_MS;
}

void wheel_remove(struct wheel_node *node)
{
	if (!node->next)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = NULL;
}

static void wheel_put(struct wheel *wheel, struct wheel_node *node)
{
	uint64_t tick = node->due_ms / WHEEL_TICK_MS + 1;
	struct wheel_node *head;

	if (tick < wheel->tick)
		tick = wheel->tick;
	/* One less than a round: wheel_next() puts back while it looks at the slot before. */
	if (tick > wheel->tick + WHEEL_SLOTS - 2)
		tick = wheel->tick + WHEEL_SLOTS - 2;
	head = &wheel->slots[tick & (WHEEL_SLOTS - 1)];
	node->tick = tick;
	node->next = head;
	node->prev = head->prev;
	head->prev->next = node;
	head->prev = node;
}

void wheel_set(struct wheel *wheel, struct wheel_node *node, uint64_t due_ms)
{
	node->due_ms = due_ms;
	/* A later time needs no move: the slot puts it where it belongs when its turn comes. */
	if (node->next && node->tick <= due_ms / WHEEL_TICK_MS + 1)
		return;
	wheel_remove(node);
	wheel_put(wheel, node);
}

struct wheel_node *wheel_next(struct wheel *wheel, uint64_t now_ms)
{
	const uint64_t now_tick = now_ms / WHEEL_TICK_MS;

	while (wheel->tick <= now_tick) {
		struct wheel_node *head = &wheel->slots[wheel->tick & (WHEEL_SLOTS - 1)];
		struct wheel_node *node = head->next;

		if (node == head) {
			wheel->tick++;
			continue;
		}
		wheel_remove(node);
		if (node->due_ms <= now_ms)
			return node;
		/* Not before the next tick, or this loop would meet it again. */
		wheel->tick++;
		wheel_put(wheel, node);
		wheel->tick--;
	}
	return NULL;
}
