"""What cannot be hashed is an error that names it: never a constant that stands for whatever it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.working_copy import HEAD, WorkingCopy
from lockgate.errors import LockgateError

SOURCE = '[sources.text]\nkind = "folder"\npath = "data"\n'
STEPS = HEAD + (
    "from pathlib import Path\n@step\ndef a(text: Path, rate: float = 0.5) -> int:\n    return len(list(text.iterdir()))\n"
    "flow = Pipeline('flow', kind='data', steps=[a])\n"
)


def test_a_link_to_nowhere_in_an_input(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, STEPS, toml=SOURCE)
    copy.write("data/one.txt", "1")
    assert copy.plan() == {"a": "run"}
    (tmp_path / "data/two.txt").symlink_to("gone.txt")
    with pytest.raises(LockgateError, match=r"two\.txt"):
        copy.plan()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_file_that_cannot_be_opened(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = WorkingCopy(tmp_path, STEPS, toml=SOURCE.replace("folder", kind))
    copy.write("data/one.txt", "1")

    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("lockgate.delivery.sources.memory.digest_file", refuse)  # root may read everything
    with pytest.raises(LockgateError, match=r"one\.txt: Permission denied"):
        copy.plan()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_a_parameter_that_json_cannot_hold(tmp_path: Path, value: object) -> None:
    copy = WorkingCopy(tmp_path, STEPS, toml=SOURCE)
    copy.write("data/one.txt", "1")
    with pytest.raises(LockgateError, match=r"a\.rate"):
        copy.plan(params={"a": {"rate": value}})
