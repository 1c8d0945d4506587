//! Recorded streams: reading them in the forms people have, perturbing them by seed, hashing the [`state`] they settle to
//! and comparing it with what was expected.
//!
//! Bodies are never collected: [`StreamReader`] yields one at a time, a [`Place`] remembers where it stands, and a
//! [`Perturbation`] orders indexes.

mod document;
mod expectation;
mod minimisation;
mod perturbation;
mod reader;
mod renaming;
pub mod state;

pub use expectation::{Difference, Expectation, ExpectationError};
pub use minimisation::Minimisation;
pub use perturbation::{Order, Perturbation, Probability, ProbabilityError, Step, twin_of};
pub use reader::{Line, Place, Recorded, Refused, StreamReader};
pub use renaming::renamed;
