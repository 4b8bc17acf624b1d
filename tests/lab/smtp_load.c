/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_load - SMTP clients from many addresses at once, and how long each of them waits.
 *
 *   smtp_load [options] ADDRESS PORT        IPv4
 *
 *   -n COUNT      sessions in all (1000)
 *   -p PARALLEL   at once (1)
 *   -s SOURCE     address of the first client (the system chooses)
 *   -k CLIENTS    addresses from SOURCE on, taken in turn (1)
 *   -l BYTES      of a message; 0: each session ends after RCPT with QUIT (0)
 *   -e HELO  -f SENDER  -t RECIPIENT        %u in them: number of the client's address, from 0
 *   -w SECONDS    after these no session begins any more (60)
 *   -g SECONDS    after these a session is given up: it has failed, and its end counts as then (60)
 *
 * The addresses must be this host's: `ip route add local 198.18.0.0/15 dev lo` makes all of a network so.
 *
 * Prints one JSON object: sessions that came to their end, how many of them had their recipient accepted, deferred (4xx)
 * or refused, how many sessions failed (cut, or another reply than 2xx elsewhere), the seconds it took, and in
 * microseconds since the session's connect() [p50, p99, greatest] of the last line of the greeting, of the reply to RCPT and of
 * the end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define PARALLEL_MAX 4096
#define COUNT_MAX    10000000UL
#define BODY_MAX     (64UL << 20)
#define REPLY_BYTES  2048
#define LINE_BYTES   512
#define NS_PER_US    1000

enum stage {
	AT_GREETING,
	AT_EHLO,
	AT_MAIL,
	AT_RCPT,
	AT_DATA,
	AT_BODY,
	AT_QUIT
};

enum mark {
	MARK_GREETING,
	MARK_RCPT,
	MARK_END,
	MARKS
};

struct session {
	int fd; /* -1: free */
	enum stage stage;
	uint32_t client;
	uint64_t begun_ns;
	size_t sent; /* of the body */
	char reply[REPLY_BYTES];
	size_t len;
};

static struct {
	unsigned long count, parallel, clients, body_bytes, seconds, patience;
	struct sockaddr_in target;
	uint32_t source; /* host order; 0: any */
	const char *helo, *sender, *recipient;
} want = {.count = 1000,
	  .parallel = 1,
	  .clients = 1,
	  .seconds = 60,
	  .patience = 60,
	  .helo = "client.example.com",
	  .sender = "a@example.com",
	  .recipient = "b@example.org"};

static struct session sessions[PARALLEL_MAX];
static int epoll_fd;
static unsigned long begun, ended, accepted, deferred, refused, failed, open_sessions;
static uint32_t *waits[MARKS]; /* us, one for each session that came so far */
static unsigned long wait_count[MARKS];
static char *body;

