//! How a web application is published: from its document to what the gateway serves by. What concerns one application alone
//! is checked here, what concerns several in `hosts`.

use super::{
    super::world::World,
    headers,
    resolve::{Mistake, named},
};
use postern_api::{
    ResourceDocument, ResourceKind,
    web::{
        Compatible as ApiCompatible, PathReading as ApiPaths, PublicPath as ApiPublicPath,
        Timeouts as ApiTimeouts, UnderscoreRule as ApiUnderscore, Upstream as ApiUpstream,
        UpstreamHost as ApiHost, UpstreamProtocol as ApiProtocol, UpstreamTls as ApiTls, WebDocument,
    },
};
use postern_canonical::{CanonicalPath, EncodedSlash, Host};
use postern_ids::Name;
use postern_policy::model::{
    Compatible, Identity, PathReading, PublicPath, Timeouts, UnderscoreRule, Upstream, UpstreamHost,
    UpstreamProtocol, UpstreamTls, Web,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{collections::BTreeSet, sync::Arc};

/// Host names of one application, of both kinds.
const HOSTS_MAX: usize = 16;
/// Origins, groups, public paths, methods of a path: each is looked through for a request.
const LIST_MAX: usize = 64;
/// The longest wait, in seconds: a day.
const TIMEOUT_MAX_S: u32 = 86_400;

/// How a resource is published, as its document says.
pub(super) fn published(world: &World, document: &ResourceDocument) -> Result<Option<Arc<Web>>, Mistake> {
    match &document.web {
        None => Ok(None),
        Some(_) if document.protocol != ResourceKind::Http => {
            Err("web: only resources of type http are published on the web".to_owned())
        }
        Some(web) => Ok(Some(Arc::new(self::web(world, &document.name, web)?))),
    }
}

fn web(world: &World, name: &Name, document: &WebDocument) -> Result<Web, Mistake> {
    let paths = paths(document.paths);
    let sign_in_with = document.sign_in_with.iter().map(|other| {
        if other == name {
            return Err("web.sign_in_with: an application is handed over to itself anyway".to_owned());
        }
        Ok(named(&world.resources, other)?.value.id)
    });
    if document.answer_preflight && document.origins.is_empty() {
        return Err("web.answer_preflight: there is nobody to answer: list web.origins".to_owned());
    }
    if paths == PathReading::Verbatim && !document.path.is_empty() {
        return Err(
            "web.paths: with web.path the path says which application is asked, so it has to be read"
                .to_owned(),
        );
    }
    if document.strip_path && document.path.is_empty() {
        return Err("web.strip_path: there is nothing to take off: set web.path".to_owned());
    }
    Ok(Web {
        hosts: hosts("web.hosts", &document.hosts)?,
        former_hosts: hosts("web.former_hosts", &document.former_hosts)?,
        path: prefix(&document.path)?,
        strip_path: document.strip_path,
        sign_in_with: sign_in_with.collect::<Result<_, Mistake>>()?,
        origins: origins(&document.origins)?,
        answer_preflight: document.answer_preflight,
        upstream: upstream(&document.upstream)?,
        identity: identity(world, document)?,
        headers: headers::rules(&document.headers)?,
        public: public(&document.public, paths)?,
        paths,
        underscore_headers: match document.underscore_headers {
            ApiUnderscore::Pass => UnderscoreRule::Pass,
            ApiUnderscore::Drop => UnderscoreRule::Drop,
            ApiUnderscore::Reject => UnderscoreRule::Reject,
        },
        timeouts: timeouts(document.timeouts)?,
        basic_tokens: document.basic_tokens,
    })
}

fn within(field: &str, count: usize, max: usize) -> Result<(), Mistake> {
    if count > max {
        return Err(format!("{field}: {count} are listed, at most {max} are supported"));
    }
    Ok(())
}

fn hosts(field: &str, texts: &[String]) -> Result<Vec<Arc<str>>, Mistake> {
    within(field, texts.len(), HOSTS_MAX)?;
    let mut hosts: Vec<Arc<str>> = Vec::with_capacity(texts.len());
    for text in texts {
        let host = dns_name(text).map_err(|why| format!("{field}: {text:?} {why}"))?;
        if hosts.contains(&host) {
            return Err(format!("{field}: {text} is listed twice"));
        }
        hosts.push(host);
    }
    Ok(hosts)
}

/// A name as browsers ask for it: in its one spelling, and no address, because certificates and cookies go by names.
fn dns_name(text: &str) -> Result<Arc<str>, String> {
    let host: Host = text.parse().map_err(|_| "is no host name".to_owned())?;
    if host.port().is_some() {
        return Err("has a port: applications share the gateway's".to_owned());
    }
    if host.is_address() {
        return Err("is an address: applications are published under names".to_owned());
    }
    match host.name() == text {
        true => Ok(text.into()),
        false => Err(format!("has to be written {:?}", host.name())),
    }
}

/// The beginning of paths that belongs to an application. Requests are compared with it as they come, so it must need no
/// escapes.
fn prefix(text: &str) -> Result<Arc<str>, Mistake> {
    if text.is_empty() {
        return Ok("".into());
    }
    let wrong = |why: &str| Err(format!("web.path: {text:?} {why}"));
    if text == "/" {
        return wrong("is everything: leave it out");
    }
    if text.ends_with('/') {
        return wrong("must not end with a slash: it stands for whole segments anyway");
    }
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"%?#*".contains(&byte));
    let canonical = CanonicalPath::read(text, EncodedSlash::Refuse);
    match is_plain && canonical.is_ok_and(|path| path.as_str() == text) {
        true => Ok(text.into()),
        false => wrong(
            "is not a plain path such as /api: it begins with a slash and has no empty or dotted segments",
        ),
    }
}

