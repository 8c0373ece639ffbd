//! Header fields and cookies: which are passed on, to whom, and in whose words.

use crate::{headers, host};
use http::{HeaderMap, HeaderName};
use postern_canonical::{
    CookieVerdict, Forwarding, Refused, UnderscoreHeaders, is_reserved, judge_set_cookie, prepare_request,
    prepare_response, read_cookie, strip_cookies,
};

const PLANTED: &[(&str, &str)] = &[
    ("x-postern-user", "root"),
    ("x-postern-jwt-assertion", "e30"),
    ("x-forwarded-for", "10.0.0.1"),
    ("x-forwarded-for", "10.0.0.2"),
    ("x-forwarded-user", "root"),
    ("x-forwarded", "for=10.0.0.1"),
    ("forwarded", "for=10.0.0.1"),
    ("x-real-ip", "10.0.0.1"),
    ("x-original-url", "/admin"),
    ("x-rewrite-url", "/admin"),
    ("remote-user", "root"),
    ("x-remote-user", "root"),
    ("x-auth-request-email", "root@a"),
    ("x-pomerium-jwt-assertion", "e30"),
    ("cf-access-jwt-assertion", "e30"),
    ("tailscale-user-login", "root"),
    ("x-webauth-user", "root"),
    ("x-goog-iap-jwt-assertion", "e30"),
    ("true-client-ip", "10.0.0.1"),
    ("proxy", "http://evil"),
];

#[test]
fn h10_every_variant_of_what_is_ours_is_stripped_and_written_anew() {
    let mut fields = PLANTED.to_vec();
    fields.extend([("accept", "*/*"), ("x_custom", "1"), ("authorization", "Bearer app")]);
    let map = forwarded(&fields, UnderscoreHeaders::Pass).unwrap();
    let text = |name: &str| map.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(text("x-forwarded-for"), Some("192.0.2.7"));
    assert_eq!(map.get_all("x-forwarded-for").iter().count(), 1);
    assert_eq!(text("forwarded"), Some("for=192.0.2.7;host=\"app.example\";proto=https"));
    assert_eq!(text("x-forwarded-host"), Some("app.example"));
    let ours = ["x-forwarded-for", "x-real-ip", "x-forwarded-proto", "x-forwarded-host", "forwarded"];
    for name in map.keys() {
        assert!(!is_reserved(name.as_str()) || ours.contains(&name.as_str()), "{name}");
    }
    assert_eq!((text("accept"), text("x_custom")), (Some("*/*"), Some("1")));
    assert_eq!(text("authorization"), Some("Bearer app"));
    assert_eq!(text("proxy"), None, "CGI applications read it as HTTP_PROXY");
}

#[test]
fn h10_a_disguised_name_is_refused_and_other_underscores_are_the_resources_choice() {
    for name in ["x_postern_user", "x_forwarded-for", "remote_user", "X_Forwarded_User", "x-forwarded_for"] {
        assert_eq!(
            forwarded(&[(name, "1")], UnderscoreHeaders::Pass),
            Err(Refused::ReservedHeader),
            "{name}"
        );
    }
    let other = [("x_custom", "1")];
    assert!(forwarded(&other, UnderscoreHeaders::Drop).unwrap().get("x_custom").is_none());
    assert_eq!(forwarded(&other, UnderscoreHeaders::Reject), Err(Refused::ReservedHeader));
}

#[test]
fn h11_an_upgrade_is_stripped_like_any_request() {
    let mut fields = PLANTED.to_vec();
    fields.extend([("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", "k")]);
    let plain = both(&fields, UnderscoreHeaders::Pass, false).unwrap();
    let mut upgraded = both(&fields, UnderscoreHeaders::Pass, true).unwrap();
    assert_eq!(upgraded.remove("upgrade").unwrap(), "websocket");
    assert_eq!(upgraded.remove("connection").unwrap(), "upgrade");
    assert_eq!(plain, upgraded);
}

