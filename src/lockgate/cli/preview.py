"""`preview serve | wait`: the app of what is proposed, beside what is live; on a host outside of the pipeline."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from lockgate.cli.render import now, plain
from lockgate.errors import ServiceUnavailable, UsageError
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.forge_job import job_in

if TYPE_CHECKING:
    import argparse

__all__ = ["preview", "preview_arguments"]

ASK_SECONDS = 2.0


def preview_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    serving = actions.add_parser(
        "serve",
        help="one host for all proposals: BRANCH.DOMAIN is the app of what it proposes; what was proposed by hand: DIGEST.DOMAIN",
    )
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=int, default=0, help="default: any free one")
    serving.add_argument(
        "--domain", default="localhost", help="what stands behind branch or digest (default: localhost)"
    )
    serving.add_argument("--trust", metavar="sha256:…", help="the trust root to believe; another one is refused")
    serving.add_argument("--days", type=int, default=14, help="how long a proposal is shown (default: 14)")
    serving.add_argument(
        "--idle", type=float, default=1800.0, metavar="SECONDS", help="when an app that nobody asks ends"
    )
    serving.add_argument(
        "--user",
        metavar="NAME",
        help="where the host runs as root: the user whom the apps run as (default: the host's own)",
    )
    waiting = actions.add_parser("wait", help="in a job: until the host answers with the release of this pipeline")
    waiting.add_argument("address", nargs="?", metavar="URL", help="default: CI_ENVIRONMENT_URL")
    waiting.add_argument(
        "--wait", type=float, default=120.0, metavar="SECONDS", help="how long it may take (default: 120)"
    )


def preview(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM; or exit 0 when the right release answers, 5 when none or another one does."""
    return _serve(arguments) if arguments.action == "serve" else _wait(arguments)


def _serve(arguments: argparse.Namespace) -> int:
    from lockgate.delivery.confined import owner_of
    from lockgate.delivery.preview import previews

    host = previews(
        open_project(Path.cwd()), host=arguments.host, port=arguments.port, domain=arguments.domain.lower(),
        trust=arguments.trust, clock=now, say=_say, days=arguments.days, idle_seconds=arguments.idle,
        owner=owner_of(arguments.user) if arguments.user else None,
    )  # fmt: skip
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, host.stop)
    for line in (f"what is proposed, on {host.address}", *host.shown, *filter(None, [host.why_none])):
        _say(line)
    host.run()
    return 0


def _wait(arguments: argparse.Namespace) -> int:
    from lockgate.delivery.chosen import chosen
    from lockgate.delivery.identity import read_ledger
    from lockgate.delivery.walk import walk_now

    address = arguments.address or os.environ.get("CI_ENVIRONMENT_URL", "")
    if not address.startswith(("http://", "https://")):
        raise UsageError(
            "no address to ask", value=address or "CI_ENVIRONMENT_URL is not set", allowed="an address with http:// or https://",
            next='[gitlab.review] url = "https://{branch}.review.example.org" in lockgate.toml',
        )  # fmt: skip
    project = open_project(Path.cwd())
    release = chosen(walk_now(project, now=now()), read_ledger(project), None, job_in(os.environ)).release
    deadline, said = time.monotonic() + arguments.wait, ""
    while time.monotonic() < deadline:
        answer, said = _asked(address)
        if answer == release:
            print(plain(f"done  {address} shows release {short(release)} beside what is live"))
            return 0
        time.sleep(ASK_SECONDS)
    raise ServiceUnavailable(
        f"the review host does not show release {short(release)}", value=f"{address}: {said}",
        next="is `lockgate preview serve` running there, with the same ledger and store?",
    )  # fmt: skip


def _asked(address: str) -> tuple[str, str]:
    """The release that answers, and what to say when it is the wrong one."""
    try:
        with _opened(f"{address.rstrip('/')}/health") as answer:
            said = json.loads(answer.read(1 << 16))
        release = str(said["release"])
    except urllib.error.HTTPError as error:
        error.close()
        return "", f"{error.code} {error.reason}"
    except (OSError, ValueError, LookupError, TypeError) as error:
        return "", str(error) or type(error).__name__
    return release, f"release {short(release)} answers"


def _opened(address: str) -> Any:
    """What an address answers; this machine is asked by no proxy.

    Names below `localhost` are this machine (RFC 6761, 6.3), though not every resolver knows it.
    """
    from lockgate.serving.beside import NEAR

    parts = urlsplit(address)
    name = parts.hostname or ""
    headers = {"Host": parts.netloc}
    if name.endswith(".localhost"):
        port = f":{parts.port}" if parts.port else ""
        address = urlunsplit(parts._replace(netloc=f"127.0.0.1{port}"))
    request = urllib.request.Request(address, headers=headers)  # noqa: S310  http(s) only
    return (NEAR.open if is_here(name) else urllib.request.urlopen)(request, timeout=30)


def is_here(name: str) -> bool:
    """Whether a host name, or an address, is this machine.

    >>> is_here("a.localhost"), is_here("127.0.0.2"), is_here("::1"), is_here("localhost.example.org")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return f".{name}".endswith(".localhost")


def _say(line: str) -> None:
    print(f"{now():%H:%M:%S}  {plain(line)}", flush=True)
