/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/fake_dns - see the header.
 */
#include "unit/fake_dns.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"

struct dns {
	int unused;
};

struct fake_question fake_questions[FAKE_QUESTIONS_MAX];
size_t fake_asked;
bool (*fake_hook)(const char *name, dns_reply_fn reply, void *context);
static struct dns the_dns;

void fake_reset(void)
{
	memset(fake_questions, 0, sizeof(fake_questions));
	fake_asked = 0;
	fake_hook = NULL;
}

void fake_reply(size_t index, enum dns_status status, const struct dns_message *message)
{
	dns_reply_fn reply = fake_questions[index].reply;

	assert(index < fake_asked && reply);
	fake_questions[index].reply = NULL;
	reply(fake_questions[index].context, status, message ? message->bytes : NULL,
	      message ? message->len : 0);
}

int dns_open(dns_watch_fn watch, void *context, struct dns **out_dns)
{
	(void)watch;
	(void)context;
	*out_dns = &the_dns;
	return 0;
}

void dns_close(struct dns **dns)
{
	for (size_t i = 0; *dns && i < fake_asked; i++)
		if (fake_questions[i].reply)
			fake_reply(i, DNS_FAILED, NULL);
	*dns = NULL;
}

int dns_set_servers(struct dns *dns, const struct dns_server *servers, size_t count)
{
	(void)dns;
	(void)servers;
	return count <= DNS_SERVERS_MAX ? 0 : -1;
}

void dns_ask(struct dns *dns, const char *name, uint16_t type, dns_reply_fn reply,
	     void *context)
{
	struct fake_question *question;

	(void)dns;
	if (fake_hook && fake_hook(name, reply, context))
		return;
	assert(fake_asked < FAKE_QUESTIONS_MAX);
	question = &fake_questions[fake_asked++];
	(void)text_copy(question->name, sizeof(question->name), name);
	question->type = type;
	question->reply = reply;
	question->context = context;
}

void dns_on_ready(struct dns *dns, int fd, bool readable, bool writable)
{
	(void)dns;
	(void)fd;
	(void)readable;
	(void)writable;
}

void dns_on_time(struct dns *dns)
{
	(void)dns;
}

int dns_timeout_ms(struct dns *dns)
{
	(void)dns;
	return -1;
}
