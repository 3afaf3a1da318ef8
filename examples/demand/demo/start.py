"""`make demo`: from raw sales to a forecast in a web page, with a person's decision in between."""

from __future__ import annotations

import json
import subprocess
import sys
import webbrowser
from pathlib import Path

from demo import people, servers
from demo.terminal import Failed, ask, command, note, quiet, title

__all__ = ["deliver", "leak", "own_approval", "play", "prepare", "sign"]

ROLE = "product-owner"
WAITING = 3  # the exit code of everything that waits for a person


def play(data: str) -> int:
    """The whole demo on a terminal; without one it stops where a person decides."""
    prepare(data)
    with servers.running() as address:
        leak()
        waiting = deliver()
        if waiting and (decision := _decided()) != "approve":
            return 0 if decision == "reject" else WAITING
        if waiting:
            command("deliver")
        return _open(address)


def prepare(data: str) -> None:
    """Data and people."""
    title("Real data: a UK shop's invoices, 2009-12 to 2011-12; everything from 2011-10-15 on is sealed future")
    fetched = subprocess.run([sys.executable, "-m", "demand.fetch", *(["--data", data] if data else [])], check=False)
    if fetched.returncode:
        raise Failed(fetched.returncode)
    title("Two demo people: a scientist and a product owner")
    people.introduce()


def leak() -> None:
    """Refusal one: a feature that looks into the future is stopped by a gate."""
    title("A release with one leaking feature: the mean of the days around the target day")
    stopped = [r for r in json.loads(quiet("releases", "--rejected", "--json")) if "no_leak" in r["why"]]
    if stopped:
        note(f"release {stopped[0]['release'][7:19]} was stopped: {stopped[0]['why']}")
        return
    command("deliver", "--param", "features.peek=true", expect=(1,))
    note("What it learnt from cannot be known on the day: its answers of then cannot be had again. It goes nowhere.")


def deliver() -> bool:
    """The honest release, as far as it goes alone. True: it waits for a person."""
    title("The honest release")
    return command("deliver", expect=(0, 3)) == 3


def own_approval() -> None:
    """Refusal two: nobody signs for own work."""
    title("The scientist tries to sign for own work")
    command("approve", "latest", "--role", ROLE, "--reason", "trust me", expect=(4,))


def sign(word: str, reason: str) -> None:
    """Sign as the product owner; every uncertain gate is accepted by name."""
    verdicts = json.loads(quiet("deliver", "--json", expect=(3,)))["verdicts"]
    accepted = [
        a for v in verdicts if v["outcome"] == "uncertain" and word == "approve" for a in ("--accept", v["gate"])
    ]
    quiet("evidence", "latest")
    command(word, "latest", "--role", ROLE, "--reason", reason, "--key", str(people.OWNER_KEY), *accepted)


def _decided() -> str:
    """The viewer reads the page and decides: `approve` or `reject`; nothing when nobody is there."""
    own_approval()
    page = Path(".lockgate/demo/evidence.html").resolve()
    title("You are the product owner. Read the evidence, then decide.")
    command("evidence", "latest", "--to", str(page))
    if not sys.stdin.isatty():
        note("No terminal: only a person may decide here. Decide with `make demo` on a terminal,")
        note("or let the demo's second key sign: make demo ARGS=--check")
        return ""
    webbrowser.open(page.as_uri())
    word = ask("Your decision:", ("approve", "reject"))
    sign(word, input("Your reason: ").strip() or f"read the evidence, {word}")
    if word == "reject":
        note(
            "Rejected and signed. It stays stopped until the product owner says otherwise: lockgate releases --rejected"
        )
    return word


def _open(address: str) -> int:
    """The page, until Ctrl-C."""
    servers.wait_until_live(address)
    title(f"It is live: {address}")
    command("status")
    note("Pick a product and a day. Next: another terminal, `make next-week`. Stop: Ctrl-C.")
    if not sys.stdin.isatty():
        return 0
    webbrowser.open(address)
    import signal

    signal.pause()
    return 0
