# SPDX-License-Identifier: GPL-2.0-only
"""TLS towards clients: STARTTLS and implicit, what is offered before and after it, and what is refused."""
import re
import socket
import ssl
import xml.etree.ElementTree as xml

import pytest
from certs import MX_NAME as NAME, certificate, trusting
from mailhost import PASSWORD, USER
from netns import CLIENT4, GATE4, GOOD4
from postern_lab import Lab, wait_for


SUBMISSIONS = """
service submissions {
	type = submissions
	policy = global
	listen = { "0.0.0.0:465" }
	backend = { "198.51.100.2:2525" }
	client-address = proxy
	certificates = { "mx", "mx-rsa", "other" }
}
"""


@pytest.fixture(scope="module")
def authority(authority):
    authority.make("mx-rsa", [NAME], kind="rsa")
    authority.make("other", ["other.example.net", "*.sub.example.net"])
    return authority


@pytest.fixture(scope="module")
def lab(authority):
    with Lab("tls", top=certificate(authority, "mx", "mx-rsa", "other"),
             service='tls = starttls\n\tcertificates = { "mx", "other" }',
             submission='tls = starttls\n\tcertificates = { "mx" }', services=SUBMISSIONS,
             limits="sessions-per-client-max = 500\n\ttls-handshakes-per-client-max = 10000") as running:
        yield running


def secured(lab, authority, port=25, name=NAME, context=None):
    """An smtplib session after STARTTLS."""
    client = lab.smtp(port=port)
    client._host = name
    client.starttls(context=context or trusting(authority))
    return client


def wrapped(lab, authority, name=NAME, context=None, session=None, source=GOOD4):
    """A socket with implicit TLS, and its greeting read."""
    sock = (context or trusting(authority)).wrap_socket(lab.connect(source, 465), server_hostname=name,
                                                        session=session, suppress_ragged_eofs=False)
    assert sock.recv(100).startswith(b"220 ")
    return sock


def closed(lab, port):
    """The close line of the session from this port."""
    return wait_for("the session has ended",
                    lambda: [e for e in lab.events("close") if f" port={port} " in e and " proc=" in e])[-1]


def names(sock):
    return {value for kind, value in sock.getpeercert()["subjectAltName"]}


# ---- what works


def test_starttls_is_offered_and_a_message_goes_through_it(lab, authority):
    client = lab.smtp()
    port = client.sock.getsockname()[1]
    client.ehlo()
    assert client.has_extn("starttls")
    client._host = NAME
    client.starttls(context=trusting(authority))
    assert client.sock.version() == "TLSv1.3"
    client.ehlo()
    assert not client.has_extn("starttls")
    client.sendmail("a@example.com", ["anna@example.org"], "Subject: inside\r\n\r\nTLS\r\n")
    client.quit()
    assert any(b"Subject: inside" in m for m in lab.mail.wait_messages(1))
    line = closed(lab, port)
    assert " tls=TLSv1.3 cipher=TLS_" in line and " msgs=1 " in line


def test_auth_waits_for_tls(lab, authority):
    client = lab.smtp(port=587)
    client.ehlo()
    assert not client.has_extn("auth")
    assert client.docmd("AUTH", "PLAIN AGFubmEAeA==")[0] == 538
    client._host = NAME
    client.starttls(context=trusting(authority))
    client.ehlo()
    assert client.has_extn("auth")
    assert client.login(USER, PASSWORD)[0] == 235
    client.quit()


def test_implicit_tls_greets_inside(lab, authority):
    with wrapped(lab, authority) as sock:
        sock.sendall(b"QUIT\r\n")
        assert sock.recv(100).startswith(b"221 ")
        assert sock.recv(100) == b""  # a goodbye: without one this raises


def test_a_large_message_arrives_whole(lab, authority):
    body = "".join(f"{n:08d} {'x' * 60}\r\n" for n in range(300_000))
    client = secured(lab, authority)
    client.ehlo()
    client.sendmail("a@example.com", ["bulk@example.org"], "Subject: large\r\n\r\n" + body)
    client.quit()
    got = lab.mail.wait_messages(1, box="bulk")[0].replace(b"\r\n", b"\n")
    assert got.endswith(body.replace("\r\n", "\n").encode())


def test_bytes_one_by_one(lab, authority):
    with wrapped(lab, authority) as sock:
        for byte in b"EHLO client.example.com\r\n":
            sock.sendall(bytes([byte]))
        reply = b""
        while b"\r\n250 " not in reply:
            reply += sock.recv(1000)


