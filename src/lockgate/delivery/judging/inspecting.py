"""What the gates on a release as a thing are given: steps that inspect it, consumers' contracts, the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lockgate.delivery.judging.measuring import PATH, json_step
from lockgate.delivery.put import keep_value
from lockgate.delivery.releases import manifest_of
from lockgate.errors import UsageError
from lockgate.gates.measure import INPUTS
from lockgate.records.graph import Node
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.digest import Json

__all__ = ["artifact_steps", "card_of", "contract_texts", "contracts_of", "kept_contracts", "manifest_kept"]

WEIGHING = "lockgate.release.weighing"
EVIDENCE = "lockgate.gates.evidence."
LOOKED_AT = {
    "leakage": ("keys", "content", "features", "target", "times"),
    "split": ("day", "apart"),
    "staleness": ("day",),
}
"""Kind of a gate → its parameters that name columns of the training table."""


def artifact_steps(walk: Walk, packages: Sequence[str], *, has_training_table: bool) -> list[Node]:
    """The steps behind `weighed`, `repeated`, `known_days` and `training_table`, as far as a gate asks for them."""
    asked = {name for gate in walk.gates.values() for name in gate["takes"]}
    inputs: dict[str, dict[str, str]] = {
        "weighed": {"release": "@release", "scored": "scored"},
        "repeated": {"release": "@release"},
        "known_days": {"release": "@release"},
    }
    found = [
        json_step(name, f"{WEIGHING}:{name}", given, dict.fromkeys(given, PATH), {}, packages)
        for name, given in inputs.items()
        if name in asked
    ]
    if has_training_table and "training_table" in asked:
        found.append(_training_table(_columns(walk), packages))
    return found


def _training_table(columns: Sequence[str], packages: Sequence[str]) -> Node:
    return Node(
        name="training_table", target=f"{WEIGHING}:training_table", inputs={"table": "@training_table"},
        input_types={"table": PATH}, parameters={"columns": list(columns)}, type=INPUTS["training_table"],
        codec="columns.npz", definitions=(), packages=tuple(packages),
    )  # fmt: skip


def _columns(walk: Walk) -> list[str]:
    """The columns that gates look at; none: all, because a gate looks at what it does not name, too."""
    found: set[str] = set()
    for gate in walk.gates.values():
        if "training_table" in gate["takes"]:
            named = _named(gate)
            if named is None:
                return []
            found |= named
    return sorted(found)


def _named(gate: Mapping[str, Json]) -> set[str] | None:
    """The columns that one gate looks at; None: all, as leaks are looked for in every day and every feature."""
    kind = str(gate["evidence"]).removeprefix(EVIDENCE).partition(":")[0]
    params = gate["params"]
    every = kind == "leakage" and (
        not params["keys"] or not params["times"] or (params["target"] and not params["features"])
    )
    if kind not in LOOKED_AT or every:
        return None
    values = [params[name] for name in LOOKED_AT[kind]]
    return {c for value in values for c in ([value] if isinstance(value, str) else value or ())}


def contracts_of(folder: str | None) -> str:
    """The name under which the contracts of a folder are wired."""
    return f"@contracts/{folder}"


def kept_contracts(project: Project, walk: Walk) -> dict[str, Artifact]:
    """The consumers' contracts of every folder that a gate names, as texts by file name. Raises UsageError without the folder."""
    folders = {g["params"].get("consumers") for g in walk.gates.values() if "contracts" in g["takes"]}
    return {f: keep_value(project, contract_texts(project, f), dict) for f in sorted(f for f in folders if f)}


def contract_texts(project: Project, folder: str) -> dict[str, Json]:
    """File name → text of each contract in a folder of the project."""
    place = project.root / folder
    if not place.is_dir():
        raise UsageError(
            "the folder with consumers' contracts is missing",
            value=folder,
            allowed="a folder of JSON files, or consumers=None",
        )
    return {p.name: p.read_text(encoding="utf-8") for p in sorted(place.glob("*.json"))}


def manifest_kept(project: Project, release: str | None) -> Artifact | None:
    """The manifest of a release as an artifact; None for none."""
    return keep_value(project, to_json(manifest_of(project, release)), dict) if release else None


def card_of(project: Project) -> Artifact:
    """What `lockgate.toml` says for people under `[card]`, as an artifact."""
    said: Mapping[str, Json] = to_json(project.settings.card)
    return keep_value(project, dict(said), dict)
