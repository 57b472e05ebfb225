"""`<data_dir>/demo.json` (mode 0600): who and what the demo data holds, for the start page and the demo player.

It is written before the first row and once more when all is done, so that a seed that was cut off is carried on by the
next one with the same logins and keys. Sandbox mode only: it holds passwords in plain text.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backend.kernel.embedded_home import write_private

NAME = "demo.json"


@dataclass(frozen=True, slots=True)
class StaffLogin:
    """How a member of staff logs in; `totp_secret` is None where the role needs no second factor."""

    login: str
    name: str
    role: str
    title: str
    password: str = field(repr=False)
    totp_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ResidentLogin:
    """A resident with WeChat: the sandbox's user id, the phone, where and as what the person lives.

    `hears` by which way messages reach the person: template, subscription, or inbox alone.
    """

    user_id: str
    name: str
    phone: str
    house: str
    role: str
    hears: str


@dataclass(slots=True)
class Demo:
    """What the demo data holds.

    `pay_code` is the paper code of the first house, which owes. `cameras` has for each direction the path, with its
    secret, to which the camera of the car park pushes. `base_offset_s` is the shared clock's offset before history was
    played, `played_until` the last payday played.
    """

    base_offset_s: int
    staff: list[StaffLogin]
    residents: list[ResidentLogin] = field(default_factory=list)
    miniprogram: str = ""
    official: str = ""
    mchid: str = ""
    company_id: str = ""
    community_id: str = ""
    community: str = ""
    merchant_id: str = ""
    alipay_app_id: str = ""
    alipay_merchant_id: str = ""
    pay_code: str = ""
    lot_id: str = ""
    cameras: dict[str, str] = field(default_factory=dict, repr=False)
    played_until: str = ""
    complete: bool = False


def read(data_dir: Path) -> Demo | None:
    """The demo file; None where there is none that can be read."""
    try:
        known: dict[str, Any] = json.loads((data_dir / NAME).read_text(encoding="utf-8"))
        staff = [StaffLogin(**each) for each in known.pop("staff")]
        residents = [ResidentLogin(**each) for each in known.pop("residents")]
        return Demo(**known, staff=staff, residents=residents)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write(data_dir: Path, demo: Demo) -> None:
    """Write the demo file in one step."""
    write_private(data_dir / NAME, json.dumps(asdict(demo), ensure_ascii=False, indent=2) + "\n")
