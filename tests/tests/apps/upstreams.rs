//! How applications are spoken to: over TLS that is checked, over HTTP/2, under the name that they know.

use crate::cuts::configuration;
use anyhow::{Context, Result};
use postern_tests::apps::{Certificate, Grpc, Nginx, Scene};
use postern_tests::scenario;
use serde_json::json;

/// A certificate as one line of YAML.
fn in_yaml(certificate: &Certificate) -> Result<String> {
    Ok(format!("\"{}\"", certificate.pem()?.replace('\n', "\\n")))
}

#[test]
fn an_https_application_is_believed_only_with_the_certificate_that_it_should_have() -> Result<()> {
    scenario("apps-https", |scratch| {
        let scene = Scene::start(scratch)?;
        let right = Certificate::make(&scratch.join("nginx"), "DNS:app.internal")?;
        let wrong = Certificate::make(&scratch.join("wrong"), "DNS:app.internal")?;
        let nginx = Nginx::start(&scratch.join("nginx"), &right)?;
        let alice = scene.alice()?;
        let asked = |name: &str, tls: &str| -> Result<postern_tests::curl::Answer> {
            scene.publish(name, &nginx.tls_target(), &format!("{{upstream: {{tls: {tls}}}}}"))?;
            alice.visit(&scene.url(name, "/who"))?.page.context("led elsewhere")
        };
        let (right, wrong) = (in_yaml(&right)?, in_yaml(&wrong)?);
        let good = asked("own-ca", &format!("{{ca: {right}, server_name: app.internal}}"))?.expect(200)?;
        assert!(
            good.body.contains("alice at own-ca") && good.body.contains("over https as app.internal"),
            "{}",
            good.body
        );
        for (name, tls) in [
            ("wrong-ca", format!("{{ca: {wrong}, server_name: app.internal}}")),
            ("wrong-name", format!("{{ca: {right}, server_name: other.internal}}")),
            ("no-name", format!("{{ca: {right}}}")),
            ("system", "{server_name: app.internal}".to_owned()),
        ] {
            let page = asked(name, &tls)?.expect(502)?;
            assert!(page.body.contains("req_") && page.body.contains(name), "{}", page.body);
        }
        // Nothing is checked where somebody wrote that, and the log says so loudly.
        asked("insecure", "{insecure: true, server_name: app.internal}")?.expect(200)?;
        let log = scene.gateway().log();
        assert!(
            log.lines().any(|line| line.contains("WARN") && line.contains("upstream.unverified")),
            "{log}"
        );
        Ok(())
    })
}

#[test]
fn grpc_passes_with_its_trailers_and_only_for_whom_it_may() -> Result<()> {
    scenario("apps-grpc", |scratch| {
        let scene = Scene::start(scratch)?;
        let service = Grpc::start(&scratch.join("grpc"))?;
        scene.publish("calls", &service.target(), "{upstream: {protocol: http2}}")?;
        let alice = scene.alice()?;
        alice.visit(&scene.url("calls", "/"))?;
        let mut call = configuration(&scene, &alice, false)?;
        let said = Grpc::call(&call)?;
        assert_eq!(
            (&said["say"]["said"], &said["say"]["user"]),
            (&json!("you said hello"), &json!("alice")),
            "{said}"
        );
        assert_eq!(
            (&said["count"]["said"], &said["count"]["code"]),
            (&json!(["0", "1", "2"]), &json!(0)),
            "{said}"
        );
        assert_eq!(said["count"]["user"], "alice", "a trailer after a stream: {said}");
        assert_eq!(
            (&said["fail"]["code"], &said["fail"]["details"]),
            (&json!(8), &json!("nothing left")),
            "{said}"
        );
        // Nobody in particular: 401, which gRPC calls unauthenticated.
        call["cookie"] = json!(null);
        let said = Grpc::call(&call)?;
        assert_eq!(said["say"]["code"], 16, "{said}");
        Ok(())
    })
}

#[test]
fn an_application_sees_the_name_that_it_knows() -> Result<()> {
    scenario("apps-host", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        let target = scene.app.target();
        for (web, expected) in [
            ("{}", scene.authority("named")),
            ("{upstream: {host: target}}", target.clone()),
            ("{upstream: {host: {fixed: app.internal}}}", "app.internal".to_owned()),
        ] {
            scene.publish("named", &target, web)?;
            let url = scene.url("named", "/headers");
            alice.visit(&url)?;
            let is_told = || {
                let told = alice.fetch(&url).ok()?.json().ok()?;
                let headers = crate::support::headers(&told);
                crate::support::one(&headers, "host").filter(|host| *host == expected).map(str::to_owned)
            };
            postern_tests::eventually("the host", crate::support::SOON, is_told).context(web)?;
        }
        let rules = "{headers: {request_set: {x-tenant: blue}, request_remove: [accept-language], \
                     response_set: {x-frame-options: DENY}, response_remove: [content-type]}}";
        scene.publish("named", &target, rules)?;
        let asked = || {
            let answer =
                alice.browser.send(&scene.url("named", "/headers"), &["Accept-Language: lv"], None).ok()?;
            (answer.header("x-frame-options") == Some("DENY")).then_some(answer)
        };
        let (answer, _) = postern_tests::eventually("the rules in force", crate::support::SOON, asked)?;
        assert_eq!(answer.header("content-type"), None);
        let headers = crate::support::headers(&answer.json()?);
        assert_eq!(crate::support::one(&headers, "x-tenant"), Some("blue"));
        assert_eq!(crate::support::one(&headers, "accept-language"), None);
        Ok(())
    })
}
