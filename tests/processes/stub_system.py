"""`linli up` with small programs in place of API, worker, sandbox, migrator and seed: the real supervision around them.

Run as a script: `python stub_system.py`, with the settings in the environment.
"""

import os
import sys
from pathlib import Path

from backend import system
from backend.cli import _say
from backend.kernel.config import Settings
from backend.kernel.processes import StartError

HERE = Path(__file__).parent
LISTEN = str(HERE / "stub_listener.py")
COMMANDS = system.Commands(
    migrate=("-c", "print('stub migrate')"),
    seed=("-c", "print('stub seed')"),
    sandbox=(LISTEN, "sandbox"),
    worker=("-c", "import signal; signal.pause()"),
    api=(LISTEN, "api"),
)


if __name__ == "__main__":
    try:
        system.run(Settings.from_env(os.environ), os.environ, system.keep_up, say=_say, commands=COMMANDS)
    except StartError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
