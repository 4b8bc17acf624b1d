/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/client - the client's end of the control protocol (wire/ctl).
 *
 * Requests are queued and go out while answers come in, so neither side can wait for the other.
 * May touch: its socket. Called by the commands.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "wire/ctl.h"

#define CLIENT_QUEUE_MAX_BYTES \
	(8u * CTL_LINE_MAX_BYTES)   /* requests that wait to go out */
#define CLIENT_SILENCE_MAX_MS 60000 /* a reload of a million entries takes seconds */
#define CLIENT_WAIT_FOREVER   (-1)

/* A row's members may be missing or of any type: member_text() and its like of cli/output take them. */
typedef void (*client_row_fn)(void *context, const json_t *row);

/* Connect. 0; -errno. */
int client_open(const char *socket_path, struct client **out_client) MUST_CHECK;
void client_free(struct client **client);

/* Drop a reference and leave NULL behind, for AUTO(). */
void json_free(json_t **json);

/**
 * client_send - queue one request; connects before the first one.
 * @args: its arguments; a reference is taken over, also on failure; NULL: none
 *
 * Return: 0; -ENOMEM; -EMSGSIZE, longer than a line may be; -ENOBUFS, too many are queued; -errno of connect().
 */
int client_send(struct cli *cli, enum ctl_command command, json_t *args) MUST_CHECK;

/**
 * client_receive - the next object from the daemon, while queued requests go out.
 * @timeout_ms: without a byte for so long, give up; CLIENT_WAIT_FOREVER
 * @out_object: owned by the caller; untouched on failure
 *
 * Return: 0; -ECONNRESET, the daemon closed; -ETIMEDOUT; -EPROTO, not the protocol; -EINTR, a signal; -errno.
 */
int client_receive(struct client *client, int timeout_ms, json_t **out_object) MUST_CHECK;

/**
 * client_finish - read rows up to the end of one answer.
 * @on_row: called for each row; borrowed; NULL: they are ignored
 * @out_done: the object "done", owned by the caller; may be NULL; untouched when it did not come
 *
 * A failure, and the message of a done that is not 0, are written to the error stream.
 *
 * Return: exit status, enum ctl_code.
 */
int client_finish(struct cli *cli, client_row_fn on_row, void *context,
		  json_t **out_done);

/* client_send() and client_finish() of a single request. */
struct client_request {
	enum ctl_command command;
	json_t *args; /* taken over */
	client_row_fn on_row;
	void *context;
};
int client_ask(struct cli *cli, const struct client_request *request, json_t **out_done);

/**
 * request_text - put a text of the command line into a request.
 * @text: NULL: nothing is put
 *
 * Return: CTL_OK; CTL_USAGE, not UTF-8, so it cannot be sent, and that has been said.
 */
int request_text(struct cli *cli, json_t *args, const char *key,
		 const char *text) MUST_CHECK;

/* --for and --forever as for_s or forever; nothing without them. CTL_OK; CTL_USAGE, and that has been said. */
int request_length(struct cli *cli, json_t *args) MUST_CHECK;

/* Says on the error stream why the daemon cannot be asked, and what to do. Returns CTL_UNREACHABLE. */
int client_explain(struct cli *cli, int error);

/* Where the control socket is: option, environment, default. */
const char *client_socket_path(const struct cli *cli);

#endif
