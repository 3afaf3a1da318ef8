"""`people`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, print_json, table
from lockgate.delivery import people as delivery
from lockgate.delivery.init import make_key
from lockgate.errors import UsageError
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.people import Person
from lockgate.records.statement import fingerprint
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

    from lockgate.project import Project


def people_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["list", "add", "remove", "quorum", "sign"], default="list")
    parser.add_argument("name", nargs="?", help="whom; quorum: how many trustees sign; sign: which change waits")
    parser.add_argument(
        "--key",
        metavar="LINE_OR_FILE",
        action="append",
        default=[],
        help="an OpenSSH public key, or its file; remove: only this key",
    )
    parser.add_argument("--new-key", type=Path, metavar="FILE", help="make a key pair there for this person")
    parser.add_argument("--role", action="append", default=[], metavar="ROLE")
    parser.add_argument("--alias", action="append", default=[], help="another name, such as the address in commits")
    parser.add_argument("--machine", action="store_true", help="a machine, which never counts as a person")
    parser.add_argument(
        "--sign-with", type=Path, metavar="FILE", help="the trustee's private key (default: this copy's)"
    )
    parser.add_argument("--json", action="store_true")


def people(arguments: argparse.Namespace) -> int:
    """List or change the people. A change waits until a quorum of the trustees has signed it."""
    _print(_done(open_project(Path.cwd()), arguments), as_json=arguments.json)
    return 0


def _done(project: Project, arguments: argparse.Namespace) -> delivery.Changed:
    at, key = now(), arguments.sign_with
    if arguments.action == "list":
        return delivery.register(project)
    if arguments.action == "sign":
        return delivery.sign_people(project, arguments.name, now=at, key=key)
    if not arguments.name:
        raise UsageError(f"people {arguments.action} needs a name", next=f"lockgate people {arguments.action} NAME …")
    if arguments.action == "quorum":
        return delivery.set_quorum(project, _count(arguments.name), now=at, key=key)
    keys = tuple(_key(k) for k in arguments.key)
    if arguments.action == "remove":
        return delivery.remove_person(project, arguments.name, keys=keys, now=at, key=key)
    if arguments.new_key:
        delivery.check_may_change(
            project, key
        )  # a key that was made for nothing would stand in the way of the next try
        make_key(arguments.new_key, comment=arguments.name)
        keys = (*keys, _key(f"{arguments.new_key}.pub"))
    person = Person(
        name=arguments.name, roles=tuple(arguments.role), keys=keys, kind="machine" if arguments.machine else "person",
        aliases=tuple(arguments.alias),
    )  # fmt: skip
    return delivery.add_person(project, person, now=at, key=key)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise UsageError("a quorum is a number of trustees", value=text, next="lockgate people quorum 2")
    return int(text)


def _key(text: str) -> str:
    return Path(text).read_text(encoding="utf-8").strip() if Path(text).is_file() else text


def _print(found: delivery.Changed, *, as_json: bool) -> None:
    register = found.people
    if as_json:
        waiting = {digest: list(by) for digest, by in found.waiting.items()}
        print_json({**to_json(register), "digest": register.digest, "waiting": waiting})
        return
    if not register.people:
        print("nobody is registered yet\nnext: lockgate init --person YOU")
        return
    rows = [
        [p.name, p.kind, ", ".join(fingerprint(k)[:19] + "…" for k in p.keys) or "no key", ", ".join(p.roles)]
        for p in register.people
    ]
    print(table(rows, header=["name", "kind", "keys", "roles"], whole=True))
    print(f"\nversion {register.version}, quorum {register.quorum}, {register.digest}")
    for digest, by in found.waiting.items():
        print(f"waits   {short(digest)} is signed by {', '.join(by)}: {len(by)} of {register.quorum} trustees")
        print(f"next: lockgate people sign {short(digest)}   (another trustee)")
