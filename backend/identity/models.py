"""Tables of identity (D1, D12). Columns that end in `_sealed` hold ciphertext only (I-24)."""

from tortoise import fields

from backend.kernel.orm import Model
from backend.kernel.seals import SealedColumn

SEALED = (
    SealedColumn("person", "name_sealed"),
    SealedColumn("person", "phone_sealed"),
    SealedColumn("staff", "totp_secret_sealed"),
    SealedColumn("staff", "totp_pending_sealed"),
    SealedColumn("wechat_user", "session_key_sealed"),
)


class Person(Model):
    """A person (住户): known by phone, whatever the number of houses and communities."""

    id = fields.UUIDField(primary_key=True)
    no = fields.BigIntField(generated=True)
    name_sealed = fields.BinaryField(null=True)
    phone_sealed = fields.BinaryField(null=True)
    phone_blind = fields.BinaryField(null=True)
    phone_tail_blind = fields.BinaryField(null=True)
    created_at = fields.DatetimeField()
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "person"


class Staff(Model):
    """A member of staff (员工)."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    login = fields.TextField()
    name = fields.TextField()
    password_hash = fields.TextField()
    totp_secret_sealed = fields.BinaryField(null=True)
    totp_pending_sealed = fields.BinaryField(null=True)
    totp_last_step = fields.BigIntField(default=0)
    state = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "staff"


class WechatUser(Model):
    """One openid under one app id; bound to a person, to a member of staff, or to nobody yet."""

    id = fields.UUIDField(primary_key=True)
    appid = fields.TextField()
    openid = fields.TextField()
    unionid = fields.TextField(null=True)
    person_id = fields.UUIDField(null=True)
    staff_id = fields.UUIDField(null=True)
    session_key_sealed = fields.BinaryField(null=True)
    reachable = fields.BooleanField(default=True)
    follows = fields.BooleanField(null=True)
    follow_told_at = fields.DatetimeField(null=True)
    by_scan = fields.BooleanField(default=False)
    created_at = fields.DatetimeField()

    class Meta:
        table = "wechat_user"


class AccountCode(Model):
    """A resident's code for binding the official account by a scan (扫码绑定公众号)."""

    id = fields.UUIDField(primary_key=True)
    person_id = fields.UUIDField()
    appid = fields.TextField()
    scene_hash = fields.BinaryField()
    drawn = fields.TextField(null=True)
    ticket = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "account_code"


class PersonalConsent(Model):
    """A consent to a use of personal data (个人信息授权), by purpose and version of the text."""

    id = fields.BigIntField(primary_key=True, generated=True)
    person_id = fields.UUIDField()
    purpose = fields.TextField()
    version = fields.IntField()
    granted_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "personal_consent"


class WebLogin(Model):
    """A state of the web login (网页授权) that has brought somebody back from WeChat."""

    state_hash = fields.BinaryField(primary_key=True)
    wechat_user_id = fields.UUIDField()
    at = fields.DatetimeField()

    class Meta:
        table = "web_login"
