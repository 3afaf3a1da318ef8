"""A delivery pipeline as jobs: each runs in a fresh clone that shares only store and ledger with the others."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from journeys.walking import (
    FAILED,
    GOOD,
    HUMAN,
    OUTSIDE,
    REFUSED,
    USAGE,
    Done,
    Lockgate,
    Server,
    both,
    commit,
    edit,
    git,
    make_shop,
)

pytestmark = pytest.mark.sampled(8)

GATES = ("enough_good_data", "champion", "slices", "integration")
BEFORE_STAGING = GATES[:-1]
PREDICT = ("p1", "2020-05-02")


@dataclass
class Forge:
    """A repository whose pipelines run their jobs in fresh clones; `desk` is a person's clone, outside of any pipeline."""

    folder: Path
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def desk(self) -> Lockgate:
        return Lockgate(self.folder / "desk")

    def pipeline(self, number: int, *, key: str = "bot", commit: str = "HEAD") -> Pipeline:
        return Pipeline(self, str(number), git(self.desk.root, "rev-parse", commit).strip(), key)

    def approve(self, release: str = "latest") -> None:
        """Bob looks at the page and signs, in the person's clone."""
        git(self.desk.root, "checkout", "--quiet", "main")
        self.desk("evidence", release)
        key = str(self.folder / "bob")
        self.desk("approve", release, "--role", "product-owner", "--reason", "fit for its use", "--key", key)

    def what(self) -> list[tuple[str, str]]:
        return [(e["what"], e["about"]) for e in self.desk.ledger()]


@dataclass(frozen=True)
class Pipeline:
    """One pipeline of one commit; `key` signs for it."""

    forge: Forge
    id: str
    commit: str
    key: str
    change: str = ""  # number of a merge request

    def job(self, *arguments: str, expect: int = GOOD) -> Done:
        return self.clone()(*arguments, expect=expect)

    def clone(self) -> Lockgate:
        """A clone that no job before has seen, with the variables of a job."""
        number = str(next(self.forge.numbers))
        root = self.forge.folder / f"job-{number}"
        git(self.forge.folder, "clone", "--quiet", "desk", root.name)
        git(root, "checkout", "--quiet", self.commit)
        names = {
            "CI_PIPELINE_ID": self.id,
            "CI_COMMIT_SHA": self.commit,
            "CI_JOB_ID": number,
            "CI_PROJECT_PATH": "group/shop",
        }
        names |= {"CI_MERGE_REQUEST_IID": self.change} if self.change else {}
        return Lockgate(root, {**names, "LOCKGATE_KEY": str(self.forge.folder / self.key)})

    def propose(self) -> str:
        return self.job("propose", "--json").json()["release"]

    def judge(self, *gates: str) -> None:
        """Every gate in a clone of its own, all at once."""
        started = [(g, self.clone().start("gate", "judge", g)) for g in gates]
        for gate, process in started:
            done = Lockgate.end(process, f"gate judge {gate}")
            assert done.code == GOOD, done.text

    def to_production(self, *, expect: int = GOOD) -> str:
        """`expect`: how the last job ends."""
        release = self.propose()
        self.judge(*BEFORE_STAGING)
        self.job("deliver", "--to", "staging", "--here")
        self.judge("integration")
        self.job("approvals", "production", expect=HUMAN)
        self.forge.approve(release)
        self.job("approvals", "production")
        self.job("deliver", "--to", "production", "--here", expect=expect)
        return release


def found(folder: Path, *, settings: str = "") -> Forge:
    """A shop with its people; `settings`: more of `lockgate.toml`."""
    desk = make_shop(folder / "desk")
    with (desk.root / "lockgate.toml").open("a") as file:
        file.write('\n[store]\nurl = "file://../store"\n' + settings)
    for gate in ("gates.no_leak(),", 'gates.beats_baseline(baseline="best_simple", metric="wape"),'):
        edit(desk.root, "shop/delivery.py", gate, "")  # fewer jobs; the page on them has all gates
    desk("init", "--person", "ada")
    people = (
        ("bob", "product-owner"),
        ("bot", "deliverer", "operator"),
        ("runner", "deliverer"),
        ("rik", "risk"),
        ("eve", "guest"),
    )
    for name, *roles in people:
        machine = ["--machine"] if name in ("bot", "runner") else []
        said = [word for role in roles for word in ("--role", role)]
        desk("people", "add", name, *machine, *said, "--new-key", f"../{name}")
    commit(desk.root, "a shop with a forge")
    return Forge(folder)


