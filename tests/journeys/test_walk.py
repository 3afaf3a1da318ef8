"""The whole walk up and down, and what every command says on the way."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

import pytest

from journeys.walking import (
    FAILED,
    GATES,
    HUMAN,
    OUTSIDE,
    REFUSED,
    USAGE,
    WIDTH,
    Lockgate,
    Server,
    both,
    edit,
)

pytestmark = pytest.mark.sampled(30)

Copier = Callable[[Lockgate], Lockgate]

SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
BLAKE3 = re.compile(r"blake3:[0-9a-f]{64}")

TABLES = [
    ("plan",), ("runs",), ("releases",), ("status",), ("people",), ("ledger", "log"), ("show", "latest"), ("show", "model"),
    ("diff", "staging", "production"), ("why", "model"),
]  # fmt: skip


# ── up ──────────────────────────────────────────────────────────────────────


def test_the_first_release_goes_live_behind_a_signature(delivered: Lockgate) -> None:
    said = [(e["who"], e["what"]) for e in delivered.ledger() if e["counts"]]
    assert said.pop(14) == ("ada", "healthy")  # staging was started again and says where it listens now
    assert said == [
        ("ada", "people"), ("ada", "people"), ("ada", "proposed"), ("ada", "looked"),
        ("ada", "gate pass"), ("ada", "gate pass"), ("ada", "gate pass"), ("ada", "gate not_applicable"), ("ada", "gate pass"),
        ("ada", "wanted"), ("ada", "healthy"), ("ada", "gate pass"), ("ada", "shown"), ("bob", "approve"), ("ada", "wanted"), ("ada", "healthy"),
    ]  # fmt: skip
    assert [(s["environment"], s["release"], s["health"], s["blocker"]) for s in delivered.json("status")] == [
        ("staging", delivered.release(), "healthy", ""),
        ("production", delivered.release(), "healthy", ""),
    ]


def test_deliver_without_a_change_asks_nobody_and_says_nothing_new(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    before = lockgate.ledger()
    with both(lockgate) as (staging, production):
        staging.answers()
        production.answers()
        done = lockgate("deliver")
    assert done.out.splitlines()[-1].startswith("done  release ")
    new = lockgate.ledger()[len(before) :]
    assert {e["what"] for e in new} <= {"healthy"}  # restarted servers say where they listen now


def test_what_is_served_is_what_was_released(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    with Server(lockgate, "production") as production:
        answer = production.answers().predict()
    assert answer["release"] == lockgate.release()
    assert answer["as_of"] == "2020-04-30"
    assert answer["output"]["low"] < answer["output"]["units"] < answer["output"]["high"]


def test_a_watcher_is_told_by_its_exit_code(delivered: Lockgate, fresh: Copier) -> None:
    """What the scheduled job of a pipeline calls: green only while each environment answers as it should."""
    lockgate = fresh(delivered)
    with both(lockgate) as (staging, production):
        staging.answers()
        production.answers()
        assert lockgate("status", "--check").out.count("healthy") == 2
    silent = lockgate("status", "--check", expect=OUTSIDE)
    assert "production is healthy, but silent now" in silent.err
    assert "lockgate serve staging" in silent.err
    elsewhere = Lockgate(lockgate.root, {**lockgate.env, "CI": "true"})
    elsewhere("status", "--check")  # a server on loopback of who knows which machine


def test_a_server_that_starts_again_serves_what_was_live_whatever_people_and_policy_are_now(
    delivered: Lockgate, fresh: Copier
) -> None:
    lockgate = fresh(delivered)
    change_people(lockgate)
    change_policy(lockgate)
    with Server(lockgate, "production") as production:
        assert production.answers().predict()["release"] == lockgate.release()
    assert lockgate.live() == lockgate.release()


def test_a_second_release_is_compared_with_the_first(delivered_twice: Lockgate) -> None:
    states = [r["state"] for r in delivered_twice.json("releases")]
    assert states == ["live", "retired"]
    said = [e["about"] for e in delivered_twice.ledger() if e["what"] == "gate pass"]
    assert any(about.startswith("champion: ") for about in said)
    first, second = (r["release"] for r in reversed(delivered_twice.json("releases")))
    differs = {
        (d["kind"], d["what"]): d for d in delivered_twice.json("diff", first[7:19], second[7:19])["differences"]
    }
    assert ("data", "last day known") in differs
    assert ("data", "source sales") in differs
    assert differs["parameters", "shop.model.factor"]["before"] == "1.0"
    assert differs["parameters", "shop.model.factor"]["after"] == "1.001"
    assert ("results", "shop.model") in differs
    table = delivered_twice("diff", first[7:19], second[7:19]).out
    assert "shop.model.factor" in table
    assert [line for line in table.splitlines() if len(line) > WIDTH] == []


# ── down ────────────────────────────────────────────────────────────────────


def test_rollback_goes_to_the_release_before_and_loses_no_request(delivered_twice: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered_twice)
    second, first = (r["release"] for r in lockgate.json("releases"))
    answered: list[tuple[str, str]] = []
    failed: list[str] = []
    ended = threading.Event()
    with Server(lockgate, "production") as production:
        production.answers(second)

        def client() -> None:
            while not ended.is_set():
                try:
                    body = production.predict()
                    answered.append((body["release"], body["request_id"]))
                except Exception as error:
                    failed.append(repr(error))

        clients = [threading.Thread(target=client) for _ in range(8)]
        for each in clients:
            each.start()
        time.sleep(0.5)
        done = lockgate("rollback", "production", "--reason", "the factor was a mistake")
        production.answers(first)
        time.sleep(0.5)
        ended.set()
        for each in clients:
            each.join()
    assert done.out.startswith("done  production goes back to ")
    assert failed == []
    assert {release for release, _ in answered} == {first, second}
    logged = predictions(lockgate)
    assert all(logged[request] == release for release, request in answered)
    assert lockgate.live() == first
    assert [r["state"] for r in lockgate.json("releases")] == ["retired", "live"]
    assert "rolled production back from it" in lockgate.json("releases")[0]["why"]
    again = lockgate("rollback", "production", expect=USAGE)
    assert "no other release that was not rolled back" in again.err


def test_what_was_rolled_back_comes_back_only_by_a_persons_word(delivered_twice: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered_twice)
    second, first = (r["release"] for r in lockgate.json("releases"))
    with both(lockgate):
        lockgate("rollback", "production", "--reason", "the factor was a mistake")
        done = lockgate("deliver", expect=HUMAN)
        assert "was rolled back from production" in done.err
        assert f"lockgate rollback production --to {second[7:19]}" in done.err
        lockgate.approve()
        lockgate("deliver")
        assert lockgate.live() == second
        lockgate("rollback", "production")
        lockgate("rollback", "production", "--to", second[7:19])
        lockgate("deliver")
        assert lockgate.live() == second
    assert first != second


def test_rollback_needs_a_release_that_was_served_before(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    done = lockgate("rollback", "production", expect=None)
    assert done.code in (USAGE, REFUSED)
    assert lockgate.live() == lockgate.release()


# ── people ──────────────────────────────────────────────────────────────────


def test_nobody_approves_own_work(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    without_role = lockgate.approve(key="key", expect=REFUSED)
    assert "ada does not hold this role: product-owner" in without_role.err
    lockgate(
        "people",
        "add",
        "ada",
        *(x for r in ("trustee", "deliverer", "operator", "product-owner") for x in ("--role", r)),
    )
    own = lockgate.approve(key="key", expect=REFUSED)
    assert "ada cannot approve own work" in own.err
    assert not [e for e in lockgate.ledger() if e["what"] == "approve"]


def test_a_key_that_nobody_registered_may_not_decide(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    (lockgate.root / ".lockgate" / "bob").rename(lockgate.root / ".lockgate" / "old")
    lockgate("people", "remove", "bob")
    done = lockgate.approve(key="old", expect=REFUSED)
    assert "belongs to nobody" in done.err
    assert "lockgate people add" in done.err


def test_a_reject_is_sticky(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    lockgate("people", "add", "carol", "--role", "product-owner", "--new-key", ".lockgate/carol")
    with both(lockgate) as (staging, _):
        staging.answers()
        lockgate("deliver", expect=HUMAN)
        lockgate.reject()
        assert "rejected" in lockgate("deliver", expect=FAILED).err
        lockgate.approve(key="carol")
        assert "rejected by bob" in lockgate("deliver", expect=FAILED).err
        lockgate("people", "add", "dora", "--role", "guest", "--new-key", ".lockgate/dora")
        assert "rejected by bob" in lockgate("deliver", expect=FAILED).err
        assert [r["state"] for r in lockgate.json("releases", "--rejected")] == ["rejected"]
        assert lockgate.live() is None
        lockgate.approve()  # only who rejected can lift it
        lockgate("deliver")
    assert lockgate.live() == lockgate.release()


# ── what voids an approval ──────────────────────────────────────────────────


def change_code(lockgate: Lockgate) -> None:
    edit(lockgate.root, "shop/pipelines.py", "factor: float = 1.0", "factor: float = 1.0001")


def change_policy(lockgate: Lockgate) -> None:
    edit(lockgate.root, "shop/delivery.py", "worst_over_best=10", "worst_over_best=9.9")


def change_people(lockgate: Lockgate) -> None:
    lockgate("people", "add", "carol", "--role", "guest", "--new-key", ".lockgate/carol")


def change_page(lockgate: Lockgate) -> None:
    """Another page under the same evidence: the kept one is lost, and the text on it has changed."""
    for record in (lockgate.root / ".lockgate" / "pages").glob("*/*"):
        record.unlink()
    edit(lockgate.root, "lockgate.toml", "sold per product", "sold, per product")


def test_an_approval_holds_for_what_was_shown_and_nothing_else(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    changes = [
        (change_page, "it binds page"),
        (change_people, "it binds people"),
        (change_policy, "it binds policy"),
        (change_code, "1 more"),
    ]
    with Server(lockgate, "staging"):
        for change, says in changes:
            lockgate.approve()
            change(lockgate)
            done = lockgate("deliver", expect=HUMAN)
            assert "1 more product-owner" in done.err
            assert says in done.err, done.text
    assert lockgate.live() is None


# ── looking ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", TABLES, ids=" ".join)
def test_a_table_fits_a_hundred_columns(delivered_twice: Lockgate, command: tuple[str, ...]) -> None:
    done = delivered_twice(*command)
    assert done.out.strip()
    assert [line for line in done.out.splitlines() if len(line) > WIDTH and "/" not in line] == []
    assert "\x1b" not in done.out


def test_plan_and_run_as_json(ran: Lockgate) -> None:
    for command in ("plan", "run"):
        found = ran.json(command)
        assert {"run", "pipeline", "steps"} <= set(found)
        assert [s["name"] for s in found["steps"]] == [
            "shop.history",
            "shop.model",
            "shop.holdout",
            "shop.trained_rows",
        ]
        for step in found["steps"]:
            assert {"name", "action", "reason", "digest", "seconds"} <= set(step)
            assert step["action"] == "reuse"
            assert BLAKE3.fullmatch(step["digest"])


def test_show_as_json(ran: Lockgate) -> None:
    found = ran.json("show", "model")
    assert set(found) >= {"name", "type", "digest", "size_bytes", "path", "value"}
    assert (found["name"], found["value"]) == ("shop.model", {"factor": 1.0})
    assert ran.json("show", "history")["value"] is None


def test_status_as_json(delivered: Lockgate) -> None:
    for environment in delivered.json("status"):
        assert {"environment", "release", "since", "strategy", "health", "newest", "blocker"} <= set(environment)
        assert SHA256.fullmatch(environment["release"])


def test_releases_and_runs_as_json(delivered: Lockgate) -> None:
    (release,) = delivered.json("releases")
    assert {"release", "name", "state", "why", "proposed"} <= set(release)
    assert delivered.json("releases", "--rejected") == []
    run = delivered.json("runs")[0]
    assert {"run", "pipeline", "as_of", "started", "steps", "error"} <= set(run)
    assert [s["action"] for s in run["steps"]] == ["run"] * 4


def test_deliver_as_json(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    with both(lockgate) as (staging, production):
        staging.answers()
        production.answers()
        found = lockgate.json("deliver")
    assert {"release", "run", "stages", "verdicts", "page"} <= set(found)
    assert [v["gate"] for v in found["verdicts"]] == list(GATES)
    for verdict in found["verdicts"]:
        assert {"gate", "outcome", "statistic", "interval", "n", "threshold", "evidence"} <= set(verdict), verdict
        assert BLAKE3.fullmatch(verdict["evidence"])


def test_why_names_the_change(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    assert lockgate.json("why", "model")["action"] == "reuse"
    edit(lockgate.root, "shop/pipelines.py", "return Model(factor)", "return Model(factor + 0)")
    found = lockgate.json("why", "model")
    assert found["action"] == "run"
    assert any("model" in reason for reason in found["reasons"])
    assert lockgate.json("why", "model", "--param", "model.factor=1.5")["reasons"]


def test_evidence_is_one_page_for_a_person(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    place = lockgate.root / "page.html"
    found = lockgate.json("evidence", "--to", str(place))
    assert (found["release"], found["environment"]) == (lockgate.release(), "production")
    page = place.read_text()
    assert "<script" not in page.casefold() or "src=" not in page
    assert lockgate.release()[7:19] in page


def test_ledger_verify_tells_head_and_root(delivered: Lockgate) -> None:
    found = delivered.json("ledger", "verify")
    assert found["entries"] == len(delivered.ledger())
    assert found["set_aside"] == 0
    assert SHA256.fullmatch(found["head"])
    assert SHA256.fullmatch(found["trust_root"])
    assert delivered("ledger", "verify").out.startswith("good  ")


# ── exit codes and errors ───────────────────────────────────────────────────


def test_a_failing_step_keeps_what_was_done(founded: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(founded)
    edit(lockgate.root, "shop/pipelines.py", "return Model(factor)", 'raise ValueError("no model today")')
    done = lockgate("run", expect=FAILED)
    assert "no model today" in done.err
    assert "shop/pipelines.py:" in done.err
    edit(lockgate.root, "shop/pipelines.py", 'raise ValueError("no model today")', "return Model(factor)")
    assert lockgate.actions()["history"] == "reuse"


def test_a_failing_gate_stops_and_nobody_can_approve_over_it(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    edit(lockgate.root, "shop/delivery.py", "min_rows=10,", "min_rows=10_000,")
    done = lockgate("deliver", expect=FAILED)
    assert "gate enough_good_data failed" in done.err
    assert all(len(line) <= WIDTH for line in done.text.splitlines())
    assert "nobody can approve over a failed gate" in lockgate.approve(expect=REFUSED).err


def test_before_the_first_release_the_way_on_is_deliver(ran: Lockgate) -> None:
    for command in (("evidence",), ("diff",), ("rollback", "production")):
        assert "next:    lockgate deliver" in ran(*command, expect=USAGE).err
    assert "that is a predictor, not a step: forecast" in ran("why", "forecast", expect=USAGE).err


def test_nobody_serves(ran: Lockgate, fresh: Copier) -> None:
    done = fresh(ran)("deliver", "--wait", "0", expect=OUTSIDE)
    assert "lockgate serve staging" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("delivr",), "deliver?"),
        (("run", "shp"), "shop?"),
        (("run", "--to", "modle"), "model?"),
        (("run", "--param", "model.factr=2"), "factor"),
        (("run", "--param", "modle.factor=2"), "model"),
        (("run", "--param", "factor"), "STEP.NAME=VALUE"),
        (("why", "modle"), "model?"),
        (("show", "modle"), "model?"),
        (("diff", "latest", "nothing"), "latest"),
        (("approve", "latest"), "--help"),
        (("approve", "latest", "--role", "owner", "--reason", "x"), "product-owner"),
        (("evidence", "nothing"), "latest"),
        (("people", "add"), "NAME"),
        (("people", "remove", "bo"), "bob"),
        (("serve", "prodution"), "production"),
        (("rollback", "prodution"), "production"),
        (("deliver", "--to", "prodution"), "production"),
        (("evidence", "--env", "prodution"), "production"),
        (("feedback", "import", "nothing.csv"), "nothing.csv"),
        (("status", "now"), "--help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_command_says_what_is_allowed(delivered: Lockgate, arguments: tuple[str, ...], says: str) -> None:
    done = delivered(*arguments, expect=USAGE, within=20)
    assert says in done.err, done.text


def test_a_typo_in_the_policy_is_found(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    edit(lockgate.root, "policy.toml", "self_approval", "self_aproval")
    for command in (("deliver",), ("status",)):
        done = lockgate(*command, expect=USAGE)
        assert "self_approval?" in done.err


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("pipelines =", "pipeline =", "pipelines?"),
        ("[sources.sales]", "[source.sales]", "sources?"),
        ('"shop.delivery"', '"shop.delivry"', "shop.delivry"),
        ('kind = "file"', 'kind = "fil"', "file"),
        ("[project]", "[project", "TOML"),
    ],
)
def test_a_typo_in_the_settings_is_found(ran: Lockgate, fresh: Copier, old: str, new: str, says: str) -> None:
    lockgate = fresh(ran)
    edit(lockgate.root, "lockgate.toml", old, new)
    assert says in lockgate("run", expect=USAGE).err


def test_a_module_that_does_not_import_is_named_with_its_line(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    edit(lockgate.root, "shop/pipelines.py", "import polars as pl", "import polar as pl")
    done = lockgate("run", expect=USAGE)
    assert "No module named 'polar'" in done.err
    text = (lockgate.root / "shop" / "pipelines.py").read_text()
    line = text[: text.index("import polar as")].count("\n") + 1
    assert f"shop/pipelines.py:{line}" in done.err


def test_outside_a_project_the_next_command_is_named(tmp_path) -> None:
    for command in ("run", "status", "deliver"):
        assert "lockgate init" in Lockgate(tmp_path)(command, expect=USAGE).err


def test_help_is_there(tmp_path) -> None:
    lockgate = Lockgate(tmp_path)
    listed = re.findall(r"^  (\w+) ", lockgate("--help").out, re.MULTILINE)
    assert len(listed) >= 18
    for command in listed:
        assert f"lockgate {command}" in lockgate(command, "--help").out


# ── feedback ────────────────────────────────────────────────────────────────


def test_feedback_joins_what_happened_to_what_was_predicted(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    with Server(lockgate, "production") as production:
        production.answers().predict("p1", "2020-05-02")
        production.predict("p2", "2020-05-03")
    labels = lockgate.root / "labels.csv"
    labels.write_text("product,date,actual\np1,2020-05-02,33\n")
    found = lockgate.json("feedback", "import", str(labels))
    assert (found["answers"], found["labelled"]) == (2, 1)
    table = lockgate("feedback", "import", str(labels)).out
    assert "1 of 2 answers have a label" in table
    labels.write_text("product,date,actul\np1,2020-05-02,33\n")
    assert "actual" in lockgate("feedback", "import", str(labels), expect=USAGE).err
    labels.write_text("product,date,actual\np1,2020-05-02,many\n")
    assert "labels.csv:2" in lockgate("feedback", "import", str(labels), expect=USAGE).err


def predictions(lockgate: Lockgate, environment: str = "production") -> dict[str, str]:
    """Request → release, from the prediction log."""
    from lockgate.serving.log import read_log

    folder = lockgate.root / ".lockgate" / "predictions" / environment
    return {p.request_id: p.release for p in read_log(folder)}
