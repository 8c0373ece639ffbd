//! Which application a request is for, and who may ask it: hosts, paths, public paths, other origins.

use crate::support::{NAVIGATE, SOON, code, headers, one};
use anyhow::Result;
use postern_tests::apps::{DOMAIN, Scene};
use postern_tests::world::ALICE;
use postern_tests::{eventually, scenario};

#[test]
fn applications_share_a_host_by_path_and_a_former_name_leads_to_the_present_one() -> Result<()> {
    scenario("apps-places", |scratch| {
        let scene = Scene::start(scratch)?;
        let target = scene.app.target();
        let shared = format!("hosts: [shop.{DOMAIN}]");
        scene.publish("shop", &target, &format!("{{{shared}, former_hosts: [store.{DOMAIN}]}}"))?;
        let document = format!(
            "kind: resource\nname: shop-api\nsite: office\ntype: http\ntarget: {target}\n\
             web: {{{shared}, path: /api/v1, strip_path: true}}\n"
        );
        scene.world.owner.apply(&document)?.expect(0)?;
        let alice = scene.alice()?;
        alice.visit(&scene.url("shop", "/"))?.expect(200)?;
        let asked = |path: &str| -> Result<String> {
            let told = alice.fetch(&scene.url("shop", path))?.expect(200)?.json()?;
            Ok(told["url"].as_str().unwrap_or_default().to_owned())
        };
        let at_api = || asked("/api/v1/headers?x=/api/v1").ok().filter(|url| url == "/headers?x=/api/v1");
        eventually("the part of a host", SOON, at_api)?;
        assert_eq!(asked("/headers")?, "/headers");
        // A prefix is whole segments: this one is the shop's, which shows its page.
        let page = alice.browser.navigate(&scene.url("shop", "/api/v11"))?.expect(200)?;
        assert!(page.body.contains("Test application"));
        // Both are one place for sign-in, and two for policy.
        scene.world.owner.apply(
            "kind: policy\nname: no-api\ncedar: |\n  forbid(principal, action, resource == Postern::Resource::\"shop-api\");\n",
        )?;
        let moved = alice.browser.navigate(&scene.url("store", "/a/b?c=d"))?.expect(308)?;
        assert_eq!(moved.header("location"), Some(scene.url("shop", "/a/b?c=d").as_str()));
        // Names that nothing has, inside the domain and below an application.
        for name in ["nothing", "x.shop"] {
            let none = alice.browser.navigate(&scene.url(name, "/"));
            assert!(none.is_err() || none.is_ok_and(|page| page.status == 404), "{name}");
        }
        Ok(())
    })
}

#[test]
fn h14_a_public_path_is_open_to_nobody_in_particular_and_nothing_beside_it_is() -> Result<()> {
    scenario("apps-public", |scratch| {
        let scene = Scene::start(scratch)?;
        let target = scene.app.target();
        let web = "{public: [{path: /headers}, {path: \"/hooks/*\", methods: [POST]}]}";
        scene.publish("alpha", &target, web)?;
        let nobody = scene.visitor("nobody", ALICE)?;
        let get = |path: &str| nobody.fetch(&scene.url("alpha", path));
        let open = || get("/headers").ok().filter(|answer| answer.status == 200);
        let told = eventually("the public path", SOON, open)?.0.json()?;
        let said = headers(&told);
        assert!(said.iter().all(|(name, _)| !name.starts_with("x-postern")), "{said:?}");
        let post = |path: &str| nobody.browser.send(&scene.url("alpha", path), &[], Some(("POST", "")));
        post("/hooks/a/b")?.expect(200)?;
        for path in
            ["/", "/headers/", "/headersx", "/Headers", "/x?/headers", "/x?y=/hooks/a", "/hooks", "/hooks/a"]
        {
            get(path)?.expect(401)?;
        }
        post("/headers")?.expect(401)?;
        // What is read in two ways is read in none.
        for path in ["/hooks/../posted", "/hooks/%2e%2e/posted", "/hooks/..%2fposted", "/hooks//../posted"] {
            let raw = nobody.curled(&[
                "--path-as-is",
                "--request",
                "POST",
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code}",
                &scene.url("alpha", path),
            ])?;
            assert!(raw == "400" || raw == "401", "{path}: {raw}");
        }
        let named =
            ["X-HTTP-Method-Override: GET", "X-Original-URL: /headers", "User-Agent: kube-probe/1.30"];
        for header in named {
            let answer = nobody.browser.send(&scene.url("alpha", "/posted"), &[header], None)?;
            assert_eq!(answer.status, 401, "{header}");
        }
        // Who is signed in is told there too.
        let alice = scene.alice()?;
        let told = alice.fetch(&scene.url("alpha", "/headers"))?.json()?;
        assert_eq!(one(&headers(&told), "x-postern-user"), Some("alice"));
        Ok(())
    })
}

