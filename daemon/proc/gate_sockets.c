/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_sockets - see gate_sockets.h.
 */
#include "proc/gate_sockets.h"

#include "proc/gate_state.h"

static bool is_needed(const struct conf *conf)
{
	for (size_t i = 0; conf && i < conf->service_count; i++)
		if (conf->services[i].client_address == CLIENT_ADDRESS_TRANSPARENT)
			return true;
	return false;
}

static struct gate_socket_stock *stock_of(struct gate *gate, enum addr_family family)
{
	return family == ADDR_V6 ? &gate->sockets.v6 : &gate->sockets.v4;
}

static void refill(struct gate *gate, enum addr_family family)
{
	const struct msg msg = {
		.type = MSG_SOCKET_WANT,
		.socket_want = {.family = family, .count = MSG_SOCKETS_MAX},
	};
	struct gate_socket_stock *stock = stock_of(gate, family);

	while (stock->count + stock->asked + MSG_SOCKETS_MAX <= GATE_SOCKETS_MAX) {
		if (channel_send(gate->keeper, &msg, -1))
			return;
		stock->asked += MSG_SOCKETS_MAX;
	}
}

void sockets_refill(struct gate *gate)
{
	if (!is_needed(gate->conf))
		return;
	refill(gate, ADDR_V4);
	refill(gate, ADDR_V6);
}

void sockets_add(struct gate *gate, enum addr_family family, int fd)
{
	struct gate_socket_stock *stock = stock_of(gate, family);

	if (stock->asked > 0)
		stock->asked--;
	if (stock->count < GATE_SOCKETS_MAX)
		stock->fds[stock->count++] = fd;
	else
		close_fd(&fd);
}

int sockets_take(struct gate *gate, enum addr_family family)
{
	struct gate_socket_stock *stock = stock_of(gate, family);
	const int fd = stock->count > 0 ? stock->fds[--stock->count] : -1;

	refill(gate, family);
	return fd;
}

static void stock_close(struct gate_socket_stock *stock)
{
	while (stock->count > 0)
		close_fd(&stock->fds[--stock->count]);
}

void sockets_close(struct gate *gate)
{
	stock_close(&gate->sockets.v4);
	stock_close(&gate->sockets.v6);
}
