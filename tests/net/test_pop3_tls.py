# SPDX-License-Identifier: GPL-2.0-only
"""POP3 and TLS: STLS, pop3s, what is offered before and after, and TLS with the backend."""
import contextlib
import random
import ssl
import threading

import pytest
from certs import MX_NAME as NAME
from mailhost import PASSWORD, USER
from netns import GATE4, GOOD4, MAIL4
from pop3_lab import STAND_IN_PORT, Peer, Pop3, Raw, closed, field, pop3_service, stand_in
from postern_lab import Lab

CERTIFICATE = 'certificate mx {{ chain = "{dir}/mx.pem" key = "{dir}/mx.key" }}\n'
SHOWS = 'certificates = { "mx" }'


@pytest.fixture(scope="module")
def lab(authority):
    services = pop3_service(more="tls = starttls\n\t" + SHOWS) + pop3_service(more=SHOWS, name="pop3s")
    with Lab("pop3-tls", gates=1, top=CERTIFICATE.format(dir=authority.dir), services=services) as running:
        yield running


def trusting(authority):
    return ssl.create_default_context(cafile=str(authority.ca))


def secured(lab, authority, port=110):
    """A raw client inside TLS: after STLS, or at once on 995."""
    client = Raw(lab, port=port, greeted=port == 110)
    if port == 110:
        assert client.ask("STLS").startswith("+OK")
    client.file.close()
    client.sock = trusting(authority).wrap_socket(client.sock, server_hostname=NAME)
    client.file = client.sock.makefile("rb")
    if port == 995:
        client.greeting = client.line()
    return client


def test_no_password_before_tls(lab, authority):
    with Raw(lab) as client:
        client.ask("CAPA")
        capa = client.lines()
        assert "STLS" in capa and "USER" not in capa and not [line for line in capa if line.startswith("SASL")]
        for line in ("USER anna", "PASS x", "AUTH PLAIN", "AUTH PLAIN AHUAcHc=", "AUTH", "APOP a b"):
            assert client.ask(line) == "-ERR say STLS first: no password in the clear", line
    assert field(closed(lab, client.port), "strikes") == "0"


@pytest.mark.parametrize("port", [110, 995])
def test_login_inside_tls(lab, authority, port):
    with secured(lab, authority, port) as client:
        client.ask("CAPA")
        capa = client.lines()
        assert "STLS" not in capa and "USER" in capa and "SASL PLAIN LOGIN CRAM-MD5" in capa
        assert client.ask("STLS").startswith("-ERR")
        assert client.login(USER, "wrong").startswith("-ERR [AUTH]")
        assert client.login(USER, PASSWORD).startswith("+OK")
        assert client.ask("QUIT").startswith("+OK")
        assert client.rest() == b"", "and a proper end"
    line = closed(lab, client.port)
    assert " tls=TLSv1.3 " in line and field(line, "strikes") == "1" and field(line, "reason") == "closed"


def test_poplib_and_curl(lab, authority):
    client = Pop3(lab)
    client.host = NAME
    client.stls(context=trusting(authority))
    client.user(USER)
    assert client.pass_(PASSWORD).startswith(b"+OK")
    client.quit()
    for url in f"pop3://{NAME}/", f"pop3s://{NAME}/":
        lab.network.run("clients", "curl", "-sS", "--ssl-reqd", "--cacert", str(authority.ca),
                        "--resolve", f"{NAME}:110:{GATE4}", "--resolve", f"{NAME}:995:{GATE4}",
                        "--interface", GOOD4, "--user", f"{USER}:{PASSWORD}", url)


def test_what_is_sent_behind_stls_counts_for_nothing(lab):
    with Raw(lab) as client:
        client.send("STLS\r\nUSER anna\r\n")
        assert client.rest() == b""
    assert field(closed(lab, client.port), "reason") == "starttls-injection"


def test_what_was_said_before_stls_is_forgotten(authority):
    services = pop3_service(more="tls = starttls\n\trequire-tls-for-auth = no\n\t" + SHOWS)
    with Lab("pop3-tls-o", gates=1, top=CERTIFICATE.format(dir=authority.dir), services=services) as lab:
        client = Raw(lab)
        assert client.ask("USER anna") == "+OK"
        assert client.login(USER, "wrong").startswith("-ERR [AUTH]"), "the backend is connected now"
        assert client.ask("USER anna") == "+OK"
        assert client.ask("STLS").startswith("+OK")
        client.sock = trusting(authority).wrap_socket(client.sock, server_hostname=NAME)
        client.file = client.sock.makefile("rb")
        with client:
            assert client.ask("PASS " + PASSWORD) == "-ERR say USER first"
            assert client.login(USER, PASSWORD).startswith("+OK")


def test_bulk_both_ways_inside_tls(authority):
    size = 20_000_000
    up, down = random.Random(4).randbytes(size), random.Random(5).randbytes(size)

    def script(peer):
        assert peer.until_pass() == b"PASS pw\r\n"
        peer.say(b"+OK in\r\n")
        sender = threading.Thread(target=peer.say, args=(down,))
        sender.start()
        assert peer.lines.read(size) == up
        sender.join()
    services = pop3_service("none", f"{MAIL4}:{STAND_IN_PORT}", more=SHOWS, name="pop3s")
    with Lab("pop3-tls-b", gates=1, top=CERTIFICATE.format(dir=authority.dir), services=services) as lab:
        with stand_in(lab, script), secured(lab, authority, 995) as client:
            assert client.login(USER, "pw").startswith("+OK")
            sender = threading.Thread(target=client.send, args=(up,))
            sender.start()
            assert client.file.read(size) == down
            sender.join()
            assert client.rest() == b""


def wrapping(authority, starttls, seen):
    """A script of a backend that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.dir / "mx.pem", authority.dir / "mx.key")

    def script(peer):
        if starttls:
            peer.say(b"+OK plain\r\n")
            peer.expect(b"STLS", b"+OK go\r\n")
        peer.lines.close()
        inside = context.wrap_socket(peer.sock, server_side=True)
        peer = Peer(inside)
        if starttls:
            line = peer.lines.readline()
            if line == b"CAPA\r\n":
                peer.say(b"+OK\r\nUSER\r\n.\r\n")
                line = peer.lines.readline()
        else:
            line = peer.begin()
        seen.append(line)
        peer.say(b"+OK\r\n")
        peer.expect(b"PASS", b"+OK in\r\n" + b"x" * 1_000_000)
        inside.unwrap()
    return script


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_tls_with_the_backend(authority, mode):
    more = f'backend-tls = {mode}\n\tbackend-ca = "{authority.ca}"\n\tbackend-verify-name = "{NAME}"'
    seen = []
    with Lab("pop3-btls", gates=1, services=pop3_service("none", f"{MAIL4}:{STAND_IN_PORT}", more=more)) as lab:
        with stand_in(lab, wrapping(authority, mode == "starttls", seen)), Raw(lab) as client:
            assert client.login(USER, "pw") == "+OK in"
            assert client.rest() == b"x" * 1_000_000
        assert seen == [b"USER anna\r\n"]

        def refuse(peer):
            peer.say(b"+OK plain\r\n")
            with contextlib.suppress(AssertionError):
                peer.expect(b"STLS", b"-ERR no\r\n")
            assert b"USER" not in peer.lines.read()
        with stand_in(lab, refuse), Raw(lab) as client:
            assert client.login(USER, "pw") == "-ERR [SYS/TEMP] mail host not available"
        assert field(closed(lab, client.port), "reason") == "backend-unavailable"
