/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/sandbox - see sandbox.h. The system calls stand in sandbox_filter.c.
 */
#include "sys/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <sys/capability.h>

#include "sys/sandbox_filter.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
	__has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define NOBODY	      65534u /* the kernel's overflow id: owns nothing */
#define KEEPER_FILTER 2 /* to be raised with every change of what the keeper is refused */

/* ---- account, root, capabilities ---------------------------------------------------------------- */

/* What a process finds in its root was put there by root. */
static int sandbox_check_root(const char *root_dir)
{
	struct stat st;

	if (stat(root_dir, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return 0;
}

static int capabilities_drop_all(void)
{
	cap_t none = cap_init();
	int err = 0;

	if (!none)
		return -ENOMEM;
	if (cap_set_proc(none))
		err = -errno;
	cap_free(none);
	return err;
}

int sandbox_enter(enum sandbox_profile profile, const char *user, const char *root_dir)
{
	const struct passwd *account;
	uid_t uid;
	gid_t gid;
	int err;

	errno = 0;
	account = getpwnam(user);
	if (!account)
		return errno ? -errno : -ENOENT;
	uid = account->pw_uid;
	gid = account->pw_gid;
	if (uid == 0 || gid == 0)
		return -EPERM;
	/* The ledger writes into its root; there is nothing in it that runs, nor may it run anything. */
	err = profile == SANDBOX_LEDGER ? 0 : sandbox_check_root(root_dir);
	if (err)
		return err;
	if (chroot(root_dir) || chdir("/"))
		return -errno;
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	err = capabilities_drop_all();
	if (err)
		return err;
	/* A core dump would hold what clients sent. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	return SANITIZED ? 0 : sandbox_filter_child(profile);
}

int sandbox_look(void)
{
	int err;

	if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
			       setresuid(NOBODY, NOBODY, NOBODY)))
		return -errno;
	err = capabilities_drop_all();
	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return SANITIZED ? 0 : sandbox_filter_child(SANDBOX_LOOK);
}

static int capabilities_keep(const cap_value_t *kept, int count)
{
	cap_t wanted = cap_init();
	int err = 0;

	if (!wanted)
		return -ENOMEM;
	if (cap_set_flag(wanted, CAP_PERMITTED, count, kept, CAP_SET) ||
	    cap_set_flag(wanted, CAP_EFFECTIVE, count, kept, CAP_SET))
		err = -errno;
	/* First the bounding set, which takes CAP_SETPCAP: what is not in it never comes back. A program before this
	 * one may have kept more, and no CAP_SETPCAP; without new privileges nothing of that comes back either. */
	for (cap_value_t cap = 0; !err && CAP_IS_SUPPORTED(cap); cap++) {
		bool keep = false;

		for (int i = 0; i < count; i++)
			keep = keep || kept[i] == cap;
		/* One that another program of ours has started is without it already. */
		if (!keep && cap_get_bound(cap) == 1 && cap_drop_bound(cap) &&
		    !(errno == EPERM && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1))
			err = -errno;
	}
	if (!err && cap_set_proc(wanted))
		err = -errno;
	cap_free(wanted);
	return err;
}

int sandbox_keeper_filter(void)
{
	return SANITIZED ? 0 : KEEPER_FILTER;
}

int sandbox_keeper(const struct sandbox_paths *paths, bool is_filtered)
{
	static const cap_value_t kept[] = {
		CAP_BPF,	      /* maps, and the program after an upgrade */
		CAP_PERFMON,	      /* that program may compare pointers into packets */
		CAP_NET_ADMIN,	      /* XDP, nftables, routes, IP_TRANSPARENT, SO_MARK */
		CAP_NET_BIND_SERVICE, /* listeners that a reload brings */
		CAP_SETUID,	      /* children become who they are to be ... */
		CAP_SETGID,
		CAP_SYS_CHROOT,	     /* ... in their roots, */
		CAP_KILL,	     /* and are ended */
		CAP_DAC_READ_SEARCH, /* keys and lists that belong to others */
	};
	int err = capabilities_keep(kept, sizeof(kept) / sizeof(kept[0]));

	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (SANITIZED || is_filtered)
		return 0;
	err = sandbox_paths_enter(paths);
	return err && err != -EOPNOTSUPP ? err : sandbox_filter_keeper();
}
