"""Stands in for a decoder that a hostile file has taken over: hangs, crashes or eats memory, as the file ends."""

import os
import signal
import sys
import time

from backend.kernel.media import confined
from backend.kernel.media.formats import Kind, Made


def rewrite(body: bytes) -> Made:
    """Never a picture."""
    if body.endswith(b"hang"):
        time.sleep(20)
    if body.endswith(b"crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return Made(Kind.PICTURE, bytes(confined.MEMORY_BYTES)[:1], None, 1, 1, 0)


if __name__ == "__main__":
    sys.exit(confined.serve(rewrite))