def test_the_name_that_is_asked_for_chooses_the_certificate(lab, authority):
    for asked, wanted in ((NAME, NAME), ("other.example.net", "other.example.net"),
                          ("a.sub.example.net", "*.sub.example.net")):
        with wrapped(lab, authority, name=asked) as sock:
            assert wanted in names(sock)
    context = trusting(authority)
    context.check_hostname = False
    for asked in ("www.example.net", None):  # no such name, no name at all
        with wrapped(lab, authority, name=asked, context=context) as sock:
            assert names(sock) == {NAME}


def test_the_client_chooses_among_kinds_of_keys(lab, authority):
    for ciphers, kind in (("aRSA", "RSA"), ("aECDSA", "ECDSA")):
        context = trusting(authority)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
        with wrapped(lab, authority, context=context) as sock:
            assert names(sock) == {NAME}
            assert kind in sock.cipher()[0]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_session_is_taken_up_again_at_the_other_gate(lab, authority, version):
    context = trusting(authority)
    context.maximum_version = context.minimum_version = ssl.TLSVersion[version]
    session, gates = None, []
    for source in CLIENT4[:6] * 2:  # the address of a client chooses its gate
        with wrapped(lab, authority, context=context, session=session, source=source) as sock:
            port = sock.getsockname()[1]
            assert sock.session_reused == (session is not None)
            sock.sendall(b"NOOP\r\n")
            sock.recv(100)
            session = sock.session
        gates.append(re.search(r" proc=(\w+)", closed(lab, port))[1])
    assert len(set(gates)) == 2


# ---- what does not


def test_ehlo_is_needed_again_and_starttls_is_refused_inside(lab, authority):
    client = secured(lab, authority)
    assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 503
    client.ehlo()
    assert client.docmd("STARTTLS")[0] == 503
    client.close()


def test_a_login_before_starttls_is_forgotten(authority):
    with Lab("tlsforget", top=certificate(authority, "mx"), service='tls = starttls\n\tcertificates = { "mx" }'
             "\n\trequire-tls-for-auth = no") as lab:
        client = lab.smtp()
        assert client.login(USER, PASSWORD)[0] == 235
        client._host = NAME
        client.starttls(context=trusting(authority))
        client.ehlo()
        client.docmd("MAIL", "FROM:<a@example.com>")
        assert client.docmd("RCPT", "TO:<somebody@example.com>")[0] == 454  # no relay for a stranger
        client.docmd("RSET")
        assert client.login(USER, PASSWORD)[0] == 235
        client.docmd("MAIL", "FROM:<a@example.com>")
        assert client.docmd("RCPT", "TO:<somebody@example.com>")[0] == 250
        client.close()


def connections(lab):
    """How often a client has come, as the mail host sees it."""
    return lab.mail.log().count(f"]: connect from unknown[{GOOD4}]")


def test_the_mail_host_sees_one_connection_of_a_client_that_says_starttls(lab, authority):
    before, messages = connections(lab), len(lab.mail.messages())
    client = lab.smtp()
    client.ehlo("before.example.com")
    client._host = NAME
    client.starttls(context=trusting(authority))
    client.ehlo("behind.example.com")
    client.sendmail("a@example.com", ["anna@example.org"], "Subject: once\r\n\r\nx\r\n")
    client.quit()
    message = lab.mail.wait_messages(messages + 1)
    assert any(b"from behind.example.com (" in m and b"Subject: once" in m for m in message)
    wait_for("the end at the mail host", lambda: "ehlo=2 mail=1 rcpt=1 data=1" in lab.mail.log())
    assert connections(lab) == before + 1


@pytest.mark.parametrize("how", ["it dies", "it says 421"])
def test_a_mail_host_that_goes_amid_starttls_is_connected_anew(authority, how):
    with Lab("tlsanew", top=certificate(authority, "mx"), service='tls = starttls\n\tcertificates = { "mx" }') as lab:
        if how == "it says 421":
            lab.mail.configure(smtpd_timeout="1s")
        client = lab.smtp()
        client.ehlo()
        client._host = NAME
        client.starttls(context=trusting(authority))
        if how == "it says 421":
            wait_for("the timeout of the mail host", lambda: "timeout after EHLO" in lab.mail.log())
        else:
            lab.mail.stop_postfix()
            lab.mail.start_postfix()
        assert client.noop()[0] == 250  # the session hears of nothing
        client.sendmail("a@example.com", ["anna@example.org"], "Subject: anew\r\n\r\nx\r\n")
        client.quit()
        lab.mail.wait_messages(1)
        assert connections(lab) == 2


