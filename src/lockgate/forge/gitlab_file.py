"""A GitLab CI file as GitLab reads it: after its includes and with `extends` resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from lockgate.records.digest import Json

__all__ = [
    "CiFile",
    "Config",
    "conditions_of",
    "file_of",
    "lines_of",
    "merged",
    "needs_of",
    "place_of",
    "read",
    "rules_of",
]

Config = Mapping[str, Any]
GLOBAL: Final = frozenset({
    "after_script", "before_script", "cache", "default", "image", "include", "pages", "services", "spec", "stages",
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
    named = {n: c for n, c in cast("Config", config).items() if n not in GLOBAL and isinstance(c, dict)}
    return CiFile(config, {n: _extended(c, named) for n, c in named.items() if not n.startswith(".")})


def merged(root: Json, included: Json) -> Json:
    """A file with what it includes: on both sides mappings are merged, of everything else the including file's counts."""
    if isinstance(root, dict) and isinstance(included, dict):
        both = {**cast("Config", included), **cast("Config", root)}
        return {n: merged(root[n], included[n]) if n in root and n in included else v for n, v in both.items()}
    return root


def read(text: str) -> Json:
    """Parse a CI file; `!reference` is read as the list it holds. Raises ValueError where it is no YAML.

    Needs the extra `gitlab`: ImportError says that it is not installed.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Knows GitLab's one tag."""

    def reference(loader: Any, node: Any) -> list[str]:
        return loader.construct_sequence(node)

    cast("Any", Loader).add_constructor("!reference", reference)
    try:
        return Loader(text).get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _extended(content: Config, named: Mapping[str, Config], seen: tuple[str, ...] = ()) -> Config:
    """A job with what it extends."""
    given: Any = content.get("extends", ())
    parents = [given] if isinstance(given, str) else list(given)
    found: Json = {}
    for parent in parents:
        if parent in named and parent not in seen:
            found = merged(_extended(named[parent], named, (*seen, parent)), found)
    return merged(dict(content), found)


def needs_of(content: Config) -> list[dict[str, Any]]:
    found: list[Any] = content.get("needs") or []
    items = [n if isinstance(n, dict) else {"job": n} for n in found]
    return [{"job": "", **n} for n in items]


def rules_of(content: Config) -> list[Config]:
    return [r for r in content.get("rules") or [] if isinstance(r, dict)]


def conditions_of(content: Config) -> list[str]:
    """The conditions of rules that let the job in."""
    return [str(r.get("if", "always")) for r in rules_of(content) if r.get("when") != "never"]


def place_of(content: Config) -> Config:
    found: Any = content.get("environment", {})
    return {"name": found} if isinstance(found, str) else found


def lines_of(content: Config, key: str) -> list[str]:
    found: Any = content.get(key, [])
    return [found] if isinstance(found, str) else [str(line) for line in found]
