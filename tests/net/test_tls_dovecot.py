# SPDX-License-Identifier: GPL-2.0-only
"""Dovecot hears from the PROXY header that a client is inside TLS, although its connection with postern is plain."""
import imaplib

import pytest
from certs import MX_NAME as NAME, certificate, trusting
from mailhost import PASSWORD, USER
from netns import GATE4, GOOD4
from postern_lab import Lab, wait_for

SERVICES = """
service imaps {
	type = imaps policy = global listen = { "0.0.0.0:993" } certificates = { "mx" }
	backend = { "198.51.100.2:1143" } client-address = proxy
}
service imap-clear {
	type = imap policy = global listen = { "0.0.0.0:2143" } tls = none
	backend = { "198.51.100.2:1143" } client-address = proxy
}
"""


@pytest.fixture(scope="module")
def lab(authority):
    with Lab("tlsdove", top=certificate(authority, "mx"), services=SERVICES, gates=1) as running:
        yield running


def login(lab, port, context=None):
    """The line that Dovecot writes about a login."""
    before = lab.mail.log("dovecot.log").count("Login: user=")
    with lab.network.inside("clients"):
        client = imaplib.IMAP4_SSL.__new__(imaplib.IMAP4_SSL) if context else imaplib.IMAP4.__new__(imaplib.IMAP4)
        client.open = lambda *_, **__: None
        sock = lab.connect(GOOD4, port)
        client.sock = context.wrap_socket(sock, server_hostname=NAME) if context else sock
        client.file = client.sock.makefile("rb")
        imaplib.IMAP4.__init__(client, GATE4, port)
    client.login(USER, PASSWORD)
    client.logout()
    lines = wait_for("Dovecot has logged it", lambda: [
        line for line in lab.mail.log("dovecot.log").splitlines() if "Login: user=" in line][before:])
    return lines[-1]


def test_a_client_inside_tls_is_one_for_dovecot(lab, authority):
    line = login(lab, 993, trusting(authority))
    assert f"rip={GOOD4}" in line
    assert ", TLS" in line or ", secured" in line


def test_a_client_in_the_clear_is_none(lab):
    line = login(lab, 2143)
    assert f"rip={GOOD4}" in line
    assert ", TLS" not in line and ", secured" not in line
