/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/dns - see the header.
 *
 * Keeps to what c-ares 1.18 has and later releases still have: SOCK_STATE_CB, ares_process_fd(),
 * ares_timeout(), ares_query(). Parsing is ours (wire/revname).
 */
#define CARES_NO_DEPRECATED /* ares_query() is deprecated from 1.28 on; its successor is not in 1.18 */
#include "sys/dns.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <ares.h>
#include <arpa/nameser.h>

#include "base/buf.h"

#define ESCAPED_MAX	 512u /* a name of 255 octets, each of which may be a backslash */
#define SERVERS_TEXT_MAX (DNS_SERVERS_MAX * (ADDR_TEXT_MAX + 10u))

struct dns {
	ares_channel channel;
	bool has_library, has_channel;
	dns_watch_fn watch;
	void *context;
	char servers[SERVERS_TEXT_MAX]; /* as last set; "": the system's */
};

/* One question; freed when it has been replied to. */
struct question {
	dns_reply_fn reply;
	void *context;
};

static void dns_on_socket(void *context, ares_socket_t fd, int readable, int writable)
{
	struct dns *dns = context;

	dns->watch(dns->context, fd, readable != 0, writable != 0);
}

static int dns_open_channel(struct dns *dns)
{
	struct ares_options options = {
		/* ARES_FLAG_NOALIASES: no file named by HOSTALIASES is read. */
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = DNS_TRY_TIMEOUT_MS,
		.tries = DNS_TRIES,
		.ednspsz = DNS_EDNS_BYTES,
		.sock_state_cb = dns_on_socket,
		.sock_state_cb_data = dns,
	};
	static char lookups[] = "b"; /* never /etc/hosts */

	options.lookups = lookups;
	if (ares_init_options(&dns->channel, &options,
			      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
				      ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB |
				      ARES_OPT_LOOKUPS | ARES_OPT_NOROTATE) !=
	    ARES_SUCCESS)
		return -EIO;
	dns->has_channel = true;
	return 0;
}

int dns_open(dns_watch_fn watch, void *context, struct dns **out_dns)
{
	AUTO(dns_close) struct dns *dns = calloc(1, sizeof(*dns));
	int err;

	if (!dns)
		return -ENOMEM;
	dns->watch = watch;
	dns->context = context;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -EIO;
	dns->has_library = true;
	err = dns_open_channel(dns);
	if (err)
		return err;
	*out_dns = TAKE_PTR(dns);
	return 0;
}

void dns_close(struct dns **dns)
{
	if (!*dns)
		return;
	if ((*dns)->has_channel)
		ares_destroy((*dns)->channel);
	if ((*dns)->has_library)
		ares_library_cleanup();
	free(*dns);
	*dns = NULL;
}

int dns_set_servers(struct dns *dns, const struct dns_server *servers, size_t count)
{
	char text[SERVERS_TEXT_MAX], addr[ADDR_TEXT_MAX];
	struct buf buf = BUF_OVER(text);
	int status;

	if (count > DNS_SERVERS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		buf_printf(&buf, "%s%s%s%s:%u", i ? "," : "",
			   servers[i].addr.family == ADDR_V6 ? "[" : "",
			   addr_format(&servers[i].addr, addr),
			   servers[i].addr.family == ADDR_V6 ? "]" : "", servers[i].port);
	if (buf.overflow)
		return -EINVAL;
	if (count == 0 || strcmp(text, dns->servers) == 0)
		return 0;
	ares_cancel(dns->channel); /* questions remember their server by its number */
	status = ares_set_servers_ports_csv(dns->channel, text);
	if (status != ARES_SUCCESS)
		return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
	memcpy(dns->servers, text, sizeof(text));
	return 0;
}

static enum dns_status dns_status_from(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return DNS_ANSWER;
	case ARES_ENOTFOUND:
	case ARES_EBADNAME: /* such a name cannot be in the DNS, so it is not there */
		return DNS_NO_NAME;
	case ARES_ENODATA:
		return DNS_NO_RECORD;
	case ARES_ETIMEOUT:
		return DNS_TIMED_OUT;
	default:
		return DNS_FAILED;
	}
}

static void dns_on_reply(void *context, int status, int timeouts, unsigned char *bytes,
			 int len)
{
	struct question question = *(struct question *)context;

	(void)timeouts;
	free(context);
	question.reply(question.context, dns_status_from(status), bytes,
		       bytes && len > 0 ? (size_t)len : 0);
}

/* To the library a backslash begins an escape. Return: false, the name is longer than any. */
static bool name_escape(const char *name, char out_name[ESCAPED_MAX])
{
	size_t len = 0;

	for (; *name; name++) {
		if (len + 3 > ESCAPED_MAX)
			return false;
		if (*name == '\\')
			out_name[len++] = '\\';
		out_name[len++] = *name;
	}
	out_name[len] = '\0';
	return true;
}

void dns_ask(struct dns *dns, const char *name, uint16_t type, dns_reply_fn reply,
	     void *context)
{
	char escaped[ESCAPED_MAX];
	struct question *question;

	if (!name_escape(name, escaped)) {
		reply(context, DNS_NO_NAME, NULL, 0);
		return;
	}
	question = malloc(sizeof(*question));
	if (!question) {
		reply(context, DNS_FAILED, NULL, 0);
		return;
	}
	*question = (struct question){.reply = reply, .context = context};
	ares_query(dns->channel, escaped, ns_c_in, type, dns_on_reply, question);
}

void dns_on_ready(struct dns *dns, int fd, bool readable, bool writable)
{
	ares_process_fd(dns->channel, readable ? fd : ARES_SOCKET_BAD,
			writable ? fd : ARES_SOCKET_BAD);
}

void dns_on_time(struct dns *dns)
{
	ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

int dns_timeout_ms(struct dns *dns)
{
	struct timeval until;

	if (!ares_timeout(dns->channel, NULL, &until))
		return -1;
	if (until.tv_sec >= INT_MAX / 1000)
		return INT_MAX;
	/* Rounded up: a millisecond too early would only turn the loop for nothing. */
	return (int)(until.tv_sec * 1000 + (until.tv_usec + 999) / 1000);
}
