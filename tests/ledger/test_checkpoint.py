"""Anchors: what was signed once is held against the ledger of today; each field that differs is named."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lockgate.errors import IntegrityError, UsageError
from lockgate.records.checkpoint import contradiction, read_checkpoint, sign_checkpoint
from lockgate.records.decisions import Looked
from lockgate.records.ledger import Head
from lockgate.records.people import NOBODY
from lockgate.records.trust import Trusted
from lockgate.records.ledger import EMPTY
from lockgate.testing.ledger import MemorySigner
from lockgate.testing.scene import CAST, Scene, release


def anchored(who: str = "sam", entries: int = 3) -> tuple[Scene, bytes]:
    scene = Scene()
    for number in range(entries):
        scene.say("sam", Looked, holdout=release(str(number)), reason="deliver")
    return scene, sign_checkpoint(scene.trusted(), MemorySigner(who))


def test_a_ledger_that_grew_fits_its_anchors() -> None:
    scene, data = anchored()
    assert contradiction(read_checkpoint(data), scene.trusted()) is None
    scene.say("sam", Looked, holdout=release("later"), reason="deliver")
    scene.change_people(*(p for p in CAST if p.name != "sam"))  # who anchored may leave
    assert contradiction(read_checkpoint(data), scene.trusted()) is None


@pytest.mark.parametrize("field", ["head", "size", "trust_root", "key", "signature"])
def test_what_differs_is_named(field: str) -> None:
    scene, data = anchored("mallory" if field == "key" else "sam")
    checkpoint = read_checkpoint(data)
    if field == "head":
        scene, _ = anchored()
        scene.now = scene.now.replace(year=2027)
        scene = Scene()
        for word in "abc":
            scene.say("sam", Looked, holdout=release(word), reason="deliver")
    elif field == "size":
        scene, _ = anchored(entries=2)
    elif field == "trust_root":
        scene = Scene(CAST[:-1])
        for number in range(3):
            scene.say("sam", Looked, holdout=release(str(number)), reason="deliver")
    elif field == "signature":
        checkpoint = replace(checkpoint, envelope=replace(checkpoint.envelope, signature=bytes(64)))
    against = contradiction(checkpoint, scene.trusted())
    assert against is not None
    assert against.field == field
    assert against.signer == ("sam" if field in ("head", "size", "trust_root") else "")


def test_a_checkpoint_whose_words_were_changed_is_not_signed_any_more() -> None:
    scene, data = anchored()
    checkpoint = read_checkpoint(data)
    payload = checkpoint.envelope.payload.replace(b'"size":4', b'"size":3')
    assert payload != checkpoint.envelope.payload
    raw = replace(checkpoint.envelope, payload=payload).to_json()
    against = contradiction(read_checkpoint(json.dumps(raw).encode()), scene.trusted())
    assert against is not None
    assert (against.field, against.signer) == ("head", "")


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"payload": "e30=", "payloadType": "x", "signatures": []}']
)
def test_what_is_no_checkpoint(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        read_checkpoint(data)


def test_an_empty_ledger_has_nothing_to_anchor() -> None:
    with pytest.raises(UsageError):
        sign_checkpoint(Trusted(said=(), people=NOBODY, root="", head=EMPTY), MemorySigner("sam"))
    assert Head(size=0, digest=EMPTY.digest) == EMPTY
