"""What a merchant's message server may answer within its five seconds (official account page, sections 1.2, 1.4, 1.5).

`success`, nothing at all, or a passive reply; in safe mode a reply has to be sealed, in compatible mode it may be.
"""

from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from sandbox import push_crypto, push_texts
from sandbox.pushes import Address

MOST_TEXT_BYTES = 2048
MOST_ARTICLES = 8
MEDIA = {"image": "Image/MediaId", "voice": "Voice/MediaId", "video": "Video/MediaId"}
MUSIC = {"title": "Title", "description": "Description", "music_url": "MusicUrl", "hq_music_url": "HQMusicUrl"}
ARTICLE = {"title": "Title", "description": "Description", "pic_url": "PicUrl", "url": "Url"}


class UnfitReply(Exception):
    """An answer that WeChat takes for none; the text says why."""


def read(address: Address, openid: str, answer: bytes) -> dict[str, Any] | None:
    """The passive reply, None for an acknowledgement; UnfitReply for everything else."""
    said = answer.strip()
    if said in (b"", b"success"):
        return None
    if address.form == push_texts.JSON:
        raise UnfitReply("neither success nor empty")
    root = _document(said)
    if root.find("Encrypt") is not None:
        root = _unsealed(address, root)
    elif address.mode == push_texts.SAFE:
        raise UnfitReply("a plain reply in safe mode")
    return _passive(address, openid, root)


def _document(said: bytes) -> Element:
    if b"<!DOCTYPE" in said:
        raise UnfitReply("a reply has no document type")
    try:
        root = ElementTree.fromstring(said)
    except ElementTree.ParseError as error:
        raise UnfitReply(f"neither success nor XML: {error}") from error
    if root.tag != "xml":
        raise UnfitReply(f"the root is {root.tag}")
    return root


def _unsealed(address: Address, root: Element) -> Element:
    if address.mode == push_texts.PLAIN:
        raise UnfitReply("a sealed reply in plain mode")
    encrypted = _text(root, "Encrypt")
    expected = push_crypto.signature(address.token, _text(root, "TimeStamp"), _text(root, "Nonce"), encrypted)
    if _text(root, "MsgSignature") != expected:
        raise UnfitReply("MsgSignature is wrong")
    try:
        message, appid = push_crypto.unseal(address.aes_key, encrypted)
    except ValueError as error:
        raise UnfitReply(str(error)) from error
    if appid != address.appid:
        raise UnfitReply(f"sealed for the appid {appid!r}")
    return _document(message)


def _passive(address: Address, openid: str, root: Element) -> dict[str, Any]:
    if (_text(root, "ToUserName"), _text(root, "FromUserName")) != (openid, address.original_id):
        raise UnfitReply("ToUserName or FromUserName is wrong")
    if not _text(root, "CreateTime").isdigit():
        raise UnfitReply("CreateTime is no number")
    kind = _text(root, "MsgType")
    if kind == "text":
        content = _text(root, "Content")
        if len(content.encode()) > MOST_TEXT_BYTES:
            raise UnfitReply(f"Content is longer than {MOST_TEXT_BYTES} bytes")
        return {"type": kind, "content": content}
    if kind in MEDIA:
        return {"type": kind, "media_id": _text(root, MEDIA[kind])}
    if kind == "music":
        return {"type": kind, **{key: root.findtext(f"Music/{name}", "") for key, name in MUSIC.items()}}
    if kind == "news":
        return {"type": kind, "articles": _articles(root)}
    raise UnfitReply(f"MsgType is {kind!r}")


def _articles(root: Element) -> list[dict[str, str]]:
    items = root.findall("Articles/item")
    if not 1 <= len(items) <= MOST_ARTICLES or _text(root, "ArticleCount") != str(len(items)):
        raise UnfitReply("ArticleCount is not the number of articles")
    return [{key: item.findtext(name, "") for key, name in ARTICLE.items()} for item in items]


def _text(root: Element, path: str) -> str:
    found = root.findtext(path)
    if not found:
        raise UnfitReply(f"{path} is missing")
    return found
