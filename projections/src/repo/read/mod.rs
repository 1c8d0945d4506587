//! What is read for the interfaces: the live builds, through the views of `public`.

pub(crate) mod accounts;
pub(crate) mod books;
pub(crate) mod credits;
pub(crate) mod events;
pub(crate) mod exports;
pub(crate) mod moment;
