//! The inbox on a real database: who owns what, what waits for what, and what two processes and a death leave behind.
#![expect(
    clippy::needless_pass_by_value,
    reason = "objects are built where they are passed"
)]

mod agreement;
mod callers;
mod dead_letters;
mod intake;
mod owners;
mod races;
mod refusals;
mod renderings;
mod scenarios;
mod treasury;

use serde_json::{Value, json};
use tallybook_domain::account::Account;
use tallybook_domain::catalog::{Catalog, CatalogCommand};
use tallybook_domain::identity::{StreamId, TenantId};
use tallybook_domain::{Aggregate, Timestamp};
use tallybook_journal::{CommandKey, Envelope, Journal, testing};

use super::{Inbox, Partition};
use crate::clock::Clock;
use crate::tenants::{self, Mode};
use crate::test_clocks::Present;

const TENANT: &str = "t";

/// A tenant's inbox on a database of its own.
struct Bench {
    journal: Journal,
    inbox: Inbox,
    partition: Partition,
}

impl Bench {
    async fn new() -> Self {
        Self::at(now()).await
    }

    /// One at which it is this time.
    async fn at(instant: Timestamp) -> Self {
        let journal = testing::fresh_journal().await;
        let tenant = TenantId::from(TENANT);
        tenants::create_tenant(journal.pool(), &tenant, "T", Mode::Test, chrono_tz::UTC)
            .await
            .expect("a new tenant");
        Self {
            inbox: Inbox::new(
                journal.clone(),
                Present::new(Clock::manual(instant), journal.clone()),
            ),
            journal,
            partition: Partition::of_tenant(tenant, false),
        }
    }

    async fn take(&self, event: &Value) {
        self.inbox
            .take(&self.partition, event.to_string().as_bytes())
            .await
            .expect("it is stored");
    }

    /// Take and settle, one at a time.
    async fn deliver(&self, events: &[Value]) {
        for event in events {
            self.take(event).await;
            self.settle_all().await;
        }
    }

    async fn settle_all(&self) {
        while self.inbox.settle_due(4).await.expect("the database answers") > 0 {}
    }

    async fn account(&self, id: &str) -> Account {
        let stream = StreamId::account(&self.partition.tenant, &id.into());
        self.journal
            .load::<Account>(&stream)
            .await
            .expect("it loads")
            .state
    }

    /// Credits that an account may spend.
    async fn available(&self, id: &str) -> String {
        let account = self.account(id).await;
        account
            .credits()
            .balance(&tallybook_domain::identity::UnitCode::default(), now())
            .available
            .to_string()
    }

    /// (status, reason, waits for) of an event's delivery.
    async fn fate(&self, event: &str) -> (String, Option<String>, Option<String>) {
        let all = super::repo::views::deliveries(
            self.journal.pool(),
            TENANT,
            &super::repo::views::Filter::default(),
            i64::MAX,
            200,
        )
        .await;
        let found = all
            .expect("the database answers")
            .into_iter()
            .find(|it| it.event == event)
            .expect("it was taken");
        (found.status, found.reason, found.waits_for)
    }

    /// Sell the plans that [`prices`](tallybook_stripe::strategies::prices) has, since ever.
    async fn publish_plans(&self) {
        for plan in tallybook_stripe::strategies::plans() {
            let publish = CatalogCommand::PublishPlan {
                plan: Box::new(plan),
                effective_from: Some(Timestamp::UNIX_EPOCH),
            };
            self.publish(publish).await;
        }
    }

    async fn publish(&self, command: CatalogCommand) {
        let envelope = Envelope {
            key: CommandKey::new(format!("{command:?}")),
            hash: [0; 32],
            expected_version: None,
            at: now(),
            metadata: std::collections::BTreeMap::new(),
        };
        let stream = Catalog::stream(&self.partition.tenant);
        self.journal
            .execute::<Catalog>(&stream, command, envelope)
            .await
            .expect("published");
    }
}

fn now() -> Timestamp {
    Timestamp::from_timestamp(1_900_000_000, 0).expect("in the calendar")
}

fn event(id: &str, kind: &str, created: i64, object: Value) -> Value {
    json!({"id": id, "object": "event", "type": kind, "created": created, "livemode": false,
        "api_version": "2026-08-26.dahlia", "data": {"object": object}, "request": {"id": format!("req_{id}")}})
}

fn customer(id: &str, created: i64, metadata: Value) -> Value {
    event(
        id,
        "customer.updated",
        created,
        json!({"object": "customer", "id": "cus_1", "metadata": metadata}),
    )
}

fn payment(id: &str, metadata: Value) -> Value {
    event(
        id,
        "payment_intent.succeeded",
        120,
        json!({"object": "payment_intent", "id": "pi_1", "created": 100,
        "amount": 1000, "amount_received": 1000, "currency": "usd", "status": "succeeded", "customer": "cus_1",
        "metadata": metadata}),
    )
}

fn refund(id: &str, amount: i64) -> Value {
    event(
        id,
        "refund.created",
        130,
        json!({"object": "refund", "id": "re_1", "created": 130, "amount": amount,
        "currency": "usd", "status": "succeeded", "charge": "ch_1", "balance_transaction": "txn_1"}),
    )
}

fn charge(id: &str) -> Value {
    event(
        id,
        "charge.succeeded",
        120,
        json!({"object": "charge", "id": "ch_1", "created": 120, "amount": 1000,
        "amount_captured": 1000, "amount_refunded": 0, "captured": true, "currency": "usd", "status": "succeeded",
        "disputed": false, "payment_intent": "pi_1", "customer": "cus_1", "metadata": {}}),
    )
}

/// How many events a stream has.
async fn version<A: Aggregate>(bench: &Bench, name: &str) -> u64 {
    let stream = StreamId::named(&bench.partition.tenant, name);
    bench.journal.load::<A>(&stream).await.expect("it loads").version
}
