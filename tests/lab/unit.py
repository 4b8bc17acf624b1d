# SPDX-License-Identifier: GPL-2.0-only
"""Runs a program under the restrictions of a systemd unit, where systemd is not process 1.

    unit.py UNIT LAB COMMAND [ARGUMENT ...]

Each line of [Service] is done as systemd.exec(5) says, with the kernel's own means: a mount namespace, limits,
capabilities, a seccomp filter; one that is not known here is an error, so that unit and test cannot drift apart.
LAB is the directory of a lab; its state, run and bpf stand where the unit has /var/lib/postern, /run/postern and
/sys/fs/bpf. Runs inside `ip netns exec`, which has made a mount namespace already.
"""
import ctypes
import errno
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_seccomp = ctypes.CDLL("libseccomp.so.2")
_seccomp.seccomp_init.restype = ctypes.c_void_p

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1, 2, 4, 8, 32, 4096, 16384, 1 << 18)
KEPT_FLAGS = {"nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC, "noatime": 1024, "relatime": 1 << 21}
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 38, 24
NEW_UTS = 0x04000000
NAMESPACES = 0x7E020080  # CLONE_NEWTIME is not one for clone()
ALLOW, KILL = 0x7FFF0000, 0x80000000
EQ, GT, MASKED_EQ = 4, 6, 7
API = ("/dev", "/proc", "/sys")  # which ProtectSystem=strict leaves to others

CAPABILITIES = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service "
    "net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct "
    "sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap "
    "mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore").split()

# What concerns systemd alone, and what a line more would not show here.
NOT_ABOUT_THE_PROCESS = {
    "Type", "NotifyAccess", "ExecStart", "ExecReload", "Restart", "RestartSec", "KillMode", "TimeoutStopSec",
    "ProtectControlGroups",  # below the /sys of `ip netns exec` there are none
    "PrivateMounts",  # true here anyway
}


