/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/xdp_pin - names in the bpffs directory: made, replaced in one step, removed.
 *
 * A pin is what keeps a map or a link alive without the daemon. A new one is pinned as
 * "new-NAME" and renamed over the old, so that the name is never missing.
 */
#include "sys/xdp_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define NEW_PREFIX "new-"

const char *const xdp_map_names[XDP_MAP_COUNT] = {
	[XDP_MAP_ABI] = "abi",
	[XDP_MAP_SERVICES] = "services",
	[XDP_MAP_BANS] = "bans",
	[XDP_MAP_BAN_CACHE] = "ban_cache",
	[XDP_MAP_BAN_CACHE_TURNS] = "ban_cache_turns",
	[XDP_MAP_BAN_PREFIXES4] = "ban_prefixes4",
	[XDP_MAP_BAN_PREFIXES6] = "ban_prefixes6",
	[XDP_MAP_POLICIES4] = "policies4",
	[XDP_MAP_POLICIES6] = "policies6",
	[XDP_MAP_COUNTERS] = "counters",
	[XDP_MAP_POLICY_NAMES] = "policy_names",
	[XDP_MAP_SYN_LIMITS] = "syn_limits",
	[XDP_MAP_SYN_SOURCES] = "syn_sources",
	[XDP_MAP_SYN_SEEN] = "syn_seen",
	[XDP_MAP_SYN_EXEMPT] = "syn_exempt",
	[XDP_MAP_SYN_REPORTS] = "syn_reports",
};

static int pin_path(const char *pin_dir, const char *before, const char *pin,
		    char out_path[XDP_PATH_BYTES])
{
	int len = snprintf(out_path, XDP_PATH_BYTES, "%s/%s%s", pin_dir, before, pin);

	return len < (int)XDP_PATH_BYTES ? 0 : -ENAMETOOLONG;
}

const char *xdp_pin_name(const char *before, const char *name, const char *after,
			 char out_pin[XDP_PIN_NAME_BYTES])
{
	(void)snprintf(out_pin, XDP_PIN_NAME_BYTES, "%s%s%s", before, name, after);
	for (char *c = out_pin; *c; c++) {
		if (*c == '.')
			*c = ':';
	}
	return out_pin;
}

int xdp_pin_dir_check(const char *pin_dir)
{
	struct statfs fs;

	if (statfs(pin_dir, &fs) < 0)
		return -errno;
	if ((unsigned long)fs.f_type != BPF_FS_MAGIC)
		return -EMEDIUMTYPE;
	return 0;
}

int xdp_pin_dir_make(const char *pin_dir)
{
	char parent[XDP_DIR_BYTES];
	char *slash;
	int err;

	err = xdp_pin_dir_check(pin_dir);
	if (err != -ENOENT)
		return err;
	if (snprintf(parent, sizeof(parent), "%s", pin_dir) >= (int)sizeof(parent))
		return -ENAMETOOLONG;
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return -EMEDIUMTYPE;
	*slash = '\0';
	err = xdp_pin_dir_check(parent);
	if (err)
		return err;
	return mkdir(pin_dir, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int xdp_pin_open(const char *pin_dir, const char *pin)
{
	char path[XDP_PATH_BYTES];
	int err;

	err = pin_path(pin_dir, "", pin, path);
	if (err)
		return err;
	return bpf_obj_get(path);
}

int xdp_pin_replace(const char *pin_dir, const char *pin, int fd)
{
	char path[XDP_PATH_BYTES], new_path[XDP_PATH_BYTES];
	int err;

	err = pin_path(pin_dir, "", pin, path);
	if (!err)
		err = pin_path(pin_dir, NEW_PREFIX, pin, new_path);
	if (err)
		return err;
	if (unlink(new_path) < 0 && errno != ENOENT) /* a crash may have left one */
		return -errno;
	err = bpf_obj_pin(fd, new_path);
	if (err)
		return err;
	if (rename(new_path, path) < 0) {
		err = -errno;
		(void)unlink(new_path);
	}
	return err;
}

int xdp_pin_rename(const char *pin_dir, const char *from, const char *to)
{
	char from_path[XDP_PATH_BYTES], to_path[XDP_PATH_BYTES];
	int err;

	err = pin_path(pin_dir, "", from, from_path);
	if (!err)
		err = pin_path(pin_dir, "", to, to_path);
	if (err)
		return err;
	return rename(from_path, to_path) < 0 ? -errno : 0;
}

int xdp_pin_remove(const char *pin_dir, const char *pin)
{
	char path[XDP_PATH_BYTES];
	int err;

	err = pin_path(pin_dir, "", pin, path);
	if (err)
		return err;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

bool xdp_pin_is_ours(const char *pin)
{
	if (strncmp(pin, NEW_PREFIX, strlen(NEW_PREFIX)) == 0)
		return true;
	if (strncmp(pin, "policy-", strlen("policy-")) == 0)
		return true;
	for (size_t i = 0; i < XDP_MAP_COUNT; i++) {
		if (strcmp(pin, xdp_map_names[i]) == 0)
			return true;
	}
	return false;
}
