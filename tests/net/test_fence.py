# SPDX-License-Identifier: GPL-2.0-only
"""Where XDP cannot be attached, nftables drops what it would: the same lists, the same bans.

Twice: another XDP program sits on the interface; and xdp = off.
"""
import contextlib
import signal
import socket
import threading
import time

import pytest
from fence_lab import FenceLab
from netns import GATE4, GOOD4, GOOD6, GUESSER4, GUESSER6, LISTED_ALL4
from postern_lab import GLOBAL_LIST, REPAIR_S, WAIT_S, wait_for

# A banned prefix; its first and its last address; the neighbours before and after.
WHOLE = [
    ("198.18.4.0/22", ["198.18.4.0", "198.18.7.255"], ["198.18.3.255", "198.18.8.0"]),
    ("198.18.16.128/25", ["198.18.16.128", "198.18.16.255"], ["198.18.16.127", "198.18.17.0"]),
    ("198.18.32.4/31", ["198.18.32.4", "198.18.32.5"], ["198.18.32.3", "198.18.32.6"]),
    ("2001:db8:1:4400::/56", ["2001:db8:1:4400::", "2001:db8:1:44ff:ffff:ffff:ffff:ffff"],
     ["2001:db8:1:43ff:ffff:ffff:ffff:ffff", "2001:db8:1:4500::"]),
    ("2001:db8:1:5500::/64", ["2001:db8:1:5500::", "2001:db8:1:5500:ffff:ffff:ffff:ffff"],
     ["2001:db8:1:54ff:ffff:ffff:ffff:ffff", "2001:db8:1:5501::"]),
    ("2001:db8:1:6600::10/127", ["2001:db8:1:6600::10", "2001:db8:1:6600::11"],
     ["2001:db8:1:6600::f", "2001:db8:1:6600::12"]),
]