class Cmp(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def settings(path):
    """[Service] of a unit: name -> the values of its lines."""
    found, section = {}, ""
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


# ---- files -----------------------------------------------------------------------------------------------------


def mount(source, target, kind=None, flags=0, options=None):
    encode = [None if x is None else str(x).encode() for x in (source, target, kind, options)]
    if _libc.mount(encode[0], encode[1], encode[2], ctypes.c_ulong(flags), encode[3]) != 0:
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")


def bind(source, target):
    mount(source, target, flags=MS_BIND | MS_REC)


def stage(lab, command):
    """The directories of the unit exist, and are the lab's; what the host has there is out of sight."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    here = os.open(lab, os.O_PATH)
    for hidden in ("/run", "/var/lib"):
        mount("tmpfs", hidden, "tmpfs", 0, "mode=755")
    os.makedirs(lab)
    bind(f"/proc/self/fd/{here}", lab)
    os.close(here)
    for source, target in (("state", "/var/lib/postern"), ("bpf", "/sys/fs/bpf")):
        os.makedirs(target, exist_ok=True)
        bind(lab / source, target)


def mounts():
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        yield fields[4].encode().decode("unicode_escape"), fields[5].split(",")


def below(path, parents):
    return any(path == p or path.startswith(p.rstrip("/") + "/") for p in parents)


def read_only(parents, but):
    for point, flags in list(mounts()):
        # What stage() has hidden is listed, and nobody gets there.
        if below(point, parents) and not below(point, but) and os.path.exists(point):
            kept = sum(KEPT_FLAGS.get(f, 0) for f in flags)
            mount("none", point, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def runtime_directory(lab, name):
    os.makedirs(lab / "run", exist_ok=True)
    os.chmod(lab / "run", 0o755)
    os.makedirs(f"/run/{name}")
    bind(lab / "run", f"/run/{name}")


def private_devices():
    old = {name: os.open(f"/dev/{name}", os.O_PATH) for name in ("null", "zero", "full", "random", "urandom", "tty")}
    mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755")
    for name, fd in old.items():
        open(f"/dev/{name}", "w").close()
        mount(f"/proc/self/fd/{fd}", f"/dev/{name}", flags=MS_BIND)
        os.close(fd)
    mount("none", "/dev", flags=MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC)


def files(unit, lab):
    writable = [p.lstrip("-") for line in unit.pop("ReadWritePaths") for p in line.split()]
    for name in unit.pop("RuntimeDirectory"):
        runtime_directory(lab, name)
        writable.append(f"/run/{name}")
    assert unit.pop("PrivateTmp") == ["yes"]
    for point in ("/tmp", "/var/tmp"):
        mount("tmpfs", point, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
        writable.append(point)
    assert unit.pop("PrivateDevices") == ["yes"]
    private_devices()
    assert unit.pop("ProtectKernelModules") == ["yes"]
    for point in ("/usr/lib/modules", "/lib/modules"):
        if os.path.isdir(point) and not os.path.islink("/lib"):
            mount("tmpfs", point, "tmpfs", 0, "mode=000")
    assert unit.pop("ProtectProc") == ["invisible"]
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=invisible")
    assert unit.pop("ProtectHome") == ["read-only"]  # which strict has made it
    assert unit.pop("ProtectSystem") == ["strict"]
    read_only(["/"], [*writable, *API])
    os.umask(int(unit.pop("UMask")[0], 8))


# ---- rights ------------------------------------------------------------------------------------------------------


def limits(unit):
    for name, number in (("LimitNOFILE", resource.RLIMIT_NOFILE), ("LimitMEMLOCK", resource.RLIMIT_MEMLOCK)):
        value = unit.pop(name)[0]
        value = resource.RLIM_INFINITY if value == "infinity" else int(value)
        most = resource.getrlimit(number)[1]
        if most != resource.RLIM_INFINITY and not 0 <= value <= most:
            value = most  # in a container even root may not raise it
        resource.setrlimit(number, (value, value))


def capabilities(unit):
    kept = {word.lower().replace("cap_", "") for line in unit.pop("CapabilityBoundingSet") for word in line.split()}
    assert kept <= set(CAPABILITIES)
    for number, name in enumerate(CAPABILITIES):
        if name not in kept and _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"capability {name}")


def system_calls(words):
    """Names of calls; of a @set, all that systemd means by it."""
    for word in words:
        if word.startswith("@"):
            text = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True,
                                  check=True).stdout
            yield from system_calls(w for w in (line.strip() for line in text.splitlines()[1:])
                                    if w and not w.startswith("#"))
        else:
            yield word


class Filter:
    """Refuses with EPERM; one filter for each setting, as systemd has it."""

    def __init__(self, default, action):
        self.context, self.action = ctypes.c_void_p(_seccomp.seccomp_init(ctypes.c_uint32(default))), action

    def add(self, call, *compared):
        number = _seccomp.seccomp_syscall_resolve_name(call.encode())
        wanted = (Cmp * max(len(compared), 1))(*compared)
        if number != -1:
            _seccomp.seccomp_rule_add_array(self.context, ctypes.c_uint32(self.action), number, len(compared), wanted)

    def load(self):
        if _seccomp.seccomp_load(self.context) != 0:
            raise OSError("seccomp_load")
        _seccomp.seccomp_release(self.context)


def errno_of(name):
    return 0x00050000 | getattr(errno, name)


def refuse(*rules):
    chosen = Filter(ALLOW, errno_of("EPERM"))
    for call, *compared in rules:
        chosen.add(call, *compared)
    chosen.load()


def families(unit):
    allowed = {int(getattr(socket, word)) for word in unit.pop("RestrictAddressFamilies")[0].split()}
    rules = [("socket", Cmp(0, EQ, n)) for n in range(max(allowed)) if n not in allowed]
    refuse(*rules, ("socket", Cmp(0, GT, max(allowed))))


def filters(unit):
    """The list of calls comes last, as with systemd: loading a filter is a call."""
    families(unit)
    for name in ("RestrictNamespaces", "RestrictRealtime", "LockPersonality", "MemoryDenyWriteExecute",
                 "ProtectClock", "ProtectKernelLogs", "ProtectHostname", "RestrictSUIDSGID"):
        assert unit.pop(name) == ["yes"]
    bits = [1 << n for n in range(32) if NAMESPACES >> n & 1]
    refuse(*[("clone", Cmp(0, MASKED_EQ, bit, bit)) for bit in bits], ("unshare",), ("setns",))
    refuse(*[("sched_setscheduler", Cmp(1, EQ, n)) for n in (1, 2, 6)], ("personality",),
           ("mmap", Cmp(2, MASKED_EQ, 6, 6)), ("mprotect", Cmp(2, MASKED_EQ, 4, 4)),
           ("pkey_mprotect", Cmp(2, MASKED_EQ, 4, 4)), ("shmat", Cmp(2, MASKED_EQ, 0o100000, 0o100000)))
    refuse(*[(call,) for call in system_calls(["@clock"])], ("syslog",), ("sethostname",), ("setdomainname",))
    refuse(*[(call, Cmp(arg, MASKED_EQ, bit, bit)) for bit in (0o4000, 0o2000)
             for call, arg in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2))])
    new = Filter(ALLOW, errno_of("ENOSYS"))
    new.add("clone3")
    new.load()
    assert unit.pop("SystemCallArchitectures") == ["native"]  # libseccomp's default
    lines = unit.pop("SystemCallFilter")
    allowed = set()
    for line in lines:
        words = line.lstrip("~").split()
        allowed = allowed - set(system_calls(words)) if line.startswith("~") else allowed | set(system_calls(words))
    listed = Filter(errno_of(unit.pop("SystemCallErrorNumber")[0]), ALLOW)
    for call in sorted(allowed):
        listed.add(call)
    listed.load()


def enter(path, lab, command):
    unit = {name: values for name, values in settings(path).items() if name not in NOT_ABOUT_THE_PROCESS}
    stage(lab, command)
    files(unit, lab)
    limits(unit)
    if _libc.unshare(NEW_UTS) != 0:  # ProtectHostname=
        raise OSError(ctypes.get_errno(), "unshare")
    assert unit.pop("NoNewPrivileges") == ["yes"]
    capabilities(unit)
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    filters(unit)
    if unit:
        raise SystemExit(f"{path}: not known here, so nobody knows whether posternd can live with it: {sorted(unit)}")
    os.execv(command[0], command)


if __name__ == "__main__":
    enter(sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:])
