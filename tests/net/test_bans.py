# SPDX-License-Identifier: GPL-2.0-only
"""Strikes, autoban, ban and unban, in the kernel, with real refusals of a real Postfix."""
import base64
import json
import time

import pytest
from mailhost import DOMAIN, PASSWORD, USER
from netns import GATE4, GATE6, GOOD4, GUESSER4, GUESSER6
from postern_lab import wait_for


@pytest.fixture(autouse=True)
def unbanned(lab):
    """Each test begins without bans and without strikes."""
    lab.cli("unban", "--all", check=False)
    for address in ("192.0.2.66", "192.0.2.67", "192.0.2.68", "192.0.2.69", "2001:db8:1:66::/64"):
        lab.cli("unban", address, check=False)
    yield


def login(client, password, user=USER):
    token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    return client.docmd("AUTH", f"PLAIN {token}")[0]


def strikes(lab, address):
    return json.loads(lab.cli("why", address, "--json", check=False).stdout)["strikes"]


def test_five_refused_logins_ban_the_address_in_the_kernel(lab):
    assert lab.guess(GUESSER4, 4) == [535] * 4
    assert lab.reachable(GUESSER4), "four are not enough"
    assert lab.guess(GUESSER4, 1) == [535]
    wait_for("the ban", lambda: lab.banned(GUESSER4))
    assert not lab.reachable(GUESSER4, timeout=1.0)
    assert not lab.reachable(GUESSER4, 587, timeout=1.0), "the ban holds for every service of the policy"
    assert lab.reachable(GOOD4)
    row = lab.banned(GUESSER4)[0]
    assert row["policy"] == "global" and 3500 < row["ends"] - time.time() <= 3600
    assert row["packets"] > 0, "the drop counter moves"


def test_ipv6_is_counted_and_banned_by_its_64(lab):
    assert lab.guess(GUESSER6, 3) == [535] * 3
    assert lab.guess("2001:db8:1:66::67", 2) == [535] * 2
    wait_for("the ban", lambda: lab.banned("2001:db8:1:66::/64"))
    assert not lab.reachable("2001:db8:1:66::67", timeout=1.0)
    assert lab.reachable("2001:db8:1:67::1"), "the neighbouring /64 is another client"


def test_strikes_count_across_services(lab):
    assert lab.guess(GUESSER4, 3, port=25) == [535] * 3
    assert lab.guess(GUESSER4, 2, port=587) == [535] * 2
    wait_for("the ban", lambda: lab.banned(GUESSER4))


def test_refused_recipients_are_strikes(lab):
    client = lab.smtp("192.0.2.67")
    client.ehlo()
    client.docmd("MAIL", "FROM:<a@example.com>")
    for n in range(5):
        client.docmd("RCPT", f"TO:<nobody{n}@{DOMAIN}>")
    wait_for("the ban", lambda: lab.banned("192.0.2.67"))
    assert not lab.reachable("192.0.2.67", timeout=1.0)


def test_every_session_of_a_banned_address_ends_at_once(lab):
    client = lab.smtp("192.0.2.68")
    client.ehlo()
    lab.cli("ban", "192.0.2.68")
    # XDP drops what the gate sends back no longer: the session must be gone at the gate itself.
    wait_for("no session is left",
             lambda: not [r for r in lab.rows("sessions") if r["addr"] == "192.0.2.68"])
    client.close()


@pytest.mark.parametrize("why,command", [
    ("a mechanism that is not offered", "AUTH GSSAPI"),
    ("broken base64", "AUTH PLAIN ====="),
    ("an empty credential", "AUTH PLAIN AAA="),
])
def test_what_is_no_refused_credential_is_no_strike(lab, why, command):
    for _ in range(6):
        client = lab.smtp("192.0.2.69")
        client.ehlo()
        client.docmd(command)
        client.close()
    assert strikes(lab, "192.0.2.69") == [], why
    assert lab.reachable("192.0.2.69")


def test_a_cancelled_login_is_no_strike(lab):
    client = lab.smtp("192.0.2.69")
    client.ehlo()
    for _ in range(6):
        assert client.docmd("AUTH LOGIN")[0] == 334
        assert client.docmd("*")[0] == 501
    client.quit()
    assert strikes(lab, "192.0.2.69") == []


def test_a_multi_step_login_that_is_refused_is_a_strike_with_its_user(lab):
    client = lab.smtp("192.0.2.69")
    client.ehlo()
    assert client.docmd("AUTH LOGIN")[0] == 334
    assert client.docmd(base64.b64encode(b"anna").decode())[0] == 334
    assert client.docmd(base64.b64encode(b"guess").decode())[0] == 535
    client.quit()
    seen = wait_for("the strike", lambda: strikes(lab, "192.0.2.69"))
    assert seen[0]["user"] == "anna" and seen[0]["service"] == "smtp"
    assert "guess" not in lab.log()


def test_a_dead_auth_daemon_is_no_strike(lab):
    sessions = [lab.smtp("192.0.2.69", timeout=30) for _ in range(6)]
    for client in sessions:
        assert client.ehlo()[0] == 250
    lab.mail.kill_dovecot()
    try:
        assert [login(client, "guess") for client in sessions] == [454] * 6
    finally:
        lab.mail.start_dovecot()
    for client in sessions:
        client.close()
    assert strikes(lab, "192.0.2.69") == []
    assert lab.reachable("192.0.2.69")


def test_an_entry_without_ll_is_never_counted(lab):
    assert lab.guess("192.0.2.12", 7)[:5] == [535] * 5
    assert strikes(lab, "192.0.2.12") == []
    assert lab.reachable("192.0.2.12")


