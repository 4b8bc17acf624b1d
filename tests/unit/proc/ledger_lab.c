/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/ledger_lab - see ledger_lab.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ledger_lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/prefix_set.h"
#include "policy/flags.h"
#include "proc/channel.h"
#include "proc/ledger.h"

/* ---- configuration -------------------------------------------------------------------------------- */

static void lab_conf(struct conf *conf)
{
	static const struct {
		const char *name;
		enum service_type type;
		uint8_t policy;
	} services[] = {
		{"smtp", SERVICE_SMTP, 0},
		{"submission", SERVICE_SUBMISSION, 0},
		{"imap", SERVICE_IMAP, 1},
	};

	conf_init(conf);
	(void)text_copy(conf->hostname, sizeof(conf->hostname), "mx.example.net");
	(void)text_copy(conf->state_dir, sizeof(conf->state_dir), "/state");
	conf->generation = 1;
	conf->policy_count = 2;
	(void)text_copy(conf->policies[0].name, CONF_NAME_MAX, "global");
	(void)text_copy(conf->policies[1].name, CONF_NAME_MAX, "lan");
	conf->policies[0].id = LAB_GLOBAL;
	conf->policies[1].id = LAB_LAN;
	for (unsigned int i = 0; i < 2; i++) {
		struct conf_policy *policy = &conf->policies[i];

		policy->enabled = true;
		policy->mode[CHECK_STRIKES] = MODE_ENFORCE;
		policy->strikes = (struct conf_strikes){
			.max = 5,
			.window_s = 600,
			.ban_time_s = 3600,
			.ban_time_max_s = 604800,
			.ban_memory_s = 604800,
		};
	}
	conf->service_count = 3;
	for (unsigned int i = 0; i < 3; i++) {
		struct conf_service *service = &conf->services[i];

		(void)text_copy(service->name, CONF_NAME_MAX, services[i].name);
		service->type = (uint8_t)services[i].type;
		service->policy = services[i].policy;
		service->ports[0] = service_type_port(services[i].type);
		service->port_count = 1;
	}
	conf->list_count = 1;
	(void)text_copy(conf->lists[0], CONF_PATH_MAX, "global.list");
	conf->limits.bans_max = LAB_BANS_MAX;
	conf->limits.strikes_clients_max = 64;
	conf->limits.am_clients_max = LAB_LOGINS_MAX;
	conf->limits.sessions_max = 8;
}

static void lab_add_row(struct prefix_builder *builder, const char *text, uint16_t flags,
			uint32_t line)
{
	struct prefix_row row = {.value = flags, .line = line};

	assert_int_equal(prefix_parse(text, &row.prefix), 0);
	assert_int_equal(prefix_builder_add(builder, &row), 0);
}

/* Both policies: everybody may come in and is counted, but for 203.0.113.0/24 and 2001:db8:1::1. */
static int lab_snapshot(struct lab *lab)
{
	struct prefix_builder *builders[CONF_POLICIES_MAX] = {NULL};
	const struct snapshot_parts parts = {
		.conf = &lab->conf,
		.protected_set = &lab->protected_set,
		.builders = builders,
	};
	struct prefix_row rows[2];
	int fd = -1;

	for (unsigned int i = 0; i < lab->conf.policy_count; i++) {
		builders[i] = prefix_builder_new();
		assert_non_null(builders[i]);
		lab_add_row(builders[i], "0.0.0.0/0", FLAG_PA | FLAG_AS | FLAG_LL, 1);
		lab_add_row(builders[i], "::/0", FLAG_PA | FLAG_AS | FLAG_LL, 2);
		lab_add_row(builders[i], "203.0.113.0/24", FLAG_PA | FLAG_AS, 3);
		lab_add_row(builders[i], "2001:db8:1::1", FLAG_PA | FLAG_AS, 4);
		lab_add_row(builders[i], "233.252.0.0/24", FLAG_PA | FLAG_AS | FLAG_AM,
			    5);
		lab_add_row(builders[i], "233.252.0.99", FLAG_PA | FLAG_AA, 6);
		assert_int_equal(prefix_builder_sort(builders[i], &rows[0], &rows[1]), 0);
	}
	assert_int_equal(snapshot_make(&parts, &fd), 0);
	for (unsigned int i = 0; i < lab->conf.policy_count; i++)
		prefix_builder_free(&builders[i]);
	return fd;
}

static void lab_protect(struct lab *lab, const char *text, const char *why)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	assert_int_equal(protected_add(&lab->protected_set, &prefix, why), 0);
}

/* ---- the directory ---------------------------------------------------------------------------------- */

static void lab_empty_dir(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	(void)closedir(dir);
}

