"""A delivery plan as a file; and the check that a delivery is of that plan: what moved since is named, and nothing runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.delivery_plan.make import code_of
from lockgate.delivery.refs import live_of
from lockgate.delivery.saved_plan import changed
from lockgate.durable import write_atomic
from lockgate.errors import LockgateError, NotFound, UsageError
from lockgate.records.delivery_plan import FORMAT, DeliveryPlan
from lockgate.records.digest import short
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.delivery.run import Planned
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.trust import Trusted

__all__ = ["check_agreed", "check_live", "digest_named", "read_plan", "save_plan"]

SHOWN = 5
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def save_plan(path: Path, found: DeliveryPlan) -> None:
    """Write it as JSON, whole or not at all."""
    content = {**to_json(found), "digest": found.digest}
    write_atomic(path.absolute(), json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def read_plan(path: Path) -> DeliveryPlan:
    """Read a file of `deliver --plan --save`. Raises UsageError when it is none, or a line of it was changed."""
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise _no_plan(
                path, f"format {content.get('format') if isinstance(content, dict) else type(content).__name__}"
            )
        said = content.pop("digest", "")
        found = from_json(DeliveryPlan, content)
    except (OSError, ValueError, LockgateError, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
        raise _no_plan(path, reason) from error
    if said != found.digest:
        raise UsageError(
            "this plan was changed after it was saved", value=f"{path}: {found.digest}", allowed=str(said),
            next=f"lockgate deliver --plan --save {path}",
        )  # fmt: skip
    return found


def digest_named(given: str, walk: Walk) -> str:
    """The digest of a plan that is named by its file or by its digest. A file must be of the present policy."""
    if DIGEST.fullmatch(given):
        return given
    path = Path(given)
    if not path.is_file():
        raise NotFound(
            "no such plan", value=given, allowed="a file of `lockgate deliver --plan --save FILE`, or its sha256:… digest",
            next="lockgate deliver --plan --save FILE",
        )  # fmt: skip
    found = read_plan(path)
    if found.policy != walk.digest:
        raise UsageError(
            "this plan was made under another policy", value=short(found.policy), allowed=short(walk.digest),
            next=f"lockgate deliver --plan --save {given}",
        )  # fmt: skip
    return found.digest


def check_agreed(project: Project, agreed: DeliveryPlan, walk: Walk, planned: Planned, trust: Trusted) -> None:
    """Raise UsageError naming everything in which the world is not the one the plan was made in.

    What the plan itself brought about is no change: a step that it was to run, and ran, is reused now.
    """
    moved = [*_moved(agreed, walk, planned, trust), *_code(agreed.code, code_of(project, walk))]
    if moved:
        more = [f"and {len(moved) - SHOWN} more"] if len(moved) > SHOWN else []
        raise _stale("\n           ".join(["", *moved[:SHOWN], *more]))


def check_live(agreed: DeliveryPlan, walk: Walk, trust: Trusted, *, release: str) -> None:
    """Raise UsageError when an environment serves another release than when it was planned, but for the plan's own."""
    now = live_of(walk, trust)
    moved = [
        f"{place}: {short(then) or 'nothing'} was live → {short(now.get(place, '')) or 'nothing'}"
        for place, then in agreed.live.items()
        if now.get(place, "") not in (then, release)
    ]
    if moved:
        raise _stale("\n           ".join(["", *moved]))


def _moved(agreed: DeliveryPlan, walk: Walk, planned: Planned, trust: Trusted) -> Iterator[str]:
    facts = (
        ("pipeline", agreed.pipeline, walk.delivery.name),
        ("as-of", agreed.as_of, planned.as_of.isoformat()),
        ("policy", short(agreed.policy), short(walk.digest)),
        ("people", short(agreed.people), short(trust.people.digest)),
    )
    yield from (f"{what} {then} → {now}" for what, then, now in facts if then != now)
    yield from changed(agreed.made_of, planned)


def _code(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            how = "is new" if name not in then else "is gone" if name not in now else "changed"
            yield f"{name} {how}"


def _stale(value: str) -> UsageError:
    return UsageError(
        "the world has moved since this delivery was planned, so nothing ran", value=value,
        next="lockgate deliver --plan --save FILE",
    )  # fmt: skip


def _no_plan(path: Path, why: str) -> UsageError:
    return UsageError(
        "not a saved delivery plan", value=f"{path}: {why}", allowed="a file of `lockgate deliver --plan --save`",
        next=f"lockgate deliver --plan --save {path}",
    )  # fmt: skip
