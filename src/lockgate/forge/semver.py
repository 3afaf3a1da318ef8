"""The semantic version of a release, computed from what it promises to callers and from what it is made of.

The interface of a model is its request and its response (SemVer 2.0.0, https://semver.org: a version speaks about a public
interface, so that interface has to be declared; ours is, in the manifest).

- **major**: a request that was good yesterday may be refused or mean something else, or a reader of answers may meet what it
  did not know. Whoever calls must look.
- **minor**: old requests and readers go on, and something is new: a field, or how answers come about (code, features,
  parameters, packages, Python). Answers may move for a reason that a person decided.
- **patch**: the same code on new data. Answers move as the world does.

How good the answers are is no part of it: gates judge that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from lockgate.errors import UsageError
from lockgate.records.digest import Json
from lockgate.records.frozen import frozen
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from lockgate.records.release import FieldSchema, Manifest

__all__ = ["FIRST", "Step", "Version", "highest", "parse", "step_between"]

Part: TypeAlias = Literal["major", "minor", "patch"]
FORM: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
ORDER: Final[tuple[Part, ...]] = ("major", "minor", "patch")


@frozen(kw_only=True)
class Version:
    """Three numbers, ordered as SemVer orders them.

    >>> str(parse("1.9.2").next("minor")), parse("1.10.0") > parse("1.9.2")
    ('1.10.0', True)
    """

    major: int
    minor: int
    patch: int

    def next(self, part: Part) -> Version:
        """The version after this one."""
        if part == "major":
            return Version(major=self.major + 1, minor=0, patch=0)
        if part == "minor":
            return Version(major=self.major, minor=self.minor + 1, patch=0)
        return Version(major=self.major, minor=self.minor, patch=self.patch + 1)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def __gt__(self, other: Version) -> bool:
        return (self.major, self.minor, self.patch) > (other.major, other.minor, other.patch)


FIRST: Final = Version(major=1, minor=0, patch=0)
"""Of the first release that is published: what production serves is no 0.x."""


@frozen(kw_only=True)
class Step:
    """Which part grows, and each difference that asks for it, in words."""

    part: Part
    because: tuple[str, ...]


def parse(text: str) -> Version:
    """Read `1.2.3`. Raises UsageError."""
    found = FORM.fullmatch(text)
    if found is None:
        raise UsageError("not a semantic version of three numbers", value=text, allowed="1.2.3")
    return Version(major=int(found[1]), minor=int(found[2]), patch=int(found[3]))


def highest(versions: Iterable[str]) -> str | None:
    """The highest of some versions; None of none. What is no version of three numbers was not made by us and is passed by."""
    ours = [v for v in versions if FORM.fullmatch(v)]
    best = None
    for text in ours:
        best = text if best is None or parse(text) > parse(best) else best
    return best


def step_between(before: Manifest, after: Manifest) -> Step:
    """What changed for callers, or else inside."""
    found = sorted(
        [*_request(before, after), *_response(before, after), *_inside(before, after)], key=lambda c: ORDER.index(c[0])
    )
    if not found:
        return Step(part="patch", because=("the same code on other data",))
    part = found[0][0]
    return Step(part=part, because=tuple(words for p, words in found if p == part))


Change: TypeAlias = tuple[Part, str]


def _request(before: Manifest, after: Manifest) -> Iterator[Change]:
    """Who sends must still be understood, and mean the same."""
    old, new = ({f.name: f for f in m.predictor.request} for m in (before, after))
    for name in sorted(old.keys() - new.keys()):
        yield "major", f"the request has no field {name} any more"
    for name in sorted(new.keys() - old.keys()):
        needed = new[name].required and new[name].default is None
        yield ("major", f"a request needs {name}") if needed else ("minor", f"a request may have {name}")
    for name in sorted(old.keys() & new.keys()):
        yield from _asked(name, old[name], new[name])


def _asked(name: str, old: FieldSchema, new: FieldSchema) -> Iterator[Change]:
    where = f"field {name} of the request"
    if new.type != old.type:
        wider = (old.type, new.type) == ("integer", "number")
        yield ("minor" if wider else "major"), f"{where} is a {new.type}, was a {old.type}"
    needed, was_needed = (f.required and f.default is None for f in (new, old))
    if needed != was_needed:
        yield ("major", f"{where} has to be there") if needed else ("minor", f"{where} may be left out")
    elif new.default != old.default:
        yield "major", f"{where}, left out, means {new.default!r}, meant {old.default!r}"
    if new.unit != old.unit:
        yield "major", f"{where} is in {new.unit or 'no unit'}, was in {old.unit or 'no unit'}"
    if _narrower(new, old):
        yield "major", f"{where} takes less: {new.range_words}"
    elif _narrower(old, new):
        yield "minor", f"{where} takes more: {new.range_words or 'any number'}"
    yield from _lists(where, old, new)


def _lists(where: str, old: FieldSchema, new: FieldSchema) -> Iterator[Change]:
    if (new.choices and (new.choices.state, new.choices.column)) != (
        old.choices and (old.choices.state, old.choices.column)
    ):
        yield (
            ("minor", f"{where} may be anything") if new.choices is None else ("major", f"{where} is from another list")
        )
    days, had = (f.horizon.days if f.horizon else None for f in (new, old))
    if days != had:
        fewer = days is not None and (had is None or days < had)
        yield (
            ("major" if fewer else "minor"),
            f"{where} reaches {days or 'any number of'} days ahead, reached {had or 'any number'}",
        )


def _response(before: Manifest, after: Manifest) -> Iterator[Change]:
    """Who reads must not meet what they do not know."""
    old, new = ({f.name: f for f in m.predictor.response} for m in (before, after))
    for name in sorted(old.keys() - new.keys()):
        yield "major", f"the response has no field {name} any more"
    for name in sorted(new.keys() - old.keys()):
        yield "minor", f"the response has {name}"
    for name in sorted(old.keys() & new.keys()):
        yield from _answered(name, old[name], new[name])


def _answered(name: str, old: FieldSchema, new: FieldSchema) -> Iterator[Change]:
    where = f"field {name} of the response"
    if new.type != old.type:
        narrower = (old.type, new.type) == ("number", "integer")
        yield ("minor" if narrower else "major"), f"{where} is a {new.type}, was a {old.type}"
    if new.required != old.required:
        yield ("minor", f"{where} is always there") if new.required else ("major", f"{where} may be missing")
    if new.unit != old.unit:
        yield "major", f"{where} is in {new.unit or 'no unit'}, was in {old.unit or 'no unit'}"
    if _narrower(old, new):
        yield "major", f"{where} may be outside of {old.range_words}"
    elif _narrower(new, old):
        yield "minor", f"{where} stays in {new.range_words}"
    if {k: new.extra.get(k) for k in ("yes", "no")} != {k: old.extra.get(k) for k in ("yes", "no")}:
        yield "major", f"what yes and no of {where} mean"


def _narrower(one: FieldSchema, other: FieldSchema) -> bool:
    """Whether `one` leaves out something that `other` has."""
    low, its_low = one.minimum, other.minimum
    high, its_high = one.maximum, other.maximum
    more_below = low is not None and (its_low is None or its_low < low)
    more_above = high is not None and (its_high is None or its_high > high)
    return more_below or more_above


def _inside(before: Manifest, after: Manifest) -> Iterator[Change]:
    """How answers come about, as far as people decide it; data is not among it."""
    for words, made in (
        ("other code", _code), ("other parameters", _parameters), ("other packages", _locked),
        (f"Python {after.python}, was {before.python}", _python), ("other things to answer from", _features),
    ):  # fmt: skip
        if made(before) != made(after):
            yield "minor", words


def _parameters(manifest: Manifest) -> Json:
    return to_json(manifest.lineage.parameters)


def _python(manifest: Manifest) -> Json:
    return manifest.python


def _code(manifest: Manifest) -> Json:
    """Digests of the predictor's files and of every step's code."""
    files = {f.path: f.sha256 for f in manifest.files if f.path in manifest.code}
    return {"files": files, "steps": {name: step.get("code") for name, step in manifest.lineage.steps.items()}}


def _locked(manifest: Manifest) -> Json:
    return next((f.sha256 for f in manifest.files if f.path == manifest.lock), None)


def _features(manifest: Manifest) -> Json:
    spec = manifest.predictor
    values = {name: v.type for name, v in manifest.inputs.items()}
    return {"values": values, "state": dict(spec.state), "explain": spec.explain, "extra": to_json(spec.extra)}
