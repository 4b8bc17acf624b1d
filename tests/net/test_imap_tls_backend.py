# SPDX-License-Identifier: GPL-2.0-only
"""TLS between the gate and a real Dovecot: STARTTLS and implicit, verified, and with the client's address."""
import pytest
from certs import Authority
from imap_lab import Raw, closed, field
from mailhost import PASSWORD, USER
from netns import GOOD4
from postern_lab import Lab, wait_for

NAME = "backend.example.org"
SERVICE = """
service s{port} {{
	type = imap policy = global listen = {{ "0.0.0.0:{port}" }} {settings}
	backend-verify-name = "{name}" backend-ca = "{ca}"
}}
"""
# Port: settings of the service there.
SERVICES = {
    2701: 'backend = { "198.51.100.2:143" } backend-tls = starttls',
    2702: 'backend = { "198.51.100.2:993" } backend-tls = implicit',
    2703: 'backend = { "198.51.100.2:143" } backend-tls = starttls client-address = xclient',
    2704: 'backend = { "198.51.100.2:1143" } backend-tls = starttls client-address = proxy',
    2705: 'backend = { "198.51.100.2:993" } backend-tls = implicit client-address = xclient',
    2706: 'backend = { "198.51.100.2:143" } backend-tls = starttls',
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("certs"))
    chain_and_key = authority.make("backend", [NAME])
    services = "".join(
        SERVICE.format(port=port, settings=settings, ca=authority.ca, name="other.example.org" if port == 2706 else NAME)
        for port, settings in SERVICES.items())
    with Lab("imapback", gates=1, services=services, mail_tls=chain_and_key) as running:
        yield running


@pytest.mark.parametrize("port", [2701, 2702, 2703, 2704, 2705])
def test_a_login_goes_to_dovecot_inside_tls(lab, port):
    def logins():
        return [line for line in lab.mail.log("dovecot.log").splitlines() if "Login: user=<anna>" in line]
    before = len(logins())
    with Raw(lab, port=port) as client:
        assert "STARTTLS" not in client.greeting
        client.send("a CAPABILITY\r\n")
        assert "AUTH=PLAIN" in client.until("a")[0]
        assert client.ask(f'b LOGIN {USER} "{PASSWORD}"').startswith("OK ")
        assert client.ask("c SELECT INBOX").startswith("OK ")
    number = field(closed(lab, client.port), "id")
    line = wait_for("Dovecot logs the login", lambda: logins()[before:])[0]
    assert ", TLS, " in line
    if port in (2703, 2704, 2705):
        assert f"rip={GOOD4}," in line
    if port in (2703, 2705):
        assert f"session=<{number}>" in line


def test_no_password_goes_to_somebody_else(lab):
    with Raw(lab, port=2706) as client:
        client.send(f'a LOGIN {USER} "{PASSWORD}"\r\n')
        assert client.line().startswith("* BYE [UNAVAILABLE]")
    assert field(closed(lab, client.port), "strikes") == "0"
    assert "hostname mismatch" in [e for e in lab.events("backend-failed") if "service=s2706 " in e][-1]