void lab_open(struct lab *lab)
{
	memset(lab, 0, sizeof(*lab));
	lab->keeper = lab->gate = lab->admin = lab->bans_fd = lab->logins_fd = -1;
	lab->session = (struct msg_session){
		.id = 0xabc,
		.addr = {.bytes = {192, 0, 2, 77}, .family = ADDR_V4},
		.port = 4711,
		.started_wall_s = 1000,
		.state = "data",
		.user = "anna",
	};
	(void)snprintf(lab->dir, sizeof(lab->dir), "/tmp/postern-ledger-XXXXXX");
	assert_non_null(mkdtemp(lab->dir));
	lab_conf(&lab->conf);
	lab_protect(lab, "198.51.100.1", "own address");
	lab_protect(lab, "2001:db8:ffff::/48", "never-ban");
	(void)signal(SIGPIPE, SIG_IGN);
}

static void lab_ends_close(struct lab *lab)
{
	close_fd(&lab->keeper);
	close_fd(&lab->gate);
	close_fd(&lab->admin);
	close_fd(&lab->bans_fd);
}

void lab_close(struct lab *lab)
{
	if (lab->pid)
		lab_kill(lab);
	lab_ends_close(lab);
	close_fd(&lab->logins_fd);
	lab_empty_dir(lab->dir);
	(void)rmdir(lab->dir);
}

int lab_set_up(void **state)
{
	lab_open(*state);
	return 0;
}

int lab_set_up_started(void **state)
{
	lab_open(*state);
	lab_start(*state);
	return 0;
}

int lab_tear_down(void **state)
{
	lab_close(*state);
	return 0;
}

/* ---- life ---------------------------------------------------------------------------------------------- */

/* In the child: what ledger_main() does behind the sandbox. */
static int lab_child(const struct lab *lab, int keeper_fd, int control_fd)
{
	struct child_boot boot = {
		.keeper_fd = keeper_fd,
		.user = "nobody",
		.state_dir = lab->dir,
		.control_fd = control_fd,
	};
	struct ledger *ledger = NULL;
	int status;

	(void)signal(SIGXFSZ, SIG_IGN); /* a limit on files stands for a full disk */
	log_open("ledger", getenv("LAB_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	if (!getenv("LAB_LOG") && !freopen("/dev/null", "w", stderr))
		return 98;
	if (chdir(lab->dir) || ledger_open(&boot, (gid_t)-1, &ledger))
		return 99;
	status = ledger_run(ledger);
	ledger_close(&ledger);
	return status;
}

static int lab_listen(const struct lab *lab)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control", lab->dir);
	(void)unlink(sa.sun_path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void lab_connect(struct lab *lab)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control", lab->dir);
	lab->admin = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(lab->admin, (struct sockaddr *)&sa, sizeof(sa)), 0);
}

static void lab_send_conf(struct lab *lab)
{
	struct msg msg = {.type = MSG_CONF, .conf.generation = lab->conf.generation};
	int fd = lab_snapshot(lab);

	lab_send(lab->keeper, &msg, fd);
	close_fd(&fd);
}

static int lab_send_memory(struct lab *lab, enum shared_memory what, size_t size_bytes)
{
	const struct msg msg = {
		.type = MSG_SHARED,
		.shared = {.size_bytes = size_bytes, .what = what, .writable = 1}};
	int fd = memfd_create("shared", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)size_bytes), 0);
	lab_send(lab->keeper, &msg, fd);
	return fd;
}

static void lab_send_memories(struct lab *lab)
{
	const size_t logins_bytes =
		prefix_set_valued_size(LAB_LOGINS_MAX, sizeof(struct auth_recent));
	const struct msg old = {
		.type = MSG_SHARED,
		.shared = {.size_bytes = logins_bytes, .what = SHARED_LOGINS}};

	lab->bans_fd = lab_send_memory(lab, SHARED_BANS, prefix_set_size(LAB_BANS_MAX));
	if (lab->logins_fd >= 0)
		lab_send(lab->keeper, &old, lab->logins_fd);
	close_fd(&lab->logins_fd);
	lab->logins_fd = lab_send_memory(lab, SHARED_LOGINS, logins_bytes);
}

static void lab_equip(struct lab *lab, int gate_fd)
{
	struct msg peer = {.type = MSG_PEER, .peer = {.role = ROLE_GATE}};
	struct msg start = {.type = MSG_START};

	lab_send_conf(lab);
	lab_send_memories(lab);
	lab_send(lab->keeper, &peer, gate_fd);
	lab_send(lab->keeper, &start, -1);
}

