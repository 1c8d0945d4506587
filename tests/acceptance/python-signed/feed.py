"""World-7 to a running Tallybook, every body signed by Stripe's own Python library."""

import sys
from pathlib import Path

import stripe

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "common"))
from world import accept  # noqa: E402 (found by the line above)

if __name__ == "__main__":
    print(f"signing with stripe {stripe.VERSION} for Python")
    sys.exit(accept(sys.argv[1], stripe.WebhookSignature.generate_signature_header))
