"""World-7 told to a server by whoever signs: shuffled, a fifth of it twice, with a death of the server in the middle."""

import http.client
import queue
import random
import threading
import time

from child import end
from tallybook import SECRET, WEBHOOK, WORLD, Server, call, compare, home, tallybook, verify

CONNECTIONS = 8
DUPLICATES = 0.2
SEED = 20260921
TELL_SECONDS = 1800


class Feed:
    """Deliveries to come. Each is tried until it is answered 200, as Stripe does."""

    def __init__(self, bodies, server, sign):
        self.bodies = queue.SimpleQueue()
        for body in bodies:
            self.bodies.put(body)
        self.server = server
        self.sign = sign
        self.answered = 0
        self.retried = 0
        self.failure = None
        self.lock = threading.Lock()
        self.deadline = time.monotonic() + TELL_SECONDS

    def work(self):
        try:
            while self.failure is None:
                if time.monotonic() > self.deadline:
                    raise RuntimeError(f"not everything was delivered in {TELL_SECONDS} s")
                self.deliver(self.bodies.get_nowait())
        except queue.Empty:
            pass
        except Exception as error:  # told by the main thread, which waits for all of them
            self.failure = error

    def deliver(self, body):
        while self.failure is None:
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
        headers = {"Content-Type": "application/json", "Stripe-Signature": self.sign(body, SECRET)}
        try:
            return call(self.server.address, "POST", WEBHOOK, body.encode(), headers)[0]
        except (OSError, http.client.HTTPException):
            return None  # the server is gone, or going


def disturbed():
    """How many events world-7 has, and their bodies: a fifth of them twice, in another order."""
    chance = random.Random(SEED)
    bodies = [line for line in WORLD.read_text(encoding="utf-8").splitlines() if line]
    told = bodies + [body for body in bodies if chance.random() < DUPLICATES]
    chance.shuffle(told)
    return len(bodies), told


def tell(binary, data, sign):
    """Tell everything, with one death in the middle. Where it ended."""
    server, feed = Server(binary, data), None
    try:
        key = server.admin_key
        server.open_endpoint(key)
        events, told = disturbed()
        print(f"telling {events} events in {len(told)} deliveries over {CONNECTIONS} connections ..")
        feed = Feed(told, server, sign)
        threads = [threading.Thread(target=feed.work, daemon=True) for _ in range(CONNECTIONS)]
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
        state = server.settled(key)
        server.stop()
        return state
    except BaseException as error:
        if feed is not None:
            feed.failure = error
        raise
    finally:
        end(server.process)


def accept(binary, sign):
    """The exit code: 0 if the world told over HTTP, signed by `sign(body, secret)`, ends as it does replayed."""
    with home() as path:
        data = str(path / "data")
        ended = tell(binary, data, sign)
        verify(binary, data)
    replayed = tallybook(binary, "replay", "--json", str(WORLD))["runs"][0]
    return compare([("over HTTP", ended), ("replayed", replayed)])
