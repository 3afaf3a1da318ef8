"""A good file, broken in one place: each break lets something past a gate, or stops GitLab, and no schema sees it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from forge.declared_way import DECLARED, whole
from forge.test_gitlab_yaml import schema_says
from lockgate.forge.gitlab_checks import CHECKS, Finding, check
from lockgate.forge.gitlab_includes import gathered
from lockgate.forge.gitlab_yaml import FILE, ROOT, render, root_file
from lockgate.forge.settings import GitlabSettings

FULL = GitlabSettings(publish=True, review="https://{branch}.review.example.org", downstream="group/app")
GOOD = render(whole(settings=FULL), FULL)
DEPLOY, APPROVE, GATE, HARD = "deploy:production", "approve:production", "gate:champion", "gate:enough_good_data"
RULE = 'rules:\n    - if: $CI_PIPELINE_SOURCE == "merge_request_event"'


def looked(text: str, root: str = "") -> tuple[Finding, ...]:
    files = {FILE: text, ROOT: root or root_file()}
    return check(gathered(ROOT, files.get, lambda: files), whole(settings=FULL), GOOD)


def findings(text: str, root: str = "") -> set[tuple[str, str]]:
    return {(f.check, f.job) for f in looked(text, root)}


def broken(job: str, old: str, new: str) -> str:
    """The good file with one text of one job replaced, wherever it stands first in that job."""
    before, head, rest = GOOD.partition(f"\n{job}:\n")
    assert head, job
    body, blank, after = rest.partition("\n\n")
    assert old in body, (job, old)
    return before + head + body.replace(old, new, 1) + blank + after


BREAKS = {
    "a gate is gone": ("way-kept", "release", ("release", "    - check\n", "")),
    "deploy without approval": ("way-kept", DEPLOY, (DEPLOY, "    - approve:production\n", "    - gate:integration\n")),
    "deploy by stages alone": ("way-kept", DEPLOY, (DEPLOY, "  needs:\n    - approve:production\n", "")),
    "approval past a gate": ("way-kept", APPROVE, (APPROVE, "    - gate:integration\n", "    - release\n")),
    "needs a job that is not there": ("needs-exist", DEPLOY, (DEPLOY, "approve:production", "approved:production")),
    "an optional need": ("needs-hold", DEPLOY, (DEPLOY, "    - approve:production\n", "    - job: approve:production\n      optional: true\n")),
    "a need on a later stage": ("needs-order", "release", ("release", "    - check\n", "    - check\n    - deploy:production\n")),
    "a need outside of its pipelines": ("needs-same-pipelines", GATE, (GATE, "    - release\n", "    - release\n    - deploy:staging\n")),
    "an undefined stage": ("stages", GATE, (GATE, "stage: evaluation", "stage: evaluating")),
    "two calls in one line": ("one-call", GATE, (GATE, "- lockgate gate judge", "- true && lockgate gate judge")),
    "a failure swallowed": ("one-call", GATE, (GATE, "champion.xml\n  artifacts", "champion.xml || true\n  artifacts")),
    "a pipe": ("one-call", DEPLOY, (DEPLOY, "--here", "--here | tee log")),
    "errexit off": ("one-call", DEPLOY, (DEPLOY, "  script:\n", "  script:\n    - set +e\n")),
    "another command": ("commands", DEPLOY, (DEPLOY, "--here", "--here --wait 1")),
    "a gate that judges another": ("commands", GATE, (GATE, "judge champion", "judge no_leak")),
    "manual that does not block": ("manual-blocks", APPROVE, (APPROVE, "allow_failure: false", "allow_failure: true")),
    "manual by default": ("manual-blocks", APPROVE, (APPROVE, "      allow_failure: false\n", "")),
    "approval starts by itself": ("manual-needed", APPROVE, (APPROVE, "      when: manual\n", "")),
    "a gate may fail": ("soft", GATE, (GATE, "  allow_failure:\n    exit_codes:\n      - 3\n", "  allow_failure: true\n")),
    "a hard gate has exit codes": ("soft", DEPLOY, (DEPLOY, "  interruptible", "  allow_failure:\n    exit_codes: 3\n  interruptible")),
    "a soft gate lets more through": ("soft", "gate:integration", ("gate:integration", "      - 3\n", "      - 3\n      - 1\n")),
    "soft in a rule": ("soft", GATE, (GATE, RULE, f"{RULE}\n      allow_failure: true")),
    "deploys after a failure": ("in-time", DEPLOY, (DEPLOY, "  interruptible", "  when: always\n  interruptible")),
    "a gate on failure only": ("in-time", GATE, (GATE, RULE, f"{RULE}\n      when: on_failure")),
    "asks until it passes": ("retries", GATE, (GATE, "  interruptible", "  retry: 2\n  interruptible")),
    "retries a script's failure": ("retries", GATE, (GATE, "  interruptible", "  retry:\n    max: 2\n    when: script_failure\n  interruptible")),
    "retries a verdict": ("retries", GATE, (GATE, "  interruptible", "  retry:\n    max: 2\n    when: [api_failure]\n    exit_codes: 1\n  interruptible")),
    "a tier that GitLab lacks": ("tiers", DEPLOY, (DEPLOY, "deployment_tier: production", "deployment_tier: prod")),
    "deploys side by side": ("deploys", DEPLOY, (DEPLOY, "  resource_group: production\n", "")),
    "ended half-way": ("deploys", DEPLOY, (DEPLOY, "interruptible: false", "interruptible: true")),
    "another environment": ("deploys", DEPLOY, (DEPLOY, "name: production", "name: test")),
    "a dotenv nobody takes": ("dotenv", "publish", ("publish", "  script:", "  artifacts:\n    reports:\n      dotenv: a.env\n  script:")),
    "expose_as with a variable": ("shown", GATE, (GATE, "    paths:\n", "    expose_as: x\n    paths:\n      - $A/\n")),
    "deploys from a merge request": ("events", DEPLOY, (DEPLOY, "rules:\n", 'rules:\n    - if: $CI_PIPELINE_SOURCE == "merge_request_event"\n')),
    "a gate left out on the default branch": ("events", GATE, (GATE, "    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_PIPELINE_SOURCE =~ /^(push|web|api)$/\n", "")),
    "outlives its branch": ("reviews", "review", ("review", "    on_stop: review:stop\n", "")),
    "ends nothing": ("reviews", "review:stop", ("review:stop", "action: stop", "action: verify")),
    "needs a branch that is gone": ("reviews", "review:stop", ("review:stop", "GIT_STRATEGY: none", "GIT_STRATEGY: fetch")),
    "sets up what needs the branch": ("reviews", "review:stop", ("review:stop", "  before_script: []\n", "")),
    "a merge request waits for the end": ("reviews", "review:stop", ("review:stop", "allow_failure: true", "allow_failure: false")),
    "ends at once": ("reviews", "review:stop", ("review:stop", "      when: manual\n", "")),
    "another review app's name": ("deploys", "review", ("review", "name: review/$CI_COMMIT_REF_SLUG", "name: review")),
    "hands over nothing": ("handed", "downstream", ("downstream", "    - deploy:production\n", "    - publish\n")),
    "hands over another text": ("handed", "downstream", ("downstream", "LOCKGATE_RELEASE: $LOCKGATE_RELEASE", "LOCKGATE_RELEASE: latest")),
    "starts another project": ("handed", "downstream", ("downstream", "project: group/app", "project: group/other")),
    "hands over everything": ("handed", "downstream", ("downstream", "    variables: false", "    variables: true")),
    "a dotenv without its artifacts": ("handed", "downstream", ("downstream", "    - deploy:production\n", "    - job: deploy:production\n      artifacts: false\n")),
    "signs in a child": ("signing", GATE, (GATE, RULE, '''id_tokens:\n    T:\n      aud: sigstore\n  rules:\n    - if: $CI_PIPELINE_SOURCE == "parent_pipeline"\n    - if: $CI_PIPELINE_SOURCE == "merge_request_event"''')),
}  # fmt: skip


def test_the_good_file_is_good() -> None:
    assert findings(GOOD) == set()


@pytest.mark.parametrize("what", BREAKS)
def test_a_break_is_found(what: str) -> None:
    name, job, place = BREAKS[what]
    assert (name, job) in findings(broken(*place))


@pytest.mark.parametrize("what", ["a failure swallowed", "manual that does not block", "deploy without approval", "a tier that GitLab lacks"])  # fmt: skip
def test_the_schema_sees_nothing_of_it(tmp_path: Path, what: str) -> None:
    """Why these checks are there."""
    assert schema_says(tmp_path, broken(*BREAKS[what][2])).returncode == 0


def test_a_job_that_is_gone_is_missed() -> None:
    text = re.sub(r"\ngate:champion:\n.*?\n\n", "\n", GOOD, flags=re.DOTALL)
    assert {("missing", "gate:champion"), ("needs-exist", "deploy:staging")} <= findings(text)


def test_an_approval_that_nobody_needs_holds_up_nobody() -> None:
    assert ("manual-needed", APPROVE) in findings(broken(*BREAKS["deploy without approval"][2]))


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("gate:champion:\n  allow_failure: true\n", ("soft", GATE)),
        ("deploy:production:\n  needs: []\n", ("way-kept", DEPLOY)),
        (".lockgate:\n  allow_failure: true\n", ("changed", ".lockgate")),
        (".lockgate:\n  retry: 1\n", ("changed", ".lockgate")),
        ("gate:champion:\n  script: [echo fine]\n", ("commands", GATE)),
        ("stages: [evaluation]\n", ("stages", DEPLOY)),
        ("mine:\n  stage: deploy-production\n  script:\n    - lockgate deliver --to production && echo live\n", ("one-call", "mine")),
    ],
)  # fmt: skip
def test_what_the_including_file_overrides_is_seen(more: str, found: tuple[str, str]) -> None:
    assert found in findings(GOOD, root_file() + "\n" + more)


def test_a_teams_own_jobs_are_none_of_our_business() -> None:
    own = "mine:\n  stage: verify\n  allow_failure: true\n  retry: 2\n  script:\n    - make lint && make test\n"
    assert findings(GOOD, root_file() + "\n" + own) == set()


def test_every_check_is_tried() -> None:
    assert set(CHECKS) == {name for name, _, _ in BREAKS.values()} | {"missing"}


def test_a_file_for_approvals_by_a_button_is_good_and_the_schema_takes_it(tmp_path: Path) -> None:
    graph = whole(replace(DECLARED, attested=("production",)))
    text = render(graph, GitlabSettings())
    assert "LOCKGATE_ID_TOKEN:\n      aud: lockgate" in text
    files = {FILE: text, ROOT: root_file()}
    assert check(gathered(ROOT, files.get, lambda: files), graph, text) == ()
    assert schema_says(tmp_path, text).returncode == 0


def test_a_file_with_review_app_downstream_and_deployment_approvals_is_good(tmp_path: Path) -> None:
    settings = replace(FULL, approvals="deployment")
    graph = whole(replace(DECLARED, attested=("production",)), settings)
    text = render(graph, settings)
    assert "approve:production" not in text
    files = {FILE: text, ROOT: root_file()}
    assert check(gathered(ROOT, files.get, lambda: files), graph, text) == ()
    assert schema_says(tmp_path, text).returncode == 0
    assert schema_says(tmp_path, GOOD).returncode == 0
