"""Files of strangers: what lies, is too large, is damaged or tells a place is refused or made harmless (D9, API4)."""

import io
import struct
import time

import av
import PIL.Image
import pytest

from backend.kernel.media import checking, confined, picture, video
from backend.kernel.media.formats import MAX_BYTES, SENTENCES, Kind, Made, Reason, Refused
from tests import factories_media as files

ALL = frozenset(Kind)


async def refused(body: bytes, accepted: frozenset[Kind] = ALL) -> Reason:
    with pytest.raises(Refused) as caught:
        await checking.written_anew(body, accepted=accepted)
    assert caught.value.message == SENTENCES[Reason(caught.value.details["reason"])]
    return Reason(caught.value.details["reason"])


def opened(body: bytes) -> PIL.Image.Image:
    image = PIL.Image.open(io.BytesIO(body))
    assert image.format == "JPEG"
    return image


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
async def test_of_a_picture_only_the_pixels_are_kept_upright_and_bounded(format: str) -> None:
    sent = files.picture(3_000, 2_000, format=format, orientation=6)
    assert files.SECRET in sent and PIL.Image.open(io.BytesIO(sent)).getexif().get_ifd(0x8825)
    made = await checking.written_anew(sent + files.archive() + files.HTML, accepted=ALL)
    assert (made.kind, made.width, made.height, made.length_ms) == (Kind.PICTURE, 1_280, 1_920, 0)
    assert made.small is not None and opened(made.small).size == (320, 480)
    for kept in (made.body, made.small):
        image = opened(kept)
        assert not image.getexif() and not image.getexif().get_ifd(0x8825) and "comment" not in image.info
        for hidden in (files.SECRET, b"Exif", b"Phone", b"PK\x03\x04", b"<script"):
            assert hidden not in kept
    red, _, blue = opened(made.body).getpixel((1_200, 80))  # type: ignore[misc]
    assert red > 180 > 100 > blue, "what was left above is right above once turned clockwise"


def test_transparency_becomes_white_and_an_animation_its_first_frame() -> None:
    out = io.BytesIO()
    PIL.Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(out, "PNG")
    assert opened(picture.rewrite(out.getvalue()).body).getpixel((4, 4)) == (255, 255, 255)
    for format in ("WEBP", "PNG"):
        made = picture.rewrite(files.moving_picture(200, format=format))
        assert len(made.body) < 2_000 and opened(made.body).getpixel((4, 4))[0] < 30  # type: ignore[index]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
async def test_ten_thousand_by_ten_thousand_pixels_are_refused_by_the_header(format: str) -> None:
    body = files.huge(format)
    assert len(body) < 100_000
    began = time.process_time()
    with pytest.raises(Refused) as caught:
        picture.rewrite(body)
    assert caught.value.details["reason"] == Reason.PIXELS
    assert time.process_time() - began < 0.5, "nothing of it was decoded"
    assert await refused(body) is Reason.PIXELS


LYING = {
    "svg with a script": (files.SVG, Reason.UNKNOWN),
    "html": (files.HTML, Reason.UNKNOWN),
    "html under the mark of a jpeg": (b"\xff\xd8\xff\xe0" + files.HTML, Reason.DAMAGED),
    "gif": (files.moving_picture(2, format="GIF"), Reason.UNKNOWN),
    "zip": (files.archive(), Reason.UNKNOWN),
    "empty": (b"", Reason.UNKNOWN),
    "truncated jpeg": (files.picture(400, 300)[:-900], Reason.DAMAGED),
    "truncated png": (files.picture(400, 300, format="PNG")[:-40], Reason.DAMAGED),
    "heic": (files.box(b"ftyp", b"heic\0\0\0\0mif1"), Reason.HEIC),
    "pdf with a zip behind it": (files.PDF + files.archive(), Reason.TWO_IN_ONE),
    "pdf with a page behind it": (files.PDF + files.HTML, Reason.TWO_IN_ONE),
    "truncated pdf": (files.PDF[:-9], Reason.DAMAGED),
    "mark of a pdf behind a page": (files.HTML + files.PDF, Reason.UNKNOWN),
    "too many bytes": (files.picture() + b"\0" * MAX_BYTES[Kind.PICTURE], Reason.TOO_LARGE),
}


@pytest.mark.parametrize("name", LYING)
async def test_a_file_is_what_its_content_says_or_refused(name: str) -> None:
    body, reason = LYING[name]
    assert await refused(body) is reason


async def test_a_pdf_is_kept_as_it_is_where_documents_are_accepted() -> None:
    made = await checking.written_anew(files.PDF, accepted=ALL)
    assert (made.kind, made.body, made.small) == (Kind.DOCUMENT, files.PDF, None)
    assert await refused(files.PDF, frozenset({Kind.PICTURE, Kind.VIDEO})) is Reason.NOT_HERE
    assert await refused(files.video(), frozenset({Kind.PICTURE})) is Reason.NOT_HERE


