//! A router that knows what it serves: a route is added with its answer, the rest is in the handler's signature.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};

use super::inputs::Inputs;
use super::operation::{Answers, Operation};
use crate::AppState;

/// Routes and their description.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<AppState>,
    operations: Vec<Operation>,
}

macro_rules! methods {
    ($($name:ident = $method:ident),+) => {$(
        #[doc = concat!(stringify!($method), " on a path.")]
        pub(crate) fn $name<H, T>(self, path: &str, handler: H, answers: Answers) -> Self
        where
            H: Handler<T, AppState>,
            T: Inputs + 'static,
        {
            self.add(Method::$method, MethodFilter::$method, path, handler, answers)
        }
    )+};
}

impl Routes {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    methods!(get = GET, post = POST, put = PUT, patch = PATCH, delete = DELETE);

    fn add<H, T>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &str,
        handler: H,
        answers: Answers,
    ) -> Self
    where
        H: Handler<T, AppState>,
        T: Inputs + 'static,
    {
        self.operations
            .push(Operation::new(method, path, answers, T::take_in));
        self.router = self.router.route(path, on(filter, handler));
        self
    }

    /// Those of another resource too.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.operations.extend(other.operations);
        self
    }

    /// Others, below a path.
    pub(crate) fn nest(mut self, path: &str, other: Self) -> Self {
        self.router = self.router.nest(path, other.router);
        self.operations.extend(
            other
                .operations
                .into_iter()
                .map(|operation| operation.below(path)),
        );
        self
    }

    /// What serves them, and what they are.
    pub(crate) fn into_parts(self) -> (Router<AppState>, Vec<Operation>) {
        (self.router, self.operations)
    }
}
