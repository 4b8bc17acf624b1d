# SPDX-License-Identifier: GPL-2.0-only
"""Strikes of POP3: at once, together with those of SMTP, and the end of a session that guesses."""

from mailhost import PASSWORD, USER
from netns import GOOD4, GUESSER4, GUESSER6
from pop3_lab import Raw, closed, field, pop3_service
from postern_lab import wait_for

LAB = {"services": pop3_service(), "gates": 2}


def test_a_strike_is_counted_while_the_session_goes_on(lab):
    with Raw(lab, "192.0.2.67") as client:
        assert client.login(USER, "wrong") == "-ERR [AUTH] Authentication failed."
        line = lab.wait_event("strike")[-1]
        assert field(line, "kind") == "login" and field(line, "service") == "pop3"
        assert 'reply="-ERR [AUTH] Authentication failed."' in line
        assert field(line, "user") == USER and field(line, "count") == "1"
        assert client.login(USER, PASSWORD).startswith("+OK")


def test_bad_logins_of_pop3_and_smtp_count_together(lab):
    assert lab.guess(GUESSER4, 2) == [535, 535]
    with Raw(lab, GUESSER4) as client:
        assert client.login(USER, "wrong-1").startswith("-ERR")
        assert client.login(USER, "wrong-2").startswith("-ERR")
    assert not lab.banned(GUESSER4)
    assert lab.guess(GOOD4, 1) == [535]  # somebody else's
    assert not lab.banned(GUESSER4)
    smtp_guess_fifth(lab)
    assert not lab.reachable(GUESSER4, 110, timeout=1.0) and not lab.reachable(GUESSER4, 25, timeout=1.0)
    why = lab.cli("why", GUESSER4, check=False).stdout
    assert "pop3" in why and "smtp" in why and USER in why
    lab.cli("unban", GUESSER4)


def smtp_guess_fifth(lab):
    client = lab.smtp(GUESSER4)
    client.ehlo()
    client.send("AUTH PLAIN AGFubmEAZmlmdGg=\r\n")
    wait_for("the fifth bans", lambda: lab.banned(GUESSER4))
    client.close()


def test_the_session_that_guesses_is_ended(lab):
    with Raw(lab, GUESSER6) as client:
        client.send("".join(f"USER {USER}\r\nPASS wrong-{n}\r\n" for n in range(7)))
        assert len(client.rest().splitlines()) <= 11
    line = closed(lab, client.port)
    assert field(line, "reason") in ("logins", "banned") and field(line, "strikes") == "5"
    assert lab.banned("2001:db8:1:66::/64")
    lab.cli("unban", "2001:db8:1:66::/64")


def test_at_the_limit_the_client_is_told_so(lab):
    """never-ban holds for this address: so the session ends by itself, and says why."""
    with Raw(lab, "192.0.2.13") as client:
        client.send("".join(f"USER {USER}\r\nPASS wrong-{n}\r\n" for n in range(7)))
        lines = client.rest().decode().splitlines()
    assert lines == ["+OK", "-ERR [AUTH] Authentication failed."] * 5 + ["-ERR [AUTH] too many refused logins"]
    assert field(closed(lab, client.port), "reason") == "logins"


def test_an_address_that_is_not_counted_may_guess(lab):
    with Raw(lab, "192.0.2.12") as client:
        for n in range(7):
            assert client.login(USER, f"wrong-{n}").startswith("-ERR")
    assert field(closed(lab, client.port), "strikes") == "0"


def test_a_ban_cuts_both_legs_and_says_nothing_amid_a_mailbox(lab):
    with Raw(lab, GOOD4) as client:
        assert client.login(USER, PASSWORD).startswith("+OK")
        connections = lab.network.run("mail", "ss", "-Htn", "state", "established", "sport = :1110").stdout
        assert connections.strip()
        lab.cli("ban", GOOD4, "--force", "--for", "1m")
        assert field(closed(lab, client.port), "reason") == "banned"
        wait_for("the backend's leg is cut, too", lambda: not lab.network.run(
            "mail", "ss", "-Htn", "state", "established", "sport = :1110").stdout.strip())
        assert client.rest() == b""
    lab.cli("unban", GOOD4)
