//! What each subcommand does, and the exit code it ends with.

mod run;

use crate::{
    allow::{AllowList, Entry},
    cli::{Cli, Command, Enroll},
    config::{self, ALLOW_FILE, ConfigError, ConfigFile},
    enroll::{self, EnrollError},
    environment,
    identity::{IdentityError, StateDir, is_running},
    link::chain,
    run::Orders,
    status::{STATUS_FILE, Status, machine_now},
};
use postern_private_file::{self as private_file, PrivateFileError};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// The process' exit codes (sysexits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Not running, not connected, or a gateway that cannot be reached: try again later.
    Unavailable = 75,
    /// Refused for good.
    Refused = 77,
    /// The configuration or the state directory has to be put right first.
    Config = 78,
}

/// Why a command ended with another code than 0.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub code: ExitCode,
    /// What to tell.
    pub text: String,
}

impl Failure {
    fn new(code: ExitCode, text: impl fmt::Display) -> Self {
        Self { code, text: text.to_string() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(ExitCode::Config, error)
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        let code = match error {
            IdentityError::InUse { .. } => ExitCode::Unavailable,
            IdentityError::File(_)
            | IdentityError::Damaged { .. }
            | IdentityError::Key { .. }
            | IdentityError::NoKey { .. } => ExitCode::Config,
        };
        Self::new(code, chain(&error))
    }
}

impl From<PrivateFileError> for Failure {
    fn from(error: PrivateFileError) -> Self {
        Self::new(ExitCode::Config, error)
    }
}

impl From<EnrollError> for Failure {
    fn from(error: EnrollError) -> Self {
        let text = chain(&error);
        let code = match error {
            EnrollError::Identity(error) => return error.into(),
            EnrollError::NoToken | EnrollError::TokenFile { .. } | EnrollError::TokenFileOpen { .. } => {
                ExitCode::Config
            }
            EnrollError::Token(_) | EnrollError::Url | EnrollError::Gateways(_) => ExitCode::Refused,
            EnrollError::Call(_) if error.is_temporary() => ExitCode::Unavailable,
            EnrollError::Call(_) => ExitCode::Refused,
        };
        Self { code, text }
    }
}

/// What a subcommand works with.
struct Place {
    file: ConfigFile,
    state_dir: PathBuf,
}

impl Place {
    fn new(cli: &Cli) -> Result<Self, Failure> {
        environment::check(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
        let file = cli.config.as_deref().map(ConfigFile::read).transpose()?.unwrap_or_default();
        let state_dir = cli.state_dir.clone().or_else(|| file.state_dir.clone());
        let state_dir = state_dir.unwrap_or_else(default_state_dir);
        Ok(Self { file, state_dir })
    }

    fn ca_files(&self, more: &[PathBuf]) -> Vec<PathBuf> {
        self.file.ca_files.iter().chain(more).cloned().collect()
    }

    fn allow(&self, more: Vec<Entry>) -> Result<AllowList, Failure> {
        let mut allow = config::read_allow_file(&self.state_dir.join(ALLOW_FILE))?;
        allow.extend(self.file.allow.iter().map(|line| line.0.clone()).chain(more));
        Ok(allow)
    }
}

/// systemd's choice, else the system's place if this account may use it, else the account's own.
fn default_state_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("STATE_DIRECTORY").filter(|dir| !dir.is_empty()) {
        return dir.into();
    }
    let system = Path::new("/var/lib/postern-connector");
    if rustix::process::geteuid().is_root() || system.is_dir() {
        return system.into();
    }
    let own = std::env::var_os("XDG_STATE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    own.or_else(home).map_or_else(|| system.into(), |base| base.join("postern-connector"))
}

/// Does what the command line says.
pub async fn execute(cli: Cli, orders: Orders) -> Result<(), Failure> {
    let place = Place::new(&cli)?;
    match cli.command {
        Command::Enroll(command) => enroll_command(&place, command).await,
        Command::Run(command) => run::run(&place, &command, &orders).await,
        Command::Status { json } => status_command(&place, json),
    }
}

async fn enroll_command(place: &Place, command: Enroll) -> Result<(), Failure> {
    let state = StateDir::open(&place.state_dir)?;
    if let Some(identity) = state.identity()? {
        let text = format!(
            "this connector is enrolled already, as {} with {}; remove {} to enroll it anew",
            identity.enrolled.name,
            identity.enrolled.issuer,
            place.state_dir.display()
        );
        return Err(Failure::new(ExitCode::Config, text));
    }
    let token = enroll::read_token(&command.token, place.file.token_file.as_deref())?;
    let enrolled = enroll::enroll(&token, command.name, &place.ca_files(&command.ca_files), &state).await?;
    let allow = place.allow(command.allow)?;
    private_file::write(&place.state_dir.join(ALLOW_FILE), config::allow_file_text(&allow).as_bytes())?;
    eprintln!("enrolled {} ({}) for site {}", enrolled.name, enrolled.connector, enrolled.site);
    if allow.entries().is_empty() {
        eprintln!("its allow-list is empty: nothing can be reached before you give --allow HOST:PORT");
    }
    Ok(())
}

fn status_command(place: &Place, json: bool) -> Result<(), Failure> {
    let text = private_file::read(&place.state_dir.join(STATUS_FILE))?;
    let status: Option<Status> = text.and_then(|text| serde_json::from_slice(&text).ok());
    let running = is_running(&place.state_dir);
    let Some(status) = status else {
        let place = place.state_dir.display();
        let text = format!(
            "no connector has run in {place}: `postern-connector enroll` it, and `postern-connector run` it"
        );
        return Err(Failure::new(ExitCode::Unavailable, text));
    };
    if json {
        let shown =
            serde_json::json!({ "running": running, "warning": status.clock_warning(), "status": status });
        println!("{shown:#}");
    } else {
        print!("{}", status.describe(running, machine_now()));
    }
    match (running, status.is_up()) {
        (true, true) => Ok(()),
        (true, false) => Err(Failure::new(ExitCode::Unavailable, "no link is up")),
        (false, _) => Err(Failure::new(ExitCode::Unavailable, "the connector is not running")),
    }
}
