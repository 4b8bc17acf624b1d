/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_test - `postern test`: a gate is asked, its steps become rows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "proc/ledger_ctl_args.h"
#include "proc/ledger_ctl_commands.h"
#include "proc/ledger_tests.h"

struct test_job {
	struct ctl_client *client;
};

static void test_job_free(void *state)
{
	struct test_job *job = state;

	tests_forget(ctl_ledger(job->client), job);
	free(job);
}

static bool test_pump(struct ctl_client *client, void *state)
{
	(void)client;
	(void)state;
	return false; /* the gate's steps end it */
}

static void test_done(struct test_job *job, const struct msg_test_step *step)
{
	const bool passes = step->outcome == TEST_PASSES;

	ctl_done_with(
		job->client, passes ? CTL_OK : CTL_NO, "test",
		json_pack("{s:b, s:s}", "passes", (int)passes, "reply", step->text));
}

static void test_on_step(void *context, const struct msg_test_step *step)
{
	struct test_job *job = context;

	if (!step)
		ctl_done(job->client, CTL_UNREACHABLE,
			 "the gate that was asked has gone");
	else if (!step->last)
		ctl_row(job->client,
			json_pack("{s:s, s:s, s:s, s:s}", "step", step->step, "result",
				  step->result, "mode", step->mode, "text", step->text));
	else if (step->outcome == TEST_FAILED)
		ctl_done(job->client, CTL_UNREACHABLE, "%s", step->text);
	else
		test_done(job, step);
}

/* A service of this name, or else the first of this type. -1: the client has been told. */
static int test_service(struct ctl_client *client, const char *name)
{
	const struct conf *conf = ledger_conf(ctl_ledger(client));
	int index = conf_service_find(conf, name);

	for (int i = 0; index < 0 && i < conf->service_count; i++)
		if (strcmp(service_type_name((enum service_type)conf->services[i].type),
			   name) == 0)
			index = i;
	if (index < 0)
		ctl_done(client, CTL_USAGE, "there is no service of this name or type");
	else if (!service_type_is_smtp((enum service_type)conf->services[index].type) ||
		 conf->services[index].tls == TLS_MODE_PASSTHROUGH)
		ctl_done(client, CTL_USAGE,
			 "the service is none where postern speaks SMTP");
	else
		return index;
	return -1;
}

/* One text of the request. -EINVAL: the client has been told. */
static int test_text(struct ctl_client *client, const json_t *args, const char *name,
		     char out_text[MSG_TEST_NAME_MAX])
{
	const char *text = NULL;
	int err = args_text(client, args, name, &text);

	if (err || !text)
		return err;
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c >= ' ' && *c != 0x7f)
			continue;
		ctl_done(client, CTL_USAGE, "'%s' has a control character in it", name);
		return -EINVAL;
	}
	if (text_copy(out_text, MSG_TEST_NAME_MAX, text))
		return 0;
	ctl_done(client, CTL_USAGE, "'%s' is longer than %u bytes", name,
		 MSG_TEST_NAME_MAX - 1);
	return -EINVAL;
}

static int test_read(struct ctl_client *client, const json_t *args,
		     struct msg_test *out_test)
{
	char user[MSG_TEST_NAME_MAX] = "";
	const char *service = NULL;
	bool has_tls = false;
	int index;

	if (args_text(client, args, "service", &service) ||
	    args_addr(client, args, "addr", &out_test->addr) ||
	    test_text(client, args, "helo", out_test->helo) ||
	    test_text(client, args, "from", out_test->from) ||
	    test_text(client, args, "to", out_test->to) ||
	    test_text(client, args, "auth", user) ||
	    args_bool(client, args, "tls", &has_tls))
		return -EINVAL;
	if (!service || out_test->addr.family == ADDR_NONE) {
		ctl_done(client, CTL_USAGE, "'service' and 'addr' are missing");
		return -EINVAL;
	}
	index = test_service(client, service);
	if (index < 0)
		return -EINVAL;
	if (!text_copy(out_test->user, sizeof(out_test->user), user)) {
		ctl_done(client, CTL_USAGE, "'auth' is longer than %u bytes",
			 MSG_USER_MAX - 1);
		return -EINVAL;
	}
	out_test->service = (uint8_t)index;
	out_test->tls = has_tls;
	return 0;
}

void ctl_command_test(struct ctl_client *client, const json_t *args)
{
	struct msg_test test = {.helo = "client.example.net", .to = "postmaster"};
	struct test_job *job;
	int err;

	if (test_read(client, args, &test))
		return;
	job = ctl_job_new(client, sizeof(*job));
	if (!job)
		return;
	job->client = client;
	ctl_start(client, test_pump, test_job_free, job);
	err = tests_begin(ctl_ledger(client), &test, test_on_step, job);
	if (err)
		ctl_done(client, CTL_UNREACHABLE,
			 err == -ENOBUFS ? "too many tests run already"
					 : "there is no gate to ask");
}
