//! One recorded stream as many: the same events about other objects.

/// The shortest random part of an id. Words of JSON keys are shorter, or of small letters alone.
const RANDOM_PART_MIN: usize = 14;

/// The keys under which a delivery names the account it is for.
const ACCOUNT_KEYS: [&str; 2] = ["account_id", "client_reference_id"];

/// The text of a delivery with every id of Stripe's renamed, and the accounts it names: two copies with other numbers have
/// no object, no event, no request and no account in common. Times, amounts and whatever else it says stay. Copy 0 is the
/// text itself.
pub fn renamed(body: &str, copy: u32) -> String {
    if copy == 0 {
        return body.to_owned();
    }
    let mark = format!("c{copy:06}");
    let mut renamed = String::with_capacity(body.len() + body.len() / 8);
    let mut rest = body;
    let mut key = "";
    while let Some(start) = rest.find(is_of_word) {
        let (before, from_word) = rest.split_at(start);
        let end = from_word.find(|it| !is_of_word(it)).unwrap_or(from_word.len());
        let (word, after) = from_word.split_at(end);
        renamed.push_str(before);
        for (place, part) in word.split('_').enumerate() {
            if place > 0 {
                renamed.push('_');
            }
            renamed.push_str(part);
            if place > 0 && is_random(part) {
                renamed.push_str(&mark);
            }
        }
        if ACCOUNT_KEYS.contains(&key) && before.ends_with('"') && after.starts_with('"') {
            renamed.push_str(&mark);
        }
        key = word;
        rest = after;
    }
    renamed.push_str(rest);
    renamed
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// Whether a part of a word is what Stripe draws: `in_` is followed by it, and so is `pi_.._secret_`.
fn is_random(part: &str) -> bool {
    part.len() >= RANDOM_PART_MIN && part.bytes().any(|byte| !byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::event::{Delivery, parse};
    use crate::object::Object;
    use crate::settlement::references;

    const WORLD: &str = include_str!("../../../tests/data/world-7.ndjson");

    /// The ids of an event, of the objects it names and of the account.
    fn names(body: &str) -> BTreeSet<String> {
        let Delivery::Event(event) = parse(body.as_bytes()).unwrap() else {
            panic!("not thin")
        };
        let kin = event.snapshot.object.iter().flat_map(references);
        let account = match &event.snapshot.object {
            Some(Object::Customer(customer)) => customer.account_id.as_deref(),
            Some(Object::CheckoutSession(session)) => session.client_reference_id.as_deref(),
            _ => None,
        };
        let own = [
            event.snapshot.event_id.as_str(),
            event.snapshot.object_id.as_deref().unwrap(),
        ];
        kin.chain(own).chain(account).map(str::to_owned).collect()
    }

    #[test]
    fn copies_of_a_world_share_no_name_and_are_like_each_other() {
        let all = |copy| WORLD.lines().flat_map(move |line| names(&renamed(line, copy)));
        let [original, first, second] = [0, 1, 2].map(|copy| all(copy).collect::<BTreeSet<_>>());
        assert!(original.is_disjoint(&first) && first.is_disjoint(&second));
        assert_eq!((first.len(), second.len()), (original.len(), original.len()));
        let shortened: BTreeSet<String> = first.iter().map(|id| id.replace("c000001", "")).collect();
        assert_eq!(shortened, original);
    }

    #[test]
    fn what_is_no_id_stays() {
        let body = r#"{"id":"in_1x1KLZCz7hWRKLEp","type":"invoice.payment_failed","payment_method_configuration_details":5,
            "url":"/v1/invoices/in_1x1KLZCz7hWRKLEp/lines","client_secret":"pi_1x1KLZCz7hWRKLEp_secret_AbCdEfGhIjKlMn","client_reference_id":null,"customer":"none"}"#;
        let expected = r#"{"id":"in_1x1KLZCz7hWRKLEpc000007","type":"invoice.payment_failed","payment_method_configuration_details":5,
            "url":"/v1/invoices/in_1x1KLZCz7hWRKLEpc000007/lines","client_secret":"pi_1x1KLZCz7hWRKLEpc000007_secret_AbCdEfGhIjKlMnc000007","client_reference_id":null,"customer":"none"}"#;
        assert_eq!(renamed(body, 7), expected);
        assert_eq!(renamed(body, 0), body);
    }
}
