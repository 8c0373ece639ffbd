//! Everything that proves who a person is, and what it is worth at the door that takes it.

use crate::disabled::Person;
use anyhow::{Context, Result};
use postern_tests::apps::{Scene, WebSocket};
use postern_tests::curl::{Answer, Browser};
use postern_tests::pages::{Walk, approve};
use serde_json::Value;
use std::path::Path;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// The pair of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Where a command would listen; nothing does.
const CALLBACK: &str = "http://127.0.0.1:49152/callback";

/// What one person holds beside live connections.
pub(crate) struct Proofs {
    person: Browser,
    app_cookie: String,
    app_token: String,
    access: String,
    refresh: String,
    /// Let in by the person, not yet fetched by the device.
    device_code: String,
    /// Given to the command by the person's browser, not yet exchanged.
    authorization_code: String,
}

/// A proof, shown at the door that takes it.
struct Shown {
    what: &'static str,
    status: u16,
    /// The standard's or the problem's word, where there is one.
    word: String,
}

impl Proofs {
    /// A token for programs at `alpha`.
    pub(crate) fn app_token(person: &Person) -> Result<String> {
        let made = person.client.json(&["token", "create", "alpha"])?;
        Ok(made["token"].as_str().context("no token")?.to_owned())
    }

    pub(crate) fn collect(scene: &Scene, person: &Person, app_token: String) -> Result<Self> {
        let tokens = std::fs::read(person.client.home().join("postern/tokens.json"))?;
        let tokens: Value = serde_json::from_slice(&tokens)?;
        let text =
            |name: &str| Ok::<_, anyhow::Error>(tokens[name].as_str().context("tokens.json")?.to_owned());
        Ok(Self {
            person: person.visitor.browser.clone(),
            app_cookie: person.visitor.cookie_line(&scene.authority("alpha"))?,
            app_token,
            access: text("access_token")?,
            refresh: text("refresh_token")?,
            device_code: device_code(scene, person)?,
            authorization_code: authorization_code(scene, person)?,
        })
    }

    /// Those that are not used up by being shown.
    fn lasting(&self, scene: &Scene) -> Result<Vec<Shown>> {
        let program = program(scene);
        let api = program.clone().with_bearer(&self.access).get(&at(scene, "/api/v1/me"))?;
        let device_page = self.person.get(&at(scene, "/device"))?;
        let app = scene.url("alpha", "/headers");
        let cookie = program.send(&app, &[&format!("Cookie: {}", self.app_cookie)], None)?;
        let token = program.with_bearer(&self.app_token).get(&app)?;
        Ok(vec![
            shown("access token at the API", &api, "code"),
            Shown { what: "access token at the tunnel", status: self.tunnel(scene)?, word: String::new() },
            shown("cookie of the gateway", &device_page, "code"),
            shown("cookie of the application", &cookie, "code"),
            shown("token for the application", &token, "code"),
        ])
    }

    /// Those that are good once.
    fn once(&self, scene: &Scene) -> Result<Vec<Shown>> {
        let device = "urn:ietf:params:oauth:grant-type:device_code";
        let (refresh, code) = (&self.refresh, &self.authorization_code);
        let bound = format!("redirect_uri={CALLBACK}&code_verifier={VERIFIER}");
        let forms = [
            ("refresh token", format!("grant_type=refresh_token&refresh_token={refresh}")),
            ("device code", format!("grant_type={device}&device_code={}", self.device_code)),
            ("authorization code", format!("grant_type=authorization_code&code={code}&{bound}")),
        ];
        let show = |(what, form): (_, String)| {
            Ok(shown(what, &token_request(scene, "/oauth/token", &form)?, "error"))
        };
        forms.into_iter().map(show).collect()
    }

    fn tunnel(&self, scene: &Scene) -> Result<u16> {
        let headers = [
            format!("Authorization: Bearer {}", self.access),
            "Sec-WebSocket-Protocol: postern.tunnel.v1".to_owned(),
        ];
        let authority = scene.gateway().public_address();
        Ok(WebSocket::open(scene.gateway(), authority, "/tunnel/client", &headers)?.status())
    }

    pub(crate) fn expect_lasting_ones_good(&self, scene: &Scene) -> Result<()> {
        expect_good(&self.lasting(scene)?)
    }

    pub(crate) fn expect_all_good(&self, scene: &Scene) -> Result<()> {
        expect_good(&self.lasting(scene)?)?;
        expect_good(&self.once(scene)?)
    }

    /// Each is refused in the word of its door.
    pub(crate) fn expect_all_refused(&self, scene: &Scene) -> Result<()> {
        let mut said = self.lasting(scene)?;
        said.extend(self.once(scene)?);
        let said: Vec<(&str, u16, &str)> =
            said.iter().map(|shown| (shown.what, shown.status, shown.word.as_str())).collect();
        let expected = [
            ("access token at the API", 401, "unauthenticated"),
            ("access token at the tunnel", 401, ""),
            ("cookie of the gateway", 303, ""),
            ("cookie of the application", 401, "unauthenticated"),
            ("token for the application", 401, "token_not_good"),
            ("refresh token", 400, "invalid_grant"),
            ("device code", 400, "access_denied"),
            ("authorization code", 400, "invalid_grant"),
        ];
        anyhow::ensure!(said == expected, "{said:#?}");
        Ok(())
    }
}

fn expect_good(shown: &[Shown]) -> Result<()> {
    for Shown { what, status, word } in shown {
        anyhow::ensure!(matches!(status, 101 | 200), "{what}: {status} {word}");
    }
    Ok(())
}

fn shown(what: &'static str, answer: &Answer, word: &str) -> Shown {
    let told = answer.json().unwrap_or_default();
    Shown { what, status: answer.status, word: told[word].as_str().unwrap_or_default().to_owned() }
}

/// Somebody without cookies.
fn program(scene: &Scene) -> Browser {
    Browser::new(&scene.gateway().authority(), Path::new("/dev"))
}

fn at(scene: &Scene, path: &str) -> String {
    format!("{}{path}", scene.gateway().url())
}

fn token_request(scene: &Scene, path: &str, form: &str) -> Result<Answer> {
    program(scene).send(&at(scene, path), &[FORM], Some(("POST", &format!("client_id=postern-cli&{form}"))))
}

fn device_code(scene: &Scene, person: &Person) -> Result<String> {
    let asked = token_request(scene, "/oauth/device_authorization", "device_name=tv")?.expect(200)?.json()?;
    let text = |name: &str| asked[name].as_str().context("a device authorization");
    approve(&person.visitor.browser, text("verification_uri_complete")?, person.name, person.password)?;
    Ok(text("device_code")?.to_owned())
}

fn authorization_code(scene: &Scene, person: &Person) -> Result<String> {
    let url = format!(
        "/oauth/authorize?response_type=code&client_id=postern-cli&redirect_uri={CALLBACK}&state=s\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    let back = Walk::new(&person.visitor.browser, person.name, person.password).follow(&at(scene, &url))?;
    let code = back.split(['?', '&']).find_map(|part| part.strip_prefix("code="));
    Ok(code.with_context(|| format!("led to {back}"))?.to_owned())
}
