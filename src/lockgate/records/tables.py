"""Tables of a TOML file, read strictly: an error names the file, the key, the value and what is allowed."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, cast

from lockgate.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Table", "read_toml"]

WORDS = {str: "a text", bool: "true or false", list: "a list"}


def read_toml(text: str, file: str) -> Table:
    """Parse a whole file; UsageError says where it is not TOML."""
    try:
        return Table(file, "", tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not valid TOML", value=str(error), next=f"edit {file}") from error


class Table:
    """One table, which knows where it stands.

    >>> Table("lockgate.toml", "run", {"workers": 3}).number("workers", 2, least=1)
    3
    """

    def __init__(self, file: str, name: str, content: Mapping[str, Any]) -> None:
        self.file, self.name, self.content = file, name, content

    def only(self, *keys: str) -> None:
        """Refuse every other key."""
        for key in self.content:
            if key not in keys:
                place = f"[{self.name}] of {self.file}" if self.name else self.file
                raise UsageError(
                    f"unknown key in {place}", value=key, allowed=did_you_mean(key, keys), next=f"edit {self.file}"
                )

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default it must be there."""
        return self._a(str, key, default)

    def maybe_text(self, key: str) -> str | None:
        """A text, or None when the key is absent."""
        return self.text(key) if key in self.content else None

    def truth(self, key: str, default: bool) -> bool:
        """True or false."""
        return self._a(bool, key, default)

    def number(self, key: str, default: int, *, least: int, most: int | None = None) -> int:
        """A whole number in a range."""
        found = self.content.get(key, default)
        if type(found) is not int or found < least or (most is not None and found > most):
            allowed = f"a whole number, at least {least}" + ("" if most is None else f", at most {most}")
            raise self.wrong(key, found, allowed)
        return found

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts; without a default it must be there."""
        found: list[Any] = self._a(list, key, None if default is None else list(default))
        if not all(isinstance(item, str) for item in found):
            raise self.wrong(key, found, 'a list of texts, ["…"]')
        return tuple(found)

    def one_of(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> Any:
        """One of a few words."""
        found = self.text(key, default)
        if found not in allowed:
            raise self.wrong(key, found, ", ".join(allowed))
        return found

    def table(self, key: str) -> Table:
        """The table under a key; an empty one when it is absent."""
        found = self.content.get(key, {})
        if not isinstance(found, dict):
            raise self.wrong(key, found, f"a table [{self._place(key)}]")
        return Table(self.file, self._place(key), cast("dict[str, Any]", found))

    def tables(self, key: str) -> Mapping[str, Table]:
        """The tables in the table under a key, by name."""
        group = self.table(key)
        return {name: group.table(name) for name in group.content}

    def wrong(self, key: str, value: object, allowed: str) -> UsageError:
        """The error to raise for a value."""
        what = f"{self.file}: wrong {self._place(key)}"
        return UsageError(what, value=repr(value), allowed=allowed, next=f"edit {self.file}")

    def _place(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def _a(self, kind: type, key: str, default: object) -> Any:
        if key not in self.content and default is None:
            raise UsageError(
                f"{self.file} lacks a key", value=self._place(key), allowed=WORDS[kind], next=f"edit {self.file}"
            )
        found = self.content.get(key, default)
        if type(found) is not kind:  # TOML has no subclasses, and true is no number
            raise self.wrong(key, found, WORDS[kind])
        return found
