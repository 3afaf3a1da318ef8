"""`ledger bundle RELEASE`: what was decided about a release for one environment, with all that it takes to check it.

The bundle believes nothing and proves nothing by itself: its `verify.py` does, from the trust root that the auditor
names. So whatever is here goes in, also when it speaks against the release; what is missing is the verifier's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from lockgate.delivery.audit.archive import with_sums, write_zip
from lockgate.delivery.audit.for_later import evidence_of, policy_of, summary_of
from lockgate.delivery.audit.readme import readme
from lockgate.delivery.evidence.page import as_shown
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.refs import live_of
from lockgate.delivery.releases import fetch, manifest_of, named
from lockgate.delivery.walk import walk_now
from lockgate.delivery.wish import approvals_behind, delivery_of, policy_behind
from lockgate.errors import NotFound
from lockgate.gates.binding import results
from lockgate.records.decisions import Decision, PeopleSet, Shown
from lockgate.records.digest import canonical, short
from lockgate.records.ledger import encode_line
from lockgate.release import verify
from lockgate.release.layout import MANIFEST, SUMS, sums

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.trust import Said, Trusted

__all__ = ["Bundled", "bundle"]

FORMAT = "lockgate.bundle/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """A bundle that was written. `policy` and `head` are what an auditor should be told, beside `root`, on another way."""

    release: str
    environment: str
    path: Path
    files: int
    size_bytes: int
    root: str
    policy: str
    head: str
    verifier: str


def bundle(
    project: Project, ref: str, *, environment: str | None, to: Path | None, with_files: bool, now: dt.datetime
) -> Bundled:
    """Write the zip to `to`; by default `<release>-<environment>.zip` here.

    Args:
        environment: by default `ref` when it names one, or else the last of the delivery pipeline.
        with_files: put the release's files in, not only the list of them.
    """
    walk, trust = walk_now(project, now=now), read_ledger(project)
    release = named(trust, ref, live_of(walk, trust))
    if environment:
        walk.check(environment)
    place = environment or (ref if ref in walk.environments else _last(walk))
    found = _Decided.of(walk, trust, release, place)
    policy = policy_of(project, walk, found.policy)
    files = {
        **_log(trust, release, place),
        **({"policy.json": policy} if policy else {}),
        **_page(project, found, release, place),
        **_evidence(project, found, release),
        **_summary(project, found),
        **_release(project, release, with_files=with_files),
    }
    files["README.txt"] = readme(project.settings.name, release, place, trust, files)
    files["verify.py"] = Path(verify.__file__).read_bytes()
    target = to or Path.cwd() / f"{short(release)}-{place}.zip"
    listed = with_sums(files)
    write_zip(target, listed)
    return Bundled(
        release=release, environment=place, path=target, files=len(listed), size_bytes=target.stat().st_size,
        root=trust.root, policy=found.policy, head=trust.head.digest, verifier=verify.sha256(files["verify.py"]),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Decided:
    """How it was decided: the delivery behind what was served last (None: never served), its policy and page, and the ledger then."""

    delivery: str | None
    policy: str
    page: str
    then: Trusted

    @classmethod
    def of(cls, walk: Walk, trust: Trusted, release: str, environment: str) -> _Decided:
        origin = delivery_of(trust, release, environment, approved_only=walk.approved_only)
        wish = trust.at(origin)
        if wish is None:
            return cls(None, walk.digest, "", trust)
        pages = (a.claim.page for a in approvals_behind(trust, origin) if isinstance(a.claim, Decision))
        return cls(origin, policy_behind(trust, origin, walk), next(pages, ""), trust.before(wish.entry.seq))


def _last(walk: Walk) -> str:
    if not walk.environments:
        raise NotFound("the delivery pipeline deploys nowhere", value=walk.delivery.name, next="deploy_to(…)")
    return walk.environments[-1]


def _log(trust: Trusted, release: str, environment: str) -> dict[str, bytes | Path]:
    """The whole ledger, and once more, file by file, who the people were and what was said about this release."""
    lines = b"".join(encode_line(s.entry) for s in trust.said)
    about = {s.entry.seq for s in trust.said if _is_about(s, release)}
    copies = {p: c for p, c in verify.copies_in(verify.Log(lines)).items() if _number(p) in (None, *about)}
    question = canonical({"environment": environment, "format": FORMAT, "release": release})
    return {"ledger.jsonl": lines, "bundle.json": question, **copies}


def _is_about(said: Said, release: str) -> bool:
    return isinstance(said.claim, PeopleSet) or getattr(said.claim, "release", "") == release


def _number(path: str) -> int | None:
    """Which entry a file holds, when it holds one."""
    folder, _, name = path.partition("/")
    return int(name.partition("-")[0]) if folder == "statements" else None


def _page(project: Project, found: _Decided, release: str, environment: str) -> dict[str, bytes | Path]:
    """The page that the counted approvals bind; before anybody signed, the newest that was shown."""
    claims = (s.claim for s in reversed(found.then.said) if s.person and isinstance(s.claim, Shown))
    ours = (c for c in claims if (c.release, c.environment) == (release, environment))
    shown = next((c for c in ours if found.page in ("", c.page)), None)
    kept = as_shown(project, shown) if shown else None
    return {"page.html": kept[0], "card.md": kept[1]} if kept else {}


def _evidence(project: Project, found: _Decided, release: str) -> dict[str, bytes | Path]:
    files: dict[str, bytes | Path] = {}
    for gate, result in results(found.then.said, release=release, policy=found.policy).items():
        data = evidence_of(project, str(result.extra.get("evidence_sha256", "")))
        if data is not None:
            files[f"evidence/{quote(gate, safe='')}.json"] = data
    return files


def _summary(project: Project, found: _Decided) -> dict[str, bytes | Path]:
    envelope = summary_of(project, found.delivery) if found.delivery else None
    return {"vsa.json": canonical(envelope.to_json())} if envelope else {}


def _release(project: Project, release: str, *, with_files: bool) -> dict[str, bytes | Path]:
    """The manifest and, from a verified copy, what it lists; a release that is damaged is not bundled."""
    manifest = manifest_of(project, release)
    files: dict[str, bytes | Path] = {f"release/{MANIFEST}": manifest.encoded(), f"release/{SUMS}": sums(manifest)}
    if not with_files:
        return files
    folder = fetch(project, release)
    return files | {f"release/{entry.path}": folder / entry.path for entry in manifest.files}