@pytest.fixture(scope="module")
def founded_forge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return found(tmp_path_factory.mktemp("forge")).folder


@pytest.fixture
def forge(founded_forge: Path, tmp_path: Path) -> Forge:
    shutil.copytree(founded_forge, tmp_path / "forge", symlinks=True)
    return Forge(tmp_path / "forge")


@pytest.fixture(scope="module")
def delivered_forge(founded_forge: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pipeline 1 went the whole way; nobody serves now."""
    folder = tmp_path_factory.mktemp("delivered") / "forge"
    shutil.copytree(founded_forge, folder, symlinks=True)
    forge = Forge(folder)
    with both(forge.desk) as (_, production):
        release = forge.pipeline(1).to_production()
        assert production.answers(release).predict(*PREDICT)["release"] == release
    for clone in folder.glob("job-*"):
        shutil.rmtree(clone)
    return folder


@pytest.fixture
def delivered(delivered_forge: Path, tmp_path: Path) -> Forge:
    shutil.copytree(delivered_forge, tmp_path / "forge", symlinks=True)
    return Forge(tmp_path / "forge")


def change(forge: Forge, new: str = "factor: float = 1.001") -> None:
    edit(forge.desk.root, "shop/pipelines.py", "factor: float = 1.0", new)
    commit(forge.desk.root, "a little more of everything")


def test_each_job_in_a_clone_of_its_own_takes_a_release_to_production(delivered: Forge) -> None:
    log = delivered.what()
    gates = [about.partition(":")[0] for what, about in log if what.startswith("gate ")]
    assert sorted(gates) == sorted(GATES)
    assert [what for what, _ in log].count("shown") == 1
    assert [what for what, _ in log if what in ("approve", "wanted", "rolled back")] == ["wanted", "approve", "wanted"]

    # `deliver` in one working copy finds nothing that is left to say: the same results, page and wish.
    with both(delivered.desk):
        delivered.desk("deliver")
    assert [said for said in delivered.what()[len(log) :] if said[0] != "healthy"] == []


def test_why_a_release_is_made_is_signed_once_and_shown(forge: Forge) -> None:
    """In a job the commit's title says it, by hand `--note`; who says something else later is told that nobody would see it."""
    pipeline = forge.pipeline(1)
    job = pipeline.clone()
    titled = Lockgate(job.root, {**job.env, "CI_COMMIT_TITLE": "a shop with a forge"})
    titled("propose")
    assert forge.what()[-2][1].endswith(": “a shop with a forge”")
    titled("propose")
    for title in ("docs only", "docs only", "\udcff is no letter"):  # another pipeline, and its job again
        Lockgate(job.root, {**titled.env, "CI_PIPELINE_ID": "2", "CI_COMMIT_TITLE": title})("propose")
    assert "docs only" not in str(forge.what())
    other = titled("propose", "--note", "something else", expect=USAGE)
    assert "its note stays as it was then" in other.err

    for bad, why in (
        ("n" * 1_001, "1,001 characters"),
        ("red \x1b[31m", "U+001B in it"),
        ("two\nlines", "U+000A in it"),
        ("  ", "a note says something"),
    ):
        assert why in titled("propose", "--note", bad, expect=USAGE).err

    assert "is signed where a release is made" in titled("deliver", "--plan", "--note", "why", expect=USAGE).err

    change(forge)
    desk = forge.desk
    with both(desk):
        desk("deliver", "--note", "factors are a tenth of a per cent up", expect=HUMAN)
    desk("evidence", "latest", "--to", "page.html")
    page = (desk.root / "page.html").read_text()
    assert "says why: “factors are a tenth of a per cent up”" in page
    assert "factors are a tenth of a per cent up" in " ".join(desk("ledger", "log").out.split())


def test_deliver_finds_each_result_as_it_would_sign_it_before_anything_is_deployed(forge: Forge) -> None:
    pipeline = forge.pipeline(1)
    pipeline.propose()
    pipeline.judge(*BEFORE_STAGING)
    before = forge.what()
    forge.desk("deliver", "--wait", "0", expect=OUTSIDE)
    assert [w for w, _ in forge.what()[len(before) :]] == ["wanted"]


def test_two_jobs_at_once_lose_nothing(forge: Forge) -> None:
    pipeline = forge.pipeline(1)
    pipeline.propose()
    twice = [pipeline.clone().start("gate", "judge", g) for g in (*BEFORE_STAGING, *BEFORE_STAGING)]
    for process in twice:
        assert Lockgate.end(process, "gate judge").code == GOOD
    results = [about.partition(":")[0] for what, about in forge.what() if what.startswith("gate ")]
    assert sorted(results) == sorted(BEFORE_STAGING)
    assert forge.desk.json("ledger", "verify")["set_aside"] == 0


def test_an_old_deploy_job_that_runs_again_is_a_rollback(delivered: Forge) -> None:
    first = delivered.pipeline(1)
    old = delivered.desk.release()
    change(delivered)
    with both(delivered.desk) as (_, production):
        new = delivered.pipeline(2).to_production()
        assert production.answers(new).predict(*PREDICT)["release"] == new

        # The machine of another runner may deliver and not roll back; nothing changes.
        log = delivered.what()
        refused = delivered.pipeline(1, key="runner", commit=first.commit).job(
            "deliver", "--to", "production", "--here", expect=REFUSED
        )
        assert "runner may not roll back: deliverer\n  allowed: operator" in refused.err
        assert f"{old[7:19]} served here until" in refused.out
        assert delivered.what() == log

        again = Pipeline(delivered, "1", first_commit(delivered), "bot").job("deliver", "--to", "production", "--here")
        assert f"done  release {old[7:19]} is rolled back to in production" in again.out
        assert production.answers(old).predict(*PREDICT)["release"] == old
        what, about = next(e for e in reversed(delivered.what()) if e[0] == "rolled back")
        assert "of pipeline 1 of commit" in about

        # It was taken away by somebody: a new pipeline of the same commit does not bring it back, its own old job does.
        scheduled = delivered.pipeline(3)
        assert scheduled.propose() == new
        said = scheduled.job("deliver", "--to", "production", "--here", expect=HUMAN)
        assert f"release {new[7:19]} was rolled back from production" in said.err
        assert delivered.desk.live() == old
        delivered.pipeline(2).job("deliver", "--to", "production", "--here")
        assert production.answers(new).predict(*PREDICT)["release"] == new
        settled = delivered.pipeline(2).job("deliver", "--to", "production", "--here", "--json").json()
        assert (settled["went"], settled["release"]) == ("served-already", new)


def first_commit(forge: Forge) -> str:
    return git(forge.desk.root, "rev-parse", "HEAD~1").strip()


def test_two_pipelines_that_make_the_same_release_both_find_it(forge: Forge) -> None:
    one, two = forge.pipeline(1), forge.pipeline(2)
    release = one.propose()
    change(forge)
    other = forge.pipeline(3).propose()
    assert two.propose() == two.propose() == release
    assert release != other
    proposals = [about for what, about in forge.what() if what == "proposed"]
    assert [p.rpartition("pipeline ")[2][0] for p in proposals] == ["1", "3", "2"]
    for pipeline, expected in ((one, release), (two, release), (forge.pipeline(3), other)):
        assert pipeline.job("gate", "judge", "slices", "--json").json()["release"] == expected
    # One release, its authors those of both proposals; the newest proposal is what people mean by latest.
    assert [r["release"] for r in forge.desk.json("releases")].count(release) == 1
    assert forge.desk("gate", "judge", "slices").out.rstrip().endswith(release[7:19])

    # A release that is named must be the pipeline's own; the error names both.
    wrong = one.job("gate", "judge", "slices", other[7:19], expect=USAGE)
    assert wrong.err.startswith(f"this pipeline proposed another release: {other[7:19]}\n  allowed: {release[7:19]}")
    assert one.job("gate", "judge", "slices", release[7:19], "--json").json()["release"] == release


def test_nothing_is_found_where_the_pipeline_proposed_nothing(forge: Forge) -> None:
    pipeline = forge.pipeline(7)
    for command in (("gate", "judge", "slices"), ("approvals", "staging"), ("deliver", "--to", "staging", "--here")):
        said = pipeline.job(*command, expect=USAGE)
        assert "this pipeline proposed no release: pipeline 7 of commit" in said.err
        assert "next:    lockgate propose" in said.err


def test_a_job_that_deploys_is_not_talked_around_a_gate(forge: Forge) -> None:
    pipeline = forge.pipeline(1)
    release = pipeline.propose()
    deploy = ("deliver", "--to", "staging", "--here", "--wait", "1")

    def refused(*command: str, code: int, says: str) -> None:
        said = pipeline.job(*command, expect=code)
        assert says in said.err, said.text
        assert "wanted" not in [w for w, _ in forge.what()]

    refused(*deploy, code=FAILED, says="gate enough_good_data was not judged, and stands before staging")
    pipeline.judge(*(g for g in BEFORE_STAGING if g != "champion"))
    refused(*deploy, code=FAILED, says=f"next:    lockgate gate judge champion {release[7:19]}")
    pipeline.judge("champion")

    # Production lies behind staging and its gate, whatever a pipeline's file asks for first.
    refused("deliver", "--to", "production", "--here", code=FAILED, says="gate integration was not judged")
    refused("approvals", "production", code=FAILED, says="gate integration was not judged")
    refused("deliver", "--to", "nowhere", "--here", code=USAGE, says="does not deploy there: nowhere")

    # Under another policy nothing was judged.
    edit(forge.desk.root, "shop/delivery.py", "margin=0.5", "margin=0.4")
    commit(forge.desk.root, "a stricter champion")
    policy = forge.pipeline(2)
    policy.propose()
    said = policy.job(*deploy, expect=FAILED)
    assert "was not judged, and stands before staging: only under policy" in said.err


def test_a_result_that_another_key_signs_counts_for_nothing(forge: Forge) -> None:
    """Eve writes the ledger as if she were a deliverer: with her own code, past the command's own check."""
    pipeline = forge.pipeline(1)
    pipeline.propose()
    pipeline.judge(*(g for g in BEFORE_STAGING if g != "slices"))
    eve = Pipeline(forge, "1", pipeline.commit, "eve")
    assert "eve may not deliver" in eve.job("gate", "judge", "slices", expect=REFUSED).err
    program = (
        "import sys; from lockgate.delivery.judging import one_gate; "
        "from lockgate.delivery.identity import read_ledger, who; one_gate.may_deliver = lambda p: who(p, read_ledger(p));"
        "from lockgate.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    clone = eve.clone()
    process = clone.start("gate", "judge", "slices", prefix=(sys.executable, "-c", program))
    Lockgate.end(process, "gate judge slices")
    assert ("(set aside)", False) in [(e["who"], e["counts"]) for e in forge.desk.ledger()]
    said = pipeline.job("deliver", "--to", "staging", "--here", expect=REFUSED)
    assert "the result of gate slices does not count: eve did not hold the role 'deliverer'" in said.err


def test_a_failed_gate_stops_and_what_was_waived_does_not(forge: Forge) -> None:
    edit(forge.desk.root, "shop/delivery.py", "min_rows=10,", "min_rows=1000,")
    policy = forge.desk.root / "policy.toml"
    policy.write_text(policy.read_text() + "\n[waivers]\nneed = { risk = 1, product-owner = 1 }\n")
    commit(forge.desk.root, "more rows than there are")
    pipeline = forge.pipeline(1)
    release = pipeline.propose()
    said = pipeline.job("gate", "judge", "enough_good_data", "--junit", "out/gate.xml", "--json", expect=FAILED)
    assert said.err.splitlines()[-3:][0].startswith("gate enough_good_data failed: ")
    assert said.json()["outcome"] == "fail"
    pipeline.judge(*(g for g in BEFORE_STAGING if g != "enough_good_data"))
    for command in (("approvals", "staging"), ("deliver", "--to", "staging", "--here")):
        assert (
            "gate enough_good_data failed, and nothing lets it pass as far as staging"
            in pipeline.job(*command, expect=FAILED).err
        )

    forge.desk("evidence", release)  # the results that came after it left a page that shows them all, to waive it by
    wish = ("--reason", "stock-taking", "--control", "a person looks", "--owner", "bob", "--until", "7d")
    waive = ("waive", "enough_good_data", release, "--role")
    first = forge.desk(*waive, "risk", *wish, "--env", "staging", "--key", str(forge.folder / "rik"))
    second = first.out.split()[first.out.split().index("--second") + 1]
    pipeline.job("gate", "judge", "enough_good_data", expect=FAILED)
    forge.desk("evidence", release)
    forge.desk(*waive, "product-owner", "--second", second, "--key", str(forge.folder / "bob"))
    again = pipeline.job("gate", "judge", "enough_good_data", "--json").json()
    assert (again["outcome"], again["waived"].startswith("waived by rik")) == ("fail", True)
    with Server(forge.desk, "staging"):
        done = pipeline.job("deliver", "--to", "staging", "--here")
    assert "waived by rik (risk)" in done.out


def test_an_uncertain_gate_waits_for_who_accepts_it_by_name(forge: Forge) -> None:
    edit(forge.desk.root, "shop/delivery.py", "worst_over_best=10", "worst_over_best=7")
    commit(forge.desk.root, "a limit inside the interval")
    pipeline = forge.pipeline(1)
    release = pipeline.propose()
    said = pipeline.job("gate", "judge", "slices", expect=HUMAN)
    assert "gate slices is uncertain: " in said.err
    assert "next:    lockgate approvals production   (who signs accepts it by name)" in said.err, "staging asks nobody"
    pipeline.judge(*(g for g in BEFORE_STAGING if g != "slices"))
    with both(forge.desk) as (_, production):
        pipeline.job("deliver", "--to", "staging", "--here")
        pipeline.judge("integration")
        waits = pipeline.clone()
        asked = waits("approvals", "production", "--json", expect=HUMAN).json()
        command = f'lockgate approve {release[7:19]} --role product-owner --reason "…" --accept slices'
        assert (asked["sign"], asked["uncertain"], asked["granted"]) == (command, ["slices"], False)
        assert asked["roles"] == [{"role": "product-owner", "need": 1, "signed": []}]
        refused = pipeline.job("deliver", "--to", "production", "--here", expect=HUMAN)
        assert command in refused.err
        forge.desk("evidence", release)
        words = ("--role", "product-owner", "--reason", "seen", "--accept", "slices")
        signed = forge.desk("approve", release, *words, "--key", str(forge.folder / "bob"))
        assert f"next: press retry of approve:production in pipeline 1 of commit {pipeline.commit[:8]}\n" in signed.out
        pipeline.job("deliver", "--to", "production", "--here")
        assert production.answers(release).predict(*PREDICT)["release"] == release


def test_status_names_the_job_that_is_next(forge: Forge) -> None:
    """Stage by stage, and never a gate that nobody could run yet."""
    pipeline = forge.pipeline(1)
    where = f"of pipeline 1 of commit {pipeline.commit[:8]}"

    def before() -> list[str]:
        return [s["blocker"] for s in forge.desk.json("status")]

    pipeline.propose()
    assert before() == [f"gate enough_good_data was not run: job gate:enough_good_data {where}"] * 2
    pipeline.judge(*BEFORE_STAGING)
    assert before() == [
        f"nobody is asked, and it was not delivered yet: job deploy:staging {where}",
        f"it goes to staging first: job deploy:staging {where}",
    ]
    with Server(forge.desk, "staging"):
        pipeline.job("deliver", "--to", "staging", "--here")
        assert before() == ["", f"gate integration was not run: job gate:integration {where}"]
        pipeline.judge("integration")
    assert before()[1] == f"no evidence page yet: job approve:production {where}"
    release = forge.desk.release()[7:19]
    words = ("--role", "product-owner", "--reason", "fine", "--key", str(forge.folder / "bob"))
    early = forge.desk("approve", release, *words, expect=USAGE).err
    assert f"next:    press retry of approve:production in pipeline 1 of commit {pipeline.commit[:8]}\n" in early
    pipeline.job("approvals", "production", expect=HUMAN)
    sign = f'lockgate approve {release} --role product-owner --reason "…"'
    assert before()[1] == f"1 more product-owner: {sign}"
    said = forge.desk("status").out
    assert said.endswith(f"before production: 1 more product-owner\n  next: {sign}\n")
    assert all(len(line) <= 100 for line in said.splitlines())
    forge.approve(release)
    assert before()[1] == f"everybody has agreed, and it was not delivered yet: job deploy:production {where}"


def test_who_only_looks_sees_whom_a_release_waits_for(forge: Forge) -> None:
    pipeline = forge.pipeline(1)
    pipeline.propose()
    pipeline.judge(*BEFORE_STAGING)
    assert "nobody is asked" in pipeline.job("approvals", "staging").out
    with Server(forge.desk, "staging"):
        pipeline.job("deliver", "--to", "staging", "--here")
        pipeline.judge("integration")
    bob = Pipeline(forge, "1", pipeline.commit, "bob")
    assert "is signed yet: only a deliverer signs one" in bob.job("approvals", "production", expect=HUMAN).err
    assert "is signed yet" in pipeline.job("deliver", "--to", "production", "--here", expect=HUMAN).err
    pipeline.job("approvals", "production", expect=HUMAN)
    waits = bob.job("approvals", "production", expect=HUMAN)
    assert "product-owner  0 of 1  nobody yet" in waits.out
    assert all(len(line) <= 100 for line in waits.text.splitlines())

    forge.desk("evidence")
    forge.desk("reject", "latest", "--role", "product-owner", "--reason", "no", "--key", str(forge.folder / "bob"))
    for command in (("approvals", "production"), ("deliver", "--to", "production", "--here")):
        assert "a person rejected this release: rejected by bob" in pipeline.job(*command, expect=FAILED).err
    assert forge.desk.json("status")[1]["next"] == "lockgate releases --rejected"


def test_a_gate_that_compared_with_what_is_no_longer_live_is_asked_again(delivered: Forge) -> None:
    change(delivered)
    overtaken = delivered.pipeline(2)
    overtaken.propose()
    overtaken.judge(*BEFORE_STAGING)
    change_again = "factor: float = 1.002"
    edit(delivered.desk.root, "shop/pipelines.py", "factor: float = 1.001", change_again)
    commit(delivered.desk.root, "and a little more")
    with both(delivered.desk):
        delivered.pipeline(3).to_production()
        said = overtaken.job("deliver", "--to", "staging", "--here", expect=FAILED)
        assert "gate champion compared release" in said.err
        overtaken.judge("champion")
        overtaken.job("deliver", "--to", "staging", "--here")


def test_jobs_agree_on_the_day_and_go_by_what_the_release_was_made_with(forge: Forge) -> None:
    settings = forge.desk.root / "lockgate.toml"
    settings.write_text("".join(f"{x}\n" for x in settings.read_text().splitlines() if not x.startswith("as_of_file")))
    commit(forge.desk.root, "the clock's day")
    days = ("2020-04-30", "2020-04-30T23:59:59Z", "2020-05-01T00:30:00+02:00")
    made = {day: forge.pipeline(1).clone() for day in days}
    releases = {
        Lockgate(c.root, {**c.env, "LOCKGATE_AS_OF": day})("propose", "--json").json()["release"]
        for day, c in made.items()
    }
    assert len(releases) == 1
    assert forge.desk.json("show", releases.pop()[7:19])["as_of"] == "2020-04-30"
    wrong = forge.pipeline(1).clone()
    said = Lockgate(wrong.root, {**wrong.env, "LOCKGATE_AS_OF": "30.4.2020"})("plan", expect=USAGE)
    assert "not a day: LOCKGATE_AS_OF: 30.4.2020" in said.err
    # A job that judges needs neither the day nor the sources: it finds what the release was made with.
    judging = forge.pipeline(1).clone()
    (judging.root / "data" / "sales.csv").write_text("date,product,units\n2020-01-01,p1,1\n")
    assert judging("gate", "judge", "slices", "--json").json()["outcome"] == "pass"


def test_a_clone_without_its_older_commits_proposes_nothing(forge: Forge) -> None:
    change(forge)
    git(forge.folder, "clone", "--quiet", "--depth", "1", f"file://{forge.desk.root}", "shallow")
    shallow = Lockgate(forge.folder / "shallow", {"LOCKGATE_KEY": str(forge.folder / "bot")})
    for command in (("propose",), ("deliver", "--wait", "0")):
        said = shallow(*command, expect=USAGE)
        assert "this clone lacks older commits, so nobody can say who wrote the release" in said.err
        assert "GIT_DEPTH: 0" in said.err
    git(shallow.root, "fetch", "--quiet", "--unshallow")
    shallow("propose")


def test_what_a_release_is_judged_on_can_be_noted_again(forge: Forge) -> None:
    pipeline = forge.pipeline(1)
    release = pipeline.propose()
    (record,) = (forge.folder / "store" / "material").rglob(release[7:] + "*")
    whole = record.read_bytes()
    record.unlink()
    assert "is no longer in the store" in pipeline.job("gate", "judge", "slices", expect=USAGE).err
    pipeline.propose()
    assert record.read_bytes() == whole
    pipeline.judge("slices")


def test_junit_says_what_the_gate_said(forge: Forge) -> None:
    pipeline = forge.pipeline(1)
    pipeline.propose()
    clone = pipeline.clone()
    clone("gate", "judge", "slices", "--junit", "out/deep/slices.xml")
    suite = ET.parse(clone.root / "out" / "deep" / "slices.xml").getroot()[0]
    assert (suite.get("name"), suite.get("failures")) == ("gate slices", "0")
    assert [c.get("name") for c in suite.iter("testcase")] == ["slices", "wape", "band=small", "band=large"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("deliver", "--here"), "--here takes a release into one environment: without --to"),
        (("deliver", "--here", "--to", "staging", "--plan"), "--here goes by what is recorded, and runs nothing: --plan"),
        (("deliver", "--here", "--to", "staging", "--param", "model.factor=2"), "runs nothing: --param"),
        (("deliver", "abc"), "without --here the release is what this working copy makes: abc"),
        (("gate", "judge", "sliecs"), "no such gate in the delivery pipeline: sliecs\n  allowed: slices?"),
        (("approvals", "prod"), "the delivery pipeline does not deploy there: prod\n  allowed: production, staging"),
        (("deliver", "--here", "--to", "staging"), "no such release: latest"),
    ],
)  # fmt: skip
def test_wrong_use_is_said(founded: Lockgate, command: Callable[..., Any], says: str) -> None:
    assert says in founded(*command, expect=USAGE).err


