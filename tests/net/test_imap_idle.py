# SPDX-License-Identifier: GPL-2.0-only
"""Ten thousand idle IMAP sessions: what one of them costs a gate, and that it costs no more later."""
import os
import re
import resource
import signal
import socket
import ssl
import subprocess

import pytest
from certs import MX_NAME as NAME, certificate
from imap_lab import imap_service
from netns import GATE4, MAIL4
from postern_lab import WAIT_S, Lab, wait_for

SESSIONS, TLS_SESSIONS, PER_CLIENT, SINK_PORT = 10000, 1500, 40, 3143
BACKEND = f"{MAIL4}:{SINK_PORT}"
MAX_BYTES, TLS_MAX_BYTES = 3430, 17818  # HAProxy's: 3.35 and 17.4 KiB
HERE = os.path.dirname(os.path.abspath(__file__))

IMAPS = """
service imaps {{
	type = imaps policy = global listen = {{ "0.0.0.0:993" }} backend = {{ "{backend}" }} certificates = {{ "mx" }}
}}
"""


@pytest.fixture(scope="module")
def lab(authority):
    # Which gate a client meets its address decides: so one of the two may have more than its half.
    with Lab("imapidle", gates=2, interfaces="", client_address="none", top=certificate(authority, "mx"),
             services=imap_service("none", BACKEND) + IMAPS.format(backend=BACKEND),
             limits=f"sessions-max = 18000\n\tsessions-per-client-max = {PER_CLIENT}") as running:
        yield running


def own_bytes(pids):
    """Memory that nobody shares with these processes."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            total += sum(int(n) for n in re.findall(r"^Private_\w+:\s+(\d+)", rollup.read(), re.MULTILINE))
    return total * 1024


@pytest.fixture
def sink(lab):
    server = subprocess.Popen(lab.network.command(
        "mail", os.path.join(HERE, "../lab/imap_sink.py"), MAIL4, str(SINK_PORT)))
    wait_for("the sink listens", lambda: f":{SINK_PORT} " in lab.network.run("mail", "ss", "-Hltn").stdout)
    yield server
    server.terminate()
    server.wait(timeout=30)


@pytest.fixture(scope="module")
def addresses(lab):
    """Enough clients, each with as many sessions as it may have."""
    found = [f"10.1.{n // 200}.{n % 200 + 1}" for n in range(SESSIONS // PER_CLIENT)]
    lab.network.run("clients", "ip", "-batch", "-",
                    input="".join(f"addr add {a}/16 dev to-gate\n" for a in found))
    lab.network.run("gate", "ip", "route", "add", "10.1.0.0/16", "dev", "nic")
    return found


def log_in(sock):
    assert sock.recv(1024).startswith(b"* OK ")
    sock.sendall(b"a LOGIN anna secret\r\n")
    assert sock.recv(1024) == b"a OK done\r\n"


def hold(lab, sockets, sources, port, context=None):
    """A session from each of these addresses, logged in and idle."""
    with lab.network.inside("clients"):
        for address in sources:
            sock = socket.create_connection((GATE4, port), timeout=WAIT_S, source_address=(address, 0))
            if context:
                sock = context.wrap_socket(sock, server_hostname=NAME)
            log_in(sock)
            sockets.append(sock)


def idle_sessions(lab, sink, addresses, count, context=None):
    """Bytes that one costs, and how many more all of them took after three rounds of news."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gates, port, sockets = lab.pids("gate"), 993 if context else 143, []
    ended = len(lab.events("close"))
    try:
        hold(lab, sockets, addresses, port, context)  # some of each gate: what is needed once is there
        before = own_bytes(gates)
        hold(lab, sockets, (addresses * PER_CLIENT)[:count - len(addresses)], port, context)
        after = own_bytes(gates)
        for _ in range(3):
            sink.send_signal(signal.SIGUSR1)
            for sock in sockets:
                assert sock.recv(1024) == b"* 1 EXISTS\r\n"
        more = own_bytes(gates) - after
        assert len(lab.rows("sessions")) == count
        return (after - before) / (count - len(addresses)), more
    finally:
        for sock in sockets:
            sock.close()
        wait_for("all sessions have ended", lambda: len(lab.events("close")) == ended + len(sockets), 120)


def test_ten_thousand_idle_sessions(lab, sink, addresses):
    each, more = idle_sessions(lab, sink, addresses, SESSIONS)
    print(f"\n{SESSIONS} idle IMAP sessions: {each:.0f} bytes of the gates' own memory each, {more} more after news")
    assert each <= MAX_BYTES and more < 1 << 20


def test_idle_sessions_inside_tls(lab, sink, addresses, authority):
    context = ssl.create_default_context(cafile=str(authority.ca))
    each, more = idle_sessions(lab, sink, addresses, TLS_SESSIONS, context)
    print(f"\n{TLS_SESSIONS} idle IMAP sessions inside TLS: {each:.0f} bytes each, {more} more after news")
    assert each <= TLS_MAX_BYTES and more < 1 << 20
