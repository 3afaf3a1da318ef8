"""`init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now
from lockgate.delivery import init as delivery
from lockgate.errors import UsageError
from lockgate.project import FILE

if TYPE_CHECKING:
    import argparse


def init_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", nargs="?", default=".", metavar="DIR")
    parser.add_argument("--name", help="the project's name (default: the folder's)")
    parser.add_argument("--person", help="your name in the ledger (default: your login)")
    parser.add_argument("--role", action="append", default=[], metavar="ROLE", help="a further role you hold")


def _refuse_nested(root: Path, *, named: bool) -> None:
    """A folder of a project is hardly meant to become another one, unless it is named."""
    above = next((p for p in root.resolve().parents if (p / FILE).is_file()), None)
    if named or above is None or (root / FILE).is_file():
        return
    raise UsageError(
        "this folder belongs to a project already", value=str(above), allowed="a folder outside, or one that is named",
        next=f"cd {above} && lockgate init   (or, for a project of its own: lockgate init {root.resolve()})",
    )  # fmt: skip


def init(arguments: argparse.Namespace) -> int:
    """Make the project, the key and the trust root; what exists is kept."""
    import getpass

    root = Path(arguments.dir)
    _refuse_nested(root, named=arguments.dir != ".")
    root.mkdir(parents=True, exist_ok=True)
    made = delivery.init(
        root, name=arguments.name, person=arguments.person, login=getpass.getuser(), roles=arguments.role, now=now()
    )
    for path in made.made:
        print(f"made        {path}")
    print(f"your key    {made.key}" + (f"  ({made.person})" if made.person else "  (not registered yet)"))
    if made.roles:
        print(f"your roles  {', '.join(made.roles)}; give others theirs with `lockgate people add`")
    print(f"trust root  {made.trust_root}")
    if not made.made:
        print("nothing new  all of it is here already")
    where = "" if arguments.dir == "." else f"cd {arguments.dir} && "
    print(
        f"\nnext: {where}lockgate run\nlater: a server started with `--trust` and the trust root above believes this ledger only"
    )
    return 0
