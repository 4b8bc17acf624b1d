/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/client - see the header.
 */
#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/num.h"

struct client {
	int fd;
	char *out; /* queued requests: out_len bytes behind out_start */
	size_t out_start, out_len, out_cap;
	size_t in_start, in_len;
	char in[2 * CTL_LINE_MAX_BYTES]; /* a line begins in the first half, so it fits */
};

const char *client_socket_path(const struct cli *cli)
{
	if (cli->options.socket_path)
		return cli->options.socket_path;
	if (cli->environ_socket && cli->environ_socket[0])
		return cli->environ_socket;
	return CLI_SOCKET_DEFAULT;
}

int client_open(const char *socket_path, struct client **out_client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO(client_free) struct client *client = NULL;

	if (!text_copy(address.sun_path, sizeof(address.sun_path), socket_path))
		return -ENAMETOOLONG;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return -errno;
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return -errno;
	*out_client = TAKE_PTR(client);
	return 0;
}

void client_free(struct client **client)
{
	if (!*client)
		return;
	close_fd(&(*client)->fd);
	free((*client)->out);
	free(*client);
	*client = NULL;
}

void json_free(json_t **json)
{
	json_decref(*json);
	*json = NULL;
}

static int client_queue(struct client *client, const char *line, size_t len)
{
	size_t need;

	if (len + 1 > CTL_LINE_MAX_BYTES)
		return -EMSGSIZE;
	if (client->out_start > 0) {
		memmove(client->out, client->out + client->out_start, client->out_len);
		client->out_start = 0;
	}
	need = client->out_len + len + 1;
	if (need > CLIENT_QUEUE_MAX_BYTES)
		return -ENOBUFS;
	if (need > client->out_cap) {
		char *grown = realloc(client->out, need);

		if (!grown)
			return -ENOMEM;
		client->out = grown;
		client->out_cap = need;
	}
	memcpy(client->out + client->out_len, line, len);
	client->out[need - 1] = '\n';
	client->out_len = need;
	return 0;
}

int client_send(struct cli *cli, enum ctl_command command, json_t *args)
{
	AUTO(json_free) json_t *request = NULL;
	AUTO(free_mem) char *line = NULL;
	int err = 0;

	request =
		json_pack("{s:i, s:s, s:o}", "v", CTL_VERSION, "cmd",
			  ctl_command_name(command), "args", args ? args : json_object());
	if (!request)
		return -ENOMEM;
	line = json_dumps(request, JSON_COMPACT);
	if (!line)
		return -ENOMEM;
	if (!cli->client)
		err = client_open(client_socket_path(cli), &cli->client);
	return err ? err : client_queue(cli->client, line, strlen(line));
}

