"""Every way by which another file weakens a job of ours is a finding; what a team says for its own jobs is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from forge.declared_way import whole
from lockgate.errors import UsageError
from lockgate.forge.gitlab_checks import NAMES, Finding, check
from lockgate.forge.gitlab_includes import gathered
from lockgate.forge.gitlab_yaml import FILE, ROOT, render, root_file
from lockgate.forge.settings import GitlabSettings, read_gitlab
from lockgate.records.tables import Table

FULL = GitlabSettings(
    publish=True, review="https://{branch}.review.example.org", downstream="group/app", tags=("docker",)
)
GRAPH = whole(settings=FULL)
RENDERED = render(GRAPH, FULL)
GATE, DEPLOY = "gate:champion", "deploy:production"
COMMIT = "787123b47f14b552955ca2786bc9542ae66fee5b"


def looked(files: dict[str, str], *, allowed: tuple[str, ...] = ()) -> tuple[Finding, ...]:
    """What is said about a root file of a team's, and what it includes."""
    there = {FILE: RENDERED, **files}
    return check(gathered(ROOT, there.get, lambda: there), GRAPH, RENDERED, allowed=frozenset(allowed))


def beside(more: str) -> dict[str, str]:
    return {ROOT: f"{root_file()}\n{more}\n"}


def including(*items: str, mine: str = "mine: {stage: verify, script: [make]}") -> dict[str, str]:
    lines = "".join(f"  - {i}\n" for i in (f"local: {FILE}", *items))
    return {ROOT: f"include:\n{lines}", "ci/mine.yml": mine, "ci/more.yml": "include: ci/mine.yml"}


def job(name: str, content: str) -> dict[str, str]:
    return beside(f'"{name}": {content}')


EVIL = f"{GATE}: {{script: [exit 0]}}"
INPUT = "spec: {inputs: {a: {default: x, description: What it is for}}}\n---\n"
EVIL_INPUT = f'spec: {{inputs: {{a: {{default: "\\n{EVIL}\\n"}}}}}}\n---\n'


def doubled(depth: int) -> dict[str, str]:
    """Ours, and files of which each includes the next one twice."""
    chain = {f"ci/{n}.yml": f"include: [ci/{n + 1}.yml, ci/{n + 1}.yml]" for n in range(depth)}
    return {ROOT: f"include: [{FILE}, ci/0.yml]", **chain, f"ci/{depth}.yml": ""}


