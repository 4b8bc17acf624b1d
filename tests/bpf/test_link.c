/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The program on interfaces, with real connections over a veth pair:
 *
 *     this namespace                         the clients' (a child that waits)
 *     in  192.0.2.1/24, 2001:db8::1/64  ---  out 192.0.2.2..9, 2001:db8::2, 2001:db8:7::7
 *     listens on port 25                     connect from either address
 *
 * link: world.c frame.c
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <linux/capability.h>

#include "base/clock.h"
#include "bpf/abi.h"
#include "policy/flags.h"
#include "world.h"

#define REFUSED_AFTER_MS \
	250 /* no SYN-ACK within: dropped; the pair answers in microseconds */
#define ACCEPT_WAIT_MS 3000 /* never reached, unless something is broken */

static pid_t clients = -1;
static int clients_net = -1; /* their namespace */
static int own_net = -1;
static int listener4 = -1, listener6 = -1;

static const struct world_entry everybody[] = {
	{"0.0.0.0/0", FLAG_PA}, {"::/0", FLAG_PA}, {0}};

/* ---- the wire ---- */

#define RUN(...) world_command((const char *const[]){__VA_ARGS__, NULL})

static int net_open(pid_t pid)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* A child that holds a network namespace until its end of the pipe closes with us. */
static void clients_start(void)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	clients = fork();
	assert_true(clients >= 0);
	if (clients == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	clients_net = net_open(clients);
	own_net = net_open(getpid());
}

static int listen_at(int family, const char *text)
{
	struct sockaddr_storage sa;
	struct addr addr;
	unsigned int len;
	int fd, yes = 1;

	assert_int_equal(addr_parse(text, &addr), 0);
	len = addr_to_sockaddr(&addr, WORLD_PORT, &sa);
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static int wire_up(void **state)
{
	char pid[16];

	if (world_enter(state) < 0)
		return -1;
	clients_start();
	(void)snprintf(pid, sizeof(pid), "%d", (int)clients);
	RUN("ip", "link", "add", "in", "type", "veth", "peer", "name", "out", "netns",
	    pid);
	RUN("ip", "address", "add", "192.0.2.1/24", "dev", "in");
	RUN("ip", "address", "add", "2001:db8::1/64", "dev", "in", "nodad");
	RUN("ip", "link", "set", "lo", "up");
	RUN("ip", "link", "set", "in", "up");
	RUN("ip", "route", "add", "2001:db8:7::/48", "dev", "in");
	assert_int_equal(setns(clients_net, CLONE_NEWNET), 0);
	RUN("ip", "link", "set", "out", "up");
	for (int i = 2; i < 10; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "192.0.2.%d/24", i);
		RUN("ip", "address", "add", text, "dev", "out");
	}
	RUN("ip", "address", "add", "2001:db8::2/64", "dev", "out", "nodad");
	RUN("ip", "address", "add", "2001:db8:7::7/48", "dev", "out", "nodad");
	assert_int_equal(setns(own_net, CLONE_NEWNET), 0);
	listener4 = listen_at(AF_INET, "192.0.2.1");
	listener6 = listen_at(AF_INET6, "2001:db8::1");
	return 0;
}

static int wire_down(void **state)
{
	(void)state;
	if (clients > 0) {
		(void)kill(clients, SIGKILL);
		(void)waitpid(clients, NULL, 0);
	}
	return 0;
}

