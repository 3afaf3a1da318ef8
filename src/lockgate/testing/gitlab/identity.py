"""The instance as an OpenID provider: ID tokens of jobs, RS256, and the keys to check them with."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from lockgate.testing.gitlab.http import ANY, Answer, Call, Refusal, Route
from lockgate.testing.gitlab.project import Project

__all__ = ["ROUTES", "claims", "encoded", "instance_key"]

LEVELS: Final = {0: None, 10: "guest", 20: "reporter", 30: "developer", 40: "maintainer", 50: "owner"}


@cache
def instance_key(name: str = "instance") -> rsa.RSAPrivateKey:
    """A key of this process, by name; `stranger` signs tokens that must not pass."""
    del name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _jwk(key: rsa.RSAPrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    e, n = (_b64(x.to_bytes((x.bit_length() + 7) // 8, "big")) for x in (numbers.e, numbers.n))
    # RFC 7638: the thumbprint of the members in order.
    kid = _b64(hashlib.sha256(json.dumps({"e": e, "kty": "RSA", "n": n}, separators=(",", ":")).encode()).digest())
    return {"kty": "RSA", "kid": kid, "e": e, "n": n, "use": "sig", "alg": "RS256"}


def encoded(payload: Mapping[str, Any], *, key: rsa.RSAPrivateKey | None = None) -> str:
    """A JWT over these claims by the instance's key, or by another."""
    key = key or instance_key()
    head = {"kid": _jwk(key)["kid"], "typ": "JWT", "alg": "RS256"}
    signed = ".".join(_b64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, payload))
    return f"{signed}.{_b64(key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def claims(project: Project, job: Mapping[str, Any], *, aud: str, iss: str, role: int, now: datetime) -> dict[str, Any]:
    """What GitLab says of a job in its ID token; numbers are strings, as there."""
    pipeline = project.pipelines[job["pipeline"]["id"]]
    at = int(now.timestamp())
    group = project.path.rsplit("/", 1)[0]
    whose = {"project_id": str(project.id), "project_path": project.path, "namespace_id": "1", "namespace_path": group}
    said: dict[str, Any] = {
        **whose,
        "user_id": str(job["user"]["id"]),
        "user_login": job["user"]["username"],
        "user_email": f"{job['user']['username']}@example.com",
        "user_access_level": LEVELS.get(role),
        **{f"job_{k}": v for k, v in whose.items()},
        "pipeline_id": str(pipeline["id"]),
        "pipeline_source": pipeline["source"],
        "job_id": str(job["id"]),
        "ref": job["ref"],
        "ref_type": "tag" if job["tag"] else "branch",
        "ref_path": f"refs/{'tags' if job['tag'] else 'heads'}/{job['ref']}",
        "ref_protected": str(job["protected"]).lower(),
        "runner_id": 1,
        "runner_environment": "self-hosted",
        "sha": pipeline["sha"],
        "project_visibility": "private",
    }
    if job["environment"]:
        said |= {
            "environment": job["environment"],
            "environment_protected": str(job["environment"] in project.protected_environments).lower(),
            "deployment_tier": job["environment"] if job["environment"] in {"staging", "production"} else "other",
            "environment_action": "start",
        }
    sub = f"project_path:{project.path}:ref_type:{said['ref_type']}:ref:{job['ref']}"
    number = hashlib.sha256(f"{job['id']} {aud} {at}".encode()).hexdigest()[:32]
    return said | {
        "jti": number, "iat": at, "nbf": at - 5, "exp": at + job["timeout"], "iss": iss, "sub": sub, "aud": aud,
    }  # fmt: skip


def discovery(call: Call) -> Answer:
    """GET where the keys are."""
    body = {
        "issuer": call.base, "jwks_uri": f"{call.base}/oauth/discovery/keys",
        "authorization_endpoint": f"{call.base}/oauth/authorize", "token_endpoint": f"{call.base}/oauth/token",
        "id_token_signing_alg_values_supported": ["RS256"], "subject_types_supported": ["public"],
        "response_types_supported": ["code"],
    }  # fmt: skip
    return Answer(200, body)


def keys(call: Call) -> Answer:
    """GET the public keys of the instance."""
    del call
    return Answer(200, {"keys": [_jwk(instance_key())]})


def token_itself(call: Call) -> Answer:
    """GET what a token is and may; a project's token is a personal one of its bot. A job's token is refused."""
    token = call.token
    if token is None or token.kind == "job":
        raise Refusal.of(400, "400 Bad request - This endpoint requires token type to be a personal access token")
    return Answer(200, {
        "id": token.user.id, "name": token.user.name, "revoked": token.revoked, "created_at": call.project.stamp(), "description": None,
        "scopes": list(token.scopes), "user_id": token.user.id, "last_used_at": None, "active": not token.revoked, "expires_at": None,
    })  # fmt: skip


ROUTES: Final = (
    Route(method="GET", path="/personal_access_tokens/self", does=token_itself, tokens=ANY, role=0, any_scope=True, note="with any scope; a job's token: 400"),
    Route(method="GET", path="//.well-known/openid-configuration", does=discovery, open=True, note="no API route; `jwks_uri`"),
    Route(method="GET", path="//oauth/discovery/keys", does=keys, open=True, note="no API route; JWKS"),
)  # fmt: skip
