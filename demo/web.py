"""HTTP for the player: JSON in and out, with the standard library alone."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

TIMEOUT_S = 20.0


def json_bytes(body: Any) -> bytes:
    """A body as it goes over the wire."""
    return json.dumps(body).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body; `json` of an empty body is None. `cookie`: the one that was set, as it is sent back."""

    status: int
    body: bytes
    cookie: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    @property
    def code(self) -> str:
        """The code of a refusal, the empty text for anything else."""
        told = self.json if self.status >= 400 else None
        return str(told["error"]["code"]) if isinstance(told, dict) and "error" in told else ""


class Unexpected(Exception):
    """An answer of another status than the story needs, or a figure that is off."""


@dataclass(frozen=True, slots=True)
class Web:
    """One address and, once logged in, the bearer token of one person."""

    url: str
    token: str | None = None

    def of(self, token: str) -> "Web":
        """The same address for whoever holds `token`."""
        return replace(self, token=token)

    def ask(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, key: str = "", signed: str = "",
        cookie: str = "", kind: str = "",
    ) -> Answer:  # fmt: skip
        """One call, whatever it answers; POSTs carry an Idempotency-Key, a device's calls their signature.

        `kind`: the media type of what is sent `raw`.
        """
        headers = {"Content-Type": "application/json" if raw is None else kind or "application/octet-stream"}
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid4().hex
        if self.token or signed:
            headers["Authorization"] = signed or f"Bearer {self.token}"
        if cookie:
            headers["Cookie"] = cookie
        data = raw if body is None else json_bytes(body)
        request = urllib.request.Request(f"{self.url}{quote(path, safe='/?=&%-_.:')}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return Answer(answer.status, answer.read(), answer.headers.get("Set-Cookie", "").split(";")[0])
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, refused.read())

    def get(self, path: str) -> Any:
        """The JSON of a GET that must succeed."""
        return self._good("GET", path, None, "")

    def post(self, path: str, body: Any = None, *, key: str = "") -> Any:
        """The JSON of a POST that must succeed."""
        return self._good("POST", path, body, key)

    def put(self, path: str, body: Any) -> Any:
        """The JSON of a PUT that must succeed."""
        return self._good("PUT", path, body, "")

    def upload(self, path: str, name: str, content: bytes) -> Any:
        """The JSON of an upload that must succeed: one file in a form, as wx.uploadFile sends it."""
        mark = uuid4().hex
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        form = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
        return self._read("POST", path, self.ask("POST", path, raw=form, kind=f"multipart/form-data; boundary={mark}"))

    def _good(self, method: str, path: str, body: Any, key: str) -> Any:
        return self._read(method, path, self.ask(method, path, body, key=key))

    @staticmethod
    def _read(method: str, path: str, answer: Answer) -> Any:
        if answer.status >= 300:
            said = answer.body.decode(errors="replace")[:500]
            raise Unexpected(f"{method} {path} 应当成功，却得到 {answer.status}：{said}")
        return answer.json
