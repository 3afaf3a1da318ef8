"""Law 1 on projects nobody thought of: whenever an edit changes what the step's function returns, its key changes."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from build.copied import COPIED
from build.mutation import HEAD, Tally, measured, subject
from build.operators import edits, is_python
from build.random_project import Writer, mutate
from build.small_project import REFUSED, key_of, result_of, write
from build.styles import STYLES

SEEDS = range(int(os.environ.get("LOCKGATE_FIRST_SEED", "0")), int(os.environ.get("LOCKGATE_FIRST_SEED", "0")) + 30)
EDITS = 12


@pytest.mark.parametrize("seed", SEEDS)
def test_another_result_has_another_key(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    files = Writer(chance).project()
    root = write(tmp_path / "was", files)
    key, result = key_of(root, "p.entry:f"), result_of(root, "p.entry:f")
    for number in range(EDITS):
        said, edited = mutate(files, chance)
        there = write(tmp_path / str(number), edited)
        now = result_of(there, "p.entry:f")
        if now != result and not now.startswith(REFUSED):
            assert key_of(there, "p.entry:f") != key, f"seed {seed}: {said}: another result under the same key"


def test_the_edits_do_change_results(tmp_path: Path) -> None:
    """The property would hold for free if they did not."""
    changed = total = narrow = 0
    for seed in range(12):
        chance = random.Random(seed)
        files = Writer(chance).project()
        root = write(tmp_path / f"{seed}", files)
        key, result = key_of(root, "p.entry:f"), result_of(root, "p.entry:f")
        assert "Error" not in result, f"seed {seed}: {result}"
        for number in range(8):
            _, edited = mutate(files, chance)
            there = write(tmp_path / f"{seed}-{number}", edited)
            total += 1
            changed += result_of(there, "p.entry:f") != result
            narrow += key_of(there, "p.entry:f") == key
    assert changed > total / 5
    assert narrow > total / 10, "a key that always changes would be right, and useless"


SEED = int(os.environ.get("LOCKGATE_SEED", "20261123"))
IN_A_STYLE, IN_A_PACKAGE = 20, 10


@pytest.mark.timeout(600)
def test_standard_operators_on_styles_and_installed_packages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the figures mean: `mutation.py`. Many more edits of each: `make soak`."""
    total, rows = Tally(), [HEAD]
    for name in (*STYLES, *COPIED):
        tally = measured(
            name, tmp_path, random.Random(f"{SEED} {name}"), count=IN_A_STYLE if name in STYLES else IN_A_PACKAGE
        )
        rows.append(tally.row(name))
        total.add(tally)
    with capsys.disabled():
        print(f"\nmutations, seed {SEED} (LOCKGATE_SEED):", *rows, total.row("all"), sep="\n")
    assert not total.missed, "\n".join(total.missed)
    assert total.needless <= 0.05, "\n".join(total.wasted)
    assert total.needed > total.edits / 4, "the property would hold for free"
    assert total.unused > total.edits / 20, "nothing was there that could re-run needlessly"


def test_an_account_of_names_finds_what_is_used(tmp_path: Path) -> None:
    """The yardstick of `needless` is no better than what it calls unused: that may not be what a result depends on."""
    files = {
        "q.py": "K = 1\nL = 2\ndef g():\n    return K\ndef h():\n    return L\nclass C:\n    N = 1\n    def go(self): return g()\n",
        "entry.py": "import q\nfrom q import C as Named\nT = {'h': q.h}\ndef f():\n    return Named().go() + T['h']()\ndef other():\n    return q.g\n",
    }  # fmt: skip
    with subject(write(tmp_path, files), "entry:f") as found:
        assert {n for f, n in found.named if f == "q.py"} == {0, 1, 2, 3, 4}
        assert {n for f, n in found.named if f == "entry.py"} == {0, 1, 2, 3}


def test_operators_change_what_they_say() -> None:
    source = b"def f(a=1):\n    '''Doc.'''\n    if a < 2 and not a:\n        return -a\n    return [x for x in 'ab' if x != 'b'] + [1]\n"
    found = {(e.operator, e.applied(source).decode()) for e in edits(source) if is_python(e.applied(source))}
    assert {o for o, _ in found} == {
        "default", "comparison", "boolean", "sign", "return", "constant", "arithmetic", "negation",
    }  # fmt: skip
    assert ("comparison", source.decode().replace("a < 2", "(a <= 2)")) in found
    assert ("negation", source.decode().replace("a < 2 and not a", "(not (a < 2 and (not a)))")) in found
    assert all("Doc." in text for _, text in found)
