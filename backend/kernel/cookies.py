"""Cookies: the site by which a browser came, what it keeps for us, and the login that it keeps in one of them (R10).

A page that was opened in WeChat keeps its session in a cookie that no script reads. A cookie comes along by itself,
also with what another site's page sends: hence a request that changes something counts only with the Origin of a site
of ours, which the browser writes and no page can. Programs send their token in a header, as ever.
"""

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from backend.kernel.config import Settings
from backend.kernel.errors import Forbidden

SESSION_COOKIE, SESSION_PATH = "linli_session", "/api/v1/"
READING = frozenset({"GET", "HEAD"})


class ForeignPage(Forbidden):
    """A request with a login's cookie that no page of ours has sent."""

    code = "foreign_page"
    message = "请从物业的页面里进行此操作。"


def site(settings: Settings, headers: Mapping[str, str]) -> str:
    """The address of this site by which the browser came; the public one where it names a host that is not ours."""
    host = headers.get("host", "")
    return next((site for site in settings.sites if urlsplit(site).netloc == host), settings.sites[0])


def read(headers: Mapping[str, str], name: str) -> str:
    """A cookie's text, empty where there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def setting(settings: Settings, headers: Mapping[str, str], name: str, value: str, *, path: str, max_age_s: int) -> str:
    """The header that sets a cookie for `max_age_s` seconds; scripts and other sites do not get it."""
    secure = "; Secure" if site(settings, headers).startswith("https:") else ""
    return f"{name}={value}; Path={path}; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}"


def session_token(settings: Settings, method: str, path: str, headers: Mapping[str, str]) -> str:
    """The session's token that a browser's cookie brings to a residents' route, empty where none does; ForeignPage."""
    token = read(headers, SESSION_COOKIE) if path.startswith(SESSION_PATH) else ""
    if token and method not in READING and headers.get("origin", "") not in settings.sites:
        raise ForeignPage
    return token
