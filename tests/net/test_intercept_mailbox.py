# SPDX-License-Identifier: GPL-2.0-only
"""Mailboxes of a Dovecot on the same host, left as its package sets it up: TLS on all its ports, no password in the clear.

postern has the mail host's certificate, and nothing else is told to anybody.
"""
import imaplib
import poplib
import re
import ssl
import subprocess

import pytest
from certs import Authority
from mailhost import write_dovecot_conf
from netns import GATE4, GOOD4, GOOD6, GUESSER4
from postern_lab import Lab, wait_for

NAME = "mail.example.org"
PORTS = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}

DOVECOT_CONF = """
protocols = imap pop3
ssl = yes
ssl_cert = <{certs}/mx.pem
ssl_key = <{certs}/mx.key
auth_mechanisms = plain login
"""

CONF = """
hostname = "gate.example.net"
interfaces = {{ "nic" }}
gates = 2
state-dir = "{dir}/state"
run-dir = "{dir}/run"
pin-dir = "{dir}/bpf/postern"
log-level = debug

certificate mx {{
	chain = "{certs}/mx.pem"
	key = "{certs}/mx.key"
}}

policy global {{
	lists = {{ "global.list" }}
}}
{services}
"""
SERVICE = """
service {type} {{
	type = {type}
	policy = global
	intercept = yes
	tls = {tls}
	certificates = {{ "mx" }}
}}
"""


class MailboxLab(Lab):
    def __init__(self, tag, authority):
        super().__init__(tag)
        self.certs = authority.dir
        self.context = ssl.create_default_context(cafile=str(authority.ca))
        self.dovecot = None

    def up(self, mail=True, daemon=True):
        super().up(mail=False, daemon=False)
        box = self.dir / "mail/anna/new"
        box.mkdir(parents=True)
        (box / "1.x").write_text("Subject: kept here\r\n\r\nx\r\n")
        subprocess.run(["chown", "-R", "nobody", str(self.dir / "mail")], check=True)
        (self.dir / "users").write_text("anna:{PLAIN}secret\n")
        conf = write_dovecot_conf(self.dir, self.tag, DOVECOT_CONF.format(certs=self.certs))
        self.dovecot = subprocess.Popen(
            self.network.command("gate", "dovecot", "-F", "-c", str(conf)),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("dovecot listens", lambda: self.reachable(GOOD4, 143))
        self.start()
        return self

    def down(self):
        if self.dovecot:
            self.dovecot.terminate()
            self.dovecot.wait(timeout=30)
        super().down()

    def write_conf(self, **changes):
        services = "".join(SERVICE.format(type=kind, tls="implicit" if kind.endswith("s") else "starttls")
                           for kind in PORTS)
        (self.dir / "postern.conf").write_text(
            CONF.format(dir=self.dir, certs=self.certs, services=services))
        for name, text in self.lists.items():
            (self.dir / name).write_text(text)

    def reachable(self, source, port=143, timeout=1.0):
        try:
            return super().reachable(source, port, timeout)
        except ConnectionRefusedError:
            return False

    def dovecot_log(self):
        path = self.dir / "dovecot.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("certs"))
    authority.make("mx", [NAME])
    with MailboxLab("icptbox", authority) as running:
        yield running


class Imap(imaplib.IMAP4):
    def __init__(self, lab, source, port):
        self.lab, self.source = lab, source
        super().__init__(NAME, port, timeout=30)

    def _create_socket(self, timeout):
        sock = self.lab.connect(self.source, self.port, timeout)
        return self.lab.context.wrap_socket(sock, server_hostname=NAME) if self.port == 993 else sock


def imap(lab, source, port):
    client = Imap(lab, source, port)
    assert b"Dovecot" not in client.welcome, "a gate greets, not the mail host"
    if port == 143:
        client.starttls(lab.context)
    return client


class Pop3(poplib.POP3):
    def __init__(self, lab, source, port):
        self.lab, self.source = lab, source
        super().__init__(NAME, port, timeout=30)

    def _create_socket(self, timeout):
        sock = self.lab.connect(self.source, self.port, timeout)
        return self.lab.context.wrap_socket(sock, server_hostname=NAME) if self.port == 995 else sock


def logins(lab, protocol, source):
    """Who Dovecot says has logged in, from where, and whether inside TLS."""
    return re.findall(rf"{protocol}-login: Info: Login: user=<anna>.*rip={re.escape(source)}.*\bTLS\b", lab.dovecot_log())


@pytest.mark.parametrize("source", [GOOD4, GOOD6])
@pytest.mark.parametrize("port", [143, 993])
def test_a_mailbox_is_read_by_imap(lab, port, source):
    before = len(logins(lab, "imap", source))
    client = imap(lab, source, port)
    client.login("anna", "secret")
    client.select("INBOX")
    assert b"kept here" in client.fetch("1", "(BODY[])")[1][0][1]
    client.logout()
    wait_for("Dovecot's line", lambda: len(logins(lab, "imap", source)) == before + 1)


@pytest.mark.parametrize("port", [110, 995])
def test_a_mailbox_is_read_by_pop3(lab, port):
    before = len(logins(lab, "pop3", GOOD4))
    client = Pop3(lab, GOOD4, port)
    if port == 110:
        client.stls(lab.context)
    client.user("anna")
    client.pass_("secret")
    assert b"Subject: kept here" in client.retr(1)[1]
    client.quit()
    wait_for("Dovecot's line", lambda: len(logins(lab, "pop3", GOOD4)) == before + 1)


def test_refused_logins_on_all_ports_are_counted_together(lab):
    for port in (143, 993, 143):
        client = imap(lab, GUESSER4, port)
        with pytest.raises(imaplib.IMAP4.error):
            client.login("anna", f"wrong {port}")
        client.shutdown()
    for port in (110, 995):
        client = Pop3(lab, GUESSER4, port)
        if port == 110:
            client.stls(lab.context)
        client.user("anna")
        with pytest.raises((poplib.error_proto, OSError)):
            client.pass_(f"wrong {port}")
        client.close()
    wait_for("the ban", lambda: lab.banned(GUESSER4))
    for port in PORTS.values():
        assert not lab.reachable(GUESSER4, port, timeout=0.3)
    assert lab.reachable(GOOD4)
    lab.cli("unban", "--all")


def test_the_host_itself_reaches_dovecot_as_before(lab):
    with lab.network.inside("gate"):
        client = imaplib.IMAP4(GATE4, 143, timeout=30)
    assert b"Dovecot" in client.welcome
    client.shutdown()
