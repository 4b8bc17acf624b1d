# SPDX-License-Identifier: GPL-2.0-only
"""Ten thousand idle IMAP sessions: what one of them costs a gate, and that it costs no more later."""
import os
import re
import resource
import signal
import socket
import subprocess

import pytest
from imap_lab import imap_service
from netns import GATE4, MAIL4
from postern_lab import wait_for

SESSIONS, PER_CLIENT, SINK_PORT = 10000, 40, 3143
SESSION_MAX_BYTES = 3430  # HAProxy's 3.35 KB
HERE = os.path.dirname(os.path.abspath(__file__))

# Which gate a client meets its address decides: so one of the two may have more than its half.
LAB = {"services": imap_service("none", f"{MAIL4}:{SINK_PORT}"), "gates": 2, "client_address": "none",
       "interfaces": "", "limits": f"sessions-max = 18000\n\tsessions-per-client-max = {PER_CLIENT}"}


def own_bytes(pids):
    """Memory that nobody shares with these processes."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            total += sum(int(n) for n in re.findall(r"^Private_\w+:\s+(\d+)", rollup.read(), re.MULTILINE))
    return total * 1024


@pytest.fixture
def sink(lab):
    server = subprocess.Popen(lab.network.command("mail", os.path.join(HERE, "../lab/imap_sink.py"), MAIL4, str(SINK_PORT)))
    wait_for("the sink listens", lambda: f":{SINK_PORT} " in lab.network.run("mail", "ss", "-Hltn").stdout)
    yield server
    server.terminate()
    server.wait(timeout=10)


def add_addresses(lab):
    """Enough clients, each with as many sessions as it may have."""
    addresses = [f"10.1.{n // 200}.{n % 200 + 1}" for n in range(SESSIONS // PER_CLIENT)]
    lab.network.run("clients", "ip", "-batch", "-",
                    input="".join(f"addr add {a}/16 dev to-gate\n" for a in addresses))
    lab.network.run("gate", "ip", "route", "add", "10.1.0.0/16", "dev", "nic")
    return addresses


def log_in(sock):
    assert sock.recv(1024).startswith(b"* OK ")
    sock.sendall(b"a LOGIN anna secret\r\n")
    assert sock.recv(1024) == b"a OK done\r\n"


def read_notice(sock):
    assert sock.recv(1024) == b"* 1 EXISTS\r\n"


def test_ten_thousand_idle_sessions(lab, sink):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gates = lab.pids("gate")
    sockets = []
    addresses = add_addresses(lab)

    def connect(address):
        sock = socket.create_connection((GATE4, 143), timeout=10, source_address=(address, 0))
        log_in(sock)
        sockets.append(sock)

    try:
        with lab.network.inside("clients"):
            for address in addresses:  # some of each gate, so that all that is needed once is there
                connect(address)
            before = own_bytes(gates)
            for address in addresses * (PER_CLIENT - 1):
                connect(address)
        assert len(sockets) == SESSIONS
        after = own_bytes(gates)
        each = (after - before) / (SESSIONS - len(addresses))
        print(f"\n{SESSIONS} idle IMAP sessions: {each:.0f} bytes of the gates' own memory each")
        assert each <= SESSION_MAX_BYTES
        for _ in range(3):
            sink.send_signal(signal.SIGUSR1)
            for sock in sockets:
                read_notice(sock)
        # What a round of notices takes is taken once, and given back.
        assert own_bytes(gates) - after < 1 << 20
        assert len(lab.rows("sessions")) == SESSIONS
    finally:
        for sock in sockets:
            sock.close()
    wait_for("all sessions have ended", lambda: len(lab.events("close")) == SESSIONS, 20)
