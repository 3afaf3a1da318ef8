"""The lock file of training: written and read back, and every way in which an environment may differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import IntegrityError
from lockgate.release.training_lock import Locked, differing, files_digest, read_training_lock, training_lock

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?", fullmatch=True).filter(lambda n: n != "lockgate")
VERSIONS = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){1,2}(\+cu[0-9]{3})?", fullmatch=True)
TAILS = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)


@given(st.dictionaries(NAMES, st.tuples(VERSIONS, st.none() | TAILS)))
def test_written_and_read_back(packages: dict[str, tuple[str, str | None]]) -> None:
    said = [f"{n}=={v}" + (f"+{tail}" if tail else "") for n, (v, tail) in packages.items()]
    found = {k.name: k for k in read_training_lock(training_lock([*said, "lockgate==0.1.0"]))}
    assert {n: k.version for n, k in found.items()} == {n: v for n, (v, _) in packages.items()}
    assert {n for n, k in found.items() if not k.published} == {n for n, (_, tail) in packages.items() if tail}
    assert differing(found.values(), found) == ()


def test_another_version_other_files_and_nothing_differ() -> None:
    locked = [Locked(name=n, version="1", files="00") for n in "abcd"]
    here = {
        "a": Locked(name="a", version="2"), "b": Locked(name="b", version="1", files="01"), "c": None,
        "d": Locked(name="d", version="1"),
    }  # fmt: skip
    assert [said[0] for said in differing(locked, here)] == ["a", "b", "c"]


def test_an_installed_package_has_a_digest() -> None:
    assert len(files_digest("blake3")) == 16
    assert files_digest("no-such-package") == ""


@pytest.mark.parametrize(
    "line",
    ["-f==x", "--index-url==http://evil/simple", "torch==2.1@http://x/y.whl", "torch @ http://x/y.whl", "torch",
     "-r other.txt", "torch==2.1 --no-binary :all:", "# not in a registry: --pre==1", "torch==2.1;x", " torch==2.1"],
)  # fmt: skip
def test_a_line_that_an_installer_could_take_for_something_else_is_refused(line: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        read_training_lock(f"# packages\n\npolars==2.1.0  # files 0123456789abcdef\n{line}\n")
    assert line[:20] in caught.value.value