/* A socket in the clients' namespace, bound to one of their addresses. */
static int client_socket(const struct addr *source)
{
	struct sockaddr_storage sa;
	const unsigned int len = addr_to_sockaddr(source, 0, &sa);
	int fd;

	assert_int_equal(setns(clients_net, CLONE_NEWNET), 0);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(setns(own_net, CLONE_NEWNET), 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

/* Does a client of this address reach the listener? Decided by the handshake alone. */
static bool connects(const char *source)
{
	AUTO(close_fd) int fd = -1;
	AUTO(close_fd) int accepted = -1;
	struct sockaddr_storage sa;
	struct addr from, to;
	struct pollfd wait;
	unsigned int len;

	assert_int_equal(addr_parse(source, &from), 0);
	assert_int_equal(
		addr_parse(from.family == ADDR_V4 ? "192.0.2.1" : "2001:db8::1", &to), 0);
	fd = client_socket(&from);
	len = addr_to_sockaddr(&to, WORLD_PORT, &sa);
	if (connect(fd, (struct sockaddr *)&sa, len) < 0)
		assert_int_equal(errno, EINPROGRESS);
	wait = (struct pollfd){.fd = fd, .events = POLLOUT};
	if (poll(&wait, 1, REFUSED_AFTER_MS) == 0)
		return false;
	assert_int_equal(wait.revents, POLLOUT);
	wait = (struct pollfd){.fd = from.family == ADDR_V4 ? listener4 : listener6,
			       .events = POLLIN};
	assert_int_equal(poll(&wait, 1, ACCEPT_WAIT_MS), 1);
	accepted = accept(wait.fd, NULL, NULL);
	assert_true(accepted >= 0);
	return true;
}

static bool has_link_pin(const char *name)
{
	char path[128];
	struct stat info;

	(void)snprintf(path, sizeof(path), "%s/link-%s", WORLD_PINS, name);
	return stat(path, &info) == 0;
}

/* Program on an interface now; 0: none. */
static uint32_t attached_id(const char *ifname)
{
	uint32_t id = 0;

	assert_int_equal(bpf_xdp_query_id((int)if_nametoindex(ifname), 0, &id), 0);
	return id;
}

/* ---- packets ---- */

static void attach_modes_drop_for_real(void **state, enum xdp_mode wanted,
				       enum xdp_mode want_got)
{
	struct xdp *xdp = *state;
	enum xdp_mode got = XDP_OFF;
	struct xdp_counters counters;

	world_list(xdp, 0, everybody);
	assert_int_equal(xdp_attach(xdp, "in", wanted, &got), 0);
	assert_int_equal(got, want_got);
	assert_true(connects("192.0.2.2"));
	assert_true(connects("2001:db8::2"));
	world_ban(xdp, "192.0.2.3", 0, ABI_FOREVER_NS);
	world_ban(xdp, "192.0.2.8/31", 0, ABI_FOREVER_NS);
	world_ban(xdp, "2001:db8::/64", 0, ABI_FOREVER_NS);
	assert_false(connects("192.0.2.3"));
	assert_false(connects("192.0.2.9")); /* the last address of the prefix */
	assert_false(connects("2001:db8::2"));
	assert_true(connects("2001:db8:7::7"));
	assert_true(connects("192.0.2.2"));
	assert_int_equal(xdp_counters(xdp, 0, &counters), 0);
	assert_true(counters.dropped_ban >= 2);
	assert_true(counters.dropped_ban_prefix >= 1);
	assert_true(counters.passed > 0);
}

static void native_drops(void **state)
{
	attach_modes_drop_for_real(state, XDP_AUTO, XDP_NATIVE);
}

static void generic_drops(void **state)
{
	attach_modes_drop_for_real(state, XDP_GENERIC, XDP_GENERIC);
}

static void list_swap_is_seen_by_packets(void **state)
{
	static const struct world_entry one[] = {{"192.0.2.4/32", FLAG_PA}, {0}};
	struct xdp *xdp = *state;
	enum xdp_mode got;

	world_list(xdp, 0, one);
	assert_int_equal(xdp_attach(xdp, "in", XDP_AUTO, &got), 0);
	assert_true(connects("192.0.2.4"));
	assert_false(connects("192.0.2.5"));
	world_list(xdp, 0, everybody);
	assert_true(connects("192.0.2.5"));
}

/* A process that is killed with everything open. */
static void banner_and_death(void)
{
	struct xdp *xdp = NULL;
	enum xdp_mode got;

	if (xdp_open(WORLD_PINS, 1000, &xdp) < 0)
		_exit(1);
	world_list(xdp, 0, everybody);
	if (xdp_service_set(xdp, WORLD_PORT, 0, false) < 0 ||
	    xdp_attach(xdp, "in", XDP_AUTO, &got) < 0)
		_exit(1);
	world_ban(xdp, "192.0.2.3", 0, ABI_FOREVER_NS);
	world_ban(xdp, "192.0.2.4", 0, clock_boot_ns() + 600 * NS_PER_MS);
	(void)raise(SIGKILL);
	_exit(1);
}

static void bans_outlive_their_process(void **state)
{
	struct xdp *xdp = NULL;
	uint64_t ends_ns;
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0)
		banner_and_death();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ends_ns = clock_boot_ns() + 600 * NS_PER_MS;
	assert_false(connects("192.0.2.3"));
	assert_true(connects("192.0.2.5"));
	while (!connects("192.0.2.4")) /* ends on time, with nobody at home */
		assert_true(clock_boot_ns() < ends_ns + NS_PER_S);
	assert_false(connects("192.0.2.3"));

	assert_int_equal(xdp_open(WORLD_PINS, 1000, &xdp), 0);
	assert_false(connects("192.0.2.3"));
	*state = xdp;
}

/* Opening and attaching anew, with other maps: at every step the ban holds. */
static void no_gap_while_starting_anew(void **state)
{
	struct xdp *xdp = *state;
	struct abi_value abi = {.version = ABI_VERSION + 1};
	AUTO(close_fd) int fd = -1;
	enum xdp_mode got = XDP_OFF;
	__u32 zero = 0, id;

	world_list(xdp, 0, everybody);
	assert_int_equal(xdp_attach(xdp, "in", XDP_AUTO, &got), 0);
	world_ban(xdp, "192.0.2.3", 0, ABI_FOREVER_NS);
	id = attached_id("in");
	fd = bpf_obj_get(WORLD_PINS "/abi");
	assert_int_equal(bpf_map_update_elem(fd, &zero, &abi, BPF_ANY), 0);

	xdp_close(&xdp);
	*state = NULL;
	assert_false(connects("192.0.2.3"));
	assert_int_equal(xdp_open(WORLD_PINS, 2000, &xdp), 0);
	*state = xdp;
	assert_int_equal(attached_id("in"), id);
	assert_false(connects("192.0.2.3"));
	assert_true(connects("192.0.2.2"));
	world_list(xdp, 0, everybody);
	assert_int_equal(xdp_attach(xdp, "in", XDP_AUTO, &got), 0);
	assert_int_equal(got, XDP_NATIVE);
	assert_int_not_equal(attached_id("in"), id);
	assert_false(connects("192.0.2.3"));
	assert_true(connects("192.0.2.2"));
}

/* ---- links ---- */

static void modes_are_reported(void **state)
{
	struct xdp *xdp = *state;
	enum xdp_mode got = XDP_OFF;

	/* Loopback is a driver without native XDP. */
	assert_int_equal(xdp_attach(xdp, "lo", XDP_NATIVE, &got), -EOPNOTSUPP);
	assert_int_equal(got, XDP_OFF);
	assert_int_equal(xdp_attach(xdp, "lo", XDP_AUTO, &got), 0);
	assert_int_equal(got, XDP_GENERIC);
	assert_int_equal(xdp_attach(xdp, "lo", XDP_NATIVE, &got), -EOPNOTSUPP);
	assert_int_not_equal(attached_id("lo"), 0); /* still there */
	assert_int_equal(xdp_attach(xdp, "lo", XDP_AUTO, &got), 0);
	assert_int_equal(got, XDP_GENERIC);

	assert_int_equal(xdp_attach(xdp, "in", XDP_GENERIC, &got), 0);
	assert_int_equal(got, XDP_GENERIC);
	assert_int_equal(xdp_attach(xdp, "in", XDP_AUTO, &got), 0);
	assert_int_equal(got, XDP_GENERIC); /* not for this a gap */
	assert_int_equal(xdp_attach(xdp, "in", XDP_NATIVE, &got), 0);
	assert_int_equal(got, XDP_NATIVE);
	assert_int_equal(xdp_attach(xdp, "nosuch", XDP_AUTO, &got), -ENODEV);
	assert_int_equal(xdp_attach(xdp, "in", XDP_OFF, &got), -EINVAL);
}

static void foreign_programs_stay(void **state)
{
	struct xdp *xdp = *state, *other = NULL;
	const __u32 flags[] = {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};
	enum xdp_mode got = XDP_OFF;

	assert_int_equal(xdp_open("/sys/fs/bpf/other", 10, &other), 0);
	for (size_t i = 0; i < 2; i++) {
		const int ifindex = (int)if_nametoindex("in");
		uint32_t id;

		assert_int_equal(
			bpf_xdp_attach(ifindex, xdp_program_fd(other), flags[i], NULL),
			0);
		id = attached_id("in");
		assert_int_equal(xdp_attach(xdp, "in", XDP_AUTO, &got), -EBUSY);
		assert_int_equal(xdp_attach(xdp, "in", XDP_GENERIC, &got), -EBUSY);
		assert_int_equal(attached_id("in"), id);
		assert_false(has_link_pin("in"));
		assert_int_equal(bpf_xdp_detach(ifindex, flags[i], NULL), 0);
	}
	assert_int_equal(xdp_attach(other, "in", XDP_AUTO, &got), 0);
	assert_int_equal(xdp_attach(xdp, "in", XDP_AUTO, &got), -EBUSY);
	xdp_close(&other);
	assert_int_equal(xdp_detach_all("/sys/fs/bpf/other"), 0);
	assert_int_equal(attached_id("in"), 0);
}

static void interfaces_come_and_go(void **state)
{
	struct xdp *xdp = *state;
	char names[4][16];
	enum xdp_mode got;
	uint32_t id;

	RUN("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1");
	RUN("ip", "link", "set", "up0", "name", "up.100");
	assert_int_equal(xdp_attach(xdp, "up.100", XDP_AUTO, &got), 0);
	assert_true(has_link_pin("up:100"));
	assert_int_equal(xdp_interfaces(WORLD_PINS, names, 4), 1);
	assert_string_equal(names[0], "up.100");

	id = attached_id("up.100");
	RUN("ip", "link", "set", "up.100", "name", "up200"); /* renamed */
	assert_int_equal(xdp_attach(xdp, "up200", XDP_AUTO, &got), 0);
	assert_int_equal(attached_id("up200"), id);
	assert_false(has_link_pin("up:100"));
	assert_true(has_link_pin("up200"));

	RUN("ip", "link", "del", "up200"); /* and made again */
	RUN("ip", "link", "add", "up200", "type", "veth", "peer", "name", "up1");
	assert_int_equal(attached_id("up200"), 0);
	assert_int_equal(xdp_attach(xdp, "up200", XDP_AUTO, &got), 0);
	assert_int_equal(attached_id("up200"), id);

	assert_int_equal(xdp_attach(xdp, "in", XDP_AUTO, &got), 0);
	assert_int_equal(xdp_interfaces(WORLD_PINS, names, 4), 2);
	assert_int_equal(xdp_interfaces(WORLD_PINS, names, 1), 1);
	assert_int_equal(xdp_detach_interface(xdp, "up200"), 0);
	assert_int_equal(attached_id("up200"), 0);
	assert_int_equal(xdp_detach_interface(xdp, "up200"), -ENOENT);
	assert_int_not_equal(attached_id("in"), 0);
	RUN("ip", "link", "del", "up200");
	assert_int_equal(xdp_interfaces("/sys/fs/bpf/nosuch", names, 4), 0);
}

static void detach_all_lets_packets_through(void **state)
{
	struct xdp *xdp = *state;
	AUTO(close_fd)
	int held = -1; /* by someone who looks at the link: it goes all the same */
	enum xdp_mode got;
	struct stat info;

	assert_int_equal(xdp_attach(xdp, "in", XDP_AUTO, &got), 0);
	held = bpf_obj_get(WORLD_PINS "/link-in");
	assert_true(held >= 0);
	assert_false(connects("192.0.2.2")); /* the list is empty */
	xdp_close(&xdp);
	*state = NULL;
	assert_false(connects("192.0.2.2"));
	assert_int_equal(xdp_detach_all(WORLD_PINS), 0);
	assert_int_equal(attached_id("in"), 0);
	assert_true(connects("192.0.2.2"));
	assert_int_equal(stat(WORLD_PINS, &info), -1);
	assert_int_equal(world_open(state), 0);
}

/* ---- capabilities ---- */

/* Keeps just these; the uid stays 0, the owner of the pins. */
static void keep_capabilities(uint64_t mask)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {
		{.effective = (__u32)mask, .permitted = (__u32)mask},
		{.effective = (__u32)(mask >> 32), .permitted = (__u32)(mask >> 32)},
	};

	if (syscall(SYS_capset, &header, sets) < 0)
		_exit(99);
}

