"""Bundles made of a scene in memory: what an auditor would hold of it, and what the main code says about the same ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from lockgate.declare import Approval, DeployTo, Gate, Pipeline, Stage
from lockgate.delivery.audit.archive import with_sums
from lockgate.delivery.wish import approvals_behind, delivery_behind, delivery_of
from lockgate.deploy.environments import fold
from lockgate.gates.approvals import authorised, standing
from lockgate.gates.binding import ask_for, binding, decide, results
from lockgate.gates.what_stands import passed_over
from lockgate.gates.remeasured import unconfirmed
from lockgate.gates.policy import declaration, parse_policy, policy_text
from lockgate.records.decisions import Decision, GateResult, Healthy, Shown
from lockgate.records.digest import canonical, sha256_bytes
from lockgate.records.evidence import Verdict
from lockgate.records.ledger import Entry, encode_line
from lockgate.records.people import Person
from lockgate.records.in_force import rejects, revoked
from lockgate.records.trust import Trusted
from lockgate.release import verify
from lockgate.testing.scene import CAST, Scene

STAGES: tuple[Stage, ...] = (
    Gate("slices", "m:f", "alike"), Gate("champion", "m:f", "not_worse"), DeployTo("staging"),
    Gate("integration", "m:f", "same_answers"), Approval("product-owner", "7d"), DeployTo("production"),
)  # fmt: skip
GATES = ("slices", "champion", "integration")
PAGES, WORDS = (b"page", b"page 2"), ("e", "f", "e2")
WEEK = dt.timedelta(days=7)
FILES = {"code/model.py": b"answer = 42\n", "lock.txt": b"numpy==2.0\n"}


def manifest(word: str) -> bytes:
    """A release's manifest, as far as a verifier reads it."""
    files = [{"path": path, "sha256": sha256_bytes(data)} for path, data in FILES.items()]
    return canonical({"files": files, "name": word})


def evidence(gate: str, word: str) -> bytes:
    return canonical({"gate": gate, "measured": word})


def card(page: bytes) -> bytes:
    return b"card of " + page


