//! Authentication: answers a 401 once by its challenge and once by something better to show, and remembers what the registry
//! wants.
//!
//! There is no request just to ask for a challenge: the request itself goes out, and when a registry is known to want
//! something, it is attached at once. What is attached, and whether to send again, is for the [`scheme`](crate::scheme).

mod memory;

use std::sync::Arc;

use http::StatusCode;

pub(crate) use self::memory::{Memory, NOBODY};
use crate::error::{Error, ErrorKind};
use crate::follow::{HOPS, Outgoing, follow};
use crate::request::is_expected;
use crate::response::Response;
use crate::scheme::{Answer, Next, Session};
use crate::service::Route;

/// Sends a request with what the registry wants to see, and once or twice more if it wants something else.
pub(crate) async fn authorize(session: &mut Session<'_>) -> Result<Response, Error> {
    session.recall().await;
    loop {
        session.undress();
        // A request that expects a 401 wants to see it.
        let wanted = is_expected(&session.request.expect, StatusCode::UNAUTHORIZED);
        if session.is_at_home() && !wanted {
            Arc::clone(&session.scheme).authorize(session).await?;
        }
        let response = attempt(session).await?;
        let refused = response.status() == StatusCode::UNAUTHORIZED && !wanted;
        if session.request.bare || !response.is_from_home() {
            return if refused {
                Err(from_elsewhere(session, response).await)
            } else {
                Ok(response)
            };
        }
        if wanted {
            return Ok(response);
        }
        let answer = Answer::of(&response);
        if refused {
            if !session.adopt(answer.challenges()) {
                return Err(unauthorized(session, response)
                    .await
                    .with_kind(ErrorKind::NoChallenge));
            }
            session.remember().await;
        }
        let next = Arc::clone(&session.scheme).answered(session, &answer).await?;
        if next == Next::Done || !session.may_resend() {
            return if refused { Err(unauthorized(session, response).await) } else { Ok(response) };
        }
        response.discard().await;
    }
}

/// Sends a request once, as it is dressed, and follows its redirects.
pub(crate) async fn attempt(session: &Session<'_>) -> Result<Response, Error> {
    let request = session.request;
    let redirect = |status: &u16| (300..400).contains(status);
    let outgoing = Outgoing {
        method: &request.method,
        url: session.url.clone(),
        headers: &session.headers,
        body: &request.body,
        stores: request.stores.max(request.body.size()),
        home: session.home.clone(),
        named: &session.home.origin,
        hops: HOPS,
        route: Route { bulk: request.bulk, fresh: session.fresh, ..Route::default() },
        limited: true,
        bare: request.bare,
        secret_body: false,
        keep_redirects: request.expect.iter().any(redirect),
    };
    follow(session.inner, outgoing).await
}

/// A final 401 of the registry.
async fn unauthorized(session: &Session<'_>, response: Response) -> Error {
    let error = response.into_error(session.inner.clock.time_of_day()).await;
    session.or_withheld(error, |error| match (&session.challenge, session.has_shown()) {
        (Some(_), false) => {
            error.with_hint(format!("no credential for {}; log in", session.registry()))
        }
        (None, false) => error.with_hint(
            "the registry asks for an authentication that is not supported, or does not say which",
        ),
        _ => error,
    })
}

/// A 401 of a server that a registry redirected to, or that content named: our secrets are not for it.
async fn from_elsewhere(session: &Session<'_>, response: Response) -> Error {
    let hint = if session.request.bare {
        "this URL is asked without a login, and its server wants one"
    } else {
        "the registry redirected to another server, which wants a login of its own"
    };
    response.into_error(session.inner.clock.time_of_day()).await.with_hint(hint)
}
