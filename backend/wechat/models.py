"""Tables of WeChat's accounts as models: simple reads and lists."""

from tortoise import fields

from backend.kernel.orm import Model
from backend.kernel.seals import SealedColumn

SEALED = (
    SealedColumn("wechat_app", "secret_sealed", key="appid", key_type="text"),
    SealedColumn("wechat_app", "push_token_sealed", key="appid", key_type="text"),
    SealedColumn("wechat_app", "push_key_sealed", key="appid", key_type="text"),
)


class WechatApp(Model):
    """A mini-program or official account (小程序、公众号) of a company, its secrets sealed."""

    appid = fields.CharField(max_length=32, primary_key=True)
    company_id = fields.UUIDField()
    kind = fields.TextField()
    secret_sealed = fields.BinaryField()
    original_id = fields.TextField(null=True)
    push_mode = fields.TextField(null=True)
    push_token_sealed = fields.BinaryField(null=True)
    push_key_sealed = fields.BinaryField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "wechat_app"


class WechatMenu(Model):
    """The menu of an official account (自定义菜单)."""

    appid = fields.CharField(max_length=32, primary_key=True)
    company_id = fields.UUIDField()
    buttons = fields.JSONField[list[dict[str, object]]]()
    changed_at = fields.DatetimeField()
    pushed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "wechat_menu"


class WechatReply(Model):
    """What an official account answers by itself (自动回复)."""

    id = fields.UUIDField(primary_key=True)
    appid = fields.TextField()
    company_id = fields.UUIDField()
    kind = fields.TextField()
    keyword = fields.TextField(null=True)
    reply = fields.TextField()
    created_at = fields.DatetimeField()
    changed_at = fields.DatetimeField()

    class Meta:
        table = "wechat_reply"


class WechatCode(Model):
    """A mini-program code (小程序码) and what its scene stands for."""

    scene = fields.CharField(max_length=12, primary_key=True)
    community_id = fields.UUIDField()
    appid = fields.TextField()
    kind = fields.TextField()
    subject_id = fields.UUIDField()
    paper_code = fields.TextField(null=True)
    picture = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "wechat_code"