# What is done to us; (check, job, keyword) that says so; the same of a team's own.
ON_A_JOB = {
    "ends green before the command": ("before_script: [exit 0]", "changed", "before_script"),
    "runs behind the verdict": ("after_script: [curl example.org]", "changed", "after_script"),
    "another script": ("script: [echo fine]", "commands", "script"),
    "steps instead of a script": ("run: [{name: x, script: 'true'}]", "changed", "run"),
    "hooks before the files": ("hooks: {pre_get_sources_script: [rm -rf .git]}", "changed", "hooks"),
    "another program": ("image: evil", "changed", "image"),
    "a service": ("services: [evil]", "changed", "services"),
    "another machine": ("tags: [mine]", "changed", "tags"),
    "another PATH": ("variables: {PATH: '/tmp/fake:/usr/bin'}", "changed", "variables"),
    "a script at each shell's start": ("variables: {BASH_ENV: ./evil}", "changed", "variables"),
    "no files, or old ones": ("variables: {GIT_STRATEGY: none}", "changed", "variables"),
    "another server": ("variables: {CI_API_V4_URL: 'https://evil.example.org'}", "changed", "variables"),
    "another key": ("variables: {LOCKGATE_KEY: other}", "changed", "variables"),
    "other rules": ("rules: [{when: never}]", "events", "rules"),
    "only": ("only: [main]", "changed", "only"),
    "except": ("except: [main]", "changed", "except"),
    "after a failure": ("when: always", "in-time", "when"),
    "later": ("start_in: 1 day", "changed", "start_in"),
    "twice": ("parallel: 2", "changed", "parallel"),
    "inherits": ("inherit: {default: true}", "changed", "inherit"),
    "needs nothing": ("needs: []", "way-kept", "needs"),
    "takes no files": ("dependencies: []", "changed", "dependencies"),
    "may fail": ("allow_failure: true", "soft", "allow_failure"),
    "is asked again": ("retry: 2", "retries", "retry"),
    "is not asked again when the runner fails": ("retry: false", "changed", "retry"),
    "ends half-way": ("timeout: 1 second", "changed", "timeout"),
    "another stage": ("stage: verify", "changed", "stage"),
    "extends something else": ("extends: .mine", "changed", "extends"),
    "extends more": ("extends: [.lockgate, .mine]", "changed", "extends"),
    "a cache that others write": ("cache: {key: mine, paths: [.venv/]}", "changed", "cache"),
    "other artifacts": ("artifacts: {paths: [forged.xml]}", "changed", "artifacts"),
    "a token for somebody": ("id_tokens: {T: {aud: evil}}", "changed", "id_tokens"),
    "a secret": ("secrets: {A: {vault: x}}", "changed", "secrets"),
    "an environment": ("environment: production", "changed", "environment"),
    "waits for others": ("resource_group: mine", "changed", "resource_group"),
    "makes a release": ("release: {tag_name: v1}", "changed", "release"),
    "is a trigger": ("trigger: group/other", "changed", "trigger"),
    "a reference": ("script: !reference [.mine, script]", "commands", "script"),
    "a reference that reads like the command": ("script: !reference ['lockgate gate judge champion --junit lockgate-reports/gate-champion.xml']", "changed", "script"),
    "a number for a truth": ("interruptible: 1", "changed", "interruptible"),
}  # fmt: skip


@pytest.mark.parametrize("what", ON_A_JOB)
def test_a_keyword_on_a_job_of_ours_is_found_and_on_a_teams_own_is_not(what: str) -> None:
    says, name, key = ON_A_JOB[what]
    found = looked(job(GATE, f"{{{says}}}"))
    assert (name, GATE, key) in {(f.check, f.job, f.key.partition(".")[0]) for f in found}
    here = [f for f in found if f.key.partition(".")[0] == key and f.file == ROOT]
    assert here
    assert all(f.found and f.rendered for f in here)
    own = says if "script" in says or "run:" in says or "trigger" in says else f"{says}, script: [make]"
    mine = beside(
        f".mine: {{stage: verify, script: [make], tags: [mine]}}\nmine: {{stage: verify, {own.replace('stage: verify, ', '').replace('stage: verify', 'coverage: /x/')}}}"
    )
    assert {f for f in looked(mine) if f.job in (GATE, ".lockgate", "")} == set()


@pytest.mark.parametrize("what", [w for w, (says, _, _) in ON_A_JOB.items() if "extends" not in says])
def test_the_same_on_the_template_of_all_jobs(what: str) -> None:
    says, _, key = ON_A_JOB[what]
    assert ("changed", ".lockgate", key) in {
        (f.check, f.job, f.key.partition(".")[0]) for f in looked(job(".lockgate", f"{{{says}}}"))
    }


