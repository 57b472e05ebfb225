"""The vectors of docs/gates.md, read from the page: what makers build by is what product and verifier are held to."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "gates.md"


@cache
def vectors() -> dict[str, Any]:
    """The block of vectors: a private key, a gate's bundle, tokens, and what the gate answers to them and when."""
    found = re.search(r"```json vectors\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    assert found is not None, "docs/gates.md has no vectors"
    read: dict[str, Any] = json.loads(found[1])
    return read
