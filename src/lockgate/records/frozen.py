"""`frozen`: a record is a frozen dataclass with slots that costs a sixth to define.

`dataclasses` compiles six methods for each class and imports `inspect`; every command defines some thirty records before it
does anything, which was a fifth of a run with nothing to do. Here one method is compiled, the others are shared. To whoever
asks (`dataclasses.fields`, `replace`, `is_dataclass`) a record is a dataclass; it has no parents.
"""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, dataclass_transform, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["field", "field_names", "frozen"]

T = TypeVar("T")


class _Factory:
    """Stands for a default of which each record gets its own."""

    def __init__(self, make: Callable[[], object]) -> None:
        self.make = make


def field(*, default_factory: Callable[[], Any]) -> Any:
    """A default that is made anew for each record."""
    return _Factory(default_factory)


@overload
def frozen(kind: type[T], /) -> type[T]: ...
@overload
def frozen(*, kw_only: bool = False, slots: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(kind: type[T] | None = None, /, *, kw_only: bool = False, slots: bool = True) -> object:
    """Make a record of a class whose annotations are its fields.

    Args:
        kw_only: fields are given by name only.
        slots: False: room for cached properties.
    """
    freeze = partial(_freeze, kw_only=kw_only, slots=slots)
    return freeze if kind is None else freeze(kind)


def field_names(kind: type) -> tuple[str, ...] | None:
    """The fields of a record or of another dataclass, in order; None of any other kind."""
    found: _Fields | Mapping[str, object] | None = vars(kind).get("__dataclass_fields__")
    if found is None or isinstance(found, _Fields):
        return None if found is None else found.names
    from dataclasses import fields

    return tuple(f.name for f in fields(kind))


def _freeze(kind: type, *, kw_only: bool, slots: bool) -> type:
    if kind.__bases__ != (object,):
        raise TypeError(f"{kind.__qualname__}: a record has no parents")
    names = tuple(kind.__annotations__)
    content = {n: v for n, v in vars(kind).items() if n not in (*names, "__dict__", "__weakref__")}
    defaults = {n: v for n, v in vars(kind).items() if n in names}
    return type(kind.__name__, (), {
        **_methods(names), **content,
        "__init__": _init(kind, names, defaults, kw_only=kw_only),
        "__slots__": names if slots else (*names, "__dict__"),
        "__match_args__": () if kw_only else names,
        "__dataclass_fields__": _Fields(kind, names, defaults, kw_only=kw_only),
        "__qualname__": kind.__qualname__,
    })  # fmt: skip


def _init(kind: type, names: tuple[str, ...], defaults: Mapping[str, object], *, kw_only: bool) -> Callable[..., None]:
    """`__init__`, compiled: the records of a large graph are made by the thousand."""
    given = ["self", *(["*"] if kw_only else []), *(f"{n}=_defaults[{n!r}]" if n in defaults else n for n in names)]
    factories = {n for n, default in defaults.items() if isinstance(default, _Factory)}
    values = {n: f"{n}.make() if {n} is _defaults[{n!r}] else {n}" if n in factories else n for n in names}
    lines = [f" _set(self, {n!r}, {value})" for n, value in values.items()]
    scope: dict[str, Any] = {"_set": object.__setattr__, "_defaults": defaults}
    exec("\n".join([f"def __init__({', '.join(given)}):", *lines]), scope)  # noqa: S102  as dataclasses do
    scope["__init__"].__qualname__ = f"{kind.__qualname__}.__init__"  # what an error about its arguments says
    return scope["__init__"]


def _methods(names: tuple[str, ...]) -> dict[str, object]:
    values = attrgetter(*names)

    def equal(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: object) -> int:
        return hash(values(self))

    def shown(self: object) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{n}={getattr(self, n)!r}' for n in names)})"

    def reduced(self: object) -> tuple[object, ...]:
        return _again, (type(self), {n: getattr(self, n) for n in names})

    return {
        "__eq__": equal, "__hash__": hashed, "__repr__": shown, "__reduce__": reduced,
        "__setattr__": _refuse, "__delattr__": _refuse,
    }  # fmt: skip


def _again(kind: Callable[..., object], values: Mapping[str, object]) -> object:
    """What a copy of a record calls."""
    return kind(**values)


def _refuse(_: object, name: str, *value: object) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot {'assign to' if value else 'delete'} field {name!r}")


class _Fields:
    """Tells `dataclasses`, once it asks, what a record's fields are."""

    def __init__(self, plain: type, names: tuple[str, ...], defaults: Mapping[str, object], *, kw_only: bool) -> None:
        self.names = names
        self._plain, self._defaults, self._kw_only = plain, defaults, kw_only

    def __get__(self, _: object, owner: Any) -> dict[str, Any]:
        import dataclasses

        for name, default in self._defaults.items():
            if isinstance(default, _Factory):
                setattr(self._plain, name, dataclasses.field(default_factory=default.make))
        plain: Any = dataclasses.dataclass(kw_only=self._kw_only)(self._plain)
        owner.__dataclass_fields__ = plain.__dataclass_fields__
        return owner.__dataclass_fields__
