# SPDX-License-Identifier: GPL-2.0-only
"""tls = passthrough: who may connect is postern's to say, all else the backend's."""
import contextlib
import os
import smtplib
import ssl

import pytest
from certs import Authority, trusting
from netns import GOOD4
from postern_lab import Lab, wait_for

BACKEND = "backend.example.org"
SERVICES = """
service submissions {
	type = submissions policy = global listen = { "0.0.0.0:465" } tls = passthrough
	backend = { "198.51.100.2:2533" } client-address = proxy
}
service starttls {
	type = smtp policy = global listen = { "0.0.0.0:2601" } tls = passthrough
	backend = { "198.51.100.2:2532" } client-address = proxy
}
service dead {
	type = submissions policy = global listen = { "0.0.0.0:2602" } tls = passthrough
	backend = { "198.51.100.2:9" }
}
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("certs"))
    made.make("backend", [BACKEND])
    return made


@pytest.fixture(scope="module")
def lab(authority):
    with Lab("tlspass", services=SERVICES, gates=1,
             mail_tls=(authority.dir / "backend.pem", authority.dir / "backend.key")) as running:
        yield running


def submissions(lab, authority):
    with lab.network.inside("clients"):
        client = smtplib.SMTP_SSL(timeout=30, source_address=(GOOD4, 0), context=trusting(authority),
                                  local_hostname="client.example.com")
        client._host = BACKEND
        client.sock = trusting(authority).wrap_socket(lab.connect(GOOD4, 465), server_hostname=BACKEND)
        client.file = None
        assert client.getreply()[0] == 220
    return client


def test_client_and_backend_speak_with_each_other(lab, authority):
    client = submissions(lab, authority)
    port = client.sock.getsockname()[1]
    body = os.urandom(3_000_000).hex()
    client.sendmail("a@example.com", ["bulk@example.org"], "Subject: inside\r\n\r\n"
                    + "\r\n".join(body[i:i + 70] for i in range(0, len(body), 70)))
    client.quit()
    client.sock and client.sock.close()
    message = lab.mail.wait_messages(1, box="bulk")[0]
    assert message.replace(b"\r\n", b"").replace(b"\n", b"").endswith(body[-70000:].encode())
    assert b"(unknown [192.0.2.10])" in message and b"(using TLSv1.3" in message
    line = wait_for("the session has ended",
                    lambda: [e for e in lab.events("close") if f" port={port} " in e and "proc=" in e])[0]
    assert " tls=" not in line and " service=submissions " in line


def test_where_the_server_speaks_first_it_is_asked_at_once(lab, authority):
    client = lab.smtp(port=2601)
    client._host = BACKEND
    client.starttls(context=trusting(authority))  # its own, with its own certificate
    client.sendmail("a@example.com", ["anna@example.org"], "Subject: starttls\r\n\r\n.\r\n")
    client.quit()
    assert b"Subject: starttls" in lab.mail.wait_messages(1)[-1]


def test_who_says_nothing_costs_the_backend_nothing(lab):
    before = lab.mail.log().count("connect from unknown[192.0.2.12]")
    sock = lab.connect("192.0.2.12", 465)
    wait_for("it is a session", lambda: [s for s in lab.rows("sessions") if s["addr"] == "192.0.2.12"])
    sock.close()
    wait_for("it has ended", lambda: [e for e in lab.events("close") if "addr=192.0.2.12" in e])
    assert lab.mail.log().count("connect from unknown[192.0.2.12]") == before


def test_lists_and_bans_hold(lab, authority):
    lab.cli("ban", "192.0.2.68", "--for", "1h")
    assert not lab.reachable("192.0.2.68", port=465, timeout=1.0)
    sock = lab.connect("192.0.2.69", 465)
    wait_for("it is a session", lambda: [s for s in lab.rows("sessions") if s["addr"] == "192.0.2.69"])
    lab.cli("ban", "192.0.2.69", "--for", "1h")
    wait_for("it was cut", lambda: not [s for s in lab.rows("sessions") if s["addr"] == "192.0.2.69"])
    wait_for("it is said", lambda: any("addr=192.0.2.69" in e and "reason=banned" in e for e in lab.events("close")))
    sock.close()


def test_a_dead_backend_ends_the_session(lab):
    sock = lab.connect(GOOD4, 2602)
    sock.sendall(b"\x16")
    with contextlib.suppress(ConnectionResetError):
        assert sock.recv(10) == b""
    assert any("service=dead" in e for e in lab.wait_event("backend-failed"))


def test_plain_clients_are_the_backends_business(lab):
    sock = lab.connect(GOOD4, 465)
    sock.sendall(b"EHLO client.example.com\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert b"220" not in sock.recv(100)
    sock.close()
