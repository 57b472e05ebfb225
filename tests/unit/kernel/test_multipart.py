"""A form with one file is read as it is sent; anything else is told so and never guessed at."""

import pytest

from backend.kernel import multipart
from backend.kernel.errors import BadRequest
from tests.factories_media import form

CONTENT = b"\x89PNG\r\n--\r\n\r\n\0--almost--\r\n"


def test_the_file_of_a_form_is_read_to_the_byte() -> None:
    for boundary in ("----wx7MA4", "a", "b" * 70):
        body, headers = form(CONTENT, boundary=boundary)
        assert multipart.the_file(headers["Content-Type"], body) == CONTENT
        quoted = f'multipart/form-data; charset=utf-8; boundary="{boundary}"'
        assert multipart.the_file(quoted, b"\r\n" + body) == CONTENT


BODY, TYPE = form(CONTENT)[0], form(CONTENT)[1]["Content-Type"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("", BODY), ("image/jpeg", BODY), ("multipart/form-data", BODY), ("multipart/form-data; boundary=", BODY),
        (f"multipart/form-data; boundary={'x' * 71}", BODY), ("multipart/mixed; boundary=----wx7MA4", BODY),
        (TYPE, b""), (TYPE, BODY[:-8]), (TYPE, b"junk" + BODY), (TYPE, BODY.replace(b"filename", b"filenam")),
        (TYPE, form(b"")[0]), (TYPE, BODY.replace(b"------wx7MA4--\r\n", b"") + BODY),
        (TYPE, b"------wx7MA4\r\nno end of headers\r\n------wx7MA4--"), (TYPE, b"------wx7MA4\r\n" * 10_000),
        (TYPE, BODY.replace(b"filename", b";" * 5_000 + b"filename")),
    ],
)  # fmt: skip
def test_what_is_no_form_with_one_file_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        multipart.the_file(content_type, body)
    assert caught.value.code == "no_file"
