# SPDX-License-Identifier: GPL-2.0-only
"""Configuration: mistakes change nothing, a good reload drops nothing, ids and bans stay."""
import threading
import time

import pytest
from netns import GOOD4, GUESSER4
from postern_lab import GLOBAL_LIST, wait_for


@pytest.fixture(autouse=True)
def restore(lab):
    yield
    lab.lists["global.list"] = GLOBAL_LIST
    lab.write_conf(policy="", limits="", top="", ptr="off")
    lab.cli("reload", "--force", check=False)
    lab.cli("unban", "--all", check=False)


def refused(lab, *words):
    done = lab.cli("reload", check=False)
    text = done.stdout + done.stderr
    assert done.returncode == 1, text
    for word in words:
        assert word in text
    assert lab.reachable(GOOD4) and not lab.reachable("203.0.113.5", timeout=0.5)


@pytest.mark.parametrize("line,words", [
    ("192.0.2.300 PA", ["192.0.2.300"]),
    ("192.0.2.1/24 PA", ["192.0.2.1/24", "192.0.2.0/24"]),
    ("192.0.2.0/33 PA", ["33"]),
    ("192.0.2.44 PA XX", ["XX"]),
    ("0.0.0.0/0 PA", ["already", "global.list:1"]),
    ("0.0.0.0/1 PA AA AR", ["open relay", "i-want-an-open-relay"]),
])
def test_a_mistake_in_a_list_changes_nothing_and_is_named(lab, line, words):
    lab.lists["global.list"] = GLOBAL_LIST + line + "\n"
    lab.write_conf()
    number = GLOBAL_LIST.count("\n") + 1
    refused(lab, f"global.list:{number}", *words)


@pytest.mark.parametrize("settings,words", [
    ({"policy": "max-strikes = 0"}, ["max-strikes"]),
    ({"policy": "ban-time = 5parsecs"}, ["ban-time", "5parsecs"]),
    ({"policy": "frobnicate = 1"}, ["frobnicate"]),
    ({"policy": 'lists = { "absent.list" }'}, ["absent.list"]),
    ({"limits": "sessions-max = many"}, ["sessions-max", "many"]),
])
def test_a_mistake_in_the_configuration_changes_nothing_and_is_named(lab, settings, words):
    lab.write_conf(**settings)
    refused(lab, "postern.conf:", *words)


def test_check_validates_without_a_daemon(lab):
    done = lab.network.run("gate", *lab.posternd("--check")[4:], check=False)
    assert done.returncode == 0 and "global" in done.stdout
    lab.write_conf(policy="frobnicate = 1")
    done = lab.network.run("gate", *lab.posternd("--check")[4:], check=False)
    assert done.returncode == 1 and "frobnicate" in done.stdout + done.stderr


def test_a_reload_takes_effect_and_bans_stay(lab):
    lab.cli("ban", GUESSER4)
    assert lab.reachable("192.0.2.73")
    lab.lists["global.list"] = GLOBAL_LIST + "192.0.2.73 BL\n"
    lab.write_conf()
    assert lab.cli("reload").returncode == 0
    assert not lab.reachable("192.0.2.73", timeout=1.0)
    assert not lab.reachable(GUESSER4, timeout=1.0), "a reload forgets no ban"
    assert lab.reachable(GOOD4)