#define EXPECT(expression)                                                    \
	do {                                                                  \
		if ((expression) != 0) {                                      \
			print_error("%s: errno %d, %s\n", #expression, errno, \
				    xdp_problem());                           \
			_exit(1);                                             \
		}                                                             \
	} while (0)

/* All that the keeper does after its start. */
static void work_without_root(struct xdp *xdp)
{
	const struct prefix prefix = world_prefix("192.0.2.7");
	const struct xdp_ban bans[] = {
		{.prefix = world_prefix("192.0.2.7"), .ends_ns = ABI_FOREVER_NS},
		{.prefix = world_prefix("198.51.100.0/24"), .ends_ns = ABI_FOREVER_NS},
	};
	struct xdp_ban ban;
	struct xdp_counters counters;
	enum xdp_mode got;
	size_t count = 0;

	EXPECT(xdp_policy_name_set(xdp, 2, "late"));
	EXPECT(xdp_policy_load(xdp, 2, "late", NULL));
	EXPECT(xdp_policy_load(xdp, 2, "late", NULL));
	EXPECT(xdp_policy_compare(xdp, 2, NULL, &count));
	EXPECT(xdp_policy_name_set(xdp, 2, ""));
	EXPECT(xdp_service_set(xdp, 110, 0, false));
	EXPECT(xdp_service_remove(xdp, 110));
	EXPECT(xdp_ban_set(xdp, bans, 2, &count));
	EXPECT(xdp_ban_load(xdp, bans, 2));
	EXPECT(xdp_ban_get(xdp, &prefix, 0, &ban));
	EXPECT(xdp_ban_walk(xdp, true, &ban, 1, &count));
	EXPECT(count != 1);
	EXPECT(xdp_ban_remove(xdp, &prefix, 0));
	EXPECT(xdp_counters(xdp, 0, &counters));
	EXPECT(xdp_attach(xdp, "in", XDP_AUTO, &got));
	EXPECT(got != XDP_NATIVE);
	EXPECT(xdp_attach(xdp, "in", XDP_GENERIC, &got));
	EXPECT(xdp_attach(xdp, "in", XDP_AUTO, &got));
	EXPECT(xdp_detach_interface(xdp, "in"));
	xdp_close(&xdp);
	EXPECT(xdp_open(WORLD_PINS, 1000, &xdp)); /* the same maps */
	EXPECT(xdp_attach(xdp, "in", XDP_AUTO, &got));
	xdp_close(&xdp);
	EXPECT(xdp_open(WORLD_PINS, 3000, &xdp)); /* others */
	EXPECT(xdp_attach(xdp, "in", XDP_AUTO, &got));
	xdp_close(&xdp);
	EXPECT(xdp_detach_all(WORLD_PINS));
	EXPECT(xdp_open(WORLD_PINS, 1000, &xdp)); /* all anew */
	_exit(0);
}

