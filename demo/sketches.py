"""What residents send from their phones: a photo with the place where it was taken, and a signature."""

import base64
import io

import PIL.Image
import PIL.ImageDraw

SHOT = (640, 480)
GPS = 0x8825
NORTH = {1: "N", 2: (31.0, 13.0, 49.0), 3: "E", 4: (121.0, 28.0, 25.0)}


def photo() -> bytes:
    """A photo of a wet floor, as a phone takes it: with its position."""
    image = PIL.Image.new("RGB", SHOT, (196, 178, 150))
    PIL.ImageDraw.Draw(image).ellipse((180, 200, 460, 400), fill=(120, 150, 180))
    exif = PIL.Image.Exif()
    exif.get_ifd(GPS).update(NORTH)
    return _written(image, "JPEG", exif=exif)


def position(picture: bytes) -> dict[int, object]:
    """What a picture says of where it was taken."""
    with PIL.Image.open(io.BytesIO(picture)) as opened:
        return dict(opened.getexif().get_ifd(GPS))


def signature() -> str:
    """A few strokes on the screen: a PNG in base64."""
    image = PIL.Image.new("RGBA", (320, 160), (0, 0, 0, 0))
    PIL.ImageDraw.Draw(image).line((20, 120, 90, 40, 140, 130, 210, 50, 290, 110), fill=(10, 10, 40, 255), width=5)
    return base64.b64encode(_written(image, "PNG")).decode()


def _written(image: PIL.Image.Image, kind: str, **more: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()
