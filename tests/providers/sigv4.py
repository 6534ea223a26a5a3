"""Signature Version 4 as AWS publishes it, checked from the server's side.

Shares no code with who signs.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

ALGORITHM = "AWS4-HMAC-SHA256"


def fault(request, body, *, keys, region, service):
    """Why AWS would refuse the request, as its error's name; None: it is well signed.

    `keys`: id → (secret, token).
    """
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    if scheme != ALGORITHM or parts.keys() != {"Credential", "SignedHeaders", "Signature"}:
        return "MissingAuthenticationTokenException"
    key_id, *scope = parts["Credential"].split("/")
    secret, token = keys.get(key_id, ("", None))
    at, signed = request.headers.get("X-Amz-Date", ""), parts["SignedHeaders"].split(";")
    must = {"host", "x-amz-date", "content-type"} | ({"x-amz-security-token"} if token else set())
    age = datetime.now(UTC) - datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    wanted = signature(secret, at, "/".join(scope), canonical(request, body, signed))
    refusals = {
        "UnrecognizedClientException": key_id not in keys,
        "RequestExpired": abs(age) > timedelta(minutes=5),
        "ExpiredTokenException": token != request.headers.get("X-Amz-Security-Token"),
        "InvalidSignatureException": (
            scope != [at[:8], region, service, "aws4_request"]
            or signed != sorted(signed)
            or not must <= set(signed)
        ),
        "SignatureDoesNotMatch": not hmac.compare_digest(wanted, parts["Signature"]),
    }
    return next((name for name, holds in refusals.items() if holds), None)


def canonical(request, body, signed):
    """The canonical request: method, path, query, headers, their names, hash of the body."""
    query = "&".join(
        sorted(
            f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}"
            for k, v in parse_qsl(request.query_string, keep_blank_values=True)
        )
    )
    headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in signed)
    return "\n".join(
        [
            request.method,
            quote(request.path, safe="/-_.~"),
            query,
            headers,
            ";".join(signed),
            hashlib.sha256(body).hexdigest(),
        ]
    )


def signature(secret, at, scope, request):
    """The string to sign under the key that is derived from date, region and service."""
    to_sign = "\n".join([ALGORITHM, at, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in [*scope.split("/"), to_sign]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()
