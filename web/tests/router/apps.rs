//! What the gateway itself says on an application's host.

use axum::{
    body::to_bytes,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use postern_ids::DecisionId;
use postern_token::opaque;
use postern_web::apps::{AppPage, TokenRefused, page, problem};
use serde_json::Value;

const DECISION: DecisionId = DecisionId::from_bytes([5; 16]);

/// Each page, with what it has to say.
fn all<'a>(named: &'a str, request: &'a str) -> Vec<(AppPage<'a>, u16, &'static str)> {
    let denied = |step_up| AppPage::Denied {
        resource: named,
        sentence: named,
        decision: DECISION,
        user: named,
        step_up,
    };
    vec![
        (denied(None), 403, "denied"),
        (denied(Some("/.postern/sign-in?max_age=900&next=%2Fa")), 403, "denied"),
        (AppPage::SignedOutMeanwhile, 401, "unauthenticated"),
        (AppPage::NoConnector { resource: named, request }, 503, "no_connector"),
        (AppPage::TargetFailed { resource: named, request }, 502, "target_unreachable"),
        (AppPage::Timeout { resource: named, request }, 504, "timeout"),
        (AppPage::BadUpstream { resource: named, request }, 502, "bad_answer"),
        (AppPage::Unavailable { request }, 503, "unavailable"),
        (AppPage::NotFound, 404, "no_such_resource"),
        (AppPage::HandOverInvalid { retry: "/" }, 400, "handoff_invalid"),
        (AppPage::BadRequest { label: "path_ambiguous", status: 400 }, 400, "path_ambiguous"),
        (AppPage::BadRequest { label: "header_too_large", status: 431 }, 431, "header_too_large"),
        (AppPage::Foreign { label: "csrf" }, 403, "csrf"),
        (AppPage::CookieAmbiguous, 400, "cookie_ambiguous"),
        (AppPage::Token(TokenRefused::Ambiguous), 400, "authorization_ambiguous"),
        (AppPage::Token(TokenRefused::NotGood), 401, "token_not_good"),
        (AppPage::Token(TokenRefused::OutOfReach), 403, "token_out_of_reach"),
        (AppPage::Limit { retry_after_s: 7 }, 429, "limit"),
        (AppPage::SignOut { user: named, resource: named }, 200, "confirm"),
    ]
}

async fn read(response: Response) -> (StatusCode, HeaderMap, String) {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

#[tokio::test]
async fn c07_a_page_on_an_application_s_host_loads_runs_and_is_framed_by_nothing() {
    for (what, status, _) in all("grafana", "req-1") {
        let is_form = matches!(what, AppPage::SignOut { .. });
        let (found, headers, html) = read(page(what)).await;
        assert_eq!(found.as_u16(), status);
        let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let hash = STANDARD.encode(opaque::hash(style.as_bytes()));
        let form_action = if is_form { "'self' https:" } else { "'none'" };
        assert_eq!(
            text(&headers, "content-security-policy"),
            format!(
                "default-src 'none'; style-src 'sha256-{hash}'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
            )
        );
        assert_eq!(text(&headers, "x-content-type-options"), "nosniff");
        assert_eq!(text(&headers, "referrer-policy"), "no-referrer");
        assert_eq!(text(&headers, "cache-control"), "no-store");
        assert_eq!(text(&headers, "content-type"), "text/html; charset=utf-8");
        assert!(style.contains("prefers-color-scheme: dark"));
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">") && html.contains("<h1>"));
        for banned in ["<script", "style=", "<link", "<img", "url(", "@import", "onload", "javascript:", "{{"]
        {
            assert!(!html.contains(banned), "{banned} in {html}");
        }
        // The only address of another origin is the name of a vocabulary.
        assert!(!html.replace("http://www.w3.org/2000/svg", "").contains("://"), "{html}");
    }
}

#[tokio::test]
async fn c07_names_and_sentences_are_inert_on_every_page() {
    let hostile = "\"><script>alert(1)</script><img src=x onerror='alert(1)'>\u{202e}{{css}}";
    for (what, _, _) in all(hostile, hostile) {
        let (_, _, html) = read(page(what)).await;
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains('\u{202e}'), "{html}");
        let (_, headers, body) = read(problem(what)).await;
        assert_eq!(text(&headers, "content-type"), "application/problem+json");
        let _: Value = serde_json::from_str(&body).unwrap();
    }
    let link = AppPage::HandOverInvalid { retry: "/\"><script>" };
    assert!(!read(page(link)).await.2.contains("<script"));
}

#[tokio::test]
async fn every_failure_says_what_to_do_next_and_names_what_to_ask_about() {
    for (what, status, code) in all("grafana", "req-1") {
        let (found, headers, body) = read(problem(what)).await;
        assert_eq!(found.as_u16(), status);
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((problem["status"].as_u64(), problem["code"].as_str()), (Some(status.into()), Some(code)));
        assert!(problem["next"].as_str().unwrap().ends_with('.'), "{problem}");
        assert_eq!(headers.contains_key(header::WWW_AUTHENTICATE), status == 401);
        assert_eq!(
            headers.contains_key(header::RETRY_AFTER),
            matches!(status, 429) || matches!(code, "no_connector" | "unavailable")
        );
        let (_, _, html) = read(page(what)).await;
        match what {
            AppPage::Denied { .. } => {
                assert_eq!(problem["decision"], DECISION.to_string());
                assert!(html.contains(&DECISION.to_string()) && html.contains("administrator"));
            }
            AppPage::NoConnector { .. }
            | AppPage::TargetFailed { .. }
            | AppPage::Timeout { .. }
            | AppPage::BadUpstream { .. }
            | AppPage::Unavailable { .. } => {
                assert_eq!(problem["request"], "req-1");
                assert!(html.contains("<dd>req-1</dd>") && html.contains("name the request"));
            }
            _ => assert!(problem.get("decision").is_none() && problem.get("request").is_none()),
        }
        // A program that may not open an application does not learn its name from the answer's ids.
        assert!(problem.get("application").is_none());
    }
    let (_, headers, _) = read(page(AppPage::Limit { retry_after_s: 7 })).await;
    assert_eq!(text(&headers, "retry-after"), "7");
}

#[tokio::test]
async fn a_form_that_met_an_ended_sign_in_keeps_its_page_and_signs_in_in_another_tab() {
    let (status, _, html) = read(page(AppPage::SignedOutMeanwhile)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(html.contains("href=\"/.postern/sign-in\" target=\"_blank\" rel=\"noopener\""), "{html}");
    assert!(html.contains("reload"));
    let denied = AppPage::Denied {
        resource: "grafana",
        sentence: "No rule allows it.",
        decision: DECISION,
        user: "alice",
        step_up: Some("/.postern/sign-in?max_age=900&mfa"),
    };
    let (_, _, html) = read(page(denied)).await;
    assert!(html.contains("href=\"/.postern/sign-in?max_age=900&amp;mfa\""), "{html}");
}