WHOLE_FILES = {
    "a job that is no mapping": (job(GATE, "null"), ("missing", GATE, ""), job("mine", "{stage: verify, script: [make]}")),
    "the template taken away": (job(".lockgate", "[]"), ("changed", ".lockgate", ""), job(".mine", "[]")),
    "a second file of the project": (including("local: /ci/mine.yml", mine=f"{GATE}: {{before_script: [exit 0]}}"), ("changed", GATE, "before_script"), including("local: /ci/mine.yml")),
    "a file that it includes": (including("local: ci/more.yml", mine=f"{GATE}: {{before_script: [exit 0]}}"), ("changed", GATE, "before_script"), including("local: ci/more.yml")),
    "files by a star": (including("local: ci/m*.yml", mine=f"{GATE}: {{before_script: [exit 0]}}"), ("changed", GATE, "before_script"), including("local: ci/m*.yml")),
    "on a condition that nobody knows": (including('{local: ci/mine.yml, rules: [{if: $X}]}', mine=f"{GATE}: {{image: evil}}"), ("changed", GATE, "image"), including('{local: ci/mine.yml, rules: [{if: $X}]}')),
    "one file takes back what another one says": ({**including("local: ci/mine.yml", "{local: ci/back.yml, rules: [{if: $X}]}", mine=f"{GATE}: {{interruptible: false}}"), "ci/back.yml": f"{GATE}: {{interruptible: true}}"}, ("changed", GATE, "interruptible"), {**including("local: ci/mine.yml", "local: ci/back.yml"), "ci/back.yml": "mine: {stage: verify, interruptible: true, script: [a]}"}),
    "a file that is not there": (including("local: ci/gone.yml"), ("includes", "", "include"), including("local: ci/mine.yml")),
    "a file that a variable names": (including("local: ci/$X.yml"), ("includes", "", "include"), including("local: ci/more.yml")),
    "another project's": (including("{project: group/ci, ref: main, file: /lint.yml}"), ("includes", "", "include"), including()),
    "a remote one": (including("remote: https://example.org/ci.yml"), ("includes", "", "include"), including()),
    "a remote one in short": (including("https://example.org/ci.yml"), ("includes", "", "include"), including("ci/mine.yml")),
    "a template": (including("template: Jobs/SAST.gitlab-ci.yml"), ("includes", "", "include"), including()),
    "a component": (including("component: gitlab.com/a/b@1.0"), ("includes", "", "include"), including()),
    "ours on a condition": ({ROOT: f"include:\n  - local: {FILE}\n    rules: [{{if: $X}}]\n"}, ("includes", "", "include.rules"), {ROOT: f"include: {FILE}\n"}),
    "a job twice in a file": (beside(f'{GATE}: {{interruptible: true}}\n{GATE}: {{}}'), ("ambiguous", "", ""), beside("mine: {stage: verify, script: [a]}")),
    "a symbol of Ruby": (beside(f'":{GATE}": {{}}\n:{GATE}:\n  script: [exit 0]'), ("ambiguous", "", ""), beside("mine: {stage: verify, script: [':a']}")),
    "a merge key behind a key": (beside(f'.x: &x {{before_script: [exit 0]}}\n{GATE}: {{<<: *x}}'), ("changed", GATE, "before_script"), beside(".x: &x {before_script: [exit 0]}\nmine: {<<: *x, stage: verify, script: [make]}")),
    "a merge key that wins": (beside(f'.x: &x {{interruptible: false}}\n{GATE}: {{interruptible: true, <<: *x}}'), ("changed", GATE, "interruptible"), beside(f'.x: &x {{interruptible: false}}\n{GATE}: {{<<: *x, interruptible: true}}')),
    "a name that an input makes": (including("{local: ci/mine.yml, inputs: {a: x}}", mine=INPUT + "$[[ inputs.a ]]: {script: [exit 0]}"), ("ambiguous", "", "$[[ inputs.a ]]"), including("{local: ci/mine.yml, inputs: {a: two words}}", mine=INPUT + 'mine: {stage: verify, script: ["$[[ inputs.a ]]"]}')),
    "an include that an input makes": (including("local: ci/mine.yml", mine=INPUT + "include: [{local: '$[[ inputs.a ]]'}]"), ("includes", "", "include"), including("local: ci/mine.yml", mine=INPUT + "include: []")),
    "an input of the root file, in a comment": ({ROOT: f"{EVIL_INPUT}# $[[ inputs.a ]]\ninclude: {FILE}\n"}, ("ambiguous", "", "spec"), {ROOT: f"# $[[ inputs.a ]]\ninclude: {FILE}\n"}),
    "an input of a file above ours": ({ROOT: "include: ci/wrap.yml", "ci/wrap.yml": f"{INPUT}include: {FILE}\n"}, ("ambiguous", "", "spec"), {ROOT: "include: ci/wrap.yml", "ci/wrap.yml": f"include: {FILE}\n"}),
    "an input of another file whose default is a job": (including("local: ci/mine.yml", mine=EVIL_INPUT + "# $[[ inputs.a ]]\n"), ("ambiguous", "", "spec"), including("local: ci/mine.yml", mine=INPUT + "# $[[ inputs.a ]]\n")),
    "a value of an input that is a job": (including(r'{local: ci/mine.yml, inputs: {a: "\ngate:champion: {script: [a]}"}}', mine=INPUT + "# $[[ inputs.a ]]\n"), ("includes", "", "include"), including("{local: ci/mine.yml, inputs: {a: [b, 3]}}", mine=INPUT + "# $[[ inputs.a ]]\n")),
    "a star in a hidden folder": (including("local: .ci/*.yml") | {".ci/x.yml": EVIL}, ("commands", GATE, "script"), including("local: .ci/*.yml") | {".ci/x.yml": ""}),
    "a star and great letters": (including("local: zz/*.YML") | {"zz/x.YML": EVIL}, ("commands", GATE, "script"), including("local: zz/*.YML") | {"zz/x.YML": ""}),
    "a star behind two slashes": (including("local: //zz/*.yml") | {"zz/x.yml": EVIL}, ("commands", GATE, "script"), including("local: //zz/*.yml") | {"zz/x.yml": ""}),
    "a star that finds nothing": (including("local: zz/*.yml"), ("includes", "", "include"), including("local: zz/*.yml") | {"zz/x.yml": ""}),
    "two stars and a slash, which GitLab wants there": ({ROOT: "include: 'ci/**/*.yml'"}, ("includes", "", "include"), {ROOT: "include: 'ci/**.yml'"}),
    "ours below a file on a condition": ({ROOT: "include: {local: ci/wrap.yml, rules: [{if: $X}]}", "ci/wrap.yml": f"include: {FILE}"}, ("includes", "", "include.rules"), {ROOT: "include: {local: ci/wrap.yml}", "ci/wrap.yml": f"include: {FILE}"}),
    "ours below a file with values": ({ROOT: "include: {local: ci/wrap.yml, inputs: {a: b}}", "ci/wrap.yml": f"include: {FILE}"}, ("includes", "", "include.inputs"), {ROOT: f"include: [{{local: ci/mine.yml, inputs: {{a: b}}}}, {FILE}]", "ci/mine.yml": INPUT + "mine: {stage: verify, script: [make]}"}),
    "each file includes the next one twice": (doubled(20), ("includes", "", "include"), doubled(6)),
    **{f"a form that fills in {n}": (beside(f"variables: {{{n}: {{value: x, description: y}}}}"), ("prefilled", "", f"variables.{n}"), beside(f"variables: {{{n}: x, MY_{n}S: {{value: x, description: y}}}}")) for n in ("XDG_CONFIG_HOME", "OPENSSL_CONF", "HOSTALIASES", "SSLKEYLOGFILE", "CURL_CA_BUNDLE", "PERL5OPT")},
    "a form that fills in PATH": (beside("variables: {PATH: {value: /evil, description: Where to look}}"), ("prefilled", "", "variables.PATH"), beside("variables: {PATH: /mine, BASH_ENV: {value: ./mine}, COLOR: {value: red, description: Which}}")),
    "a form that fills in what we set": (beside("variables: {GIT_DEPTH: {value: '1', description: How deep}}"), ("prefilled", "", "variables.GIT_DEPTH"), beside("variables: {GIT_DEPTH: '1'}")),
    "a failure ends a deployment": (beside("").copy() | {ROOT: f"include: {FILE}\nworkflow: {{auto_cancel: {{on_job_failure: all}}}}"}, ("cancels", "", "workflow.auto_cancel"), {ROOT: f"include: {FILE}\nworkflow: {{auto_cancel: {{on_new_commit: interruptible}}}}"}),
    "a failure ends a deployment by a rule": ({ROOT: f"include: {FILE}\nworkflow: {{rules: [{{if: $X, auto_cancel: {{on_job_failure: all}}}}]}}"}, ("cancels", "", "workflow.auto_cancel"), {ROOT: f"include: {FILE}\nworkflow: {{rules: [{{if: $X}}]}}"}),
    "stages in another order": (beside(f"stages: [{', '.join((GRAPH.stages[-1], *GRAPH.stages[:-1]))}]"), ("stages-order", "", "stages"), beside(f"stages: [mine, {', '.join(GRAPH.stages)}, last]")),
    "a stage is gone": (beside(f"stages: [{', '.join(GRAPH.stages[:-1])}]"), ("stages", "monitor", "stage"), beside(f"stages: [{', '.join(GRAPH.stages)}]")),
    "stages are no list": (beside("stages: $X"), ("stages", GATE, "stage"), beside(f"stages: [{', '.join(GRAPH.stages)}]")),
}  # fmt: skip


