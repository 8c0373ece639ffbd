//! From a decided request to the application's answer: what is forwarded is what was decided on (D7), and who asks is said
//! by us alone (D8).

use super::{
    BrowserIngress,
    answer::Trouble,
    body::Down,
    cors,
    hosts::App,
    identity::About,
    interim::Interim,
    outward::{fit, prepare},
    request::{Nature, Upgrade},
    right::Right,
    table::Place,
    up::{Moved, Up},
    upgrade::Carriage,
    upstream::{Connection, NotConnected, Unanswered, connect},
};
use crate::{listen::Client, policies::wall_clock};
use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode, header};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use postern_canonical::CanonicalRequest;
use postern_policy::{
    Permit,
    model::{Resource, Web},
};
use std::{sync::Arc, time::Duration};

/// Connections tried, when kept ones turn out to be gone.
const ATTEMPTS_MAX: usize = 3;

/// One decided request.
pub(super) struct Exchange {
    pub(super) request: Request<Incoming>,
    pub(super) canonical: CanonicalRequest,
    pub(super) app: App,
    pub(super) nature: Nature,
    pub(super) client: Client,
    pub(super) permit: Permit,
    pub(super) place: Place,
    /// Whether its `Authorization` was for us.
    pub(super) strip_authorization: bool,
}

/// An answer's way back.
struct Back {
    right: Right,
    place: Place,
    idle: Duration,
}

impl BrowserIngress {
    /// Forwards it and gives the answer, or says why there is none.
    pub(super) async fn forward(&self, exchange: Exchange) -> Result<Response<Body>, Trouble> {
        let Exchange { mut request, canonical, app, nature, client, permit, place, strip_authorization } =
            exchange;
        let web = app.resource.web.clone().unwrap_or_default();
        if nature.upgrade == Some(Upgrade::WebSocket) {
            check_origin(&nature, &app, &web)?;
        }
        let browser = nature.upgrade.map(|_| hyper::upgrade::on(&mut request));
        let (mut parts, body) = request.into_parts();
        if strip_authorization {
            parts.headers.remove(header::AUTHORIZATION);
        }
        prepare(&mut parts, (&canonical, &app, &web), (&nature, &client))?;
        self.identify(&mut parts.headers, (&permit, &app), &place).await?;
        let moved = Moved::default();
        let right = Right::new(Arc::clone(&self.door), permit, place.session().cut().clone());
        let body = Up::new(body, Arc::clone(&place.entered().session), right.upward(), moved.clone());
        let patience = Duration::from_secs(web.timeouts.response_s.into());
        let mut request = Request::from_parts(parts, body);
        let interim = Interim::count(&mut request);
        let (mut response, connection) = tokio::select! {
            biased;
            ended = right.ended() => return Err(Trouble::Ended(ended)),
            answered = self.ask(request, &app.resource, &place) => answered?,
            () = interim.too_many() => return Err(Trouble::BadUpstream),
            () = moved.quiet(patience) => return Err(Trouble::Timeout),
        };
        interim.check()?;
        let back = Back { right, place, idle: Duration::from_secs(web.timeouts.idle_s.into()) };
        let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        fit(&mut response, canonical.host(), &web, switches)?;
        if switches {
            let asked = nature.upgrade.zip(browser).ok_or(Trouble::BadUpstream)?;
            return Ok(self.switch(response, asked, back));
        }
        let Back { right, place, idle } = back;
        response.extensions_mut().insert(right.cut_short());
        Ok(response.map(|inner| Body::new(Down::new(inner, right, place, connection, idle))))
    }

    /// Says who asks, in our own name.
    async fn identify(
        &self,
        headers: &mut HeaderMap,
        (permit, app): (&Permit, &App),
        place: &Place,
    ) -> Result<(), Trouble> {
        let snapshot = self.policies.snapshot();
        let audience = format!("https://{}", app.authority);
        let about = About {
            session: place.session().permit().session(),
            principal: permit.principal(),
            resource: &app.resource,
            audience: &audience,
            snapshot: &snapshot,
        };
        let asserted = self.asserter.assert(&place.entered().told, &about, wall_clock()).await;
        let asserted = asserted.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "nobody can be told who asks");
            Trouble::NotAsserted
        })?;
        if let Some(asserted) = asserted {
            asserted.write(headers);
        }
        Ok(())
    }

    /// The answer of the application, and the connection that it comes over.
    async fn ask(
        &self,
        mut request: Request<Up>,
        resource: &Arc<Resource>,
        place: &Place,
    ) -> Result<(Response<Incoming>, Connection), Trouble> {
        for attempt in 1.. {
            let (mut connection, is_fresh) = match place.entered().pool.take() {
                Some(kept) if attempt < ATTEMPTS_MAX => (kept, false),
                _ => (self.connect(resource, place).await?, true),
            };
            match connection.send(request).await {
                Ok(response) => return Ok((response, connection)),
                Err(Unanswered::Unsent(unsent)) if !is_fresh => request = *unsent,
                Err(Unanswered::Unsent(_)) => return Err(Trouble::BadUpstream),
                Err(Unanswered::Broken(error)) => {
                    tracing::debug!(resource = %resource.name, error = %error, "an application gave no answer");
                    return Err(Trouble::BadUpstream);
                }
            }
        }
        Err(Trouble::BadUpstream)
    }

    async fn connect(&self, resource: &Resource, place: &Place) -> Result<Connection, Trouble> {
        match connect(place.session(), resource, &self.ways).await {
            Ok(connection) => {
                if let Some(shared) = connection.clone_shared() {
                    place.entered().pool.keep(shared);
                }
                Ok(connection)
            }
            Err(NotConnected::Lane(refused)) => Err(Trouble::NotOpened(refused)),
            Err(NotConnected::Timeout) => Err(Trouble::Timeout),
            Err(NotConnected::Upstream(why)) => {
                tracing::warn!(resource = %resource.name, why, "an application could not be spoken to");
                Err(Trouble::BadUpstream)
            }
        }
    }

    /// Lets both sides speak what they agreed on.
    fn switch(
        &self,
        mut response: Response<Incoming>,
        (upgrade, browser): (Upgrade, OnUpgrade),
        back: Back,
    ) -> Response<Body> {
        let app = hyper::upgrade::on(&mut response);
        let Back { right, place, idle } = back;
        let carriage = Carriage { right, place, idle, is_websocket: upgrade == Upgrade::WebSocket };
        self.ways.lifecycle.spawn(carriage.carry(browser, app));
        response.map(|_| Body::empty())
    }
}

/// A page of somebody else may not speak with the person's cookies (C6): browsers let every page open a WebSocket.
fn check_origin(nature: &Nature, app: &App, web: &Web) -> Result<(), Trouble> {
    match nature.origin.as_deref() {
        // Programs say no origin, and carry no cookies that they were not given.
        None => Ok(()),
        Some(origin) if cors::is_admitted(origin, &app.authority, Some(web)) => Ok(()),
        Some(_) => Err(Trouble::Foreign),
    }
}
