"""`ledger bundle` as an auditor meets it: a zip, a folder, a stand-alone program, and the tools every machine has."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from journeys.walking import Lockgate


def test_look(delivered: Lockgate, tmp_path: Path) -> None:
    out = tmp_path / "audit.zip"
    done = delivered("ledger", "bundle", "production", "--out", str(out))
    print(done.text)
    with zipfile.ZipFile(out) as z:
        z.extractall(tmp_path / "audit")
        for i in z.infolist():
            print(i.file_size, i.filename)
    root = delivered.json("ledger", "verify")["trust_root"]
    done = subprocess.run([sys.executable, "verify.py", "--trust", root], cwd=tmp_path / "audit", capture_output=True, text=True)
    print(done.stdout, done.stderr)
    print((tmp_path / "audit" / "README.txt").read_text())
    import json
    import base64
    print(json.dumps(json.loads(base64.b64decode(json.loads((tmp_path / "audit" / "vsa.json").read_text())["payload"])), indent=1))
    import shutil
    shutil.copytree(tmp_path / "audit", "/tmp/audit1", dirs_exist_ok=True)
    assert 0
