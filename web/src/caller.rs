//! Who calls the API: an access token or a service account's token, checked against the store on every request.

use crate::{WebState, client_addr::Client, problem::Failure};
use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use postern_api::{PrincipalKind, PrincipalView};
use postern_identity::Bearer;
use postern_ids::{DecisionId, Timestamp};
use postern_policy::{
    admin::{AdminAction, AdminDeny, AdminPermit, AdminRequest, decide_admin},
    model::{Credential, Principal, PrincipalId},
};
use postern_store::{Actor, DeniedAct, SecretHash, ServiceAccount, SignIn, User};
use postern_token::{ACCESS_AUDIENCE, Expect, opaque::Opaque, verify_access};
use std::{net::IpAddr, sync::Arc};

/// A proven caller.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) principal: Arc<Principal>,
    pub(crate) credential: Credential,
    pub(crate) sign_in: Option<SignIn>,
    pub(crate) display_name: String,
    pub(crate) address: IpAddr,
}

impl Caller {
    /// Who the audit says made a change.
    pub(crate) fn actor(&self) -> Actor {
        match self.principal.id {
            PrincipalId::User(id) => {
                Actor::User { id, sign_in: self.sign_in.as_ref().map(|sign_in| sign_in.id) }
            }
            PrincipalId::ServiceAccount(id) => Actor::ServiceAccount { id },
            PrincipalId::Anonymous => Actor::system("anonymous"),
        }
    }

    /// The caller as the API shows principals.
    pub(crate) fn view(&self) -> PrincipalView {
        view(self.principal.id, &self.principal.name)
    }

    /// Proof that the caller may administer so; the denial is recorded and shows its decision.
    pub(crate) fn may(&self, state: &WebState, action: AdminAction) -> Result<AdminPermit, Failure> {
        self.decide(state, action).map_err(|deny| {
            let (decision, reason) = (deny.decision(), deny.reason());
            tracing::info!(
                principal.id = %self.principal.id,
                decision.id = %decision,
                action = action.label(),
                reason = reason.label(),
                "admin.denied: {}",
                reason.sentence()
            );
            let act = DeniedAct {
                actor: self.actor(),
                at: state.now(),
                decision: Some(decision),
                action: action.label(),
                reason: reason.label(),
                source: self.address,
            };
            state.denials().take(self.principal.id, act);
            Failure::denied(decision, "only owners may do this")
        })
    }

    fn decide(&self, state: &WebState, action: AdminAction) -> Result<AdminPermit, Box<AdminDeny>> {
        let now = state.now();
        let request = AdminRequest {
            decision: DecisionId::mint(now, rand::random()),
            principal: Arc::clone(&self.principal),
            credential: self.credential.clone(),
            action,
        };
        let (snapshot, _) = state.config().snapshots.current();
        decide_admin(&request, &snapshot, now).map_err(Box::new)
    }

    /// Whether the caller may administer so, where a no leads to seeing less and not to a refusal.
    pub(crate) fn could(&self, state: &WebState, action: AdminAction) -> bool {
        self.decide(state, action).is_ok()
    }
}

/// A principal as the API shows it.
pub(crate) fn view(id: PrincipalId, name: &str) -> PrincipalView {
    let (kind, id) = match id {
        PrincipalId::User(id) => (PrincipalKind::User, id.to_string()),
        PrincipalId::ServiceAccount(id) => (PrincipalKind::ServiceAccount, id.to_string()),
        PrincipalId::Anonymous => (PrincipalKind::Anonymous, String::new()),
    };
    PrincipalView { kind, id, name: name.to_owned() }
}

impl FromRequestParts<WebState> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Failure> {
        let Client(address) = Client::from_request_parts(parts, state).await?;
        let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
        let (Some(header), None) = (headers.next(), headers.next()) else {
            return Err(Failure::unauthenticated());
        };
        let header = header.to_str().map_err(|_| Failure::unauthenticated())?;
        let now = state.now();
        match Bearer::parse(header).map_err(|_| Failure::unauthenticated())? {
            Bearer::Access(token) => person(state, token, address, now).await,
            Bearer::ServiceAccount(token) => program(state, &token, address, now).await,
        }
    }
}

async fn person(state: &WebState, token: &str, address: IpAddr, now: Timestamp) -> Result<Caller, Failure> {
    let keys = state.config().keys.keys();
    let expect = Expect { issuer: state.issuer(), audience: ACCESS_AUDIENCE };
    let claims = verify_access(token, keys.access_keys(), expect, now).map_err(|rejected| {
        tracing::info!(client.address = %address, reason = rejected.label(), "authn.rejected: {rejected}");
        Failure::unauthenticated()
    })?;
    // The store, not the snapshot: whoever is signed out is out with the next request.
    let sign_in = state.store().sign_in(claims.sid).await?;
    let sign_in = sign_in.filter(|found| found.user == claims.sub && found.is_live(now));
    let sign_in = sign_in.ok_or_else(Failure::unauthenticated)?;
    state.uses().note(sign_in.id);
    let user = state.store().find::<User>(&claims.sub).await?;
    let user = user.filter(|user| !user.value.disabled).ok_or_else(Failure::unauthenticated)?.value;
    let principal = state.store().principal(PrincipalId::User(user.id)).await?;
    Ok(Caller {
        principal: Arc::new(principal.ok_or_else(Failure::unauthenticated)?),
        credential: Credential::SignIn(Arc::new(sign_in.facts())),
        sign_in: Some(sign_in),
        display_name: user.display_name.unwrap_or_default(),
        address,
    })
}

async fn program(
    state: &WebState,
    token: &Opaque,
    address: IpAddr,
    now: Timestamp,
) -> Result<Caller, Failure> {
    let token = state.store().service_token(SecretHash(token.hash())).await?;
    let token = token.filter(|token| token.is_live(now)).ok_or_else(Failure::unauthenticated)?;
    let account = state.store().find::<ServiceAccount>(&token.account).await?;
    account.filter(|account| !account.value.disabled).ok_or_else(Failure::unauthenticated)?;
    let principal = state.store().principal(PrincipalId::ServiceAccount(token.account)).await?;
    Ok(Caller {
        principal: Arc::new(principal.ok_or_else(Failure::unauthenticated)?),
        credential: Credential::Token(Arc::new(token.facts())),
        sign_in: None,
        display_name: String::new(),
        address,
    })
}
