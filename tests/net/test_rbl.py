# SPDX-License-Identifier: GPL-2.0-only
"""DNS lists against real servers: rbldnsd behind unbound, and every way in which a list can be wrong."""
import time

import pytest
from dns import Dns, DnsList, wait_tested
from mailhost import DOMAIN, PASSWORD, USER
from netns import MAIL4, sh
from postern_lab import Lab, wait_for

RCPT = f"{USER}@{DOMAIN}"
CLEAN4, ZEN4, OTHER4, BOTH4, ALLOWED4, CODE4, HOSTILE4, KEPT4 = (
    f"192.0.2.{n}" for n in (10, 66, 67, 68, 69, 70, 71, 73))
CLEAN6, ZEN6 = "2001:db8:1:67::1", "2001:db8:1:66::66"
UNFLAGGED4 = "192.0.2.12"

GLOBAL_LIST = f"""\
0.0.0.0/0      PA AS LL RBL
::/0           PA AS LL RBL
{UNFLAGGED4}   PA AS LL
"""

LISTS = """
rbl zen { zone = "zen.example.net" weight = 3 replies = { "127.0.0.[2..11]" } }
rbl other { zone = "other.example.net." weight = 1 }
rbl good { zone = "good.example.net" weight = 2 type = allow ipv6 = no }
"""
POLICY = """strikes = off
	rbls = { "zen", "other", "good" }
	rbl-threshold = 2"""

HOSTILE_TEXT = 'a\\"b\\\\c 550 no' + "x" * 300


def dns_lists():
    return {
        "zen.example.net": DnsList([ZEN4, BOTH4, ALLOWED4, f"{CODE4} :127.0.0.12:not this one", UNFLAGGED4, KEPT4,
                                    f"{HOSTILE4} :127.0.0.2:{HOSTILE_TEXT}", "2001:db8:1:66::/64"],
                                   text="https://zen.example.net/query/ip/$"),
        "other.example.net": DnsList([OTHER4, BOTH4], text="seen on other"),
        "good.example.net": DnsList([ALLOWED4]),
    }


@pytest.fixture(scope="module")
def running():
    lab = Lab("rbl", dns=f'"{MAIL4}"', top=LISTS, policy=POLICY)
    lab.lists["global.list"] = GLOBAL_LIST
    dns = Dns(lab)
    dns.lists = dns_lists()
    with dns.before_the_daemon():
        wait_tested(lab)
        yield lab, dns


@pytest.fixture
def change(running):
    """Put settings, lists and faults in force for one test, in a daemon started anew: each list is tested then."""
    lab, dns = running
    before, lists, changed = dict(lab.settings), dict(dns.lists), []

    def write(lists=None, faults=None, restart=True, **settings):
        changed.append(True)
        dns.lists.update(lists or {})
        dns.faults = faults or {}
        dns.apply()
        lab.write_conf(**settings)
        if restart:
            lab.stop()
            lab.start()
            wait_tested(lab)
        else:
            lab.cli("reload")
    yield write
    if changed:
        dns.lists = lists
        write(**before)


def health(lab, name):
    return next(r for r in lab.rows("status")["rbls"] if r["name"] == name)


def counts(lab):
    return next(p["checks"] for p in lab.rows("status")["policies"] if p["name"] == "global")


@pytest.mark.parametrize("source", [CLEAN4, CLEAN6, OTHER4, ALLOWED4, CODE4, UNFLAGGED4])
def test_who_is_listed_nowhere_or_not_enough_may_deliver(running, source):
    lab, _ = running
    assert lab.rcpt(source) == (250, b"2.1.5 Ok")


