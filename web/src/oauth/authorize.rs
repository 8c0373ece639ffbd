//! The authorization endpoint: a browser comes from the command, and leads back to it with a code.
//!
//! A public client cannot prove which program it is, so the person is always asked (RFC 8252 section 8.6): a program that
//! squats a port gets no code by merely opening this address in a signed-in browser.

use super::{Words, loopback::Loopback};
use crate::{
    WebState,
    body::Form,
    pages::{FormGuard, Markup, Next, Page, PageFailure, Query, SignedIn, fill, see_other, text},
    problem::Failure,
};
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use postern_api::oauth::CLIENT_ID;
use postern_identity::{CodeChallenge, lifetimes};
use postern_ids::{SignInId, Timestamp};
use postern_store::{AuthorizationCode, SecretHash};
use postern_token::opaque::{Opaque, OpaqueKind};

const CONSENT: &str = include_str!("../pages/templates/authorize.html");
const HIDDEN: &str = include_str!("../pages/templates/hidden.html");
const CONTINUE: &str = include_str!("../pages/templates/continue.html");

/// The longest `state` that is carried along.
const STATE_MAX_BYTES: usize = 512;

/// The parameters that the form has to carry.
const CARRIED: [&str; 6] =
    ["response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method"];

/// A checked request: what it asks is known, and where its answer goes.
struct Asked {
    back: Loopback,
    state: String,
    challenge: CodeChallenge,
}

/// A request that is answered without asking the person.
enum Refused {
    /// Nobody knows where the answer belongs: a page.
    Here(PageFailure),
    /// The command is told.
    Back { back: Loopback, state: String, words: Words, description: &'static str },
}

impl Asked {
    fn read(form: &Form) -> Result<Self, Refused> {
        let here = |what| Refused::Here(PageFailure::BadRequest(what));
        if form.get("client_id") != Some(CLIENT_ID) {
            return Err(here("This gateway signs in only its own command."));
        }
        let back = form
            .get("redirect_uri")
            .and_then(Loopback::parse)
            .ok_or(here("The command did not say where on this computer it listens."))?;
        let state = form.get("state").unwrap_or_default().to_owned();
        let refused = |words, description| Refused::Back {
            back: back.clone(),
            state: state.chars().take(STATE_MAX_BYTES).collect(),
            words,
            description,
        };
        if state.is_empty() || state.len() > STATE_MAX_BYTES {
            return Err(refused(Words::InvalidRequest, "state must have 1 to 512 bytes"));
        }
        if form.get("response_type") != Some("code") {
            return Err(refused(Words::UnsupportedResponseType, "response_type must be code"));
        }
        let challenge = form.get("code_challenge").unwrap_or_default();
        let challenge = CodeChallenge::parse(challenge, form.get("code_challenge_method"))
            .map_err(|_| refused(Words::InvalidRequest, "PKCE with S256 is required"))?;
        Ok(Self { back, state, challenge })
    }
}

pub(crate) async fn ask(
    State(state): State<WebState>,
    Query { parts: form, text: query }: Query,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let asked = match Asked::read(&form) {
        Ok(asked) => asked,
        Err(refused) => return answer_refused(&state, refused),
    };
    match SignedIn::of(&state, &headers, state.now()).await? {
        Some(signed_in) => Ok(consent(&headers, &signed_in, &asked, &form)?.into_response()),
        None => Ok(see_other(&Next::parse(&format!("/oauth/authorize?{query}")).sign_in_url())),
    }
}

pub(crate) async fn answer(
    State(state): State<WebState>,
    headers: HeaderMap,
    form: Result<Form, Failure>,
) -> Result<Response, PageFailure> {
    let form = form?;
    FormGuard::check(&headers, &form, state.issuer())?;
    let asked = match Asked::read(&form) {
        Ok(asked) => asked,
        Err(refused) => return answer_refused(&state, refused),
    };
    let now = state.now();
    let Some(signed_in) = SignedIn::of(&state, &headers, now).await? else {
        return Err(PageFailure::BadRequest("Your sign-in ended meanwhile."));
    };
    match form.get("answer") {
        Some("allow") => {
            let code = issue(&state, &signed_in, &asked, now).await?;
            Ok(lead_back(&state, &asked.back, &[("code", code.reveal()), ("state", &asked.state)]))
        }
        _ => answer_refused(
            &state,
            Refused::Back {
                back: asked.back,
                state: asked.state,
                words: Words::AccessDenied,
                description: "the person refused",
            },
        ),
    }
}

async fn issue(
    state: &WebState,
    signed_in: &SignedIn,
    asked: &Asked,
    now: Timestamp,
) -> Result<Opaque, PageFailure> {
    let code = Opaque::from_entropy(OpaqueKind::AuthorizationCode, rand::random());
    let sign_in = SignInId::mint(now, rand::random());
    let stored = AuthorizationCode {
        hash: SecretHash(code.hash()),
        client_id: CLIENT_ID.to_owned(),
        redirect_uri: asked.back.uri(),
        code_challenge: asked.challenge.as_str().to_owned(),
        user: signed_in.user.id,
        sign_in,
        authenticated_at: signed_in.sign_in.authenticated_at,
        expires_at: now.plus(lifetimes::AUTHORIZATION_CODE),
    };
    state.store().issue_authorization_code(&stored, signed_in.sign_in.id, now).await?;
    Ok(code)
}

fn consent(
    headers: &HeaderMap,
    signed_in: &SignedIn,
    asked: &Asked,
    form: &Form,
) -> Result<Page, PageFailure> {
    let guard = FormGuard::of(headers)?;
    let fields: Vec<Markup> = CARRIED
        .iter()
        .map(|name| {
            fill(HIDDEN, &[("name", text(name)), ("value", text(form.get(name).unwrap_or_default()))])
        })
        .collect();
    let hours = lifetimes::COMMAND_SIGN_IN.as_secs() / 3600;
    let body = fill(
        CONSENT,
        &[
            ("user", text(signed_in.user.name.as_str())),
            ("listener", text(asked.back.origin())),
            ("hours", text(hours.to_string())),
            ("csrf", guard.field()),
            ("fields", Markup::join(&fields)),
        ],
    );
    let page = Page::new("Sign in the command?", body).header(header::SET_COOKIE, guard.set_cookie());
    Ok(if asked.back.host.is_ipv4() { page.form_target(asked.back.origin()) } else { page })
}

fn answer_refused(state: &WebState, refused: Refused) -> Result<Response, PageFailure> {
    match refused {
        Refused::Here(failure) => Err(failure),
        Refused::Back { back, state: carried, words, description } => {
            let mut parameters = vec![("error", words.as_str()), ("error_description", description)];
            if !carried.is_empty() {
                parameters.push(("state", &carried));
            }
            Ok(lead_back(state, &back, &parameters))
        }
    }
}

/// Sends the browser to the command's listener, naming the issuer (RFC 9207).
fn lead_back(state: &WebState, back: &Loopback, parameters: &[(&str, &str)]) -> Response {
    let location = back.with(&[parameters, &[("iss", state.issuer())]].concat());
    if back.host.is_ipv4() {
        return see_other(&location);
    }
    // A content security policy cannot name an IPv6 address, so a form may not be redirected to one; a page may lead there.
    let body = fill(CONTINUE, &[("location", text(&location))]);
    Page::new("Back to the command", body).continue_at(&location).into_response()
}
