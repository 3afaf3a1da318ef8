"""A reference population is stated by hand or read from a file: whatever is wrong with it is said when it is declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import UsageError
from lockgate.gates.population import population


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.csv", "group,share\nmänner,0.5\nfrauen,0.5\n".encode("latin-1"), "p.csv: byte 14 is no UTF-8"),
        ("p.json", '{"männer": 1}'.encode("latin-1"), "p.json: byte 4 is no UTF-8"),
        ("p.json", b'{"w": 0.51, "m": 0.30, "m": 0.49}', "p.json: m twice"),
        ("p.csv", b"group,share\nw,0.5\nw,0.5\n", "p.csv: w twice"),
        ("p.csv", b"group,share\nw,0.5\n,0.5\n", "a group without a name"),
        ("p.json", b'{"w": 0.5, " ": 0.5}', "a group without a name"),
        ("p.json", b'{"w": {"m": 1}}', "w: "),
        ("p.json", b"[" * 100_000, "a JSON object of group and share"),
    ],
)
def test_a_file_that_is_no_population_is_refused(name: str, text: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(UsageError) as caught:
        population(str(tmp_path / name))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", "group,share\nmänner,0.5\nfrauen,0.5\n".encode()),
        ("p.csv", "group,share\nmänner,0.5\nfrauen,0.5\n".encode("utf-8-sig")),
        ("p.json", '{"männer": 0.5, "frauen": 0.5}'.encode()),
    ],
)
def test_its_twin_is_read(name: str, text: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text)
    assert population(str(tmp_path / name)) == {"männer": "0.5", "frauen": "0.5"}


def test_a_group_without_a_name_is_refused_in_a_declaration_too() -> None:
    with pytest.raises(UsageError, match="without a name"):
        population({"": 0.5, "m": 0.5})