def test_never_ban_is_never_banned(lab):
    lab.guess("192.0.2.13", 7)
    assert lab.reachable("192.0.2.13")
    done = lab.cli("ban", "192.0.2.13", check=False)
    assert done.returncode == 1 and "never-ban" in done.stdout + done.stderr


@pytest.mark.parametrize("address,word", [
    (GATE4, "own"), (GATE6, "own"), ("198.51.100.2", "backend"), ("127.0.0.1", "loopback"),
    ("192.0.2.0/29", "own")])
def test_promise_4_refuses(lab, address, word):
    done = lab.cli("ban", address, check=False)
    assert done.returncode == 1
    assert word in done.stdout + done.stderr
    assert lab.bans() == []


def test_the_admins_own_address_needs_force(lab):
    env = {"SSH_CONNECTION": "192.0.2.70 50000 192.0.2.1 22", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    assert lab.cli("ban", "192.0.2.70", check=False, env=env).returncode == 1
    assert lab.bans() == []
    assert lab.cli("ban", "192.0.2.70", "--force", env=env).returncode == 0
    assert lab.banned("192.0.2.70")


def test_ban_and_unban_by_hand(lab):
    lab.cli("ban", "192.0.2.72/31", "--for", "1h", "--reason", "complaints", "--policy", "global")
    row = lab.banned("192.0.2.72/31")[0]
    assert row["why"].find("complaints") >= 0 and row["policy"] == "global"
    assert not lab.reachable("192.0.2.72", timeout=1.0) and not lab.reachable("192.0.2.73", timeout=1.0)
    assert lab.reachable("192.0.2.71") and lab.reachable(GOOD4)
    done = lab.cli("unban", "192.0.2.72/31")
    assert "192.0.2.72/31" in done.stdout
    assert lab.reachable("192.0.2.72") and lab.reachable("192.0.2.73")
    assert lab.cli("unban", "192.0.2.72/31", check=False).returncode == 1


def test_unban_of_a_range_removes_what_lies_inside(lab):
    lab.cli("ban", "192.0.2.70", "192.0.2.71", "192.0.2.73")
    done = lab.cli("unban", "192.0.2.70/31")
    assert "192.0.2.70" in done.stdout and "192.0.2.71" in done.stdout
    assert {row["addr"] for row in lab.bans()} == {"192.0.2.73"}


def test_a_ban_ends_on_time(lab):
    lab.cli("ban", "192.0.2.71", "--for", "5s")
    assert not lab.reachable("192.0.2.71", timeout=0.5)
    wait_for("the end of the ban", lambda: lab.reachable("192.0.2.71", timeout=0.3), 20)
    wait_for("it is off the list", lambda: not lab.banned("192.0.2.71"))


def test_a_second_ban_changes_the_end(lab):
    lab.cli("ban", "192.0.2.71", "--for", "1h")
    lab.cli("ban", "192.0.2.71", "--for", "10h")
    rows = lab.banned("192.0.2.71")
    assert all(9 * 3600 < row["ends"] - time.time() <= 10 * 3600 for row in rows)


def test_lists_from_standard_input(lab):
    many = [f"100.{64 + n // 65536}.{n // 256 % 256}.{n % 256}" for n in range(100000)]
    begun = time.monotonic()
    done = lab.cli("ban", "-", "--policy", "global", "--for", "1d", input="\n".join(many) + "\n")
    took = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    print(f"banned 100,000 addresses in {took:.1f} s")
    assert sum(1 for _ in lab.bans()) == 100000
    assert lab.cli("verify").returncode == 0
    done = lab.cli("unban", "-", input="\n".join(many) + "\n")
    assert lab.bans() == []


def test_bad_input_is_quoted(lab):
    for text in ("10.0.0.0/33", "192.0.2.1/24", "nonsense"):
        done = lab.cli("ban", text, check=False)
        assert done.returncode == 2 and text in done.stderr
    done = lab.cli("ban", "-", input="192.0.2.70\nwrong\n", check=False)
    assert done.returncode == 2 and "wrong" in done.stderr and "2" in done.stderr
    assert lab.bans() == []


def test_why_explains_a_ban(lab):
    lab.guess(GUESSER4, 5, user="anna")
    wait_for("the ban", lambda: lab.banned(GUESSER4))
    done = lab.cli("why", GUESSER4, check=False)
    assert done.returncode == 1, "it would not pass"
    for word in ("anna", "smtp", "global.list", "535 5.7.8"):
        assert word in done.stdout
    assert lab.cli("why", GOOD4).returncode == 0


def test_the_kernel_says_the_same_as_the_cli(lab):
    lab.cli("ban", GUESSER4, "--policy", "global")
    rows = [r for r in lab.dump("bans") if r["key"]["addr"][:4] == [192, 0, 2, 66]]
    assert len(rows) == 1 and rows[0]["value"]["ends_ns"] > 0


def test_events_are_followed(lab):
    import subprocess
    from postern_lab import BUILD
    command = lab.network.command("gate", str(BUILD / "postern"), "--socket",
                                  str(lab.dir / "run/control.sock"), "events", "--follow", "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        wait_for("the follower is heard", lambda: "cmd=events" in lab.log())
        lab.cli("ban", "192.0.2.71", "--policy", "global")
        line = follower.stdout.readline()
        follower.terminate()
    assert "192.0.2.71" in line and "ban" in line


def test_success_is_no_strike(lab):
    client = lab.smtp("192.0.2.69")
    client.ehlo()
    assert login(client, PASSWORD) == 235
    client.quit()
    assert strikes(lab, "192.0.2.69") == []
