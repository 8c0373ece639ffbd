//! What is refused before an application hears of it: the rows of the threat catalogue that hold for every host, with the
//! cookie of somebody who may, and not one byte upstream.

use crate::support::SOON;
use anyhow::{Context, Result};
use postern_tests::apps::Scene;
use postern_tests::curl::Answer;
use postern_tests::h2::{self, END_STREAM, kind};
use postern_tests::{Manner, Raw, Target, raw, scenario, until};

/// Decides by paths, so that a path has to have one reading.
const BY_PATH: &str = "kind: policy\nname: not-admin\ntext: |\n  forbid(principal, action == Action::\"http\", resource == \
                       Resource::\"quiet\") when { context.path like \"/admin*\" };\n";

/// Somebody who may, at an application that only counts.
struct Door {
    scene: Scene,
    target: Target,
    authority: String,
    cookie: String,
}

impl Door {
    fn open(scratch: &postern_tests::Scratch) -> Result<Self> {
        let scene = Scene::start(scratch)?;
        let target = Target::start(Manner::Silent)?;
        scene.publish("quiet", &target.address().to_string(), "{timeouts: {response_s: 1}}")?;
        let alice = scene.alice()?;
        alice.visit(&scene.url("quiet", "/.postern/sign-in?next=/.postern/whoami"))?.expect(200)?;
        let authority = scene.authority("quiet");
        let cookie = alice.cookie_line(&authority)?;
        Ok(Self { scene, target, authority, cookie })
    }

    fn connect(&self, protocol: &str) -> Result<Raw> {
        Raw::open(self.scene.gateway(), protocol, self.authority.split(':').next().unwrap_or_default())
    }

    /// A head of HTTP/1.1 with her cookie.
    fn head(&self, line: &str, fields: &str) -> String {
        format!("{line}\r\nHost: {}\r\nCookie: {}\r\n{fields}\r\n", self.authority, self.cookie)
    }

    /// The only answer, behind which the gateway closes.
    fn last_answer(&self, request: impl AsRef<[u8]>) -> Result<Answer> {
        let mut raw = self.connect("http/1.1")?;
        raw.send(request);
        let mut answers = raw::answers(&raw.until_closed()?)?;
        let answer = answers.pop().context("no answer")?;
        assert!(answers.is_empty(), "{answers:?}");
        Ok(answer)
    }

    fn refuses(&self, request: &str, status: u16, label: &str) -> Result<()> {
        let answer = self.last_answer(request)?;
        let shown = request.get(..120).unwrap_or(request);
        assert_eq!(answer.status, status, "{shown:?}: {}", answer.body);
        let problem = answer.json()?;
        assert!(problem["errors"][0] == label || problem["code"] == label, "{shown:?}: {}", answer.body);
        Ok(())
    }

    fn heard_nothing(&self) {
        assert_eq!((self.target.connections(), self.target.bytes()), (0, 0), "the application heard of it");
    }
}

