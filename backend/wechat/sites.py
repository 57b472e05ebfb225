"""Which addresses are of this site: what we send browsers to, sign pages for, and let menus lead to."""

from collections.abc import Sequence


def is_ours(url: str, sites: Sequence[str]) -> bool:
    """Whether an address is of one of `sites` (see `Settings.sites`): the site itself, or what begins with it and `/`
    or `?`; another host whose name merely begins like ours is not."""
    return any(url == site or url.startswith((f"{site}/", f"{site}?")) for site in sites)
