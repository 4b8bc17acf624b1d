# SPDX-License-Identifier: GPL-2.0-only
"""postern verify: finds what somebody changed in the kernel by hand, and nothing when all is well."""
import subprocess
import threading
import time

import pytest
from netns import GUESSER4
from postern_lab import BUILD, wait_for

MANY = [f"100.{64 + n // 65536}.{n // 256 % 256}.{n % 256}" for n in range(30000)]
STRANGER = ["cb", "00", "71", "63", "00", "00", "00", "00", "04", "00", "00", "00"]  # 203.0.113.99, IPv4, policy 0


@pytest.fixture(autouse=True)
def restore(lab):
    yield
    lab.cli("unban", "--all", check=False)
    lab.stop()
    lab.start()
    assert lab.cli("verify").returncode == 0, "a restart puts everything right"


def bpftool(lab, verb, pin, *args):
    return lab.network.run("gate", "bpftool", "map", verb, "pinned", str(lab.dir / "bpf/postern" / pin), *args)


def differs(lab, *words):
    done = lab.cli("verify", check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    for word in words:
        assert word in done.stdout


def hexes(numbers):
    return [f"{n:02x}" for n in numbers]


def first_ban(lab):
    row = lab.rows("bans")[0]
    octets = hexes(int(n) for n in row["addr"].split("."))
    return octets + ["00"] * 4 + ["04", "00", "00", "00"]


def test_a_ban_that_was_taken_out_of_the_kernel(lab):
    lab.cli("ban", GUESSER4, "--policy", "global")
    bpftool(lab, "delete", "bans", "key", "hex", *first_ban(lab))
    differs(lab, GUESSER4, "not in the kernel")


def test_a_ban_that_was_put_into_the_kernel(lab):
    ends = ["ff"] * 7 + ["7f"]
    bpftool(lab, "update", "bans", "key", "hex", *STRANGER, "value", "hex", *ends, *["00"] * 16)
    differs(lab, "203.0.113.99", "not banned")


def test_a_ban_whose_end_was_changed(lab):
    lab.cli("ban", GUESSER4, "--policy", "global")
    ends = ["ff"] * 7 + ["7f"]
    bpftool(lab, "update", "bans", "key", "hex", *first_ban(lab), "value", "hex", *ends, *["00"] * 16)
    differs(lab, GUESSER4, "another time")


def test_an_entry_of_a_list_that_was_changed(lab):
    key = ["20", "00", "00", "00", *hexes((192, 0, 2, 11))]
    bpftool(lab, "update", "policy-global-4", "key", "hex", *key, "value", "hex", "00", "00", "00", "00", "20", "00",
            "00", "00")
    differs(lab, "global", "entries differ")


def test_a_list_that_was_taken_away(lab):
    bpftool(lab, "delete", "policies4", "key", "hex", "00", "00", "00", "00")
    differs(lab, "global")


def test_a_list_that_was_replaced_by_another(lab):
    other = str(lab.dir / "bpf/postern/policy-webadmin-4")
    bpftool(lab, "update", "policies4", "key", "hex", "00", "00", "00", "00", "value", "pinned", other)
    differs(lab, "global")


def test_a_port_that_is_guarded_no_more_and_one_too_many(lab):
    row = next(r for r in lab.dump("services") if r["key"]["port"] == 25)
    assert row["value"]["policy"] == 0
    bpftool(lab, "delete", "services", "key", "hex", "19", "00", "00", "00")
    differs(lab, "port 25")
    bpftool(lab, "update", "services", "key", "hex", "1a", "00", "00", "00", "value", "hex", *["00"] * 8)
    differs(lab, "port 26")


def test_several_at_once_all_find_the_difference(lab):
    done = lab.cli("ban", "-", "--policy", "global", input="\n".join(MANY) + "\n")
    assert done.returncode == 0
    bpftool(lab, "update", "bans", "key", "hex", *STRANGER, "value", "hex", *["ff"] * 7, "7f", *["00"] * 16)
    command = lab.network.command("gate", str(BUILD / "postern"), "--socket", str(lab.dir / "run/control.sock"),
                                  "verify")
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    answers = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [1] * 6
    assert all("203.0.113.99" in answer for answer in answers)


def test_nothing_differs_while_bans_end(lab):
    some = MANY[:6000]
    for seconds in (1, 2, 3):
        lab.cli("ban", "-", "--policy", "global", "--for", f"{seconds}s",
                input="\n".join(some[seconds - 1::3]) + "\n")
    ends = time.monotonic() + 6
    while time.monotonic() < ends:
        done = lab.cli("verify", check=False)
        assert done.returncode == 0, done.stdout
    wait_for("the list is empty", lambda: not lab.bans())


def test_nothing_differs_while_bans_come_and_go(lab):
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            lab.cli("ban", "-", "--policy", "global", input="\n".join(MANY[:2000]) + "\n", check=False)
            lab.cli("unban", "-", input="\n".join(MANY[:2000]) + "\n", check=False)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(10):
            done = lab.cli("verify", check=False)
            assert done.returncode == 0, done.stdout
    finally:
        stop.set()
        thread.join()
