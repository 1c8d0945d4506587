//! The public contract of the domain's events: their bytes, and what each does to the books.

mod golden;
mod golden_files;
mod postings;
