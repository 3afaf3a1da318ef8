"""`init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now
from lockgate.delivery import init as delivery
from lockgate.errors import LockgateError, UsageError

TEMPLATES = ("gitlab",)

if TYPE_CHECKING:
    import argparse


def init_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", nargs="?", default=".", metavar="DIR")
    parser.add_argument("--name", help="the project's name (default: the folder's)")
    parser.add_argument("--person", help="your name in the ledger (default: your login)")
    parser.add_argument(
        "--template", choices=TEMPLATES, help="first write a small project that works, for a GitLab repository"
    )
    parser.add_argument("--role", action="append", default=[], metavar="ROLE", help="a further role you hold")


def init(arguments: argparse.Namespace) -> int:
    """Make the project, the key and the trust root; what exists is kept."""
    import getpass

    root = Path(arguments.dir)
    if arguments.dir == ".":
        delivery.refuse_nested(root)
    root.mkdir(parents=True, exist_ok=True)
    if arguments.template:
        return _from_template(root, arguments)
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


def _from_template(root: Path, arguments: argparse.Namespace) -> int:
    """Write a template's files and its pipeline. People are registered later: where the ledger will be is a choice to make first."""
    from lockgate.cli.gitlab import has
    from lockgate.delivery.forge.render import render
    from lockgate.delivery.template import write_template
    from lockgate.project import open_project

    if arguments.person or arguments.role:
        raise UsageError("people and roles are registered after a template was written", value="--person or --role", allowed="later",
                         next=f"lockgate init --template {arguments.template}, and then what its README.md says")  # fmt: skip
    at = now()
    name = arguments.name or root.resolve().name
    made = write_template(root, arguments.template, name=name, today=at.date())
    try:
        made += render(open_project(root.resolve()), now=at, has=has).wrote
    except LockgateError as error:  # a package that the pipelines import is not installed yet
        print(f"{error}\nwhen that is mended: lockgate gitlab render")
    for path in made:
        print(f"made        {path}")
    where = "" if arguments.dir == "." else f"cd {arguments.dir} && "
    print(f"\nnext: {where}lockgate run\nlater: README.md says what your team does in GitLab, once")
    return 0
