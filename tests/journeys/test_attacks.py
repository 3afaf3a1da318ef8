"""What somebody with a little too much access may try. Each attack has a twin that is honest, and works."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.adapters.local import LocalResults, LocalStore

from journeys.walking import GOOD, HUMAN, REFUSED, Lockgate, Server, edit, until

Copier = Callable[[Lockgate], Lockgate]


def records(lockgate: Lockgate, kind: str) -> dict[str, Path]:
    """Key → file of every small record of a kind."""
    return {p.name: p for p in (lockgate.root / ".lockgate" / kind).glob("*/*") if not p.name.startswith(".")}


def put(lockgate: Lockgate, kind: str, key: str, record: dict[str, object]) -> None:
    """Write a record as somebody does who knows the format."""
    LocalResults(lockgate.root / ".lockgate" / kind).put(key, record)


def kept(lockgate: Lockgate, kind: str) -> tuple[str, dict[str, object]]:
    """The only record of a kind."""
    ((name, path),) = records(lockgate, kind).items()
    return f"blake3:{name}", json.loads(path.read_bytes())["record"]


@pytest.mark.parametrize("honest", [True, False])
def test_another_page_in_the_place_of_the_one_that_was_shown(waiting: Lockgate, fresh: Copier, honest: bool) -> None:
    """A writer of the store points the page's record to bytes of their own: `evidence` and `approve` refuse."""
    lockgate = fresh(waiting)
    key, page = kept(lockgate, "pages")
    if not honest:
        mine = lockgate.root / "mine.html"
        mine.write_text("<h1>All is well</h1>")
        page = {**page, "page": LocalStore(lockgate.root / ".lockgate").put(mine)}
    put(lockgate, "pages", key, page)
    for done in (lockgate("evidence", expect=None), lockgate.approve(expect=None)):
        assert done.code == (GOOD if honest else REFUSED), done.text
        assert honest or "evidence page" in done.err and "ledger verify" in done.err


@pytest.mark.parametrize("honest", [True, False])
def test_a_result_under_the_key_of_another_step(ran: Lockgate, fresh: Copier, honest: bool) -> None:
    """A record that was copied to another key is none: the step runs again."""
    lockgate = fresh(ran)
    files = sorted(records(lockgate, "results").values())
    steps = {json.loads(p.read_bytes())["record"]["artifact"]["type"]: p for p in files}
    models = next(p for kind, p in steps.items() if kind.endswith("Model"))
    others = next(p for kind, p in steps.items() if kind.endswith("DataFrame"))
    data = models.read_bytes() if honest else others.read_bytes()
    models.write_bytes(data)
    assert lockgate.actions()["model"] == ("reuse" if honest else "run")


def test_a_ledger_of_other_people_in_the_place_of_ours(delivered: Lockgate, fresh: Copier, tmp_path: Path) -> None:
    """The first trust root that a working copy saw is the one it believes; a clone that saw none learns it from `--trust`."""
    lockgate = fresh(delivered)
    ours = lockgate.json("ledger", "verify")["trust_root"]
    other = Lockgate(tmp_path / "other")
    other.root.mkdir()
    assert other("init", "--person", "mallory").code == GOOD
    for name in ("ledger-seen", "ledger-seen.lock"):
        (lockgate.root / ".lockgate" / name).unlink(missing_ok=True)
    shutil.copy(other.root / ".lockgate/ledger/ledger.jsonl", lockgate.root / ".lockgate/ledger/ledger.jsonl")
    for command in (("status",), ("ledger", "verify"), ("serve", "production", "--port", "0")):
        done = lockgate(*command, expect=REFUSED)
        assert ours in done.err and "trust root" in done.err, done.text


