"""Tables of shops and their coupons (D8)."""

from tortoise import fields

from backend.kernel.orm import Model


class Shop(Model):
    """A shop (商铺) that gives coupons for a lot."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    house_id = fields.UUIDField()
    name = fields.TextField()
    state = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "parking_shop"


class CouponOffer(Model):
    """A kind of coupon (停车优惠券) of a shop."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    shop_id = fields.UUIDField()
    kind = fields.TextField()
    value = fields.IntField()
    rank = fields.IntField()
    exclusive = fields.BooleanField()
    per_stay = fields.IntField()
    monthly_quota = fields.IntField(null=True)
    code_minutes = fields.IntField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "parking_coupon_offer"


class CouponGrant(Model):
    """Coupons that a shop has paid for beforehand."""

    id = fields.BigIntField(primary_key=True)
    community_id = fields.UUIDField()
    offer_id = fields.UUIDField()
    count = fields.IntField()
    reason = fields.TextField()
    granted_at = fields.DatetimeField()

    class Meta:
        table = "parking_coupon_grant"


class IssuedCoupon(Model):
    """A coupon that a shop has given."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    offer_id = fields.UUIDField()
    code_blind = fields.BinaryField(null=True)
    issued_on = fields.DateField()
    issued_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    issued_by = fields.UUIDField()

    class Meta:
        table = "parking_coupon"


class CouponUse(Model):
    """A coupon for a stay."""

    id = fields.BigIntField(primary_key=True)
    community_id = fields.UUIDField()
    coupon_id = fields.UUIDField()
    session_id = fields.UUIDField()
    applied_at = fields.DatetimeField()
    off_fen = fields.BigIntField(null=True)
    returned_at = fields.DatetimeField(null=True)

    class Meta:
        table = "parking_coupon_use"