def streams(body: bytes) -> dict[str, str]:
    with av.open(io.BytesIO(body)) as container:
        return {stream.type: stream.codec_context.name for stream in container.streams}


@pytest.mark.parametrize(("format", "codec"), [("mp4", "libx264"), ("mov", "libx265")])
async def test_of_a_video_only_pictures_and_sound_are_kept_without_the_place(format: str, codec: str) -> None:
    sent = files.video(format=format, codec=codec)
    sent = (files.with_place(sent) if format == "mp4" else sent) + files.box(b"free", files.SECRET)
    for hidden in (files.PLACE_TEXT.encode(), files.SECRET):
        assert hidden in sent
    assert (b"\xa9xyz" if format == "mp4" else b"com.apple.quicktime.location.ISO6709") in sent
    made = await checking.written_anew(sent, accepted=ALL)
    assert (made.kind, made.width, made.height) == (Kind.VIDEO, 64, 48) and 900 <= made.length_ms <= 1_100
    for hidden in (files.PLACE_TEXT.encode(), files.SECRET, b"xyz", b"location", b"udtaloci"):
        assert hidden not in made.body
    assert streams(made.body) == {"video": "h264", "audio": "aac"}
    assert made.body.index(b"moov") < made.body.index(b"mdat"), "it plays before all of it is there"
    with av.open(io.BytesIO(made.body)) as container:
        assert set(container.metadata) <= {"major_brand", "minor_version", "compatible_brands", "encoder"}
        assert abs((container.duration or 0) / av.time_base - 1) < 0.2
    assert made.small is not None and opened(made.small).size == (64, 48)


def test_a_video_is_turned_upright_thinned_out_and_made_smaller() -> None:
    made = video.rewrite(files.turned(files.video(0.5, 1_280, 720, frames_per_s=60, sound=False)))
    assert (made.width, made.height) == (540, 960)
    with av.open(io.BytesIO(made.body)) as container:
        frames = list(container.decode(video=0))
    assert 14 <= len(frames) <= 16 and frames[0].rotation == 0
    assert made.small is not None
    red, _, blue = opened(made.small).getpixel((250, 40))  # type: ignore[misc]
    assert red > 180 > 100 > blue


HOSTILE = {
    "half of it": (files.video()[:-2_000], Reason.TRUNCATED),
    "without its index": (files.video().replace(b"moov", b"free"), Reason.TRUNCATED),
    "sound alone": (files.video(shown=False), Reason.NO_PICTURE),
    "forty seconds": (files.video(40, frames_per_s=1, sound=False), Reason.VIDEO_LENGTH),
    "forty seconds that claim to be three": (
        files.claiming(files.video(40, frames_per_s=1, sound=False), seconds=3),
        Reason.VIDEO_LENGTH,
    ),
    "4K for a minute": (files.claiming(files.video(0.2, 3_840, 2_160, sound=False), seconds=60), Reason.VIDEO_PIXELS),
    "another codec": (files.video(codec="mpeg4", sound=False), Reason.VIDEO_CODEC),
    "an index of nothing": (
        files.box(b"ftyp", b"isom\0\0\2\0isom") + files.box(b"moov", b"") + files.box(b"mdat", b""),
        Reason.NO_PICTURE,
    ),
    "a box of no size": (files.box(b"ftyp", b"isom\0\0\2\0isom") + struct.pack(">I", 3) + b"moov", Reason.DAMAGED),
    "half its frames, cut cleanly": (files.cut(video.rewrite(files.video(4)).body), Reason.TRUNCATED),
    "zeros for frames": (files.blanked(files.video(sound=False), share=1), Reason.DAMAGED),
    "zeros for half of its frames": (files.blanked(files.video(4, sound=False), share=0.5), Reason.DAMAGED),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_video_that_is_none_or_too_much_is_refused(name: str) -> None:
    body, reason = HOSTILE[name]
    assert await refused(body) is reason


async def test_what_hangs_or_eats_memory_costs_its_own_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_MODULES", {Kind.PICTURE: "tests.hostile_decoder"})
    assert await refused(files.picture() + b"memory") is Reason.DAMAGED
    assert await refused(files.picture() + b"crash") is Reason.DAMAGED
    monkeypatch.setattr(checking, "DEADLINE_S", 1.0)
    began = time.monotonic()
    assert await refused(files.picture() + b"hang") is Reason.DAMAGED
    assert time.monotonic() - began < 10


def test_half_an_answer_is_a_damaged_file() -> None:
    made = Made(Kind.PICTURE, b"12345", b"6", 1, 1, 0)
    with pytest.raises(Refused):
        confined.read(b'{"kind":"picture","bytes":5,"small_bytes":1,"width":1,"height":1,"length_ms":0}\n12345')
    assert (
        confined.read(b'{"kind":"picture","bytes":5,"small_bytes":1,"width":1,"height":1,"length_ms":0}\n123456')
        == made
    )