static void die(const char *what)
{
	(void)fprintf(stderr, "smtp_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void mark(const struct session *s, enum mark which)
{
	waits[which][wait_count[which]++] =
		(uint32_t)((clock_mono_ns() - s->begun_ns) / NS_PER_US);
}

static void watch(struct session *s, int op, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = s};

	if (epoll_ctl(epoll_fd, op, s->fd, &event) < 0)
		die("epoll_ctl");
}

static void finish(struct session *s, bool well)
{
	(void)close(s->fd);
	s->fd = -1;
	open_sessions--;
	if (well)
		ended++;
	else
		failed++;
}

/* Whether the session began; if not, it has failed. */
static bool begin(struct session *s)
{
	struct sockaddr_in source = {.sin_family = AF_INET};
	const int on = 1;

	*s = (struct session){.client = (uint32_t)(begun % want.clients),
			      .begun_ns = clock_mono_ns()};
	begun++;
	open_sessions++;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		die("socket");
	source.sin_addr.s_addr = htonl(want.source ? want.source + s->client : 0);
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (want.source && bind(s->fd, (struct sockaddr *)&source, sizeof(source)) < 0)
		die("bind");
	if (connect(s->fd, (struct sockaddr *)&want.target, sizeof(want.target)) < 0 &&
	    errno != EINPROGRESS) {
		finish(s, false);
		return false;
	}
	watch(s, EPOLL_CTL_ADD, EPOLLIN);
	return true;
}

static bool send_all(struct session *s, const char *bytes, size_t len)
{
	return send(s->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* A command whose template may have one %u in it. */
static bool command(struct session *s, const char *verb, const char *template,
		    const char *end)
{
	const char *at = strstr(template, "%u");
	char line[LINE_BYTES];
	int len;

	if (at)
		len = snprintf(line, sizeof(line), "%s%.*s%u%s%s\r\n", verb,
			       (int)(at - template), template, s->client, at + 2, end);
	else
		len = snprintf(line, sizeof(line), "%s%s%s\r\n", verb, template, end);
	return len > 0 && (size_t)len < sizeof(line) && send_all(s, line, (size_t)len);
}

/* Returns false if the session is over, badly. */
static bool send_body(struct session *s)
{
	while (s->sent < want.body_bytes) {
		ssize_t n = send(s->fd, body + s->sent, want.body_bytes - s->sent,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			watch(s, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			return true;
		}
		if (n < 0)
			return false;
		s->sent += (size_t)n;
	}
	watch(s, EPOLL_CTL_MOD, EPOLLIN);
	return true;
}

static bool next(struct session *s, enum stage stage, bool sent)
{
	s->stage = stage;
	return sent;
}

static bool after_rcpt(struct session *s, int code)
{
	mark(s, MARK_RCPT);
	accepted += code / 100 == 2;
	deferred += code / 100 == 4;
	refused += code / 100 == 5;
	if (want.body_bytes && code / 100 == 2)
		return next(s, AT_DATA, command(s, "DATA", "", ""));
	return next(s, AT_QUIT, command(s, "QUIT", "", ""));
}

/* A whole reply came. Returns false if it is not the one it should be, or the answer cannot be sent. */
static bool on_reply(struct session *s, int code)
{
	if (s->stage == AT_RCPT)
		return after_rcpt(s, code);
	if (code / 100 != (s->stage == AT_DATA ? 3 : 2))
		return false;
	switch (s->stage) {
	case AT_GREETING:
		mark(s, MARK_GREETING);
		return next(s, AT_EHLO, command(s, "EHLO ", want.helo, ""));
	case AT_EHLO:
		return next(s, AT_MAIL, command(s, "MAIL FROM:<", want.sender, ">"));
	case AT_MAIL:
		return next(s, AT_RCPT, command(s, "RCPT TO:<", want.recipient, ">"));
	case AT_DATA:
		return next(s, AT_BODY, send_body(s));
	case AT_BODY:
		return next(s, AT_QUIT, command(s, "QUIT", "", ""));
	case AT_RCPT:
	case AT_QUIT:
		break;
	}
	mark(s, MARK_END);
	finish(s, true);
	return true;
}

/* Takes whole lines off the front; the last one of a reply has a space after its code. */
static bool take_lines(struct session *s)
{
	char *end;

	while (s->fd >= 0 && (end = memchr(s->reply, '\n', s->len))) {
		const size_t len = (size_t)(end - s->reply) + 1;
		const bool last = len >= 5 && s->reply[3] != '-';
		const int code = last ? (int)strtol(s->reply, NULL, 10) : 0;

		memmove(s->reply, s->reply + len, s->len - len);
		s->len -= len;
		if (last && !on_reply(s, code))
			return false;
	}
	return true;
}

static void on_event(struct session *s, uint32_t events)
{
	ssize_t n;

	if (s->fd < 0)
		return;
	if (events & EPOLLOUT && !send_body(s)) {
		finish(s, false);
		return;
	}
	if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		return;
	n = recv(s->fd, s->reply + s->len, sizeof(s->reply) - s->len, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		finish(s, false);
		return;
	}
	s->len += (size_t)n;
	if (!take_lines(s) || s->len == sizeof(s->reply))
		finish(s, false);
}

static void end_late(void)
{
	const uint64_t now = clock_mono_ns();

	for (size_t i = 0; i < want.parallel; i++) {
		struct session *s = &sessions[i];

		if (s->fd < 0 || now - s->begun_ns < want.patience * NS_PER_S)
			continue;
		mark(s, MARK_END);
		finish(s, false);
	}
}

/* Keeps as many sessions open as wanted until all are done. */
static void play(void)
{
	const uint64_t last_ns = clock_mono_ns() + want.seconds * NS_PER_S;
	struct epoll_event events[256];

	do {
		const bool more = begun < want.count && clock_mono_ns() < last_ns;
		int n;

		for (size_t i = 0; more && i < want.parallel && begun < want.count; i++)
			if (sessions[i].fd < 0)
				(void)begin(&sessions[i]);
		n = epoll_wait(epoll_fd, events, sizeof(events) / sizeof(events[0]),
			       1000);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++)
			on_event(events[i].data.ptr, events[i].events);
		if (n == 0)
			end_late();
		if (!more && !open_sessions)
			break;
	} while (true);
}

static int compare_us(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_waits(const char *name, enum mark which)
{
	const unsigned long n = wait_count[which];
	uint32_t *us = waits[which];

	if (!n) {
		(void)printf(", \"%s\": null", name);
		return;
	}
	qsort(us, n, sizeof(*us), compare_us);
	(void)printf(", \"%s\": [%u, %u, %u]", name, us[n / 2], us[n * 99 / 100],
		     us[n - 1]);
}

static unsigned long number(const char *text, unsigned long most)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value > most) {
		(void)fprintf(stderr, "smtp_load: '%s': a number up to %lu\n", text,
			      most);
		exit(2);
	}
	return value;
}

static uint32_t address(const char *text)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1) {
		(void)fprintf(stderr, "smtp_load: '%s': an IPv4 address\n", text);
		exit(2);
	}
	return ntohl(in.s_addr);
}

