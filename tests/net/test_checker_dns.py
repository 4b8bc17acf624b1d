# SPDX-License-Identifier: GPL-2.0-only
"""The PTR check against a real NSD: valid and invalid names, no name, and a name server that is dead.

NSD runs on the mail host and is authoritative for the reverse zones of the clients.
"""
import signal
import socket
import subprocess
import time

import pytest
from mailhost import DOMAIN, USER
from netns import GOOD4, GOOD6, MAIL4, sh
from postern_lab import Lab, wait_for

RCPT = f"{USER}@{DOMAIN}"
NAMED4, SINGLE_LABEL4, NAMELESS4, DELEGATED4, BROKEN4 = (f"192.0.2.{n}" for n in (10, 66, 67, 68, 69))
UNFLAGGED4 = "192.0.2.12"
CHECK_TIMEOUT_S = 3

GLOBAL_LIST = f"""\
0.0.0.0/0      PA AS LL PTR
::/0           PA AS LL PTR
{UNFLAGGED4}   PA AS LL
"""

NSD_CONF = """
server:
	server-count: 1
	ip-address: {address}
	port: 53
	username: ""
	chroot: ""
	zonesdir: "{dir}"
	pidfile: "{dir}/nsd.pid"
	zonelistfile: "{dir}/zone.list"
	xfrdfile: ""
	xfrdir: "{dir}"
	database: ""
	logfile: "{dir}/nsd.log"
	rrl-ratelimit: 0
remote-control:
	control-enable: no
zone:
	name: 2.0.192.in-addr.arpa
	zonefile: v4.zone
zone:
	name: 8.b.d.0.1.0.0.2.ip6.arpa
	zonefile: v6.zone
"""

HEAD = """\
$TTL {ttl}
@ SOA ns.example.net. root.example.net. 1 3600 600 86400 {ttl}
@ NS ns.example.net.
"""

V4_ZONE = HEAD + """\
10 PTR client.example.com.
66 PTR localhost.
68 CNAME 68.64/26
68.64/26 PTR behind-a-cname.example.com.
12 PTR localhost.
"""

V6_ZONE = HEAD + "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0 PTR client6.example.com.\n"


class Nsd:
    def __init__(self, lab, ttl=1):
        self.lab = lab
        self.dir = lab.dir / "nsd"
        self.dir.mkdir()
        (self.dir / "v4.zone").write_text(V4_ZONE.format(ttl=ttl))
        (self.dir / "v6.zone").write_text(V6_ZONE.format(ttl=ttl))
        (self.dir / "nsd.conf").write_text(NSD_CONF.format(address=MAIL4, dir=self.dir))
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            self.lab.network.command("mail", "nsd", "-d", "-c", str(self.dir / "nsd.conf")),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("NSD listens", lambda: f"{MAIL4}:53" in self.lab.network.run("mail", "ss", "-Hlnu").stdout)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=10)
            self.process = None


@pytest.fixture(scope="module")
def running():
    lab = Lab("dns", ptr="enforce", dns=f'"{MAIL4}"', policy="strikes = off",
              limits=f"check-timeout = {CHECK_TIMEOUT_S}s")
    lab.lists["global.list"] = GLOBAL_LIST
    with lab:
        nsd = Nsd(lab)
        try:
            nsd.start()
            yield lab, nsd
        finally:
            nsd.stop()


def rcpt(lab, source):
    """The reply to RCPT, where the check decides."""
    client = lab.smtp(source)
    try:
        assert client.ehlo()[0] == 250
        assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 250
        return client.docmd("RCPT", f"TO:<{RCPT}>")
    finally:
        client.close()


@pytest.mark.parametrize("source", [NAMED4, GOOD6, DELEGATED4])
def test_a_client_with_a_name_may_deliver(running, source):
    lab, _ = running
    assert rcpt(lab, source)[0] == 250


@pytest.mark.parametrize("source,evidence", [
    (NAMELESS4, "no PTR record"), (SINGLE_LABEL4, "localhost")])
def test_a_client_without_a_valid_name_is_refused_and_told_why(running, source, evidence):
    lab, _ = running
    code, text = rcpt(lab, source)
    assert code == 550 and b"5.7.25" in text
    wait_for("a summary with the evidence",
             lambda: any(f"addr={source}" in line and evidence in line for line in lab.events("close")))


def test_a_client_without_the_flag_is_not_asked_about(running):
    lab, _ = running
    assert rcpt(lab, UNFLAGGED4)[0] == 250


def test_a_name_server_that_fails_is_unknown_and_mail_flows(running):
    lab, nsd = running
    nsd.stop()
    try:  # nobody listens: the resolver's host says so at once
        assert rcpt(lab, BROKEN4)[0] == 250
    finally:
        nsd.start()
    # UNKNOWN is not kept: with the name server back the address has its answer.
    assert rcpt(lab, BROKEN4)[0] == 550


def test_a_silent_name_server_costs_the_deadline_and_then_nothing(running):
    lab, nsd = running
    nsd.stop()
    drop = ("nft", "add table inet hole; add chain inet hole in { type filter hook input priority 0; }; "
            "add rule inet hole in udp dport 53 drop; add rule inet hole in tcp dport 53 drop")
    lab.network.run("mail", *drop)
    try:
        began = time.monotonic()
        assert rcpt(lab, "192.0.2.70")[0] == 250
        waited = time.monotonic() - began
        assert CHECK_TIMEOUT_S - 1 < waited < CHECK_TIMEOUT_S + 2
        # A client that has said all it has to say, and closed its side, is answered in the end.
        with lab.connect("192.0.2.71", timeout=20) as sock:
            sock.sendall(f"EHLO c.example.com\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<{RCPT}>\r\n".encode())
            sock.shutdown(socket.SHUT_WR)
            replies = sock.makefile("rb").read().splitlines()
        assert replies[-1].startswith(b"250 2.1.5"), replies
        # After a run of timeouts nobody waits any more.
        for _ in range(5):
            clients = [lab.smtp(f"192.0.2.{n}") for n in (70, 71, 72, 73)]
            for client in clients:
                assert client.ehlo()[0] == 250
                assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 250
                assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
                client.close()
            if lab.events("dns-silent"):
                break
        assert lab.events("dns-silent")
        began = time.monotonic()
        assert rcpt(lab, "192.0.2.71")[0] == 250
        assert time.monotonic() - began < 1
    finally:
        lab.network.run("mail", "nft", "delete table inet hole")
        nsd.start()


def test_the_checker_may_die_and_mail_flows(running):
    lab, _ = running
    before = lab.pids("checker")
    assert len(before) == 1
    sh("kill", "-9", str(before[0]))
    assert rcpt(lab, NAMED4)[0] == 250
    wait_for("a new checker", lambda: lab.pids("checker") not in ([], before))
    wait_for("the new checker refuses", lambda: rcpt(lab, NAMELESS4)[0] == 550)
    assert rcpt(lab, GOOD4)[0] == 250