fn origins(texts: &[String]) -> Result<Vec<Arc<str>>, Mistake> {
    within("web.origins", texts.len(), LIST_MAX)?;
    let origin = |text: &String| {
        let url = url::Url::parse(text).ok().filter(|url| url.scheme() == "https");
        match url.map(|url| url.origin().ascii_serialization()) {
            Some(origin) if origin == *text => Ok(text.as_str().into()),
            Some(origin) => Err(format!("web.origins: {text:?} has to be written {origin:?}")),
            None => Err(format!("web.origins: {text:?} is no https origin such as https://app.example.com")),
        }
    };
    texts.iter().map(origin).collect()
}

fn upstream(document: &ApiUpstream) -> Result<Upstream, Mistake> {
    Ok(Upstream {
        tls: document.tls.as_ref().map(upstream_tls).transpose()?,
        protocol: match document.protocol {
            ApiProtocol::Http1 => UpstreamProtocol::Http1,
            ApiProtocol::Http2 => UpstreamProtocol::Http2,
        },
        host: match &document.host {
            ApiHost::Public => UpstreamHost::Public,
            ApiHost::Target => UpstreamHost::Target,
            ApiHost::Fixed(text) => match text.parse::<Host>() {
                Ok(host) if host.to_string() == *text => UpstreamHost::Fixed(text.as_str().into()),
                Ok(host) => {
                    return Err(format!(
                        "web.upstream.host: {text:?} has to be written {:?}",
                        host.to_string()
                    ));
                }
                Err(_) => return Err(format!("web.upstream.host: {text:?} is no host")),
            },
        },
    })
}

fn upstream_tls(document: &ApiTls) -> Result<UpstreamTls, Mistake> {
    if document.insecure && document.ca.is_some() {
        return Err(
            "web.upstream.tls: insecure checks nothing, so ca would have no effect: keep one".to_owned()
        );
    }
    let ca = document.ca.as_ref().map(|pem| match is_pem(pem) {
        true => Ok(pem.as_str().into()),
        false => Err("web.upstream.tls.ca: it is not PEM with at least one certificate".to_owned()),
    });
    let server_name = document
        .server_name
        .as_ref()
        .map(|text| dns_name(text).map_err(|why| format!("web.upstream.tls.server_name: {text:?} {why}")));
    Ok(UpstreamTls {
        ca: ca.transpose()?,
        server_name: server_name.transpose()?,
        insecure: document.insecure,
    })
}

