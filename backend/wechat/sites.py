"""Which addresses are of this site: what we send browsers to, sign pages for, and let menus lead to."""

from collections.abc import Sequence


def is_below(url: str, sites: Sequence[str]) -> bool:
    """Whether an address is a page of one of `sites` (see `Settings.sites`); another host whose name merely begins like
    ours is not."""
    return any(url.startswith(f"{site}/") for site in sites)


def is_ours(url: str, sites: Sequence[str]) -> bool:
    """Whether an address is one of `sites` itself, or a page of one."""
    return url in sites or is_below(url, sites)
