"""An ID token of a GitLab job: whether the instance said it about this job, and what it says.

RS256 and nothing else (RFC 7515, 7518, 8725): the header chooses no algorithm, only which of the instance's keys. A token is
read, checked and forgotten; records keep its claims, never itself.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate.errors import PermissionRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.records.digest import Json

__all__ = ["AUDIENCE", "KEPT", "checked_claims"]

AUDIENCE: Final = "lockgate"
"""For whom a job's token must be made: `id_tokens: {LOCKGATE_ID_TOKEN: {aud: lockgate}}`."""

KEPT: Final = (
    "iss", "sub", "project_id", "project_path", "pipeline_id", "pipeline_source", "job_id", "user_id", "user_login", "ref",
    "ref_type", "ref_protected", "environment", "environment_protected", "deployment_tier", "runner_environment", "sha",
)  # fmt: skip
"""Claims that go into records, all as texts. An e-mail address is not one of them."""

SKEW: Final = timedelta(minutes=2)
LONGEST_BYTES: Final = 16 << 10


def checked_claims(
    token: str, keys: Json, *, issuer: str, now: datetime, audience: str = AUDIENCE
) -> Mapping[str, str]:
    """What the token says, as `KEPT` names it. Raises PermissionRefused naming the part that is wrong.

    Args:
        keys: the instance's JSON Web Key Set, of `/oauth/discovery/keys`.
        issuer: the instance's address, as the token must name it.
    """
    parts = token.split(".")
    if len(parts) != 3 or len(token) > LONGEST_BYTES:
        raise _refused("form", f"{len(token)} bytes in {len(parts)} parts", "header.claims.signature")
    header, claims = _json(parts[0], "header"), _json(parts[1], "claims")
    if header.get("alg") != "RS256" or "crit" in header:
        raise _refused("alg", str(header.get("alg")), "RS256")
    _check_signature(f"{parts[0]}.{parts[1]}".encode(), _bytes(parts[2], "signature"), _key(keys, header.get("kid")))
    _check_time(claims, now)
    if claims.get("iss") != issuer:
        raise _refused("iss", str(claims.get("iss")), issuer)
    if claims.get("aud") not in (audience, [audience]):
        raise _refused("aud", str(claims.get("aud")), audience)
    return {name: str(claims[name]) for name in KEPT if isinstance(claims.get(name), str | int)}


def _check_time(claims: Mapping[str, Any], now: datetime) -> None:
    for name, sign in (("exp", 1), ("nbf", -1)):
        at = claims.get(name)
        if type(at) is not int:
            raise _refused(name, str(at), "seconds since 1970")
        moment = datetime.fromtimestamp(at, UTC) if 0 <= at < 1 << 33 else datetime.min.replace(tzinfo=UTC)
        if (now - moment) * sign >= SKEW:
            raise _refused(name, f"{moment:%F %T} UTC", f"{'after' if sign > 0 else 'before'} {now:%F %T} UTC")


def _key(keys: Json, kid: object) -> Mapping[str, Any]:
    listed = cast("Any", keys).get("keys", ()) if isinstance(keys, dict) else ()
    named = [k for k in listed if isinstance(k, dict) and k.get("kid") == kid and k.get("kty") == "RSA"]
    if len(named) != 1 or not isinstance(kid, str):
        raise _refused("kid", str(kid), "a key of the instance")
    return cast("Mapping[str, Any]", named[0])


def _check_signature(message: bytes, signature: bytes, key: Mapping[str, Any]) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
    from cryptography.hazmat.primitives.hashes import SHA256

    numbers = (int.from_bytes(_bytes(str(key.get(part, "")), "key"), "big") for part in ("e", "n"))
    try:
        public = RSAPublicNumbers(*numbers).public_key()
        if public.key_size < 2048:
            raise _refused("key", f"{public.key_size} bits", "2048 bits or more")
        public.verify(signature, message, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError) as error:
        raise _refused("signature", "it does not hold", "a signature of the instance") from error


def _json(part: str, name: str) -> Mapping[str, Any]:
    try:
        found = json.loads(_bytes(part, name))
    except (ValueError, RecursionError) as error:
        raise _refused(name, "no JSON", "an object") from error
    if not isinstance(found, dict):
        raise _refused(name, type(found).__name__, "an object")
    return cast("Mapping[str, Any]", found)


def _bytes(part: str, name: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise _refused(name, "no base64url", "header.claims.signature") from error


def _refused(field: str, value: str, allowed: str) -> PermissionRefused:
    return PermissionRefused(
        f"the job's ID token does not count: {field}", value=value[:200], allowed=allowed,
        next="the job that is played declares id_tokens: {LOCKGATE_ID_TOKEN: {aud: lockgate}}, as lockgate gitlab render writes it",
    )  # fmt: skip
