"""Say what happens, and run a `lockgate` command in front of everybody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["Failed", "command", "note", "quiet", "title"]

LOCKGATE = str(Path(sys.executable).parent / "lockgate")


class Failed(Exception):
    """A command ended as it should not; its own message is already on the screen."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def title(text: str) -> None:
    """A scene begins."""
    print(f"\n\x1b[1m── {text}\x1b[0m" if sys.stdout.isatty() else f"\n── {text}", flush=True)


def note(text: str) -> None:
    """One line of explanation."""
    print(f"   {text}", flush=True)


def command(*arguments: str, expect: tuple[int, ...] = (0,)) -> int:
    """Show and run a command; another exit code than expected ends the story with it."""
    print("$ lockgate " + " ".join(f'"{a}"' if " " in a else a for a in arguments), flush=True)
    code = subprocess.run([LOCKGATE, *arguments], check=False).returncode
    if code not in expect:
        raise Failed(code)
    return code


def quiet(*arguments: str, expect: tuple[int, ...] = (0,)) -> str:
    """Run a command without showing it, unless it ends otherwise than expected; answer what it printed."""
    done = subprocess.run([LOCKGATE, *arguments], check=False, capture_output=True, text=True)
    if done.returncode not in expect:
        print(done.stdout, done.stderr, sep="\n", flush=True)
        raise Failed(done.returncode)
    return done.stdout
