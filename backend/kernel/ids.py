"""Identifiers: uuid7 where an id is shown, random texts where it must not be guessed."""

import secrets
from datetime import datetime
from uuid import UUID

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def uuid7(at: datetime) -> UUID:
    """A UUID version 7 (RFC 9562) whose first 48 bits are the milliseconds of `at`."""
    unix_ms = int(at.timestamp() * 1000)
    value = (unix_ms & ((1 << 48) - 1)) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def random_text(length: int) -> str:
    """`length` characters of 32 unambiguous digits and capitals: five random bits each."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def token() -> str:
    """An opaque secret of 256 random bits, safe in a URL and a header."""
    return secrets.token_urlsafe(32)
