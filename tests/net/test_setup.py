# SPDX-License-Identifier: GPL-2.0-only
"""postern-setup: a mail host that runs, one command, and postern stands in front of it.

Postfix and Dovecot with TLS on the gate's own host; what postern-setup writes is what posternd is started with.
"""
import imaplib
import re
import shutil
import smtplib
import ssl
import subprocess

import pytest
from certs import Authority
from mailhost import DOMAIN, PASSWORD, USER, MailHost
from netns import GATE4, GOOD4
from postern_lab import BUILD, REPO, Lab

SETUP = REPO / "scripts/postern-setup"
NAME = f"mail.{DOMAIN}"
PRINTER4, ROUTER4 = "192.0.2.12", "192.0.2.10"
RCPT, ELSEWHERE = f"{USER}@{DOMAIN}", "bob@example.com"
MAIN_CF = {"smtpd_tls_security_level": "may", "smtpd_tls_auth_only": "yes",
           "mynetworks": f"127.0.0.0/8 [::1]/128 {PRINTER4}/32 10.0.0.0/8",
           "smtpd_recipient_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
           "virtual_alias_domains": "hash:{dir}/mailhost/aliases", "relay_domains": "relayed.example",
           "relay_transport": "discard"}
MASTER_CF = "587 inet n - n - - smtpd\n  -o smtpd_tls_security_level=encrypt\n"
DIRECTORIES = 'state-dir = "{dir}/state"\nrun-dir = "{dir}/run"\npin-dir = "{dir}/bpf/postern"\nlog-level = debug\n' \
    'dns = {{ "127.0.0.1" }}\n'  # nobody answers there, and that is soon known


class SetupLab(Lab):
    """What stands in postern.conf is what postern-setup found; only the directories are the test's own."""

    def __init__(self, tag, authority):
        super().__init__(tag)
        self.tls = authority.dir / "mx.pem", authority.dir / "mx.key"
        self.context = ssl.create_default_context(cafile=str(authority.ca))

    def up(self, mail=True, daemon=True):
        super().up(mail=False, daemon=False)
        self.network.run("gate", "ip", "route", "add", "default", "via", ROUTER4, "dev", "nic")
        self.mail = MailHost(self.network, self.dir / "mailhost", self.tag, host="gate", address=GATE4, tls=self.tls)
        self.mail.start()
        self.configure(MAIN_CF)
        for source in (REPO / "daemon/etc").glob("*"):
            shutil.copy(source, self.dir)
        self.setup("--write")
        conf = self.dir / "postern.conf"
        conf.write_text(DIRECTORIES.format(dir=self.dir) + conf.read_text())
        self.start()
        return self

    def configure(self, settings):
        etc = self.mail.dir / "etc"
        (self.mail.dir / "aliases").write_text("alias.example anything\ninfo@alias.example anna\n")
        self.network.run("gate", "postmap", "-c", str(etc), f"hash:{self.mail.dir}/aliases")
        with open(etc / "master.cf", "a") as master:
            master.write(MASTER_CF)
        self.mail.configure(**{name: value.format(dir=self.dir) for name, value in settings.items()})
        self.network.run("gate", "timeout", "10", "sh", "-c", "until ss -Hltn | grep -q ':587 '; do sleep 0.05; done")

    def write_conf(self, **changes):
        pass

    def setup(self, *args, check=True):
        return self.network.run("gate", str(SETUP), "--conf-dir", str(self.dir), "--posternd", str(BUILD / "posternd"),
                                "--postfix", str(self.mail.dir / "etc"),
                                "--dovecot", str(self.mail.dir / "dovecot.conf"), *args, check=check)

    def login(self, source, port=587):
        client = self.smtp(source, port)
        client._host = NAME
        client.starttls(context=self.context)
        client.login(USER, PASSWORD)
        return client


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("certs"))
    authority.make("mx", [NAME])
    with SetupLab("setup", authority) as running:
        yield running


# ---- the mail host behind it works as before


def test_mail_from_strangers_arrives_over_tls(lab):
    client = lab.smtp(GOOD4)
    client._host = NAME
    client.starttls(context=lab.context)
    client.sendmail("a@example.com", [RCPT], "Subject: x\r\n\r\nx\r\n")
    client.quit()
    lab.mail.wait_messages(1)
    assert re.search(rf"connect from unknown\[{re.escape(GOOD4)}\]", lab.mail.log())


@pytest.mark.parametrize("recipient,code", [(RCPT, 250), ("x@alias.example", 550), ("x@relayed.example", 250),
                                            ("x@below.relayed.example", 250), (ELSEWHERE, 550)])
def test_every_domain_of_the_mail_host_is_let_through(lab, recipient, code):
    """For that of the table, Postfix knows no such user."""
    client = lab.smtp(GOOD4)
    client.ehlo()
    client.mail("a@example.com")
    answer = client.rcpt(recipient)
    assert answer[0] == code, answer
    assert (b"relaying denied" in answer[1]) == (recipient == ELSEWHERE), answer
    client.close()


