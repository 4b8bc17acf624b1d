# SPDX-License-Identifier: GPL-2.0-only
"""make bench, ban: from the fifth refused login to the first packet that is dropped.

    clients (198.18.0.0/15) --> gate: postern --> Dovecot on the mail host
                            --> gate: router ---> the same Dovecot; fail2ban reads its log there, and bans with nftables

Each client guesses five times over IMAP. From sending the fifth password on it sends bare ACKs to the port, each from another port, which a
host answers by RST: the first one without an answer is the first dropped packet. It counts from when it was sent.

Dovecot writes its log at once, and holds each refusal back: for two seconds as shipped, here to its next look at them, half a second. So
fail2ban can know before postern, which sees the refusal when the client does. Shown are both: how long each takes from when it
can know (the refusal on the wire, the line in the log), and how long it is from the password.
"""
import contextlib
import select
import shutil
import socket
import statistics
import struct
import subprocess
import time

from contend import many_clients, ms
from imap_lab import imap_service
from netns import GATE4, MAIL4, sh
from postern_lab import Lab, wait_for

TURNS = 10
CLIENTS = {"postern": 15, "fail2ban": 6}  # in a turn
MAX_RETRY = 5
PROBE_S, ANSWER_S, MISSED = 0.0002, 0.02, 3  # how often; how long it waits; so many more without answer, and it is sure
BAN_S = 20  # who is not banned by then counts as banned then

FAIL2BAN = """
[Definition]
loglevel = INFO
logtarget = {dir}/fail2ban.log
socket = {dir}/fail2ban.sock
pidfile = {dir}/fail2ban.pid
dbfile = {dir}/fail2ban.sqlite3
"""
# The address of the gate: clients of postern are in the log under their own.
JAIL = """
[dovecot]
enabled = true
filter = dovecot
port = 143
logpath = {log}
maxretry = {retries}
banaction = nftables-multiport
ignoreip = 198.51.100.1
"""


@contextlib.contextmanager
def fail2ban(lab):
    """As the package brings it, but for its places and the jail."""
    directory = lab.dir / "fail2ban"
    shutil.copytree("/etc/fail2ban", directory / "etc")
    for file in (directory / "etc/jail.d").iterdir():
        file.unlink()
    (directory / "etc/fail2ban.d/bench.local").write_text(FAIL2BAN.format(dir=directory))
    (directory / "etc/jail.d/bench.local").write_text(JAIL.format(log=lab.mail.dir / "dovecot.log", retries=MAX_RETRY))
    command = lab.network.command("mail", "fail2ban-server", "-f", "-c", str(directory / "etc"), "start")
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = directory / "fail2ban.log"
    try:
        wait_for("fail2ban watches", lambda: log.exists() and "Jail 'dovecot' started" in log.read_text(), 30)
        yield log
    finally:
        server.terminate()
        server.wait(timeout=30)


def tcp_ack(source, target, port):
    """A bare ACK from this port to that of IMAP."""
    head = struct.pack("!HHIIBBHHH", port, 143, 1, 1, 5 << 4, 0x10, 1024, 0, 0)
    words = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!HH", socket.IPPROTO_TCP, len(head)) + head
    total = sum(struct.unpack(f"!{len(words) // 2}H", words))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return head[:16] + struct.pack("!H", ~total & 0xffff) + head[18:]


class Probe:
    """Sends ACKs from ports of its own and tells which of them gets no answer."""

    def __init__(self, lab, source, target):
        self.source, self.target, self.port = source, target, 1024
        with lab.network.inside("clients"):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.sock.bind((source, 0))
        self.sock.connect((target, 0))

    def answered(self):
        self.port = max(1024, (self.port + 1) % 65536)
        last = time.monotonic() + ANSWER_S
        with contextlib.suppress(ConnectionRefusedError):  # ICMP says so: fail2ban's rule rejects
            self.sock.send(tcp_ack(self.source, self.target, self.port))
            while (left := last - time.monotonic()) > 0:
                if select.select([self.sock], [], [], left)[0]:
                    packet = self.sock.recv(200)
                    if struct.unpack("!H", packet[22:24])[0] == self.port and packet[33] & 4:
                        return True
        return False

    def dropped(self):
        return not self.answered() and not any(self.answered() for _ in range(MISSED))


