//! What tells one time series from another.

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;

/// A request by its route, as the interface names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

impl RequestLabels {
    /// Of a request to a route; of none where no route fits. Methods nobody asks for are one, whatever they are called.
    pub(crate) fn new(method: &Method, route: Option<&str>, status: StatusCode) -> Self {
        Self {
            method: match method.as_str() {
                "GET" => "GET",
                "HEAD" => "HEAD",
                "POST" => "POST",
                "PUT" => "PUT",
                "PATCH" => "PATCH",
                "DELETE" => "DELETE",
                _ => "other",
            },
            route: route.unwrap_or("none").to_owned(),
            status: status.as_u16(),
        }
    }
}

/// The same, whatever came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteLabels {
    method: &'static str,
    route: String,
}

impl From<&RequestLabels> for RouteLabels {
    fn from(request: &RequestLabels) -> Self {
        Self {
            method: request.method,
            route: request.route.clone(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ProjectionLabels {
    pub(super) projection: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StatusLabels {
    pub(super) status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PoolLabels {
    pub(super) pool: &'static str,
    pub(super) state: &'static str,
}
