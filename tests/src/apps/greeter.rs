//! The smallest web application: it greets whoever asks by the name that the gateway gives, and shows what it was told.

use anyhow::Result;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// A request is there at once, or never.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest head that is read.
const LINES_MAX: usize = 200;

/// A web application on a loopback port that lives as long as the program.
#[derive(Debug)]
pub struct Greeter {
    address: SocketAddr,
}

impl Greeter {
    /// Listens, with a thread per connection.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(&stream));
            }
        });
        Ok(Self { address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// One request a connection: whoever is not answered in full sees a broken page, which is what it is.
fn serve(mut stream: &TcpStream) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let lines = BufReader::new(stream).lines().take(LINES_MAX);
    let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let body = page(&head);
    let _ = stream.write_all(
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
}

fn page(head: &[String]) -> String {
    let fields = head.iter().skip(1).filter_map(|line| line.split_once(": "));
    let user = fields.clone().find(|(name, _)| name.eq_ignore_ascii_case("x-postern-user"));
    let user = text(user.map_or("nobody", |(_, name)| name));
    let told = fields.filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-"));
    let rows: String = told.map(|(name, value)| format!("<dt>{}<dd>{}", text(name), text(value))).collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Hello, {user}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <style>body{{font:1.1rem system-ui;max-width:44rem;margin:4rem auto;padding:0 1rem}}\
         dt{{font-weight:600}}dd{{margin:0 0 .8rem;overflow-wrap:anywhere;font-family:monospace}}</style>\
         <h1>Hello, {user}</h1><p>No port leads to this application. You reach it through the gateway, because a policy says so. \
         This is what it was told about you:</p><dl>{rows}</dl>\
         <p><a href=\"/.postern/whoami\">Who am I?</a> · <a href=\"/.postern/sign-out\">Sign out</a></p></html>"
    )
}

fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
