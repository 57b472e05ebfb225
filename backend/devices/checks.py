"""Invariants of devices: commands are audited (I-22), sealed columns hold ciphertext (I-24)."""

from backend.devices.models import SEALED
from backend.kernel import seals
from backend.kernel.checks import Check

AUDITED = """
    SELECT c.id AS device_command, c.state
      FROM device_command c
     WHERE NOT EXISTS (SELECT FROM audit_entry a
                        WHERE a.target = 'device_command:' || c.id AND a.action = 'devices.command_ordered')
        OR (c.state IN ('DONE', 'FAILED')
            AND NOT EXISTS (SELECT FROM audit_entry a
                             WHERE a.target = 'device_command:' || c.id AND a.action = 'devices.command_finished'))
"""

CHECKS = (
    Check("I-22", "每条设备指令的下达和完成都有审计记录", AUDITED),
    seals.check("设备密钥和设备事件只存密文", SEALED),
)
