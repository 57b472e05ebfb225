"""Everybody in the story: staff log in with password and code, residents through WeChat."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyotp

from demo.stage import Stage
from demo.web import Web

ON_STAGE = ("manager", "admin", "cashier", "service", "engineer", "guard")


def log_in_staff(stage: Stage) -> None:
    """Everybody on the staff who plays a part logs in."""
    told = {login["login"]: _log_in(stage, login) for login in stage.data["staff"] if login["login"] in ON_STAGE}
    stage.staff = {login: stage.api.of(one["token"]) for login, one in told.items()}
    stage.staff_until = min(datetime.fromisoformat(one["expires_at"]) for one in told.values())


def pass_time(stage: Stage, step: str) -> None:
    """Time passes: whoever's session has ended by then, after twelve hours, logs in again."""
    stage.advance(step)
    if stage.now() >= stage.staff_until:
        log_in_staff(stage)


def _log_in(stage: Stage, login: dict[str, Any]) -> Any:
    """Log in; where too many have just done so from this address, wait for as long as the answer says."""
    code = pyotp.TOTP(login["totp_secret"]).at(stage.now()) if login["totp_secret"] else None
    body = {"login": login["login"], "password": login["password"], "totp": code}
    answer = stage.api.ask("POST", "/admin/v1/login", body)
    while answer.code == "too_many_requests":
        time.sleep(answer.json["error"]["details"]["retry_after_s"])
        answer = stage.api.ask("POST", "/admin/v1/login", body)
    stage.expect(f"{login['login']} 登录的回答", answer.status, 200)
    return answer.json


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody with WeChat and a session of the mini-program; `follows`: the official account."""

    name: str
    user_id: str
    openid: str
    web: Web
    follows: bool = False


def join(stage: Stage, name: str, phone: str) -> Resident:
    """A new WeChat user opens the mini-program and binds the phone."""
    user_id = stage.control("POST", "/users", {"nickname": name, "phone": phone})["user_id"]
    web, phone_bound = _open(stage, user_id)
    stage.expect(f"{name}登录时已绑定手机号", phone_bound, False)
    appid = stage.data["miniprogram"]
    code = stage.control("POST", f"/users/{user_id}/phone-code", {"appid": appid})["code"]
    shown = web.post("/api/v1/phone", {"code": code})["phone"]
    stage.expect(f"{name}的手机号（脱敏）", shown, f"{phone[:3]}****{phone[-4:]}")
    openid = stage.control("GET", f"/users/{user_id}/openid?appid={appid}")["openid"]
    return Resident(name, user_id, openid, web)


def neighbour(stage: Stage, number: int) -> Resident:
    """The owner of a flat of the demo data, by number, opens the mini-program."""
    flats = [one for one in stage.data["residents"] if one["role"] == "owner" and "单元" in one["house"]]
    found = flats[number]
    web, _ = _open(stage, found["user_id"])
    path = f"/users/{found['user_id']}/openid?appid={stage.data['miniprogram']}"
    openid = stage.control("GET", path)["openid"]
    return Resident(found["name"], found["user_id"], openid, web, found["hears"] == "template")


def again(stage: Stage, resident: Resident) -> Resident:
    """The resident opens the mini-program once more."""
    web, phone_bound = _open(stage, resident.user_id)
    stage.expect(f"{resident.name}再次登录时已绑定手机号", phone_bound, True)
    return Resident(resident.name, resident.user_id, resident.openid, web, resident.follows)


def _open(stage: Stage, user_id: str) -> tuple[Web, bool]:
    appid = stage.data["miniprogram"]
    code = stage.control("POST", f"/users/{user_id}/login-code", {"appid": appid})["code"]
    told = stage.api.post("/api/v1/login", {"appid": appid, "code": code})
    return stage.api.of(told["token"]), told["phone_bound"]


def houses_of(resident: Resident) -> dict[str, str]:
    """Label → role of the resident's houses."""
    return {house["label"]: house["role"] for house in resident.web.get("/api/v1/houses")["items"]}
