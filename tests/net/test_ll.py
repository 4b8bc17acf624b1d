# SPDX-License-Identifier: GPL-2.0-only
"""Strikes of one address count together, whatever way they come: POP3, IMAP and SMTP, plain and inside TLS, over several
listeners and gates, and as an IPv4-mapped address; and the ban holds where a strike was made and LL is set."""
import base64
import contextlib
import imaplib
import json
import poplib
import smtplib
import socket
import ssl
import struct

import pytest
from certs import MX_NAME as NAME, certificate
from mailhost import IMAP_PROXY, POP3_PROXY, USER
from netns import GATE4, GOOD4, GUESSER4, GUESSER6, MAIL4
from postern_lab import GLOBAL_LIST, Lab, wait_for

PROXY4 = "192.0.2.70"
UNCOUNTED4 = "192.0.2.71"  # no LL in the policy of the mailboxes

TOP = """
trusted-proxies = {{ "{proxy}" }}
{certificate}
policy mailboxes {{
	lists = {{ "mailboxes.list" }}
}}
policy watched {{
	lists = {{ "mailboxes.list" }}
	strikes = observe
}}
"""
SERVICES = f"""
service pop3 {{
	type = pop3 policy = mailboxes listen = {{ "0.0.0.0:110", "[::]:110" }} backend = {{ "{MAIL4}:{POP3_PROXY}" }}
	client-address = proxy
}}
service imap {{
	type = imap policy = mailboxes listen = {{ "0.0.0.0:143", "[::]:143" }} backend = {{ "{MAIL4}:{IMAP_PROXY}" }}
	client-address = proxy
}}
service imaps {{
	type = imaps policy = mailboxes listen = {{ "0.0.0.0:993", "[::]:993" }} backend = {{ "{MAIL4}:{IMAP_PROXY}" }}
	client-address = proxy certificates = {{ "mx" }}
}}
service other {{
	type = pop3 policy = watched listen = {{ "0.0.0.0:1110" }} backend = {{ "{MAIL4}:{POP3_PROXY}" }}
	client-address = proxy
}}
"""


@pytest.fixture(scope="module")
def lab(authority):
    new = Lab("ll", gates=4, top=TOP.format(proxy=PROXY4, certificate=certificate(authority, "mx")),
              service="accept-proxy = yes", services=SERVICES)
    new.lists["mailboxes.list"] = GLOBAL_LIST + f"{UNCOUNTED4}  PA AS HE\n"
    with new as running:
        yield running


@pytest.fixture(autouse=True)
def no_ban_is_left(lab):
    yield
    lab.cli("unban", "--all", check=False)
    for source in (GUESSER4, GUESSER6, UNCOUNTED4, GOOD4):
        lab.cli("unban", source, check=False)


class Ways:
    """One refused login each."""

    def __init__(self, lab, authority):
        self.lab, self.context = lab, ssl.create_default_context(cafile=str(authority.ca))
        self.count = 0

    def secret(self):
        self.count += 1
        return f"wrong-{self.count}"

    def pop3(self, source, port=110):
        sock = self.lab.connect(source, port)
        client = poplib.POP3.__new__(poplib.POP3)
        client._create_socket = lambda _: sock
        client.__init__(GATE4, port)
        with contextlib.suppress(poplib.error_proto, OSError):
            client.user(USER)
            client.pass_(self.secret())
        client.close()

    def imap(self, source, port=143):
        sock = self.lab.connect(source, port)
        if port == 993:
            sock = self.context.wrap_socket(sock, server_hostname=NAME)
        client = imaplib.IMAP4.__new__(imaplib.IMAP4)
        client._create_socket = lambda *_: sock
        client.__init__(GATE4, port)
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            client.login(USER, self.secret())
        client.shutdown()

    def imaps(self, source):
        self.imap(source, 993)

    def smtp(self, source, port=25, header=b""):
        sock = self.lab.connect(source, port)
        sock.sendall(header)
        client = smtplib.SMTP(local_hostname="client.example.com")
        client.sock, client.file = sock, None
        client.getreply()
        client.ehlo()
        token = base64.b64encode(f"\0{USER}\0{self.secret()}".encode()).decode()
        with contextlib.suppress(smtplib.SMTPServerDisconnected, OSError):
            client.docmd("AUTH", f"PLAIN {token}")
        client.close()


