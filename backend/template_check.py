"""Root of `linli templates check`: holds every saved template against WeChat's own list and prints what is wrong.

Exit code 0 when all are right, 1 when one is not or WeChat could not be asked, others as in `backend.kernel.root`. Run
as `python -m backend.template_check`.
"""

import sys

from backend.composition import APPROVALS, MODELS
from backend.kernel import root
from backend.kernel.config import Settings
from backend.kernel.resources import Resources, open_resources
from backend.messaging import registry
from backend.messaging.meanings import MEANINGS
from backend.messaging.templates import Template


async def check(settings: Settings) -> int:
    """Open what is needed and judge."""
    res = await open_resources(settings, models=MODELS, approval_kinds=APPROVALS)
    try:
        return await judge(res)
    finally:
        await res.close()


async def judge(res: Resources) -> int:
    """Check, print a line for each template, and return the exit code."""
    began, wrong, count = res.clock.now(), 0, 0
    for company_id in await registry.companies(res.db):
        for one in await registry.check_company(res, company_id):
            reasons = [problem["message"] for problem in one.problems]
            if one.checked_at is None or one.checked_at < began:
                reasons = [registry.NOT_ASKED]
            count, wrong = count + 1, wrong + bool(reasons)
            print(_line(one, reasons))
    print(f"共 {count} 个模板，{wrong} 个有问题。" if wrong else f"共 {count} 个模板，全部与微信相符。")
    return 1 if wrong else 0


def _line(one: Template, reasons: list[str]) -> str:
    meaning = MEANINGS.get(one.meaning)
    name = f"{meaning.title if meaning else one.meaning}（{one.appid} {one.template_id}）"
    return f"{'✗' if reasons else '✓'} {name}" + "".join(f"\n      {reason}" for reason in reasons)


if __name__ == "__main__":
    sys.exit(root.run(check, failed="无法核对"))