class Guesser:
    def __init__(self, lab, source, target):
        self.source = source
        self.probe = Probe(lab, source, target)
        if not self.probe.answered():
            raise RuntimeError("an ACK gets no answer even before")
        self.sock = lab.connect(source, 143, host=target)
        self.file = self.sock.makefile("rb")
        self.file.readline()

    def send(self, number):
        self.sock.sendall(b"%d LOGIN anna wrong-%d\r\n" % (number, number))

    def read(self, number):
        while not (line := self.file.readline()).startswith(b"%d NO" % number):
            if not line:
                raise EOFError(self.source)

    def last(self, log):
        """Sends the fifth. Seconds from then to the line in the log, to the reply (or the end), and to the first dropped packet."""
        with open(log, "rb") as lines:
            lines.seek(0, 2)
            begun = time.monotonic()
            self.send(MAX_RETRY)
            logged = replied = dropped = None
            while (now := time.monotonic() - begun) < BAN_S and None in (logged, replied, dropped):
                if logged is None and f",{self.source},".encode() in lines.read():
                    logged = now
                if replied is None and select.select([self.sock], [], [], 0)[0]:
                    replied = now
                if dropped is None and self.probe.dropped():
                    dropped = now
                time.sleep(PROBE_S)
        if logged is None or replied is None:
            raise RuntimeError(f"{self.source}: line after {logged}, reply after {replied}")
        return logged, replied, BAN_S if dropped is None else dropped

    def close(self):
        self.probe.sock.close()
        self.file.close()
        self.sock.close()


def turn(lab, number, name, target, network):
    """Rows of (reaction, whole time), ms, of some new clients: four guesses all together, the fifth one by one."""
    guessers = [Guesser(lab, f"{network}.{number}.{n + 1}", target) for n in range(CLIENTS[name])]
    for guess in range(1, MAX_RETRY):
        for guesser in guessers:
            guesser.send(guess)
        for guesser in guessers:
            guesser.read(guess)
    rows = []
    for guesser in guessers:
        logged, replied, dropped = guesser.last(lab.mail.dir / "dovecot.log")
        known = logged if name == "fail2ban" else replied
        rows.append(((dropped - known) * 1000, dropped * 1000))
        guesser.close()
    return rows


def quantile(values, part):
    return sorted(values)[int(len(values) * part)]


def bench_ban():
    if not shutil.which("fail2ban-server"):
        print("\nban: no fail2ban here")
        return
    lab = Lab("bench-b", log_level="info", processes=20, services=imap_service("xclient"))
    lab.lists["global.list"] = "0.0.0.0/0 PA AS LL\n"
    seen = {"postern": [], "fail2ban": []}
    with lab, fail2ban(lab) as log:
        many_clients(lab)
        lab.network.run("gate", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for number in range(TURNS):
            seen["postern"] += turn(lab, number, "postern", GATE4, "198.18")
            seen["fail2ban"] += turn(lab, number, "fail2ban", MAIL4, "198.19")
        backend = "inotify" if "pyinotify" in log.read_text() else "polling"
        store = sorted(int(line.split("latency_us=")[1].split()[0]) for line in lab.events("ban"))
    version = sh("fail2ban-server", "--version").stdout.split()[-1].lstrip("v")
    words = {"postern": "postern, from the refusal on the wire",
             "fail2ban": f"fail2ban {version} ({backend}, nftables), from the line in the log"}
    print("\n### From the fifth refused login to the first dropped packet, ms, the same Dovecot\n")
    print("| way | clients | p50 | p99 | worst | from sending the password: p50 | p99 |\n|---|---|---|---|---|---|---|")
    for name, rows in seen.items():
        reaction, whole = zip(*rows)
        print(f"| {words[name]} | {len(rows)} | {statistics.median(reaction):.2f} | {quantile(reaction, .99):.2f} "
              f"| {max(reaction):.2f} | {statistics.median(whole):.0f} | {quantile(whole, .99):.0f} |")
    ratio = statistics.median(row[0] for row in seen["fail2ban"]) / statistics.median(row[0] for row in seen["postern"])
    print(f"\nfail2ban's median is {ratio:.0f} times postern's. By postern's own log, from reading the refusal to the ban in the kernel, "
          f"stored: p50 {ms(statistics.median(store))} ms, p99 {ms(quantile(store, .99))} ms.")
