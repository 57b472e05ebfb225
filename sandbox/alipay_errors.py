"""Refusals of Alipay's gateway: HTTP 200 with a code, and a sub-code that names the reason (protocols/alipay.md 3)."""

MESSAGES = {
    "20000": "Service Currently Unavailable",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40003": "Insufficient Conditions",
    "40004": "Business Failed",
    "40005": "Call Limited",
    "40006": "Insufficient Permissions",
}


class AlipayError(Exception):
    """A refusal; `signed` is False for failures before the gateway knows whom it answers."""

    def __init__(self, code: str, sub_code: str, sub_msg: str, *, signed: bool = True) -> None:
        super().__init__(f"{code} {sub_code} {sub_msg}")
        self.code = code
        self.sub_code = sub_code
        self.sub_msg = sub_msg
        self.signed = signed

    def node(self) -> dict[str, object]:
        """The answer's node."""
        return {
            "code": self.code,
            "msg": MESSAGES[self.code],
            "sub_code": self.sub_code,
            "sub_msg": self.sub_msg,
        }


def missing(sub_code: str, what: str) -> AlipayError:
    """A common parameter is not there; nobody is known yet, so the answer has no signature."""
    return AlipayError("40001", sub_code, f"缺少{what}参数", signed=False)


def invalid(sub_code: str, why: str) -> AlipayError:
    """A common parameter cannot be taken; unsigned like all early failures."""
    return AlipayError("40002", sub_code, why, signed=False)


def business(reason: str, why: str) -> AlipayError:
    """A business failure: 40004 with `ACQ.` before the reason."""
    return AlipayError("40004", f"ACQ.{reason}", why)


def parameter(why: str) -> AlipayError:
    """ACQ.INVALID_PARAMETER."""
    return business("INVALID_PARAMETER", f"参数无效，{why}")


def attack(what: str) -> AlipayError:
    """What the gateway's guard stops: undocumented fields and key names inside of values (section 6)."""
    return AlipayError("40002", "isv.suspected-attack", f"可疑的攻击请求：{what}")
