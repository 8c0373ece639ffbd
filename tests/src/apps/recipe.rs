//! The code that `docs/identity-headers.md` shows, run as it stands there.

use super::{Scene, node_program};
use crate::{connect_proxy::ConnectProxy, process::Process, tools, wait};
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What the page calls the application and the gateway.
const APPLICATION: &str = "https://grafana.apps.example.com";
const GATEWAY: &str = "https://postern.example.com";

/// JupyterLab takes a while on two busy cores.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The application around the Go code of the page.
const GO: &str = r#"package main

import (
	"fmt"
	"net/http"
	"os"

	"recipe/identity"
)

func main() {
	http.HandleFunc("/", identity.Signed(func(w http.ResponseWriter, r *http.Request, who *identity.Claims) {
		fmt.Fprintf(w, "Hello %s", who.Name)
	}))
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
"#;

/// What an application is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipe {
    /// Python, with Flask.
    Flask,
    /// Python, with FastAPI.
    FastApi,
    /// JupyterLab, a whole application, which is told by its configuration whom to believe.
    Jupyter,
    /// Node, with Express.
    Express,
    /// Go, with its standard library.
    Go,
}

/// An application made of what the page shows; dropping it kills it.
#[derive(Debug)]
pub struct RecipeApp {
    _process: Process,
    port: u16,
}

impl RecipeApp {
    /// Starts it as the application `name` of the scene; none where its language is not to be had.
    pub fn start(scene: &Scene, name: &str, recipe: Recipe, directory: &Path) -> Result<Option<Self>> {
        std::fs::create_dir_all(directory)?;
        let (port, code) = (wait::free_port()?, code(scene, name, recipe)?);
        let Some(mut command) = command(recipe, &code, directory, port)? else { return Ok(None) };
        // Programs that know nothing of names below `localhost` reach them as they would leave a company's network.
        let proxy = ConnectProxy::start()?;
        let trusted = scene.gateway().authority();
        command.current_dir(directory).env("HTTPS_PROXY", proxy.url()).env("https_proxy", proxy.url());
        command.env("NO_PROXY", "").env("no_proxy", "");
        command.env("SSL_CERT_FILE", &trusted).env("NODE_EXTRA_CA_CERTS", &trusted);
        let mut process = Process::start("recipe", command, directory)?;
        let is_there = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() || !process.is_running();
        wait::until("the recipe", READY_WITHIN, is_there).with_context(|| process.log_tail())?;
        anyhow::ensure!(process.is_running(), "the recipe ended:\n{}", process.log_tail());
        Ok(Some(Self { _process: process, port }))
    }

    /// Where it listens.
    pub fn target(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// The blocks of the page that make up a recipe, one after the other, for an application of the scene.
fn code(scene: &Scene, application: &str, recipe: Recipe) -> Result<String> {
    let names: &[&str] = match recipe {
        Recipe::Flask => &["python", "flask"],
        Recipe::FastApi => &["python", "fastapi"],
        Recipe::Jupyter => &["python", "jupyter"],
        Recipe::Express => &["node", "express"],
        Recipe::Go => &["go"],
    };
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/identity-headers.md");
    let page = std::fs::read_to_string(page)?;
    let blocks = names.iter().map(|name| block(&page, name).with_context(|| format!("no recipe {name}")));
    let code = blocks.collect::<Result<Vec<_>>>()?.join("\n");
    Ok(code.replace(APPLICATION, &scene.url(application, "")).replace(GATEWAY, scene.gateway().url()))
}

/// The fenced block that follows `<!-- run: NAME -->`.
fn block<'p>(page: &'p str, name: &str) -> Option<&'p str> {
    let (_, behind) = page.split_once(&format!("<!-- run: {name} -->\n```"))?;
    let (_, code) = behind.split_once('\n')?;
    Some(code.split_once("\n```")?.0)
}

/// Lays the code down and tells how it is started.
fn command(recipe: Recipe, code: &str, directory: &Path, port: u16) -> Result<Option<Command>> {
    let port = port.to_string();
    let python = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(tools::python(program)?);
        command.args(arguments).args(["--port", &port]);
        Some(command)
    };
    Ok(match recipe {
        Recipe::Flask => {
            std::fs::write(directory.join("app.py"), code)?;
            python("flask", &["--app", "app", "run"])
        }
        Recipe::FastApi => {
            std::fs::write(directory.join("app.py"), code)?;
            python("uvicorn", &["app:app"])
        }
        Recipe::Jupyter => jupyter(code, directory)?.map(|mut jupyter| {
            jupyter.arg(format!("--port={port}"));
            jupyter
        }),
        Recipe::Express => {
            let listen = format!("{code}\napp.listen({port}, '127.0.0.1');\n");
            std::fs::write(directory.join("app.mjs"), listen)?;
            std::os::unix::fs::symlink(node_program("node_modules"), directory.join("node_modules"))?;
            let mut node = tools::command("node")?;
            node.arg("--require").arg(node_program("localhost.cjs")).arg("app.mjs");
            Some(node)
        }
        Recipe::Go => go(code, directory)?.map(|mut go| {
            go.arg(&port);
            go
        }),
    })
}

/// It keeps everything in the directory, and asks nobody outside for news.
fn jupyter(code: &str, directory: &Path) -> Result<Option<Command>> {
    let Some(program) = tools::python("jupyter-lab") else { return Ok(None) };
    let alone =
        "c.LabApp.check_for_updates_class = \"jupyterlab.NeverCheckForUpdate\"\nc.LabApp.news_url = None\n";
    std::fs::write(directory.join("jupyter_config.py"), format!("{code}\n{alone}"))?;
    let mut jupyter = Command::new(program);
    jupyter.args(["--no-browser", "--allow-root", "--ip=127.0.0.1", "--ServerApp.port_retries=0"]);
    jupyter.arg("--config=jupyter_config.py");
    for variable in ["HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"] {
        jupyter.env(variable, directory);
    }
    Ok(Some(jupyter))
}

/// Built with a Go of the machine, or the tests' own. Not run by it: what `go run` starts outlives it when it is killed.
fn go(code: &str, directory: &Path) -> Result<Option<Command>> {
    let Some(program) = tools::find("go").or_else(|| tools::python("go")) else { return Ok(None) };
    std::fs::create_dir_all(directory.join("identity"))?;
    std::fs::write(directory.join("identity/identity.go"), code)?;
    std::fs::write(directory.join("main.go"), GO)?;
    std::fs::write(directory.join("go.mod"), "module recipe\n\ngo 1.21\n")?;
    let cache: PathBuf = tools::programs()?.parent().context("no target directory")?.join("go");
    let mut go = Command::new(program);
    go.args(["build", "-o", "recipe", "."]).current_dir(directory);
    go.env("GOCACHE", cache.join("cache")).env("GOPATH", cache.join("path")).env("GOTOOLCHAIN", "local");
    go.env("GOFLAGS", "-mod=mod").env("CGO_ENABLED", "0");
    let built = go.output().context("start go")?;
    anyhow::ensure!(built.status.success(), "go build: {}", String::from_utf8_lossy(&built.stderr));
    Ok(Some(Command::new(directory.join("recipe"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_what_stands_between_its_fences() {
        let page = "a\n<!-- run: x -->\n```js\none\n\ntwo\n```\nb\n<!-- run: y -->\n```go\nthree\n```\n";
        assert_eq!((block(page, "x"), block(page, "y")), (Some("one\n\ntwo"), Some("three")));
        assert_eq!(block(page, "z"), None);
    }
}