fn is_pem(text: &str) -> bool {
    let all: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    all.is_ok_and(|all| !all.is_empty())
}

fn identity(world: &World, document: &WebDocument) -> Result<Identity, Mistake> {
    within("web.identity.groups", document.identity.groups.len(), LIST_MAX)?;
    let groups = document.identity.groups.iter().map(|name| Ok(named(&world.groups, name)?.value.id));
    let compatible: BTreeSet<Compatible> =
        document.identity.compatible.iter().map(|product| compatible(*product)).collect();
    Ok(Identity {
        groups: groups.collect::<Result<BTreeSet<_>, Mistake>>()?.into_iter().collect(),
        compatible: compatible.into_iter().collect(),
    })
}

fn compatible(product: ApiCompatible) -> Compatible {
    match product {
        ApiCompatible::Pomerium => Compatible::Pomerium,
        ApiCompatible::CloudflareAccess => Compatible::CloudflareAccess,
        ApiCompatible::Oauth2Proxy => Compatible::Oauth2Proxy,
        ApiCompatible::TailscaleServe => Compatible::TailscaleServe,
        ApiCompatible::RemoteUser => Compatible::RemoteUser,
    }
}

fn public(documents: &[ApiPublicPath], reading: PathReading) -> Result<Vec<PublicPath>, Mistake> {
    within("web.public", documents.len(), LIST_MAX)?;
    if reading == PathReading::Verbatim && !documents.is_empty() {
        return Err("web.public: paths that are read verbatim cannot be compared: remove `paths: verbatim`"
            .to_owned());
    }
    documents.iter().map(|document| public_path(document, reading)).collect()
}

/// A path in the spelling in which requests are compared with it (H14).
fn public_path(document: &ApiPublicPath, reading: PathReading) -> Result<PublicPath, Mistake> {
    let text = &document.path;
    let slash = match reading {
        PathReading::StrictOpaqueSlash => EncodedSlash::Opaque,
        PathReading::Auto | PathReading::Strict | PathReading::Verbatim => EncodedSlash::Refuse,
    };
    let above = text.strip_suffix("/*").unwrap_or(text);
    let is_all = above.is_empty() && !text.is_empty();
    let is_canonical = || CanonicalPath::read(above, slash).is_ok_and(|path| path.as_str() == above);
    if above.contains(['*', '?', '#']) || !(is_all || is_canonical()) {
        return Err(format!(
            "web.public: {text:?} is not a plain path such as /healthz, or /hooks/* for everything below one; it is \
             written decoded, without a query"
        ));
    }
    within("web.public.methods", document.methods.len(), LIST_MAX)?;
    let mut methods: Vec<Box<str>> = Vec::new();
    for method in &document.methods {
        let is_token = http::Method::from_bytes(method.as_bytes()).is_ok();
        if !is_token || matches!(method.as_str(), "CONNECT" | "TRACE" | "TRACK") {
            return Err(format!("web.public: {method:?} is no method that an application can get"));
        }
        methods.push(method.as_str().into());
    }
    methods.sort_unstable();
    methods.dedup();
    Ok(PublicPath { path: text.as_str().into(), methods })
}

fn paths(reading: ApiPaths) -> PathReading {
    match reading {
        ApiPaths::Auto => PathReading::Auto,
        ApiPaths::Strict => PathReading::Strict,
        ApiPaths::StrictOpaqueSlash => PathReading::StrictOpaqueSlash,
        ApiPaths::Verbatim => PathReading::Verbatim,
    }
}

fn timeouts(document: ApiTimeouts) -> Result<Timeouts, Mistake> {
    let ApiTimeouts { response_s, idle_s } = document;
    if [response_s, idle_s].iter().any(|seconds| !(1..=TIMEOUT_MAX_S).contains(seconds)) {
        return Err(format!("web.timeouts: they go from 1 to {TIMEOUT_MAX_S} seconds"));
    }
    Ok(Timeouts { response_s, idle_s })
}
