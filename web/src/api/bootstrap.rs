//! The first owner: made once, by whoever can read the token that the gateway printed on its own machine.

use crate::{
    WebState,
    body::Json as Body,
    client_addr::Client,
    problem::Failure,
    tokens::{self, IssueError, Proven},
};
use axum::{Json, extract::State};
use postern_api::{BootstrapRequest, ProblemCode, oauth::TokenReply};
use postern_identity::{HashRefused, Password};
use postern_ids::{Name, SignInId, Timestamp, UserId};
use postern_policy::model::PrincipalId;
use postern_store::{Actor, BootstrapError, DeniedAct, NewOwner, SecretHash, User};
use postern_token::opaque::{Opaque, OpaqueKind};
use std::net::IpAddr;

pub(super) async fn bootstrap(
    State(state): State<WebState>,
    Client(address): Client,
    request: Result<Body<BootstrapRequest>, Failure>,
) -> Result<Json<TokenReply>, Failure> {
    let now = state.now();
    state.limits().bootstrap.admit(address, now).map_err(|after| {
        let next = "wait a minute, then try again";
        Failure::new(ProblemCode::RateLimited, "too many attempts from this address", next).retry_after(after)
    })?;
    let Body(request) = request?;
    let token = Opaque::parse_as(OpaqueKind::Bootstrap, &request.token).ok_or_else(spent)?;
    let name: Name = request.username.parse().map_err(|why| Failure::invalid(format!("username: {why}")))?;
    let password = Password::new(request.password, name.as_str())
        .map_err(|why| Failure::invalid(format!("password: {why}")))?;
    let password_hash = state.door().pool().hash(password).await.map_err(not_hashed)?;
    let user = User::local(UserId::mint(now, rand::random()), name);
    let owner = NewOwner { user, password_hash };
    let made = state.store().bootstrap(SecretHash(token.hash()), &owner, now).await;
    made.map_err(|why| {
        record(&state, &why, address, now);
        refused(why)
    })?;
    tracing::warn!(user.id = %owner.user.id, client.address = %address, "the first owner was made");
    let sign_in = SignInId::mint(now, rand::random());
    let proven = Proven { user: owner.user.id, sign_in, authenticated_at: now };
    tokens::begin_first(&state, proven, now).await.map(Json).map_err(not_issued)
}

/// Somebody wanted to own an installation: that belongs into the audit also when it came to nothing (A5).
fn record(state: &WebState, why: &BootstrapError, source: IpAddr, at: Timestamp) {
    let reason = match why {
        BootstrapError::Token => "token",
        BootstrapError::Done => "owned",
        BootstrapError::Change(_) => return,
    };
    tracing::warn!(client.address = %source, reason, "admin.denied: nobody was made an owner");
    let actor = Actor::system("bootstrap");
    let act = DeniedAct { actor, at, decision: None, action: "bootstrap", reason, source };
    state.denials().take(PrincipalId::Anonymous, act);
}

fn spent() -> Failure {
    Failure::new(
        ProblemCode::TokenSpent,
        "the bootstrap token is unknown, used or expired",
        "restart the gateway on an empty store to get a new one, or sign in as an owner",
    )
}

fn refused(why: BootstrapError) -> Failure {
    match why {
        BootstrapError::Token => spent(),
        BootstrapError::Done => Failure::new(
            ProblemCode::Conflict,
            "this installation has its owner already; nothing was changed",
            "sign in as an owner, or ask one for an account",
        ),
        BootstrapError::Change(why) => why.into(),
    }
}

pub(super) fn not_hashed(why: HashRefused) -> Failure {
    match why {
        HashRefused::Busy => {
            let busy = Failure::new(ProblemCode::Busy, why.to_string(), "try again in a few seconds");
            busy.retry_after(std::time::Duration::from_secs(3))
        }
        HashRefused::Failed => Failure::internal(),
    }
}

fn not_issued(why: IssueError) -> Failure {
    match why {
        IssueError::Refused => Failure::unauthenticated(),
        IssueError::Change(why) => why.into(),
        IssueError::Store(why) => why.into(),
        IssueError::Key(_) => Failure::internal(),
    }
}
