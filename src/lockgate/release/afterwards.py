"""Around a decision, in words: why the release was made; what follows if nobody decides, if it is rejected, once it is live."""

from __future__ import annotations

from lockgate.records.digest import short
from lockgate.records.pack import Pack
from lockgate.release import wording
from lockgate.release.headline import headline

__all__ = ["IDLE", "REFUSE", "UNDO", "WATCH", "going_back", "idle", "owner", "refused", "told", "watched", "why"]

IDLE = "What if you do nothing?"
REFUSE = "What if you reject it?"
UNDO = "What happens at a rollback?"
WATCH = "Who watches it once it is live, and what if it goes wrong?"


def idle(pack: Pack) -> str:
    """What happens to both releases if nobody decides."""
    waits = "waits" if headline(pack.verdicts, pack.waived).may_approve else "goes nowhere"
    return f"{wording.capitalized(_stays(pack))}. This release {waits}; a newer one gets a page of its own."


def refused(pack: Pack) -> str:
    """What a reject does, and what it does not."""
    if pack.rule is None:
        return f"Nobody is asked before {pack.environment}, so nobody can reject it there."
    return (
        f"{wording.capitalized(_stays(pack))}. No approval of anybody else lifts your reject; only your own does, later. "
        "A newer release is judged for itself. Your reason stays in the record of decisions, for whoever builds that one."
    )


def _stays(pack: Pack) -> str:
    if pack.live:
        return f"{pack.environment} keeps serving {short(pack.live)}"
    return f"nothing goes live in {pack.environment}"


def watched(pack: Pack) -> str:
    """Who answers for it once it is live, that no alarm sounds, and who can end it."""
    return f"{owner(pack)} {told(pack)} If it goes wrong, {going_back(pack)}."


def owner(pack: Pack) -> str:
    """Who answers for the release, and when it is looked at again."""
    name = pack.purpose.owner if pack.purpose else ""
    again = pack.purpose.review_by if pack.purpose else ""
    who = f"Its owner ({name}) answers for it" if name else "No owner was written down: ask before you sign"
    return f"{who}; {f'it is looked at again by {again}' if again else 'no day was set to look at it again'}."


def told(pack: Pack) -> str:
    """What Lockgate does by itself while a release is live, and what it leaves to people."""
    return (
        f"What {pack.environment} is asked and answers is written down, and the next release’s page shows how it is spread. "
        "No alarm sounds when answers get worse, and nothing is stopped by itself: people have to look."
    )


def going_back(pack: Pack) -> str:
    """Who can take the release away, as the end of a sentence."""
    if pack.undo and pack.live:
        who = f"{' or '.join(pack.operators)} (role operator)" if pack.operators else "whoever has the role operator"
        return f"{who} can put {short(pack.live)} back with one command"
    return f"there is no earlier release to go back to: whoever runs the server of {pack.environment} stops it, and nobody is answered"


def why(pack: Pack) -> str:
    """Why the release was made, each in its own words: of who started the run, and of the commit; "" where neither says so."""
    built = pack.builder
    if built is None:
        return ""
    note = f"{wording.capitalized(built.started_by)}, who started the run, says why: {wording.quoted(built.note)}."
    title = f"The title of its commit: {wording.quoted(built.title)}."
    return " ".join([note] * bool(built.note) + [title] * bool(built.title))
