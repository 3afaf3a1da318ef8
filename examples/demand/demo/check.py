"""`make demo ARGS=--check`: the demo without a viewer; ends with one JSON line that was recomputed from the store."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from demo import servers
from demo.start import deliver, leak, own_approval, prepare, sign
from demo.terminal import Failed, command, note, title
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.releases import fetch, manifest_of
from lockgate.errors import LockgateError
from lockgate.project import open_project
from lockgate.release.client import ReleaseHost

__all__ = ["answers", "play"]

DAYS_AHEAD = (3, 10)


def play(data: str) -> int:
    """Everything, with the second key; exit 4 when the store's model is damaged."""
    prepare(data)
    with servers.running() as address:
        leak()
        if deliver():
            own_approval()
            title("DEMO APPROVAL: signed with the demo's second key, because nobody is here")
            sign("approve", "demo approval, nobody read the evidence")
            command("deliver")
        servers.wait_until_live(address)
        title("The same answers over HTTP and from the release in the store")
        found = answers(address)
        note("They are equal. Next: `make demo` opens the app, `make next-week` reveals seven days.")
        print(json.dumps(found, sort_keys=True), flush=True)
    return 0


def answers(address: str) -> dict[str, object]:
    """One record: the live release, two answers over HTTP, the same two computed from the store, the ledger's head."""
    project = open_project(Path.cwd())
    _, health = servers.get(address, "/health")
    release = str(health["release"])
    try:
        manifest = manifest_of(project, release)
        folder = fetch(project, release)
        trust = read_ledger(project)
    except LockgateError as error:
        note(str(error))
        raise Failed(error.exit_code) from error
    asked = _requests(address, dt.date.fromisoformat(manifest.as_of))
    served = [servers.post(address, "/predict", request)[1] for request in asked]
    with ReleaseHost(folder, release) as host:
        evaluated = host.answer(asked)
    http = [{**dict(s["output"]), "note": s.get("note") or ""} for s in served]  # type: ignore[call-overload]
    store = [{**e, "note": e.get("note") or ""} for e in evaluated]
    if http != store or any(s["release"] != release for s in served):
        note(f"the served answers are not the release's: {http} ≠ {store}")
        raise Failed(1)
    return {
        "release": release,
        "as_of": manifest.as_of,
        "requests": asked,
        "http": http,
        "evaluation": store,
        "ledger_head": trust.head.digest,
    }


def _requests(address: str, as_of: dt.date) -> list[dict[str, str]]:
    """Two products and two days, neither a Saturday: the shop is closed then."""
    _, found = servers.get(address, "/choices", field="product", limit="2")
    days = [as_of + dt.timedelta(days=d) for d in DAYS_AHEAD]
    return [{"product": c["value"], "date": d.isoformat()} for c, d in zip(found["choices"], days, strict=True)]  # type: ignore[call-overload, index]