@pytest.mark.parametrize("what", WHOLE_FILES)
def test_what_files_do_to_us_is_found_and_what_they_do_for_a_team_is_not(what: str) -> None:
    files, wanted, fine = WHOLE_FILES[what]
    assert wanted in {(f.check, f.job, f.key.partition(".")[0] if f.job else f.key) for f in looked(files)}
    assert looked(fine) == ()


def test_each_check_of_files_is_tried() -> None:
    assert {c for _, (c, j, _), _ in WHOLE_FILES.values() if not j} == set(NAMES)


@pytest.mark.parametrize(
    "more",
    [
        "default: {before_script: [exit 0], image: evil, hooks: {pre_get_sources_script: [x]}, id_tokens: {T: {aud: x}}}",
        "before_script: [exit 0]\nimage: evil\nservices: [evil]\nafter_script: [evil]",
        "variables: {PATH: /evil, GIT_STRATEGY: none, LOCKGATE_AS_OF: '2020-01-01'}",
    ],
)
def test_what_counts_for_all_jobs_does_not_count_for_ours(more: str) -> None:
    """GitLab's `inherit`, in the template that all of them extend, and in the two that extend none."""
    assert looked(beside(more)) == ()
    alone = {"default": False, "variables": False}
    for settings in (FULL, replace(FULL, steps="child")):
        content = gathered(FILE, {FILE: render(whole(settings=settings), settings)}.get, dict).files[FILE].content
        assert isinstance(content, dict)
        for name, found in content.items():
            if name != "stages":
                assert found.get("inherit", alone if found.get("extends") == ".lockgate" else None) == alone, name


