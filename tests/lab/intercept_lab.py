# SPDX-License-Identifier: GPL-2.0-only
"""Labs in which the mail host is left as it is: on the gate itself, behind it as behind a router, or behind it as behind a bridge.

The bridge; the rest as in netns.py, but what "nic" and "inner" are there belongs to a router here, and the gate stands between
router and mail host:

    clients            router                        gate                                 mail
    +---------+       +-------------------------+   +-------------------------------+    +---------------+
    | to-gate |--veth-| nic             to-mail |---| outer ---- br0 ---- inner     |----| to-gate       |
    |         |       | 192.0.2.1               |   |        198.51.100.9           |    | 198.51.100.2  |
    |         |       |           198.51.100.1  |   |        2001:db8:2::9          |    | 2001:db8:2::2 |
    +---------+       +-------------------------+   +-------------------------------+    +---------------+
"""
import contextlib
import imaplib
import json
import re
import smtplib
import socket
import struct
import subprocess
import threading

from mailhost import DOMAIN, PASSWORD, USER, MailHost
from netns import GATE4, GATE6, GOOD4, MAIL4, MAIL6, Network, sh
from postern_lab import Lab, wait_for

RCPT = f"{USER}@{DOMAIN}"
ROUTER4, ROUTER6 = "198.51.100.1", "2001:db8:2::1"
BRIDGE4, BRIDGE6 = "198.51.100.9", "2001:db8:2::9"

CONF = """
hostname = "gate.example.net"
interfaces = {{ "{interface}" }}
xdp = {xdp}
gates = 2
state-dir = "{dir}/state"
run-dir = "{dir}/run"
pin-dir = "{dir}/bpf/postern"
log-level = debug

policy global {{
	lists = {{ "global.list" }}
}}

service smtp {{
	type = smtp
	policy = global
	intercept = yes
	client-address = transparent
	fail-mode = {fail_mode}
}}

service imap {{
	type = imap
	policy = global
	intercept = yes
	fail-mode = {fail_mode}
}}
"""


class RoutedNetwork(Network):
    """A router between the clients and the gate, which stands between router and mail host."""

    def __init__(self, tag):
        super().__init__(tag)
        self.names = {host: f"{tag}-{host}" for host in ("clients", "router", "gate", "mail")}

    def up(self):
        # What netns.py draws, with the router in the gate's place.
        names = self.names
        self.names = {"clients": names["clients"], "gate": names["router"], "mail": names["mail"]}
        super().up()
        self.names = names
        self.forward("router")
        sh("ip", "-n", names["router"], "link", "del", "inner")
        sh("ip", "netns", "add", names["gate"])
        sh("ip", "-n", names["gate"], "link", "set", "lo", "up")
        self._link("router", "to-mail", "gate", "outer")
        self._link("mail", "to-gate", "gate", "inner")
        self._addresses("mail", "to-gate", [f"{MAIL4}/24"], [f"{MAIL6}/48"])

    def forward(self, host):
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            self.run(host, "sysctl", "-qw", f"{key}=1")

    def route(self, host, where, via4, via6):
        for family, to, via in (("-4", where[0], via4), ("-6", where[1], via6)):
            sh("ip", "-n", self.names[host], family, "route", "replace", to, "via", via)