@pytest.mark.parametrize("source,words", [
    (ZEN4, f"554 5.7.1 {ZEN4} is listed by zen: https://zen.example.net/query/ip/{ZEN4}"),
    (ZEN6, f"554 5.7.1 {ZEN6} is listed by zen: https://zen.example.net/query/ip/{ZEN6}"),
])
def test_who_is_listed_is_told_by_whom_and_why(running, source, words):
    lab, _ = running
    code, text = lab.rcpt(source)
    assert f"{code} {text.decode()}" == words
    wait_for("a summary", lambda: any(
        f"addr={source} " in line and "checks=rbl:hit" in line and "verdict=refuse-rbl" in line
        and "from=\"a@example.com\"" in line and f"rcpt=\"{RCPT}\"" in line for line in lab.events("close")))
    found = wait_for("a finding", lambda: [f for f in lab.rows("why", source)["findings"] if f["check"] == "rbl"])
    assert found[0]["result"] == "hit" and found[0]["why"] in words


def test_lists_add_up_and_it_ends_as_soon_as_that_is_enough(running, change):
    lab, _ = running
    assert lab.rcpt(BOTH4)[0] == 554  # by zen alone, or with other, whoever replies first
    change(policy=POLICY.replace("rbl-threshold = 2", "rbl-threshold = 4"), restart=False)
    assert lab.rcpt(ZEN4)[0] == 250
    code, text = lab.rcpt(BOTH4)
    assert code == 554
    assert text.decode() == f"5.7.1 {BOTH4} is listed by zen, other: https://zen.example.net/query/ip/{BOTH4}"


def test_pipelined_recipients_are_each_refused_in_order(running):
    lab, _ = running
    client = lab.smtp(ZEN4)
    client.ehlo()
    client.sock.sendall(b"MAIL FROM:<a@example.com>\r\n" + f"RCPT TO:<{RCPT}>\r\n".encode() * 3 + b"RSET\r\nNOOP\r\n")
    codes = [client.getreply()[0] for _ in range(6)]
    client.close()
    assert codes == [250, 554, 554, 554, 250, 250]


def test_the_text_of_a_list_is_cut_and_cannot_break_the_reply(running):
    lab, _ = running
    code, text = lab.rcpt(HOSTILE4)
    assert code == 554 and text.startswith(f"5.7.1 {HOSTILE4} is listed by zen: a".encode())
    assert text.endswith(b"...") and len(text) < 250 and b"\n" not in text


def test_who_logs_in_is_exempt(running):
    lab, _ = running
    client = lab.smtp(ZEN4, port=587)
    client.ehlo()
    client.login(USER, PASSWORD)
    assert client.docmd("MAIL", "FROM:<a@example.org>")[0] == 250
    assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    client.close()
    assert lab.rcpt(ZEN4)[0] == 554


def test_what_is_known_is_not_asked_again(running):
    lab, dns = running
    dns.ttl = dns.cache_ttl = 60
    dns.apply()
    try:
        assert lab.rcpt(KEPT4)[0] == 554
        dns.stop()
        assert lab.rcpt(KEPT4)[0] == 554
    finally:
        dns.ttl = dns.cache_ttl = 1
        dns.start()


def test_lists_are_shown(running):
    lab, _ = running
    assert health(lab, "zen")["ipv4"] == health(lab, "zen")["ipv6"] == "works"
    assert health(lab, "good")["ipv4"] == "works" and health(lab, "good")["ipv6"] is None
    line = next(row for row in lab.cli("status").stdout.splitlines() if row.startswith("zen "))
    assert line.split()[:4] == ["zen", "zen.example.net", "works", "works"]
    assert "rbl\tgood\tipv4\tworks\n" in lab.cli("status", "--tsv").stdout
    assert lab.rows("status")["dns"]["asked"] > 0 and not lab.rows("status")["dns"]["silent"]


# ---- lists that are wrong

def suspended(lab, name, words):
    row = health(lab, name)
    assert row["ipv4"] == "suspended" and words in row["why"], row
    assert any(f"list={name} " in line and words in line for line in lab.events("rbl-suspended"))
    assert any(name in w and words in w for w in lab.rows("status")["warnings"])


