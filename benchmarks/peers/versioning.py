"""How each tool keeps versions of data, in the idiom of its documentation; documented settings that make it faster are on.

Every command is a line without a shell. `{what}` is the file or folder, `{version}` the version's name (or what `named` reads
from the answer of `add`), `{home}` a folder beside the project, `{options}` what the tool is told about this kind of data. All of them keep
`add`'s bytes in a folder that is theirs, `store`; `switch` makes the working tree that of another version.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from peers.tools import DVC as DVC_PACKAGE
from peers.tools import LOCKGATE as LOCKGATE_PACKAGE
from peers.tools import Tool

__all__ = ["VERSIONERS", "Versioner"]


@dataclass(frozen=True)
class Versioner:
    """One tool. `package`: from PyPI, in an environment of its own; `debian`: these packages, when `program` is not there."""

    name: str
    idiom: str
    remark: str
    program: str
    told: str
    make: tuple[str, ...]
    add: tuple[str, ...]
    status: str
    switch: tuple[str, ...]
    store: str
    package: Tool | None = None
    debian: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    named: Callable[[str], str] | None = None


LOCKGATE = Versioner(
    "Lockgate", "docs/data.md", "as it comes; the working tree stays ordinary files", "lockgate", "lockgate --version",
    package=LOCKGATE_PACKAGE,
    make=(), add=("lockgate data add data --json",), status="lockgate data list", switch=("lockgate data checkout data {version}",),
    store=".lockgate", named=lambda said: json.loads(said)["version"],
    files={"lockgate.toml": '[project]\nname = "bench"\npipelines = []\n[sources.data]\nkind = "file"\npath = "{what}"\n'},
)  # fmt: skip

BORG = Versioner(
    "borg", "https://borgbackup.readthedocs.io/en/stable/usage/create.html",
    "status is a second `create`, a switch extracts everything. No encryption; no ACLs, attributes and flags; random bytes are not compressed; tables in "
    "chunks of 64 KiB on average, its notes' setting for small volumes",
    "borg", "borg --version", package=Tool("borg", "", "borgbackup", ("borg",)),
    debian=("gcc", "libacl1-dev", "liblz4-dev", "libssl-dev", "libxxhash-dev", "libzstd-dev", "pkg-config"),
    make=("borg init -e none",), add=("borg create --noacls --noxattrs --noflags {options} ::{version} {what}",),
    status="borg create --noacls --noxattrs --noflags {options} ::{utcnow:%H%M%S%f} {what}", switch=("borg extract ::{version}",),
    store="../home/borg", options={"random": "-C none", "table": "--chunker-params buzhash,10,23,16,4095"},
    environment={"BORG_REPO": "{home}/borg", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"},
)  # fmt: skip

RESTIC = Versioner(
    "restic", "https://restic.readthedocs.io/en/stable/040_backup.html",
    "status is `backup --dry-run`, a switch restores everything. It always encrypts; random bytes are not compressed",
    "restic", "restic version", debian=("restic",),
    make=("restic init -q --repository-version 2",), add=("restic backup -q {options} --tag {version} {what}",),
    status="restic backup --dry-run {options} {what}", switch=("restic restore -q latest --tag {version} --target .",),
    store="../home/restic", options={"random": "--compression off"},
    environment={"RESTIC_REPOSITORY": "{home}/restic", "RESTIC_PASSWORD": "bench"},
)  # fmt: skip

DVC = Versioner(
    "DVC", "https://dvc.org/doc/start/data-management/data-versioning",
    "without git; a version is a copy of its `.dvc` file", "dvc", "dvc --version", package=DVC_PACKAGE,
    make=("dvc init -q --no-scm", "dvc config core.analytics false", "dvc config core.check_update false"),
    add=("dvc add -q {what}", "cp {what}.dvc {home}/{version}.dvc"), status="dvc status {what}.dvc",
    switch=("cp {home}/{version}.dvc {what}.dvc", "dvc checkout -q {what}.dvc"), store=".dvc/cache",
    environment={"DVC_NO_ANALYTICS": "1"},
)  # fmt: skip

DVC_LINKED = Versioner(
    **{
        **vars(DVC), "name": "DVC hard links", "idiom": "https://dvc.org/doc/user-guide/data-management/large-dataset-optimization",
        "remark": "the same with `cache.type hardlink`: the working tree is the store, read-only",
        "make": (*DVC.make, "dvc config cache.type hardlink"),
    }
)  # fmt: skip

GIT = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "bench"), ("EMAIL", "bench@example.org"))
}
MADE = ("git init -q -b main", "git config gc.auto 0")

GIT_LFS = Versioner(
    "git-lfs", "https://git-lfs.com", "`git add` and `git commit`; git does not collect garbage meanwhile",
    "git-lfs", "git lfs version", debian=("git-lfs",),
    make=(*MADE, "git lfs install --local", "git lfs track big table.* many/**", "git add .gitattributes", "git commit -q -m tracked"),
    add=("git add {what}", "git commit -q -m {version}", "git tag {version}"), status="git status --porcelain", switch=("git checkout -q {version}",),
    store=".git", environment=GIT,
)  # fmt: skip

GIT_ANNEX = Versioner(
    "git-annex", "https://git-annex.branchable.com/walkthrough/",
    "`annex add` moves a file into the store and leaves a read-only link. `annex.backend` is BLAKE3_256 (sha256 by default); small files go "
    "into git, as its tip on large files says (annexed ones cost more); no unlocked files; git does not collect garbage meanwhile",
    "git-annex", "git-annex version --raw", package=Tool("git-annex", "", "git-annex", ("git-annex",)),
    make=(*MADE, "git config annex.backend BLAKE3_256", "git config annex.supportunlocked false", "git config annex.largefiles largerthan=100kb",
          "git commit -q --allow-empty -m empty", "git annex init -q bench"),
    add=("git annex add -q {what}", "git commit -q -m {version}", "git tag {version}"), status="git status --porcelain", switch=("git checkout -q {version}",),
    store=".git", environment=GIT,
)  # fmt: skip

OXEN_PY = """
import sys
from oxen import Repo

verb, *words = sys.argv[1:]
repo = Repo(".")
if verb == "init":
    from oxen.user import config_user
    config_user("bench", "bench@example.org")
    repo.init()
    repo.add("first")
    repo.commit("first")
elif verb == "add":
    repo.checkout(words[1], create=True)
    repo.add(words[0])
    repo.commit(words[1])
elif verb == "status":
    print(repo.status())
else:
    repo.checkout(words[0])
"""

OXEN = Versioner(
    "oxen", "https://docs.oxen.ai/python-api/repo",
    "by its Python package, whose import is in every row; a version is a branch, the only thing that this package checks out",
    "python", "python -c \"import importlib.metadata as m; print(m.version('oxenai'))\"", package=Tool("oxen", "", "oxenai", ("python",)),
    make=("python {home}/keep.py init",), add=("python {home}/keep.py add {what} {version}",), status="python {home}/keep.py status",
    switch=("python {home}/keep.py checkout {version}",), store=".oxen", files={"../home/keep.py": OXEN_PY, "first": ""},
)  # fmt: skip

VERSIONERS = (LOCKGATE, BORG, RESTIC, DVC, DVC_LINKED, GIT_LFS, GIT_ANNEX, OXEN)
