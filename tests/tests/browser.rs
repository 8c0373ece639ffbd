//! People with a real browser: Chromium, driven by Playwright, which checks every certificate. What its pages show when a
//! journey fails is kept as pictures beside the logs.

use anyhow::Result;
use postern_tests::apps::{Chromium, Hostile, Scene, options};
use postern_tests::curl::encode;
use postern_tests::world::{ALICE, OWNER};
use postern_tests::{Idp, Manner, Scratch, Target, free_port, scenario};
use serde_json::{Value, json};

/// What a hostile provider may call itself and its people.
const PAYLOAD: &str = "\"><img src=x onerror='xss=1'><script>xss=1</script>";

/// Two applications, a provider that knows carol, who may open them, and dave and mallory, who may not.
struct Journey {
    scene: Scene,
    idp: Idp,
    chromium: Chromium,
}

impl Journey {
    fn begin(scratch: &Scratch) -> Result<Self> {
        Self::begin_as(scratch, "Example Inc.")
    }

    fn begin_as(scratch: &Scratch, provider: &str) -> Result<Self> {
        let scene = Scene::start_with(scratch, &options()?)?;
        let people = json!({
            "carol": { "password": "pw", "groups": ["eng"], "email": "carol@example.com", "email_verified": true },
            "dave": { "password": "pw", "groups": [], "email": "dave@example.com", "email_verified": true },
            "mallory": { "password": "pw", "groups": [PAYLOAD], "name": PAYLOAD, "email": "m@example.com", "email_verified": true },
        });
        let (url, authority) = (scene.gateway().url().to_owned(), scene.gateway().authority());
        let idp = Idp::start(&scratch.join("idp"), &url, "example", &authority, &people)?;
        scene.world.owner.write_secret("idp.secret", postern_tests::idp::CLIENT.1)?;
        let document = idp.document("example")?;
        let named = document.replace("Example Inc.", &serde_json::to_string(provider)?);
        scene.world.owner.apply(&named)?.expect(0)?;
        let target = scene.app.target();
        let beta = format!("{{origins: [\"{}\"]}}", scene.url("alpha", ""));
        scene.publish("beta", &target, &beta)?;
        scene.publish("alpha", &target, "{sign_in_with: [beta]}")?;
        let chromium = Chromium::new(&scratch.join("chromium"), &[&authority, idp.certificate()])?;
        Ok(Self { scene, idp, chromium })
    }

    fn walk(&self, journey: &str) -> Result<()> {
        self.walk_with(journey, json!({}))
    }

    fn walk_with(&self, journey: &str, more: Value) -> Result<()> {
        self.chromium.walk(journey, (&self.scene, &self.idp), more)
    }
}

#[test]
fn a_first_visit_is_one_chain_and_the_second_application_asks_for_nothing() -> Result<()> {
    scenario("browser-visit", |scratch| {
        let journey = Journey::begin(scratch)?;
        journey.walk("visit")?;
        journey.walk("tabs")?;
        journey.walk("back")
    })
}

#[test]
fn signing_out_at_one_application_ends_the_other_and_its_open_websocket() -> Result<()> {
    scenario("browser-out", |scratch| Journey::begin(scratch)?.walk("out"))
}

#[test]
fn a_word_of_the_provider_closes_an_open_websocket_and_an_order_in_the_making_is_not_lost() -> Result<()> {
    scenario("browser-gone", |scratch| {
        let journey = Journey::begin(scratch)?;
        journey.walk("gone")?;
        journey.walk("form")
    })
}

#[test]
fn a_page_of_one_application_calls_another_before_and_after_a_sign_in_ended() -> Result<()> {
    scenario("browser-calls", |scratch| Journey::begin(scratch)?.walk("calls"))
}

#[test]
fn c07_names_and_error_texts_are_text() -> Result<()> {
    scenario("browser-c07", |scratch| {
        let journey = Journey::begin_as(scratch, PAYLOAD)?;
        journey.walk("inert")
    })
}

#[test]
fn c07_nothing_that_is_typed_linked_or_told_comes_alive_on_the_two_pages() -> Result<()> {
    scenario("browser-typed", |scratch| {
        let journey = Journey::begin(scratch)?;
        let gateway = journey.scene.gateway();
        let device = gateway.browser(scratch.path());
        let form = ["Content-Type: application/x-www-form-urlencoded"];
        let mut codes = Vec::new();
        for name in [PAYLOAD, "<script>xss=1</script>", "\u{202e}x\" autofocus onfocus=\"xss=1"] {
            let asked = format!("client_id=postern-cli&device_name={}", encode(name));
            let url = format!("{}/oauth/device_authorization", gateway.url());
            let waiting = device.send(&url, &form, Some(("POST", &asked)))?.expect(200)?.json()?;
            codes.push(waiting["user_code"].clone());
        }
        journey.walk_with("typed", json!({ "accounts": [ALICE, OWNER], "codes": codes }))
    })
}

#[test]
fn o05_no_target_of_a_corpus_leads_a_real_browser_elsewhere() -> Result<()> {
    scenario("browser-o05", |scratch| Journey::begin(scratch)?.walk("redirects"))
}

#[test]
fn each_page_is_readable_in_light_and_dark_on_a_phone_and_loads_nothing_from_elsewhere() -> Result<()> {
    scenario("browser-pages", |scratch| {
        let mut journey = Journey::begin(scratch)?;
        journey.walk("denied")?;
        let scene = &journey.scene;
        let silent = Target::start(Manner::Silent)?;
        let broken = Hostile::saying("220 no web server\r\n\r\n")?;
        scene.publish("silent", &silent.address().to_string(), "{timeouts: {response_s: 1}}")?;
        scene.publish("refused", &format!("127.0.0.1:{}", free_port()?), "{}")?;
        scene.publish("broken", &broken.target(), "{}")?;
        let everyone = "kind: grant\nname: everyone-sees-them-fail\nsubjects: [everyone]\n\
                        resources: {names: [silent, refused, broken]}\nactions: [http]\n";
        scene.world.owner.apply(everyone)?.expect(0)?;
        let gateway = scene.gateway().url();
        let pages = json!({
            "entry": scene.url("alpha", "/private"),
            "nobody": {
                "sign-in": format!("{gateway}/sign-in"),
                "device": format!("{gateway}/device"),
                "signed-out": format!("{gateway}/signed-out"),
                "gateway-hand-over": format!("{gateway}/hand-over?request=x"),
                "provider-failure": format!("{gateway}/oidc/example/callback?state=x&error=access_denied"),
                "nothing-here": scene.url("alpha", "/.postern/nothing"),
                "hand-over": scene.url("alpha", "/.postern/hand-over?code=x"),
                "no-such-application": scene.url("alpha", "/.postern/../.postern/x"),
            },
            "dave": {
                "denied": scene.url("alpha", "/private"),
                "sign-out": scene.url("alpha", "/.postern/sign-out"),
                "timeout": scene.url("silent", "/"),
                "refused": scene.url("refused", "/"),
                "broken": scene.url("broken", "/"),
                "device-signed-in": format!("{gateway}/device"),
                "sign-in-again": format!("{gateway}/sign-in"),
            },
        });
        let pictures = std::env::var("POSTERN_TEST_PICTURES").ok();
        journey.walk_with("gallery", json!({ "pages": pages, "gallery": pictures }))?;
        journey.scene.world.connector.kill()?;
        let pages = json!({
            "entry": journey.scene.url("alpha", "/private"),
            "nobody": {},
            "dave": { "no-connector": journey.scene.url("refused", "/") },
        });
        journey.walk_with("gallery", json!({ "pages": pages, "gallery": pictures }))
    })
}
