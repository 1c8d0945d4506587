// Stripe's own Node library as a signer: for each line of JSON {payload, secret} the header, a line each.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.argv[2] + "/");
const Stripe = require("stripe");
const stripe = new Stripe("sk_test_unused");

console.log(Stripe.PACKAGE_VERSION ?? require("stripe/package.json").version);
for await (const line of createInterface({ input: process.stdin })) {
  const { payload, secret } = JSON.parse(line);
  console.log(stripe.webhooks.generateTestHeaderString({ payload, secret }));
}
