//! Web applications as they are shown: where they are, and how they are published.

use super::behind::Names;
use postern_api::web::{
    Compatible as ApiCompatible, HeaderRules, Identity, PathReading as ApiPaths, PublicPath, Timeouts,
    UnderscoreRule as ApiUnderscore, Upstream, UpstreamHost as ApiHost, UpstreamProtocol as ApiProtocol,
    UpstreamTls, WebDocument,
};
use postern_policy::model::{
    Compatible, PathReading, Resource, ResourceKind, UnderscoreRule, UpstreamHost, UpstreamProtocol, Web,
};
use std::sync::Arc;

/// The hosts of an application, the main one first; none of anything else.
pub(super) fn hosts(resource: &Resource, apps_domain: Option<&str>) -> Vec<String> {
    if resource.kind != ResourceKind::Http {
        return Vec::new();
    }
    match resource.web.as_ref().map(|web| web.hosts.as_slice()) {
        Some(own @ [_, ..]) => own.iter().map(ToString::to_string).collect(),
        Some([]) | None => {
            apps_domain.map(|domain| format!("{}.{domain}", resource.name)).into_iter().collect()
        }
    }
}

/// Where a browser finds an application.
pub(super) fn url(resource: &Resource, apps_domain: Option<&str>, issuer: &str) -> Option<String> {
    let host = hosts(resource, apps_domain).into_iter().next()?;
    // Applications share the gateway's port.
    let port = url::Url::parse(issuer).ok()?.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = resource.web.as_ref().map_or("", |web| &*web.path);
    Some(format!("https://{host}{port}{path}/"))
}

/// How an application is published, written down.
pub(super) fn document(web: &Web, names: &Names) -> WebDocument {
    let texts = |list: &[Arc<str>]| list.iter().map(ToString::to_string).collect();
    WebDocument {
        hosts: texts(&web.hosts),
        former_hosts: texts(&web.former_hosts),
        path: web.path.to_string(),
        strip_path: web.strip_path,
        sign_in_with: web.sign_in_with.iter().filter_map(|id| names.one(id)).collect(),
        origins: texts(&web.origins),
        answer_preflight: web.answer_preflight,
        upstream: upstream(web),
        identity: Identity {
            groups: names.all(&web.identity.groups),
            compatible: web.identity.compatible.iter().map(compatible).collect(),
        },
        headers: HeaderRules {
            request_set: web.headers.request_set.clone(),
            request_remove: web.headers.request_remove.clone(),
            response_set: web.headers.response_set.clone(),
            response_remove: web.headers.response_remove.clone(),
        },
        public: web
            .public
            .iter()
            .map(|public| PublicPath {
                path: public.path.to_string(),
                methods: public.methods.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        paths: match web.paths {
            PathReading::Auto => ApiPaths::Auto,
            PathReading::Strict => ApiPaths::Strict,
            PathReading::StrictOpaqueSlash => ApiPaths::StrictOpaqueSlash,
            PathReading::Verbatim => ApiPaths::Verbatim,
        },
        underscore_headers: match web.underscore_headers {
            UnderscoreRule::Pass => ApiUnderscore::Pass,
            UnderscoreRule::Drop => ApiUnderscore::Drop,
            UnderscoreRule::Reject => ApiUnderscore::Reject,
        },
        timeouts: Timeouts { response_s: web.timeouts.response_s, idle_s: web.timeouts.idle_s },
        basic_tokens: web.basic_tokens,
    }
}

fn upstream(web: &Web) -> Upstream {
    Upstream {
        tls: web.upstream.tls.as_ref().map(|tls| UpstreamTls {
            ca: tls.ca.as_ref().map(ToString::to_string),
            server_name: tls.server_name.as_ref().map(ToString::to_string),
            insecure: tls.insecure,
        }),
        protocol: match web.upstream.protocol {
            UpstreamProtocol::Http1 => ApiProtocol::Http1,
            UpstreamProtocol::Http2 => ApiProtocol::Http2,
        },
        host: match &web.upstream.host {
            UpstreamHost::Public => ApiHost::Public,
            UpstreamHost::Target => ApiHost::Target,
            UpstreamHost::Fixed(host) => ApiHost::Fixed(host.to_string()),
        },
    }
}

fn compatible(product: &Compatible) -> ApiCompatible {
    match product {
        Compatible::Pomerium => ApiCompatible::Pomerium,
        Compatible::CloudflareAccess => ApiCompatible::CloudflareAccess,
        Compatible::Oauth2Proxy => ApiCompatible::Oauth2Proxy,
        Compatible::TailscaleServe => ApiCompatible::TailscaleServe,
        Compatible::RemoteUser => ApiCompatible::RemoteUser,
    }
}
