//! Rows of the threat catalogue about heads, hosts, paths, headers and cookies.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fields;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use postern_canonical::{CanonicalPath, CanonicalRequest, EncodedSlash, Host, Refused};

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
