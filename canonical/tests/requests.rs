//! Rows of the threat catalogue about heads, hosts, paths, headers and cookies.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use postern_canonical::{
    CanonicalPath, CanonicalRequest, CookieVerdict, EncodedSlash, Forwarding, Host, Refused,
    UnderscoreHeaders, is_reserved, judge_set_cookie, prepare_request, prepare_response, read_cookie,
    strip_cookies,
};

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    }
    map
}

fn read(method: &str, target: &str, fields: &[(&str, &str)]) -> Result<CanonicalRequest, Refused> {
    let uri: Uri = target.parse().map_err(|_| Refused::Target)?;
    CanonicalRequest::read(&Method::try_from(method).unwrap(), &uri, &headers(fields))
}

fn host(text: &str) -> Host {
    text.parse().unwrap()
}

#[test]
fn h06_methods_and_target_forms_that_are_not_ours_are_refused() {
    let fields = [("host", "a.example")];
    assert_eq!(read("CONNECT", "a.example:443", &fields), Err(Refused::Method));
    assert_eq!(read("TRACE", "/", &fields), Err(Refused::Method));
    assert_eq!(read("TRACK", "/", &fields), Err(Refused::Method));
    assert_eq!(read("GET", "a.example:443", &fields), Err(Refused::Target));
    assert_eq!(read("OPTIONS", "*", &fields), Err(Refused::Target));
    assert_eq!(read("GET", "ftp://a.example/", &fields), Err(Refused::Target));
    assert_eq!(read("GET", "https://b.example/x", &fields), Err(Refused::AuthorityMismatch));
    assert_eq!(read("GET", "https://a.example:8443/x", &fields), Err(Refused::AuthorityMismatch));
    assert!(read("GET", "https://A.example:443/x", &fields).is_ok());
    assert!(read("PROPFIND", "/dav", &fields).is_ok());
}

#[test]
fn h07_a_host_has_one_spelling_or_none() {
    for (text, name) in [
        ("App.Example.COM", "app.example.com"),
        ("app.example.com:8443", "app.example.com"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:8443", "[::1]"),
        ("[0:0::1]", "[::1]"),
        ("my_host.internal", "my_host.internal"),
    ] {
        assert_eq!(host(text).name(), name, "{text}");
    }
    let long = "a".repeat(64);
    for text in [
        "",
        "a@b",
        "u:p@a",
        "a:80:80",
        "a:",
        "a:0",
        "a:080",
        "a:65536",
        "a:+80",
        "a.",
        ".a",
        "a..b",
        "-a.b",
        "a-.b",
        "a b",
        "a/b",
        "a\\b",
        "a%2eb",
        "a,b",
        "xn--",
        "xn--a",
        "xn--a.example",
        "xn--80ak6aa92e-.com",
        "münchen.example",
        "[::1%eth0]",
        "[::1",
        "::1",
        "[::1]x",
        "2130706433",
        "0x7f000001",
        "127.1",
        "0177.0.0.1",
        "1.2.3.4.5",
        &long,
    ] {
        assert!(text.parse::<Host>().is_err(), "{text}");
    }
    assert_eq!(read("GET", "/", &[]), Err(Refused::Host));
    assert_eq!(read("GET", "/", &[("host", "a"), ("host", "a")]), Err(Refused::Host));
    assert_eq!(read("GET", "/", &[("host", "x@evil")]), Err(Refused::Host));
}

#[test]
fn h01_a_body_that_http_2_or_the_library_let_pass_is_refused_too() {
    let with = |fields: &[(&str, &str)]| {
        let mut all = vec![("host", "a")];
        all.extend(fields);
        read("POST", "/", &all)
    };
    assert_eq!(with(&[("content-length", "1"), ("transfer-encoding", "chunked")]), Err(Refused::Framing));
    assert_eq!(with(&[("content-length", "1"), ("content-length", "1")]), Err(Refused::Framing));
    assert_eq!(with(&[("transfer-encoding", "gzip, chunked")]), Err(Refused::Framing));
    assert_eq!(with(&[("expect", "y 100-continue")]), Err(Refused::Expectation));
    assert!(with(&[("expect", "100-Continue"), ("content-length", "1")]).is_ok());
}

#[test]
fn h13_a_path_with_two_readings_is_refused_where_paths_decide() {
    let canonical = |raw: &str| CanonicalPath::read(raw, EncodedSlash::Refuse);
    for (raw, path) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/", "/a/"),
        ("/a%20b", "/a b"),
        ("/caf%c3%a9", "/café"),
        ("/%61dmin", "/admin"),
        ("/100%25", "/100%"),
        ("/a.b/..c/...", "/a.b/..c/..."),
    ] {
        assert_eq!(canonical(raw).unwrap().as_str(), path, "{raw}");
    }
    for raw in [
        "",
        "a",
        "//",
        "//a",
        "/a//b",
        "/./a",
        "/../a",
        "/a/..",
        "/a/.",
        "/a/%2e%2e/b",
        "/a/%2E./b",
        "/a/.%2e",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/%00",
        "/%0a",
        "/%7f",
        "/a;x=1",
        "/;/a",
        "/%u002f",
        "/%252e",
        "/%252f",
        "/%25u002f",
        "/%",
        "/%2",
        "/%zz",
        "/%c0%af",
        "/%c0%ae",
        "/%ff",
        "/%e0%80%af",
        "/%ef%bc%8f",
        "/%3b",
    ] {
        assert!(canonical(raw).is_err(), "{raw}");
    }
    let opaque = CanonicalPath::read("/api/a%2Fb/c", EncodedSlash::Opaque).unwrap();
    assert_eq!(opaque.as_str(), "/api/a%2fb/c");
    assert!(CanonicalPath::read("/a%5cb", EncodedSlash::Opaque).is_err());
    // Where the host alone decides, the application gets what was sent.
    assert_eq!(
        read("GET", "/a//b/..;/%2e", &[("host", "a")]).unwrap().target().origin_form(),
        "/a//b/..;/%2e"
    );
}

#[test]
fn h14_a_prefix_is_matched_by_whole_segments() {
    let path = |raw: &str| CanonicalPath::read(raw, EncodedSlash::Refuse).unwrap();
    assert!(path("/public").is_below("/public") && path("/public/x").is_below("/public/"));
    assert!(path("/anything").is_below("/"));
    assert!(!path("/publicity").is_below("/public") && !path("/Public").is_below("/public"));
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
