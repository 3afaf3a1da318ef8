"""What of a machine changes results though no key holds it: thread counts, cores, the processor.

Steps see one thread per numeric library whatever the caller's settings are (`environment`); Polars takes the cores.
"""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from lockgate.build.environment import for_steps

if TYPE_CHECKING:
    from lockgate.records.digest import Json

__all__ = ["NAMES", "machine"]

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "OPENBLAS_CORETYPE")
"""Variables that numeric libraries ask; as steps see them."""


def machine() -> dict[str, Json]:
    """`cores` that this process may use, `cpu` in its maker's words, and each of the names, None: not set."""
    seen = for_steps(os.environ)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"cores": cores, "cpu": _cpu(), **{name: seen.get(name) for name in NAMES}}


def _cpu() -> str:
    """Kernels of numeric libraries are chosen by it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            found = next((line for line in file if line.startswith("model name")), "")
    except OSError:
        found = ""
    return found.partition(":")[2].strip() or platform.machine()
