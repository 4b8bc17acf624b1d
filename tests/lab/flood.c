/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flood - sends TCP segments of forged sources, for so long and no longer. For the namespaces of tests.
 *
 *   flood [options] INTERFACE TARGET PORT        IPv4
 *
 *   -s SOURCE     first source (198.18.0.0)
 *   -k SOURCES    as many from there on, at random (1)
 *   -a            bare ACKs; SYNs unless said
 *   -r RATE       packets a second at most, evenly; 0: as many as it can (0)
 *   -d SECONDS    how long (1)
 *   -n PACKETS    not more than these; 0: no matter how many (0)
 *   -c CPU        stays on this one
 *   -m MAC        of the next hop; else the kernel is asked who has TARGET
 *   -x            by XDP instead of a packet socket: several times faster, but without a rate. Over a veth the other end needs
 *                 an XDP program or GRO, or nothing arrives
 *
 * Prints one JSON object: packets sent and the seconds it took. SIGTERM ends it before its time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "flood.h"
#include "flood.skel.h"

#define BATCH	  64u
#define CHUNK_MAX 4096u /* packets between two looks at the clock */
#define CHUNK_XDP \
	(1u << 18) /* each call waits for the kernel's RCU: rather few of them */
#define SECONDS_MAX 600u
#define BURST_MAX   192u /* the queue of a veth holds 256 frames */
#define TICK_NS	    (NS_PER_MS / 16)
#define ARP_WAIT_MS 1000u

static struct {
	const char *interface;
	unsigned int index;
	struct in_addr target;
	uint16_t port;
	struct flood_sources sources;
	bool ack, xdp, has_mac;
	uint8_t mac[ETH_ALEN];
	uint64_t rate, seconds, packets;
	long cpu; /* -1: any */
} want = {.sources = {.first = 0xc6120000, .count = 1}, .seconds = 1, .cpu = -1};

static struct flood_frame frame;
static struct flood_sums sums;

static void die(const char *what, int err)
{
	(void)fprintf(stderr, "flood: %s: %s\n", what, strerror(err));
	exit(1);
}

static void sleep_ns(uint64_t ns)
{
	const struct timespec span = {.tv_sec = (time_t)(ns / NS_PER_S),
				      .tv_nsec = (long)(ns % NS_PER_S)};

	(void)nanosleep(&span, NULL);
}

/* Who has the target: a datagram makes the kernel ask. */
static void find_mac(int fd)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = want.target};
	struct arpreq request = {0};

	memcpy(&request.arp_pa, &to, sizeof(to));
	(void)snprintf(request.arp_dev, sizeof(request.arp_dev), "%s", want.interface);
	(void)sendto(fd, "", 0, 0, (struct sockaddr *)&to, sizeof(to));
	for (unsigned int waited = 0; waited < ARP_WAIT_MS; waited++) {
		if (!ioctl(fd, SIOCGARP, &request) && request.arp_flags & ATF_COM) {
			memcpy(want.mac, request.arp_ha.sa_data, ETH_ALEN);
			return;
		}
		sleep_ns(NS_PER_MS);
	}
	(void)fprintf(stderr, "flood: nobody on %s has this target; name its MAC (-m)\n",
		      want.interface);
	exit(1);
}

static uint32_t sum_words(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		uint16_t word;

		memcpy(&word, at + i, sizeof(word));
		sum += word;
	}
	return sum;
}

/* The frame without source, and its sums. */
static void make_frame(void)
{
	struct ifreq request = {0};
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", want.interface);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		die(want.interface, errno);
	if (!want.has_mac)
		find_mac(fd);
	(void)close(fd);
	memcpy(frame.ethernet.h_source, request.ifr_hwaddr.sa_data, ETH_ALEN);
	memcpy(frame.ethernet.h_dest, want.mac, ETH_ALEN);
	frame.ethernet.h_proto = htons(ETH_P_IP);
	frame.ip = (struct iphdr){.version = 4,
				  .ihl = 5,
				  .tot_len = htons(sizeof(frame.ip) + sizeof(frame.tcp)),
				  .frag_off = htons(0x4000),
				  .ttl = 64,
				  .protocol = IPPROTO_TCP,
				  .daddr = want.target.s_addr};
	frame.tcp = (struct tcphdr){.dest = htons(want.port),
				    .doff = 5,
				    .syn = !want.ack,
				    .ack = want.ack,
				    .window = htons(65535)};
	sums.ip = sum_words(&frame.ip, sizeof(frame.ip));
	sums.tcp = sum_words(&frame.tcp, sizeof(frame.tcp)) +
		   sum_words(&frame.ip.daddr, sizeof(frame.ip.daddr)) +
		   htons(IPPROTO_TCP) + htons(sizeof(frame.tcp));
}

static uint64_t random_next(void)
{
	static uint64_t state;
	uint64_t x;

	if (!state && getrandom(&state, sizeof(state), 0) < 0)
		die("getrandom", errno);
	/* splitmix64 */
	x = state += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static int open_packet(void)
{
	const struct sockaddr_ll at = {.sll_family = AF_PACKET,
				       .sll_protocol = 0, /* receives nothing */
				       .sll_ifindex = (int)want.index};
	const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0)
		die("packet socket", errno);
	return fd;
}

static volatile sig_atomic_t is_ended;

static void on_end(int number)
{
	(void)number;
	is_ended = 1;
}

