"""The trust root and its rotation, a leaver, a lost key, a new key for the same person, anchors: through the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from journeys.walking import FAILED, GOOD, HUMAN, REFUSED, USAGE, Done, Lockgate, Server, both, commit, copy, edit, git
from ledger.authenticator import SoftwareKey, agent, agent_with, program
from lockgate.adapters.keys import create_key

pytestmark = pytest.mark.sampled(8)

Copier = Callable[[Lockgate], Lockgate]


def people(lockgate: Lockgate, *arguments: str, by: str = "", expect: int = GOOD) -> Done:
    signs = ("--sign-with", f".lockgate/{by}") if by else ()
    return lockgate("people", *arguments, *signs, expect=expect)


def root(lockgate: Lockgate) -> str:
    return lockgate.json("ledger", "verify")["trust_root"]


def approve(lockgate: Lockgate, key: str | Path, expect: int = GOOD, env: dict[str, str] | None = None) -> Done:
    lockgate("evidence", expect=None)
    sign = ("approve", "latest", "--role", "product-owner", "--reason", "fit", "--key", str(key))
    return Lockgate(lockgate.root, {**lockgate.env, **(env or {})})(*sign, expect=expect)


def seats(lockgate: Lockgate, *, key: str = ".lockgate/bob") -> Done:
    """What `deliver` says about who has signed; nothing is served but staging."""
    with Server(lockgate, "staging") as staging:
        staging.answers()
        return lockgate("deliver", "--wait", "0.1", expect=None)


# ── the trust root ──────────────────────────────────────────────────────────


def test_the_root_stays_while_everybody_who_founded_it_is_replaced(waiting: Lockgate, fresh: Copier) -> None:
    """Two new trustees, a quorum of two, the founder goes: the same root, and a server that pins it serves on."""
    lockgate = fresh(waiting)
    before = root(lockgate)
    for name in ("tess", "tom"):
        people(lockgate, "add", name, "--role", "trustee", "--new-key", f".lockgate/{name}")
    people(lockgate, "quorum", "2")
    alone = people(lockgate, "add", "ada", "--role", "deliverer", "--role", "operator", by="tess")
    assert "waits" in alone.out and "signed by tess: 1 of 2 trustees" in alone.out
    assert people(lockgate, "list").out.count("trustee, deliverer, operator") == 1, "one signature changes nothing"
    again = people(lockgate, "sign", by="tess")
    assert "1 of 2 trustees" in again.out, "the same person twice is one"
    stranger = people(lockgate, "sign", by="bob", expect=REFUSED)
    assert "bob may not change the people" in stranger.err
    done = people(lockgate, "sign", by="tom")
    assert "waits" not in done.out
    assert people(lockgate, "add", "eve", "--role", "product-owner", expect=REFUSED).err.count(
        "ada may not change the people"
    )
    assert root(lockgate) == before
    with Server(lockgate, "staging", "--trust", before) as staging:
        staging.answers()
    refused = lockgate("serve", "staging", "--port", "0", "--trust", "sha256:" + "0" * 64, expect=REFUSED)
    assert before in refused.err


def test_a_trustee_who_lost_the_key_is_given_another_by_the_others(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    before = root(lockgate)
    people(lockgate, "add", "tess", "--role", "trustee", "--new-key", ".lockgate/tess")
    lost = next(k for p in lockgate.json("people")["people"] if p["name"] == "ada" for k in p["keys"])
    people(lockgate, "remove", "ada", "--key", lost, by="tess")
    assert "belongs to nobody" in people(lockgate, "add", "eve", "--role", "guest", expect=REFUSED).err
    people(lockgate, "add", "ada", "--new-key", ".lockgate/ada-2", by="tess")
    people(lockgate, "add", "eve", "--role", "guest", by="ada-2")
    assert root(lockgate) == before
    assert lockgate.json("ledger", "verify")["set_aside"] == 0, "what the lost key said before keeps its author"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("quorum", "5"), "too few trustees"),
        (("quorum", "two"), "a number"),
        (("sign",), "no such change of people waits"),
        (("remove", "bob", "--key", "ssh-ed25519 AAAA"), "not a public key"),
        (("remove", "bobb"), "bob?"),
        (("remove", "ada"), "too few trustees"),
    ],
)
def test_a_change_of_people_that_cannot_work_is_refused(
    waiting: Lockgate, fresh: Copier, arguments: tuple[str, ...], words: str
) -> None:
    lockgate = fresh(waiting)
    assert words in people(lockgate, *arguments, expect=USAGE).err
    assert lockgate.json("people")["version"] == 2


# ── people come, go, and lose keys ──────────────────────────────────────────


def test_a_leaver_takes_what_was_not_served_along_and_leaves_what_was(approved: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(approved)
    people(lockgate, "add", "carol", "--role", "product-owner", "--new-key", ".lockgate/carol")
    people(lockgate, "remove", "bob")
    with both(lockgate):
        assert "it binds people" in lockgate("deliver", expect=HUMAN).err
        assert "belongs to nobody" in approve(lockgate, ".lockgate/bob", REFUSED).err
        approve(lockgate, ".lockgate/carol")
        lockgate("deliver")
        people(lockgate, "remove", "carol")
    with Server(lockgate, "production") as production:  # it was approved then, and it was served
        production.answers(lockgate.release())


def test_a_lost_key_signs_no_more_and_a_new_one_does(waiting: Lockgate, fresh: Copier) -> None:
    """Who found the key cannot use it; the same person signs with the new one, and both are one person."""
    lockgate = fresh(waiting)
    lost = (lockgate.root / ".lockgate/bob.pub").read_text()
    people(lockgate, "add", "bob", "--new-key", ".lockgate/bob-2")
    people(lockgate, "remove", "bob", "--key", lost)
    assert "belongs to nobody" in approve(lockgate, ".lockgate/bob", REFUSED).err
    with both(lockgate):
        lockgate("deliver", expect=HUMAN)
        approve(lockgate, ".lockgate/bob-2")
        lockgate("deliver")
    assert lockgate.live() == lockgate.release()
    (bob,) = [p for p in lockgate.json("people")["people"] if p["name"] == "bob"]
    assert (bob["roles"], len(bob["keys"])) == (["product-owner"], 1)


def test_what_a_stolen_key_signed_is_void_with_the_key(approved: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(approved)
    stolen = (lockgate.root / ".lockgate/bob.pub").read_text()
    people(lockgate, "remove", "bob", "--key", stolen)
    people(lockgate, "add", "bob", "--new-key", ".lockgate/bob-2")
    with Server(lockgate, "staging") as staging:
        staging.answers()
        assert "1 more product-owner" in lockgate("deliver", expect=HUMAN).err


def test_the_last_editor_of_the_policy_does_not_approve(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    git(lockgate.root, "config", "user.email", "bob@example.org")
    people(lockgate, "add", "bob", "--alias", "bob@example.org")
    with (lockgate.root / "policy.toml").open("a") as policy:
        policy.write("[limits.champion]\n")
    with Server(lockgate, "staging") as staging:
        staging.answers()
        lockgate("deliver", expect=HUMAN)
        done = approve(lockgate, ".lockgate/bob", REFUSED)
        assert "policy_editor: bob edited the policy" in done.err
        people(lockgate, "add", "carol", "--role", "product-owner", "--new-key", ".lockgate/carol")
        lockgate("deliver", expect=HUMAN)
        approve(lockgate, ".lockgate/carol")


@pytest.mark.parametrize("honest", [True, False])
def test_somebody_elses_later_commit_does_not_hide_who_edited_the_policy(
    waiting: Lockgate, fresh: Copier, honest: bool
) -> None:
    """Bob raises a limit that stands in a file of its own; somebody else commits behind him."""
    lockgate = fresh(waiting)
    people(lockgate, "add", "bob", "--alias", "bob@example.org")
    (lockgate.root / "shop/limits.py").write_text('"""What is enough."""\n\nROWS = 10\n')
    edit(lockgate.root, "shop/delivery.py", "min_rows=10,", "min_rows=ROWS,")
    edit(
        lockgate.root, "shop/delivery.py", "from lockgate import", "from shop.limits import ROWS\nfrom lockgate import"
    )
    commit(lockgate.root, "the limit in a file of its own")
    (lockgate.root / "shop/limits.py").write_text('"""What is enough."""\n\nROWS = 9\n')
    git(lockgate.root, "add", "--all")
    who = "carol" if honest else "bob"
    git(
        lockgate.root,
        "-c",
        f"user.email={who}@example.org",
        "-c",
        f"user.name={who}",
        "commit",
        "--quiet",
        "-m",
        "lower",
    )
    for file in ("policy.toml", "shop/delivery.py"):
        with (lockgate.root / file).open("a") as open_file:
            open_file.write("\n")
    commit(lockgate.root, "somebody else, later")
    with Server(lockgate, "staging") as staging:
        staging.answers()
        lockgate("deliver", expect=HUMAN)
        done = approve(lockgate, ".lockgate/bob", GOOD if honest else REFUSED)
        assert honest or "policy_editor: bob edited the policy" in done.err


def test_where_git_cannot_say_who_edited_the_policy_page_and_command_say_so(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    shutil.rmtree(lockgate.root / ".git")
    lockgate = Lockgate(lockgate.root, {**lockgate.env, "GIT_CEILING_DIRECTORIES": str(lockgate.root.parent)})
    with (lockgate.root / "policy.toml").open("a") as policy:
        policy.write("[limits.champion]\n")
    with Server(lockgate, "staging") as staging:
        staging.answers()
        lockgate("deliver", expect=HUMAN)
        said = "obody can tell who edited the policy: the project is in no git repository"
        assert said in lockgate("approvals", "production", expect=HUMAN).out
        assert said in Path(lockgate.json("evidence")["path"]).read_text()
        approve(lockgate, ".lockgate/bob")


def test_the_policy_may_ask_for_answers(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    text = (lockgate.root / "policy.toml").read_text()
    (lockgate.root / "policy.toml").write_text(text.replace("[approval]\n", "[approval]\nanswers = true\n"))
    with both(lockgate):
        lockgate("deliver", expect=HUMAN)
        asked = lockgate.json("evidence")["questions"]
        assert asked
        silent = approve(lockgate, ".lockgate/bob", USAGE)
        assert "--answer 1=" in silent.err
        fresh(lockgate).reject()  # who says no need not answer
        answers = [w for n in range(1, len(asked) + 1) for w in ("--answer", f"{n}=yes, I looked")]
        sign = ("approve", "latest", "--role", "product-owner", "--reason", "fit", "--key", ".lockgate/bob", *answers)
        assert "no such question" in lockgate(*sign, "--answer", "99=x", expect=USAGE).err
        assert "--answer 1=" in lockgate(*sign, "--answer", "yes", expect=USAGE).err
        lockgate(*sign)
        lockgate("deliver")
    assert lockgate.live() == lockgate.release()


# ── keys that are no file ───────────────────────────────────────────────────


def test_an_approval_by_ssh_agent(waiting: Lockgate, fresh: Copier, tmp_path: Path) -> None:
    lockgate = fresh(waiting)
    key = lockgate.root / ".lockgate/bob"
    with agent(tmp_path) as place:
        subprocess.run(
            [program("ssh-add"), "-q", str(key)], env={"SSH_AUTH_SOCK": place}, check=True, capture_output=True
        )
        key.unlink()
        assert "SSH_AUTH_SOCK" in approve(lockgate, f"{key}.pub", USAGE, {"SSH_AUTH_SOCK": ""}).err
        approve(lockgate, f"{key}.pub", env={"SSH_AUTH_SOCK": place})
    assert [e["who"] for e in lockgate.ledger() if e["what"] == "approve" and e["counts"]] == ["bob"]


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_an_approval_by_a_hardware_key(waiting: Lockgate, fresh: Copier, tmp_path: Path, kind: str) -> None:
    lockgate, key = fresh(waiting), SoftwareKey(kind)
    (tmp_path / "sk.pub").write_text(key.public_key())
    people(lockgate, "add", "hal", "--role", "product-owner", "--key", str(tmp_path / "sk.pub"))
    with both(lockgate), agent_with(key, tmp_path) as place:
        lockgate("deliver", expect=HUMAN)
        approve(lockgate, tmp_path / "sk.pub", env={"SSH_AUTH_SOCK": place})
        lockgate("deliver")
    assert lockgate.live() == lockgate.release()


# ── anchors ─────────────────────────────────────────────────────────────────


def rebuilt(lockgate: Lockgate, *, without: str) -> None:
    """The ledger as its operator rebuilds it: the same signed statements, chained anew, without one of them."""
    from datetime import datetime

    from lockgate.records.ledger import EMPTY, chain, encode_line
    from lockgate.records.statement import Envelope

    path = lockgate.root / ".lockgate/ledger/ledger.jsonl"
    head, lines = EMPTY, []
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        envelope = Envelope.from_json(entry["envelope"])
        if envelope.statement().predicate.get("decision") == without:
            continue
        made = chain(envelope, after=head, time=datetime.fromisoformat(entry["time"]))
        head, lines = made.head, [*lines, encode_line(made)]
    path.write_bytes(b"".join(lines))


def forget(lockgate: Lockgate) -> None:
    """A working copy that has never seen this ledger."""
    for name in ("ledger-seen", "ledger-seen.lock"):
        (lockgate.root / ".lockgate" / name).unlink(missing_ok=True)


@pytest.mark.parametrize("honest", [True, False])
def test_a_ledger_rebuilt_without_the_reject_contradicts_its_anchor(
    waiting: Lockgate, fresh: Copier, tmp_path: Path, honest: bool
) -> None:
    lockgate = fresh(waiting)
    origin = tmp_path / "origin.git"
    git(lockgate.root, "init", "--quiet", "--bare", str(origin))
    git(lockgate.root, "remote", "add", "origin", str(origin))
    git(lockgate.root, "push", "--quiet", "origin", "main")
    lockgate.reject()
    if not honest:  # nobody else has seen it: chain, signatures and heads of what remains are all in order
        unanchored = fresh(lockgate)
        rebuilt(unanchored, without="reject")
        forget(unanchored)
        assert "no anchor in git" in unanchored("ledger", "verify").out
        assert [e["what"] for e in unanchored.ledger()].count("reject") == 0
    done = lockgate("ledger", "anchor", "--push", "origin")
    assert "at origin" in done.out
    assert lockgate("ledger", "anchor").out.split(" of ")[0] == done.out.split(" of ")[0], "nothing new, nothing added"
    clone = copy(lockgate, tmp_path / "clone" / "shop")
    git(clone.root, "update-ref", "-d", "refs/lockgate/shop")
    forget(clone)
    if not honest:
        rebuilt(clone, without="reject")
    found = clone("ledger", "verify", "--fetch", "origin", expect=GOOD if honest else REFUSED)
    if honest:
        assert "1 anchor in git" in found.out
    else:
        assert "contradicts an anchor, signed by ada: size" in found.err
        refused = approve(clone, ".lockgate/bob", REFUSED)
        assert "contradicts an anchor" in refused.err, "nobody signs on a history that was rewritten"
        assert "contradicts an anchor" in clone("ledger", "anchor", expect=REFUSED).err


def test_an_anchor_by_nobody_stops_verify_and_no_approval(waiting: Lockgate, fresh: Copier) -> None:
    """Who can push to the repository and holds no registered key writes an anchor: it is named, and stops nobody's work."""
    lockgate = fresh(waiting)
    create_key(lockgate.root / ".lockgate/mallory")
    script = """
import sys
from pathlib import Path
from lockgate.adapters.git_ref import GitRef
from lockgate.adapters.keys import FileSigner
from lockgate.delivery.identity import read_ledger
from lockgate.project import open_project
from lockgate.records.checkpoint import sign_checkpoint
project = open_project(Path.cwd())
data = sign_checkpoint(read_ledger(project), FileSigner(Path(".lockgate/" + sys.argv[1])))
GitRef(project.root, "shop").add(data, "an anchor")
"""
    import sys

    for who, code, words in (("key", GOOD, ""), ("mallory", REFUSED, "key"), ("bob", REFUSED, "key")):
        subprocess.run([sys.executable, "-c", script, who], cwd=lockgate.root, check=True)
        assert words in lockgate("ledger", "verify", expect=code).err
    approve(lockgate, ".lockgate/bob")
