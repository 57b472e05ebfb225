"""Tables of WeChat's accounts as models: simple reads and lists."""

from tortoise import fields
from tortoise.models import Model

from backend.kernel.seals import SealedColumn

SEALED = (SealedColumn("wechat_app", "secret_sealed", key="appid", key_type="text"),)


class WechatApp(Model):
    """A mini-program or official account (小程序、公众号) of a company, its secret sealed."""

    appid = fields.CharField(max_length=32, primary_key=True)
    company_id = fields.UUIDField()
    kind = fields.TextField()
    secret_sealed = fields.BinaryField()
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "wechat_app"
