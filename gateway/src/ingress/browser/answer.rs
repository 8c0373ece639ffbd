//! Why a request has no answer of the application, and how that is said: as a page to people, as a problem to programs.

use super::{hosts::App, request::Nature};
use crate::sessions::Refused;
use axum::body::Body;
use http::Response;
use postern_ids::{Ended, Refusal};
use postern_policy::Fresher;
use postern_web::apps::{self, AppPage};
use url::form_urlencoded;

/// Why there is no answer of the application.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The request cannot be taken as it is.
    Refused(postern_canonical::Refused),
    /// Policy says no, or something that policy needs is away; with what of a person would turn it.
    Denied(Box<Refused>, Option<Fresher>),
    /// There is no way to the application.
    NotOpened(Box<Refused>),
    /// The right to it ended meanwhile.
    Ended(Ended),
    /// The application took too long.
    Timeout,
    /// The application breaks the protocol or the connection.
    BadUpstream,
    /// A page of somebody else opened a WebSocket.
    Foreign,
    /// The application cannot be told who asks.
    NotAsserted,
}

/// Who is answered, and about what.
pub(super) struct About<'a> {
    pub(super) app: &'a App,
    pub(super) nature: &'a Nature,
    /// The name of whoever asked; empty for nobody.
    pub(super) user: &'a str,
    /// What was asked for: path and query.
    pub(super) next: &'a str,
}

/// The answer.
pub(super) fn told(trouble: &Trouble, about: &About<'_>) -> Response<Body> {
    let (resource, request) = (about.app.resource.name.as_str(), about.nature.id.to_string());
    let request = request.as_str();
    tracing::debug!(resource, request.id = request, trouble = ?trouble, "a browser was not served");
    let step_up = step_up(trouble, about.next);
    let page = match trouble {
        Trouble::Refused(refused) => return bad_request(*refused, about.nature),
        Trouble::Denied(refused, _) | Trouble::NotOpened(refused) => {
            of_refusal(refused, about, (request, step_up.as_deref()))
        }
        Trouble::Ended(Ended::Finished | Ended::GatewayStopped) => AppPage::Unavailable { request },
        Trouble::Ended(_) => AppPage::SignedOutMeanwhile,
        Trouble::Timeout => AppPage::Timeout { resource, request },
        Trouble::NotAsserted => AppPage::Unavailable { request },
        Trouble::BadUpstream => AppPage::BadUpstream { resource, request },
        Trouble::Foreign => AppPage::Foreign { label: "origin" },
    };
    say(page, about.nature)
}

/// The address that asks a person to prove more, where that would help.
fn step_up(trouble: &Trouble, next: &str) -> Option<String> {
    let Trouble::Denied(_, Some(fresher)) = trouble else { return None };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", next).append_pair("max_age", "0");
    if fresher.second_factor {
        query.append_pair("mfa", "1");
    }
    if let Some(acr) = &fresher.acr {
        query.append_pair("acr", acr);
    }
    Some(format!("/.postern/sign-in?{}", query.finish()))
}

fn of_refusal<'a>(
    refused: &'a Refused,
    about: &'a About<'_>,
    (request, step_up): (&'a str, Option<&'a str>),
) -> AppPage<'a> {
    let resource = about.app.resource.name.as_str();
    match (refused.refusal, refused.decision) {
        (
            Refusal::NoConnector
            | Refusal::TryNext
            | Refusal::Draining
            | Refusal::LinkLost
            | Refusal::GrantRefused,
            _,
        ) => AppPage::NoConnector { resource, request },
        (Refusal::TargetUnreachable | Refusal::TargetNotAllowed, _) => {
            AppPage::TargetFailed { resource, request }
        }
        (Refusal::Timeout, _) => AppPage::Timeout { resource, request },
        (Refusal::Limit, _) => AppPage::Limit { retry_after_s: 5 },
        (Refusal::NotRecorded | Refusal::PolicyStale, _) => AppPage::Unavailable { request },
        (_, Some(decision)) => {
            AppPage::Denied { resource, sentence: &refused.message, decision, user: about.user, step_up }
        }
        (_, None) => AppPage::SignedOutMeanwhile,
    }
}

/// A request that cannot be taken as it is.
pub(super) fn bad_request(refused: postern_canonical::Refused, nature: &Nature) -> Response<Body> {
    say(AppPage::BadRequest { label: refused.label(), status: refused.status() }, nature)
}

/// As a page or as a problem.
pub(super) fn say(page: AppPage<'_>, nature: &Nature) -> Response<Body> {
    if nature.shows_pages { apps::page(page) } else { apps::problem(page) }
}
