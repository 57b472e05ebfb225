"""What WeChat tells us by itself, as jobs get it: one outbox event per kind of push (official account section 1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

EVENT = "wechat."


@dataclass(frozen=True, slots=True)
class Push:
    """One event that a verified push has told: of whom, in which account, when, and its fields as WeChat names them.

    `event` is in lower case, since WeChat's own spelling varies. It is emitted as `wechat.<event>` with `payload()`.
    """

    appid: str
    openid: str
    event: str
    at: datetime
    fields: Mapping[str, Any]

    def payload(self) -> dict[str, Any]:
        """What stands in the outbox."""
        return {"appid": self.appid, "openid": self.openid, "at": self.at.isoformat(), "fields": dict(self.fields)}

    @classmethod
    def of(cls, event: str, payload: Mapping[str, Any]) -> "Push":
        """The push behind a job of the outbox event `event`."""
        return cls(
            appid=payload["appid"],
            openid=payload["openid"],
            event=event.removeprefix(EVENT),
            at=datetime.fromisoformat(payload["at"]),
            fields=payload["fields"],
        )