@pytest.fixture
def ways(lab, authority):
    return Ways(lab, authority)


def why(lab, source):
    """Its exit status is 1 if the address is banned anywhere."""
    return json.loads(lab.cli("why", source, "--json", check=False).stdout)


def policies_of(lab, prefix):
    return sorted(row["policy"] for row in lab.banned(prefix))


def strikes(lab, source, count):
    wait_for(f"{count} strikes", lambda: len(why(lab, source)["strikes"]) == count)
    return why(lab, source)["strikes"]


@pytest.mark.parametrize("source, prefix", [(GUESSER4, GUESSER4), (GUESSER6, "2001:db8:1:66::/64")])
def test_two_of_pop3_two_of_imap_and_one_of_smtp_ban(lab, ways, source, prefix):
    ways.pop3(source)
    ways.imaps(source)
    ways.pop3(source)
    ways.imap(source)
    assert [s["service"] for s in strikes(lab, source, 4)] == ["pop3", "imaps", "pop3", "imap"]
    assert not lab.banned(prefix)
    ways.smtp(source, 587)
    wait_for("the fifth bans", lambda: lab.banned(prefix))
    # In each policy where one was made; webadmin has none, watched neither.
    wait_for("in both", lambda: policies_of(lab, prefix) == ["global", "mailboxes"])
    for port in (25, 110, 143, 587, 993):
        assert not lab.reachable(source, port, 0.5), port
    evidence = why(lab, source)["bans"][0]["evidence"]
    assert {s["service"] for s in evidence} == {"pop3", "imap", "imaps", "submission"}


def test_where_ll_is_not_set_nothing_is_counted_and_nothing_is_banned(lab, ways):
    """Its entry in the policy of the mailboxes has no LL, that of global has."""
    for _ in range(6):
        ways.pop3(UNCOUNTED4)
    assert not why(lab, UNCOUNTED4)["strikes"]
    for _ in range(5):
        ways.smtp(UNCOUNTED4)
    wait_for("the ban", lambda: lab.banned(UNCOUNTED4))
    assert policies_of(lab, UNCOUNTED4) == ["global"]
    assert lab.reachable(UNCOUNTED4, 110) and not lab.reachable(UNCOUNTED4, 25, 0.5)


def test_a_policy_that_only_watches_bans_nobody_itself(lab, ways):
    ways.pop3(GUESSER4, 1110)
    for _ in range(3):
        ways.imap(GUESSER4)
    strikes(lab, GUESSER4, 4)
    ways.smtp(GUESSER4)
    wait_for("the ban", lambda: lab.banned(GUESSER4))
    wait_for("in both that enforce", lambda: policies_of(lab, GUESSER4) == ["global", "mailboxes"])
    assert any(" policy=watched " in line for line in lab.wait_event("would-ban"))


def v2(addr, port):
    """A PROXY header with an IPv4-mapped address."""
    body = (socket.inet_pton(socket.AF_INET6, addr) + socket.inet_pton(socket.AF_INET6, f"::ffff:{GATE4}")
            + struct.pack("!HH", port, 25))
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x21" + struct.pack("!H", len(body)) + body


def test_a_mapped_address_is_the_same_one_whichever_gate_sees_it(lab, ways):
    ways.imap(GUESSER4)
    gates = set()
    for port in range(5000, 5003):
        ways.smtp(PROXY4, header=v2(f"::ffff:{GUESSER4}", port))
        line = wait_for("its end", lambda: [e for e in lab.events("close") if f" port={port} " in e])[-1]
        assert f" addr={GUESSER4} " in line
        gates.add(line.rsplit("proc=", 1)[1])
    strikes(lab, GUESSER4, 4)
    ways.smtp(GUESSER4)
    wait_for("the fifth bans", lambda: lab.banned(GUESSER4))
    assert not lab.banned(PROXY4)


def test_somebody_elses_strikes_are_his(lab, ways):
    for _ in range(4):
        ways.pop3(GUESSER4)
    ways.imap(GOOD4)
    strikes(lab, GOOD4, 1)
    assert not lab.banned(GUESSER4) and not lab.banned(GOOD4)
