"""What the official account says by itself where nobody has configured anything (公众号的话)."""

from collections.abc import Mapping

from backend.identity.account_codes import Binding

GREETING = "您好，欢迎关注！在小程序“我的—公众号”里扫码绑定后，账单、报修进度和通知会发到这里。有事请直接发文字给我们。"
HOW_TO_BIND = "您好，还不知道您是哪位住户。请在小程序“我的—公众号”里取得二维码，用微信扫一扫绑定后，再发给我们。"
NO_HOUSE = "您还没有绑定房屋，请先在小程序里绑定房屋，再发给我们。急事请直接致电物业。"
NOTHING_SAID = "没有收到文字内容，请把想问的事用文字发给我们。"
ONLY_TEXT = "这里目前只能看文字。照片、语音和视频请在小程序里报修或投诉时上传。"
NO_SUCH_KEY = "这个菜单还没有内容，请直接发文字给我们，或在小程序里办理。"
TOO_FAST = "您发得太快了，这条没有登记。请过十分钟再发，急事请直接致电物业。"
CONSULTED = "您的咨询已登记，编号 {no}。物业答复后会通知您，也可以在小程序的工单里查看。"
ADDED = "已补充到您的咨询（编号 {no}），物业答复后会通知您。"
BUSY = "系统这会儿有点忙，您的留言可能还没有登记。如果稍后小程序里没有收到答复，请再发一次，急事请直接致电物业。"
OF_BINDING: Mapping[Binding, str] = {
    Binding.BOUND: "绑定成功。以后账单、报修进度和小区通知会发到这里。",
    Binding.REFUSED: "这个二维码已失效或已经用过，请在小程序“我的—公众号”里重新获取。",
    Binding.OF_ANOTHER: "这个微信已经绑定了另一位住户。要改绑，请先取消关注，再重新扫码。",
}
