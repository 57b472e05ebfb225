"""The `linli` command with small programs in place of API, worker, sandbox, migrator and seed; the rest is real.

Run as a script: `python stub_system.py up`, with the settings in the environment.
"""

import sys
from functools import partial
from pathlib import Path

from backend import cli, system

LISTEN = str(Path(__file__).parent / "stub_listener.py")
COMMANDS = system.Commands(
    migrate=("-c", "print('stub migrate')"),
    seed=("-c", "print('stub seed')"),
    sandbox=(LISTEN, "sandbox"),
    worker=("-c", "import signal; signal.pause()"),
    api=(LISTEN, "api"),
)

if __name__ == "__main__":
    system.run = partial(system.run, commands=COMMANDS)
    sys.exit(cli.main())
