"""Web login of the official account: where a browser is sent, and what comes back with it."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest

from backend.kernel.config import Settings
from backend.kernel.crypto import Keyring, MasterKeys
from backend.wechat import official
from backend.wechat.apps import App, AppKind
from backend.wechat.official import Departure, StateRefused

NOW = datetime(2026, 9, 1, 2, 0, tzinfo=UTC)
APP = App("wx0ff1c1a1acc00047", AppKind.OFFICIAL, UUID(int=1), "s" * 32)
SITE, SECOND = "https://wy.example.com", "https://pay.example.com"
SETTINGS = Settings(public_url=f"{SITE}/", more_urls=SECOND)
KEYRING, _ = Keyring.create(MasterKeys(b"k" * 32))
PAGE = "7QK2M9XRPA"


def depart(back: str = f"{SITE}/p/{PAGE}/wechat") -> Departure:
    return official.depart(SETTINGS, KEYRING, APP, back=back, page=PAGE, now=NOW)


def state_of(departure: Departure) -> str:
    return dict(parse_qsl(urlsplit(departure.url).query))["state"]


def check(state: str, **over: object) -> None:
    known = {"nonce": "", "page": PAGE, "now": NOW, **over}
    official.check_state(KEYRING, state, **known)  # type: ignore[arg-type]


def test_the_address_is_as_wechat_wants_it_with_the_parameters_in_its_order() -> None:
    departure = depart()
    parts = urlsplit(departure.url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://open.weixin.qq.com/connect/oauth2/authorize"
    assert [name for name, _ in parse_qsl(parts.query)] == ["appid", "redirect_uri", "response_type", "scope", "state"]
    assert "redirect_uri=https%3A%2F%2Fwy.example.com%2Fp%2F7QK2M9XRPA%2Fwechat&" in departure.url
    assert dict(parse_qsl(parts.query))["scope"] == "snsapi_base" and departure.url.endswith("#wechat_redirect")
    assert state_of(departure).isalnum() and len(state_of(departure)) <= 128


def test_a_browser_is_sent_back_to_addresses_of_this_site_alone() -> None:
    depart(f"{SECOND}/p/{PAGE}/wechat")
    for back in (
        "https://evil.example/p/x",
        "https://wy.example.com.evil.example/p/x",
        "https://wy.example.com@evil.example/p/x",
        "http://wy.example.com/p/x",
        "https://wy.example.com",
        "https://wy.example.comx",
        "//wy.example.com/p/x",
    ):
        with pytest.raises(ValueError):
            depart(back)


def test_a_state_is_good_for_the_browser_and_the_page_that_it_was_given_to() -> None:
    departure = depart()
    state, nonce = state_of(departure), departure.nonce
    check(state, nonce=nonce)
    check(state, nonce=nonce, now=NOW + official.LIFETIME)
    with pytest.raises(StateRefused):
        check(state, nonce=nonce, now=NOW + official.LIFETIME + timedelta(seconds=1))
    for wrong in ({"nonce": ""}, {"nonce": depart().nonce}, {"nonce": nonce, "page": "AAAAAAAAAA"}):
        with pytest.raises(StateRefused):
            check(state, **wrong)


def test_a_state_that_was_changed_or_made_up_is_refused() -> None:
    departure = depart()
    state, nonce = state_of(departure), departure.nonce
    made_up = ["", "x", "0" * 40, state[:-1], state + "0", f"{int(state[:8], 16) + 600:x}{state[8:]}", "é" * 40]
    flipped = [state[:n] + ("0" if state[n] != "0" else "1") + state[n + 1 :] for n in range(len(state))]
    for wrong in (*made_up, *flipped):
        with pytest.raises(StateRefused):
            check(wrong, nonce=nonce)