def test_starttls_is_not_taken_where_it_makes_no_sense(lab, authority):
    client = lab.smtp()
    client.ehlo()
    assert client.docmd("STARTTLS", "now")[0] == 501
    client.docmd("MAIL", "FROM:<a@example.com>")
    assert client.docmd("STARTTLS")[0] == 503
    client.close()


@pytest.mark.parametrize("tail", [b"MAIL FROM:<a@example.com>\r\n", b"X", b"\x16\x03\x01"],
                         ids=["a command", "a byte", "a hello in a hurry"])
def test_words_behind_starttls_are_never_heard(lab, tail):
    before = len(lab.events("starttls-injection"))
    sock = lab.connect(GOOD4)
    port = sock.getsockname()[1]
    assert sock.recv(200).startswith(b"220 ")
    sock.sendall(b"EHLO client.example.com\r\n")
    sock.recv(2000)
    sock.sendall(b"STARTTLS\r\n" + tail)
    with pytest.raises(ConnectionResetError):  # what lies unread makes it a reset
        while sock.recv(100):
            raise AssertionError("it was answered")
        raise ConnectionResetError
    sock.close()
    lab.wait_event("starttls-injection", count=before + 1)
    assert " reason=starttls-injection " in closed(lab, port)


def test_plain_words_where_tls_is_expected_are_refused(lab):
    sock = lab.connect(GOOD4, 465)
    port = sock.getsockname()[1]
    sock.sendall(b"EHLO client.example.com\r\n")
    assert b"220" not in sock.recv(200)  # an alert
    sock.close()
    assert " reason=tls-failed " in closed(lab, port)
    assert any(f" port={port} " in e and "why=" in e for e in lab.events("tls-failed"))


def test_a_client_that_says_it_speaks_http_gets_no_session(lab, authority):
    context = trusting(authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        wrapped(lab, authority, context=context)
    context.set_alpn_protocols(["smtp"])
    wrapped(lab, authority, context=context).close()


def test_a_message_that_is_cut_off_is_no_message(lab, authority):
    """Without a close_notify, and without the dot: nothing of it may be delivered."""
    client = secured(lab, authority)
    port = client.sock.getsockname()[1]
    client.ehlo()
    client.docmd("MAIL", "FROM:<a@example.com>")
    client.docmd("RCPT", "TO:<anna@example.org>")
    assert client.docmd("DATA")[0] == 354
    client.sock.sendall(b"Subject: cut off\r\n\r\nhalf a mess")
    raw = socket.socket(fileno=client.sock.detach())
    raw.shutdown(socket.SHUT_WR)
    raw.close()
    assert " msgs=0 " in closed(lab, port)
    wait_for("Postfix noticed", lambda: "lost connection after DATA" in lab.mail.log())
    assert not any(b"cut off" in m for m in lab.mail.messages())


def test_sslscan_finds_nothing_old_and_nothing_weak(lab, authority):
    """No protocol before TLS 1.2, no cipher without forward secrecy and AEAD, no compression, no renegotiation."""
    for port, how in ((25, ["--starttls-smtp"]), (465, [])):
        done = lab.network.run("clients", "sslscan", *how, "--xml=-", f"--sni-name={NAME}",
                               "--no-colour", f"{GATE4}:{port}")
        found = xml.fromstring(done.stdout).find("ssltest")
        protocols = {f'{p.get("type")}{p.get("version")}' for p in found.iter("protocol")
                     if p.get("enabled") == "1"}
        assert protocols == {"tls1.2", "tls1.3"}, protocols
        ciphers = [c.get("cipher") for c in found.iter("cipher")]
        assert len(ciphers) >= 6
        for cipher in ciphers:
            assert re.fullmatch(r"TLS_(AES|CHACHA20)\w+|ECDHE-(RSA|ECDSA)-(AES\d+-GCM|CHACHA20)-\w+", cipher)
        assert found.find("renegotiation").get("supported") == "0" or \
            found.find("renegotiation").get("secure") == "1"
        compression = found.find("compression")  # None: the library cannot even try
        assert compression is None or compression.get("supported") == "0"
        assert all(h.get("vulnerable") == "0" for h in found.iter("heartbleed"))


def test_renegotiation_is_refused(lab, authority):
    done = lab.network.run("clients", "openssl", "s_client", "-connect", f"{GATE4}:465", "-tls1_2",
                           "-CAfile", str(authority.ca), input="R\n", check=False)
    assert "no renegotiation" in done.stdout + done.stderr
