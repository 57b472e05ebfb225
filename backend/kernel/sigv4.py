"""AWS Signature Version 4 for S3-compatible storage: pure functions of a request, no I/O.

Source: "Authenticating Requests (AWS Signature Version 4)" of the S3 API reference; its examples are unit tests.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
MAX_TTL_S = 604_800


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key and its secret."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return f"Credentials({self.key})"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests for S3 in one region."""

    credentials: Credentials
    region: str

    def headers(
        self, method: str, host: str, path: str, *, headers: Mapping[str, str], body: bytes, at: datetime
    ) -> dict[str, str]:
        """`headers` with those that sign the request added; `path` is already in its canonical form."""
        digest = sha256(body).hexdigest()
        signed = {**headers, "x-amz-content-sha256": digest, "x-amz-date": _instant(at)}
        names, block = _canonical_headers({**signed, "host": host})
        signature = self._sign("\n".join([method, path, "", block, names, digest]), at)
        credential = f"{self.credentials.key}/{self._scope(at)}"
        signed["Authorization"] = f"{ALGORITHM} Credential={credential},SignedHeaders={names},Signature={signature}"
        return signed

    def query(self, method: str, host: str, path: str, *, ttl_s: int, at: datetime) -> str:
        """The query that lets whoever holds the address act for `ttl_s` seconds, a week at most."""
        parameters = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self.credentials.key}/{self._scope(at)}",
            "X-Amz-Date": _instant(at),
            "X-Amz-Expires": str(min(ttl_s, MAX_TTL_S)),
            "X-Amz-SignedHeaders": "host",
        }
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(parameters.items()))
        names, block = _canonical_headers({"host": host})
        signature = self._sign("\n".join([method, path, query, block, names, UNSIGNED]), at)
        return f"{query}&X-Amz-Signature={signature}"

    def _sign(self, canonical_request: str, at: datetime) -> str:
        digest = sha256(canonical_request.encode()).hexdigest()
        text = "\n".join([ALGORITHM, _instant(at), self._scope(at), digest])
        key = f"AWS4{self.credentials.secret}".encode()
        for part in self._scope(at).split("/"):
            key = hmac.digest(key, part.encode(), sha256)
        return hmac.new(key, text.encode(), sha256).hexdigest()

    def _scope(self, at: datetime) -> str:
        return f"{_instant(at)[:8]}/{self.region}/s3/aws4_request"


def canonical_path(*segments: str) -> str:
    """An absolute path with every segment percent-encoded as S3 expects it; `/` inside a segment stays."""
    return "/" + "/".join(quote(segment, safe="/-_.~") for segment in segments)


def _canonical_headers(headers: Mapping[str, str]) -> tuple[str, str]:
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    return ";".join(name for name, _ in lines), "".join(f"{name}:{value}\n" for name, value in lines)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
