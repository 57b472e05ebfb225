"""What an answer says of a picture, video or document."""

from uuid import UUID

from backend.kernel.http import Strict, example
from backend.kernel.media.formats import Kind


class MediaView(Strict):
    """A file. Whoever has `url` or `small_url` (a JPEG for lists; a document has none) can read it for `ttl_s` seconds.

    Width and height are in pixels, of a document 0; `length_ms` is of a video, else 0.
    """

    model_config = example(
        id="01991b2a-7c00-7000-8000-000000000001", kind="picture", size_bytes=183_204, width=1440, height=1920,
        length_ms=0, url="https://example.com/files/media/2026-09/x.jpg?until=1&sign=2",
        small_url="https://example.com/files/media/2026-09/x-small.jpg?until=1&sign=2", ttl_s=600,
    )  # fmt: skip
    id: UUID
    kind: Kind
    size_bytes: int
    width: int
    height: int
    length_ms: int
    url: str
    small_url: str | None
    ttl_s: int


class Begun(Strict):
    """The upload that an Idempotency-Key stands for."""

    media_id: UUID
