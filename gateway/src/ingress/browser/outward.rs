//! Heads in both directions: hop-by-hop fields, addresses, cookies, and what the resource wants set or removed.

use super::{answer::Trouble, hosts::App, request::Nature};
use crate::listen::Client;
use http::{HeaderMap, HeaderName, HeaderValue, Response, Uri, Version, header, request::Parts};
use postern_canonical::{
    CanonicalRequest, CookieVerdict, Forwarding, Host, UnderscoreHeaders, judge_set_cookie, prepare_request,
    prepare_response, strip_cookies,
};
use postern_policy::model::{UnderscoreRule, UpstreamHost, UpstreamProtocol, Web};

/// Makes the head of a request what the application gets.
pub(super) fn prepare(
    parts: &mut Parts,
    (canonical, app, web): (&CanonicalRequest, &App, &Web),
    (nature, client): (&Nature, &Client),
) -> Result<(), Trouble> {
    let forwarding = Forwarding {
        client: client.address,
        host: canonical.host(),
        underscore: match web.underscore_headers {
            UnderscoreRule::Pass => UnderscoreHeaders::Pass,
            UnderscoreRule::Drop => UnderscoreHeaders::Drop,
            UnderscoreRule::Reject => UnderscoreHeaders::Reject,
        },
        upgrade: nature.upgrade.is_some(),
    };
    prepare_request(&mut parts.headers, &forwarding).map_err(Trouble::Refused)?;
    strip_cookies(&mut parts.headers);
    // The gateway has asked for the body by then: an application that refuses answers at once all the same.
    parts.headers.remove(header::EXPECT);
    // A window of compressed messages is memory for whoever asks for it (H18).
    parts.headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
    for name in &web.headers.request_remove {
        parts.headers.remove(name.as_str());
    }
    set_all(&mut parts.headers, &web.headers.request_set);
    address(parts, canonical, app, web)
}

/// Where the request goes: the target's form and `Host` are those of the protocol that the application speaks.
fn address(parts: &mut Parts, canonical: &CanonicalRequest, app: &App, web: &Web) -> Result<(), Trouble> {
    let host = match &web.upstream.host {
        UpstreamHost::Public => canonical.host().to_string(),
        UpstreamHost::Target => app.resource.target.to_string(),
        UpstreamHost::Fixed(host) => host.to_string(),
    };
    let whole = canonical.target().origin_form();
    let target = match web.strip_path {
        true => without_prefix(&whole, &web.path),
        false => whole,
    };
    match web.upstream.protocol {
        UpstreamProtocol::Http1 => {
            parts.version = Version::HTTP_11;
            let host = HeaderValue::try_from(host).map_err(|_| Trouble::BadUpstream)?;
            parts.headers.insert(header::HOST, host);
            parts.uri = target.parse().map_err(|_| Trouble::BadUpstream)?;
        }
        UpstreamProtocol::Http2 => {
            parts.version = Version::HTTP_2;
            parts.headers.remove(header::HOST);
            let scheme = if web.upstream.tls.is_some() { "https" } else { "http" };
            let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(target);
            parts.uri = uri.build().map_err(|_| Trouble::BadUpstream)?;
        }
    }
    Ok(())
}

fn without_prefix(target: &str, prefix: &str) -> String {
    let rest = target.strip_prefix(prefix).unwrap_or(target);
    if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") }
}

/// Makes the head of an answer what the browser gets, or refuses it.
pub(super) fn fit<B>(
    response: &mut Response<B>,
    host: &Host,
    web: &Web,
    switches: bool,
) -> Result<(), Trouble> {
    let is_informational = response.status().is_informational() && !switches;
    let headers = response.headers();
    let has_both =
        headers.contains_key(header::CONTENT_LENGTH) && headers.contains_key(header::TRANSFER_ENCODING);
    if is_informational || has_both {
        return Err(Trouble::BadUpstream);
    }
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    for dropped in prepare_response(headers, switches) {
        tell_dropped(dropped, host);
    }
    keep_good_cookies(headers, host);
    for name in &web.headers.response_remove {
        headers.remove(name.as_str());
    }
    set_all(headers, &web.headers.response_set);
    Ok(())
}

/// What an application sets for others, or in our name, is dropped and told (C10, H19).
fn keep_good_cookies(headers: &mut HeaderMap, host: &Host) {
    if !headers.contains_key(header::SET_COOKIE) {
        return;
    }
    let cookies: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        match judge_set_cookie(cookie.as_bytes(), host) {
            CookieVerdict::Keep => drop(headers.append(header::SET_COOKIE, cookie)),
            CookieVerdict::Reserved => tell_dropped("set-cookie of a reserved name", host),
            CookieVerdict::ForeignDomain => tell_dropped("set-cookie for another host", host),
        }
    }
}

fn tell_dropped(what: &str, host: &Host) {
    metrics::counter!("postern_app_headers_dropped_total").increment(1);
    tracing::warn!(host = %host, dropped = what, "app.header_dropped: an application set what it may not");
}

fn set_all(headers: &mut HeaderMap, rules: &std::collections::BTreeMap<String, String>) {
    for (name, value) in rules {
        // Both were checked when the resource was written.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_taken_off_and_a_slash_is_left() {
        for (target, prefix, rest) in [
            ("/api/v1?x=/api", "/api", "/v1?x=/api"),
            ("/api", "/api", "/"),
            ("/api?x", "/api", "/?x"),
            ("/other", "", "/other"),
        ] {
            assert_eq!(without_prefix(target, prefix), rest);
        }
    }
}
