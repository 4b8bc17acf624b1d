# SPDX-License-Identifier: GPL-2.0-only
"""TLS towards the backend: verified or refused, never left out; and what the backend hears of the client's own TLS."""
import contextlib
import socket
import ssl
import struct
import threading

import pytest
from certs import MX_NAME as NAME, Authority, certificate, trusting
from netns import GOOD4, MAIL4
from postern_lab import Lab

BACKEND = "backend.example.org"

# Port: settings of the service there.
SERVICES = {
    2601: 'backend = { "198.51.100.2:2530" } backend-tls = starttls backend-verify-name = "backend.example.org"',
    2602: 'backend = { "198.51.100.2:2531" } backend-tls = implicit backend-verify-name = "backend.example.org"',
    2603: 'backend = { "198.51.100.2:2530" } backend-tls = starttls backend-verify-name = "other.example.org"',
    2604: 'backend = { "198.51.100.2:2531" } backend-tls = implicit backend-verify-name = "other.example.org"',
    2605: 'backend = { "198.51.100.2:25" } backend-tls = starttls backend-verify-name = "backend.example.org"',
    2606: 'backend = { "198.51.100.2:25" } backend-tls = implicit backend-verify-name = "backend.example.org"',
    2607: 'backend = { "198.51.100.2:2530" } backend-tls = starttls backend-verify = no',
    2608: 'backend = { "198.51.100.2:2530" } backend-tls = starttls backend-verify-name = "backend.example.org" '
          'client-address = xclient',
    2609: 'backend = { "198.51.100.2:2532" } backend-tls = starttls backend-verify-name = "backend.example.org" '
          'client-address = proxy',
    2610: 'backend = { "198.51.100.2:25", "198.51.100.2:2530" } backend-tls = starttls '
          'backend-verify-name = "backend.example.org"',
    2611: 'backend = { "198.51.100.2:2530" } backend-tls = starttls backend-verify-name = "backend.example.org" '
          'backend-ca = "{foreign}"',
    2612: 'backend = { "198.51.100.2:2700" } backend-tls = starttls backend-verify-name = "backend.example.org"',
    2613: 'backend = { "198.51.100.2:2701" } client-address = proxy tls = implicit certificates = { "mx" }',
    2615: 'type = pop3s backend = { "198.51.100.2:2703" } backend-tls = implicit '
          'backend-verify-name = "backend.example.org" certificates = { "mx" }',
    2614: 'backend = { "198.51.100.2:2702" } backend-tls = implicit backend-verify-name = "backend.example.org"',
}
SERVICE = """
service s{port} {{
	policy = global listen = {{ "0.0.0.0:{port}" }}
	{settings}
}}
"""


@pytest.fixture(scope="module")
def authority(authority):
    authority.make("backend", [BACKEND])
    return authority


@pytest.fixture(scope="module")
def lab(authority, tmp_path_factory):
    foreign = Authority(tmp_path_factory.mktemp("foreign"), "somebody else")
    services = "".join(
        SERVICE.format(port=port, settings=("" if "type" in s else "type = smtp ") + s.replace("{foreign}", str(foreign.ca))
                       + ("" if "backend-ca" in s or "backend-tls" not in s else f' backend-ca = "{authority.ca}"'))
        for port, s in SERVICES.items())
    with Lab("tlsback", top=certificate(authority, "mx"), services=services, gates=1,
             mail_tls=(authority.dir / "backend.pem", authority.dir / "backend.key"),
             limits="sessions-per-client-max = 500") as running:
        yield running


def send(lab, port, subject):
    client = lab.smtp(GOOD4, port=port)
    client.sendmail("a@example.com", ["anna@example.org"], f"Subject: {subject}\r\n\r\n.\r\n")
    client.quit()
    for message in lab.mail.wait_messages(1):
        if f"Subject: {subject}\n".encode() in message:
            return message
    count = len(lab.mail.messages())
    return next(m for m in lab.mail.wait_messages(count + 1) if f"Subject: {subject}\n".encode() in m)


@pytest.mark.parametrize("port", [2601, 2602, 2607, 2608, 2609, 2610])
def test_mail_goes_to_the_backend_inside_tls(lab, port):
    message = send(lab, port, f"by {port}")
    assert b"(using TLSv1.3 with cipher" in message
    if port in (2608, 2609):  # and XCLIENT or PROXY say whose it is
        assert b"(unknown [192.0.2.10])" in message


@pytest.mark.parametrize("port, reason", [
    (2603, "hostname mismatch"), (2604, "hostname mismatch"),
    (2605, "STARTTLS is not offered"), (2606, ""),
    (2611, "certificate"),
])
def test_no_mail_goes_where_tls_fails(lab, port, reason):
    before = len(lab.events("backend-failed"))
    client = lab.smtp(GOOD4, port=port)
    code, text = client.ehlo()
    assert code == 421, text
    client.close()
    lines = [e for e in lab.wait_event("backend-failed", count=before + 1) if f"service=s{port} " in e]
    assert " why=tls reason=" in lines[-1] and reason in lines[-1]