static void lab_begin(struct lab *lab)
{
	int keeper[2];
	int gate[2];
	int control = lab_listen(lab);

	lab_ends_close(lab);
	assert_int_equal(channel_pair(keeper), 0);
	assert_int_equal(channel_pair(gate), 0);
	lab->edits = lab->edit_messages = 0;
	lab->is_ready = false;
	lab->out_len = 0;
	lab->pid = fork();
	assert_true(lab->pid >= 0);
	if (lab->pid == 0) {
		close_fd(&keeper[0]);
		close_fd(&gate[0]);
		close_fd(&gate[1]);
		_exit(lab_child(lab, keeper[1], control));
	}
	close_fd(&keeper[1]);
	close_fd(&control);
	lab->keeper = keeper[0];
	lab->gate = gate[0];
	lab_equip(lab, gate[1]);
	close_fd(&gate[1]);
}

static bool lab_is_ready(struct lab *lab, const void *context)
{
	(void)context;
	return lab->is_ready;
}

void lab_start(struct lab *lab)
{
	lab_begin(lab);
	lab_until(lab, lab_is_ready, NULL);
	lab_connect(lab);
}

void lab_limit_files(struct lab *lab, bool is_full)
{
	struct rlimit limit = {.rlim_cur = is_full ? 1 : RLIM_INFINITY,
			       .rlim_max = RLIM_INFINITY};

	assert_int_equal(prlimit(lab->pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

static int lab_wait_exit(struct lab *lab)
{
	int status = 0;

	assert_int_equal(waitpid(lab->pid, &status, 0), lab->pid);
	lab->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int lab_start_fails(struct lab *lab)
{
	lab_begin(lab);
	return lab_wait_exit(lab);
}

void lab_kill(struct lab *lab)
{
	(void)kill(lab->pid, SIGKILL);
	(void)lab_wait_exit(lab);
}

void lab_drain(struct lab *lab)
{
	const struct msg drain = {.type = MSG_DRAIN, .drain.grace_s = 1};

	lab_send(lab->keeper, &drain, -1);
	assert_int_equal(lab_wait_exit(lab), 0);
}

void lab_reload(struct lab *lab)
{
	lab->conf.generation++;
	lab_send_conf(lab);
}

/* ---- the admin ---------------------------------------------------------------------------------------------- */

/* Takes the lines of one answer. */
static bool lab_has_answer(struct lab *lab, const void *context)
{
	json_t *answer = *(json_t *const *)context;
	char *newline;

	while ((newline = memchr(lab->out, '\n', lab->out_len))) {
		size_t len = (size_t)(newline - lab->out);
		json_t *line = json_loadb(lab->out, len, 0, NULL);
		json_t *done = json_object_get(line, "done");

		assert_non_null(line);
		lab->out_len -= len + 1;
		memmove(lab->out, newline + 1, lab->out_len);
		if (done)
			(void)json_object_set(answer, "done", done);
		else
			(void)json_array_append(json_object_get(answer, "rows"),
						json_object_get(line, "row"));
		json_decref(line);
		if (done)
			return true;
	}
	return false;
}

void lab_tell(struct lab *lab, const char *request)
{
	const char *args = strchr(request, ' ');
	char *line = NULL;
	int len;

	if (request[0] == '{')
		len = asprintf(&line, "%s\n", request);
	else
		len = asprintf(&line, "{\"v\":1,\"cmd\":\"%.*s\",\"args\":%s}\n",
			       (int)(args ? (size_t)(args - request) : strlen(request)),
			       request, args ? args : "{}");
	assert_true(len > 0);
	for (int at = 0; at < len;) {
		ssize_t sent =
			send(lab->admin, line + at, (size_t)(len - at), MSG_NOSIGNAL);

		assert_true(sent > 0);
		at += (int)sent;
	}
	free(line);
}

static bool lab_was_told(struct lab *lab, const void *context)
{
	return memmem(lab->out, lab->out_len, context, strlen(context)) != NULL;
}

void lab_until_told(struct lab *lab, const char *text)
{
	lab_until(lab, lab_was_told, text);
}

json_t *lab_ask(struct lab *lab, const char *request)
{
	json_t *answer = json_pack("{s:[]}", "rows");

	lab_tell(lab, request);
	lab_until(lab, lab_has_answer, &answer);
	return answer;
}

int lab_code(struct lab *lab, const char *request)
{
	json_t *answer = lab_ask(lab, request);
	int code = (int)json_integer_value(
		json_object_get(json_object_get(answer, "done"), "code"));

	json_decref(answer);
	return code;
}

const char *lab_text(const json_t *answer, size_t row, const char *member)
{
	const char *text = json_string_value(json_object_get(
		json_array_get(json_object_get(answer, "rows"), row), member));

	return text ? text : "";
}

void lab_settle(struct lab *lab)
{
	/* The gate's messages come in before the answer of its sessions does. */
	json_t *answer = lab_ask(lab, "sessions");

	json_decref(answer);
}
