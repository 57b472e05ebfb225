"""Pictures written anew: JPEG, PNG and WebP become a JPEG of bounded size, upright, of which only the pixels are kept.

So place, camera, comments, animation and whatever else hid in the file are gone. Run as
`python -m backend.kernel.media.picture` by checking.py.
"""

import io
import sys

import PIL.Image
import PIL.ImageOps

from backend.kernel.media import confined
from backend.kernel.media.formats import LONGEST_SIDE, MAX_PIXELS, SMALL_SIDE, Kind, Made, Reason, Refused

QUALITY, SMALL_QUALITY = 82, 72
# Pillow's own limit is another one, and warns before it refuses: the limit here is MAX_PIXELS, by _within.
PIL.Image.MAX_IMAGE_PIXELS = None
WHITE = (255, 255, 255)


def rewrite(body: bytes) -> Made:
    """The first picture of the file; Refused by its header where it is too large, any exception where it is damaged."""
    if body[:4] == b"RIFF":
        _within(*_webp_size(body))
    with PIL.Image.open(io.BytesIO(body), formats=("JPEG", "PNG", "WEBP")) as opened:
        _within(opened.width, opened.height)
        # A JPEG is decoded at an eighth, a quarter or half of its size where that suffices.
        opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        pixels = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
        # PNG may keep the orientation behind the pixels.
        pixels.info |= opened.info
    pixels.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    pixels = on_white(PIL.ImageOps.exif_transpose(pixels))
    return Made(Kind.PICTURE, jpeg(pixels, QUALITY), small(pixels), *pixels.size, 0)


def small(pixels: PIL.Image.Image) -> bytes:
    """A JPEG for lists."""
    shrunk = pixels.copy()
    shrunk.thumbnail((SMALL_SIDE, SMALL_SIDE))
    return jpeg(shrunk, SMALL_QUALITY)


def jpeg(pixels: PIL.Image.Image, quality: int) -> bytes:
    """The pixels and nothing else as a JPEG."""
    # Pillow would write comments and profiles again.
    pixels.info.clear()
    out = io.BytesIO()
    pixels.save(out, "JPEG", quality=quality)
    return out.getvalue()


def on_white(pixels: PIL.Image.Image) -> PIL.Image.Image:
    """The picture without transparency."""
    if pixels.mode != "RGBA":
        return pixels
    sheet = PIL.Image.new("RGB", pixels.size, WHITE)
    sheet.paste(pixels, mask=pixels)
    return sheet


def _within(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Refused(Reason.PIXELS)


def _webp_size(body: bytes) -> tuple[int, int]:
    """Width and height of a WebP's canvas: Pillow makes room for all of it before it tells them (RFC 9649)."""
    form = body[12:16]
    if form == b"VP8X":
        return int.from_bytes(body[24:27], "little") + 1, int.from_bytes(body[27:30], "little") + 1
    if form == b"VP8L":
        bits = int.from_bytes(body[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(body[26:28], "little") & 0x3FFF, int.from_bytes(body[28:30], "little") & 0x3FFF


if __name__ == "__main__":
    sys.exit(confined.serve(rewrite))