#[test]
fn h01_h02_h05_h06_h07_a_request_with_two_readings_reaches_no_application() -> Result<()> {
    scenario("apps-refused-heads", |scratch| {
        let door = Door::open(scratch)?;
        let authority = &door.authority;
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ] {
            let request =
                door.head("POST /x HTTP/1.1", fields) + "0\r\n\r\n" + &door.head("GET /y HTTP/1.1", "");
            door.refuses(&request, 400, "framing")?;
        }
        for (line, fields) in
            [("POST /x HTTP/1.0", "Transfer-Encoding: chunked\r\n"), ("POST /x HTTP/1.0", "")]
        {
            door.refuses(&door.head(line, fields), 400, "framing")?;
        }
        let keeps = door.head("GET /x HTTP/1.0", "Connection: keep-alive\r\n");
        door.refuses(&keeps, 400, "framing")?;
        let good = door.head("GET /x HTTP/1.1", "");
        for bad in [
            good.replacen("\r\n", "\n", 1),
            door.head("GET /x HTTP/1.1", "X: a\rb\r\n"),
            door.head("GET /x HTTP/1.1", "X: a\r\n b\r\n"),
            door.head("GET /x HTTP/1.1", "X: a\0b\r\n"),
            format!("\r\n{good}"),
        ] {
            door.refuses(&bad, 400, "head_malformed")?;
        }
        for (line, status, label) in [
            ("CONNECT quiet:443 HTTP/1.1", 405, "method_not_allowed"),
            ("TRACE /x HTTP/1.1", 405, "method_not_allowed"),
            ("TRACK /x HTTP/1.1", 405, "method_not_allowed"),
            ("GET quiet:443 HTTP/1.1", 400, "target_malformed"),
            ("OPTIONS * HTTP/1.1", 400, "target_malformed"),
            ("GET https://alpha.apps.localhost/ HTTP/1.1", 400, "authority_mismatch"),
            ("GET /x#/../admin HTTP/1.1", 400, "target_malformed"),
        ] {
            door.refuses(&door.head(line, "Connection: close\r\n"), status, label)?;
        }
        let cookie = &door.cookie;
        for host in ["", "a@HOST", "HOST:80", "a.", "xn--a", "[fe80::1%25eth0]"] {
            let host = host.replace("HOST", authority);
            let request =
                format!("GET /x HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
            door.refuses(&request, 400, "host_invalid")?;
        }
        // In another spelling it is the same host; a name that nothing has says nothing of signing in.
        let unknown = format!(
            "GET /x HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            authority.replace("quiet", "other")
        );
        let answer = door.last_answer(unknown)?;
        assert!(matches!(answer.status, 404 | 421) && answer.header("location").is_none(), "{answer:?}");
        door.heard_nothing();
        Ok(())
    })
}

#[test]
fn h10_h12_h17_reserved_nominated_and_oversized_fields_reach_no_application() -> Result<()> {
    scenario("apps-refused-fields", |scratch| {
        let door = Door::open(scratch)?;
        for fields in [
            "X_Postern_User: root\r\n",
            "x_forwarded-for: 10.0.0.1\r\n",
            "Remote_User: root\r\n",
            "Connection: X-Postern-User, close\r\n",
            "Connection: x-forwarded-for\r\n",
            "Connection: content-length\r\nContent-Length: 0\r\n",
            "Connection: authorization\r\n",
            "Connection: cookie\r\n",
        ] {
            let closes = "Connection: close\r\n";
            door.refuses(
                &door.head("GET /x HTTP/1.1", &format!("{fields}{closes}")),
                400,
                "reserved_header",
            )?;
        }
        let long = format!("X-Long: {}\r\n", "y".repeat(32 * 1024));
        door.refuses(&door.head("GET /x HTTP/1.1", &long), 431, "head_too_large")?;
        let line = format!("GET /{} HTTP/1.1", "a".repeat(8 * 1024));
        door.refuses(&door.head(&line, ""), 414, "target_too_long")?;
        door.heard_nothing();
        Ok(())
    })
}

#[test]
fn h13_a_path_with_two_readings_reaches_no_application_that_is_decided_by_paths() -> Result<()> {
    scenario("apps-refused-paths", |scratch| {
        let door = Door::open(scratch)?;
        door.scene.world.owner.apply(BY_PATH)?.expect(0)?;
        let ask = |path: &str| {
            door.last_answer(door.head(&format!("GET {path} HTTP/1.1"), "Connection: close\r\n"))
        };
        until("the rule in force", SOON, || ask("/a//b").is_ok_and(|answer| answer.status == 400))?;
        let before = door.target.connections();
        for path in [
            "/a/../admin",
            "/%2e%2e/admin",
            "/a%2fadmin",
            "/a%5cadmin",
            "/\\..\\admin",
            "//admin",
            "/a;x=/admin",
            "/./admin",
            "/%00",
            "/%c0%af",
            "/%u002f",
            "/%252e%252e/admin",
        ] {
            let answer = ask(path)?;
            assert_eq!((answer.status, &answer.json()?["code"]), (400, &"path_ambiguous".into()), "{path}");
        }
        // In one reading it is decided; in another case it is another path.
        for path in ["/admin", "/%61dmin/x"] {
            assert_eq!(ask(path)?.status, 403, "{path}");
        }
        assert_eq!(door.target.connections(), before, "the application heard of it");
        assert_eq!(ask("/Admin")?.status, 504, "decided, and forwarded to an application that says nothing");
        Ok(())
    })
}

