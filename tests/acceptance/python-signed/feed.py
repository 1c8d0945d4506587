"""Tell world-7 to a running Tallybook as Stripe would, and compare where it ends with a replay.

Every body is signed by Stripe's own library; 8 connections at once deliver them shuffled, a fifth of them twice; in the
middle the server is killed with -9 and started again. Ends with 0 if the state hash is that of `tallybook replay`.
"""

import http.client
import json
import os
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import stripe

WORLD = Path(__file__).resolve().parents[2] / "data" / "world-7.ndjson"
SECRET = "whsec_acceptance_4f1d9c"
CONNECTIONS = 8
DUPLICATES = 0.2
SEED = 20260921
# Bounds for a machine that is busy, not expectations.
START_SECONDS = 600
STOP_SECONDS = 300
TELL_SECONDS = 1800
SETTLE_SECONDS = 1800
ANSWER_SECONDS = 300


class Server:
    """A `tallybook serve` on a data directory and a free port."""

    def __init__(self, binary, data):
        self.process = subprocess.Popen(
            [binary, "serve", "--json", "--listen", "127.0.0.1:0", "--data-dir", data],
            stdout=subprocess.PIPE,
            text=True,
            env={"TALLYBOOK_LOG": "warn", **os.environ},
        )
        watchdog = threading.Timer(START_SECONDS, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise SystemExit("the server did not start")
        introduction = json.loads(line)
        self.address = introduction["address"].removeprefix("http://")
        self.admin_key = introduction.get("admin_key")

    def kill(self):
        """End it at once: kill -9 of its own process."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        if self.process.wait(timeout=STOP_SECONDS) != 0:
            raise SystemExit(f"the server ended with {self.process.returncode}")


def call(address, method, path, body=None, headers=None):
    """One request on a connection of its own: status and body."""
    connection = http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, f"/v1{path}", body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


class Feed:
    """Deliveries to come. Each is tried until it is answered 200, as Stripe does."""

    def __init__(self, bodies, server):
        self.bodies = queue.SimpleQueue()
        for body in bodies:
            self.bodies.put(body)
        self.server = server
        self.answered = 0
        self.retried = 0
        self.failure = None
        self.lock = threading.Lock()
        self.deadline = time.monotonic() + TELL_SECONDS

    def work(self):
        try:
            while self.failure is None:
                self.deliver(self.bodies.get_nowait())
        except queue.Empty:
            pass
        except Exception as error:  # told by the main thread, which waits for all of them
            self.failure = error

    def deliver(self, body):
        while True:
            status = self.attempt(body)
            with self.lock:
                if status == 200:
                    self.answered += 1
                    return
                self.retried += 1
            if status is not None and status < 500:
                raise RuntimeError(f"a delivery was answered {status}: {body[:120]}")
            if time.monotonic() > self.deadline:
                raise RuntimeError("no server takes the deliveries")
            time.sleep(0.05)

    def attempt(self, body):
        signature = stripe.WebhookSignature.generate_signature_header(body, SECRET)
        headers = {"Content-Type": "application/json", "Stripe-Signature": signature}
        try:
            return call(self.server.address, "POST", "/stripe/webhook/main", body.encode(), headers)[0]
        except (OSError, http.client.HTTPException):
            return None  # the server is gone, or going


def disturbed():
    """World-7, a fifth of it twice, in another order."""
    chance = random.Random(SEED)
    bodies = [line for line in WORLD.read_text(encoding="utf-8").splitlines() if line]
    told = bodies + [body for body in bodies if chance.random() < DUPLICATES]
    chance.shuffle(told)
    return len(bodies), told


def tallybook(binary, *arguments):
    """What a command says, as JSON."""
    finished = subprocess.run([binary, *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode != 0:
        raise SystemExit(f"tallybook {arguments[0]} ended with {finished.returncode}: {finished.stdout}")
    return json.loads(finished.stdout)


def settled(server, key):
    """The state's hash once nothing waits to be settled."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        status, body = call(server.address, "GET", "/reports/state-hash", headers={"Authorization": f"Bearer {key}"})
        if status != 200:
            raise SystemExit(f"the state was answered {status}: {body}")
        state = json.loads(body)
        if state["unsettled"] == 0:
            return state
        if time.monotonic() > deadline:
            raise SystemExit(f"{state['unsettled']} deliveries are not settled after {SETTLE_SECONDS} s")
        time.sleep(0.2)


def tell(binary, data):
    """Tell everything, with one death in the middle. Where it ended."""
    server = Server(binary, data)
    try:
        key = server.admin_key
        headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Idempotency-Key": "endpoint",
        }
        status, body = call(
            server.address, "PUT", "/stripe/endpoints/main", json.dumps({"secrets": [SECRET]}), headers
        )
        if status != 200:
            raise SystemExit(f"the endpoint was answered {status}: {body}")

        events, told = disturbed()
        print(f"telling {events} events in {len(told)} deliveries over {CONNECTIONS} connections ..")
        feed = Feed(told, server)
        threads = [threading.Thread(target=feed.work) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        while feed.answered < len(told) // 2 and feed.failure is None:
            time.sleep(0.005)
        died_at = feed.answered
        server.kill()
        server = feed.server = Server(binary, data)
        for thread in threads:
            thread.join()
        if feed.failure is not None:
            raise SystemExit(f"not everything was taken: {feed.failure}")
        print(f"killed -9 after {died_at} deliveries and started again; {feed.retried} attempts were repeated")
        if server.admin_key is not None:
            raise SystemExit("the second start printed an admin key")
        state = settled(server, key)
        server.stop()
        return state
    finally:
        if server.process.poll() is None:
            server.kill()


def main():
    binary = sys.argv[1]
    print(f"signing with stripe {stripe.VERSION}")
    with tempfile.TemporaryDirectory(prefix="tallybook-acceptance-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)  # as root, the database runs as another user
        data = str(Path(home) / "data")
        ended = tell(binary, data)
        verified = tallybook(binary, "verify", "--json", "--data-dir", data)
    replayed = tallybook(binary, "replay", "--json", str(WORLD))["runs"][0]
    print(f"verify: {verified['events']} events, {verified['rows']} rows of read models, all as they should be")
    print(f"over HTTP: {ended['hash']}")
    print(f"replayed:  {replayed['hash']}")
    if ended["hash"] != replayed["hash"] or ended["totals"] != replayed["totals"]:
        print(f"DIFFERENT: {json.dumps(ended['totals'])}\n     from: {json.dumps(replayed['totals'])}")
        return 1
    print("the same")
    return 0


if __name__ == "__main__":
    sys.exit(main())