def test_keys_are_never_committed(founded: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(founded)
    (lockgate.root / ".gitignore").unlink(missing_ok=True)
    subprocess.run(["git", "add", "--all"], cwd=lockgate.root, check=True)
    listed = subprocess.run(["git", "ls-files"], cwd=lockgate.root, check=True, capture_output=True, text=True).stdout
    assert "lockgate.toml" in listed
    assert ".lockgate" not in listed


@pytest.mark.parametrize("name", ["LOCKGATE_KEY", "SHOP_TOKEN", "SHOP_DATABASE_PASSWORD"])
def test_code_of_the_project_sees_no_secret(ran: Lockgate, fresh: Copier, name: str) -> None:
    """Neither while modules are imported, which `status` and `approve` do, nor in a step; other names are seen."""
    lockgate = fresh(ran)
    key = str(lockgate.root / ".lockgate" / "key")
    lockgate = Lockgate(lockgate.root, {**lockgate.env, name: key, "SHOP_COLOUR": "green"})
    seen = f"[os.environ.get({name!r}), os.environ.get('SHOP_COLOUR')]"
    edit(
        lockgate.root, "shop/pipelines.py", "import polars as pl", f"import polars as pl\nimport os\nAT_IMPORT = {seen}"
    )
    edit(
        lockgate.root,
        "shop/pipelines.py",
        "    return Model(factor)",
        f"    print(AT_IMPORT, {seen})\n    raise ValueError((AT_IMPORT, {seen}))",
    )
    done = lockgate("run", expect=1)
    assert "([None, 'green'], [None, 'green'])" in done.err, done.text


def test_a_gate_that_is_declared_but_was_not_run_lets_nobody_serve(delivered: Lockgate, fresh: Copier) -> None:
    """A deliverer adds a wish by hand for a release whose gates nobody ran: the server looks itself."""
    lockgate = fresh(delivered)
    script = """
import datetime as dt, sys
from pathlib import Path
from lockgate.delivery.identity import append
from lockgate.project import open_project
from lockgate.records.decisions import Proposed, Wanted
project, now = open_project(Path.cwd()), dt.datetime.now(dt.UTC)
release = "sha256:" + "5" * 64
append(project, lambda t: Proposed(release=release, name="shop", authors=("Dev <dev@example.org>",), started_by="ada", lineage=release, log=t.head), now=now)
append(project, lambda t: Wanted(release=release, environment="staging", because="delivered", authorised_by=(), log=t.head), now=now)
"""
    with Server(lockgate, "staging") as staging:
        before = staging.answers().predict()["release"]
        subprocess.run([sys.executable, "-c", script], cwd=lockgate.root, check=True)
        until(lambda: "is refused" in staging.said, what=lambda: staging.said)
        assert "a gate was not passed" in staging.said
        assert staging.predict()["release"] == before
    with Server(lockgate, "staging") as staging:  # and a restart goes on with what is live
        assert staging.answers().predict()["release"] == before


def test_words_of_the_settings_on_the_page_are_part_of_what_is_signed(waiting: Lockgate, fresh: Copier) -> None:
    """A page made with other words is another page: an old one is not shown in its place."""
    lockgate = fresh(waiting)
    before = Path(lockgate.json("evidence")["path"]).read_bytes()
    edit(lockgate.root, "lockgate.toml", "Units sold per product and day.", "Units per product and day.")
    assert "lockgate deliver" in lockgate.approve(expect=2).err
    edit(lockgate.root, "lockgate.toml", "Units per product and day.", "Units sold per product and day.")
    assert Path(lockgate.json("evidence")["path"]).read_bytes() == before
    lockgate.approve()


def test_what_was_not_shown_here_cannot_be_approved(waiting: Lockgate, fresh: Copier) -> None:
    """A deliverer measures again between the look and the signature: the page is another one, and `approve` says so."""
    lockgate = fresh(waiting)
    shutil.rmtree(lockgate.root / ".lockgate" / "shown")
    sign = ("approve", "latest", "--role", "product-owner", "--reason", "ok", "--key", ".lockgate/bob")
    assert "was not shown here yet" in lockgate(*sign, expect=REFUSED).err
    lockgate("evidence")
    edit(lockgate.root, "shop/delivery.py", "worst_over_best=10", "worst_over_best=9.9")
    with Server(lockgate, "staging"):
        lockgate("deliver", expect=HUMAN)
    assert "has changed since it was shown here" in lockgate(*sign, expect=REFUSED).err
    lockgate("evidence")
    lockgate(*sign)