@contextlib.contextmanager
def listening(lab, port, serve):
    """A backend of our own; yields what serve() appends to."""
    got, stop = [], threading.Event()
    with lab.network.inside("mail"):
        listener = socket.create_server((MAIL4, port))
    listener.settimeout(0.2)

    def run():
        while not stop.is_set():
            try:
                sock, _ = listener.accept()
            except TimeoutError:
                continue
            sock.settimeout(30)
            with sock:
                serve(sock, got)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield got
    finally:
        stop.set()
        thread.join()
        listener.close()


def test_the_next_connection_takes_up_the_session_of_the_last(lab, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.dir / "backend.pem", authority.dir / "backend.key")

    def serve(sock, got):
        with context.wrap_socket(sock, server_side=True) as inside:
            inside.sendall(b"220 backend ESMTP\r\n")
            inside.recv(1000)
            inside.sendall(b"250 backend\r\n")
            got.append(inside.session_reused)
            inside.recv(1000)

    with listening(lab, 2702, serve) as got:
        for _ in range(3):
            client = lab.smtp(GOOD4, port=2614)
            assert client.ehlo()[0] == 250
            client.quit()
    assert got == [False, True, True]


def test_words_behind_the_go_ahead_of_the_backend_are_refused(lab):
    """Somebody in between could say them: they would be taken for the backend's, inside TLS."""
    def serve(sock, got):
        sock.sendall(b"220 backend ESMTP\r\n")
        sock.recv(1000)
        sock.sendall(b"250-backend\r\n250 STARTTLS\r\n")
        got.append(sock.recv(1000))
        sock.sendall(b"220 go ahead\r\n250 injected\r\n")
        with contextlib.suppress(ConnectionResetError):
            got.append(sock.recv(1000))

    with listening(lab, 2700, serve) as got:
        client = lab.smtp(GOOD4, port=2612)
        assert client.ehlo()[0] == 421
        client.close()
        assert any("plain text where TLS has to begin" in e for e in lab.wait_event("backend-failed"))
    assert got in ([b"STARTTLS\r\n"], [b"STARTTLS\r\n", b""])


@pytest.mark.parametrize("is_cut", [False, True], ids=["an end", "a cut"])
def test_a_cut_is_passed_on_as_one(lab, authority, is_cut):
    """Half a mailbox must not look like a whole one, whoever cut it off."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.dir / "backend.pem", authority.dir / "backend.key")

    def serve(sock, got):
        inside = context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False)
        inside.sendall(b"+OK ready\r\n")
        while (line := inside.recv(1000)) and not line.startswith(b"RETR"):
            got.append(line)
            inside.sendall(b"+OK\r\n.\r\n" if line.startswith(b"CAPA") else b"+OK\r\n")
        inside.sendall(b"+OK 1000 octets\r\nhalf a mess")
        if not is_cut:
            with contextlib.suppress(OSError):
                inside.unwrap()
        inside.close()

    with listening(lab, 2703, serve):
        client = trusting(authority).wrap_socket(lab.connect(GOOD4, 2615), server_hostname=NAME,
                                                 suppress_ragged_eofs=False)
        for line in (b"", b"USER anna\r\n", b"PASS secret\r\n", b"RETR 1\r\n"):
            client.sendall(line)
            assert client.recv(100).startswith(b"+OK")
        with pytest.raises(ssl.SSLError, match="(?i)eof") if is_cut else contextlib.nullcontext():
            while client.recv(100):
                pass
        client.close()


def extensions(header):
    """Type -> value of the extensions of a PROXY header, version 2."""
    assert header[:12] == b"\r\n\r\n\0\r\nQUIT\n" and header[12] == 0x21
    at, end = (28 if header[13] == 0x11 else 52), 16 + struct.unpack(">H", header[14:16])[0]
    found = {}
    while at < end:
        kind, length = struct.unpack(">BH", header[at:at + 3])
        found[kind] = header[at + 3:at + 3 + length]
        at += 3 + length
    assert at == end == len(header)
    return found


def test_the_backend_hears_of_the_clients_tls(lab, authority):
    def serve(sock, got):
        got.append(sock.recv(1000))
        sock.sendall(b"220 backend ESMTP\r\n")

    with listening(lab, 2701, serve) as got:
        with trusting(authority).wrap_socket(lab.connect(GOOD4, 2613), server_hostname=NAME) as client:
            client.recv(100)
            client.sendall(b"EHLO client.example.com\r\n")
            client.recv(1000)
            version, cipher = client.version(), client.cipher()[0]
    found = extensions(got[0])
    assert found[0x02] == NAME.encode()
    flags, verified = struct.unpack(">BI", found[0x20][:5])
    assert flags == 1 and verified != 0  # inside TLS; no certificate of its own
    assert found[0x20][5:] == (b"\x21" + struct.pack(">H", len(version)) + version.encode()
                               + b"\x23" + struct.pack(">H", len(cipher)) + cipher.encode())
