//! Tallybook from outside: the binary `tallybook`, PostgreSQL and HTTP, all real. `tests/README.md` says which test keeps
//! which promise.

mod backup;
mod books;
mod clock_races;
mod crash_points;
mod credit_races;
mod embedded;
mod faults;
mod importing;
mod items;
mod ledger;
mod plan_races;
mod replaying;
mod seat_races;
mod stripe_purchases;
mod success_page;
mod tampering;
mod two_servers;
mod webhooks;
