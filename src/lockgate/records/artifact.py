"""What a step leaves behind."""

from __future__ import annotations

from lockgate.records.frozen import frozen

__all__ = ["DATASET", "Artifact"]

DATASET = "dataset"
"""The codec of an artifact whose object is a Dataset record, as JSON."""


@frozen(kw_only=True)
class Artifact:
    """An immutable typed value.

    Attributes:
        type: `module:qualname` of the producing annotation.
        codec: how the bytes are read, e.g. `polars.ipc`.
        digest: identity of the value; equal values have equal identities whatever wrote them.
        object: digest of the stored bytes.
        size_bytes: of the stored bytes.
    """

    type: str
    codec: str
    digest: str
    object: str
    size_bytes: int
