# SPDX-License-Identifier: GPL-2.0-only
"""A whole Debian 12 under qemu, with its own kernel and systemd: what namespaces on this host cannot show.

The image is made of Debian's packages once (those of scripts/install-deps, and the kernel) and kept below
build/stock; a guest writes to a copy that goes with it. The source tree, as it is built, is a second disk at /postern.
The guest is connected to nothing: its two network cards are wired to each other. Commands go in and results come out
over a virtio port (guest_agent.py). Emulated unless STOCK_ACCEL=kvm: some machines offer a KVM that does not work.
"""
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("POSTERN_BUILD", REPO / "build"))
KEPT = BUILD / "stock"
RELEASE = "bookworm"
NEEDED = {"mmdebstrap": "mmdebstrap", "qemu-system-x86_64": "qemu-system-x86", "mke2fs": "e2fsprogs"}
PACKAGES = ["linux-image-amd64", "initramfs-tools", "systemd-sysv", "dbus", "udev", "kmod", "passwd"]
# Servers that Debian starts at boot; those of the story are started by it.
SERVERS = ["postfix", "dovecot", "nsd", "unbound", "rbldnsd", "haproxy", "nginx", "fail2ban"]
IMAGE_S, BOOT_S, COMMAND_S = 1800, 900, 120  # what is emulated takes 30 times as long
AGENT_UNIT = """\
[Unit]
After=multi-user.target
[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/guest_agent.py
KillMode=process
LimitNOFILE=524288
[Install]
WantedBy=multi-user.target
"""


def missing():
    """The packages without which there is no guest."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [package for program, package in NEEDED.items() if not shutil.which(program, path=path)]


def call(*command, **kw):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **kw)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def file_system(directory, image, size):
    image.unlink(missing_ok=True)
    with open(image, "wb") as new:
        new.truncate(size)
    call("/usr/sbin/mke2fs", "-q", "-t", "ext4", "-d", directory, image)


def furnish(root):
    """What makes Debian's packages a machine that starts and obeys."""
    units = root / "etc/systemd/system"
    shutil.copy(pathlib.Path(__file__).parent / "guest_agent.py", root / "usr/local/lib/")
    (units / "guest-agent.service").write_text(AGENT_UNIT)
    call("systemctl", f"--root={root}", "enable", "guest-agent.service")
    for server in SERVERS:
        (units / f"multi-user.target.wants/{server}.service").unlink(missing_ok=True)
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n/dev/vdb /postern ext4 defaults 0 2\n")
    (root / "etc/hostname").write_text("stock\n")
    (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")  # where nobody answers
    (root / "postern").mkdir()


def image():
    """The disk, the kernel and the initial RAM disk; made when the list of packages is not that of last time."""
    listed = call(REPO / "scripts/install-deps", "--list").splitlines()
    packages = sorted({line.split()[0] for line in listed} | set(PACKAGES))
    disk, of = KEPT / "root.img", KEPT / "packages"
    if not disk.exists() or not of.exists() or of.read_text().split() != packages:
        root = KEPT / "root"
        shutil.rmtree(KEPT, ignore_errors=True)
        KEPT.mkdir(parents=True)
        call("mmdebstrap", "--variant=minbase", "--mode=root", f"--include={','.join(packages)}",
             "--aptopt=APT::Install-Recommends \"false\"", "--dpkgopt=path-exclude=/usr/share/doc/*",
             "--dpkgopt=path-exclude=/usr/share/locale/*", RELEASE, root, timeout=IMAGE_S)
        furnish(root)
        for name in ("vmlinuz", "initrd.img"):
            shutil.copy(next(root.glob(f"boot/{name}-*")), KEPT / name)
        file_system(root, disk, 8 << 30)
        shutil.rmtree(root)
        of.write_text("\n".join(packages))
    return disk


def tree():
    """The source tree as it is built, on a disk."""
    stage = KEPT / "tree"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    left_out = [REPO / ".git"] + [BUILD / name for name in ("stock", "san", "clang", "tidy")]
    others = [f"--exclude=./{path.relative_to(REPO)}" for path in left_out]
    with subprocess.Popen(["tar", "-C", REPO, *others, "-cf", "-", "."], stdout=subprocess.PIPE) as tar:
        call("tar", "-C", stage, "-xf", "-", stdin=tar.stdout)
    file_system(stage, KEPT / "tree.img", 3 << 30)
    shutil.rmtree(stage)
    return KEPT / "tree.img"


class Guest:
    """with Guest() as guest: guest.run("uname -r")"""

    def __init__(self):
        self.qemu = self.port = None
        self.rest, self.lines = b"", []
        self.kernel = None

    def __enter__(self):
        disk, source = image(), tree()
        listener = socket.socket(socket.AF_UNIX)
        path = KEPT / "port"
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen()
        accelerator = os.environ.get("STOCK_ACCEL", "tcg,thread=multi")
        command = ["qemu-system-x86_64", "-no-user-config", "-nodefaults", "-display", "none", "-M", "q35",
                   "-accel", accelerator, "-cpu", "host" if accelerator.startswith("kvm") else "max", "-smp", "2",
                   "-m", "3G", "-snapshot", "-kernel", KEPT / "vmlinuz", "-initrd", KEPT / "initrd.img",
                   "-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 panic=-1",
                   "-serial", f"file:{KEPT}/console.log", "-device", "virtio-serial",
                   "-chardev", f"socket,id=port,path={path}", "-device", "virtserialport,chardev=port,name=postern"]
        for file in (disk, source):
            command += ["-drive", f"file={file},if=virtio,format=raw"]
        for n in (0, 1):
            command += ["-netdev", f"hubport,id=n{n},hubid=0", "-device", f"virtio-net-pci,netdev=n{n}"]
        self.qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=open(KEPT / "qemu.log", "wb"))
        try:
            listener.settimeout(BOOT_S)
            self.port, _ = listener.accept()
            listener.close()
            self.wait_boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.qemu.kill()
        self.qemu.wait()
        if self.port:
            self.port.close()

    def console(self):
        return (KEPT / "console.log").read_text(errors="replace")[-3000:]

    def hear(self, seconds):
        """The next object that the guest says."""
        deadline = time.monotonic() + seconds
        while not self.lines:
            if not select.select([self.port], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"the guest says nothing for {seconds} s; its console:\n{self.console()}")
            got = self.port.recv(65536)
            if not got:
                raise AssertionError(f"the guest has ended; its console:\n{self.console()}")
            *lines, self.rest = (self.rest + got).split(b"\n")
            self.lines += lines
        return json.loads(self.lines.pop(0))

    def wait_boot(self):
        self.kernel = self.hear(BOOT_S)["hello"]

    def tell(self, command, seconds):
        self.port.sendall(json.dumps({"command": command, "seconds": seconds}).encode() + b"\n")

    def run(self, command, seconds=COMMAND_S, check=True):
        """What a command of bash prints; with check=False its status and that."""
        self.tell(command, seconds)
        said = self.hear(seconds + 30)
        if not check:
            return said["status"], said["output"]
        assert said["status"] == 0, f"{command}: exit {said['status']}\n{said['output']}"
        return said["output"]

    def reboot(self):
        self.tell("systemctl reboot", COMMAND_S)
        said = self.hear(BOOT_S)
        if "hello" not in said:  # the answer to the command
            said = self.hear(BOOT_S)
        self.kernel = said["hello"]
