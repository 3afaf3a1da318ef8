"""What analysis cannot see through, by name: whoever uses one of these may reach more than the text says."""

from __future__ import annotations

__all__ = ["ANYTHING", "DOC_WORDS", "REACHING_WORDS", "TEXT_WORDS", "WHOLE_MODULE", "reaches_anywhere"]

WHOLE_MODULE = frozenset({"globals", "locals", "vars"})
"""Builtins that reach everything in the module they are called in."""

ANYTHING = frozenset({"__import__", "compile", "eval", "exec", "__builtins__"})
"""Builtins that reach everything there is."""

ANYWHERE = ("builtins.__import__", "builtins.compile", "builtins.eval", "builtins.exec", "cloudpickle", "code", "codeop", "dill",
            "gc", "imp", "importlib", "inspect.getmodule", "joblib.load", "marshal", "multiprocessing.spawn", "os.popen",
            "os.system", "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell", "pickle", "pkgutil", "pydoc",
            "runpy", "shelve", "subprocess", "sys.modules", "zipimport",
            *(f"os.{how}" for how in ("execl", "execle", "execlp", "execlpe", "execv", "execve", "execvp", "execvpe",
              "posix_spawn", "posix_spawnp", "spawnl", "spawnle", "spawnlp", "spawnlpe", "spawnv", "spawnve", "spawnvp",
              "spawnvpe")))  # fmt: skip
"""What others offer that finds code by a name computed at run time, or starts a program, which may be `python -m ours`."""

NOWHERE = ("gc.collect", "gc.disable", "gc.enable", "gc.freeze", "importlib.metadata", "importlib.resources")

REACHING_WORDS = frozenset({"__globals__", "f_globals", "__subclasses__", "__builtins__"})

TEXT_WORDS = frozenset(
    {"doctest", "getsource", "getsourcelines", "getsourcefile", "getcomments", "findsource", "co_firstlineno",
     "f_lineno", "tb_lineno", "linecache"}
)  # fmt: skip
"""Who says one of these may see comments, docstrings and line numbers."""

DOC_WORDS = frozenset({"__doc__", "getdoc"})
"""Who reads one of these may see docstrings of what is reached."""


def reaches_anywhere(dotted: str) -> bool:
    """Whether something outside the project may find any code of it.

    >>> reaches_anywhere("pickle.loads"), reaches_anywhere("importlib.resources.files"), reaches_anywhere("sys.argv")
    (True, False, False)
    """
    if dotted in ("sys", "builtins"):  # used as a value, or all of it
        return True
    if dotted.startswith("importlib.import_module.:"):  # with a text, and that module is followed
        return False
    return _below(dotted, ANYWHERE) and not _below(dotted, NOWHERE)


def _below(dotted: str, names: tuple[str, ...]) -> bool:
    return any(dotted == n or dotted.startswith(n + ".") for n in names)
