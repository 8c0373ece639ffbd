//! `postern ssh`: the system's ssh, told how to reach the resource.

pub mod config;
mod config_file;
pub(super) mod host_keys;
mod probe;

pub use host_keys::print_known_hosts;
pub use probe::probe;

use crate::{
    cli::Ssh,
    failure::{Failure, code},
    home::Home,
};
use std::{os::unix::process::CommandExt, path::Path, process::Command};

/// The command line that reaches `resource`.
fn command(program: &Path, home: Option<&Path>, ssh: &Ssh) -> Result<Command, Failure> {
    let resource = &ssh.destination.resource;
    let mut command = Command::new("ssh");
    for (key, value) in config::options(program, home, resource)? {
        command.arg("-o").arg(format!("{key}={value}"));
    }
    if let Some(user) = &ssh.destination.user {
        command.arg("-l").arg(user);
    }
    // Checked: it begins with a letter or digit, so ssh cannot read it as an option. A `--` before it would keep ssh
    // from reading the options that the person gave.
    command.arg(resource.host()).args(&ssh.arguments);
    Ok(command)
}

/// Becomes ssh; its exit code is ours.
pub fn run(home: &Home, ssh: &Ssh) -> Result<(), Failure> {
    let mut command = command(&config::own_path()?, config::named_home(home), ssh)?;
    let error = command.exec();
    Err(Failure::new(code::UNAVAILABLE, format!("ssh cannot be started: {error}"))
        .then("install the OpenSSH client"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_a_plain_word_after_the_options() {
        let ssh = Ssh {
            destination: "root@bastion".parse().unwrap(),
            arguments: vec!["-v".into(), "uptime; id".into()],
        };
        let command = command(Path::new("/usr/bin/postern"), None, &ssh).unwrap();
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        assert!(args.contains(&"ProxyCommand=/usr/bin/postern proxy -- bastion".to_owned()), "{args:?}");
        assert!(args.contains(&"HostKeyAlias=bastion.postern".to_owned()));
        assert_eq!(
            args.get(args.len() - 5..).unwrap(),
            ["-l", "root", "bastion.postern", "-v", "uptime; id"]
        );
    }

    #[test]
    fn an_id_is_reached_like_a_name() {
        let id: crate::resource::ResourceRef = format!("res_{}", "0".repeat(26)).parse().unwrap();
        assert!(id.host().starts_with("res_0") && id.host().ends_with(".postern"));
    }
}