static void three_capabilities_are_enough(void **state)
{
	const uint64_t keeper = UINT64_C(1) << CAP_BPF | UINT64_C(1) << CAP_PERFMON |
				UINT64_C(1) << CAP_NET_ADMIN;
	struct xdp *xdp = *state;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		keep_capabilities(keeper);
		work_without_root(xdp);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* And the test notices when one is missing. */
	for (int capability = CAP_BPF; capability;
	     capability = capability == CAP_BPF ? CAP_NET_ADMIN : 0) {
		pid = fork();
		if (pid == 0) {
			keep_capabilities(keeper & ~(UINT64_C(1) << capability));
			xdp = NULL;
			_exit(xdp_open("/sys/fs/bpf/without", 10, &xdp) == -EPERM ? 0
										  : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	(void)rmdir("/sys/fs/bpf/without");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(native_drops),
		TEST(generic_drops),
		TEST(list_swap_is_seen_by_packets),
		cmocka_unit_test_teardown(bans_outlive_their_process, world_close),
		TEST(no_gap_while_starting_anew),
		TEST(modes_are_reported),
		TEST(foreign_programs_stay),
		TEST(interfaces_come_and_go),
		TEST(detach_all_lets_packets_through),
		TEST(three_capabilities_are_enough),
	};

	return cmocka_run_group_tests_name("sys/xdp links", tests, wire_up, wire_down);
}
