"""`python -m story [--serve]`: three releases, of which one is served. Run from `examples/lending`."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from pathlib import Path

from story import people, servers
from story.terminal import Failed, command, note, quiet, title

STOPPED, WAITING, REFUSED = 1, 3, 4
PAGES = Path("pages")
REWEIGHED = ("--param", "weights.reweigh=true")
CHEAPER = ("--param", "bar.cost_of_wrong_approval=1")
WHY_FIRST = "trees instead of the written rule; a wrong approval counts six times a wrong refusal"
WHY_REWEIGHED = "the first refused too many black applicants; training as if outcome did not depend on race"
WHY_CHEAPER = "reweighing hardly moved the ratio; a wrong approval now counts as much as a wrong refusal, for everybody. Credit must agree to that"
MENDED = (*REWEIGHED, *CHEAPER, "--note", WHY_CHEAPER, "--wait", "90")
"""What the third release is made with, and patience with servers on a busy machine. A project would write it into `lockgate.toml`."""

APPLICANT = {
    "housing_ratio": 31, "debt_ratio": 38, "loan_to_value": 90, "income": 48, "net_worth": 40, "consumer_credit": 2,
    "mortgage_credit": 1, "industry_unemployment": 3.9, "bankruptcy": False,
}  # fmt: skip
IN_DEBT = {**APPLICANT, "debt_ratio": 58, "consumer_credit": 6, "bankruptcy": True}
CAROL = "agrees with lenders more often than the written rule, with certainty; what a wrong approval may cost is ours to say"
FRANK = "shares pass; a gap of 3 points and one of 13 look alike on 57 Hispanic applicants, and I answer for that"


def main() -> int:
    """Play; answer the exit code."""
    parser = argparse.ArgumentParser(
        prog="make lending", description="A release that was better on average, and stopped."
    )
    parser.add_argument("--serve", action="store_true", help="go on serving at the end, until Ctrl-C")
    arguments = parser.parse_args()
    try:
        return play(serve=arguments.serve)
    except Failed as failed:
        return failed.code
    except KeyboardInterrupt:
        print("\nstopped; everything finished is kept. Again: make lending")
        return 130


def play(*, serve: bool) -> int:
    """The whole story. Again, it only repeats what is already known."""
    title("Real data: 1,989 mortgage applications to lenders in Boston, 1990")
    if fetched := subprocess.run([sys.executable, "-m", "lending.fetch"], check=False).returncode:
        raise Failed(fetched)
    title("Three people: Maya makes models; Carol (credit) and Frank (fair lending) decide")
    people.introduce()
    with servers.running() as address:
        first()
        second()
        uncertain = third()
        decide(uncertain)
        servers.wait_until_live(address)
        ask(address)
        if serve:
            note(f"The form is at {address}, the evidence one click away. Stop: Ctrl-C.")
            signal.pause()
    return 0


def first() -> None:
    """Better on average, and stopped."""
    title("The first release: trees, and a bar that fears a wrong approval six times as much as a wrong refusal")
    command("deliver", "--note", WHY_FIRST, expect=(STOPPED,))
    explained("first")


def second() -> None:
    """Reweighing alone: hardly another ratio, and stopped again."""
    title("A mend in the data: each race and outcome counts as if outcome did not depend on race (reweighing)")
    command("deliver", *REWEIGHED, "--note", WHY_REWEIGHED, expect=(STOPPED,))
    explained("second")


def third() -> list[str]:
    """Reweighing and another bar: what failed passes. Answers the gates that stay uncertain: a person must accept them by name."""
    title("And a mend of the policy: a wrong approval costs as much as a wrong refusal, one bar for everybody")
    waiting = command("deliver", *MENDED, expect=(0, WAITING)) == WAITING
    explained("third")
    if not waiting:
        return []
    verdicts = json.loads(quiet("deliver", *MENDED, "--json", expect=(WAITING,)))["verdicts"]
    return [v["gate"] for v in verdicts if v["outcome"] == "uncertain"]


def explained(name: str) -> None:
    """Keep the page that says why."""
    command("evidence", "latest", "--to", str(PAGES / f"{name}.html"))


def decide(uncertain: list[str]) -> None:
    """Not the one who made it, and not one person alone."""
    live = {e["environment"]: e["release"] for e in json.loads(quiet("status", "--json"))}
    if live["production"] is not None:
        return
    title("Maya may not approve her own work")
    accept = [word for gate in uncertain for word in ("--accept", gate)]
    command("approve", "latest", "--role", "credit-officer", "--reason", "trust me", *accept, expect=(REFUSED,))
    title("Carol and Frank read the page, accept by name what stayed uncertain, and sign; each binds that page")
    people.approve("credit-officer", CAROL, *uncertain)
    note("One signature of two: " + json.loads(quiet("status", "--json"))[-1]["blocker"])
    people.approve("fair-lending-officer", FRANK, *uncertain)
    command("deliver", *MENDED)


def ask(address: str) -> None:
    """One applicant."""
    title("An applicant asks over HTTP; nobody asks for a race, and nobody could answer with one")
    for asked in (APPLICANT, IN_DEBT):
        note(f"POST /predict {json.dumps(asked)}")
        answer = servers.post(address, "/predict", asked)
        note(json.dumps(answer["output"]))
        for reason in servers.get(address, answer["links"]["explain"])["reasons"]:
            note(f"- {reason}")
    refused = servers.post(address, "/predict", {**APPLICANT, "race": "black"})
    note(f"with a race: {refused['errors'][0]['message']}")


if __name__ == "__main__":
    sys.exit(main())
