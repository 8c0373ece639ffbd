//! The way out of a network: directly, or through an HTTP proxy with CONNECT.

use super::{DialError, connect::connect, within};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

/// A proxy connects to the far host before it answers.
const CONNECT_MAX: Duration = Duration::from_secs(15);
const ANSWER_MAX: usize = 8 * 1024;

/// Which proxy to use for which host.
#[derive(Debug, Clone, Default)]
pub struct Proxy {
    url: Option<Url>,
    except: Vec<String>,
}

impl Proxy {
    /// No proxy.
    pub fn direct() -> Self {
        Self::default()
    }

    /// As `HTTPS_PROXY` and `NO_PROXY` (either case) say.
    pub fn from_env() -> Self {
        let read = |name: &str| {
            std::env::var(name)
                .or_else(|_| std::env::var(name.to_ascii_lowercase()))
                .ok()
                .filter(|v| !v.is_empty())
        };
        Self::new(read("HTTPS_PROXY").as_deref(), read("NO_PROXY").as_deref())
    }

    /// From the values of `HTTPS_PROXY` and `NO_PROXY`. A proxy without a scheme is an `http` one.
    pub fn new(https_proxy: Option<&str>, no_proxy: Option<&str>) -> Self {
        let url = https_proxy.and_then(|text| {
            if text.contains("://") {
                Url::parse(text).ok()
            } else {
                Url::parse(&format!("http://{text}")).ok()
            }
        });
        let except = no_proxy
            .unwrap_or_default()
            .split([',', ' '])
            .map(|entry| entry.trim().to_ascii_lowercase())
            .filter(|entry| !entry.is_empty())
            .collect();
        Self { url, except }
    }

    /// The proxy for this host, if one is to be used.
    pub fn for_host(&self, host: &str) -> Option<&Url> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let excepted = self.except.iter().any(|entry| {
            let suffix = entry.trim_start_matches('*').trim_start_matches('.');
            entry == "*"
                || host == suffix
                || host.strip_suffix(suffix).is_some_and(|rest| !suffix.is_empty() && rest.ends_with('.'))
        });
        self.url.as_ref().filter(|_| !excepted)
    }
}

/// A connection to `host` through the proxy.
pub(super) async fn connect_through(proxy: &Url, host: &str, port: u16) -> Result<TcpStream, DialError> {
    let name = proxy.host_str().unwrap_or_default().to_owned();
    if proxy.scheme() != "http" {
        return Err(DialError::ProxyScheme { proxy: name });
    }
    let mut tcp = connect(&name, proxy.port_or_known_default().unwrap_or(80), None).await?;
    let request = connect_request(proxy, host, port);
    let status = within(CONNECT_MAX, "the proxy's CONNECT", async {
        tcp.write_all(request.as_bytes()).await.map_err(DialError::Io)?;
        read_status(&mut tcp).await
    })
    .await??;
    if (200..300).contains(&status) { Ok(tcp) } else { Err(DialError::Proxy { proxy: name, status }) }
}

fn connect_request(proxy: &Url, host: &str, port: u16) -> String {
    let authorization = if proxy.username().is_empty() {
        String::new()
    } else {
        let pair =
            format!("{}:{}", unescape(proxy.username()), unescape(proxy.password().unwrap_or_default()));
        format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(pair))
    };
    format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{authorization}\r\n")
}

fn unescape(text: &str) -> String {
    url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect()
}

/// Reads byte by byte up to the empty line: what follows belongs to TLS. Proxies answer with HTTP/1.0 as well, so only
/// the status line is read for its meaning.
async fn read_status(tcp: &mut TcpStream) -> Result<u16, DialError> {
    let mut answer = Vec::with_capacity(256);
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= ANSWER_MAX {
            return Err(DialError::Malformed("the proxy's answer is larger than 8 KiB"));
        }
        answer.push(tcp.read_u8().await.map_err(DialError::Io)?);
    }
    let line = answer.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let is_http = words.next().is_some_and(|version| version.starts_with(b"HTTP/1."));
    let status = words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
    status.filter(|_| is_http).ok_or(DialError::Malformed("the proxy does not answer with HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_under_no_proxy_goes_directly() {
        let proxy = Proxy::new(Some("proxy.corp:3128"), Some("internal.example, .lan,127.0.0.1"));
        assert_eq!(proxy.for_host("gw.example").map(Url::as_str), Some("http://proxy.corp:3128/"));
        for direct in ["internal.example", "a.internal.example", "nas.lan", "127.0.0.1"] {
            assert_eq!(proxy.for_host(direct), None, "{direct}");
        }
        assert!(proxy.for_host("notinternal.example").is_some());
        assert_eq!(Proxy::new(Some("http://p:1"), Some("*")).for_host("gw.example"), None);
        assert_eq!(Proxy::direct().for_host("gw.example"), None);
    }

    #[test]
    fn credentials_of_the_proxy_go_into_the_connect_request_unescaped() {
        let request =
            Url::parse("http://us%40er:p+w@proxy:1").map(|proxy| connect_request(&proxy, "gw.example", 443));
        let wanted = format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode("us@er:p+w"));
        assert!(
            request.is_ok_and(
                |request| request.starts_with("CONNECT gw.example:443 ") && request.contains(&wanted)
            )
        );
    }
}
