"""Run as a script: for each line `{root, target, keep, cpu_s}` it imports a project in a fork and answers what its function returns.

A fork per answer, so that an edit that loops, exhausts memory or changes the interpreter harms nobody. The script loads
nothing but the standard library: a copied package is then really the copy.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import signal
import sys
import time

from named import named  # a script: its own folder is where it looks

MEMORY_BYTES = 2 << 30


def answer(root: str, target: str, *, keep: bool) -> dict[str, object]:
    """What the function returns as text, and the files of the project that were imported on the way.

    `keep`: leave compiled files behind for those who come after, and tell what the target names.
    """
    sys.dont_write_bytecode = not keep
    sys.path.insert(0, root)
    module, _, name = target.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except Exception as error:
        return {"result": f"refused: {type(error).__name__}: {error}", "files": []}
    try:
        result = repr(function())
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    files = [getattr(m, "__file__", None) or "" for m in list(sys.modules.values())]
    found = sorted(named(root, target)) if keep else []
    return {"result": result, "files": sorted(f for f in files if f.startswith(root + "/")), "named": found}


def forked(root: str, target: str, *, keep: bool, cpu_s: float) -> dict[str, object]:
    """`answer` in a process of its own; one that does not end in time is an answer too."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.setitimer(signal.ITIMER_PROF, cpu_s)  # ends it; a busy machine does not shorten it
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        try:
            text = json.dumps(answer(root, target, keep=keep)).encode()
        except BaseException as error:
            text = json.dumps({"result": f"{type(error).__name__}", "files": []}).encode()
        with open(writing, "wb") as out:
            out.write(text)
        os._exit(0)
    os.close(writing)
    said = _read(reading, 20 + 10 * cpu_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return json.loads(said) if said else {"result": "no answer", "files": []}


def _read(pipe: int, timeout_s: float) -> bytes:
    """All of a pipe; nothing when its writer took too long."""
    end, said = time.monotonic() + timeout_s, b""
    with open(pipe, "rb", buffering=0) as source:
        while select.select([source], [], [], max(0.0, end - time.monotonic()))[0]:
            part = source.read(1 << 16)
            if not part:
                return said
            said += part
    return b""


if __name__ == "__main__":
    sys.path.pop(0)  # this folder is no project
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(forked(**asked)), flush=True)
