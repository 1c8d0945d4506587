//! Every code a problem may have, with the statuses it comes with: what the OpenAPI document lists.
//!
//! A code is a promise. A new one gets its line here; a test reads the sources and misses none.

/// Statuses and code, by code.
pub(super) const CODES: &[(&[u16], &str)] = &[
    (&[409], "account_exists"),
    (&[404], "account_not_found"),
    (&[422], "account_required"),
    (&[409], "amount_mismatch"),
    (&[422], "amount_not_positive"),
    (&[422], "amount_out_of_range"),
    (&[400], "body_duplicate_key"),
    (&[400], "body_not_an_object"),
    (&[400], "body_not_json"),
    (&[400], "body_not_utf8"),
    (&[408], "body_timeout"),
    (&[413], "body_too_large"),
    (&[400], "body_unreadable"),
    (&[409], "cancellation_not_scheduled"),
    (&[409], "capture_exceeds_hold"),
    (&[409], "catalog_in_use"),
    (&[409], "clock_advancing"),
    (&[409], "clock_backward"),
    (&[422], "clock_too_far"),
    (&[422], "cost_negative"),
    (&[409], "coupon_expired"),
    (&[404], "coupon_not_found"),
    (&[409], "credit_exceeds_invoice"),
    (&[409], "credit_note_exists"),
    (&[422], "credits_not_positive"),
    (&[422], "credits_out_of_range"),
    (&[409, 422], "currency_mismatch"),
    (&[404], "debit_not_found"),
    (&[404], "delivery_not_found"),
    (&[404], "endpoint_not_found"),
    (&[409], "endpoint_taken"),
    (&[400], "event_id_too_long"),
    (&[400], "event_unstorable"),
    (&[400], "event_without_created"),
    (&[400], "event_without_data_object"),
    (&[400], "event_without_id"),
    (&[400], "event_without_type"),
    (&[422], "expires_before_effective"),
    (&[409], "external_id_taken"),
    (&[404], "feature_not_found"),
    (&[402], "feature_not_included"),
    (&[403], "forbidden"),
    (&[409], "grant_ended"),
    (&[409], "grant_exists"),
    (&[404], "grant_not_found"),
    (&[409], "hold_ended"),
    (&[404], "hold_not_found"),
    (&[422], "hold_time_invalid"),
    (&[400], "idempotency_key_invalid"),
    (&[400], "idempotency_key_required"),
    (&[409], "idempotency_key_reused"),
    (&[402], "insufficient_credits"),
    (&[500], "internal"),
    (&[422], "intervals_differ"),
    (&[422], "invalid_field"),
    (&[400], "invalid_header"),
    (&[422], "invalid_id"),
    (&[404], "invoice_not_found"),
    (&[409], "invoice_not_open"),
    (&[409], "item_already_returned"),
    (&[409], "item_already_sold"),
    (&[422], "item_duplicate"),
    (&[409], "item_exists"),
    (&[404], "item_not_found"),
    (&[409], "item_not_sold"),
    (&[409], "item_sold_to_another"),
    (&[422], "items_required"),
    (&[404], "ledger_account_not_found"),
    (&[422], "ledger_account_required"),
    (&[402], "limit_reached"),
    (&[403], "live_tenant"),
    (&[400], "livemode_mismatch"),
    (&[400], "malformed_json"),
    (&[400], "malformed_query"),
    (&[409], "managed_by_stripe"),
    (&[405], "method_not_allowed"),
    (&[409], "no_change"),
    (&[404], "not_found"),
    (&[422], "not_recorded"),
    (&[504], "not_yet"),
    (&[404], "object_not_found"),
    (&[409], "overdraft_settled"),
    (&[503], "overloaded"),
    (&[404], "pack_not_found"),
    (&[422], "paid_in_future"),
    (&[422], "pause_end_invalid"),
    (&[402], "payment_method_required"),
    (&[402], "payment_required"),
    (&[422], "period_out_of_range"),
    (&[402], "plan_not_active"),
    (&[404], "plan_not_found"),
    (&[422], "policy_invalid"),
    (&[409], "price_taken"),
    (&[503], "projection_stopped"),
    (&[409], "purchase_cancelled"),
    (&[409], "purchase_exists"),
    (&[404], "purchase_not_found"),
    (&[409], "purchase_not_paid"),
    (&[409], "purchase_paid"),
    (&[422], "quantity_not_priceable"),
    (&[422], "quantity_out_of_range"),
    (&[409], "refund_exceeds_payment"),
    (&[404], "report_not_found"),
    (&[409], "reversal_exceeds_debit"),
    (&[409], "seat_assigned"),
    (&[404], "seat_not_found"),
    (&[409], "seats_exhausted"),
    (&[409], "seats_in_use"),
    (&[400], "signature_duplicate_timestamp"),
    (&[400], "signature_malformed"),
    (&[400], "signature_mismatch"),
    (&[400], "signature_missing"),
    (&[400], "signature_scheme_unsupported"),
    (&[400], "signature_too_old"),
    (&[400], "stripe_account_mismatch"),
    (&[409], "stripe_customer_taken"),
    (&[502], "stripe_refuses"),
    (&[503], "stripe_unavailable"),
    (&[409], "subscription_ended"),
    (&[409], "subscription_exists"),
    (&[422], "subscription_item_not_found"),
    (&[404], "subscription_not_found"),
    (&[409], "subscription_not_paused"),
    (&[409], "subscription_status"),
    (&[422], "tax_out_of_range"),
    (&[422], "terms_invalid"),
    (&[404], "test_clock_not_found"),
    (&[409], "test_clocks_differ"),
    (&[409], "top_up_ended"),
    (&[404], "top_up_not_found"),
    (&[503], "transfer_outdated"),
    (&[422], "transfer_to_itself"),
    (&[422], "trial_end_invalid"),
    (&[409], "trial_ended"),
    (&[402], "trial_expired"),
    (&[404], "trial_not_found"),
    (&[422], "trial_not_offered"),
    (&[409], "trial_used"),
    (&[401], "unauthenticated"),
    (&[503], "unavailable"),
    (&[422], "unbookable"),
    (&[422], "unstorable"),
    (&[415], "unsupported_media_type"),
    (&[409], "version_conflict"),
    (&[422], "webhook_secret_blank"),
    (&[422], "webhook_secret_whitespace"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    /// Refusals that never become problems by their own code: whoever runs into a claim is told what was claimed, and
    /// the treasury's are Stripe's.
    const INTERNAL: [&str; 2] = ["claim", "treasury"];

    /// Errors that become problems by their own code, beside the refusals of the domain.
    const ERRORS: [&str; 5] = [
        "api/src/stripe/intake.rs",
        "projections/src/reports/mod.rs",
        "stripe/src/event/rejection.rs",
        "stripe/src/signature/mod.rs",
        "stripe/src/signature/secret.rs",
    ];

    fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push(path);
            }
        }
    }

    /// The text literal that the source goes on with, if it does with one.
    fn literal(source: &str) -> Option<&str> {
        let text = source.trim_start().strip_prefix('"')?;
        let (text, _) = text.split_once('"')?;
        let is_code = text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        is_code.then_some(text)
    }

    /// What `fn code` of a refusal answers.
    fn of_refusal(source: &str) -> Vec<&str> {
        let bodies = source.split("fn code(").skip(1);
        bodies
            .filter_map(|rest| rest.split("\n    }\n").next())
            .flat_map(|body| body.split("=> ").skip(1).filter_map(literal))
            .collect()
    }

    /// What problems are made with here.
    fn of_problems(source: &str) -> Vec<&str> {
        let made = source.split("::new(").skip(1).filter_map(|rest| {
            let (status, rest) = rest.split_once(',')?;
            status.trim().starts_with("StatusCode::").then(|| literal(rest))?
        });
        let named = ["not_found(", "conflict(", "NOT_FOUND: &'static str = "];
        made.chain(
            named
                .into_iter()
                .flat_map(move |before| source.split(before).skip(1).filter_map(literal)),
        )
        .collect()
    }

    #[test]
    fn every_code_a_problem_can_have_is_listed_once() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut problems = Vec::new();
        sources(&here.join("src"), &mut problems);
        let mut refusals: Vec<PathBuf> = ERRORS.iter().map(|file| here.join("..").join(file)).collect();
        for family in std::fs::read_dir(here.join("../domain/src")).unwrap() {
            let refusal = family.unwrap().path().join("refusal.rs");
            let is_internal = INTERNAL
                .iter()
                .any(|name| refusal.ends_with(format!("{name}/refusal.rs")));
            if refusal.is_file() && !is_internal {
                refusals.push(refusal);
            }
        }
        let listed: BTreeSet<&str> = CODES.iter().map(|(_, code)| *code).collect();
        assert_eq!(listed.len(), CODES.len(), "each once");
        let mut found = 0;
        let mut look = |file: &Path, codes: fn(&str) -> Vec<&str>| {
            let source = std::fs::read_to_string(file).unwrap();
            for code in codes(&source) {
                found += 1;
                assert!(
                    listed.contains(code),
                    "{code} of {} is not listed",
                    file.display()
                );
            }
        };
        for file in &refusals {
            look(file, of_refusal);
        }
        for file in &problems {
            look(file, of_problems);
        }
        assert!(found > 100, "the sources are read: {found}");
    }
}
