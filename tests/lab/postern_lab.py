# SPDX-License-Identifier: GPL-2.0-only
"""The lab: clients, a gate with posternd, and a real mail host, in namespaces of its own."""
import base64
import json
import os
import pathlib
import shutil
import signal
import smtplib
import socket
import subprocess
import time

import netns
from mailhost import DOMAIN, USER, MailHost
from netns import GATE4, GATE6, MAIL4, MAIL6, Network, sh

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("POSTERN_BUILD", REPO / "build"))

CONF = """
hostname = "gate.example.net"
interfaces = {{ {interfaces} }}
xdp = {xdp}
gates = {gates}
state-dir = "{dir}/state"
run-dir = "{dir}/run"
pin-dir = "{dir}/bpf/postern"
log-level = {log_level}
dns = {{ {dns} }}
never-ban = {{ "192.0.2.13" }}
{top}

policy global {{
	lists = {{ "global.list" }}
	ptr = {ptr}
	{syns}
	{policy}
}}

policy webadmin {{
	lists = {{ "webadmin.list" }}
	strikes = off
}}

service smtp {{
	type = smtp
	policy = global
	listen = {{ "0.0.0.0:25", "[::]:25" }}
	backend = {{ {backend} }}
	client-address = {client_address}
	{service}
}}

service submission {{
	type = submission
	policy = global
	listen = {{ "0.0.0.0:587", "[::]:587" }}
	backend = {{ {backend} }}
	client-address = {client_address}
	{submission}
}}
{services}

service webadmin {{
	type = tcp
	policy = webadmin
	ports = {{ 8443 }}
}}

limits {{
	{limits}
}}
"""

GLOBAL_LIST = """\
0.0.0.0/0          PA AS LL HE
::/0               PA AS LL HE
203.0.113.0/24     BL              # a network that only attacks
2001:db8:bad::/48  BL
192.0.2.12         PA AS HE        # never counted: no LL
192.0.2.11         PA LL HE        # may not use AUTH: no AS
"""

WEBADMIN_LIST = """\
192.0.2.0/24       PA
2001:db8:1::/48    PA
"""

# What a build with SAN=address,undefined says in posternd.log; it fails the test.
SANITIZERS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:")
# How long a test waits for what must come: for the slowest machine, as it costs nothing when it comes.
WAIT_S = 30.0
REPAIR_S = 5.0  # what somebody else took away is back within a second, where nothing else is going on
BACKEND_PORT = {"none": 25, "proxy": 2525, "xclient": 2526}


def wait_for(what, condition, seconds=WAIT_S):
    """Wait for an event with a deadline; the only place where tests wait for a condition."""
    deadline, is_over = time.monotonic() + seconds, False
    while True:
        value = condition()
        if value:
            return value
        if is_over:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
        is_over = time.monotonic() > deadline  # and then looks once more


