# SPDX-License-Identifier: GPL-2.0-only
"""IMAP backends that are not like Dovecot: fewer capabilities, odd answers, and some that make no sense.

Each script is what the backend says and wants to hear, line by line: "S: " what it says, "C: " what has to come,
as a regular expression; "S! " without a line end. After the last line it reads until the gate closes.
"""
import functools
import re

import pytest
import stand_in
from imap_lab import Raw, b64, closed, field, imap_service
from netns import MAIL4

PORT = 3144
LAB = {"services": imap_service("none", f"{MAIL4}:{PORT}"), "client_address": "none", "gates": 1,
       "policy": "strikes = observe",
       "limits": "backend-reply-timeout = 5s\n\tbackend-connect-timeout = 3s"}

BARE = "S: * OK ready\nC: postern CAPABILITY\nS: * CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=LOGIN\nS: postern OK\n"
RICH = "S: * OK [CAPABILITY IMAP4rev1 SASL-IR ID LITERAL+ AUTH=PLAIN] ready\n"
IN = "C: b NOOP\nS: b OK mailbox\n"


def play(script, peer):
    for step in script.splitlines():
        kind, text = step[:3], step[3:]
        if kind == "C: ":
            line = peer.lines.readline().decode("latin-1").removesuffix("\r\n")
            assert re.fullmatch(text, line), f"{line!r} where {text!r} was to come"
        else:
            peer.say(text.encode("latin-1").decode("unicode_escape").encode("latin-1")
                     + (b"\r\n" if kind == "S: " else b""))
    peer.read_to_the_end()


def backend(lab, *scripts):
    return stand_in.backend(lab, PORT, *(functools.partial(play, script) for script in scripts))


@pytest.fixture(autouse=True)
def the_gate_lives_and_forgets(lab):
    lab.cli("reload")  # what a backend offered is known no more
    with stand_in.the_gate_outlives(lab):
        yield


PLAIN = b64("\0anna\0secret")

LOGINS = {
    "a capability command where the greeting tells nothing":
        (["a LOGIN anna secret"], BARE + 'C: a LOGIN "anna" "secret"\nS: a OK in\n' + IN, "a OK in"),
    "literals one after the other for a server without LITERAL+":
        (['a LOGIN "an\\"na" "se\\"cret"'],
         BARE + 'C: a LOGIN \\{5\\}\nS: + go\nC: an"na \\{7\\}\nS: + go\nC: se"cret\nS: a OK in\n' + IN, "a OK in"),
    "literals at once for a server with it":
        (['a LOGIN "an\\"na" "se\\"cret"'],
         RICH + 'C: a LOGIN \\{5\\+\\}\nC: an"na \\{7\\+\\}\nC: se"cret\nS: a OK in\n' + IN, "a OK in"),
    "a server that says + to what waits for nothing":
        (["a LOGIN anna secret"], RICH + 'C: a LOGIN "anna" "secret"\nS: + go\n', "* BYE [UNAVAILABLE]"),
    "a server that refuses a literal":
        (['a LOGIN anna "se\\"cret"'], BARE + 'C: a LOGIN "anna" \\{7\\}\nS: a BAD no literals\n', "a BAD no literals"),
    "an initial response for a server without SASL-IR":
        ([f"a AUTHENTICATE PLAIN {PLAIN}"],
         BARE + f"C: a AUTHENTICATE PLAIN\nS: + \nC: {PLAIN}\nS: a OK in\n" + IN, "a OK in"),
    "an empty initial response for it":
        (["a AUTHENTICATE PLAIN ="], BARE + "C: a AUTHENTICATE PLAIN\nS: + \nC: \nS: a NO empty\n", "a NO empty"),
    "an initial response for a server with it":
        ([f"a AUTHENTICATE PLAIN {PLAIN}"], RICH + f"C: a AUTHENTICATE PLAIN {PLAIN}\nS: a OK in\n" + IN, "a OK in"),
    "the user as initial response for a server without it":
        ([f"a AUTHENTICATE LOGIN {b64('anna')}", b64("secret")],
         BARE + f"C: a AUTHENTICATE LOGIN\nS: + VXNlcm5hbWU6\nC: {b64('anna')}\nS: + UGFzc3dvcmQ6\n"
         f"C: {b64('secret')}\nS: a OK in\n" + IN, "a OK in"),
    "what comes with the OK in one segment belongs to the client":
        (["a LOGIN anna secret"],
         RICH + 'C: a LOGIN "anna" "secret"\nS! a OK in\\r\\n* 1 EXISTS\\r\\n* 1 REC\nS: ENT\n' + IN, "a OK in"),
    "untagged lines before the answer go through":
        (["a LOGIN anna secret"],
         RICH + 'C: a LOGIN "anna" "secret"\nS: * CAPABILITY IMAP4rev1 MOVE\nS: a OK in\n' + IN, "* CAPABILITY"),
    "a disabled LOGIN is not tried":
        (["a LOGIN anna secret"], "S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\n", "a NO [CANNOT]"),
    "no EXTERNAL, whatever the server offers":
        (["a AUTHENTICATE EXTERNAL ="], "S: * OK [CAPABILITY IMAP4rev1 AUTH=EXTERNAL] ready\n", "a NO [CANNOT]"),
    "a server where everybody is logged in already":
        (["a LOGIN anna secret"], "S: * PREAUTH welcome\n", "* BYE [UNAVAILABLE]"),
    "a server that is closed":
        (["a LOGIN anna secret"], "S: * BYE closed today\n", "* BYE [UNAVAILABLE]"),
    "no IMAP server": (["a LOGIN anna secret"], "S: 220 stand-in ESMTP\n", "* BYE [UNAVAILABLE]"),
    "a greeting without end": (["a LOGIN anna secret"], "S: * OK " + "x" * 9000 + "\n", "* BYE [UNAVAILABLE]"),
    "no greeting": (["a LOGIN anna secret"], "", "* BYE [UNAVAILABLE]"),
    "no answer to the login":
        (["a LOGIN anna secret"], RICH + 'C: a LOGIN "anna" "secret"\n', "* BYE [UNAVAILABLE]"),
    "the answer to another command":
        (["a LOGIN anna secret"], RICH + 'C: a LOGIN "anna" "secret"\nS: z OK in\n', "* BYE [UNAVAILABLE]"),
    "capabilities that are none":
        (["a LOGIN anna secret"], "S: * OK ready\nC: postern CAPABILITY\nS: postern OK\n", "* BYE [UNAVAILABLE]"),
    "Courier without its authdaemon":
        (["a LOGIN anna secret"],
         BARE + 'C: a LOGIN "anna" "secret"\nS: * BYE Temporary problem, please try again later\n', "* BYE Temporary"),
}