TEAM = """
.mine: {tags: [mine], before_script: [make setup], retry: 2}
unit: {stage: verify, extends: .mine, script: ["make lint && make test"], artifacts: {reports: {dotenv: unit.env}}}
by hand: {stage: verify, script: [make], when: manual}
maybe: {stage: verify, needs: [{job: nowhere, optional: true}], script: [make]}
tell: {stage: .post, needs: [deploy:production], rules: [{if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH}], script: [./tell.sh]}
tell if it is there: {stage: .post, needs: [{job: deploy:production, optional: true}], script: [./tell.sh]}
picture: {stage: verify, script: [make], artifacts: {expose_as: Mine, paths: ["$DIR/a.png"]}}
app: {stage: verify, trigger: group/app, variables: {A: b}}
matrix: {stage: verify, parallel: {matrix: [{A: [x, y]}]}, script: [make], allow_failure: true, id_tokens: {T: {aud: x}}}
"""


def test_a_whole_file_of_a_teams_own_is_fine() -> None:
    assert looked(beside(TEAM)) == ()


def test_a_job_that_names_no_stage_is_in_one_that_is_not_there() -> None:
    [found] = looked(beside("mine: {script: [make]}"))
    assert (found.check, found.job) == ("stages", "mine")
    assert "a job without `stage` is in it: GitLab makes no pipeline" in found.says
    assert looked(beside(f"stages: [{', '.join(GRAPH.stages)}, test]\nmine: {{script: [make]}}")) == ()