#[test]
fn h12_hop_by_hop_fields_go_and_a_nominated_decision_is_refused() {
    let map = forwarded(
        &[
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic x"),
            ("te", "trailers"),
            ("trailer", "x"),
        ],
        UnderscoreHeaders::Pass,
    )
    .unwrap();
    for gone in ["connection", "x-hop", "keep-alive", "proxy-authorization", "trailer"] {
        assert!(map.get(gone).is_none(), "{gone}");
    }
    assert_eq!(map.get("te").unwrap(), "trailers");
    for nominated in [
        "X-Postern-User, close",
        "x-forwarded-for",
        "content-length",
        "Authorization",
        "cookie",
        "host",
        "a b",
    ] {
        let fields = [("connection", nominated)];
        assert_eq!(forwarded(&fields, UnderscoreHeaders::Pass), Err(Refused::ReservedHeader), "{nominated}");
    }
}

#[test]
fn c10_an_application_cannot_speak_for_the_gateway() {
    let mut map = headers(&[
        ("x-postern-user", "x"),
        ("alt-svc", "h2=\":9\""),
        ("clear-site-data", "\"cookies\""),
        ("connection", "x-own"),
        ("x-own", "1"),
        ("content-type", "text/html"),
        ("strict-transport-security", "max-age=1"),
    ]);
    let dropped = prepare_response(&mut map, false);
    assert_eq!(dropped, ["x-postern", "alt-svc", "clear-site-data"]);
    let mut left: Vec<_> = map.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["content-type", "strict-transport-security"]);
}

#[test]
fn c03_our_cookie_is_believed_once_and_never_forwarded() {
    let mut map = headers(&[("cookie", "a=1; __Host-postern=v"), ("cookie", "b=2;__HOST-Postern-form=x; c")]);
    assert_eq!(read_cookie(&map, "__Host-postern"), Ok(Some(&b"v"[..])));
    let twice = headers(&[("cookie", "__Host-postern=; a=1"), ("cookie", "__Host-postern=v")]);
    assert!(read_cookie(&twice, "__Host-postern").is_err());
    strip_cookies(&mut map);
    assert_eq!(map.get("cookie").unwrap(), "a=1; b=2; c");
    let mut only = headers(&[("cookie", "__Host-postern=v")]);
    strip_cookies(&mut only);
    assert!(only.get("cookie").is_none());
}

#[test]
fn c10_h19_a_cookie_of_an_application_stays_in_its_compartment() {
    let app = host("app.example.com:8443");
    let judge = |text: &str| judge_set_cookie(text.as_bytes(), &app);
    for keep in [
        "a=1",
        "a=1; Path=/; Secure",
        "a=1; Domain=app.example.com",
        "a=1; domain=.APP.example.com",
        "a=1; Domain=",
    ] {
        assert_eq!(judge(keep), CookieVerdict::Keep, "{keep}");
    }
    for ours in [
        "__Host-postern=x",
        " __host-POSTERN-form=x",
        "=__Host-postern=x",
        "__Secure-postern=1",
        "__Host-postern",
    ] {
        assert_eq!(judge(ours), CookieVerdict::Reserved, "{ours}");
    }
    for foreign in [
        "a=1; Domain=example.com",
        "a=1; Domain=.com",
        "a=1; Domain=other.example.com",
        "a=1; Domain=app.example.com; Domain=example.com",
        "a=1;domain = example.com",
    ] {
        assert_eq!(judge(foreign), CookieVerdict::ForeignDomain, "{foreign}");
    }
}

fn forwarded(fields: &[(&str, &str)], underscore: UnderscoreHeaders) -> Result<HeaderMap, Refused> {
    both(fields, underscore, false)
}

fn both(fields: &[(&str, &str)], underscore: UnderscoreHeaders, upgrade: bool) -> Result<HeaderMap, Refused> {
    let (mut map, host) = (headers(fields), host("app.example"));
    let forwarding = Forwarding { client: "192.0.2.7".parse().unwrap(), host: &host, underscore, upgrade };
    prepare_request(&mut map, &forwarding)?;
    Ok(map)
}
