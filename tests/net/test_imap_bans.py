# SPDX-License-Identifier: GPL-2.0-only
"""Strikes of IMAP: at once, together with those of SMTP, and the end of a session that guesses."""
import re

from imap_lab import Raw, closed, field, imap_service
from mailhost import PASSWORD, USER
from netns import GOOD4, GUESSER4, GUESSER6
from postern_lab import wait_for

LAB = {"services": imap_service(), "gates": 2}


def guess(client, number):
    return client.ask(f'{number} LOGIN {USER} "wrong-{number}"')


def test_a_strike_is_counted_while_the_session_goes_on(lab):
    with Raw(lab, "192.0.2.67") as client:
        assert guess(client, 1).startswith("NO [AUTHENTICATIONFAILED]")
        line = lab.wait_event("strike")[-1]
        assert field(line, "kind") == "login" and field(line, "service") == "imap"
        assert 'reply="NO [AUTHENTICATIONFAILED] Authentication failed."' in line
        assert field(line, "user") == USER and field(line, "count") == "1"
        assert client.ask(f'2 LOGIN {USER} "{PASSWORD}"').startswith("OK ")


def test_bad_logins_of_imap_and_smtp_count_together(lab):
    assert lab.guess(GUESSER4, 2) == [535, 535]
    with Raw(lab, GUESSER4) as client:
        assert guess(client, 1).startswith("NO ") and guess(client, 2).startswith("NO ")
    assert not lab.banned(GUESSER4)
    assert lab.guess("192.0.2.10", 1) == [535]  # somebody else's
    assert not lab.banned(GUESSER4)
    with Raw(lab, GUESSER4) as client:
        client.send(f"x LOGIN {USER} fifth\r\n")
        wait_for("the fifth bans", lambda: lab.banned(GUESSER4))
    assert not lab.reachable(GUESSER4, 143, timeout=1.0) and not lab.reachable(GUESSER4, 25, timeout=1.0)
    why = lab.cli("why", GUESSER4, check=False).stdout
    assert "imap" in why and "smtp" in why and USER in why
    lab.cli("unban", GUESSER4)


def test_the_session_that_guesses_is_ended(lab):
    with Raw(lab, GUESSER6) as client:
        client.send("".join(f"{n} LOGIN {USER} wrong-{n}\r\n" for n in range(7)))
        try:
            lines = client.file.read().decode().splitlines()
        except ConnectionResetError:
            lines = []
        assert len(lines) <= 6
    line = closed(lab, client.port)
    assert field(line, "reason") in ("logins", "banned") and field(line, "strikes") == "5"
    assert lab.banned("2001:db8:1:66::/64")
    lab.cli("unban", "2001:db8:1:66::/64")


def test_at_the_limit_the_client_is_told_so(lab):
    """never-ban holds for this address: so the session ends by itself, and says why."""
    with Raw(lab, "192.0.2.13") as client:
        client.send("".join(f"{n} LOGIN {USER} wrong-{n}\r\n" for n in range(7)))
        lines = client.file.read().decode().splitlines()
    assert [line[:4] for line in lines[-6:-1]] == ["0 NO", "1 NO", "2 NO", "3 NO", "4 NO"]
    assert lines[-1] == "* BYE too many refused logins"
    assert field(closed(lab, client.port), "reason") == "logins"


def test_an_address_that_is_not_counted_may_guess(lab):
    with Raw(lab, "192.0.2.12") as client:
        for n in range(7):
            assert guess(client, n).startswith("NO ")
    assert field(closed(lab, client.port), "strikes") == "0"


def test_a_banned_address_is_cut_off_amid_its_mailbox(lab):
    with Raw(lab, GOOD4) as client:
        assert client.ask(f'a LOGIN {USER} "{PASSWORD}"').startswith("OK ")
        lab.cli("ban", GOOD4, "--force", "--for", "1m")
        assert wait_for("the session is gone", lambda: field(closed(lab, client.port), "reason")) == "banned"
    lab.cli("unban", GOOD4)


def test_a_mailbox_that_is_open_makes_its_address_authenticated(lab):
    """Flag AM, as long as am-window after the login, and while the session lasts."""
    lab.lists["global.list"] += "192.0.2.68 PA AM AS LL HE\n"
    lab.write_conf()
    lab.cli("reload")

    def vouched_by():
        client = lab.smtp("192.0.2.68")
        port = client.sock.getsockname()[1]
        client.ehlo()
        client.quit()
        return re.search(r" auth_by=(\w+)", closed(lab, port))

    assert vouched_by() is None
    with Raw(lab, "192.0.2.68") as client:
        assert client.ask(f'a LOGIN {USER} "{PASSWORD}"').startswith("OK ")
        wait_for("the ledger and the gates know", lambda: (found := vouched_by()) and found[1] == "am")