def writable_memory(pid):
    """What the process holds in memory that it can write."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, access = line.split()[:2]
            start, end = (int(n, 16) for n in span.split("-"))
            if access.startswith("rw") and end - start < 1 << 31:
                try:
                    mem.seek(start)
                    while start < end:
                        found.append(mem.read(min(1 << 20, end - start)))
                        start += 1 << 20
                except OSError:
                    pass
    return b"".join(found)


class Lab:
    def __init__(self, tag, **settings):
        self.tag = f"{tag}-{os.getpid()}"
        self.dir = pathlib.Path("/run") / f"postern-{self.tag}"
        self.network = Network(self.tag)
        self.mail = None
        self.daemon = None
        self.settings = dict(interfaces='"nic"', xdp="auto", gates=2, log_level="debug", dns="",
                             top="", ptr="off", syns="dos-syn-rate = 0", policy="", service="",
                             submission="", services="", limits="",
                             client_address="proxy", backend=None)
        self.settings.update(settings)
        self.lists = {"global.list": GLOBAL_LIST, "webadmin.list": WEBADMIN_LIST}
        self.logfile = None

    # life

    def up(self, mail=True, daemon=True):
        self.network.up()
        self.dir.mkdir(mode=0o755)
        # Its own: where Debian's initramfs made /run, no program can be run there, and the lab has copies of some.
        sh("mount", "-t", "tmpfs", "-o", "exec,mode=755", "postern-lab", str(self.dir))
        (self.dir / "bpf").mkdir()
        sh("mount", "-t", "bpf", "bpf", str(self.dir / "bpf"))
        if mail:
            self.mail = MailHost(self.network, self.dir / "mailhost", self.tag,
                                 processes=self.settings.get("processes", 100),
                                 tls=self.settings.get("mail_tls"))
            self.mail.start()
        self.write_conf()
        if daemon:
            self.start()
        return self

    def down(self):
        try:
            self.stop()
        finally:
            if self.mail:
                self.mail.stop()
            self.network.down()
            for mounted in (self.dir / "bpf", self.dir):
                if os.path.ismount(mounted):
                    sh("umount", "--lazy", str(mounted))
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        try:
            return self.up()
        except BaseException:
            self.report()
            self.down()
            raise

    def __exit__(self, kind, error, trace):
        if error is not None:
            self.report()
        self.down()

    def report(self):
        """What one wants to see after a failure."""
        print(f"---- posternd, tag {self.tag}\n{self.log()[-6000:]}")
        if self.mail:
            print(f"---- mail host\n{(self.mail.dir / 'mail.log').read_text(errors='replace')[-3000:]}")

    # daemon

    def write_conf(self, **changes):
        self.settings.update(changes)
        s = dict(self.settings, dir=self.dir)
        if s["backend"] is None:
            s["backend"] = f'"{MAIL4}:{BACKEND_PORT[s["client_address"]]}"'
        (self.dir / "postern.conf").write_text(CONF.format(**s))
        for name, text in self.lists.items():
            (self.dir / name).write_text(text)

    def posternd(self, *args):
        return self.network.command("gate", str(BUILD / "posternd"), "-c",
                                    str(self.dir / "postern.conf"), *args)

    def start(self, wait=True):
        self.logfile = open(self.dir / "posternd.log", "ab")
        self.daemon = subprocess.Popen(self.posternd(), stdin=subprocess.DEVNULL,
                                       stdout=self.logfile, stderr=self.logfile)
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=60):
        def ready():
            if self.daemon.poll() is not None:
                raise AssertionError(f"posternd ended with {self.daemon.returncode}\n" + self.log())
            done = self.cli("status", check=False)
            return done.returncode == 0
        wait_for("posternd answers", ready, seconds)

    def stop(self, sig=signal.SIGTERM, seconds=45):
        if self.daemon is None:
            return None
        if self.daemon.poll() is None:
            self.daemon.send_signal(sig)
        code = self.daemon.wait(timeout=seconds)
        self.daemon = None
        self.logfile.close()
        found = [line for line in self.log().splitlines() if any(w in line for w in SANITIZERS)]
        assert not found, "a sanitizer reports:\n" + "\n".join(found[:5])
        return code

    def pids(self, role):
        """Process ids of the running children of this role, from the daemon's own status."""
        done = self.cli("status", "--json", check=False)
        if done.returncode:
            return []  # nobody to ask
        status = json.loads(done.stdout)
        status = status[0] if isinstance(status, list) else status
        return [p["pid"] for p in status["processes"] if p["role"] == role and p["pid"]]

    def log(self):
        path = self.dir / "posternd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def events(self, event):
        return [line for line in self.log().splitlines() if f"event={event} " in line + " "]

    def wait_event(self, event, count=1, seconds=WAIT_S):
        wait_for(f"{count} x event={event}", lambda: len(self.events(event)) >= count, seconds)
        return self.events(event)

    # admin

    def cli(self, *args, check=True, **kw):
        return self.network.run("gate", str(BUILD / "postern"), "--socket",
                                str(self.dir / "run/control.sock"), *args, check=check, **kw)

    def rows(self, *args):
        """The answer of a command as JSON."""
        return json.loads(self.cli(*args, "--json").stdout)

    def bans(self):
        return self.rows("bans")

    def banned(self, prefix):
        return [row for row in self.bans() if row["addr"] == prefix]

    def dump(self, name):
        """bpftool's dump of a pinned map, with the field names that BTF gives."""
        done = self.network.run("gate", "bpftool", "-j", "map", "dump", "pinned",
                                str(self.dir / "bpf/postern" / name))
        return [row.get("formatted", row) for row in json.loads(done.stdout)]

    # clients

    def connect(self, source, port=25, timeout=WAIT_S, host=None):
        """A connected socket of the clients' host."""
        v6 = ":" in source
        with self.network.inside("clients"):
            return socket.create_connection((host or (GATE6 if v6 else GATE4), port),
                                            timeout=timeout, source_address=(source, 0))

    def smtp(self, source=netns.GOOD4, port=25, timeout=2 * WAIT_S):
        """An smtplib session that has its greeting."""
        with self.network.inside("clients"):
            client = smtplib.SMTP(timeout=timeout, source_address=(source, 0),
                                  local_hostname="client.example.com")
            code, text = client.connect(GATE6 if ":" in source else GATE4, port)
        if code != 220:
            client.close()
            raise smtplib.SMTPConnectError(code, text)
        return client

    def rcpt(self, source=netns.GOOD4, mail_from="a@example.com", helo="client.example.com"):
        """The reply to RCPT, where the checks decide; as (code, text)."""
        client = self.smtp(source)
        try:
            assert client.ehlo(helo)[0] == 250
            assert client.docmd("MAIL", f"FROM:<{mail_from}>")[0] == 250
            return client.docmd("RCPT", f"TO:<{USER}@{DOMAIN}>")
        finally:
            client.close()

    def reachable(self, source, port=25, timeout=WAIT_S):
        """Does a SYN of this address get an answer? Where none is expected, say how long to listen for it."""
        try:
            self.connect(source, port, timeout).close()
            return True
        except TimeoutError:
            return False

    def guess(self, source, times=5, port=25, user="anna", password=None):
        """Refused logins, each with another password unless one is given; the replies seen."""
        replies = []
        client = self.smtp(source, port)
        try:
            client.ehlo()
            for _ in range(times):
                secret = password or f"wrong-{time.monotonic_ns()}"
                token = base64.b64encode(f"\0{user}\0{secret}".encode()).decode()
                replies.append(client.docmd("AUTH", f"PLAIN {token}")[0])
        except (smtplib.SMTPServerDisconnected, OSError):
            pass
        finally:
            client.close()
        return replies