@pytest.mark.parametrize("change", ["7", ""], ids=["a merge request", "the default branch"])
def test_a_policy_that_is_only_proposed_voids_no_approval_and_one_that_was_in_force_does(
    tmp_path: Path, change: str
) -> None:
    forge = found(tmp_path)
    first = forge.pipeline(1)
    release = first.propose()
    first.judge(*BEFORE_STAGING)
    git(tmp_path, "clone", "--quiet", "desk", "operations")
    with Server(Lockgate(tmp_path / "operations", {"LOCKGATE_KEY": str(tmp_path / "bot")}), "staging"):
        first.job("deliver", "--to", "staging", "--here")
        first.judge("integration")
    first.job("approvals", "production", expect=HUMAN)
    forge.approve(release)
    first.job("approvals", "production")
    desk = forge.desk.root
    git(desk, "checkout", "--quiet", "-b", "stricter")
    policy = desk / "policy.toml"
    policy.write_text(policy.read_text() + "\n[roles.product-owner]\nneed = 2\n")
    commit(desk, "two product owners")
    second = replace(forge.pipeline(2), change=change)
    git(desk, "checkout", "--quiet", "main")
    assert second.propose() == release
    second.judge("enough_good_data")
    first.job("approvals", "production", expect=GOOD if change else HUMAN)