class Office:
    """A scene with one release on its way to production, and everything that a bundle of it needs."""

    def __init__(
        self, cast: tuple[Person, ...] = CAST, *, toml: str = "", stages: tuple[Stage, ...] = STAGES, quorum: int = 1
    ) -> None:
        self.scene = Scene(cast, quorum=quorum)
        self.stages, self.rules = stages, parse_policy(toml)
        self.manifest = manifest("r1")
        self.release = self.scene.propose(self.manifest.decode())
        self.page = b"page"
        self.environment = "production"

    # ── what happens ──

    @property
    def policy(self) -> bytes:
        return policy_text(self.rules, declaration(Pipeline("demand", kind="delivery", stages=self.stages)))

    @property
    def policy_digest(self) -> str:
        return sha256_bytes(self.policy)

    def measures(self, gate: str, outcome: str = "pass", *, by: str = "bot", word: str = "e", **changes: Any) -> Entry:
        said = {
            "release": self.release,
            "policy": self.policy_digest,
            "extra": {"evidence_sha256": sha256_bytes(evidence(gate, word))},
        }
        verdict = Verdict(gate=gate, kind="k", outcome=outcome, reason="as measured", evidence="blake3:e")  # type: ignore[arg-type]
        return self.scene.say(by, GateResult, verdict=verdict, **{**said, **changes})

    def shows(
        self, page: bytes = b"page", *, by: str = "bot", environment: str = "production", release: str = ""
    ) -> Entry:
        self.page = page
        return self.scene.say(
            by, Shown, release=release or self.release, environment=environment, shows="blake3:s",
            page=sha256_bytes(page), card=sha256_bytes(card(page)),
        )  # fmt: skip

    def ready(self, *, outcome: str = "pass") -> Office:
        """All gates measured, the page shown."""
        for gate in GATES:
            self.measures(gate, outcome if gate == "slices" else "pass")
        self.shows()
        return self

    def decision(self, **changes: Any) -> dict[str, Any]:
        """What an honest person would sign now, with some fields changed."""
        trusted, ask = self.scene.trusted(), self.ask()
        current = binding(
            trusted,
            release=self.release,
            environment=self.environment,
            policy=self.policy_digest,
            page=sha256_bytes(self.page),
        )
        role = ask.roles[0].role if ask.roles else "product-owner"
        made = decide(
            "approve", role=role, reason="fit for use", current=current, ask=ask if ask.roles else self.ask("production"),
            accepted=ask.uncertain, log=trusted.head, now=self.scene.now,
        )  # fmt: skip
        return {**{f.name: getattr(made, f.name) for f in fields(made)}, **changes}

    def decides(self, who: str = "pat", **changes: Any) -> Entry:
        return self.scene.say(who, Decision, **self.decision(**changes))

    def delivers(self, *approvals: Entry, environment: str = "production", by: str = "sam", **changes: Any) -> Entry:
        cited = tuple(a.digest for a in approvals)
        return self.scene.want(self.release, environment, by=by, **{"authorised_by": cited, **changes})

    def served(self, *approvals: Entry) -> Entry:
        wanted = self.delivers(*approvals)
        self.scene.healthy(wanted)
        return wanted

    def ask(self, environment: str = "") -> Any:
        trusted = self.scene.trusted()
        found = results(trusted.said, release=self.release, policy=self.policy_digest)
        uncertain = [n for n, r in found.items() if r.verdict.outcome == "uncertain"]
        return ask_for(self.stages, environment or self.environment, policy=self.rules, uncertain=uncertain)

    # ── what an auditor holds ──

    def files(self) -> dict[str, bytes | Path]:
        lines = b"".join(encode_line(entry) for entry in self.scene.ledger.read())
        page, judged = self._as_decided()
        found: dict[str, bytes | Path] = {
            "ledger.jsonl": lines, "policy.json": self.policy, **({"page.html": page, "card.md": card(page)} if page else {}),
            "bundle.json": canonical({"release": self.release, "environment": self.environment}),
            "README.txt": b"read me\n", "verify.py": Path(verify.__file__).read_bytes(),
            "release/manifest.json": self.manifest, **{f"release/{p}": d for p, d in FILES.items()},
            **{f"evidence/{g}.json": data for g, data in judged.items()},
        }  # fmt: skip
        return {**found, **verify.copies_in(verify.Log(lines))}

    def _as_decided(self) -> tuple[bytes, dict[str, bytes]]:
        """Page (empty: none was shown) and evidence as of the delivery behind what was served last, as `ledger bundle` picks them."""
        trusted = self.scene.trusted()
        asks = (self.environment,) if self.ask().roles else ()
        wish = trusted.at(delivery_of(trusted, self.release, self.environment, approved_only=asks))
        then = trusted.before(wish.entry.seq) if wish else trusted
        cited = (
            [a.claim.page for a in approvals_behind(trusted, wish.entry.digest) if isinstance(a.claim, Decision)]
            if wish
            else []
        )
        claims = (s.claim for s in reversed(then.said) if s.person and isinstance(s.claim, Shown))
        shown = [c.page for c in claims if (c.release, c.environment) == (self.release, self.environment)]
        signed = (cited[:1] if cited[:1] and cited[0] in shown else []) if cited else shown[:1]
        page = next((p for p in PAGES if sha256_bytes(p) in signed), b"")
        found = results(then.said, release=self.release, policy=self.policy_digest)
        bytes_of = {(g, sha256_bytes(evidence(g, w))): evidence(g, w) for g in found for w in WORDS}
        return page, {
            g: bytes_of[g, r.extra["evidence_sha256"]] for g, r in found.items() if "evidence_sha256" in r.extra
        }

    def bundle(self, folder: Path, **changes: bytes | None) -> Path:
        """The unpacked bundle; `changes`: path → other bytes, or None for a file that is left out."""
        files = {**self.files(), **changes}
        write(folder, {p: d for p, d in files.items() if d is not None})
        return folder

    def checked(
        self,
        folder: Path,
        *,
        after: dt.timedelta = dt.timedelta(0),
        changes: dict[str, bytes | None] | None = None,
        **asked: Any,
    ) -> verify.Report:
        """What the stand-alone verifier says; it is pinned to the scene's root unless told otherwise."""
        bundle = self.bundle(folder, **(changes or {}))
        root = self.scene.trusted().root
        return verify.verify(bundle, verify.Asked(**{"trust": root, **asked}), now=self.scene.now + after)


