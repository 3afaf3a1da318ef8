"""What a step may reach without declaring it: interpreter and packages, locale, time zone, CA files, devices.

The project's own folder is never part of it, also where a package folder or a prefix lies above it.
"""

from __future__ import annotations

import glob
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.build.loading import is_project_path

if TYPE_CHECKING:
    from collections.abc import Container

__all__ = ["Reach", "devices", "machine_reads", "within"]

SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/nix/store", "/gnu/store", "/proc", "/sys")  # fmt: skip
ETC = (
    "localtime", "timezone", "locale.alias", "locale.conf", "default/locale", "ssl", "pki", "ca-certificates", "ca-certificates.conf",
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "alternatives", "passwd", "group", "nsswitch.conf", "hosts",
    "host.conf", "resolv.conf", "services", "protocols", "mime.types", "os-release", "fonts", "OpenCL",
)  # fmt: skip
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "shm", "nvidia*", "dri", "kfd")
"""Below /dev, to read and write. `shm` is where semaphores and shared memory of several processes live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Files and folders with all below them. `writes` may be read too; both are real paths, without links."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    network: bool = False


def machine_reads(root: str) -> tuple[str, ...]:
    """Interpreter, packages and the system's own files, as they are for this process.

    Call it after the packages were imported: a package that a loader of its own found is part of it.
    """
    places = [*SYSTEM, *(f"/etc/{n}" for n in ETC), sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path]
    places += os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    places += [os.environ.get(n, "") for n in ("SSL_CERT_FILE", "SSL_CERT_DIR", "TZDIR", "PYTHONTZPATH")]
    found: dict[str, None] = {}
    for place in (*places, *_package_folders()):
        if place and os.path.isabs(place) and os.path.exists(place):
            for path in _around(os.path.realpath(place), root):
                if not within(path, found):
                    found[path] = None
    return tuple(found)


def devices() -> tuple[str, ...]:
    """The devices that are here."""
    return tuple(p for name in DEVICES for p in glob.glob(f"/dev/{name}"))


def _package_folders() -> list[str]:
    """Where the imported packages lie, also those that are on no path (editable installs)."""
    files = [getattr(m, "__file__", None) for n, m in list(sys.modules.items()) if "." not in n]
    return [os.path.dirname(f) if os.path.basename(f).startswith("__init__.") else f for f in files if f]


def _around(place: str, root: str) -> list[str]:
    """The place, or when the project lies in it, everything in it that is not on the way to the project."""
    if is_project_path(place, root):
        return []
    if not root.startswith(place.rstrip("/") + "/"):
        return [place]
    return [p for name in os.listdir(place) for p in _around(os.path.join(place, name), root)]


def within(path: str, allowed: Container[str]) -> bool:
    """Whether a real path is one of these, or below one."""
    while path not in allowed:
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above
    return True
