"""World-7 through the official Stripe CLI: `stripe listen` forwards it to a running Tallybook, and prints what a replay reads.

In place of Stripe, a small server of this script's gives the CLI its session and pushes signed events over its web socket.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import stripe
from aiohttp import WSMsgType, web

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "common"))
from child import END_SECONDS, end, finish  # noqa: E402 (found by the line above)
from tallybook import SECRET, WEBHOOK, WORLD, Server, compare, home, tallybook, verify  # noqa: E402

# Events that the CLI has not answered yet.
AHEAD = 8
# All of them, on a machine that is busy.
ANSWER_SECONDS = 900


class StandIn:
    """What the CLI takes for Stripe."""

    def __init__(self, bodies):
        self.bodies = bodies
        self.answers = []
        self.told = asyncio.Event()
        self.address = None

    async def start(self):
        app = web.Application()
        app.router.add_post("/v1/stripecli/sessions", self.session)
        app.router.add_get("/subscribe", self.subscribe)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.address = f"{host}:{port}"
        return runner

    async def session(self, request):
        return web.json_response(
            {
                "websocket_id": "ws_acceptance",
                "websocket_url": f"ws://{self.address}/subscribe",
                "websocket_authorized_feature": "webhooks",
                "reconnect_delay": 60,
                "secret": SECRET,
                "default_version": "2026-08-26.dahlia",
                "latest_version": "2026-08-26.dahlia",
            }
        )

    async def subscribe(self, request):
        socket = web.WebSocketResponse(protocols=["stripecli-devproxy-v1"], heartbeat=30)
        await socket.prepare(request)
        ahead = asyncio.Semaphore(AHEAD)
        pushing = asyncio.create_task(self.push(socket, ahead))
        async for message in socket:
            if message.type != WSMsgType.TEXT:
                continue
            answer = json.loads(message.data)
            if answer.get("type") == "webhook_response":
                self.answers.append(answer)
                ahead.release()
            if len(self.answers) == len(self.bodies):
                self.told.set()
        pushing.cancel()
        return socket

    async def push(self, socket, ahead):
        for number, body in enumerate(self.bodies):
            await ahead.acquire()
            event = {
                "type": "webhook_event",
                "webhook_id": f"wh_{number}",
                "webhook_conversation_id": f"wc_{number}",
                "event_payload": body,
                "http_headers": {
                    "Content-Type": "application/json; charset=utf-8",
                    "Stripe-Signature": stripe.WebhookSignature.generate_signature_header(body, SECRET),
                    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
                },
                "endpoint": {"api_version": None},
            }
            await socket.send_str(json.dumps(event))


async def forward(cli, server, bodies, home_path, printed):
    """Run the CLI until everything is forwarded, it ends by itself, or it takes too long. What it was answered."""
    stand_in = StandIn(bodies)
    runner = await stand_in.start()
    try:
        with open(printed, "wb") as output:
            await listen(cli, server, stand_in, home_path, output)
    finally:
        await asyncio.wait_for(runner.cleanup(), END_SECONDS)
    return stand_in.answers


async def listen(cli, server, stand_in, home_path, output):
    """`stripe listen` from its start to its end."""
    process = await asyncio.create_subprocess_exec(
        cli,
        "listen",
        "--all-snapshot",
        "--skip-update",
        "--format",
        "JSON",
        "--api-base",
        f"http://{stand_in.address}",
        "--forward-to",
        f"http://{server.address}{WEBHOOK}",
        stdout=output,
        env={**os.environ, "HOME": str(home_path), "STRIPE_API_KEY": "sk_test_acceptance_unused"},
    )
    ended = asyncio.create_task(process.wait())
    told = asyncio.create_task(stand_in.told.wait())
    try:
        await asyncio.wait({ended, told}, timeout=ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            print(f"the CLI ended by itself with {process.returncode}")
    finally:
        told.cancel()
        if not ended.done():
            process.terminate()
            await asyncio.wait({ended}, timeout=END_SECONDS)
        if not ended.done():
            process.kill()
            await asyncio.wait_for(ended, END_SECONDS)


def main():
    binary, cli = sys.argv[1:]
    version = finish([cli, "version"], check=True).stdout.splitlines()[0]
    print(f"forwarding with {version}, signing with stripe {stripe.VERSION} for Python")
    bodies = [line for line in WORLD.read_text(encoding="utf-8").splitlines() if line]
    with home() as path:
        data, printed = str(path / "data"), path / "printed"
        server = Server(binary, data)
        try:
            key = server.admin_key
            server.open_endpoint(key)
            answers = asyncio.run(forward(cli, server, bodies, path, printed))
            taken = [answer for answer in answers if answer["status"] == 200]
            if len(taken) != len(bodies):
                raise SystemExit(f"{len(answers)} of {len(bodies)} events were answered, {len(taken)} of them 200")
            state = server.settled(key)
            server.stop()
        finally:
            end(server.process)
        verify(binary, data)
        of_printed = tallybook(binary, "replay", "--json", str(printed))["runs"][0]
    replayed = tallybook(binary, "replay", "--json", str(WORLD))["runs"][0]
    return compare([("forwarded", state), ("printed", of_printed), ("replayed", replayed)])


if __name__ == "__main__":
    sys.exit(main())