class BridgeNetwork(RoutedNetwork):
    def up(self):
        super().up()
        gate = self.names["gate"]
        sh("ip", "-n", gate, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        for port in ("outer", "inner"):
            sh("ip", "-n", gate, "link", "set", port, "master", "br0")
        sh("ip", "-n", gate, "link", "set", "br0", "up")
        self._addresses("router", "to-mail", [f"{ROUTER4}/24"], [f"{ROUTER6}/48"])
        self._addresses("gate", "br0", [f"{BRIDGE4}/24"], [f"{BRIDGE6}/48"])
        for host in ("gate", "mail"):
            self.route(host, ("default", "default"), ROUTER4, ROUTER6)


class SecondRouterNetwork(RoutedNetwork):
    """The gate is a router, too, with the mail host's network behind it."""

    def up(self):
        super().up()
        self.forward("gate")
        self._addresses("gate", "inner", [f"{ROUTER4}/24"], [f"{ROUTER6}/48"])
        self._addresses("router", "to-mail", ["198.51.100.193/30"], ["2001:db8:3::1/64"])
        self._addresses("gate", "outer", ["198.51.100.194/30"], ["2001:db8:3::2/64"])
        self.route("router", ("198.51.100.0/24", "2001:db8:2::/48"), "198.51.100.194", "2001:db8:3::2")
        self.route("gate", ("default", "default"), "198.51.100.193", "2001:db8:3::1")
        self.route("mail", ("default", "default"), ROUTER4, ROUTER6)


class InterceptLab(Lab):
    """layout: "same host", "router", "bridge", "bridged host" (the mail host on the bridge itself) or "second router"."""

    NETWORKS = {"bridge": BridgeNetwork, "bridged host": BridgeNetwork, "second router": SecondRouterNetwork}
    MAIL_HOSTS = {"same host": ("gate", GATE4, GATE6), "bridged host": ("gate", BRIDGE4, BRIDGE6)}

    def __init__(self, tag, layout):
        super().__init__(tag, fail_mode="closed", interface="outer" if layout in self.NETWORKS else "nic")
        self.layout = layout
        self.network = self.NETWORKS.get(layout, Network)(self.tag)
        self.mail_host, *target = self.MAIL_HOSTS.get(layout, ("mail", MAIL4, MAIL6))
        self.target = dict(zip((4, 6), target))
        self.before = None  # host_state() before posternd has ever run

    def up(self, mail=True, daemon=True):
        super().up(mail=False, daemon=False)
        self.mail = MailHost(self.network, self.dir / "mailhost", self.tag, host=self.mail_host, address=self.target[4])
        self.mail.start()
        if self.layout == "router":
            for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
                self.network.run("gate", "sysctl", "-qw", f"{key}=1")
        self.prepare()
        self.before = self.host_state()
        if daemon:
            self.start()
        return self

    def prepare(self):
        """What a test wants to be so before posternd starts."""

    def write_conf(self, **changes):
        self.settings.update(changes)
        (self.dir / "postern.conf").write_text(CONF.format(**dict(self.settings, dir=self.dir)))
        for name, text in self.lists.items():
            (self.dir / name).write_text(text)

    def connect(self, source, port=25, timeout=30, host=None):
        return super().connect(source, port, timeout, host or self.target[6 if ":" in source else 4])

    def smtp(self, source=GOOD4, port=25, timeout=30):
        client = smtplib.SMTP(timeout=timeout, local_hostname="client.example.com")
        client.sock = self.connect(source, port, timeout)
        client.file = None
        code, text = client.getreply()
        if code != 220:
            client.close()
            raise smtplib.SMTPConnectError(code, text)
        return client

    def nft(self, *args, check=True):
        return self.network.run("gate", "nft", *args, check=check).stdout

    def banner(self, source=GOOD4, timeout=30, port=25):
        """The first line; None: refused or silent."""
        try:
            with self.connect(source, port, timeout=timeout) as sock:
                return sock.recv(200).decode()
        except (ConnectionError, TimeoutError):
            return None

    def deliver(self, source=GOOD4):
        before = len(self.mail.messages())
        client = self.smtp(source)
        client.ehlo()
        client.sendmail("a@example.com", [RCPT], "Subject: x\r\n\r\nx\r\n")
        client.quit()
        self.mail.wait_messages(before + 1)

    def refused(self, source=GOOD4, port=25):
        try:
            self.connect(source, port, timeout=5).close()
            return False
        except ConnectionRefusedError:
            return True

    def begin(self, source=GOOD4):
        """A session up to the reply to MAIL; finish() it."""
        client = self.smtp(source)
        client.ehlo()
        assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 250
        return client

    def imap(self, source=GOOD4):
        """A session with the INBOX selected."""
        def connect(timeout):
            return self.connect(source, 143, timeout)

        class Imap(imaplib.IMAP4):
            def _create_socket(self, timeout):
                return connect(timeout)

        client = Imap("mail.example.org", 143, timeout=30)
        assert b"Dovecot" not in client.welcome, "a gate greets"
        client.login(USER, PASSWORD)
        assert client.select("INBOX")[0] == "OK"
        return client

    def mail_goes_out(self, address, recipient):
        """The mail host sends a message of its own to port 25 of the clients' host; whom did that host see?"""
        dumps = self.dir / "world"
        dumps.mkdir(exist_ok=True)
        sink = f"[{address}]:25" if ":" in address else f"{address}:25"
        command = ["smtp-sink", "-u", "root", "-d", f"{dumps}/%s.", sink, "10"]
        world = subprocess.Popen(self.network.command("clients", *command))

        def listens():
            try:
                self.connect(address, host=address).close()
                return True
            except ConnectionRefusedError:
                return False

        try:
            wait_for("the world listens", listens)
            with self.network.inside(self.mail.host), smtplib.SMTP("127.0.0.1", 25, timeout=30) as client:
                client.login(USER, PASSWORD)
                client.sendmail("anna@example.org", [recipient], "Subject: outgoing\r\n\r\nx\r\n")
            dump = wait_for("the message", lambda: [p for p in dumps.iterdir() if "outgoing" in p.read_text()])
            text = dump[0].read_text()
            dump[0].unlink()
            return re.search(r"X-Client-Addr: (?:ipv6:)?(\S+)$", text, re.MULTILINE)[1]
        finally:
            world.terminate()
            world.wait(timeout=30)

    def kill_gates(self):
        """Once; has the keeper given up on them for now?"""
        for pid in self.pids("gate"):
            assert pid > 1
            sh("kill", "-9", str(pid), check=False)
        events = self.events("intercept")
        return bool(events) and "no gate works" in events[-1]

    def kill_keeper(self):
        self.daemon.kill()
        self.daemon.wait()
        self.daemon = None

    def detach(self):
        self.network.run("gate", *self.posternd("--detach")[4:])

    def host_state(self):
        """All that postern might have changed on the gate's host."""
        def shown(*command):
            return self.network.run("gate", *command, check=False).stdout

        sysctls = [line for line in shown("sysctl", "-a").splitlines()
                   if line.startswith("net.") and any(word in line for word in (
                       "rp_filter", "accept_local", "route_localnet", "forward", "src_valid_mark", "bridge-nf", "disable_ipv6"))]
        links = [(link["ifname"], link.get("master"), link.get("xdp"), link["flags"])
                 for link in json.loads(shown("ip", "-j", "link", "show"))]
        return {
            "nft": shown("nft", "list", "ruleset"),
            "rules": shown("ip", "rule", "show") + shown("ip", "-6", "rule", "show"),
            "routes": shown("ip", "route", "show", "table", "all") + shown("ip", "-6", "route", "show", "table", "all"),
            "qdiscs": shown("tc", "qdisc", "show"),
            "sysctls": sysctls,
            "links": links,
        }


def finish(client):
    """The rest of a session that began with begin()."""
    assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    assert client.data("Subject: x\r\n\r\nx")[0] == 250
    client.quit()


def is_mail_host(banner):
    return bool(banner) and ("backend" in banner or "Dovecot" in banner)


def is_gate(banner):
    return bool(banner) and not is_mail_host(banner)


@contextlib.contextmanager
def tcp_server(network, host, port, banner=b"echo\r\n", address="::"):
    """A listener that greets, says back one line, and hangs up; yields the list of its peers."""
    peers = []
    with network.inside(host):
        listener = socket.create_server((address, port), family=socket.AF_INET6, dualstack_ipv6=True)

    def serve():
        while True:
            try:
                sock, peer = listener.accept()
            except OSError:
                return
            peers.append(peer[0].removeprefix("::ffff:"))
            with sock:
                sock.settimeout(30)
                try:
                    sock.sendall(banner)
                    sock.sendall(sock.recv(1000))
                except OSError:
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield peers
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)


def ping(network, host, source, target, seconds=30):
    """An echo request and its reply; TimeoutError: there was none."""
    v6 = ":" in target
    request, reply = (128, 129) if v6 else (8, 0)
    with network.inside(host):
        sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW,
                             socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP)
    with sock:
        sock.bind((source, 0))
        sock.settimeout(seconds)
        packet = struct.pack("!BBHHH", request, 0, 0, 0x7065, 1)
        if not v6:  # of ICMPv6 the kernel does it
            words = sum(struct.unpack("!4H", packet))
            packet = packet[:2] + struct.pack("!H", ~((words >> 16) + words) & 0xffff) + packet[4:]
        sock.sendto(packet, (target, 0))
        while True:
            answer = sock.recv(2000)
            answer = answer if v6 else answer[(answer[0] & 15) * 4:]
            if answer[0] == reply and answer[4:8] == packet[4:8]:
                return
