"""Who has followed the official account is found by the union id, by a job (关注后的识别) (R10, pitfalls E15)."""

from collections.abc import Mapping

from backend.identity import followers
from backend.kernel.errors import NotFound
from backend.kernel.outbox import Handler, Job, Park, Retry
from backend.wechat import account_api, api, apps
from backend.wechat.errcodes import Meaning
from backend.wechat.errors import WechatError
from backend.wechat.pushes import Push

TOMORROW_S = 24 * 3600


async def on_subscribe(job: Job) -> None:
    """Ask WeChat who it is and tie the follower to the person of the mini-program; without a union id nothing is."""
    push = Push.of(job.event, job.payload)
    try:
        app = await apps.app_by_appid(job.res.db, job.res.keyring, push.appid)
        found = await account_api.follower(api.of(job.res), app, openid=push.openid)
    except NotFound as error:
        raise Park(f"account {push.appid} is not registered") from error
    except WechatError as error:
        raise again(error) from error
    unionid = found.unionid
    if not found.follows or unionid is None:
        return
    await job.transact(lambda tx: followers.link(tx, appid=push.appid, openid=push.openid, unionid=unionid))


def again(error: WechatError) -> Exception:
    """When the job runs again after WeChat's refusal; a refusal for configuration is for staff to see."""
    if error.meaning is Meaning.BACK_OFF_TODAY:
        return Retry(error.text, after_s=TOMORROW_S)
    if error.meaning in (Meaning.RETRY, Meaning.REFRESH_TOKEN):
        return Retry(error.text)
    return Park(f"WeChat does not tell of followers: {error.errcode} {error.text}")


HANDLERS: Mapping[str, Handler] = {"wechat.subscribe": on_subscribe}
