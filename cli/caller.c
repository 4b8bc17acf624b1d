/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/caller - see the header.
 */
#include "cli/caller.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "wire/ctl.h"

/* "192.0.2.1 50000 198.51.100.1 22": the address up to the space; an IPv6 zone is left out. */
static bool caller_from_value(const char *value, struct addr *out_addr)
{
	char text[ADDR_TEXT_MAX];
	size_t len = strcspn(value, " %");

	if (len >= sizeof(text))
		return false;
	memcpy(text, value, len);
	text[len] = '\0';
	return addr_parse(text, out_addr) == 0;
}

bool caller_from_environ(const char *block, size_t len, struct addr *out_addr)
{
	static const char *const names[] = {"SSH_CONNECTION=", "SSH_CLIENT="};

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
		size_t name_len = strlen(names[n]);

		for (size_t at = 0; at < len; at += strnlen(block + at, len - at) + 1) {
			size_t string_len = strnlen(block + at, len - at);

			if (at + string_len < len && string_len > name_len &&
			    memcmp(block + at, names[n], name_len) == 0 &&
			    caller_from_value(block + at + name_len, out_addr))
				return true;
		}
	}
	return false;
}

/* Bytes read of a file in /proc, which come in pieces; 0 if it may not be read. */
static size_t proc_read(const char *pid, const char *name, char *memory, size_t cap_bytes)
{
	AUTO(close_fd) int fd = -1;
	char path[64];
	size_t len = 0;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (len < cap_bytes && (n = read(fd, memory + len, cap_bytes - len)) > 0)
		len += (size_t)n;
	return len;
}

/* "123 (name) S 45 ...": the 45. The name may hold anything, so look behind its last bracket. */
static bool proc_parent(const char *pid, char out_parent[16])
{
	char stat[512];
	size_t len = proc_read(pid, "stat", stat, sizeof(stat) - 1);
	uint64_t number;
	char *at, *end;

	stat[len] = '\0';
	at = strrchr(stat, ')');
	if (!at || strlen(at) < 5)
		return false;
	at += 4;
	end = strchr(at, ' ');
	if (!end)
		return false;
	*end = '\0';
	if (num_parse_u64(at, INT32_MAX, &number) != 0 || number <= 1)
		return false;
	(void)snprintf(out_parent, 16, "%u", (unsigned int)number);
	return true;
}

static bool caller_from_parents(struct addr *out_addr)
{
	AUTO(free_mem) char *block = malloc(CALLER_ENVIRON_MAX_BYTES);
	char pid[16];

	if (!block)
		return false;
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	for (int i = 0; i < CALLER_PARENTS_MAX; i++) {
		size_t len = proc_read(pid, "environ", block, CALLER_ENVIRON_MAX_BYTES);

		if (caller_from_environ(block, len, out_addr))
			return true;
		if (!proc_parent(pid, pid))
			return false;
	}
	return false;
}

int caller_add(struct cli *cli, json_t *args)
{
	const char *text = cli->options.caller;
	char formatted[ADDR_TEXT_MAX];
	struct addr addr;

	if (text) {
		if (addr_parse(text, &addr) != 0)
			return cli_usage(
				cli,
				"'%s': --caller takes an address, as 192.0.2.1 or 2001:db8::1",
				text);
	} else if (!caller_from_parents(&addr)) {
		return CTL_OK;
	}
	(void)json_object_set_new(args, "caller",
				  json_string(addr_format(&addr, formatted)));
	return CTL_OK;
}
