"""`init`, `people`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, print_json, table
from lockgate.delivery import init as delivery
from lockgate.delivery.identity import read_ledger
from lockgate.errors import UsageError
from lockgate.project import open_project
from lockgate.records.people import Person
from lockgate.records.statement import fingerprint
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

    from lockgate.records.people import People


def init_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", nargs="?", default=".", metavar="DIR")
    parser.add_argument("--name", help="the project's name (default: the folder's)")
    parser.add_argument("--person", help="your name in the ledger (default: your login)")
    parser.add_argument("--role", action="append", default=[], metavar="ROLE", help="a further role you hold")


def people_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["list", "add", "remove"], default="list")
    parser.add_argument("name", nargs="?")
    parser.add_argument(
        "--key", metavar="LINE_OR_FILE", action="append", default=[], help="an OpenSSH public key, or its file"
    )
    parser.add_argument("--new-key", type=Path, metavar="FILE", help="make a key pair there for this person")
    parser.add_argument("--role", action="append", default=[], metavar="ROLE")
    parser.add_argument("--alias", action="append", default=[], help="another name, such as the address in commits")
    parser.add_argument("--machine", action="store_true", help="a machine, which never counts as a person")
    parser.add_argument(
        "--sign-with", type=Path, metavar="FILE", help="the trustee's private key (default: this copy's)"
    )
    parser.add_argument("--json", action="store_true")


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


def people(arguments: argparse.Namespace) -> int:
    """List, add or remove people."""
    project = open_project(Path.cwd())
    at = now()
    if arguments.action == "list":
        register = read_ledger(project).people
    elif not arguments.name:
        raise UsageError(f"people {arguments.action} needs a name", next=f"lockgate people {arguments.action} NAME …")
    elif arguments.action == "remove":
        register = delivery.remove_person(project, arguments.name, now=at, key=arguments.sign_with)
    else:
        if arguments.new_key:
            delivery.make_key(arguments.new_key, comment=arguments.name)
            arguments.key.append(f"{arguments.new_key}.pub")
        person = Person(
            name=arguments.name, roles=tuple(arguments.role), keys=tuple(_key(k) for k in arguments.key),
            kind="machine" if arguments.machine else "person", aliases=tuple(arguments.alias),
        )  # fmt: skip
        register = delivery.add_person(project, person, now=at, key=arguments.sign_with)
    _print(register, as_json=arguments.json)
    return 0


def _key(text: str) -> str:
    return Path(text).read_text(encoding="utf-8").strip() if Path(text).is_file() else text


def _print(register: People, *, as_json: bool) -> None:
    if as_json:
        print_json({**to_json(register), "digest": register.digest})
        return
    rows = [
        [p.name, p.kind, ", ".join(fingerprint(k)[:19] + "…" for k in p.keys), ", ".join(p.roles)]
        for p in register.people
    ]
    print(table(rows, header=["name", "kind", "keys", "roles"]))
    print(f"\nversion {register.version}, quorum {register.quorum}, {register.digest}")
