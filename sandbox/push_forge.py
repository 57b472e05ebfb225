"""False pushes, sent once and right now: what a message server that checks must not believe."""

from dataclasses import replace
from typing import Any

from sandbox import push_crypto, pushes
from sandbox.errors import ControlError
from sandbox.push_postman import PushPostman, Told
from sandbox.pushes import Address
from sandbox.world import World

OTHER_TOKEN = "SomebodyElses"
OTHER_KEY = "z" * 43
OTHER_APPID = "wx0000000000000bad"
SEALED_KINDS = {"other_appid", "other_key", "plain_body"}
KINDS = ("bad_signature", "unsigned", "wrong_token", "truncated", "other_account", *sorted(SEALED_KINDS))


async def send(
    world: World, postman: PushPostman, address: Address, openid: str, *, kind: str, fields: dict[str, Any]
) -> Told:
    """Send one push that is wrong in one way; ControlError for an unknown kind."""
    if kind not in KINDS:
        raise ControlError(400, "wrong_value", f"kind is one of {KINDS}")
    if kind in SEALED_KINDS and address.mode == "plain":
        raise ControlError(409, "plain_mode", f"{kind} needs the mode compatible or safe")
    now_s = world.now_s()
    claimed = _claimed(address, kind)
    composed = pushes.compose(claimed, openid, fields, now_s)
    query = pushes.signed_query(claimed, openid, composed.sealed, now_s)
    body = composed.body[: len(composed.body) // 2] if kind == "truncated" else composed.body
    if kind == "bad_signature":
        query |= {name: push_crypto.signature(text) for name, text in query.items() if name.endswith("signature")}
    if kind == "unsigned":
        query = {"openid": openid}
    return await postman.post(address, openid, query, body)


def _claimed(address: Address, kind: str) -> Address:
    """The account as the forger makes it out to be."""
    if kind == "wrong_token":
        return replace(address, token=OTHER_TOKEN)
    if kind == "other_appid":
        return replace(address, appid=OTHER_APPID)
    if kind == "other_key":
        return replace(address, aes_key=OTHER_KEY)
    if kind == "other_account":
        return replace(address, original_id="gh_somebody_else")
    if kind == "plain_body":
        # The signature of an address says nothing of the body: whoever has seen one address could send this.
        return replace(address, mode="plain")
    return address
