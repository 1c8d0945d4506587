"""World-7 to a running Tallybook, every body signed by Stripe's own Node library."""

import json
import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "common"))
from world import accept  # noqa: E402 (found by the line above)


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
        self.version = self.process.stdout.readline().strip()
        self.lock = threading.Lock()

    def sign(self, payload, secret):
        with self.lock:
            self.process.stdin.write(json.dumps({"payload": payload, "secret": secret}) + "\n")
            self.process.stdin.flush()
            return self.process.stdout.readline().strip()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


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