#[test]
fn pages_of_listed_origins_may_read_what_the_gateway_says_and_no_others() -> Result<()> {
    scenario("apps-origins", |scratch| {
        let scene = Scene::start(scratch)?;
        let target = scene.app.target();
        let page = scene.url("alpha", "");
        scene.publish("beta", &target, &format!("{{origins: [\"{page}\"], answer_preflight: true}}"))?;
        let nobody = scene.visitor("nobody", ALICE)?;
        let from = |origin: &str| {
            let origin = format!("Origin: {origin}");
            nobody.browser.send(&scene.url("beta", "/api"), &[&origin, "Sec-Fetch-Mode: cors"], None)
        };
        let listed =
            || from(&page).ok().filter(|answer| answer.header("access-control-allow-origin").is_some());
        let answer = eventually("the origin in force", SOON, listed)?.0.expect(401)?;
        assert_eq!(answer.header("access-control-allow-origin"), Some(page.as_str()));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        for origin in
            ["https://evil.example", "null", &page.replace("https", "http"), &format!("{page}.evil.example")]
        {
            let answer = from(origin)?.expect(401)?;
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        }
        let question = |origin: &str| -> Result<String> {
            nobody.curled(&[
                "--request",
                "OPTIONS",
                "--header",
                &format!("Origin: {origin}"),
                "--header",
                "Access-Control-Request-Method: PUT",
                "--header",
                "Access-Control-Request-Headers: x-order",
                "--include",
                &scene.url("beta", "/api"),
            ])
        };
        let yes = question(&page)?.to_ascii_lowercase();
        assert!(yes.contains(" 204") && yes.contains("access-control-allow-methods: put"), "{yes}");
        assert!(yes.contains("access-control-allow-headers: x-order"), "{yes}");
        let no = question("https://evil.example")?.to_ascii_lowercase();
        assert!(no.contains(" 401") && !no.contains("access-control-allow"), "{no}");
        assert_eq!(scene.app.seen()?, Vec::<String>::new());
        // C6: a WebSocket carries cookies from every page, so its page is looked at.
        let alice = scene.alice()?;
        for (origin, status) in [(page.as_str(), 101), ("https://evil.example", 403), ("null", 403)] {
            let line = format!("Origin: {origin}");
            let socket = crate::support::websocket(&scene, &alice, "alpha", &[&line])?;
            assert_eq!(socket.status(), status, "{origin}");
        }
        Ok(())
    })
}

#[test]
fn c10_our_own_paths_and_cookies_are_no_applications() -> Result<()> {
    scenario("apps-c10", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        for path in ["/.postern/", "/.postern/x", "/.postern/headers?x"] {
            let page = alice.browser.send(&scene.url("alpha", path), &NAVIGATE, None)?;
            assert_eq!(page.status, 404, "{path}");
        }
        let seen = scene.app.seen()?;
        assert!(seen.iter().all(|line| !line.contains(".postern")), "{seen:?}");
        // H19: what an application sets for others, or in our name, is dropped; what it sets for itself stays.
        let answer = alice.fetch(&scene.url("alpha", "/cookies"))?.expect(200)?;
        let set: Vec<&str> = answer
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie")
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(set, ["own=1; Path=/"]);
        assert_eq!(answer.header("x-postern-user"), None);
        alice.fetch(&scene.url("alpha", "/headers"))?.expect(200)?;
        let log = scene.gateway().log();
        assert!(log.matches("app.header_dropped").count() >= 4, "{log}");
        let foreign = alice.fetch(&scene.url("gamma", "/"));
        assert!(
            foreign.is_err()
                || foreign.is_ok_and(|answer| code(&answer).is_ok_and(|code| code == "no_such_resource"))
        );
        Ok(())
    })
}