def test_who_may_relay_without_a_login_still_may(lab):
    client = lab.smtp(PRINTER4)
    client.ehlo()
    client.mail(f"printer@{DOMAIN}")
    assert client.rcpt(ELSEWHERE)[0] == 250
    client.close()


def test_users_log_in_on_every_port(lab):
    client = lab.login(GOOD4)
    client.mail(RCPT)
    assert client.rcpt(ELSEWHERE)[0] == 250
    client.close()
    with pytest.raises(smtplib.SMTPNotSupportedError):
        client = lab.smtp(GOOD4, 587)
        client.login(USER, PASSWORD)
    for port in (143, 993):
        client = imap(lab, GOOD4, port)
        client.login(USER, PASSWORD)
        assert client.select("INBOX")[0] == "OK"
        client.logout()


def imap(lab, source, port):
    class Client(imaplib.IMAP4):
        def _create_socket(self, timeout):
            sock = lab.connect(source, port, 10)
            return lab.context.wrap_socket(sock, server_hostname=NAME) if port == 993 else sock

    client = Client(NAME, port)
    if port == 143:
        client.starttls(lab.context)
    return client


def test_a_guesser_is_banned(lab):
    client = imap(lab, "192.0.2.66", 993)
    for n in range(4):
        with pytest.raises(imaplib.IMAP4.error):
            client.login(USER, f"wrong{n}")
    with pytest.raises((imaplib.IMAP4.error, OSError)):
        client.login(USER, "wrong")
    assert lab.banned("192.0.2.66")
    lab.cli("unban", "--all")


# ---- what it writes


def test_it_found_what_there_is(lab):
    text = lab.setup().stdout
    for line in ('interfaces = { "nic" }', f'hostname = "{NAME}"',
                 f'local-domains = {{ ".relayed.example", "alias.example", "{DOMAIN}", "relayed.example" }}',
                 f'chain = "{lab.tls[0]}"', f'key = "{lab.tls[1]}"', 'lists = { "global.list", "mynetworks.list" }'):
        assert line in text, text
    assert re.findall(r"^service (\w+)", text, re.MULTILINE) == ["smtp", "submission", "imap", "imaps", "pop3", "pop3s"]
    assert re.findall(r"^(\S+) +PA AA AS AR$", text, re.MULTILINE) == [f"{PRINTER4}/32", "10.0.0.0/8"]


def test_what_stood_there_before_is_kept(lab):
    assert (lab.dir / "postern.conf.~1~").read_text() == (REPO / "daemon/etc/postern.conf").read_text()
    assert "\n#in mynetworks.list: 10.0.0.0/8 " in (lab.dir / "global.list").read_text()


def test_a_certificate_that_cannot_be_read_changes_nothing(lab, tmp_path):
    broken = tmp_path / "dovecot.conf"
    broken.write_text((lab.mail.dir / "dovecot.conf").read_text().replace("mx.pem", "gone.pem"))
    before = {path.name: path.read_text() for path in lab.dir.glob("*.*") if path.is_file()}
    done = lab.setup("--dovecot", str(broken), "--write", check=False)
    assert done.returncode == 1 and "gone.pem" in done.stderr and "nothing is changed" in done.stderr
    after = {path.name: path.read_text() for path in lab.dir.glob("*.*") if path.is_file()}
    assert {k: v for k, v in before.items() if "log" not in k} == {k: v for k, v in after.items() if "log" not in k}


@pytest.mark.parametrize("settings,expected", [
    # A table that nobody can list: postern must not refuse mail for a domain that stands in it.
    ({"virtual_mailbox_domains": "mysql:/etc/postfix/domains.cf"}, '\n#local-domains = { '),
    ({"virtual_alias_domains": "inline:{ a.example=x }"}, '\n#local-domains = { '),
    ({"mynetworks": "cidr:/etc/postfix/networks"}, "names cidr:/etc/postfix/networks: give"),
    ({"mynetworks": "10.0.0.0/8, !10.1.0.0/16"}, "\n10.1.0.0/16             PA AS AR\t# excepted in mynetworks\n"),
    ({"smtpd_tls_security_level": "none"}, "type = smtp\n\tpolicy = global\n\tintercept = yes\n\ttls = none\n"),
    ({"smtpd_tls_auth_only": "no"}, 'certificates = { "mail" }\n\trequire-tls-for-auth = no'),
    ({"smtpd_sasl_auth_enable": "no", "smtpd_tls_auth_only": "no"},
     'tls = starttls\n\tcertificates = { "mail" }\n}\n\nservice submission')])
def test_what_it_makes_of_postfix(lab, tmp_path, settings, expected):
    etc = tmp_path / "etc"
    shutil.copytree(lab.mail.dir / "etc", etc)
    words = [f"{name}={value}" for name, value in settings.items()]
    subprocess.run(["postconf", "-c", str(etc), *words], check=True)
    assert expected in lab.setup("--postfix", str(etc)).stdout


def test_without_a_mail_host_it_says_so(lab):
    done = lab.network.run("clients", str(SETUP), "--interface", "to-gate", check=False)
    assert done.returncode == 1 and "nothing listens on a mail port" in done.stderr
