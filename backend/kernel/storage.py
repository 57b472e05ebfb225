"""Files by key: imports, exports, pictures, papers. A local directory, or an S3-compatible store by setting.

A key is a relative path of plain names, such as `imports/0190f3…/roster.xlsx`; it can name nothing outside the store.
The type of a file follows from the end of its key, the same for both stores, so that nothing is ever served as
something else, and says whether it is shown or saved. A file is there whole or not at all. Whoever holds the address
that `url` gives may read the file until it ends.
"""

import asyncio
import contextlib
import hmac
import os
import re
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from backend.kernel.clock import Clock
from backend.kernel.config import ConfigError, Settings
from backend.kernel.crypto import equal, master_keys
from backend.kernel.egress import Answer, Egress, origin_of
from backend.kernel.errors import NotFound, Unavailable
from backend.kernel.sigv4 import Credentials, Signer, canonical_path

FILES_PATH = "/files"
MAX_FILE_BYTES = 64 * 1024 * 1024
TRANSFER_S = 60.0
_KEY = re.compile(r"(?=.{1,200}\Z)[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*\.[a-z0-9]+")
_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".mp4": "video/mp4",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
}
# What a browser shows by itself without running anything; all else is saved.
_SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "video/mp4"})


class Storage(Protocol):
    """Where files are kept. ValueError for a key that is none, NotFound for a file that is not there."""

    async def put(self, key: str, body: bytes) -> None:
        """Keep `body` under `key`, in place of what was there; durable when this returns."""
        ...

    async def get(self, key: str) -> bytes:
        """The file under `key`."""
        ...

    async def delete(self, key: str) -> None:
        """Forget the file under `key`; no error where there is none."""
        ...

    def url(self, key: str, ttl_s: int) -> str:
        """An address at which anyone may read the file for `ttl_s` seconds."""
        ...


def content_type(key: str) -> str:
    """The media type of the file under `key`, by its ending; ValueError for a key that is none."""
    kind = _TYPES.get(Path(key).suffix)
    if kind is None or not _KEY.fullmatch(key):
        raise ValueError(f"not a key of a file: {key!r}")
    return kind


def saved(kind: str) -> bool:
    """Whether a browser is told to save a file of this media type, and not to show it."""
    return kind not in _SHOWN


def open_storage(settings: Settings, egress: Egress, clock: Clock) -> Storage:
    """The store that `settings` name."""
    if settings.storage_url is None:
        secret = master_keys(settings).derive("files")
        return LocalStorage(settings.data_dir / "files", clock, base_url=settings.public_url, secret=secret)
    bucket, endpoint, region = _s3_place(settings.storage_url)
    if settings.storage_key is None or settings.storage_secret is None:
        raise ConfigError("storage_url：请同时设置 LINLI_STORAGE_KEY 和 LINLI_STORAGE_SECRET。")
    credentials = Credentials(settings.storage_key.get_secret_value(), settings.storage_secret.get_secret_value())
    return S3Storage(egress, clock, endpoint=endpoint, bucket=bucket, signer=Signer(credentials, region))


def storage_origin(settings: Settings) -> str | None:
    """The origin that the egress must allow for `settings.storage_url`; None for local files."""
    return origin_of(_s3_place(settings.storage_url)[1]) if settings.storage_url else None


class LocalStorage:
    """Files in a directory of this machine, served by ourselves under `/files/` to whoever holds a signed address."""

    def __init__(self, root: Path, clock: Clock, *, base_url: str, secret: bytes) -> None:
        self._root, self._clock = root, clock
        self._base_url, self._secret = base_url.rstrip("/"), secret

    async def put(self, key: str, body: bytes) -> None:
        await asyncio.to_thread(_write, self._path(key), body)

    async def get(self, key: str) -> bytes:
        try:
            return await asyncio.to_thread(self._path(key).read_bytes)
        except FileNotFoundError as error:
            raise NotFound from error

    async def delete(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            await asyncio.to_thread(self._path(key).unlink)

    def url(self, key: str, ttl_s: int) -> str:
        content_type(key)
        until = str(int(self._clock.now().timestamp()) + ttl_s)
        return f"{self._base_url}{FILES_PATH}/{key}?until={until}&sign={self._sign(key, until)}"

    def permits(self, key: str, *, until: str, sign: str) -> bool:
        """Whether an address that `url` made still allows reading `key`."""
        if not equal(sign, self._sign(key, until)):
            return False
        return self._clock.now().timestamp() < int(until)

    def _sign(self, key: str, until: str) -> str:
        return hmac.new(self._secret, f"{key}\0{until}".encode(), sha256).hexdigest()

    def _path(self, key: str) -> Path:
        content_type(key)
        return self._root / key


class S3Storage:
    """Files in a bucket, addressed as `<endpoint>/<bucket>/<key>`."""

    def __init__(self, egress: Egress, clock: Clock, *, endpoint: str, bucket: str, signer: Signer) -> None:
        self._egress, self._clock = egress, clock
        self._origin = origin_of(endpoint)
        self._host = urlsplit(self._origin).netloc
        self._bucket, self._signer = bucket, signer

    async def put(self, key: str, body: bytes) -> None:
        headers = {"content-type": content_type(key)}
        if saved(headers["content-type"]):
            headers["content-disposition"] = "attachment"
        self._expect(await self._call("PUT", key, body, headers), 200)

    async def get(self, key: str) -> bytes:
        answer = await self._call("GET", key)
        if answer.status == 404:
            raise NotFound
        return self._expect(answer, 200).body

    async def delete(self, key: str) -> None:
        answer = await self._call("DELETE", key)
        if answer.status != 404:
            self._expect(answer, 204)

    def url(self, key: str, ttl_s: int) -> str:
        path = self._path(key)
        return f"{self._origin}{path}?{self._signer.query('GET', self._host, path, ttl_s=ttl_s, at=self._clock.now())}"

    async def _call(self, method: str, key: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        path = self._path(key)
        signed = self._signer.headers(method, self._host, path, headers=headers or {}, body=body, at=self._clock.now())
        return await self._egress.request(
            method,
            self._origin + path,
            headers=signed,
            body=body or None,
            total_s=TRANSFER_S,
            max_bytes=MAX_FILE_BYTES,
        )

    def _expect(self, answer: Answer, status: int) -> Answer:
        if answer.status != status:
            raise Unavailable("文件服务暂时不可用，请稍后再试。", code="storage_unavailable", status=answer.status)
        return answer

    def _path(self, key: str) -> str:
        content_type(key)
        return canonical_path(self._bucket, key)


def _s3_place(url: str) -> tuple[str, str, str]:
    """Bucket, endpoint and region of `s3://bucket?endpoint=https://…&region=…`; ConfigError for anything else."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    endpoint, region = query.pop("endpoint", [""])[0], query.pop("region", ["us-east-1"])[0]
    if parts.scheme != "s3" or not parts.netloc or parts.path not in ("", "/") or query or "://" not in endpoint:
        raise ConfigError(
            "storage_url：看不懂，写法如 s3://bucket?endpoint=https://oss.example.com&region=cn-north-1。"
        )
    return parts.netloc, endpoint.rstrip("/"), region


def _write(path: Path, body: bytes) -> None:
    """Write beside, flush to the disk, rename: a crash leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with fresh.open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
