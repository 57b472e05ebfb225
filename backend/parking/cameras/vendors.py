"""The vendors that we understand, and whether an event comes from the device that its address belongs to.

No vendor signs anything (protocols/cameras.md 5.1 rule 9): the secret in a device's address proves it, and the name
that the camera gives must be the registered one. What carries no name stands on the secret alone.
"""

from collections.abc import Mapping

from backend.kernel.errors import Invalid
from backend.parking.cameras import dahua, hikvision, qy, zhenshi
from backend.parking.cameras.base import Adapter
from backend.parking.lanes.sighting import Event

ADAPTERS: Mapping[str, Adapter] = {
    adapter.vendor: adapter for adapter in (zhenshi.ADAPTER, qy.ADAPTER, hikvision.ADAPTER, dahua.ADAPTER)
}


def adapter(vendor: str) -> Adapter:
    """The adapter of `vendor`; Invalid `unknown_vendor` for any other name."""
    found = ADAPTERS.get(vendor)
    if found is None:
        raise Invalid(f"不支持这个品牌的摄像机，可以选：{'、'.join(ADAPTERS)}。", code="unknown_vendor")
    return found


def opens_by_answer(vendor: str) -> bool:
    """Whether a camera opens its own barrier by what it is answered; those that speak our own form do."""
    return vendor not in ADAPTERS or ADAPTERS[vendor].opens_by_answer


def is_from(event: Event, registered: str) -> bool:
    """Whether `event` may come from the device registered under that name; colons, dashes and case do not count."""
    return event.device is None or _plain(event.device) == _plain(registered)


def _plain(name: str) -> str:
    return name.replace(":", "").replace("-", "").casefold()
