# SPDX-License-Identifier: GPL-2.0-only
"""postern-setup: a mail host that runs, one command, and postern stands in front of it.

Postfix and Dovecot with TLS on the gate's own host; what postern-setup writes is what posternd is started with.
"""
import imaplib
import re
import shutil
import smtplib
import subprocess

import pytest
from certs import Authority
from mailhost import DOMAIN, PASSWORD, USER
from netns import GOOD4
from postern_lab import REPO, wait_for
from setup_lab import NAME, PRINTER4, SETUP, SetupLab

RCPT, ELSEWHERE = f"{USER}@{DOMAIN}", "bob@example.com"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("certs"))
    authority.make("mx", [NAME])
    with SetupLab("setup", authority) as running:
        yield running


# ---- the mail host behind it works as before


def test_mail_from_strangers_arrives_over_tls(lab):
    client = lab.secured(GOOD4)
    client.sendmail("a@example.com", [RCPT], "Subject: x\r\n\r\nx\r\n")
    client.quit()
    lab.mail.wait_messages(1)
    wait_for("Postfix's line", lambda: f"connect from unknown[{GOOD4}]" in lab.mail.log())


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
    client = lab.secured(GOOD4, 587)
    client.login(USER, PASSWORD)
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
    ({"mynetworks": "10.0.0.0/8 hash:/etc/postfix/networks"}, "names hash:/etc/postfix/networks: give"),
    ({"mynetworks": "/etc/postfix/networks"}, "names /etc/postfix/networks: give"),
    ({"mynetworks": "[::1]/128 [fd00:1::]/64"}, "\nfd00:1::/64             PA AA AS AR\n"),
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
