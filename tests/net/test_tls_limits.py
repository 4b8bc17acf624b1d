# SPDX-License-Identifier: GPL-2.0-only
"""What a handshake may cost: its time, how many of one client, how many of all; and what happens in the middle of one."""
import ssl
import time

import pytest
from certs import MX_NAME as NAME, certificate
from netns import CLIENT4, GOOD4
from postern_lab import Lab, wait_for

SUBMISSIONS = """
service submissions {
	type = submissions
	policy = global
	listen = { "0.0.0.0:465" }
	backend = { "198.51.100.2:25" }
	certificates = { "mx" }
}
"""


def lab_of(authority, tag, limits):
    return Lab(tag, top=certificate(authority, "mx"), gates=1, services=SUBMISSIONS,
               service='tls = starttls\n\tcertificates = { "mx" }', limits=limits)


def handshake(lab, authority, source=GOOD4):
    context = ssl.create_default_context(cafile=str(authority.ca))
    with context.wrap_socket(lab.connect(source, 465), server_hostname=NAME) as sock:
        return sock.recv(100)


def test_who_is_slow_is_cut_off(authority):
    with lab_of(authority, "tlsslow", "tls-handshake-timeout = 3s") as lab:
        sock = lab.connect(GOOD4, 465)
        began = time.monotonic()
        sock.sendall(b"\x16\x03\x01\x02\x00")  # a record begins, and that is all
        assert sock.recv(10) == b""
        assert 2.9 < time.monotonic() - began < 20
        client = lab.smtp()
        client.ehlo()
        client.docmd("STARTTLS")
        assert client.sock.recv(10) == b""
        assert len([e for e in lab.wait_event("close", 2) if " reason=tls-timeout " in e]) == 2
        assert handshake(lab, authority).startswith(b"220 ")


def test_one_client_has_so_many_in_a_minute(authority):
    with lab_of(authority, "tlsclient", "tls-handshakes-per-client-max = 3") as lab:
        began = time.monotonic()
        for _ in range(3):
            assert handshake(lab, authority).startswith(b"220 ")
        with pytest.raises(OSError):
            handshake(lab, authority)
        client = lab.smtp()
        client.ehlo()
        assert client.docmd("STARTTLS")[0] == 454
        assert client.docmd("NOOP")[0] == 250
        assert time.monotonic() - began < 50, "too slow to say anything"
        assert any("limit=tls-handshakes-per-client-max" in e for e in lab.wait_event("crowded"))
        assert handshake(lab, authority, CLIENT4[2]).startswith(b"220 ")  # others are not meant


def test_all_together_have_so_many_in_a_second(authority):
    with lab_of(authority, "tlsall", "tls-handshakes-max = 2") as lab:
        def three_at_once():
            for sock in [lab.connect(source, 465) for source in CLIENT4[:4]]:
                sock.sendall(b"\x16")
                sock.close()
            return any("limit=tls-handshakes-max" in e for e in lab.events("crowded"))

        wait_for("one is too many", three_at_once)
        wait_for("the next second is another one", lambda: succeeds(lab, authority))


def succeeds(lab, authority):
    try:
        return handshake(lab, authority).startswith(b"220 ")
    except OSError:
        return False


def test_the_end_of_the_daemon_does_not_wait_for_handshakes(authority):
    with lab_of(authority, "tlsend", "shutdown-grace = 60s") as lab:
        sock = lab.connect(GOOD4, 465)
        sock.sendall(b"\x16")
        wait_for("it is a session", lambda: lab.rows("sessions"))
        assert lab.rows("sessions")[0]["state"] == "tls"
        began = time.monotonic()
        assert lab.stop() == 0
        assert time.monotonic() - began < 40
