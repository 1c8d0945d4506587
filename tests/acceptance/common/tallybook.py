"""A running Tallybook, and what it says of its state: what the acceptance runs have in common."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from child import end, finish, lives

WORLD = Path(__file__).resolve().parents[2] / "data" / "world-7.ndjson"
SECRET = "whsec_acceptance_4f1d9c"
WEBHOOK = "/v1/stripe/webhook/main"
# Bounds for a machine that is busy, not expectations.
START_SECONDS = 600
STOP_SECONDS = 300
SETTLE_SECONDS = 1800
ANSWER_SECONDS = 300


def call(address, method, path, body=None, headers=None):
    """One request on a connection of its own: status and body."""
    connection = http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


class Server:
    """A `tallybook serve` on a data directory and a free port."""

    def __init__(self, binary, data):
        self.process = subprocess.Popen(
            [binary, "serve", "--json", "--listen", "127.0.0.1:0", "--data-dir", data],
            stdout=subprocess.PIPE,
            text=True,
            env={"TALLYBOOK_LOG": "warn", **os.environ},
        )
        watchdog = lives(self.process, START_SECONDS)
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise SystemExit(f"the server did not start and ended with {end(self.process)}")
        introduction = json.loads(line)
        self.address = introduction["address"].removeprefix("http://")
        self.admin_key = introduction.get("admin_key")

    def kill(self):
        """End it at once: kill -9 of its own process."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=STOP_SECONDS)

    def stop(self):
        """End it in order."""
        code = end(self.process, STOP_SECONDS)
        if code != 0:
            raise SystemExit(f"the server ended with {code}")

    def ask(self, key, method, path, body=None):
        """The answer to a request that must be taken."""
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Idempotency-Key": path}
        text = None if body is None else json.dumps(body)
        status, answer = call(self.address, method, f"/v1{path}", text, headers)
        if status not in (200, 201):
            raise SystemExit(f"{method} {path} was answered {status}: {answer}")
        return json.loads(answer)

    def open_endpoint(self, key):
        self.ask(key, "PUT", "/stripe/endpoints/main", {"secrets": [SECRET]})

    def received(self, key):
        """How many different deliveries are in the inbox, up to 200."""
        return len(self.ask(key, "GET", "/stripe/deliveries?limit=200")["data"])

    def settled(self, key):
        """The state once nothing waits to be settled."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            state = self.ask(key, "GET", "/reports/state-hash")
            if state["unsettled"] == 0:
                return state
            if time.monotonic() > deadline:
                raise SystemExit(f"{state['unsettled']} deliveries are not settled after {SETTLE_SECONDS} s")
            time.sleep(0.2)


@contextlib.contextmanager
def home():
    """A directory for a server's data, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tallybook-acceptance-", ignore_cleanup_errors=True) as path:
        Path(path).chmod(0o755)  # as root, the database runs as another user
        yield Path(path)


def tallybook(binary, *arguments):
    """What a command says, as JSON."""
    finished = finish([binary, *arguments])
    if finished.returncode != 0:
        raise SystemExit(f"tallybook {arguments[0]} ended with {finished.returncode}: {finished.stdout}")
    return json.loads(finished.stdout)


def verify(binary, data):
    verified = tallybook(binary, "verify", "--json", "--data-dir", data)
    if verified["events"] == 0:
        raise SystemExit("there was nothing to verify")
    print(f"verify: {verified['events']} events, {verified['rows']} rows of read models, all as they should be")


def compare(states):
    """The exit code: 0 if all states are the same. `states`: what each is called, and the state."""
    for name, state in states:
        print(f"{name + ':':12}{state['hash']}")
    _, first = states[0]
    for name, state in states[1:]:
        if state["hash"] != first["hash"] or state["totals"] != first["totals"]:
            print(f"DIFFERENT: {json.dumps(first['totals'])}\n     {name}: {json.dumps(state['totals'])}")
            return 1
    print("the same")
    return 0