static void send_packets(int fd, uint64_t count)
{
	static struct flood_frame frames[BATCH];
	struct mmsghdr messages[BATCH] = {0};
	struct iovec spans[BATCH];

	while (count) {
		const unsigned int n = count < BATCH ? (unsigned int)count : BATCH;
		int sent;

		for (unsigned int i = 0; i < n; i++) {
			frames[i] = frame;
			flood_vary(&frames[i], &want.sources, &sums, random_next());
			spans[i] = (struct iovec){&frames[i], sizeof(frames[i])};
			messages[i].msg_hdr.msg_iov = &spans[i];
			messages[i].msg_hdr.msg_iovlen = 1;
		}
		sent = sendmmsg(fd, messages, n, 0);
		if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			die("sendmmsg", errno);
		count -= sent > 0 ? (unsigned int)sent : 0;
	}
}

static struct flood_bpf *open_xdp(void)
{
	struct flood_bpf *skel = flood_bpf__open();

	if (!skel)
		die("XDP program", errno);
	skel->rodata->flood_sources = want.sources;
	skel->rodata->flood_sums = sums;
	skel->rodata->flood_interface = want.index;
	if (flood_bpf__load(skel))
		die("XDP program", errno);
	return skel;
}

static void send_xdp(const struct flood_bpf *skel, uint64_t count)
{
	struct xdp_md context = {.data_end = sizeof(frame)};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &frame,
		    .data_size_in = sizeof(frame), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = (int)count,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	const int err =
		bpf_prog_test_run_opts(bpf_program__fd(skel->progs.flood_frame), &opts);

	if (err && !is_ended)
		die("BPF_PROG_TEST_RUN", -err);
}

/*
 * How many packets are due; with a rate there are pauses in which none is. What could not be sent in time is not made up for: a burst
 * would only overrun the queue of the other end.
 */
static uint64_t due(uint64_t sent, uint64_t *owed, uint64_t elapsed_ns)
{
	uint64_t count = want.xdp ? CHUNK_XDP : CHUNK_MAX;

	if (want.rate) {
		const uint64_t so_far = want.rate * (elapsed_ns / 1000) / 1000000;

		count = so_far - *owed < BURST_MAX ? so_far - *owed : BURST_MAX;
		*owed = so_far;
	}
	if (want.packets && count > want.packets - sent)
		count = want.packets - sent;
	return count;
}

static void play(void)
{
	struct flood_bpf *skel = want.xdp ? open_xdp() : NULL;
	const int fd = want.xdp ? -1 : open_packet();
	const uint64_t begun = clock_mono_ns();
	uint64_t sent = 0, owed = 0, elapsed = 0;

	while (!is_ended && elapsed < want.seconds * NS_PER_S &&
	       (!want.packets || sent < want.packets)) {
		const uint64_t count = due(sent, &owed, elapsed);

		if (!count)
			sleep_ns(TICK_NS);
		else if (skel)
			send_xdp(skel, count);
		else
			send_packets(fd, count);
		sent += count;
		elapsed = clock_mono_ns() - begun;
	}
	(void)printf("{\"packets\": %" PRIu64 ", \"seconds\": %.6f}\n", sent,
		     (double)elapsed / (double)NS_PER_S);
	if (skel)
		flood_bpf__destroy(skel);
	else
		(void)close(fd);
}

static void usage(void)
{
	(void)fprintf(stderr,
		      "flood [-ax] [-s SOURCE] [-k SOURCES] [-r RATE] [-d SECONDS] "
		      "[-n PACKETS] [-c CPU] [-m MAC] INTERFACE TARGET PORT\n");
	exit(2);
}

static uint64_t number(const char *text, uint64_t most)
{
	char *end;
	const uint64_t value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value > most) {
		(void)fprintf(stderr, "flood: '%s': a number up to %" PRIu64 "\n", text,
			      most);
		exit(2);
	}
	return value;
}

static struct in_addr address(const char *text)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1) {
		(void)fprintf(stderr, "flood: '%s': an IPv4 address\n", text);
		exit(2);
	}
	return in;
}

static void mac(const char *text)
{
	for (size_t i = 0; i < ETH_ALEN; i++) {
		char *end;

		want.mac[i] = (uint8_t)strtoul(text, &end, 16);
		if (end != text + 2 || *end != (i + 1 < ETH_ALEN ? ':' : '\0'))
			usage();
		text = end + 1;
	}
	want.has_mac = true;
}

static void options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "s:k:ar:d:n:c:m:x")) != -1) {
		switch (option) {
		case 's':
			want.sources.first = ntohl(address(optarg).s_addr);
			break;
		case 'k':
			want.sources.count = (uint32_t)number(optarg, UINT32_MAX);
			break;
		case 'a':
			want.ack = true;
			break;
		case 'r':
			want.rate = number(optarg, 100000000);
			break;
		case 'd':
			want.seconds = number(optarg, SECONDS_MAX);
			break;
		case 'n':
			want.packets = number(optarg, UINT64_MAX);
			break;
		case 'c':
			want.cpu = (long)number(optarg, CPU_SETSIZE - 1);
			break;
		case 'm':
			mac(optarg);
			break;
		case 'x':
			want.xdp = true;
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 3 || !want.sources.count || (want.xdp && want.rate))
		usage();
	want.interface = argv[optind];
	want.target = address(argv[optind + 1]);
	want.port = (uint16_t)number(argv[optind + 2], UINT16_MAX);
	want.index = if_nametoindex(want.interface);
	if (!want.index)
		die(want.interface, errno);
}

int main(int argc, char **argv)
{
	options(argc, argv);
	if (want.cpu >= 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(want.cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0)
			die("-c", errno);
	}
	if (prctl(PR_SET_TIMERSLACK, 1) < 0)
		die("PR_SET_TIMERSLACK", errno);
	make_frame();
	if (signal(SIGTERM, on_end) == SIG_ERR)
		die("SIGTERM", errno);
	play();
	return 0;
}
