"""What a file that somebody sends may be: known by its first bytes, never by its name; limits; why it is refused.

Source of the marks: the formats' own specifications (JPEG ITU-T T.81, PNG, RIFF/WebP, ISO/IEC 14496-12, PDF 32000).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from backend.kernel.errors import Invalid

MIB = 1 << 20


class Kind(StrEnum):
    """Picture (照片), short video (短视频), document (文件, PDF)."""

    PICTURE = "picture"
    VIDEO = "video"
    DOCUMENT = "document"


MAX_BYTES: Mapping[Kind, int] = {Kind.PICTURE: 20 * MIB, Kind.VIDEO: 30 * MIB, Kind.DOCUMENT: 20 * MIB}
ENDING: Mapping[Kind, str] = {Kind.PICTURE: ".jpg", Kind.VIDEO: ".mp4", Kind.DOCUMENT: ".pdf"}

# A picture is told from its header before anything of it is decoded; phones make 12 to 50 million pixels.
MAX_PIXELS = 50_000_000
# As large as 2560 × 1440. More costs twice its length to decode, and phones offer to compress.
MAX_VIDEO_PIXELS = 3_700_000
MAX_VIDEO_S = 30
# Of what is kept.
LONGEST_SIDE = 1_920
LONGEST_VIDEO_SIDE = 960
SMALL_SIDE = 480
FRAMES_PER_S = 30


class Reason(StrEnum):
    """Why a file is refused."""

    UNKNOWN = "unknown_type"
    HEIC = "heic"
    NOT_HERE = "not_accepted_here"
    TOO_LARGE = "too_large"
    PIXELS = "too_many_pixels"
    VIDEO_PIXELS = "video_too_many_pixels"
    VIDEO_LENGTH = "video_too_long"
    VIDEO_CODEC = "video_codec"
    NO_PICTURE = "video_without_picture"
    TRUNCATED = "truncated"
    TWO_IN_ONE = "two_files_in_one"
    DAMAGED = "damaged"


SENTENCES: Mapping[Reason, str] = {
    Reason.UNKNOWN: "无法识别这个文件。照片请用 JPG、PNG 或 WebP，视频请用 MP4 或 MOV，文件请用 PDF。",
    Reason.HEIC: "暂不支持 HEIC 格式的照片，请在手机相机设置里选择“兼容性最佳”，或转成 JPG 后再上传。",
    Reason.NOT_HERE: "这里不能上传这种文件。",
    Reason.TOO_LARGE: "文件太大：照片和 PDF 最大 20 MB，视频最大 30 MB。",
    Reason.PIXELS: "照片的尺寸太大，最多 5000 万像素，请缩小后再上传。",
    Reason.VIDEO_PIXELS: "视频的分辨率太高，请在选择视频时勾选压缩，或降到 1080P 后再上传。",
    Reason.VIDEO_LENGTH: f"视频太长，最长 {MAX_VIDEO_S} 秒，请剪短后再上传。",
    Reason.VIDEO_CODEC: "无法播放这种编码的视频，请用手机相机录制，或转成 H.264 编码的 MP4 后再上传。",
    Reason.NO_PICTURE: "这个视频里没有画面，请重新选择。",
    Reason.TRUNCATED: "视频不完整，可能没有传完，请重新选择后再上传。",
    Reason.TWO_IN_ONE: "这个 PDF 里夹带了别的文件，请重新导出后再上传。",
    Reason.DAMAGED: "文件已损坏，无法打开，请换一个再上传。",
}


class Refused(Invalid):
    """A file that is not taken; `details["reason"]` is a `Reason`."""

    code = "file_refused"

    def __init__(self, reason: Reason) -> None:
        super().__init__(SENTENCES[reason], reason=reason.value)


@dataclass(frozen=True, slots=True)
class Made:
    """A file written anew: what is kept of what came. `small` is a JPEG to show in lists; documents have none.

    Width and height are in pixels, of a document 0; the length is of a video.
    """

    kind: Kind
    body: bytes
    small: bytes | None
    width: int
    height: int
    length_ms: int


_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis"})


def kind_of(body: bytes, *, accepted: frozenset[Kind]) -> Kind:
    """The kind of a file by its content; Refused where it is none of `accepted`, or has too many bytes for it."""
    kind = _kind(body)
    if kind not in accepted:
        raise Refused(Reason.NOT_HERE)
    if len(body) > MAX_BYTES[kind]:
        raise Refused(Reason.TOO_LARGE)
    return kind


def _kind(body: bytes) -> Kind:
    if body.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (body[:4] == b"RIFF" and body[8:12] == b"WEBP"):
        return Kind.PICTURE
    if body.startswith(b"%PDF-"):
        return Kind.DOCUMENT
    if body[4:8] != b"ftyp":
        raise Refused(Reason.UNKNOWN)
    if body[8:12] in _HEIC:
        raise Refused(Reason.HEIC)
    return Kind.VIDEO
