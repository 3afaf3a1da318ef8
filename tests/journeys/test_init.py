"""An empty folder becomes a project that runs; what exists is kept."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from journeys.walking import GOOD, OUTSIDE, REFUSED, USAGE, Lockgate, git, objects


def test_an_empty_folder_becomes_a_project_that_runs(tmp_path: Path) -> None:
    lockgate = Lockgate(tmp_path)
    done = lockgate("init", "first-try", "--person", "ada")
    assert "cd first-try && lockgate run" in done.out
    inside = Lockgate(tmp_path / "first-try")
    ran = inside("run")
    assert ran.out == "done  2 run, 0 reused\n"
    assert inside.json("show", "total")["value"] == 45
    assert inside("run").out == "done  0 run, 2 reused\n"
    assert inside.json("run", "--param", "numbers.count=3")["steps"][0]["action"] == "run"
    assert [p["name"] for p in inside.json("people")["people"]] == ["ada"]
    assert stat.S_IMODE((inside.root / ".lockgate" / "key").stat().st_mode) == 0o600
    assert ".lockgate/" in (inside.root / ".gitignore").read_text()


def test_init_here_takes_the_name_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "my-shop 2"
    folder.mkdir()
    lockgate = Lockgate(folder)
    lockgate("init", "--person", "ada")
    lockgate("run")
    (folder / "deeper").mkdir()
    assert Lockgate(folder / "deeper")("run").code == GOOD  # a project is found upwards


def test_init_twice_keeps_everything(tmp_path: Path) -> None:
    lockgate = Lockgate(tmp_path)
    first = lockgate("init", "--name", "shop", "--person", "ada")
    lockgate("run")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    (tmp_path / "policy.toml").write_text("# ours\n" + (tmp_path / "policy.toml").read_text())
    again = lockgate("init", "--person", "ada")
    assert "made" not in again.out
    assert [line for line in again.out.splitlines() if line.startswith(("your key", "trust root"))] == [
        line for line in first.out.splitlines() if line.startswith(("your key", "trust root"))
    ]
    after = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert {p for p in before if after.get(p) != before[p]} == {tmp_path / "policy.toml"}
    assert after[tmp_path / "policy.toml"].startswith(b"# ours\n")
    for asked in (("--person", "eve"), ("--role", "product-owner")):
        refused = lockgate("init", *asked, expect=USAGE)
        assert f"{' '.join(asked)} was not changed" in refused.err
    assert len(lockgate.ledger()) == 1


def test_init_on_a_project_of_others_adds_only_a_key(tmp_path: Path) -> None:
    """A colleague's clone: the project is there, the ledger is shared, the key is new and not registered yet."""
    ada = Lockgate(tmp_path / "ada")
    ada.root.mkdir()
    settings = f'[project]\nname = "shop"\npipelines = []\n\n[store]\nurl = "file://{tmp_path}/store"\n'
    (ada.root / "lockgate.toml").write_text(settings)
    ada("init", "--person", "ada")
    eve = Lockgate(tmp_path / "eve")
    eve.root.mkdir()
    for name in ("lockgate.toml", "policy.toml"):
        (eve.root / name).write_bytes((ada.root / name).read_bytes())
    done = eve("init", "--person", "eve")
    assert "not registered yet" in done.out
    assert [line.split()[1] for line in done.out.splitlines() if line.startswith("made")] == [".lockgate/key"]
    refused = eve("deliver", expect=None)
    assert refused.code != GOOD
    assert len(objects(eve.root)) == 0


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    lockgate = Lockgate(tmp_path)
    lockgate("init", "--name", "shop", "--person", "ada")
    (tmp_path / ".lockgate" / "key").chmod(0o644)
    done = lockgate("init", expect=4)
    assert "chmod 600" in done.err


def test_the_key_may_lie_elsewhere(tmp_path: Path) -> None:
    key = tmp_path / "keys" / "ada"
    lockgate = Lockgate(tmp_path / "shop", {"LOCKGATE_KEY": str(key)})
    lockgate.root.mkdir()
    assert f"made        {key}" in lockgate("init", "--person", "ada").out.splitlines()
    assert key.exists()
    key.unlink()
    assert "lockgate init" in lockgate("people", "add", "bob", "--new-key", "bob", expect=USAGE).err


@pytest.fixture
def at_home(tmp_path: Path) -> Lockgate:
    """The GitLab template on a laptop: no remote, no token."""
    Lockgate(tmp_path)("init", "--template", "gitlab", "shop")
    return Lockgate(tmp_path / "shop", dict.fromkeys(("CI", "CI_API_V4_URL", "LOCKGATE_GITLAB_TOKEN"), ""))


def test_nothing_is_left_half_made_where_the_ledger_is_out_of_reach(at_home: Lockgate) -> None:
    refused = at_home("init", "--person", "ada", expect=OUTSIDE)
    assert "nothing was made" in refused.err
    assert not (at_home.root / ".lockgate" / "key").exists()
    for line in ("git remote add origin …", "export LOCKGATE_GITLAB_TOKEN=… LOCKGATE_GITLAB_HOST=…", "lockgate init --person YOU"):  # fmt: skip
        assert f"\n             {line}\n" in refused.err
    assert at_home("people").out == "nobody is registered yet\nnext: lockgate init --person YOU\n"


def test_the_template_without_gitlab_goes_on_by_what_the_refusal_says(at_home: Lockgate) -> None:
    said = at_home("init", "--person", "ada", expect=OUTSIDE).err
    settings = at_home.root / "lockgate.toml"
    text = settings.read_text()
    for table, url in re.findall(r"\[(store|ledger)\] +(url = .*)", said):
        text = re.sub(rf"(\[{table}\]\n)url = \S+", lambda found, url=url: found[1] + url, text)
    settings.write_text(text)
    at_home("init", "--person", "ada")
    assert [p["name"] for p in at_home.json("people")["people"]] == ["ada"]
    assert (at_home.root.parent / "shop-ledger").is_dir()


def test_a_remote_that_takes_no_entry_leads_back_to_init_and_the_second_try_goes_on(tmp_path: Path) -> None:
    lockgate = Lockgate(tmp_path / "shop")
    lockgate.root.mkdir()
    (lockgate.root / "lockgate.toml").write_text('[project]\nname = "shop"\npipelines = []\n\n[ledger]\nurl = "git:"\n')
    git(lockgate.root, "init", "--quiet")
    git(lockgate.root, "remote", "add", "origin", str(tmp_path / "remote.git"))
    assert "cannot be reached" in lockgate("init", "--person", "ada", expect=OUTSIDE).err
    key = lockgate.root / ".lockgate" / "key.pub"
    assert not key.exists()

    git(tmp_path, "init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    hook = tmp_path / "remote.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert "does not take a ledger entry" in lockgate("init", "--person", "ada", expect=OUTSIDE).err
    made = key.read_text()
    circle = lockgate("people", "add", "bob", "--new-key", "bob", expect=REFUSED).err
    assert "next:    lockgate init --person YOU" in circle
    assert not (lockgate.root / "bob").exists(), "no key is made for a change that is refused"
    hook.unlink()
    lockgate("init", "--person", "ada")
    assert key.read_text() == made
    assert [p["name"] for p in lockgate.json("people")["people"]] == ["ada"]
