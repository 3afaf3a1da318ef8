"""What is live, what was, and where a rollback may go: all read from the ledger."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.deploy.environments import Deployments, Environment, fold
from lockgate.deploy.releases import release_states, rollback_target
from lockgate.errors import NotFound, PermissionRefused, UsageError
from lockgate.records.decisions import Decision, GateResult, Refused, Wanted
from lockgate.records.evidence import Verdict
from lockgate.records.ledger import Entry
from lockgate.testing.scene import Scene, release

ENV = "production"


def deployments(scene: Scene, *, approved_only: tuple[str, ...] = ()) -> Deployments:
    return fold(scene.trusted(), approved_only=approved_only)


def production(scene: Scene) -> Environment:
    return deployments(scene).of(ENV)


def live(scene: Scene) -> str | None:
    there = production(scene).live
    return there.release if there else None


def decides(scene: Scene, who: str, digest: str, decision: str = "approve", **fields: Any) -> Entry:
    bound = dict.fromkeys(("evidence", "policy", "people", "page"), release("same"))
    given_ = {
        "release": digest, "decision": decision, "role": "product-owner", "reason": "r", "environment": ENV,
        "accepted": (), "not_after": scene.now + timedelta(days=7), **bound, **fields,
    }  # fmt: skip
    return scene.say(who, Decision, **given_)


def served(scene: Scene, *names: str) -> list[str]:
    """Propose, want and serve each release in turn."""
    digests = [scene.propose(name) for name in names]
    for digest in digests:
        scene.healthy(scene.want(digest, ENV))
    return digests


def refuse(scene: Scene, wanted: Entry, reason: str = "smoke test failed") -> None:
    digest = wanted.envelope.statement().subject
    scene.say("bot", Refused, release=digest, environment=ENV, wanted=wanted.digest, reason=reason)


def roll_back(scene: Scene, *, by: str = "bot", to: str | None = None) -> Entry:
    target = rollback_target(scene.trusted(), production(scene), to=to)
    authorised = {"because": "rolled-back", "authorised_by": (target.want.entry,)}
    return scene.want(target.release, ENV, by=by, **authorised)


def test_wanted_then_healthy_is_live() -> None:
    scene = Scene()
    r1 = scene.propose("r1")
    wanted = scene.want(r1, ENV)
    now = production(scene)
    assert (now.live, now.wanted and now.wanted.entry, now.wanted and now.wanted.by) == (None, wanted.digest, "sam")
    scene.healthy(wanted)
    scene.healthy(wanted)  # a second server, or a restart
    now = production(scene)
    assert [s.release for s in now.history] == [r1]
    assert now.live is not None
    assert now.live.since < scene.now


def test_a_refused_release_leaves_the_old_one_live() -> None:
    scene = Scene()
    (r1,) = served(scene, "r1")
    refuse(scene, scene.want(scene.propose("r2"), ENV))
    now = production(scene)
    assert (live(scene), now.refused, now.wanted and now.wanted.release) == (r1, "smoke test failed", release("r2"))
    scene.want(scene.propose("r3"), ENV)
    assert production(scene).refused == ""


def test_a_late_answer_to_an_older_wish_changes_nothing() -> None:
    scene = Scene()
    first = scene.want(scene.propose("r1"), ENV)
    second = scene.want(scene.propose("r2"), ENV)
    scene.healthy(second)
    scene.healthy(first)
    refuse(scene, first)
    assert live(scene) == release("r2")
    assert production(scene).refused == ""
    assert len(deployments(scene).ignored) == 2


def test_history_says_from_when_to_when() -> None:
    scene = Scene()
    r1, r2 = served(scene, "r1", "r2")
    one, two = production(scene).history
    assert (one.release, one.until, two.release, two.until) == (r1, two.since, r2, None)


def test_what_was_rolled_back_needs_an_approval_given_since() -> None:
    scene = Scene()
    one, two = served(scene, "r1", "r2")
    old = decides(scene, "pat", two)
    scene.healthy(roll_back(scene))
    assert (live(scene), list(production(scene).withdrawn)) == (one, [two])
    with pytest.raises(UsageError, match="not rolled back"):
        roll_back(scene)
    late = scene.want(two, ENV, authorised_by=(old.digest,))
    assert deployments(scene).ignored[-1].entry == late.digest
    assert "no approval given since" in deployments(scene).ignored[-1].why
    new = decides(scene, "pat", two)
    scene.healthy(scene.want(two, ENV, authorised_by=(new.digest,)))
    assert (live(scene), production(scene).withdrawn) == (two, {})
    scene.healthy(roll_back(scene))
    scene.healthy(roll_back(scene, to=two))
    assert (live(scene), list(production(scene).withdrawn)) == (two, [one])


def test_environments_do_not_touch_each_other() -> None:
    scene = Scene()
    r1, r2 = scene.propose("r1"), scene.propose("r2")
    scene.healthy(scene.want(r1, "staging"))
    scene.healthy(scene.want(r2, ENV))
    now = deployments(scene).environments
    assert {name: e.live.release for name, e in now.items() if e.live} == {"staging": r1, ENV: r2}


class TestWhoMayAsk:
    @pytest.mark.parametrize("who", ["pat", "mallory"])
    def test_only_a_deliverer_delivers(self, who: str) -> None:
        scene = Scene()
        scene.want(scene.propose("r1"), ENV, by=who)
        assert production(scene).wanted is None
        scene.want(release("r1"), ENV, by="sam")
        assert production(scene).wanted is not None

    @pytest.mark.parametrize("who", ["sam", "pat", "mallory"])
    def test_only_an_operator_says_what_is_served(self, who: str) -> None:
        scene = Scene()
        wanted = scene.want(scene.propose("r1"), ENV)
        scene.healthy(wanted, by=who)
        assert live(scene) is None
        scene.healthy(wanted, by="bot")
        assert live(scene) == release("r1")

    def test_an_unregistered_release_is_not_wanted(self) -> None:
        scene = Scene()
        scene.want(release("r1"), ENV)
        assert production(scene).wanted is None
        assert deployments(scene).ignored[0].why == "nobody registered this release"

    def test_a_copy_of_an_old_wish_is_no_rollback(self) -> None:
        scene = Scene()
        served(scene, "r1", "r2")
        old = next(e for e in scene.ledger.read() if e.envelope.statement().predicate_type == Wanted.predicate_type)
        scene.append(old.envelope)
        now = production(scene).wanted
        assert now is not None
        assert now.release == release("r2")

    def test_where_people_are_asked_the_approval_is_cited(self) -> None:
        scene = Scene()
        r1 = scene.propose("r1")
        uncited = [
            (),
            (release("nothing"),),
            (decides(scene, "pat", r1, environment="staging").digest,),
            (decides(scene, "pat", release("r2")).digest,),
            (decides(scene, "rik", r1).digest,),
            (decides(scene, "bot", r1).digest,),
            (decides(scene, "mallory", r1).digest,),
            (decides(scene, "pat", r1, not_after=scene.now).digest,),
        ]
        for cited in uncited:
            scene.want(r1, ENV, authorised_by=cited)
            assert deployments(scene, approved_only=(ENV,)).of(ENV).wanted is None
        assert production(scene).wanted is not None  # where nobody is asked, nothing need be cited
        scene.want(r1, ENV, authorised_by=(decides(scene, "pat", r1).digest,))
        assert deployments(scene, approved_only=(ENV,)).of(ENV).wanted is not None

    def test_a_rule_of_today_does_not_rewrite_what_was_served(self) -> None:
        scene = Scene()
        r1, r2 = served(scene, "r1", "r2")
        now = deployments(scene, approved_only=(ENV,)).of(ENV)
        assert [s.release for s in now.history] == [r1, r2]
        scene.want(scene.propose("r3"), ENV)
        now = deployments(scene, approved_only=(ENV,)).of(ENV)
        assert now.wanted is not None
        assert (now.wanted.release, now.live and now.live.release) == (r2, r2)

    def test_a_rejected_release_is_not_wanted(self) -> None:
        scene = Scene()
        r1 = scene.propose("r1")
        decides(scene, "pat", r1, "reject")
        scene.want(r1, ENV)
        assert production(scene).wanted is None
        decides(scene, "pat", r1)
        scene.want(r1, ENV)
        assert production(scene).wanted is not None


class TestRollback:
    def test_it_goes_to_the_release_before(self) -> None:
        scene = Scene()
        r1, r2, r3 = served(scene, "r1", "r2", "r3")
        scene.healthy(roll_back(scene))
        assert live(scene) == r2
        scene.healthy(roll_back(scene, to=r1))
        assert live(scene) == r1
        assert [s.release for s in production(scene).history] == [r1, r2, r3, r2, r1]

    def test_an_old_approval_that_expired_is_good_enough(self) -> None:
        scene = Scene()
        r1, r2 = scene.propose("r1"), scene.propose("r2")
        for digest in (r1, r2):
            scene.healthy(scene.want(digest, ENV, authorised_by=(decides(scene, "pat", digest).digest,)))
        scene.now += timedelta(days=400)
        scene.healthy(roll_back(scene))
        there = deployments(scene, approved_only=(ENV,)).of(ENV).live
        assert there is not None
        assert there.release == r1

    def test_a_release_rejected_since_is_no_target(self) -> None:
        scene = Scene()
        r1, r2, _ = served(scene, "r1", "r2", "r3")
        decides(scene, "pat", r2, "reject")
        assert rollback_target(scene.trusted(), production(scene)).release == r1
        with pytest.raises(PermissionRefused, match="rejected"):
            rollback_target(scene.trusted(), production(scene), to=r2)
        cited = next(s.want.entry for s in production(scene).history if s.release == r2)
        scene.want(r2, ENV, by="bot", because="rolled-back", authorised_by=(cited,))
        assert live(scene) == release("r3")
        assert "rejected" in deployments(scene).ignored[-1].why

    def test_it_goes_only_where_this_environment_has_been(self) -> None:
        scene = Scene()
        served(scene, "r1")
        with pytest.raises(UsageError, match="no other release"):
            rollback_target(scene.trusted(), production(scene))
        r2 = scene.propose("r2")
        scene.healthy(scene.want(r2, "staging"))
        refuse(scene, scene.want(r2, ENV))
        with pytest.raises(NotFound, match="has not served"):
            rollback_target(scene.trusted(), production(scene), to=r2)
        for cited in [e.digest for e in scene.ledger.read()]:
            scene.want(r2, ENV, by="bot", because="rolled-back", authorised_by=(cited,))
        assert live(scene) == release("r1")

    def test_the_wish_cites_the_entry_of_the_same_release(self) -> None:
        scene = Scene()
        r1, r2, _ = served(scene, "r1", "r2", "r3")
        entry_of = {s.release: s.want.entry for s in production(scene).history}
        scene.want(r1, ENV, by="bot", because="rolled-back", authorised_by=(entry_of[r2],))
        scene.want(r1, ENV, by="bot", because="rolled-back", authorised_by=())
        wanted = production(scene).wanted
        assert wanted is not None
        assert wanted.release == release("r3")
        scene.want(r1, ENV, by="bot", because="rolled-back", authorised_by=(entry_of[r1],))
        wanted = production(scene).wanted
        assert wanted is not None
        assert wanted.release == r1

    def test_a_short_name_is_enough(self) -> None:
        scene = Scene()
        r1, _ = served(scene, "r1", "r2")
        hexdigits = r1.removeprefix("sha256:")
        for name in (hexdigits[:6], hexdigits, f"sha256:{hexdigits[:8]}"):
            assert rollback_target(scene.trusted(), production(scene), to=name).release == r1

    def test_a_name_must_match_in_full(self) -> None:
        scene = Scene()
        r1, _ = served(scene, "r1", "r2")
        wrong = r1[:-1] + ("0" if r1[-1] != "0" else "1")
        for name in (wrong, wrong.removeprefix("sha256:"), r1 + "0", "", "sha256:"):
            with pytest.raises(NotFound, match="has not served"):
                rollback_target(scene.trusted(), production(scene), to=name)

    def test_a_name_that_means_two_releases_is_refused_with_both(self) -> None:
        scene = Scene()
        *old, _ = served(scene, *(f"r{n}" for n in range(18)))  # 17 before the live one: two share their first digit
        first = Counter(r[7] for r in old).most_common(1)[0][0]
        candidates = sorted(r.removeprefix("sha256:") for r in old if r[7] == first)
        with pytest.raises(UsageError, match="several releases") as caught:
            rollback_target(scene.trusted(), production(scene), to=first)
        assert caught.value.allowed == ", ".join(candidates)

    def test_a_release_served_twice_is_one_name(self) -> None:
        scene = Scene()
        r1, _ = served(scene, "r1", "r2")
        scene.healthy(roll_back(scene))
        served(scene, "r3")
        assert rollback_target(scene.trusted(), production(scene), to=r1[:15]).release == r1


def states(scene: Scene) -> dict[str, str]:
    found = release_states(scene.trusted(), deployments(scene), environment=ENV)
    return {s.release: s.state for s in found}


def test_the_states_of_a_release() -> None:
    scene = Scene()
    r1, r2 = served(scene, "r1", "r2")
    r3, r4, r5 = (scene.propose(name) for name in ("r3", "r4", "r5"))
    decides(scene, "pat", r3)
    decides(scene, "pat", r4)
    decides(scene, "pia", r4, "reject")
    for outcome in ("pass", "fail"):
        verdict = Verdict(gate="no_leak", kind="k", outcome=outcome, reason="r")  # type: ignore[arg-type]
        scene.say("bot", GateResult, release=r5, verdict=verdict, policy="")
    scene.propose("r6")
    assert states(scene) == {
        r1: "retired", r2: "live", r3: "approved", r4: "rejected", r5: "rejected", release("r6"): "proposed",
    }  # fmt: skip


def test_what_was_stopped_says_by_which_gate_or_whom_when_and_why() -> None:
    scene = Scene()
    r1, r2 = (scene.propose(name) for name in ("r1", "r2"))
    for gate, outcome in (("leak", "fail"), ("size", "fail"), ("size", "pass")):
        verdict = Verdict(gate=gate, kind="k", outcome=outcome, reason=f"{gate} says {outcome}")  # type: ignore[arg-type]
        scene.say("bot", GateResult, release=r1, verdict=verdict, policy="")
    decides(scene, "pat", r1, "reject")
    found = {s.release: s for s in release_states(scene.trusted(), deployments(scene), environment=ENV)}
    gate, reject = found[r1].stopped
    assert (gate.what, gate.name, gate.who, gate.reason) == ("gate", "leak", "bot", "leak says fail")
    assert (reject.what, reject.name, reject.who) == ("reject", "product-owner", "pat")
    assert gate.when < reject.when and reject.lifted_by == "pat approves it later"
    assert found[r2].stopped == ()


def test_what_is_live_and_would_be_stopped_now_is_live_and_says_so() -> None:
    """A gate that ran again after the deployment failed: unless it is waived, somebody should hear of it."""
    scene = Scene()
    [r1] = served(scene, "r1")
    verdict = Verdict(gate="leak", kind="k", outcome="fail", reason="leak says fail")
    scene.say("bot", GateResult, release=r1, verdict=verdict, policy="")
    for waived, names in ((set[str](), ["leak"]), ({"leak"}, list[str]())):
        [found] = release_states(scene.trusted(), deployments(scene), environment=ENV, passed=lambda _, w=waived: w)
        assert (found.state, [s.name for s in found.stopped]) == ("live", names)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["deliver", "healthy", "refuse", "back", "stranger", "reject"]), max_size=12))
def test_the_fold_is_deterministic_and_keeps_its_invariants(acts: list[str]) -> None:
    scene = Scene()
    wanted: Entry | None = None
    for number, act in enumerate(acts):
        if act == "deliver":
            wanted = scene.want(scene.propose(f"r{number}"), ENV)
        elif act == "healthy" and wanted:
            scene.healthy(wanted)
        elif act == "refuse" and wanted:
            refuse(scene, wanted)
        elif act == "stranger":
            scene.want(release("evil"), ENV, by="mallory")
        elif act == "reject" and wanted:
            decides(scene, "pat", wanted.envelope.statement().subject, "reject")
        elif act == "back":
            try:
                wanted = roll_back(scene)
            except (UsageError, PermissionRefused):
                continue
    now = deployments(scene)
    assert deployments(scene) == now
    there = now.of(ENV)
    assert all(s.until is not None for s in there.history[:-1])
    assert there.live is None or there.live.until is None
    assert release("evil") not in {s.release for s in there.history}
    assert len({s.want.entry for s in there.history}) == len(there.history)
