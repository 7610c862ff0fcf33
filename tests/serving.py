"""Start `embudo serve` on a free port for a test and stop it again."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serving(data: str, *, zone: str = "UTC", options: tuple[str, ...] = ()) -> Iterator[str]:
    """The URL of a server on `data` (a directory or `:memory:`) that runs while the block does."""
    command = [sys.executable, "-m", "embudo", "serve", "--data", data, "--listen", "127.0.0.1:0", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TZ": zone})
    assert server.stdout is not None
    try:
        for line in server.stdout:
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                yield found[0]
                break
        else:
            raise RuntimeError(f"the server said nothing of its address and ended with status {server.wait()}")
    finally:
        server.terminate()
        server.stdout.close()
        server.wait(timeout=120)
