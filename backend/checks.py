"""Root of `linli check`: runs every invariant on the database and prints it with its count of offenders.

Exit code 0 when all hold, 1 when one does not, others as in `backend.kernel.root`. Run as `python -m backend.checks`.
"""

import sys

from backend.composition import APPROVALS, CHECKS, MODELS
from backend.kernel import audit, checks, root
from backend.kernel.checks import Finding
from backend.kernel.config import Settings
from backend.kernel.resources import open_resources


async def findings(settings: Settings) -> list[str]:
    """One line per invariant; those that are broken begin with ✗ and name some offenders."""
    res = await open_resources(settings, models=MODELS, approval_kinds=APPROVALS)
    try:
        lines = [_line(found) for found in await checks.run(res.db, CHECKS)]
        broken = await audit.first_broken_entry(res.db)
        sign, count = ("✓", 0) if broken is None else ("✗", 1)
        lines.append(f"{sign} I-22  审计链条完整，没有一条被改动：{count} 条不符")
        return lines
    finally:
        await res.close()


def _line(found: Finding) -> str:
    sign = "✗" if found.offenders else "✓"
    samples = "".join(f"\n      {sample}" for sample in found.samples)
    return f"{sign} {found.check.code}  {found.check.title}：{found.offenders} 条不符{samples}"


async def check(settings: Settings) -> int:
    """Print and judge."""
    lines = await findings(settings)
    print("\n".join(lines))
    broken = sum(line.startswith("✗") for line in lines)
    print(f"共 {len(lines)} 项，{broken} 项不符。" if broken else f"共 {len(lines)} 项，全部相符。")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(root.run(check, failed="无法检查"))
