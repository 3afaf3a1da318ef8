"""Gates on a release as a thing: its files, its speed, its schema, its card, its age, and the data it was fitted on.

They are part of `lockgate.gates`; here only because one file of all constructors would be too long.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.declare import Gate
from lockgate.errors import UsageError
from lockgate.gates.declaring import Number, declared

__all__ = ["budget", "compatibility", "documentation", "export", "formats", "leakage", "skew", "split", "staleness"]


def compatibility(
    consumers: str | None = "consumers", *, max_breaking: Number | None = None, name: str = "compatibility"
) -> Gate:
    """Can everybody who uses the live release use this one, unchanged?

    Args:
        consumers: folder of contract files, as for `integration`; None: nobody consumes.
        max_breaking: changes of the schema that may break callers (default 0); consumers' contracts must fit anyway.
    """
    return declared(name, "compatibility", "compatible", {"consumers": consumers}, {"max_breaking": max_breaking})


def leakage(
    keys: Sequence[str] = (), *, content: Sequence[str] = (), target: str | None = None, features: Sequence[str] = (),
    times: Sequence[str] = (), max_shared_keys: Number | None = None, max_near_share: Number | None = None,
    max_future_rows: Number | None = None, max_skill_share: Number | None = None, name: str = "leakage",
) -> Gate:  # fmt: skip
    """Does the training table hold what the holdout is judged on, the future, or the answer in disguise?

    Needs `Pipeline(training_table=…)`.

    Args:
        keys: columns that name a row, in both tables (default: the request's fields and `as_of`).
        content: columns that make two rows the same whatever their key; None: near duplicates are not looked for.
        target: the training table's column with the truth; then single features are tried.
        features: which ones (default: all columns that both tables have).
        times: columns of days that must lie before as-of (default: all columns of dates).
        max_shared_keys, max_future_rows: rows that may be so (default 0).
        max_near_share: share of the holdout that may nearly be in training (default 0.01); above it, a person looks.
        max_skill_share: a single feature with this share of the model's skill is looked at by a person (default 0.98).
    """
    for given, what in ((keys, "keys"), (content, "content"), (features, "features"), (times, "times")):
        _listed("leakage", what, given)
    params = {
        "keys": list(keys),
        "content": list(content),
        "target": target,
        "features": list(features),
        "times": list(times),
    }
    limits = {"max_shared_keys": max_shared_keys, "max_near_share": max_near_share, "max_future_rows": max_future_rows,
              "max_skill_share": max_skill_share}  # fmt: skip
    return declared(name, "leakage", "clean", params, limits)


def split(
    day: str | None = None, *, label_days: int = 0, apart: Sequence[str] = (), min_gap_days: Number | None = None,
    max_shared_groups: Number | None = None, name: str = "split",
) -> Gate:  # fmt: skip
    """Is the holdout apart from training, in time and by groups? Needs `Pipeline(training_table=…)`.

    Args:
        day: the training table's column with the day on which a row's truth was known.
        label_days: the horizon, when `day` is the day of the features and the truth came so much later.
        apart: columns, no value of which may be on both sides (a customer, a patient).
        min_gap_days: days that must lie between (default 1). max_shared_groups: groups that may be on both (default 0).
    """
    _listed("split", "apart", apart)
    if day is None and not apart:
        raise UsageError("gates.split has nothing to look at", allowed='day="…", apart=["…"], or both')
    params = {"day": day, "label_days": label_days, "apart": list(apart)}
    return declared(
        name, "split", "apart", params, {"min_gap_days": min_gap_days, "max_shared_groups": max_shared_groups}
    )


def skew(tolerance: float = 1e-6, *, max_share: Number | None = None, name: str = "skew") -> Gate:
    """Does the release host compute the features and answers that training had, from the same raw rows?

    Features are compared where the predictor declares `features=` and `trained_rows` holds them.

    Args:
        tolerance: largest difference that counts as the same, relative above 1 and absolute below.
        max_share: share of rows that may differ (default 0: none); above 0, its interval decides.
    """
    return declared(name, "skew", "same_features", {"tolerance": tolerance}, {"max_share": max_share})


def export(tolerance: float = 1e-6, *, columns: Sequence[str] = (), name: str = "export") -> Gate:
    """Does the packaged model answer as the trained one, and in every form that it was exported to?

    Args:
        tolerance: as for `skew`.
        columns: of `trained_rows`: what other forms of the model answered there, an ONNX file for example.
    """
    _listed("export", "columns", columns)
    return declared(name, "export", "equivalent", {"tolerance": tolerance, "columns": list(columns)}, {})


def budget(
    *, p50_ms: Number | None = None, p95_ms: Number | None = None, p99_ms: Number | None = None,
    cold_start_s: Number | None = None, memory_mb: Number | None = None, artifact_mb: Number | None = None,
    name: str = "budget",
) -> Gate:  # fmt: skip
    """Is the packaged release fast, small and quick to start, through the release host? Limits that are left out are not held.

    Args:
        p50_ms, p95_ms, p99_ms: quantiles of the time of one answer, in milliseconds.
        cold_start_s: from nothing to the first answer, the median of six starts, in seconds.
        memory_mb: resident, the median of six hosts; artifact_mb: all files of the release. In MiB.
    """
    limits = {"p50_ms": p50_ms, "p95_ms": p95_ms, "p99_ms": p99_ms, "cold_start_s": cold_start_s, "memory_mb": memory_mb,
              "artifact_mb": artifact_mb}  # fmt: skip
    return declared(name, "budget", "affordable", {}, limits)


def formats(*, allow: Sequence[str] = (), name: str = "formats") -> Gate:
    """Is every file of the release what its name says, of an allowed format, and free of pickles and programs?

    Args:
        allow: formats that may be there (default: `lockgate.gates.file_kinds.SAFE`). A second gate of another name,
            before the next environment, may allow less.
    """
    _listed("formats", "allow", allow)
    return declared(name, "formats", "nothing_refused", {"allow": list(allow)} if allow else {}, {})


def documentation(*, required: Sequence[str] = (), name: str = "documentation") -> Gate:
    """Is the model card written, in `lockgate.toml` under `[card]`, and is its review not overdue?

    Args:
        required: fields of `lockgate.records.card.FIELDS` (default: intended, limits, owner, review_by).
    """
    _listed("documentation", "required", required)
    return declared(name, "documentation", "documented", {"required": list(required)} if required else {}, {})


def staleness(
    *, day: str | None = None, max_data_days: Number | None = None, max_model_days: Number | None = None,
    max_holdout_days: Number | None = None, name: str = "staleness",
) -> Gate:  # fmt: skip
    """Is what the release knows, learned from and was judged on young enough, on its as-of day?

    Args:
        day: the training table's column of days, for the age of the model.
        max_data_days: of the state table that ends first; max_model_days: of the newest row that was fitted on;
            max_holdout_days: of the newest row that it was judged on. Limits that are left out are not held.
    """
    limits = {"max_data_days": max_data_days, "max_model_days": max_model_days, "max_holdout_days": max_holdout_days}
    return declared(name, "staleness", "fresh", {"day": day}, limits)


def _listed(gate: str, what: str, given: object) -> None:
    """A single name would be taken letter by letter."""
    if isinstance(given, str):
        raise UsageError(f"gates.{gate} takes a list", value=f"{what}={given!r}", allowed=f"{what}=[{given!r}]")