@pytest.fixture(scope="module", params=["auto", "off"])
def lab(request):
    with FenceLab("fence" + request.param, xdp=request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(lab):
    yield
    lab.cli("unban", "--all", check=False)


def test_status_names_the_fence_and_the_log_the_reason(lab):
    assert lab.fences() == {"nic": "nftables"}
    if lab.settings["xdp"] == "auto":
        assert "somebody else" in lab.events("attach")[0]
    assert lab.cli("verify").returncode == 0


def test_lists_are_enforced_up_to_the_last_address(lab):
    bad = LISTED_ALL4 + ["2001:db8:bad::1", "2001:db8:bad:ffff:ffff:ffff:ffff:ffff"]
    assert lab.answered([GOOD4, GOOD6] + bad) == {GOOD4, GOOD6}
    # webadmin lists two networks, and nothing else.
    with lab.network.inside("gate"), socket.create_server(("::", 8443), family=socket.AF_INET6,
                                                          dualstack_ipv6=True):
        assert lab.answered([GOOD4, GOOD6, "198.18.0.1"] + bad, 8443) == {GOOD4, GOOD6}


@pytest.mark.parametrize("prefix,inside,outside", WHOLE)
def test_whole_prefixes_are_blocked_whole(lab, prefix, inside, outside):
    lab.cli("ban", prefix)
    assert lab.answered(inside + outside) == set(outside)
    lab.cli("unban", prefix)
    assert lab.answered(inside + outside) == set(inside + outside)


def test_a_guesser_is_counted_and_gone(lab):
    lab.cli("ban", GUESSER4)
    lab.cli("ban", GUESSER6)
    before = lab.counters()["dropped_ban"]
    of_its_64 = GUESSER6.replace("::66", ":ffff:ffff:ffff:ffff")
    assert lab.answered([GUESSER4, GUESSER6, of_its_64, GOOD4, GOOD6]) == {GOOD4, GOOD6}
    assert lab.counters()["dropped_ban"] >= before + 3
    assert 'counter name "dropped-ban-global" drop' in lab.nft("list", "table", "inet", "postern")


def test_a_longer_entry_wins_over_a_ban(lab):
    lab.lists["global.list"] = GLOBAL_LIST + "198.18.64.9 PA LL HE\n2001:db8:1:7700::9 PA LL HE\n" \
        "198.18.65.0/24 LL\n198.18.66.0/25 PA\n"
    lab.write_conf()
    lab.cli("reload")
    try:
        for ban in ("198.18.64.0/24", "2001:db8:1:7700::/64", "198.18.66.0/24", "198.18.66.0/26"):
            lab.cli("ban", ban)
        asked = ["198.18.64.8", "198.18.64.9", "198.18.64.10", "2001:db8:1:7700::8", "2001:db8:1:7700::9",
                 "2001:db8:1:7700::a", "198.18.65.1", "198.18.66.1", "198.18.66.64", "198.18.66.128"]
        assert lab.answered(asked) == {"198.18.64.9", "2001:db8:1:7700::9", "198.18.66.64"}
        assert lab.cli("verify").returncode == 0
    finally:
        lab.lists["global.list"] = GLOBAL_LIST
        lab.write_conf()
        lab.cli("reload")
    # Without the entries the same bans hold wholly.
    assert lab.answered(asked) == {"198.18.65.1"}
    assert lab.cli("verify").returncode == 0


def test_a_ban_stops_a_connection_under_way(lab):
    with lab.network.inside("gate"):
        server = socket.create_server((GATE4, 8443))
    with server, lab.connect(GUESSER4, 8443, timeout=30) as client:
        far, _ = server.accept()
        client.sendall(b"before")
        assert far.recv(10) == b"before"
        lab.cli("ban", GUESSER4, "--policy", "webadmin")
        client.sendall(b"after")
        far.settimeout(0.7)
        with pytest.raises(TimeoutError):
            far.recv(10)
        lab.cli("unban", GUESSER4)
        far.settimeout(WAIT_S)
        assert far.recv(10) == b"after"
        far.close()


def test_bans_hold_and_end_on_time_while_the_daemon_is_dead(lab):
    # So many that their sets are not renewed by one batch at the start.
    lab.cli("ban", "-", "--policy", "global", input="".join(f"10.9.{n // 256}.{n % 256}\n" for n in range(20000)))
    began = time.monotonic()
    lab.cli("ban", GUESSER4, "--for", "10s")
    lab.cli("ban", "198.18.4.0/22", "--for", "10s")
    lab.cli("ban", "198.18.16.0/24")
    lab.cli("ban", "192.0.2.67")
    lab.daemon.kill()
    lab.daemon.wait()
    lab.daemon = None
    asked = [GUESSER4, "198.18.4.0", "198.18.7.255", "198.18.16.255", "192.0.2.67", GOOD4]
    # Nobody listens: a SYN that passes is answered by a reset.
    assert lab.answered(asked, seconds=0.7) == {GOOD4}
    wait_for("nftables ends them by itself", lambda: len(lab.answered(asked, seconds=0.5)) == 4, 20)
    assert 9 < time.monotonic() - began
    assert lab.answered(asked) == {GUESSER4, "198.18.4.0", "198.18.7.255", GOOD4}
    stop = threading.Event()
    seen = []

    def knock():
        while not stop.is_set():
            seen.append(lab.answered(["198.18.16.255", "192.0.2.67"], seconds=0.2))

    knocker = threading.Thread(target=knock)
    knocker.start()
    try:
        lab.start()
    finally:
        stop.set()
        knocker.join()
    assert seen and not set().union(*seen), "no packet passes while it starts again"
    assert {row["addr"] for row in lab.bans() if not row["addr"].startswith("10.")} == {"198.18.16.0/24", "192.0.2.67"}
    assert "spare" not in lab.nft("list", "table", "inet", "postern")
    assert lab.cli("verify").returncode == 0


def test_what_somebody_flushes_is_put_back_within_a_second(lab):
    lab.cli("ban", GUESSER4)
    lab.cli("ban", "198.18.4.0/22")
    lab.nft("add", "table", "inet", "firewall")
    for command in (["flush", "ruleset"], ["delete", "table", "inet", "postern"],
                    ["flush", "chain", "inet", "postern", "policy-global"],
                    ["flush", "set", "inet", "postern", "ban4-global"],
                    ["delete", "element", "inet", "postern", "ban4-global", f"{{ {GUESSER4} }}"],
                    ["flush", "set", "inet", "postern", "prefix4-global"],
                    ["add", "element", "inet", "postern", "ban4-global", f"{{ {GOOD4} }}"]):
        count = len(lab.events("fence"))
        lab.nft(*command)
        lab.wait_event("fence", count + 1, REPAIR_S)
        assert lab.answered([GUESSER4, "198.18.7.255", GOOD4], seconds=0.7) == {GOOD4}, command
        if command == ["flush", "ruleset"]:
            assert "firewall" not in lab.nft("list", "ruleset"), "what others removed stays removed"
    assert lab.cli("verify").returncode == 0


@pytest.mark.parametrize("command,said", [
    (("delete", "element", "inet", "postern", "ban4-global", f"{{ {GUESSER4} }}"), (GUESSER4, "not in nftables")),
    (("add", "element", "inet", "postern", "ban4-global", "{ 203.0.113.99 timeout 1h }"),
     ("203.0.113.99", "not banned")),
    (("delete", "element", "inet", "postern", "prefix4-global", "{ 198.18.4.0/22 }"), ("bans of prefixes",)),
    (("add", "element", "inet", "postern", "permit6-global", "{ 2001:db8:bad::5 }"), ("the list",)),
])
def test_verify_tells_what_was_changed_behind_its_back_and_a_restart_repairs_it(lab, command, said):
    lab.cli("ban", GUESSER4)
    lab.cli("ban", "198.18.4.0/22")
    lab.quietly(*command)
    done = lab.cli("verify", check=False)
    assert done.returncode == 1, done.stdout
    assert all(word in done.stdout for word in said + ("nftables",)), done.stdout
    lab.stop()
    lab.start()
    assert lab.cli("verify").returncode == 0


def test_a_reload_under_traffic_loses_no_connection(lab):
    stop, lost, made = threading.Event(), [], []

    def knock():
        while not stop.is_set():
            try:
                lab.connect(GOOD4, timeout=0.9).close()
                made.append(1)
            except OSError as error:
                lost.append(error)

    knocker = threading.Thread(target=knock)
    knocker.start()
    try:
        for n in range(12):
            extra = f"198.18.80.{n} BL\n" + "".join(f"198.19.{i}.{n} BL\n" for i in range(200))
            lab.lists["global.list"] = GLOBAL_LIST + extra
            lab.write_conf()
            lab.cli("reload")
            asked = [f"198.18.80.{n}", f"198.18.80.{n + 1}"]
            assert lab.answered(asked, seconds=0.4) == {asked[1]}
    finally:
        stop.set()
        knocker.join()
        lab.lists["global.list"] = GLOBAL_LIST
        lab.write_conf()
        lab.cli("reload")
    assert not lost and len(made) > 20


@contextlib.contextmanager
def braked(process):
    """The process gets a fifth of its time, as on a machine that has other things to do."""
    assert process.pid > 1
    done = threading.Event()

    def brake():
        while not done.wait(0.05):
            process.send_signal(signal.SIGSTOP)
            done.wait(0.2)
            process.send_signal(signal.SIGCONT)

    thread = threading.Thread(target=brake)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_hundred_thousand_bans_at_once(lab):
    many = [f"10.{n // 65536}.{n // 256 % 256}.{n % 256}" for n in range(100000)]
    began = time.monotonic()
    assert lab.cli("ban", "-", input="\n".join(many) + "\n").returncode == 0
    print(f"100,000 bans in {time.monotonic() - began:.1f} s")
    assert lab.nft("get", "element", "inet", "postern", "ban4-global", f"{{ {many[-1]} }}")
    with braked(lab.daemon):
        assert lab.cli("verify").returncode == 0, "however long it takes to read them all"
    lab.cli("ban", GUESSER4)
    assert not lab.reachable(GUESSER4, timeout=0.5)
    count = len(lab.events("fence"))
    lab.nft("flush", "ruleset")
    lab.wait_event("fence", count + 1)
    assert lab.nft("get", "element", "inet", "postern", "ban4-global", f"{{ {many[-1]} }}")
    lab.cli("unban", "--all", timeout=600)
    assert lab.reachable(GUESSER4)


def test_detach_takes_it_off_and_a_running_daemon_leaves_it_off(lab):
    lab.cli("ban", GUESSER4)
    lab.nft("add", "table", "inet", "firewall")
    lab.detach()
    lab.wait_event("fence", len(lab.events("fence")))
    wait_for("it was seen", lambda: "detach took it off" in lab.log())
    assert lab.nft("list", "ruleset").split() == ["table", "inet", "firewall", "{", "}"]
    lab.cli("reload", check=False)
    assert "postern" not in lab.nft("list", "ruleset"), "it takes a restart"
    assert lab.reachable(GUESSER4), "the gate answers, with a refusal"
    lab.stop()
    lab.start()
    assert not lab.reachable(GUESSER4, timeout=0.5)
    lab.nft("delete", "table", "inet", "firewall")


def test_what_was_put_back_while_detach_was_at_it_is_taken_off_again(lab):
    lab.daemon.send_signal(signal.SIGSTOP)
    try:
        lab.detach()
        lab.quietly("add", "table", "inet", "postern")  # as by the keeper, who has not heard of it
    finally:
        lab.daemon.send_signal(signal.SIGCONT)
    wait_for("it is off", lambda: "postern" not in lab.nft("list", "ruleset"))
    lab.stop()
    lab.start()
    assert lab.cli("verify").returncode == 0


def test_detach_works_with_the_daemon_dead(lab):
    lab.cli("ban", GUESSER4)
    lab.daemon.kill()
    lab.daemon.wait()
    lab.daemon = None
    assert not lab.reachable(GUESSER4, timeout=0.5)
    lab.detach()
    assert lab.nft("list", "ruleset") == ""
    lab.start()
    assert not lab.reachable(GUESSER4, timeout=0.5), "the store still has it"
