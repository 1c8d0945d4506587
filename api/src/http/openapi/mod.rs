//! The interface as an OpenAPI 3.1 document, and a page to read it.
//!
//! Nothing is said twice: what a handler takes in is read off its signature ([`inputs`]), shapes off the types that are
//! read and written ([`schemas`] for those read by hand), codes off the list that every problem is checked against
//! ([`super::codes`]). A route is added with the type it answers ([`mod@routes`]), and there is no other way to add one.

mod document;
mod inputs;
mod operation;
mod routes;
mod schemas;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;

pub(crate) use operation::{answers, answers_text, creates};
pub(crate) use routes::Routes;

/// The page: it holds the document, so that a copy of it reads the same without a network.
const PAGE: &str = include_str!("page.html");

/// Where the document is put into the page.
const PLACE: &str = "\"the document\"";

/// The document, which is the same for the life of the process.
pub fn document() -> &'static str {
    &DOCUMENT
}

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let (_, operations) = super::routes().into_parts();
    document::of(&operations).to_string()
});

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/openapi.json", shown, answers::<Value>("This document"))
        .get(
            "/docs",
            page,
            answers_text("text/html", "This document as a page"),
        )
}

async fn shown() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}

async fn page() -> Html<String> {
    // In a script element nothing but `</` could end the text early.
    Html(PAGE.replacen(PLACE, &document().replace("</", "<\\/"), 1))
}
