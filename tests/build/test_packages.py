"""Names and versions of what an import reaches, and of what that requires; bytes where a version does not say them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from build.small_project import write
from lockgate.build.packages import Installed


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def install(site: Path, name: str, version: str, *requires: str, **more: str) -> None:
    """As an installer leaves it: the module, its metadata and the list of its files."""
    folder = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {r}\n" for r in requires)
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{folder}/RECORD": f"{name}.py,,\n{folder}/METADATA,,\n",
        **{f"{folder}/{n.replace('__', '.')}": text for n, text in more.items()},
    }
    write(site, files)


def reached(tmp_path: Path, *modules: str) -> tuple[str, ...]:
    return Installed(tmp_path / "project").reached(modules)


def test_a_distribution_and_what_it_requires_in_turn(site: Path, tmp_path: Path) -> None:
    install(site, "qtop", "1.0", "qmiddle>=1")
    install(site, "qmiddle", "2.0", "qlow ; python_version > '3'", "qmissing")
    install(site, "qlow", "3.0", "qtop")  # a circle
    install(site, "qother", "4.0")
    assert reached(tmp_path, "qtop.sub.name", "os", "nowhere_at_all") == ("qlow==3.0", "qmiddle==2.0", "qtop==1.0")


def test_an_extra_counts_when_it_is_asked_for(site: Path, tmp_path: Path) -> None:
    install(site, "qtop", "1.0", "qmiddle[fast]")
    install(site, "qmiddle", "2.0", "qlow ; extra == 'fast'", "qother ; extra == 'slow'")
    install(site, "qlow", "3.0")
    install(site, "qother", "4.0")
    assert reached(tmp_path, "qtop") == ("qlow==3.0", "qmiddle==2.0", "qtop==1.0")


def test_another_version_of_what_is_required_is_another_answer(site: Path, tmp_path: Path) -> None:
    install(site, "qtop", "1.0", "qlow")
    install(site, "qlow", "3.0")
    before = reached(tmp_path, "qtop")
    (site / "qlow-3.0.dist-info").rename(site / "qlow-3.1.dist-info")
    install(site, "qlow", "3.1")
    assert (before, reached(tmp_path, "qtop")) == (("qlow==3.0", "qtop==1.0"), ("qlow==3.1", "qtop==1.0"))


def test_an_editable_install_is_known_by_its_bytes(site: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "elsewhere", {"qedit.py": "K = 1\n"})
    origin = json.dumps({"url": source.as_uri(), "dir_info": {"editable": True}})
    install(site, "qedit", "1.0", direct_url__json=origin)
    before = reached(tmp_path, "qedit")
    (site / "qedit.py").write_text("K = 2\n")
    after = reached(tmp_path, "qedit")
    assert before != after
    assert all(found[0].startswith("qedit==1.0+") for found in (before, after))


def test_a_module_without_a_version_is_known_by_its_bytes(site: Path, tmp_path: Path) -> None:
    write(site, {"qloose/__init__.py": "", "qloose/deep.py": "K = 1\n"})
    before = reached(tmp_path, "qloose")
    (site / "qloose/deep.py").write_text("K = 2\n")
    after = reached(tmp_path, "qloose")
    assert before != after
    assert all(found[0].startswith("qloose==0+") for found in (before, after))


def test_a_package_of_the_project_is_none_and_one_of_its_environment_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    write(project, {"qshop/__init__.py": "", ".venv/lib/site-packages/qvendored/__init__.py": "X = 1\n"})
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.syspath_prepend(str(project / ".venv/lib/site-packages"))
    (found,) = reached(tmp_path, "qshop.pipelines", "qvendored")
    assert found.startswith("qvendored==0+")