static void usage(void)
{
	(void)fprintf(stderr,
		      "smtp_load [-n COUNT] [-p PARALLEL] [-s SOURCE] [-k CLIENTS] "
		      "[-l BYTES] [-e HELO] [-f SENDER] [-t RECIPIENT] "
		      "[-w SECONDS] [-g SECONDS] ADDRESS PORT\n");
	exit(2);
}

static void options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "n:p:s:k:l:e:f:t:w:g:")) != -1) {
		switch (option) {
		case 'n':
			want.count = number(optarg, COUNT_MAX);
			break;
		case 'p':
			want.parallel = number(optarg, PARALLEL_MAX);
			break;
		case 's':
			want.source = address(optarg);
			break;
		case 'k':
			want.clients = number(optarg, UINT32_MAX);
			break;
		case 'l':
			want.body_bytes = number(optarg, BODY_MAX);
			break;
		case 'e':
			want.helo = optarg;
			break;
		case 'f':
			want.sender = optarg;
			break;
		case 't':
			want.recipient = optarg;
			break;
		case 'w':
			want.seconds = number(optarg, 3600);
			break;
		case 'g':
			want.patience = number(optarg, 3600);
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 2 || !want.parallel || !want.clients)
		usage();
	want.target = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)number(argv[optind + 1], UINT16_MAX)),
		.sin_addr.s_addr = htonl(address(argv[optind]))};
}

/* Lines of x, then the dot. */
static void make_body(void)
{
	const char end[] = "\r\n.\r\n";

	body = malloc(want.body_bytes + sizeof(end));
	if (!body)
		die("malloc");
	memset(body, 'x', want.body_bytes);
	for (size_t i = 78; i < want.body_bytes; i += 80) {
		body[i - 1] = '\r';
		body[i] = '\n';
	}
	memcpy(body + want.body_bytes, end, sizeof(end) - 1);
	want.body_bytes += sizeof(end) - 1;
}

int main(int argc, char **argv)
{
	uint64_t begun_ns;

	options(argc, argv);
	if (want.body_bytes)
		make_body();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die("epoll_create1");
	for (size_t i = 0; i < MARKS; i++) {
		waits[i] = calloc(want.count ? want.count : 1, sizeof(*waits[i]));
		if (!waits[i])
			die("calloc");
	}
	for (size_t i = 0; i < want.parallel; i++)
		sessions[i].fd = -1;
	begun_ns = clock_mono_ns();
	play();
	(void)printf("{\"sessions\": %lu, \"accepted\": %lu, \"deferred\": %lu, "
		     "\"refused\": %lu, \"failed\": %lu, \"seconds\": %.6f",
		     ended, accepted, deferred, refused, failed,
		     (double)(clock_mono_ns() - begun_ns) / (double)NS_PER_S);
	print_waits("greeting", MARK_GREETING);
	print_waits("rcpt", MARK_RCPT);
	print_waits("end", MARK_END);
	(void)printf("}\n");
	for (size_t i = 0; i < MARKS; i++)
		free(waits[i]);
	free(body);
	return 0;
}
