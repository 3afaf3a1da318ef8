"""A hardware key by its key handle file: `ssh-keygen -Y sign` talks to the key and asks for the touch and the PIN."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from lockgate.errors import NotFound, PermissionRefused
from lockgate.records.sshsig import NAMESPACE, SCHEME, unarmoured
from lockgate.records.statement import fingerprint, plain_key

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["KeygenSigner"]


class KeygenSigner:
    """A `Signer` that runs OpenSSH's own program. `path`: the private file; its public half lies beside it, `.pub`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._public = plain_key(path.with_name(path.name + ".pub").read_text(encoding="utf-8"))

    def identity(self) -> str:
        """The key's OpenSSH fingerprint, `SHA256:…`."""
        return fingerprint(self._public)

    def public_key(self) -> str:
        """The key as one OpenSSH line, without a comment."""
        return self._public

    def scheme(self) -> str:
        """OpenSSH's own form."""
        return SCHEME

    def sign(self, message: bytes) -> bytes:
        """The SSHSIG blob. The program speaks with the person on their terminal."""
        program = shutil.which("ssh-keygen")
        if program is None:
            raise NotFound(
                "a hardware key needs OpenSSH's ssh-keygen", value=str(self._path), next="install openssh-client"
            )
        command = [program, "-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(self._path)]
        done = subprocess.run(command, input=message, stdout=subprocess.PIPE, check=False)
        try:
            return unarmoured(done.stdout.decode("ascii", "replace"))
        except ValueError as error:
            raise PermissionRefused(
                "ssh-keygen did not sign", value=f"{self._path}: exit {done.returncode}",
                allowed="a key that is there, touched in time", next="try again",
            ) from error  # fmt: skip
