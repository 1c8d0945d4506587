"""The official Stripe CLI at a simulator of Stripe: it makes customers and payments there, one of them declined, the simulator
signs the events and delivers them to a running Tallybook, and the credits on the accounts are what was paid for."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "common"))
from child import end, finish  # noqa: E402 (found by the line above)
from tallybook import SECRET, WEBHOOK, Server, call, home, verify  # noqa: E402

KEY = "sk_test_acceptance_unused"
START_SECONDS = 120
DELIVER_SECONDS = 300
GOOD_CARD = "4242424242424242"
# Can be attached to a customer, and is declined when it is charged.
DECLINED_CARD = "4000000000000341"
# What each customer is to pay in cents, for how many credits, by which card.
PURCHASES = {
    "acme": (1000, 100, GOOD_CARD),
    "bell": (5000, 600, GOOD_CARD),
    "cone": (2000, 300, DECLINED_CARD),
}


class Simulator:
    """localstripe on a free port, delivering to a webhook address."""

    def __init__(self, home_path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        program = Path(sys.executable).parent / "localstripe"
        self.log = open(home_path / "localstripe.log", "wb")
        self.process = subprocess.Popen(
            [program, "--port", str(port), "--from-scratch"],
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, "HOME": str(home_path)},
        )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.end()
                raise SystemExit("localstripe did not start")
            time.sleep(0.1)

    def answers(self):
        try:
            return call(self.address, "GET", "/") is not None
        except (OSError, http.client.HTTPException):
            return False

    def deliver_to(self, url):
        webhook = json.dumps({"url": url, "secret": SECRET})
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        status, answer = call(self.address, "POST", "/_config/webhooks/tallybook", webhook, headers)
        if status != 200:
            raise SystemExit(f"the webhook was answered {status}: {answer}")

    def events(self):
        """How many events it made."""
        status, answer = call(self.address, "GET", "/v1/events?limit=100", headers={"Authorization": f"Bearer {KEY}"})
        if status != 200:
            raise SystemExit(f"the events were answered {status}: {answer}")
        return len(json.loads(answer)["data"])

    def end(self):
        end(self.process)
        self.log.close()


class Cli:
    """The official CLI, asking the simulator."""

    def __init__(self, program, simulator, home_path):
        self.program = program
        self.simulator = simulator
        self.environment = {**os.environ, "HOME": str(home_path), "STRIPE_API_KEY": KEY}

    def post(self, path, refused=None, **fields):
        """The answer to a request; `refused`: the code it is to be refused with."""
        data = [word for name, value in fields.items() for word in ("-d", f"{name}={value}")]
        finished = finish(
            [self.program, "post", path, *data, "--api-base", f"http://{self.simulator.address}"],
            stderr=subprocess.PIPE,
            env=self.environment,
        )
        try:
            answer = json.loads(finished.stdout)
        except ValueError:
            raise SystemExit(f"stripe post {path}: {finished.stdout}{finished.stderr}") from None
        code = answer["error"].get("code", "no code") if "error" in answer else None
        if code != refused:
            raise SystemExit(f"stripe post {path}: {answer}")
        return answer


def buy(cli, account, cents, credits, card):
    """A customer of this account pays for credits, or tries to."""
    customer = cli.post("/v1/customers", **{"metadata[account_id]": account})["id"]
    method = cli.post(
        "/v1/payment_methods",
        type="card",
        **{"card[number]": card, "card[exp_month]": 12, "card[exp_year]": 2030, "card[cvc]": 123},
    )["id"]
    cli.post(f"/v1/payment_methods/{method}/attach", customer=customer)
    payment = cli.post(
        "/v1/payment_intents",
        amount=cents,
        currency="usd",
        customer=customer,
        payment_method=method,
        **{"metadata[credits]": credits},
    )["id"]
    cli.post(f"/v1/payment_intents/{payment}/confirm", refused="card_declined" if card == DECLINED_CARD else None)


def delivered(simulator, server, key):
    """Wait until every event of the simulator is in the inbox. How many."""
    deadline = time.monotonic() + DELIVER_SECONDS
    while True:
        made, received = simulator.events(), server.received(key)
        if made == received:
            return made
        if time.monotonic() > deadline:
            raise SystemExit(f"{received} of {made} events were delivered")
        time.sleep(0.2)


def check(server, key):
    """What each account has, against what was paid. The exit code."""
    wrong = 0
    for account, (cents, credits, card) in PURCHASES.items():
        paid = card == GOOD_CARD
        available = server.ask(key, "GET", f"/accounts/{account}")["balance"]["available"]
        print(f"{account}: {'paid' if paid else 'did not pay'} {cents} for {credits} credits and has {available}")
        wrong += available != str(credits if paid else 0)
    return 1 if wrong else 0


def main():
    binary, program = sys.argv[1:]
    with home() as path:
        data = str(path / "data")
        server = Server(binary, data)
        simulator = None
        try:
            key = server.admin_key
            server.open_endpoint(key)
            simulator = Simulator(path)
            simulator.deliver_to(f"http://{server.address}{WEBHOOK}")
            cli = Cli(program, simulator, path)
            for account, (cents, credits, card) in PURCHASES.items():
                buy(cli, account, cents, credits, card)
            events = delivered(simulator, server, key)
            totals = server.settled(key)["totals"]
            print(f"localstripe {version('localstripe')} delivered {events} events of what the CLI did there")
            code = check(server, key)
            if not totals["balanced"]:
                raise SystemExit("the books do not balance")
            server.stop()
        finally:
            if simulator is not None:
                simulator.end()
            end(server.process)
        verify(binary, data)
    return code


if __name__ == "__main__":
    sys.exit(main())
