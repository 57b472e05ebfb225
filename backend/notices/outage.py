"""What staff say of an outage of the platform itself (系统故障公告): kept in files, so that it needs no database (D11).

`<LINLI_DATA_DIR>/outage/<source>.json`, a file for each who says something: whoever runs the machines (`platform`), and
companies by their id. Every process reads them anew each time; a file is there whole or not at all.
"""

import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

FOLDER = "outage"
PLATFORM = "platform"
WHO = "系统管理员"
MAX_WORDS = 500


@dataclass(frozen=True, slots=True)
class Outage:
    """What is said, by whom, since when."""

    who: str
    words: str
    said_at: datetime


def say(data_dir: Path, *, source: str, outage: Outage) -> None:
    """Say it, in place of what the same source has said before."""
    folder = data_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"who": outage.who, "words": outage.words, "said_at": outage.said_at.isoformat()})
    fresh = folder / f"{source}.{secrets.token_hex(8)}.new"
    with fresh.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / f"{source}.json")


def clear(data_dir: Path, *, source: str) -> None:
    """Say nothing any more; no error where nothing was said."""
    (data_dir / FOLDER / f"{source}.json").unlink(missing_ok=True)


def said(data_dir: Path) -> list[Outage]:
    """All that is said at present, the latest first; a file that cannot be read says nothing."""
    found = (_read(path) for path in (data_dir / FOLDER).glob("*.json"))
    return sorted(filter(None, found), key=lambda outage: outage.said_at, reverse=True)


def _read(path: Path) -> Outage | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Outage(str(kept["who"]), str(kept["words"]), datetime.fromisoformat(kept["said_at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
