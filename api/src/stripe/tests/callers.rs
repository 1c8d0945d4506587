//! What Stripe says while callers use what was bought, on PostgreSQL. The numbers are those of the table in
//! `tests/README.md`.

use serde_json::json;
use tallybook_domain::Refusal as _;
use tallybook_domain::account::{Account, AccountCommand, DebitCredits, SetPolicy};
use tallybook_domain::credits::{OverdraftMode, OverdraftTerms, Repayment};
use tallybook_domain::identity::{DebitId, StreamId, UnitCode};
use tallybook_domain::money::{Currency, Money};
use tallybook_domain::purchases::{PurchaseCommand, RefundPurchase};
use tallybook_domain::quantity::Units;
use tallybook_journal::{CommandKey, Envelope, ExecuteError};

use super::{Bench, charge, customer, now, payment, refund};

/// Ask something of the account of the stories, as a caller would: the code of the refusal, if it is refused.
async fn ask(bench: &Bench, command: AccountCommand) -> Result<(), &'static str> {
    let stream = StreamId::account(&bench.partition.tenant, &"acct_a".into());
    let envelope = Envelope {
        key: CommandKey::new(format!("{command:?}")),
        hash: [0; 32],
        expected_version: None,
        at: now(),
        metadata: std::collections::BTreeMap::new(),
    };
    match bench.journal.execute::<Account>(&stream, command, envelope).await {
        Ok(_) => Ok(()),
        Err(ExecuteError::Refused(refusal)) => Err(refusal.code()),
        Err(error) => panic!("{error}"),
    }
}

fn spend(debit: &str, credits: i64) -> AccountCommand {
    AccountCommand::Debit(DebitCredits {
        debit: DebitId(debit.to_owned()),
        unit: UnitCode::default(),
        units: Units::from_credits(credits).expect("a few credits"),
        feature: None,
        quantity: None,
        reference: None,
    })
}

/// Whole credits that may be spent; negative what is owed.
async fn spendable(bench: &Bench) -> i64 {
    let account = bench.account("acct_a").await;
    account
        .credits()
        .balance(&UnitCode::default(), now())
        .spendable()
        .micros()
        / 1_000_000
}

async fn of_a_known_customer() -> Bench {
    let bench = Bench::new().await;
    bench
        .deliver(&[customer("evt_1", 10, json!({"account_id": "acct_a"}))])
        .await;
    bench
}

async fn pay(bench: &Bench) {
    bench
        .deliver(&[payment("evt_2", json!({"credits": "100"})), charge("evt_3")])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s22_a_refund_of_stripes_is_told_by_stripe_alone() {
    for by_hand_first in [true, false] {
        let bench = of_a_known_customer().await;
        pay(&bench).await;
        if !by_hand_first {
            bench.deliver(&[refund("evt_4", 1_000)]).await;
        }
        let refund_by_hand = AccountCommand::Purchase(PurchaseCommand::Refund(RefundPurchase {
            purchase: "pi_1".into(),
            refund: "re_1".to_owned(),
            amount: Money::new(1_000, Currency::USD),
            reason: None,
            reference: None,
        }));
        assert_eq!(ask(&bench, refund_by_hand).await, Err("managed_by_stripe"));
        bench.deliver(&[refund("evt_4", 1_000)]).await;
        let account = bench.account("acct_a").await;
        let facts = account.groups().values().flat_map(|group| group.facts.keys());
        let refunds: Vec<_> = facts.filter(|key| key.as_str().starts_with("refund:")).collect();
        assert_eq!(refunds.len(), 1);
        assert_eq!(spendable(&bench).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s37_what_was_spent_before_a_late_clawback_is_owed_and_nothing_more_can_be_spent() {
    let bench = of_a_known_customer().await;
    pay(&bench).await;
    assert_eq!(ask(&bench, spend("d_1", 80)).await, Ok(()));
    bench.deliver(&[refund("evt_4", 1_000)]).await;
    assert_eq!(
        spendable(&bench).await,
        -80,
        "recorded as it is, not clamped to nothing"
    );
    assert_eq!(ask(&bench, spend("d_2", 1)).await, Err("insufficient_credits"));
}

#[tokio::test(flavor = "multi_thread")]
async fn s38_grant_spend_and_clawback_come_to_the_same_in_every_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let bench = of_a_known_customer().await;
        let overdraft = AccountCommand::SetPolicy(SetPolicy {
            unit: UnitCode::default(),
            overdraft: OverdraftTerms {
                mode: OverdraftMode::Allow,
                limit: None,
                repay: Repayment::First,
            },
            top_up: None,
        });
        assert_eq!(ask(&bench, overdraft).await, Ok(()));
        for step in order {
            match step {
                0 => pay(&bench).await,
                1 => assert_eq!(ask(&bench, spend("d_1", 80)).await, Ok(()), "{order:?}"),
                _ => bench.deliver(&[refund("evt_4", 1_000)]).await,
            }
        }
        assert_eq!(spendable(&bench).await, -80, "{order:?}");
    }
}
