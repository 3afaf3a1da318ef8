"""ID tokens of jobs: what the instance signed counts, and each thing that is wrong with one names its part."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import PermissionRefused
from lockgate.forge.id_token import KEPT, checked_claims

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
ISSUER = "https://forge.example"
KEYS = {
    name: rsa.generate_private_key(public_exponent=65537, key_size=bits)
    for name, bits in {"good": 2048, "other": 2048, "short": 1024}.items()
}
CLAIMS = {
    "iss": ISSUER, "aud": "lockgate", "sub": "project_path:group/demand:ref_type:branch:ref:main", "job_id": "12", "pipeline_id": "7",
    "user_id": "42", "user_login": "pat", "user_email": "pat@example.org", "ref_protected": "true", "sha": "a" * 40, "runner_id": 1,
    "iat": int(NOW.timestamp()), "nbf": int(NOW.timestamp()) - 5, "exp": int(NOW.timestamp()) + 3600,
}  # fmt: skip


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value: Any) -> str:
    return b64(json.dumps(value).encode())


def jwk(name: str, **changes: Any) -> dict[str, Any]:
    numbers = KEYS[name].public_key().public_numbers()
    e, n = (b64(x.to_bytes((x.bit_length() + 7) // 8, "big")) for x in (numbers.e, numbers.n))
    return {"kty": "RSA", "kid": name, "e": e, "n": n, "use": "sig", "alg": "RS256", **changes}


JWKS = {"keys": [jwk("good"), jwk("short")]}


def token(*, by: str = "good", header: dict[str, Any] | None = None, **changes: Any) -> str:
    said = {k: v for k, v in {**CLAIMS, **changes}.items() if v is not None}
    signed = f"{part({'alg': 'RS256', 'kid': by, 'typ': 'JWT', **(header or {})})}.{part(said)}"
    return f"{signed}.{b64(KEYS[by].sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def read(text: str, keys: Any = JWKS) -> Any:
    return checked_claims(text, keys, issuer=ISSUER, now=NOW)


def test_claims_are_kept_as_texts_and_nobodys_address() -> None:
    found = read(token())
    assert found["user_login"] == "pat"
    assert found["user_id"] == "42"
    assert set(found) <= set(KEPT)
    assert "user_email" not in found


def unsigned(alg: str) -> str:
    return f"{part({'alg': alg, 'kid': 'good'})}.{part(CLAIMS)}."


def hmac_with_the_public_key() -> str:
    import hashlib
    import hmac

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = KEYS["good"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{part({'alg': 'HS256', 'kid': 'good'})}.{part(CLAIMS)}"
    return f"{signed}.{b64(hmac.new(pem, signed.encode(), hashlib.sha256).digest())}"


LATER, EARLIER = int((NOW + timedelta(hours=1)).timestamp()), int((NOW - timedelta(hours=1)).timestamp())
WRONG: dict[str, tuple[str, Callable[[], Any]]] = {
    "no token": ("form", lambda: read("")),
    "four parts": ("form", lambda: read(token() + ".x")),
    "far too long": ("form", lambda: read("a." * 2 + "b" * (1 << 15))),
    "no algorithm": ("alg", lambda: read(unsigned("none"))),
    "the public key as a password": ("alg", lambda: read(hmac_with_the_public_key())),
    "a header that must be understood": ("alg", lambda: read(token(header={"crit": ["x"]}))),
    "an unknown key": ("kid", lambda: read(token(by="other"))),
    "an unknown key under a known name": ("signature", lambda: read(token(by="other", header={"kid": "good"}))),
    "a key that brings itself along": ("kid", lambda: read(token(by="other", header={"jwk": jwk("other")}))),
    "two keys of one name": ("kid", lambda: read(token(), {"keys": [jwk("good"), jwk("other", kid="good")]})),
    "a short key": ("key", lambda: read(token(by="short"))),
    "another instance": ("iss", lambda: read(token(iss="https://forge.example.evil"))),
    "for somebody else": ("aud", lambda: read(token(aud="vault"))),
    "for two": ("aud", lambda: read(token(aud=["lockgate", "vault"]))),
    "for nobody": ("aud", lambda: read(token(aud=None))),
    "too late": ("exp", lambda: read(token(exp=EARLIER))),
    "too early": ("nbf", lambda: read(token(nbf=LATER))),
    "without an end": ("exp", lambda: read(token(exp=None))),
    "with an end in words": ("exp", lambda: read(token(exp="tomorrow"))),
    "with true for an end": ("exp", lambda: read(token(exp=True))),
    "no JSON": ("header", lambda: read(f"{b64(b'{')}.{part(CLAIMS)}.AA")),
    "a list": ("claims", lambda: read(f"{part({'alg': 'RS256', 'kid': 'good'})}.{part([1])}.AA")),
    "no keys": ("kid", lambda: read(token(), [])),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named(wrong: str) -> None:
    field, attempt = WRONG[wrong]
    with pytest.raises(PermissionRefused) as refused:
        attempt()
    assert refused.value.what.endswith(f": {field}")


def test_one_changed_letter_breaks_it() -> None:
    good = token()
    for position in range(0, len(good), 37):
        changed = good[:position] + ("A" if good[position] != "A" else "B") + good[position + 1 :]
        with pytest.raises(PermissionRefused):
            read(changed)


@given(st.text(alphabet=st.sampled_from("abcXYZ019-_.=é\n"), max_size=200))
def test_rubbish_is_refused_and_never_crashes(text: str) -> None:
    with pytest.raises(PermissionRefused):
        read(text)
