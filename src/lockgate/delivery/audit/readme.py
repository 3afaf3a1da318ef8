"""README.txt of a bundle: for an auditor who has never heard of Lockgate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.records.digest import short

if TYPE_CHECKING:
    from collections.abc import Collection

    from lockgate.records.trust import Trusted

__all__ = ["readme"]

TEXT = """\
WHAT THIS IS

A record of one decision: release {short} of {project!r}, for the environment {environment!r}.
A release is a machine-learning model with its code and data, frozen. Before it may answer real
requests, automatic checks ("gates") measure it and people sign for it. Every such statement is
signed and stands in a log in which each entry names the one before. This folder holds the log and
everything that its statements are about, so that you can check the decision without the people
who made it, without their software and without a network.

CHECK IT

Needed: Python 3.11 or newer and the package "cryptography" (pip install cryptography).

    python3 verify.py --trust sha256:...

It prints what it checked and ends with one sentence. Exit status 0: the release was let in by the
people who may. 4: it was not, or that cannot be proved. 2: the command was wrong.

The digest behind --trust is the sha256 of the first register of people. It is what you bring;
all belief starts there. DO NOT take it from this folder. Ask the people of the project, on
another way than the one this folder came by: whoever made a folder like this of lies would write
their own digest into it. The same goes for

    --policy sha256:...   the rules that you know to be in force (sha256 of policy.json)
    --head sha256:...     an entry of the log that you saw before: in an older bundle, a git tag, a mail.
                          With it, a log that was cut or rewritten since is refused.
    --anchors FILE        the same, for signed heads of the log that lie outside, one a line: files
                          checkpoint.json in the commits of refs/lockgate/NAME of the code's repository

verify.py came with the rest and is as trustworthy as the rest. It is written to be read; or take it from a copy of Lockgate that you trust: src/lockgate/release/verify.py.

WHAT IS IN HERE

    ledger.jsonl    the log, one signed statement per line, from the first to the newest
    policy.json     which checks must pass and who must sign before which environment
    evidence/       what each check measured
    page.html       the page that was shown to the people who signed (open it in a browser)
    card.md         the same as text
    vsa.json        the server's own summary, a SLSA Verification Summary (if it was served)
    release/        the release: manifest.json lists every file with its sha256{without}
    people/         the registers of people: who may decide what, with which key
    keys/           their public keys, for openssl (.pem) and ssh-keygen (.pub)
    statements/     the statements about this release, one file each (in-toto in DSSE)
    bundle.json     which release and environment this is about
    SHA256SUMS      sha256 of all of these

people/, keys/ and statements/ only repeat the log in handier pieces; verify.py checks that they do.

CHECK IT BY HAND

    sha256sum -c SHA256SUMS                    nothing was damaged on the way
    sha256sum people/0001.json                 the digest for --trust
    sha256sum policy.json                      the digest that approvals name as "policy"
    sha256sum page.html                        the digest that they name as "page"
    sha256sum release/manifest.json            the release's name
    cd release && sha256sum -c SHA256SUMS      every byte of the release

One signature, here under statement S by the key NAME (what is made lies beside this folder):

    sed 's/.*"payload":"\\([^"]*\\)".*/\\1/' statements/S.json | base64 -d > ../payload
    sed 's/.*"sig":"\\([^"]*\\)".*/\\1/' statements/S.json | base64 -d > ../sig
    (printf 'DSSEv1 28 application/vnd.in-toto+json %d ' $(wc -c < ../payload); cat ../payload) > ../signed
    openssl pkeyutl -verify -pubin -inkey keys/NAME.pem -rawin -in ../signed -sigfile ../sig

For a P-256 key: openssl dgst -sha256 -verify keys/NAME.pem -signature ../sig ../signed
For one that says "scheme":"sshsig":

    (echo '-----BEGIN SSH SIGNATURE-----'; base64 < ../sig; echo '-----END SSH SIGNATURE-----') > ../sig.ssh
    echo "signer $(cat keys/NAME.pub)" > ../allowed
    ssh-keygen -Y verify -f ../allowed -I signer -n dsse@lockgate.dev -s ../sig.ssh < ../signed

THE NUMBERS OF THIS BUNDLE (compare them with what you were told; they prove nothing here)

    release       {release}
    environment   {environment}
    trust root    {root}
    log           {entries} entries, the newest {head}
"""
WITHOUT = "\n                    (its other files were left out: ask for them, then --files FOLDER)"


def readme(project: str, release: str, environment: str, trust: Trusted, files: Collection[str]) -> bytes:
    """The text; `files` are the names of what else is in the bundle."""
    whole = any(f.startswith("release/") and f.count("/") > 1 for f in files)
    text = TEXT.format(
        project=project, release=release, short=short(release), environment=environment, root=trust.root,
        entries=len(trust.said), head=trust.head.digest, without="" if whole else WITHOUT,
    )  # fmt: skip
    return text.encode()
