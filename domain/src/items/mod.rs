//! Items: things that are sold once, paid in credits.
//!
//! An item is a stream of its own. A sale is one unit over two streams: the item's, where only one buyer can be next, and
//! the buyer's, where the credits are used. Either refuses for both, so a loser pays nothing and a buyer without credits
//! buys nothing.

mod event;
mod refusal;

pub use event::{ItemEvent, ItemFact, ItemListed, ItemReturned, ItemSold};
pub use refusal::ItemRefusal;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aggregate::{Aggregate, Timestamp};
use crate::identity::{AccountId, DebitId, StreamId, TenantId};

/// One item.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    listed: Option<ItemListed>,
    sale: Option<Sale>,
    /// Sales that were undone, by the return's id: a retry of a return must find whose it was.
    returns: BTreeMap<String, ItemSold>,
    last_at: Timestamp,
}

/// A sale that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// Who bought it, and what paid for it.
    #[serde(flatten)]
    pub sold: ItemSold,
    /// When.
    pub sold_at: Timestamp,
}

/// A request to an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemCommand {
    /// Offer it.
    List(ItemListed),
    /// Buy it, if nobody has.
    Sell {
        /// For whom.
        buyer: AccountId,
        /// The use of credits that pays for it.
        debit: DebitId,
    },
    /// Give back the sale that this use of credits paid for.
    Return {
        /// Which.
        debit: DebitId,
        /// The id of this return.
        refund: String,
    },
}

impl Item {
    /// The stream of an item.
    pub fn stream(tenant: &TenantId, item: &str) -> StreamId {
        StreamId::named(tenant, &format!("item:{item}"))
    }

    /// What it is and costs; none if there is no such item.
    pub fn listed(&self) -> Option<&ItemListed> {
        self.listed.as_ref()
    }

    /// The sale that stands.
    pub fn sale(&self) -> Option<&Sale> {
        self.sale.as_ref()
    }

    /// The sale that a return undid.
    pub fn returned(&self, refund: &str) -> Option<&ItemSold> {
        self.returns.get(refund)
    }

    fn judge(&self, command: &ItemCommand) -> Result<ItemFact, ItemRefusal> {
        if let ItemCommand::List(item) = command {
            return match &self.listed {
                Some(_) => Err(ItemRefusal::Exists),
                None if !item.units.is_positive() => Err(ItemRefusal::NotPositive),
                None => Ok(ItemFact::ItemListed(item.clone())),
            };
        }
        if self.listed.is_none() {
            return Err(ItemRefusal::NotFound);
        }
        match (command, &self.sale) {
            (ItemCommand::Sell { buyer, debit }, None) => Ok(ItemFact::ItemSold(ItemSold {
                buyer: buyer.clone(),
                debit: debit.clone(),
            })),
            (ItemCommand::Return { debit, refund }, Some(sale)) if sale.sold.debit == *debit => {
                Ok(ItemFact::ItemReturned(ItemReturned {
                    buyer: sale.sold.buyer.clone(),
                    debit: debit.clone(),
                    refund: refund.clone(),
                }))
            }
            (ItemCommand::Return { debit, .. }, _) => Err(self.not_to_return(debit)),
            (ItemCommand::Sell { .. } | ItemCommand::List(_), Some(sale)) => Err(ItemRefusal::AlreadySold {
                sold_at: sale.sold_at,
            }),
            (ItemCommand::List(_), None) => Err(ItemRefusal::Exists),
        }
    }

    /// Why the sale that this use of credits paid for can't be given back.
    pub fn not_to_return(&self, debit: &DebitId) -> ItemRefusal {
        let sale = self.sale.as_ref();
        if let Some((refund, _)) = self.returns.iter().find(|(_, sold)| sold.debit == *debit) {
            return ItemRefusal::Returned {
                debit: debit.clone(),
                refund: refund.clone(),
                sold_at: sale.map(|sale| sale.sold_at),
            };
        }
        match sale {
            Some(sale) => ItemRefusal::OtherSale {
                debit: debit.clone(),
                paid_by: sale.sold.debit.clone(),
                sold_at: sale.sold_at,
            },
            None => ItemRefusal::NotSold,
        }
    }
}

impl Aggregate for Item {
    const TYPE: &'static str = "item";
    const SHAPE: &'static str = crate::SHAPE;
    type Command = ItemCommand;
    type Event = ItemEvent;
    type Refusal = ItemRefusal;

