# SPDX-License-Identifier: GPL-2.0-only
"""dos-syn-rate: connections that a client may begin; more are dropped in the kernel, counted and said."""
import time

import pytest
from forge import forger
from netns import CLIENT4, CLIENT6, GOOD4, GOOD6
from postern_lab import wait_for

BURST = 10
RATE = f"dos-syn-rate = 1\n\tdos-syn-burst = {BURST}"
LAB = {"syns": RATE}
FLOODER, SPARED = CLIENT4[4], CLIENT4[3]  # the second is in never-ban


@pytest.fixture(autouse=True)
def restored(lab):
    yield
    if lab.settings["syns"] != RATE:
        lab.write_conf(syns=RATE)
        lab.cli("reload")


def source(lab, address):
    """What the kernel knows of it: (passed, over)."""
    octets = [int(n) for n in address.split(".")]
    for row in lab.dump("syn_sources"):
        if row["key"]["family"] == 4 and row["key"]["addr"][:4] == octets:
            return row["value"]["passed"], row["value"]["over"]
    return 0, 0


def counted(lab, name):
    status = lab.rows("status")
    status = status[0] if isinstance(status, list) else status
    return next(p for p in status["policies"] if p["name"] == "global")["counters"][name]


def begin(lab, address, count):
    with forger(lab.network) as send:
        for n in range(count):
            send(address, n)


def sent(lab, address, count):
    begin(lab, address, count)
    wait_for("all have come", lambda: sum(source(lab, address)) >= count)
    return source(lab, address)


def test_the_default_is_in_the_kernel(lab):
    lab.write_conf(syns="")
    lab.cli("reload")
    limits = [row["value"] for row in lab.dump("syn_limits") if row["value"]["mode"]]
    assert {(v["mode"], v["rate"], v["burst"]) for v in limits} == {(2, 20, 100)}


def test_the_burst_passes_and_what_is_over_it_is_dropped(lab):
    dropped = counted(lab, "dropped_syn_rate")
    started = time.monotonic()
    assert sent(lab, FLOODER, BURST) == (BURST, 0), "at the burst"
    passed, over = sent(lab, FLOODER, BURST + 5)
    refilled = int(time.monotonic() - started) + 1
    assert over >= BURST + 5 - refilled and passed <= BURST + refilled
    assert counted(lab, "dropped_syn_rate") - dropped == over
    # A second gives it one back: so empty it again just before.
    wait_for("it is dropped", lambda: begin(lab, FLOODER, BURST) or not lab.reachable(FLOODER, timeout=0.3))
    assert lab.reachable(GOOD4) and lab.reachable(GOOD6)
    wait_for("time fills it", lambda: lab.reachable(FLOODER))


def test_a_session_that_stands_is_not_touched(lab):
    address = CLIENT4[5]
    client = lab.smtp(address)
    begin(lab, address, 3 * BURST)
    wait_for("it is over", lambda: source(lab, address)[1] > 0)
    assert client.ehlo()[0] == 250 and client.noop()[0] == 250
    client.quit()


def test_ipv6_is_counted_by_64(lab):
    one, other = CLIENT6[1:3]  # of one /64

    def is_dropped():
        for _ in range(BURST):
            lab.reachable(one, timeout=0.01)
        return not lab.reachable(other, timeout=0.3)
    wait_for("the other is dropped", is_dropped)
    assert lab.reachable(CLIENT6[3]), "the /64 beside it"


def test_who_may_never_be_banned_has_no_limit(lab):
    assert sent(lab, SPARED, 3 * BURST) == (3 * BURST, 0)


def test_observe_counts_and_lets_pass(lab):
    address = CLIENT4[6]
    would = counted(lab, "would_drop_syn_rate")
    lab.write_conf(syns=RATE + "\n\tdos = observe")
    lab.cli("reload")
    begin(lab, address, 2 * BURST)
    wait_for("it is counted", lambda: counted(lab, "would_drop_syn_rate") > would)
    assert lab.reachable(address)


@pytest.mark.parametrize("setting", ["dos-syn-rate = 0", "dos = off"])
def test_off_counts_nobody(lab, setting):
    lab.write_conf(syns=setting)
    lab.cli("reload")
    address = CLIENT4[7]
    begin(lab, address, 3 * BURST)
    assert lab.reachable(address)
    assert source(lab, address) == (0, 0)


def test_verify_finds_another_limit(lab):
    pin = str(lab.dir / "bpf/postern/syn_limits")
    policy = next(row["key"] for row in lab.dump("policy_names") if row["value"]["name"] == "global")
    lab.network.run("gate", "bpftool", "map", "update", "pinned", pin, "key", "hex", f"{policy:02x}", "00", "00", "00",
                    "value", "hex", *["02", "00", "00", "00", "07", "00", "00", "00", "07", "00", "00", "00"],
                    *["00"] * 4)
    done = lab.cli("verify", check=False)
    assert done.returncode == 1 and "dos-syn-rate" in done.stdout
    lab.cli("reload")
    assert lab.cli("verify").returncode == 0, "a reload puts it right"


@pytest.mark.parametrize("setting", ["dos-syn-rate = 1000001", "dos-syn-burst = 0", "dos-syn-rate = fast"])
def test_wrong_values_change_nothing(lab, setting):
    lab.write_conf(syns=setting)
    done = lab.cli("reload", check=False)
    assert done.returncode == 1 and setting.split(" ")[0] in done.stdout + done.stderr
