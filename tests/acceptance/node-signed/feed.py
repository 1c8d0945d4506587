"""World-7 to a running Tallybook, every body signed by Stripe's own Node library."""

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "common"))
from child import end, lives  # noqa: E402 (found by the line above)
from world import TELL_SECONDS, accept  # noqa: E402


class Signer:
    """A Node process that signs, one body after the other."""

    def __init__(self, packages):
        self.process = subprocess.Popen(
            ["node", str(HERE / "sign.mjs"), packages],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.watchdog = lives(self.process, 2 * TELL_SECONDS)
        self.lock = threading.Lock()
        self.version = self.line()

    def line(self):
        """What it says next."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the signer has ended")
        return line.strip()

    def sign(self, payload, secret):
        with self.lock:
            self.process.stdin.write(json.dumps({"payload": payload, "secret": secret}) + "\n")
            self.process.stdin.flush()
            return self.line()

    def end(self):
        self.watchdog.cancel()
        with contextlib.suppress(BrokenPipeError):  # it ended before
            self.process.stdin.close()
        end(self.process)


def main():
    binary, packages = sys.argv[1:]
    signer = Signer(packages)
    print(f"signing with stripe {signer.version} for Node")
    try:
        return accept(binary, signer.sign)
    finally:
        signer.end()


if __name__ == "__main__":
    sys.exit(main())
