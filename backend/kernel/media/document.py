"""Documents: a PDF is kept as it came, so it is never shown by a browser from our address, only saved (storage.py)."""

import io
import zipfile

from backend.kernel.media.formats import Kind, Made, Reason, Refused

TAIL_BYTES = 1_024


def checked(body: bytes) -> Made:
    """A whole PDF that is not an archive or a page at the same time; Refused."""
    _, mark, rest = body[-TAIL_BYTES:].rpartition(b"%%EOF")
    if not mark:
        raise Refused(Reason.DAMAGED)
    if rest.strip(b"\r\n\t \0") or zipfile.is_zipfile(io.BytesIO(body)):
        raise Refused(Reason.TWO_IN_ONE)
    return Made(Kind.DOCUMENT, body, None, 0, 0, 0)