@pytest.mark.parametrize("name", LOGINS)
def test_a_login(lab, name):
    lines, script, wanted = LOGINS[name]
    with backend(lab, script), Raw(lab) as client:
        answer = ""
        for line in lines:
            client.send(line + "\r\n")
            answer = client.line()
        assert answer.startswith(wanted), answer
        while answer.startswith("* ") and not answer.startswith("* BYE"):
            answer = client.line()
        if answer.startswith("a OK"):
            client.send("b NOOP\r\n")
            seen = client.until("b")
            assert seen[-1] == "b OK mailbox\r\n"
            assert "segment" not in name or seen[:2] == ["* 1 EXISTS\r\n", "* 1 RECENT\r\n"]
    assert field(closed(lab, client.port), "strikes") == "0"


def test_the_client_that_says_nothing_more_is_not_the_backends_business(lab):
    """A refused login, and then the backend goes: the next login finds another connection."""
    with backend(lab, RICH + 'C: a LOGIN "anna" "x"\n'
                             "S! a NO [AUTHENTICATIONFAILED] no\\r\\n* BYE enough of you\\r\\n\n",
                 RICH + 'C: c LOGIN "anna" "y"\nS: c OK in\n'), Raw(lab) as client:
        assert client.ask("a LOGIN anna x").startswith("NO [AUTHENTICATIONFAILED]")
        assert client.ask("b NOOP").startswith("OK NOOP completed")
        assert client.ask("c LOGIN anna y") == "OK in"
    assert field(closed(lab, client.port), "strikes") == "1"


def test_what_a_backend_offered_is_forgotten_with_a_reload(lab):
    with backend(lab, RICH), Raw(lab) as client:
        client.send("a CAPABILITY\r\n")
        assert "LITERAL+" in client.until("a")[0]
    with Raw(lab) as client:
        assert "LITERAL+" in client.greeting
    lab.cli("reload")
    with backend(lab, BARE), Raw(lab) as client:
        assert "CAPABILITY" not in client.greeting
        client.send("a CAPABILITY\r\n")
        assert "LITERAL+" not in client.until("a")[0]
