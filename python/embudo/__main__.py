"""The program ``embudo``, as ``python -m embudo`` and as the script that the package installs."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Runs the program with this process's arguments and gives its exit code."""
    # It looks at Python's packages, which only Python can.
    if sys.argv[1:2] == ["doctor"]:
        from embudo.doctor import main as doctor

        return doctor(sys.argv[2:])
    from embudo import _embudo

    # The program has its own handling of Ctrl-C; Python's would only be looked at once it has ended.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _embudo.run_program(["embudo", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
