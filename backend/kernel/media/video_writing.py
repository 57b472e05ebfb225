"""Writing a video: frames as they were decoded become H.264 and AAC, turned upright, made smaller, thinned out."""

from fractions import Fraction

import PIL.Image
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from backend.kernel.media.formats import FRAMES_PER_S, LONGEST_VIDEO_SIDE

ENCODING = {"preset": "veryfast", "crf": "26"}
UNITS_PER_S = 90_000
SOUND_HZ, SOUND_BITS_PER_S = 44_100, 64_000
# What turns a frame upright, by the degrees that it must be turned against the clock.
TURNS = {
    90: (("transpose", "cclock"),),
    -90: (("transpose", "clock"),),
    180: (("hflip", None), ("vflip", None)),
    -180: (("hflip", None), ("vflip", None)),
}


class Writer:
    """The video that is kept, frame by frame. `poster`: its first frame; `length_s`: up to the end of its last."""

    def __init__(self, output: OutputContainer, source: VideoStream, turn: int, *, with_sound: bool) -> None:
        self.poster: PIL.Image.Image | None = None
        self.length_s = 0.0
        self._output = output
        width, height = _size(source.width, source.height, turned=abs(turn) == 90)
        self._graph = _graph(source, turn, width, height)
        self._shown: VideoStream = output.add_stream("libx264", rate=FRAMES_PER_S, options=ENCODING)
        self._shown.width, self._shown.height, self._shown.pix_fmt = width, height, "yuv420p"
        self._shown.codec_context.time_base = Fraction(1, UNITS_PER_S)
        self._shown.codec_context.thread_count = 1
        self._sound: AudioStream | None = None
        if with_sound:
            self._sound = output.add_stream("aac", rate=SOUND_HZ, layout="stereo")
            self._sound.bit_rate = SOUND_BITS_PER_S

    def take(self, frame: VideoFrame | AudioFrame) -> None:
        """Write a frame that has a time; a picture that comes too soon after the last one is left out."""
        if isinstance(frame, VideoFrame):
            self._show(frame, float(frame.time or 0))
        elif self._sound is not None:
            self._output.mux(self._sound.encode(frame))

    def finish(self) -> None:
        """Write what the encoders still hold."""
        for stream in (self._shown, self._sound):
            if stream is not None:
                self._output.mux(stream.encode(None))

    def _show(self, frame: VideoFrame, at_s: float) -> None:
        if self.poster is not None and at_s < self.length_s - 0.1 / FRAMES_PER_S:
            return
        self._graph.vpush(frame)
        made = self._graph.vpull()
        made.pts, made.time_base = round(at_s * UNITS_PER_S), Fraction(1, UNITS_PER_S)
        made.pict_type = PictureType.NONE
        if self.poster is None:
            self.poster = made.to_image()  # type: ignore[no-untyped-call]
        self.length_s = at_s + 1 / FRAMES_PER_S
        self._output.mux(self._shown.encode(made))


def _graph(source: VideoStream, turn: int, width: int, height: int) -> Graph:
    graph = Graph()
    graph.threads = 1
    steps = (*TURNS.get(turn, ()), ("scale", f"{width}:{height}"), ("setsar", "1"), ("format", "yuv420p"))
    nodes = [graph.add_buffer(template=source), *(graph.add(*step) for step in steps), graph.add("buffersink")]
    graph.link_nodes(*nodes).configure()
    return graph


def _size(width: int, height: int, *, turned: bool) -> tuple[int, int]:
    """Even sides of at most LONGEST_VIDEO_SIDE in the same proportion."""
    if turned:
        width, height = height, width
    scale = min(1.0, LONGEST_VIDEO_SIDE / max(width, height))
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)
