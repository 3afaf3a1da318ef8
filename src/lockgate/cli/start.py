"""`init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now
from lockgate.delivery import init as delivery

if TYPE_CHECKING:
    import argparse


def init_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", nargs="?", default=".", metavar="DIR")
    parser.add_argument("--name", help="the project's name (default: the folder's)")
    parser.add_argument("--person", help="your name in the ledger (default: your login)")
    parser.add_argument("--role", action="append", default=[], metavar="ROLE", help="a further role you hold")


def init(arguments: argparse.Namespace) -> int:
    """Make the project, the key and the trust root; what exists is kept."""
    import getpass

    root = Path(arguments.dir)
    if arguments.dir == ".":
        delivery.refuse_nested(root)
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
