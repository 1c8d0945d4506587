//! Terms in versions: published by a write, read from the catalog's stream.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use tallybook_domain::Timestamp;
use tallybook_domain::catalog::{Catalog, CatalogCommand, CatalogFact, History};
use tallybook_journal::Executed;

use crate::AppState;
use crate::http::caller::{Authorized, Finance, Reading};
use crate::http::page::{Page, PageRequest};
use crate::http::problem::Problem;
use crate::http::request::{Parameters, PathIds};
use crate::http::wire::Instant;
use crate::http::write::{Write, answer};

/// Terms as the interface shows them.
pub(super) trait Terms: Sized + 'static {
    /// Their body.
    type Body: Serialize;
    /// These terms.
    fn body(&self) -> Self::Body;
    /// These terms, if a fact published them.
    fn published(fact: &CatalogFact) -> Option<&Self>;
    /// Every one of the catalog, by id.
    fn all(catalog: &Catalog) -> impl Iterator<Item = (&str, &History<Self>)>;
    /// What one of them is called: the path's parameter, and what is not found.
    const NAME: &'static str;
    /// The code of the problem if there is none such.
    const NOT_FOUND: &'static str;
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VersionOf{B}")]
pub(super) struct VersionBody<B> {
    #[serde(flatten)]
    terms: B,
    effective_from: Instant,
    published_at: Instant,
}

/// A request that says from when its terms hold.
pub(super) trait Dated: Serialize {
    fn effective_from(&self) -> Option<Timestamp>;
}

pub(super) async fn publish<T: Terms, R: Dated>(
    state: &AppState,
    write: &Write<Finance>,
    request: &R,
    command: impl FnOnce(Option<Timestamp>) -> CatalogCommand,
) -> Result<Response, Problem> {
    let envelope = write.envelope(request);
    let stream = Catalog::stream(&write.caller.tenant);
    let command = command(request.effective_from());
    let executed = state
        .journal
        .execute::<Catalog>(&stream, command, envelope)
        .await?;
    let body = published_body::<T>(&executed).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::OK, &executed, &body))
}

/// The answer, from the command's event alone.
pub(super) fn published_body<T: Terms>(executed: &Executed<Catalog>) -> Option<VersionBody<T::Body>> {
    executed.events.iter().find_map(|event| {
        Some(VersionBody {
            terms: T::published(&event.fact)?.body(),
            effective_from: Instant(event.effective_at),
            published_at: Instant(event.at),
        })
    })
}

/// One thing of the catalog with all its versions, in the order they come into force.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HistoryOf{B}")]
pub(super) struct HistoryBody<B> {
    id: String,
    /// The terms in force now; none before the first version's time.
    current: Option<B>,
    versions: Vec<VersionBody<B>>,
}

pub(super) fn history_body<T: Terms>(id: &str, history: &History<T>, now: Timestamp) -> HistoryBody<T::Body> {
    HistoryBody {
        id: id.to_owned(),
        current: history.at(now).map(Terms::body),
        versions: history
            .versions()
            .iter()
            .map(|version| VersionBody {
                terms: version.terms.body(),
                effective_from: Instant(version.effective_from),
                published_at: Instant(version.published_at),
            })
            .collect(),
    }
}

pub(super) async fn load(state: &AppState, caller: &Authorized<Reading>) -> Result<Catalog, Problem> {
    Ok(state
        .journal
        .load::<Catalog>(&Catalog::stream(&caller.tenant))
        .await?
        .state)
}

/// Every one of the catalog.
pub(super) async fn list<T: Terms>(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Parameters(page): Parameters<PageRequest>,
) -> Result<Json<Page<HistoryBody<T::Body>>>, Problem> {
    let catalog = load(&state, &caller).await?;
    let now = state.present.of_server();
    let things = T::all(&catalog).map(|(id, history)| (id, (id, history)));
    Ok(Json(page.of_sorted(things, |(id, history)| {
        history_body(id, history, now)
    })?))
}

/// One of them.
pub(super) async fn show<T: Terms>(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    ids: PathIds,
) -> Result<Json<HistoryBody<T::Body>>, Problem> {
    let wanted = ids.id(T::NAME)?;
    let catalog = load(&state, &caller).await?;
    let (id, history) = T::all(&catalog)
        .find(|(id, _)| *id == wanted)
        .ok_or_else(|| Problem::not_found(T::NOT_FOUND, format!("the catalog has no such {}", T::NAME)))?;
    Ok(Json(history_body(id, history, state.present.of_server())))
}