static int client_write(struct client *client)
{
	ssize_t n = send(client->fd, client->out + client->out_start, client->out_len,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
		n = (ssize_t)client
			    ->out_len; /* what it said before it left is still to be read */
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	client->out_start += (size_t)n;
	client->out_len -= (size_t)n;
	return 0;
}

static int client_read(struct client *client)
{
	size_t at;
	ssize_t n;

	if (client->in_start > CTL_LINE_MAX_BYTES || client->in_len == 0) {
		memmove(client->in, client->in + client->in_start, client->in_len);
		client->in_start = 0;
	}
	at = client->in_start + client->in_len;
	n = recv(client->fd, client->in + at, sizeof(client->in) - at, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	client->in_len += (size_t)n;
	return 0;
}

/* Wait until something can go out or has come in, and do it. */
static int client_pump(struct client *client, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
	int n, err = 0;

	if (client->out_len > 0)
		poll_fd.events |= POLLOUT;
	n = poll(&poll_fd, 1, timeout_ms);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ETIMEDOUT;
	if (poll_fd.revents & (POLLIN | POLLHUP | POLLERR))
		err = client_read(client);
	if (!err && (poll_fd.revents & POLLOUT))
		err = client_write(client);
	return err;
}

int client_receive(struct client *client, int timeout_ms, json_t **out_object)
{
	json_t *object;
	size_t len;
	int err;

	for (;;) {
		err = ctl_line_end(client->in + client->in_start, client->in_len, &len);
		if (err < 0)
			return -EPROTO;
		if (err > 0)
			break;
		err = client_pump(client, timeout_ms);
		if (err)
			return err;
	}
	object = json_loadb(client->in + client->in_start, len, JSON_REJECT_DUPLICATES,
			    NULL);
	client->in_start += len + 1;
	client->in_len -= len + 1;
	if (!json_is_object(object)) {
		json_decref(object);
		return -EPROTO;
	}
	*out_object = object;
	return 0;
}

static int client_done(struct cli *cli, json_t *done, json_t **out_done)
{
	const char *message = json_string_value(json_object_get(done, "message"));
	const json_t *code = json_object_get(done, "code");
	json_int_t status = json_is_integer(code) ? json_integer_value(code) : -1;

	if (status < CTL_OK || status > CTL_UNREACHABLE)
		return client_explain(cli, -EPROTO);
	if (status != CTL_OK && message && message[0])
		cli_error(cli, "%s", message);
	if (out_done)
		*out_done = json_incref(done);
	return (int)status;
}

int client_finish(struct cli *cli, client_row_fn on_row, void *context, json_t **out_done)
{
	for (;;) {
		AUTO(json_free) json_t *object = NULL;
		json_t *row, *done;
		int err;

		err = client_receive(cli->client, CLIENT_SILENCE_MAX_MS, &object);
		if (err)
			return client_explain(cli, err);
		row = json_object_get(object, "row");
		done = json_object_get(object, "done");
		if (json_is_object(done))
			return client_done(cli, done, out_done);
		if (!json_is_object(row))
			return client_explain(cli, -EPROTO);
		if (on_row)
			on_row(context, row);
	}
}

int client_ask(struct cli *cli, const struct client_request *request, json_t **out_done)
{
	int err;

	err = client_send(cli, request->command, request->args);
	if (err)
		return client_explain(cli, err);
	return client_finish(cli, request->on_row, request->context, out_done);
}

int request_text(struct cli *cli, json_t *args, const char *key, const char *text)
{
	if (text && json_object_set_new(args, key, json_string(text)) != 0)
		return cli_usage(cli, "%s: the text is not valid UTF-8", key);
	return CTL_OK;
}

int request_length(struct cli *cli, json_t *args)
{
	const char *text = cli->options.duration;
	int64_t seconds;
	int err;

	if (text && cli->options.forever)
		return cli_usage(cli, "--for and --forever exclude each other");
	if (cli->options.forever) {
		(void)json_object_set_new(args, "forever", json_true());
		return CTL_OK;
	}
	if (!text)
		return CTL_OK;
	err = num_parse_duration(text, &seconds);
	if (err == -ERANGE)
		return cli_usage(cli, "'%s': at most 100 years; --forever has no end",
				 text);
	if (!err && seconds == 0)
		return cli_usage(cli, "'%s': at least 1s", text);
	if (err)
		return cli_usage(cli, "'%s': a time is written 90s, 10m, 1h, 7d or 1h30m",
				 text);
	if (seconds == DURATION_FOREVER_S)
		(void)json_object_set_new(args, "forever", json_true());
	else
		(void)json_object_set_new(args, "for_s", json_integer(seconds));
	return CTL_OK;
}

int client_explain(struct cli *cli, int error)
{
	const char *path = client_socket_path(cli);

	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		cli_error(cli, "posternd does not listen at %s (%s)", path,
			  strerror(-error));
		break;
	case ECONNRESET:
	case EPIPE:
		cli_error(cli,
			  "posternd closed the connection at %s before it had answered",
			  path);
		break;
	case ETIMEDOUT:
		cli_error(cli, "no answer from posternd at %s within %d seconds", path,
			  CLIENT_SILENCE_MAX_MS / 1000);
		break;
	case EACCES:
	case EPERM:
		cli_error(
			cli,
			"%s: permission denied: be root, or a member of the group postern",
			path);
		return CTL_UNREACHABLE;
	case EPROTO:
		cli_error(cli,
			  "what answers at %s does not speak version %d of the protocol",
			  path, CTL_VERSION);
		return CTL_UNREACHABLE;
	default:
		cli_error(cli, "%s: %s", path, strerror(-error));
		return CTL_UNREACHABLE;
	}
	(void)fputs(
		"  Look at it with: systemctl status posternd; journalctl -u posternd\n"
		"  Bans and policies still hold in the kernel, and bans end on time.\n"
		"  posternd --detach takes them off, if that is what you want.\n",
		cli->err);
	return CTL_UNREACHABLE;
}
