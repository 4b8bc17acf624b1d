# SPDX-License-Identifier: GPL-2.0-only
"""What every bench with contenders needs: processes that come and go, their CPU time, their memory."""
import contextlib
import json
import pathlib
import re
import socket
import statistics
import subprocess

from netns import GOOD4
from postern_lab import BUILD, wait_for

MANY4 = "198.18.0.0/15"  # for measuring, RFC 2544: every address of it is the clients' host


def cpu_ns(pids):
    """Time on a CPU of all threads of these processes so far."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total


@contextlib.contextmanager
def process(command, ready):
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"{command[4:]} listens", ready)
        yield child.pid
    finally:
        child.terminate()
        child.wait(timeout=20)


def listens(lab, host, address, port):
    """A condition: does somebody accept there?"""
    def ready():
        with lab.network.inside(host), contextlib.suppress(OSError):
            socket.create_connection((address, port), timeout=1).close()
            return True
        return False
    return ready


def everyone(lab):
    """All processes of postern."""
    return [lab.daemon.pid] + [pid for role in ("gate", "ledger", "checker") for pid in lab.pids(role)]


def median_of(pairs):
    """Column by column."""
    return tuple(statistics.median(column) for column in zip(*pairs))


def pss_mb(pids):
    return sum(int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{p}/smaps_rollup").read_text(),
                             re.M).group(1)) for p in pids) / 1024


def many_clients(lab):
    """The clients' host has every address of MANY4."""
    lab.network.run("clients", "ip", "route", "add", "local", MANY4, "dev", "lo")
    lab.network.run("gate", "ip", "route", "add", MANY4, "via", GOOD4)


def smtp_load(lab, address, port, *options, host="clients", may_fail=False):
    """What tests/lab/smtp_load.c tells of a run; options are its own."""
    done = lab.network.run(host, str(BUILD / "tests/lab/smtp_load"), *map(str, options), address, str(port), timeout=600)
    told = json.loads(done.stdout)
    if told["failed"] and not may_fail:
        raise RuntimeError(f"{address}:{port}: {done.stdout}")
    return told


def ms(micros):
    return f"{micros / 1000:.2f}"
