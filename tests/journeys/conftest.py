"""Projects at the stations of their way, made once and copied: founded, ran, waiting, delivered."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from journeys.walking import (
    DAYS,
    HUMAN,
    Lockgate,
    Server,
    both,
    commit,
    copy,
    edit,
    make_shop,
    write_sales,
)

Copier = Callable[[Lockgate], Lockgate]


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """The toy project before Lockgate has seen it."""
    return make_shop(tmp_path_factory.mktemp("bare") / "shop")


@pytest.fixture(scope="session")
def founded(bare: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """Ada founded the project and made Bob its product owner."""
    lockgate = copy(bare, tmp_path_factory.mktemp("founded") / "shop")
    lockgate("init", "--person", "ada")
    lockgate("people", "add", "bob", "--role", "product-owner", "--new-key", ".lockgate/bob")
    return lockgate


@pytest.fixture(scope="session")
def ran(founded: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """All steps are done."""
    lockgate = copy(founded, tmp_path_factory.mktemp("ran") / "shop")
    lockgate("run")
    return lockgate


@pytest.fixture(scope="session")
def noted(founded: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """A second source, of which two versions are kept; the second lies there."""
    lockgate = copy(founded, tmp_path_factory.mktemp("noted") / "shop")
    with (lockgate.root / "lockgate.toml").open("a") as settings:
        settings.write('[sources.notes]\nkind = "file"\npath = "notes"\n')
    notes = lockgate.root / "notes"
    notes.mkdir()
    for files in ({"a": "1", "b": "1", "c": "1"}, {"a": "2", "c": "1", "d": "1"}):
        for path in notes.iterdir():
            path.unlink()
        for name, text in files.items():
            (notes / name).write_text(text)
        lockgate("data", "add", "notes")
    return lockgate


@pytest.fixture(scope="session")
def waiting(ran: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """The first release passed its gates and waits for Bob; nobody serves now."""
    lockgate = copy(ran, tmp_path_factory.mktemp("waiting") / "shop")
    with both(lockgate):
        lockgate("deliver", expect=HUMAN)
    lockgate("evidence")
    return lockgate


@pytest.fixture(scope="session")
def known(ran: Lockgate, waiting: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """All steps are done and no release exists, but what its gates will measure is in the shared store already."""
    lockgate = copy(ran, tmp_path_factory.mktemp("known") / "shop")
    for kind in ("objects", "results"):
        shutil.copytree(waiting.root / ".lockgate" / kind, lockgate.root / ".lockgate" / kind, dirs_exist_ok=True)
    return lockgate


@pytest.fixture(scope="session")
def proposed(known: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """The first release exists, and no gate has judged it."""
    lockgate = copy(known, tmp_path_factory.mktemp("proposed") / "shop")
    lockgate("propose")
    return lockgate


@pytest.fixture(scope="session")
def approved(waiting: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """Bob signed for the first release."""
    lockgate = copy(waiting, tmp_path_factory.mktemp("approved") / "shop")
    lockgate.approve()
    return lockgate


@pytest.fixture(scope="session")
def delivered(approved: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """The first release is live in production; nobody serves now."""
    lockgate = copy(approved, tmp_path_factory.mktemp("delivered") / "shop")
    with both(lockgate) as (staging, _):
        staging.answers()
        lockgate("deliver")
    return lockgate


@pytest.fixture(scope="session")
def delivered_twice(delivered: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """A second release, of changed code and one more day of data, replaced the first; nobody serves now."""
    lockgate = copy(delivered, tmp_path_factory.mktemp("twice") / "shop")
    edit(lockgate.root, "shop/pipelines.py", "factor: float = 1.0", "factor: float = 1.001")
    write_sales(lockgate.root, days=DAYS + 1)
    commit(lockgate.root, "a little more of everything")
    with both(lockgate) as (staging, production):
        staging.answers()
        production.answers()
        lockgate("deliver", expect=HUMAN)
        lockgate.approve()
        lockgate("deliver")
    return lockgate


@pytest.fixture(scope="session")
def asked(delivered: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """The first release answered, and what happened then is known for one answer."""
    lockgate = copy(delivered, tmp_path_factory.mktemp("asked") / "shop")
    with Server(lockgate, "production") as production:
        production.answers().predict("p1", "2020-05-02")
        production.predict("p2", "2020-05-03")
    (lockgate.root / "labels.csv").write_text("product,date,actual\np1,2020-05-02,33\n")
    return lockgate


@pytest.fixture
def fresh(tmp_path: Path) -> Copier:
    """Copy a prepared project, so that a test may do with it what it likes."""
    numbers = itertools.count(1)
    return lambda prepared: copy(prepared, tmp_path / str(next(numbers)) / "shop")