def write(folder: Path, files: dict[str, Any]) -> None:
    """Write a bundle's files, with SHA256SUMS over them: whoever forges a bundle can do that, too."""
    for path, data in with_sums(files).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data if isinstance(data, bytes) else data.read_bytes())


# ── what the main code says ──


def main_code_says(office: Office, *, after: dt.timedelta = dt.timedelta(0)) -> bool:
    """May the release be in the environment, by `fold`, `authorised`, `standing`, `passed_over` and `rejects`?"""
    trusted, release, environment = office.scene.trusted(), office.release, office.environment
    ask = ask_for(office.stages, environment, policy=office.rules)
    gone = revoked(trusted, ask.exceptions.revokers)
    if rejects(trusted.said, release=release, environment=environment):
        return False
    gates = [s.name for s in office.stages if isinstance(s, Gate)]
    need = office.rules.environment(environment).remeasured
    demand = {"release": release, "policy": office.policy_digest, "gates": gates, "need": need}
    deployments = fold(trusted, approved_only=(environment,) if ask.roles else ())
    there = deployments.of(environment)
    served = next((s for s in reversed(there.history) if s.release == release), None)
    if served is None:
        now = office.scene.now + after
        current = binding(
            trusted, release=release, environment=environment, policy=office.policy_digest,
            page=_newest_page(trusted, release, environment) if ask.roles else "",
        )  # fmt: skip
        stands = standing(trusted, current, ask=office.ask(), now=now)
        return (
            _gates_pass(
                office,
                trusted,
                passed_over(trusted, release=release, policy=office.policy_digest, ask=ask, now=now, gone=gone),
            )
            and stands.granted
            and not unconfirmed(trusted, **demand)
        )
    origin = delivery_behind(trusted, served.want.entry)
    wish = trusted.at(origin)
    if wish is None or origin in {ignored.entry for ignored in deployments.ignored}:
        return False
    healthy = next(
        (
            s
            for s in trusted.said
            if s.person and isinstance(s.claim, Healthy) and (s.claim.wanted, s.claim.release) == (origin, release)
        ),
        None,
    )
    if healthy is None:
        return False
    then, at = trusted.before(healthy.entry.seq), healthy.entry.time
    passed = passed_over(then, release=release, policy=office.policy_digest, ask=ask, now=at, gone=gone)
    failed = [
        g
        for g, r in results(then.said, release=release, policy=office.policy_digest).items()
        if r.verdict.outcome == "fail"
    ]
    stands = authorised(then, origin, ask=ask, now=at, gone=gone)
    agreed = stands.granted and not unconfirmed(then, **demand)
    return _gates_pass(office, trusted.before(wish.entry.seq), passed) and set(failed) <= set(passed) and agreed


def _newest_page(trusted: Trusted, release: str, environment: str) -> str:
    """The page that people see now, which `deliver` looks up in the ledger: whatever else somebody signed under was not shown."""
    claims = (s.claim for s in reversed(trusted.said) if s.person and isinstance(s.claim, Shown))
    return next((c.page for c in claims if (c.release, c.environment) == (release, environment)), "")


def _gates_pass(office: Office, trusted: Trusted, passed: Mapping[str, str]) -> bool:
    """Law 8: every gate before the environment has passed, is uncertain where somebody may accept that, or is passed over."""
    found = results(trusted.said, release=office.release, policy=office.policy_digest)
    ask = ask_for(office.stages, office.environment, policy=office.rules)
    open_to_uncertain = bool(ask.roles) or not office.rules.environment(office.environment).protected
    allowed = {"pass", "not_applicable"} | ({"uncertain"} if open_to_uncertain else set())
    for stage in office.stages:
        if isinstance(stage, DeployTo) and stage.environment == office.environment:
            return True
        if isinstance(stage, Gate) and not (
            stage.name in found and (found[stage.name].verdict.outcome in allowed or stage.name in passed)
        ):
            return False
    return False
