# SPDX-License-Identifier: GPL-2.0-only
"""IMAP inside TLS: STARTTLS and implicit, and what may be said before it."""
import imaplib
import ssl

import pytest
from certs import MX_NAME as NAME
from imap_lab import Imap, Raw, closed, field, imap_service
from mailhost import PASSWORD, USER
from netns import GOOD4
from postern_lab import Lab

IMAPS = """
service imaps {{
	type = imaps
	policy = global
	listen = {{ "0.0.0.0:993" }}
	backend = {{ "198.51.100.2:1143" }}
	client-address = proxy
	certificates = {{ "mx" }}
}}
"""


@pytest.fixture(scope="module")
def lab(authority):
    with Lab("imaptls", gates=1, policy="strikes = observe",
             top=f'certificate mx {{ chain = "{authority.dir}/mx.pem" key = "{authority.dir}/mx.key" }}\n',
             services=imap_service(more='tls = starttls\n\tcertificates = { "mx" }') + IMAPS.format()) as running:
        yield running


class Imaps(imaplib.IMAP4):
    def __init__(self, lab, context):
        self.lab, self.context = lab, context
        super().__init__(NAME, 993, timeout=30)

    def _create_socket(self, timeout):
        return self.context.wrap_socket(self.lab.connect(GOOD4, 993, timeout), server_hostname=NAME)


@pytest.fixture
def context(authority):
    return ssl.create_default_context(cafile=str(authority.ca))


def test_before_tls_nobody_logs_in(lab):
    with Raw(lab) as client:
        assert " STARTTLS LOGINDISABLED" in client.greeting and "AUTH=" not in client.greeting
        client.send("a CAPABILITY\r\n")
        words = client.until("a")[0].split()
        assert "LOGINDISABLED" in words and not [w for w in words if w.startswith("AUTH=")]
        for command in (f'b LOGIN {USER} "{PASSWORD}"', "b AUTHENTICATE PLAIN", "b AUTHENTICATE PLAIN AHgAeA==",
                        "b LOGIN {4}"):
            assert client.ask(command).startswith("NO [PRIVACYREQUIRED]")
    line = closed(lab, client.port)
    assert field(line, "strikes") == "0" and "auth" not in line


def test_starttls_and_a_mailbox(lab, context):
    with Imap(lab) as client:
        client.host = NAME
        assert client.starttls(ssl_context=context)[0] == "OK"
        assert "STARTTLS" not in client.capabilities and "LOGINDISABLED" not in client.capabilities
        client.login(USER, PASSWORD)
        assert client.append("INBOX", None, None, b"Subject: inside\r\n\r\nTLS\r\n" * 20000)[0] == "OK"
        client.select("INBOX")
        assert client.fetch("1", "(BODY.PEEK[])")[1][0][1] == b"Subject: inside\r\n\r\nTLS\r\n" * 20000
        port = client.local_port
    assert " tls=TLSv1.3 cipher=TLS_" in closed(lab, port)


def test_implicit_tls(lab, context):
    with Imaps(lab, context) as client:
        assert "STARTTLS" not in client.capabilities and "AUTH=PLAIN" in client.capabilities
        client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
        assert client.noop()[0] == "OK"
    with Imaps(lab, context) as client, pytest.raises(imaplib.IMAP4.error):
        client.login(USER, "wrong")


def test_starttls_is_refused_inside_tls_and_where_there_is_none(lab, context):
    with Imap(lab) as client:
        client.host = NAME
        client.starttls(ssl_context=context)
        client.send(b"x STARTTLS\r\n")
        assert client.readline().startswith(b"x BAD ")


def test_what_is_sent_behind_starttls_is_not_taken(lab):
    with Raw(lab) as client:
        client.send(f'a STARTTLS\r\nb LOGIN {USER} "{PASSWORD}"\r\n')
        assert client.line() == ""
    assert field(closed(lab, client.port), "reason") == "starttls-injection"
    assert lab.events("starttls-injection")


def test_what_was_said_before_tls_counts_for_nothing(lab, context):
    with Imap(lab) as client:
        client.host = NAME
        client.send(b'x ID ("name" "Somebody-Between")\r\n')
        while not client.readline().startswith(b"x OK"):
            pass
        client.starttls(ssl_context=context)
        client.login(USER, PASSWORD)
    assert "Somebody-Between" not in lab.mail.log("dovecot.log")