#[test]
fn h14_h20_nobody_reaches_an_application_by_a_method_a_probe_or_a_well_known_path() -> Result<()> {
    scenario("apps-refused-nobody", |scratch| {
        let door = Door::open(scratch)?;
        let nobody = |line: &str, fields: &str| {
            let authority = &door.authority;
            door.last_answer(format!("{line}\r\nHost: {authority}\r\n{fields}Connection: close\r\n\r\n"))
        };
        for (line, fields) in [
            ("OPTIONS /x HTTP/1.1", ""),
            ("OPTIONS /x HTTP/1.1", "Origin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\n"),
            ("GET /x HTTP/1.1", "X-HTTP-Method-Override: OPTIONS\r\n"),
            ("GET /x HTTP/1.1", "User-Agent: kube-probe/1.30\r\n"),
            ("GET /x?path=/.well-known/x HTTP/1.1", ""),
            ("GET /.well-known/acme-challenge/x HTTP/1.1", ""),
            ("GET /.well-known/openid-configuration HTTP/1.1", ""),
            ("GET /metrics HTTP/1.1", "Authorization: Bearer theirs\r\n"),
            ("GET /healthz HTTP/1.1", ""),
            ("GET /readyz HTTP/1.1", ""),
        ] {
            let answer = nobody(line, fields)?;
            assert_eq!(answer.status, 401, "{line} {fields}: {}", answer.body);
            assert!(answer.header("location").is_none(), "{line}");
        }
        let mut upgrade = door.connect("http/1.1")?;
        upgrade.send(format!(
            "GET /x HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            door.authority
        ));
        let answers = raw::answers(&upgrade.until_closed()?)?;
        assert!(matches!(answers.as_slice(), [one] if one.status == 401), "{answers:?}");
        door.heard_nothing();
        Ok(())
    })
}

#[test]
fn h16_a_body_that_stands_still_is_given_up_and_its_connection_closed() -> Result<()> {
    scenario("apps-refused-slow", |scratch| {
        let door = Door::open(scratch)?;
        let mut slow = door.connect("http/1.1")?;
        slow.send(door.head("POST /x HTTP/1.1", "Content-Length: 1000000\r\n") + "a few bytes");
        let answers = raw::answers(&slow.until_closed()?)?;
        assert!(matches!(answers.as_slice(), [one] if one.status == 504), "{answers:?}");
        until("the end at the application", SOON, || door.target.open() == 0)?;
        Ok(())
    })
}

#[test]
fn h06_h08_h09_what_http2_smuggles_reaches_no_application() -> Result<()> {
    scenario("apps-refused-h2", |scratch| {
        let door = Door::open(scratch)?;
        let (authority, cookie) = (door.authority.as_str(), ("cookie", door.cookie.as_str()));
        let beta = door.scene.authority("beta");
        let outcome = |head: Vec<u8>| -> Result<Option<u16>> {
            let mut raw = door.connect("h2")?;
            raw.send(h2::hello(&[]));
            raw.send(head);
            let ends = [kind::HEADERS, kind::RST_STREAM, kind::GOAWAY];
            let find = |heard: &[u8]| h2::frames(heard).into_iter().find(|frame| ends.contains(&frame.kind));
            Ok(h2::status(&raw.until("an answer", find)?))
        };
        for (field, statuses) in [
            (("transfer-encoding", "chunked"), &[400][..]),
            (("connection", "close"), &[400]),
            (("x", "a\r\nx-postern-user: root"), &[400]),
            (("host", "other.example"), &[400]),
            (("host", beta.as_str()), &[400]),
            (("x_postern_user", "root"), &[400]),
            ((":protocol", "websocket"), &[400, 405]),
        ] {
            let head = h2::request(1, END_STREAM, ("GET", authority, "/x"), &[cookie, field]);
            let status = outcome(head)?;
            assert!(status.is_none_or(|status| statuses.contains(&status)), "{field:?}: {status:?}");
        }
        for (method, host, expected) in
            [("CONNECT", authority, 405), ("TRACE", authority, 405), ("GET", beta.as_str(), 421)]
        {
            let status = outcome(h2::request(1, END_STREAM, (method, host, "/x"), &[cookie]))?;
            assert!(status.is_none_or(|status| status == expected), "{method} {host}: {status:?}");
        }
        door.heard_nothing();
        Ok(())
    })
}
