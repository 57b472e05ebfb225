"""Builders of pictures, videos and documents, good and hostile; nothing binary is kept in the repository."""

import functools
import io
import struct
import zipfile
import zlib
from fractions import Fraction
from uuid import UUID

import av
import PIL.Image

from backend.kernel.audit import Actor
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources

PLACE = (31.2304, 121.4737)
PLACE_TEXT = "+31.2304+121.4737/"
SECRET = b"GPS 31.2304,121.4737"


def pixels(width: int = 96, height: int = 64) -> PIL.Image.Image:
    """A picture whose left upper corner is red."""
    image = PIL.Image.new("RGB", (width, height), (20, 90, 160))
    image.paste((230, 20, 20), (0, 0, width // 3, height // 3))
    return image


def picture(
    width: int = 96, height: int = 64, *, format: str = "JPEG", orientation: int = 1, mode: str = "RGB"
) -> bytes:
    """A picture with the place where it was taken, a comment and an orientation."""
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x010E] = orientation, "Phone", SECRET.decode()
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (31.0, 13.0, 49.0), "E", (121.0, 28.0, 25.0)
    out = io.BytesIO()
    extra = {"comment": SECRET} if format == "JPEG" else {}
    pixels(width, height).convert(mode).save(out, format, exif=exif, **extra)
    return out.getvalue()


def moving_picture(frames: int, *, format: str) -> bytes:
    """An animation."""
    all_frames = [PIL.Image.new("RGB", (64, 64), (i % 256, 0, 0)) for i in range(frames)]
    out = io.BytesIO()
    all_frames[0].save(out, format, save_all=True, append_images=all_frames[1:])
    return out.getvalue()


def huge(format: str, side: int = 10_000) -> bytes:
    """A small file whose header says `side` x `side` pixels."""
    if format == "PNG":
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        rows = zlib.compress(b"\0" * (3 * side + 1) * 100, 9)
        return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
    if format == "JPEG":
        body = bytearray(picture())
        place = body.index(b"\xff\xc0") + 5
        body[place : place + 4] = struct.pack(">HH", side, side)
        return bytes(body)
    extended = b"VP8X" + struct.pack("<I", 10) + b"\0" * 4 + (side - 1).to_bytes(3, "little") * 2
    return b"RIFF" + struct.pack("<I", 4 + len(extended)) + b"WEBP" + extended


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@functools.cache
def video(
    seconds: float = 1.0, width: int = 64, height: int = 48, *, frames_per_s: int = 10, codec: str = "libx264",
    sound: bool = True, shown: bool = True, format: str = "mp4",
) -> bytes:  # fmt: skip
    """A video with the place where it was taken, as phones write it; its left upper corner is red."""
    out = io.BytesIO()
    flags = "use_metadata_tags" if format == "mov" else ""
    with av.open(out, "w", format=format, options={"movflags": flags} if flags else {}) as container:
        container.metadata["location"] = PLACE_TEXT
        container.metadata["com.apple.quicktime.location.ISO6709"] = PLACE_TEXT
        container.metadata["title"] = SECRET.decode()
        picture_stream = container.add_stream(codec, rate=frames_per_s) if shown else None
        sound_stream = container.add_stream("aac", rate=44_100, layout="mono") if sound else None
        if picture_stream is not None:
            picture_stream.width, picture_stream.height, picture_stream.pix_fmt = width, height, "yuv420p"
            for number in range(int(seconds * frames_per_s)):
                frame = av.VideoFrame.from_image(pixels(width, height))
                frame.pts, frame.time_base = number, Fraction(1, frames_per_s)
                container.mux(picture_stream.encode(frame))
            container.mux(picture_stream.encode(None))
        if sound_stream is not None:
            for start in range(0, int(seconds * 44_100), 1_024):
                heard = av.AudioFrame(format="fltp", layout="mono", samples=1_024)
                heard.sample_rate, heard.pts, heard.time_base = 44_100, start, Fraction(1, 44_100)
                heard.planes[0].update(bytes(heard.planes[0].buffer_size))
                container.mux(sound_stream.encode(heard))
            container.mux(sound_stream.encode(None))
    return out.getvalue()


def box(name: bytes, content: bytes) -> bytes:
    """A box of ISO/IEC 14496-12."""
    return struct.pack(">I", 8 + len(content)) + name + content


def cut(body: bytes) -> bytes:
    """A video whose index comes first, without its second half, cut between two frames, with sizes that agree."""
    with av.open(io.BytesIO(body)) as container:
        ends = [packet.pos + packet.size for packet in container.demux() if packet.pos is not None and packet.size]
    start, end = body.index(b"mdat") - 4, ends[len(ends) // 2]
    return body[:start] + struct.pack(">I", end - start) + body[start + 4 : end]


def with_place(body: bytes) -> bytes:
    """The video with the place as Android writes it (©xyz), in the index that is its last box."""
    place = box(b"udta", box(b"\xa9xyz", struct.pack(">HH", len(PLACE_TEXT), 0x15C7) + PLACE_TEXT.encode()))
    start = body.rindex(b"moov") - 4
    (size,) = struct.unpack_from(">I", body, start)
    assert start + size == len(body)
    return body[:start] + struct.pack(">I", size + len(place)) + body[start + 4 :] + place


def blanked(body: bytes, *, share: float) -> bytes:
    """The video with zeros in place of the last `share` of its frames' bytes."""
    start = body.index(b"mdat") + 4
    (size,) = struct.unpack_from(">I", body, start - 8)
    end = start - 8 + size
    kept = start + int((end - start) * (1 - share))
    return body[:kept] + bytes(end - kept) + body[end:]


def turned(body: bytes) -> bytes:
    """The video with a matrix that says it must be turned a quarter clockwise, as phones held upright write it."""
    straight = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    place = body.index(straight, body.index(b"tkhd"))
    return body[:place] + quarter + body[place + len(straight) :]


def claiming(body: bytes, *, seconds: int) -> bytes:
    """The video with headers that name another length."""
    changed = bytearray(body)
    for name, scale, length in ((b"mvhd", 16, 20), (b"tkhd", None, 24), (b"mdhd", 16, 20)):
        start = 0
        while (start := changed.find(name, start)) >= 0:
            units = 1_000 if scale is None else struct.unpack_from(">I", changed, start + scale)[0]
            struct.pack_into(">I", changed, start + length, units * seconds)
            start += 4
    return bytes(changed)


def archive() -> bytes:
    """A zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("run.js", "alert(1)")
    return out.getvalue()


PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\nstartxref\n9\n%%EOF\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


async def uploaded(res: Resources, uploader: Actor, community_id: UUID, *, kind: str = "picture") -> UUID:
    """A file that `uploader` has uploaded and not bound: the row alone, for nouns that bind."""
    media_id, now = uuid7(res.clock.now()), res.clock.now()
    await res.db.execute(
        """INSERT INTO media (id, community_id, kind, state, uploader_kind, uploader_id, created_at, sha256, size_bytes,
                              width, height, length_ms, stored_at)
           VALUES ($1, $2, $3, 'UPLOADED', $4, $5, $6, $7, 1, 96, 64, 0, $6)""",
        media_id, community_id, kind, uploader.kind, uploader.id, now, bytes(32),
    )  # fmt: skip
    return media_id


def form(content: bytes, *, name: str = "IMG_0001.JPG", boundary: str = "----wx7MA4") -> tuple[bytes, dict[str, str]]:
    """The body and the headers of an upload as wx.uploadFile sends it."""
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: image/jpeg'
    field = 'Content-Disposition: form-data; name="note"\r\n\r\n厨房漏水'
    body = b"\r\n".join([
        f"--{boundary}".encode(), field.encode(), f"--{boundary}".encode(), head.encode(), b"", content,
        f"--{boundary}--".encode(), b"",
    ])  # fmt: skip
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