@pytest.mark.parametrize("entries,words", [
    (["0.0.0.0/0"], "lists everybody"),
    (["0.0.0.0/0 :127.255.255.254:query refused"], "your resolver is public"),
    (["0.0.0.0/0 :127.255.255.255:too much"], "you ask too much"),
    (["0.0.0.0/0 :203.0.113.80:parked"], "outside of 127.0.0.0/8"),
])
def test_a_list_that_answers_everybody_is_suspended(running, change, entries, words):
    lab, _ = running
    change(lists={"zen.example.net": DnsList(entries, test_entries=False)})
    suspended(lab, "zen", words)
    assert lab.rcpt(ZEN4)[0] == 250  # and refuses nobody
    assert lab.rcpt(CLEAN4)[0] == 250


def test_an_empty_list_is_suspended(running, change):
    lab, _ = running
    change(lists={"zen.example.net": DnsList([ZEN4], test_entries=False)})
    suspended(lab, "zen", "does not list its test entry 127.0.0.2")
    assert lab.rcpt(ZEN4)[0] == 250


def test_one_error_code_amid_good_replies_is_no_hit(running, change):
    lab, _ = running
    change(lists={"zen.example.net": DnsList([f"{ZEN4} :127.255.255.254:public", f"{CODE4} :192.0.2.1:alien", OTHER4])})
    assert health(lab, "zen")["ipv4"] == "works"
    assert lab.rcpt(ZEN4)[0] == 250
    assert lab.rcpt(CODE4)[0] == 250
    assert lab.rcpt(OTHER4)[0] == 554


@pytest.mark.parametrize("fault", ["dead", "silent", "lame"])
def test_a_dead_list_is_suspended_and_costs_nobody_anything(running, change, fault):
    lab, _ = running
    change(faults={"zen.example.net": fault})
    assert health(lab, "zen")["ipv4"] == "suspended"
    assert health(lab, "other")["ipv4"] == "works"
    began = time.monotonic()
    assert lab.rcpt(ZEN4)[0] == 250
    assert time.monotonic() - began < 3, "less than the timeout of a list"


def test_a_list_that_dies_costs_its_timeout_and_decides_nothing(running, change):
    lab, dns = running
    change(faults={"zen.example.net": "silent"}, restart=False,
           policy=POLICY + "\n\tdns-failure = defer", top=LISTS.replace("weight = 3", "weight = 3 timeout = 1s"))
    began = time.monotonic()
    code, text = lab.rcpt(OTHER4)  # 1 of 2, and zen could have decided
    assert code == 451 and 0.9 < time.monotonic() - began < 20
    wait_for("a summary", lambda: any("checks=rbl:unknown" in line and "no usable reply of zen" in line
                                      for line in lab.events("close")))
    # The answer of the others is enough where zen cannot change it.
    change(faults={"other.example.net": "silent"}, restart=False)
    began = time.monotonic()
    assert lab.rcpt(ALLOWED4)[0] in (250, 451)


def test_one_that_observes_says_what_it_would_have_done(running, change):
    lab, _ = running
    change(policy=POLICY + "\n\trbl = observe", restart=False)
    client = lab.smtp(ZEN4)
    client.ehlo()
    client.docmd("MAIL", "FROM:<a@example.com>")
    assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    found = wait_for("a finding", lambda: [f for f in lab.rows("why", ZEN4)["findings"]
                                           if f["check"] == "rbl" and f["result"] == "would-refuse"])
    assert "listed by zen" in found[0]["why"]
    client.close()
    wait_for("a summary", lambda: any("checks=rbl:would" in line and "verdict=observe-rbl" in line
                                      for line in lab.events("close")))
    # Who has gone before the lists reply is counted all the same.
    count = counts(lab)["rbl_would"]
    for n in range(5):
        assert lab.rcpt(BOTH4)[0] == 250
        wait_for("a count", lambda: counts(lab)["rbl_would"] == count + n + 1)


def test_the_checker_may_die_and_lists_are_tested_anew(running):
    lab, _ = running
    before = lab.pids("checker")
    sh("kill", "-9", str(before[0]))
    wait_for("a new checker", lambda: lab.pids("checker") not in ([], before))
    wait_for("it refuses again", lambda: lab.rcpt(ZEN4)[0] == 554)