def test_a_reload_that_locks_the_admin_out_needs_force(lab):
    lab.lists["webadmin.list"] = "192.0.2.10 PA\n"
    lab.write_conf()
    env = {"SSH_CONNECTION": "192.0.2.70 50000 192.0.2.1 22", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    try:
        done = lab.cli("reload", check=False, env=env)
        assert done.returncode == 1 and "192.0.2.70" in done.stdout + done.stderr
        assert lab.cli("reload", "--force", env=env).returncode == 0
    finally:
        lab.lists["webadmin.list"] = "192.0.2.0/24 PA\n2001:db8:1::/48 PA\n"


def test_sessions_survive_a_reload(lab):
    client = lab.smtp(GOOD4)
    client.ehlo()
    assert lab.cli("reload").returncode == 0
    assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 250
    client.quit()


def test_no_connection_is_refused_while_reloading(lab):
    stop = threading.Event()
    failures, successes = [], []

    def keep_connecting():
        while not stop.is_set():
            try:
                client = lab.smtp(GOOD4)
                client.ehlo()
                client.quit()
                successes.append(1)
            except Exception as error:
                failures.append(error)

    thread = threading.Thread(target=keep_connecting)
    thread.start()
    try:
        for _ in range(5):
            assert lab.cli("reload").returncode == 0
        wait_for("enough of them", lambda: lab.cli("reload").returncode == 0 and len(successes) > 5)
    finally:
        stop.set()
        thread.join()
    assert not failures


def test_repeated_bans_double(lab):
    lab.write_conf(policy="ban-time = 4s")
    lab.cli("reload")
    lengths = []
    for _ in range(2):
        assert lab.guess("192.0.2.67", 5)[:4] == [535] * 4
        row = wait_for("the ban", lambda: lab.banned("192.0.2.67"))[0]
        lengths.append(row["ends"] - row["began"])
        wait_for("its end", lambda: lab.reachable("192.0.2.67", timeout=0.3))
    assert lengths == [4, 8]


def test_observe_bans_nobody_and_says_what_it_would_have_done(lab):
    lab.write_conf(policy="strikes = observe")
    lab.cli("reload")
    assert lab.guess("192.0.2.68", 6)[:5] == [535] * 5
    lab.wait_event("would-ban")
    assert lab.reachable("192.0.2.68") and not lab.bans()


def test_repeat_credentials_ignore_counts_a_password_once(lab):
    lab.write_conf(policy="repeat-credentials = ignore")
    lab.cli("reload")
    assert lab.guess("192.0.2.69", 7, password="the old one")[:5] == [535] * 5
    time.sleep(0.3)  # nothing must happen: there is no event to wait for
    assert lab.reachable("192.0.2.69") and not lab.bans()


def test_success_credit_forgives_strikes(lab):
    lab.write_conf(policy="success-credit = 1h")
    lab.cli("reload")
    from mailhost import PASSWORD, USER
    lab.guess("192.0.2.70", 3)
    client = lab.smtp("192.0.2.70")
    client.ehlo()
    assert client.login(USER, PASSWORD)[0] == 235
    client.quit()
    assert lab.guess("192.0.2.70", 6)[:5] == [535] * 5
    assert lab.reachable("192.0.2.70") and not lab.bans()


def test_a_wrong_start_changes_nothing_in_the_kernel(lab):
    """A second daemon with the same run-dir must not get in the way of the first."""
    done = lab.network.run("gate", *lab.posternd()[4:], check=False, timeout=30)
    assert done.returncode != 0 and "run" in done.stdout + done.stderr
    assert lab.reachable(GOOD4)


def in_force(lab):
    return lab.rows("status")["generation"]


def test_a_reload_on_trial_is_taken_back_when_nobody_confirms_it(lab):
    before, good = in_force(lab), lab.lists["global.list"]
    (lab.dir / "global.list").write_text(good.replace("0.0.0.0/0          PA", "0.0.0.0/0         "))
    done = lab.cli("reload", "--confirm", "6s")
    assert "postern confirm" in done.stdout
    assert not lab.reachable(GOOD4, timeout=0.5), "the mistake is in force"
    assert any("taken back in" in w for w in lab.rows("status")["warnings"])
    wait_for("the old one comes back", lambda: in_force(lab) == before)
    assert lab.reachable(GOOD4)
    assert lab.cli("verify").returncode == 0
    assert any("result=taken-back" in line for line in lab.events("reload"))
    assert any("was taken back" in w for w in lab.rows("status")["warnings"])
    done = lab.cli("confirm", check=False)
    assert done.returncode == 1 and "no reload waits" in done.stderr
    (lab.dir / "global.list").write_text(good)
    lab.cli("reload")
    assert in_force(lab) > before + 1, "no number comes twice"


def test_what_is_confirmed_stays_and_a_second_trial_goes_back_to_the_first(lab):
    before = in_force(lab)
    lab.cli("reload", "--confirm", "60s")
    assert lab.cli("confirm").returncode == 0
    confirmed = in_force(lab)
    assert confirmed > before
    lab.cli("reload", "--confirm", "60s")
    lab.cli("reload", "--confirm", "1s")
    wait_for("the confirmed one comes back", lambda: in_force(lab) == confirmed)
    lab.cli("reload", "--confirm", "60s")
    lab.cli("reload")
    assert not any("taken back in" in w for w in lab.rows("status")["warnings"])
    assert lab.cli("confirm", check=False).returncode == 1, "nothing is on trial any more"