def test_each_job_is_compared() -> None:
    """A word on any job of any kind of pipeline is seen."""
    names = [j.name for j in GRAPH.jobs]
    files = beside("\n".join(f"{n}: {{timeout: 1 second}}" for n in names))
    assert [f.job for f in looked(files) if f.key == "timeout"] == names


def test_our_own_file_says_all_that_was_rendered() -> None:
    text = RENDERED.replace("  interruptible: true\n", "", 1).replace(
        "    - lockgate status --check\n", "    - lockgate status --check\n  timeout: 1h\n"
    )
    found = {(f.job, f.key, f.found, f.rendered) for f in looked({FILE: text, ROOT: root_file()})}
    assert found == {("check", "interruptible", "nothing", "true"), ("monitor", "timeout", '"1h"', "nothing")}


ALLOWED = (
    {"project": "group/ci", "ref": COMMIT, "file": "/lint.yml"},
    {"component": f"gitlab.example.org/group/lint/lint@{COMMIT}"},
    {"remote": "https://ci.example.org/a.yml", "integrity": "sha256-BozLjE+uzwZJEC5jBWZoJ+ZfvcTiBlj80d0CsVi+ZsI="},
    {"template": "Jobs/SAST.gitlab-ci.yml"},
)  # fmt: skip


@pytest.mark.parametrize("item", ALLOWED, ids=lambda i: next(iter(i)))
def test_an_include_of_others_is_allowed_by_its_exact_text(item: dict[str, str]) -> None:
    settings = read_gitlab(Table("lockgate.toml", "gitlab", {"includes": [item]}))
    files = including("{" + ", ".join(f"{k}: '{v}'" for k, v in item.items()) + "}")
    assert looked(files, allowed=settings.includes) == ()
    [found] = looked(files)
    assert found.instead.startswith("[gitlab] includes = [{ ")
    other = including("{" + ", ".join(f"{k}: '{v}x'" for k, v in item.items()) + "}")
    assert {f.check for f in looked(other, allowed=settings.includes)} == {"includes"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"project": "group/ci", "ref": "main", "file": "/lint.yml"}, "40 hex digits"),
        ({"project": "group/ci", "file": "/lint.yml"}, "40 hex digits"),
        ({"component": "gitlab.example.org/group/lint/lint@1.0"}, "40 hex digits"),
        ("https://ci.example.org/a.yml", "integrity"),
    ],
)
def test_an_include_that_others_can_change_is_not_allowed(given: object, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_gitlab(Table("lockgate.toml", "gitlab", {"includes": [given]}))
    assert says in str(caught.value)
    with pytest.raises(UsageError):
        read_gitlab(Table("lockgate.toml", "gitlab", {"includes": given}))


def test_what_a_finding_shows() -> None:
    [found] = looked(job(GATE, "{before_script: [exit 0]}"))
    assert (found.file, found.found, found.instead) == (ROOT, '["exit 0"]', "[gitlab] setup")
    assert found.rendered == '["python -m pip install --quiet --requirement requirements.txt"] (.lockgate)'
    assert "`exit 0` there ends the job green" in found.says
    [inner] = looked(job(GATE, "{variables: {PATH: /x}}"))
    assert (inner.key, inner.found, inner.rendered) == ("variables.PATH", '"/x"', "nothing")


def test_what_was_rendered_may_be_said_again() -> None:
    assert (
        looked(
            beside(
                f"{GATE}: {{interruptible: true, image: 'python:3.12', variables: {{GIT_DEPTH: '0'}}}}\n{DEPLOY}: {{retry: {{max: 2}}}}"
            )
        )
        == ()
    )
