"""A form with one file (multipart/form-data, RFC 7578), as wx.uploadFile and a browser's form send it.

The body is here already and bounded by the route; further fields are passed over. A name of the file is not read: what
a file is, its content says.
"""

import re

from sanic.headers import parse_content_header

from backend.kernel.errors import BadRequest

MAX_PARTS, LONGEST_BOUNDARY, LONGEST_HEADERS = 16, 70, 4_096
# What a form takes beside its file.
OVERHEAD_BYTES = 64 * 1024
_FILE = re.compile(rb"^content-disposition\s*:\s*form-data\s*;(?:[^\r\n]*;)?\s*filename\*?=", re.I | re.M)


def the_file(content_type: str, body: bytes) -> bytes:
    """The content of the only file of a form; BadRequest `no_file` where the body is no form with exactly one."""
    kind, options = parse_content_header(content_type)
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not isinstance(boundary, str) or not 0 < len(boundary) <= LONGEST_BOUNDARY:
        raise _no_file()
    mark = b"--" + boundary.encode()
    start = body.find(mark, 0, len(mark) + 2)
    if start < 0 or body[:start].strip():
        raise _no_file()
    return _only_file(body, start + len(mark), b"\r\n" + mark)


def _only_file(body: bytes, position: int, delimiter: bytes) -> bytes:
    """The file among the parts from `position` on, by its two ends: of what may be large nothing else is copied."""
    files = []
    for _ in range(MAX_PARTS):
        if body.startswith(b"--", position):
            break
        end = body.find(delimiter, position)
        content = body.find(b"\r\n\r\n", position, position + LONGEST_HEADERS)
        if end < 0 or not 0 <= content < end:
            raise _no_file()
        if _FILE.search(body, position, content):
            files.append((content + 4, end))
        position = end + len(delimiter)
    else:
        raise _no_file()
    if len(files) != 1 or files[0][0] >= files[0][1]:
        raise _no_file()
    return body[slice(*files[0])]


def _no_file() -> BadRequest:
    return BadRequest("没有收到文件。请用表单（multipart/form-data）上传，一次一个文件。", code="no_file")
