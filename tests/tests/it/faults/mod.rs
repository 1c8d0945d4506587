//! Whatever dies, freezes or lies: what was acknowledged is there once, and nothing is there by halves.
//!
//! Every test has the same course. A [`scene::Scene`] is a PostgreSQL that flushes what it commits, and two engines on
//! it. A [`load::Load`] of callers writes to both, under idempotency keys, and remembers every acknowledgement. In the
//! middle of it something happens. After it the load must get on again, and then the [`witness`] compares all that was
//! acknowledged with the log, asks for the rest again, and has the books verified. `docs/RELIABILITY.md` says what
//! these tests showed, and how often.

mod clock_steps;
mod cut_connection;
mod disk_full;
mod frozen_engine;
mod kill_backend;
mod kill_engine;
mod kill_postmaster;
mod load;
mod scene;
mod slow_flush;
mod witness;