    fn decide(&self, command: &ItemCommand, at: Timestamp) -> Result<Vec<ItemEvent>, ItemRefusal> {
        let fact = self.judge(command)?;
        let at = at.max(self.last_at);
        Ok(vec![ItemEvent {
            fact,
            at,
            effective_at: at,
        }])
    }

    fn evolve(&mut self, event: &ItemEvent) {
        self.last_at = event.at;
        match &event.fact {
            ItemFact::ItemListed(listed) => self.listed = Some(listed.clone()),
            ItemFact::ItemSold(sold) => {
                self.sale = Some(Sale {
                    sold: sold.clone(),
                    sold_at: event.effective_at,
                });
            }
            ItemFact::ItemReturned(returned) => {
                self.sale = None;
                let undone = ItemSold {
                    buyer: returned.buyer.clone(),
                    debit: returned.debit.clone(),
                };
                self.returns.insert(returned.refund.clone(), undone);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::UnitCode;
    use crate::quantity::Units;

    fn hour(n: i64) -> Timestamp {
        Timestamp::default() + chrono::Duration::hours(n)
    }

    fn run(item: &mut Item, command: &ItemCommand, at: i64) -> Result<(), ItemRefusal> {
        for event in item.decide(command, hour(at))? {
            item.evolve(&event);
        }
        Ok(())
    }

    fn list(credits: i64) -> ItemCommand {
        ItemCommand::List(ItemListed {
            item: "lead_1".to_owned(),
            units: Units::from_micros(credits),
            unit: UnitCode::default(),
            feature: None,
            reference: None,
        })
    }

    fn sell(buyer: &str) -> ItemCommand {
        ItemCommand::Sell {
            buyer: buyer.into(),
            debit: format!("debit_{buyer}").into(),
        }
    }

    fn give_back(buyer: &str) -> ItemCommand {
        ItemCommand::Return {
            debit: format!("debit_{buyer}").into(),
            refund: format!("refund_{buyer}"),
        }
    }

    #[test]
    fn case_22_one_buyer_has_it_and_the_next_is_told_since_when() {
        let mut item = Item::default();
        assert_eq!(run(&mut item, &sell("a"), 1), Err(ItemRefusal::NotFound));
        assert_eq!(run(&mut item, &list(0), 1), Err(ItemRefusal::NotPositive));
        run(&mut item, &list(1), 1).expect("new");
        assert_eq!(run(&mut item, &list(2), 2), Err(ItemRefusal::Exists));
        run(&mut item, &sell("a"), 2).expect("free");
        let sold = Err(ItemRefusal::AlreadySold { sold_at: hour(2) });
        assert_eq!(run(&mut item, &sell("b"), 3), sold);
        assert_eq!(run(&mut item, &sell("a"), 3), sold, "nor twice to one");
        assert_eq!(run(&mut item, &list(2), 3), Err(ItemRefusal::Exists));
    }

    #[test]
    fn case_21_a_return_frees_it_once_and_only_its_own_sale() {
        let mut item = Item::default();
        run(&mut item, &list(1), 0).expect("new");
        assert_eq!(run(&mut item, &give_back("a"), 1), Err(ItemRefusal::NotSold));
        run(&mut item, &sell("a"), 1).expect("free");
        assert_eq!(
            run(&mut item, &give_back("b"), 2),
            Err(ItemRefusal::OtherSale {
                debit: "debit_b".into(),
                paid_by: "debit_a".into(),
                sold_at: hour(1)
            })
        );
        run(&mut item, &give_back("a"), 2).expect("a has it");
        let returned = |sold_at| {
            Err(ItemRefusal::Returned {
                debit: "debit_a".into(),
                refund: "refund_a".to_owned(),
                sold_at,
            })
        };
        assert_eq!(run(&mut item, &give_back("a"), 3), returned(None));
        run(&mut item, &sell("b"), 3).expect("free again");
        assert_eq!(
            run(&mut item, &give_back("a"), 4),
            returned(Some(hour(3))),
            "what b bought is not a's to give back"
        );
        assert_eq!(item.sale().map(|sale| sale.sold.buyer.as_str()), Some("b"));
        assert_eq!(
            item.returned("refund_a").map(|sold| sold.buyer.as_str()),
            Some("a")
        );
    }
}
