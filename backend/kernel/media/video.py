"""Short videos written anew: MP4 and MOV with H.264 or HEVC become an MP4 of H.264 and AAC, upright, of bounded size.

Every frame is decoded and encoded again (decision 0024): place, camera and titles in the container, hidden messages in
the streams, further tracks and whatever follows the last frame are gone. The container is read as what it says it is
and by no other reader; it can name no other file. Run as `python -m backend.kernel.media.video` by checking.py.
"""

import io
import os
import sys
from collections.abc import Iterator

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from backend.kernel.media import confined, picture
from backend.kernel.media.formats import MAX_VIDEO_PIXELS, MAX_VIDEO_S, Kind, Made, Reason, Refused
from backend.kernel.media.video_writing import Writer

PICTURE_CODECS = frozenset({"h264", "hevc"})
SOUND_CODECS = frozenset({"aac"})
READING = {"codec_whitelist": ",".join(sorted(PICTURE_CODECS | SOUND_CODECS))}
# A recording goes on for a moment; the last frame may be shorter than its header says.
SLACK_S, MISSING_S = 1.0, 1.0


def rewrite(body: bytes) -> Made:
    """The video of the file; Refused with what is wrong with it, any exception where it is damaged."""
    whole(body)
    with av.open(io.BytesIO(body), "r", format="mov", options=READING, metadata_errors="ignore") as source:
        shown, sound, expected_s = _streams(source)
        first = next(source.decode(shown), None)
        if first is None:
            raise Refused(Reason.NO_PICTURE)
        source.seek(0)
        target = os.memfd_create("video")
        # By this name FFmpeg can open it twice, which it does to put the index first.
        with av.open(f"/proc/self/fd/{target}", "w", format="mp4", options={"movflags": "faststart"}) as output:
            writer = Writer(output, shown, first.rotation, with_sound=sound is not None)
            for frame in _frames(source, shown, sound):
                writer.take(frame)
            writer.finish()
    if writer.poster is None:
        raise Refused(Reason.NO_PICTURE)
    if expected_s - writer.length_s > max(MISSING_S, expected_s / 10):
        raise Refused(Reason.TRUNCATED)
    with os.fdopen(target, "rb") as file:
        file.seek(0)
        kept = file.read()
    width, height = writer.poster.size
    return Made(Kind.VIDEO, kept, picture.small(writer.poster), width, height, round(writer.length_s * 1000))


def whole(body: bytes) -> None:
    """Refused `truncated` unless the boxes of the outermost level fill the file to its last byte (ISO/IEC 14496-12)."""
    position, names = 0, set()
    while position < len(body):
        size, least = int.from_bytes(body[position : position + 4], "big"), 8
        names.add(body[position + 4 : position + 8])
        if size == 1:
            size, least = int.from_bytes(body[position + 8 : position + 16], "big"), 16
        if size == 0:
            size = max(len(body) - position, least)
        if size < least:
            raise Refused(Reason.DAMAGED)
        position += size
    if position != len(body) or not {b"moov", b"mdat"} <= names:
        raise Refused(Reason.TRUNCATED)


def _streams(source: InputContainer) -> tuple[VideoStream, AudioStream | None, float]:
    """The pictures, the sound where there is one that we read, and the length; Refused by what the header says."""
    if not source.streams.video:
        raise Refused(Reason.NO_PICTURE)
    shown = source.streams.video[0]
    if shown.codec_context is None or shown.codec_context.name not in PICTURE_CODECS:
        raise Refused(Reason.VIDEO_CODEC)
    if not 0 < shown.width * shown.height <= MAX_VIDEO_PIXELS:
        raise Refused(Reason.VIDEO_PIXELS)
    all_s = (source.duration or 0) / av.time_base
    shown_s = float((shown.duration or 0) * (shown.time_base or 0))
    if max(all_s, shown_s) > MAX_VIDEO_S + SLACK_S:
        raise Refused(Reason.VIDEO_LENGTH)
    shown.codec_context.thread_count = 1
    heard = [each for each in source.streams.audio if each.codec_context and each.codec_context.name in SOUND_CODECS]
    return shown, heard[0] if heard else None, min(all_s, shown_s)


def _frames(source: InputContainer, shown: VideoStream, sound: AudioStream | None) -> Iterator[VideoFrame | AudioFrame]:
    """Both streams as they come; Refused where they go on for longer than the header admitted."""
    for frame in source.decode(*([shown] if sound is None else [shown, sound])):
        if not isinstance(frame, VideoFrame | AudioFrame) or frame.time is None or frame.time < 0:
            continue
        if frame.time > MAX_VIDEO_S + SLACK_S:
            raise Refused(Reason.VIDEO_LENGTH)
        yield frame


if __name__ == "__main__":
    sys.exit(confined.serve(rewrite))
