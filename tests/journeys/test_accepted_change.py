"""A change that a person accepted is told to everybody who looks at the release."""

from __future__ import annotations

from collections.abc import Callable

from journeys.walking import HUMAN, Lockgate, both, commit, edit

WORDS = "result of an earlier version of this code, accepted by ada (ledger entry "


def test_it_stands_in_lineage_and_on_the_evidence_page(ran: Lockgate, fresh: Callable[[Lockgate], Lockgate]) -> None:
    lockgate = fresh(ran)
    edit(lockgate.root, "shop/pipelines.py", "return Model(factor)", "return Model(factor=factor)")
    commit(lockgate.root, "named")
    lockgate("accept", "model", "--reason", "the same argument, by name")
    assert set(lockgate.actions().values()) == {"reuse"}
    with both(lockgate):
        lockgate("deliver", expect=HUMAN)
    steps = lockgate.json("show", "latest")["lineage"]["steps"]
    assert steps["shop.model"]["accepted"].startswith(WORDS)
    assert [n for n, s in steps.items() if "accepted" in s] == ["shop.model"]
    page = lockgate.root / "page.html"
    card = lockgate.root / "card.md"
    lockgate("evidence", "latest", "--to", str(page), "--card", str(card))
    for text in (page.read_text(), card.read_text()):
        assert f"Step model: {WORDS}" in text
        assert "the same argument, by name" in text
