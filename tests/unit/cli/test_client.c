/* SPDX-License-Identifier: GPL-2.0-only */
/* cli/client: what is on the wire when the daemon has left, and how much may wait to go out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/client.h"

static struct cli cli;
static char directory[] = "/tmp/postern-test-XXXXXX";
static char path[64];
static int listener = -1, daemon_fd = -1;

static int set_up(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)state;
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	if (!mkdtemp(directory))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/s", directory);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	cli = (struct cli){.command = "test"};
	assert_int_equal(client_open(path, &cli.client), 0);
	daemon_fd = accept(listener, NULL, NULL);
	return daemon_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	client_free(&cli.client);
	close_fd(&daemon_fd);
	close_fd(&listener);
	return unlink(path) || rmdir(directory);
}

static void daemon_says(const char *text)
{
	assert_int_equal(send(daemon_fd, text, strlen(text), 0), strlen(text));
}

static void what_a_daemon_said_before_it_left_is_read(void **state)
{
	json_t *object = NULL;

	(void)state;
	daemon_says("{\"done\":{}}\n{\"row\"");
	close_fd(&daemon_fd);
	assert_int_equal(client_send(&cli, CTL_BANS, NULL), 0);
	assert_int_equal(client_receive(cli.client, 1000, &object), 0);
	assert_true(json_is_object(json_object_get(object, "done")));
	json_free(&object);
	assert_int_equal(client_receive(cli.client, 1000, &object), -ECONNRESET);
	assert_null(object);
}

static void silence_has_an_end(void **state)
{
	json_t *object = NULL;

	(void)state;
	daemon_says("{\"row\":");
	assert_int_equal(client_receive(cli.client, 20, &object), -ETIMEDOUT);
	assert_null(object);
	daemon_says("{}}\n");
	assert_int_equal(client_receive(cli.client, 1000, &object), 0);
	json_free(&object);
}

static void lines_come_in_any_pieces(void **state)
{
	static const char lines[] =
		"{\"row\":{\"a\":1}}\n{\"row\":{\"a\":2}}\n{\"row\":{\"a\":3}}\n";
	json_t *object = NULL;

	(void)state;
	for (size_t cut = 0; cut < strlen(lines); cut++) {
		assert_int_equal(send(daemon_fd, lines, cut, 0), cut);
		for (int i = 1; i <= 3; i++) {
			if (client_receive(cli.client, 0, &object) == -ETIMEDOUT) {
				daemon_says(lines + cut);
				assert_int_equal(
					client_receive(cli.client, 1000, &object), 0);
			}
			assert_int_equal(json_integer_value(json_object_get(
						 json_object_get(object, "row"), "a")),
					 i);
			json_free(&object);
		}
	}
}

static void what_waits_to_go_out_is_bounded(void **state)
{
	char *text = malloc(CTL_LINE_MAX_BYTES);
	unsigned int sent = 0;
	int err = 0;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', CTL_LINE_MAX_BYTES);
	text[CTL_LINE_MAX_BYTES - 1] = '\0';
	assert_int_equal(client_send(&cli, CTL_BAN, json_pack("{s:s}", "reason", text)),
			 -EMSGSIZE);
	text[CTL_LINE_MAX_BYTES - 100] = '\0';
	while (!err && sent < 100) {
		err = client_send(&cli, CTL_BAN, json_pack("{s:s}", "reason", text));
		sent += !err;
	}
	assert_int_equal(err, -ENOBUFS);
	assert_in_range(sent, 1, CLIENT_QUEUE_MAX_BYTES / (CTL_LINE_MAX_BYTES - 100));
	free(text);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	struct client *client = NULL;
	char longer[200];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(client_open(longer, &client), -ENAMETOOLONG);
	assert_null(client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_a_daemon_said_before_it_left_is_read),
		TEST(silence_has_an_end),
		TEST(lines_come_in_any_pieces),
		TEST(what_waits_to_go_out_is_bounded),
		TEST(a_path_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests_name("cli/client", tests, NULL, NULL);
}
