"""A GitLab CI file as GitLab takes it: after its includes and with `extends` resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from lockgate.records.digest import Json

__all__ = [
    "CiFile",
    "Config",
    "conditions_of",
    "file_of",
    "jobs_in",
    "lines_of",
    "merged",
    "needs_of",
    "part",
    "place_of",
    "rules_of",
]

Config = Mapping[str, Any]
GLOBAL: Final = frozenset({
    "after_script", "before_script", "cache", "default", "image", "include", "services", "spec", "stages",
    "variables", "workflow",
})  # fmt: skip


@frozen
class CiFile:
    """The whole file and the jobs in it, each with what it extends."""

    config: Config
    jobs: Mapping[str, Config]

    def needs(self, name: str) -> list[str]:
        """Jobs that one names in `needs`, those of other pipelines left out."""
        return [n["job"] for n in needs_of(self.jobs.get(name, {})) if "pipeline" not in n and "project" not in n]

    def ahead(self, name: str) -> set[str]:
        """All jobs that must have succeeded before one, as GitLab sees it."""
        found: set[str] = set()
        todo = self.needs(name)
        while todo:
            if (each := todo.pop()) not in found:
                found.add(each)
                todo += self.needs(each)
        return found


def file_of(config: Json) -> CiFile:
    """Find the jobs in a file whose includes are merged into it."""
    named = jobs_in(config)
    return CiFile(cast("Config", config), {n: _extended(c, named) for n, c in named.items() if not n.startswith(".")})


def jobs_in(config: Json) -> Mapping[str, Config]:
    """Jobs and templates as they are written, without what they extend."""
    return {n: c for n, c in cast("Config", config).items() if n not in GLOBAL and isinstance(c, dict)}


def merged(root: Json, included: Json) -> Json:
    """A file with what it includes: on both sides mappings are merged, of everything else the including file's counts."""
    if isinstance(root, dict) and isinstance(included, dict):
        both = {**cast("Config", included), **cast("Config", root)}
        return {n: merged(root[n], included[n]) if n in root and n in included else v for n, v in both.items()}
    return root


def _extended(content: Config, named: Mapping[str, Config], seen: tuple[str, ...] = ()) -> Config:
    """A job with what it extends."""
    given: Any = content.get("extends", ())
    parents = [given] if isinstance(given, str) else list(given or ())
    found: Json = {}
    for parent in parents:
        if parent in named and parent not in seen:
            found = merged(_extended(named[parent], named, (*seen, parent)), found)
    return merged(dict(content), found)


def needs_of(content: Config) -> list[dict[str, Any]]:
    found: Any = content.get("needs")
    items = [n if isinstance(n, dict) else {"job": str(n)} for n in found] if isinstance(found, list) else []
    return [{"job": "", **n} for n in items]


def rules_of(content: Config) -> list[Config]:
    found: Any = content.get("rules")
    return [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []


def conditions_of(content: Config) -> list[str]:
    """The conditions of rules that let the job in."""
    return [str(r.get("if", "always")) for r in rules_of(content) if r.get("when") != "never"]


def place_of(content: Config) -> Config:
    found: Any = content.get("environment")
    return {"name": found} if isinstance(found, str) else part(content, "environment")


def lines_of(content: Config, key: str) -> list[str]:
    """Texts of a list or of one value; lists in lists are flat, as GitLab makes them."""
    found: Any = content.get(key)
    return _flat(found if isinstance(found, list | tuple) else [] if found is None else [found])


def _flat(found: Iterable[Any]) -> list[str]:
    return [line for f in found for line in (_flat(f) if isinstance(f, list | tuple) else [str(f)])]


def part(content: Config, key: str) -> Config:
    """A mapping in a mapping; empty where there is none."""
    found: Any = content.get(key)
    return found if isinstance(found, dict) else {}
