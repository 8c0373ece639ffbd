//! `postern ssh-config`: one `Host` block for each SSH resource.
//!
//! The blocks hold literal names only, never ssh's `%h`, `%n` or `%r`: what somebody types (or a repository's submodule
//! says) after `ssh` never reaches a shell through us.

use super::config_file;
use crate::{cli::SshConfig, failure::Failure, home::Home, resource::ResourceRef, show};
use postern_api::{MyResource, ResourceKind};
use postern_private_file as private_file;
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The path of this program, for ssh to call.
pub(super) fn own_path() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|e| Failure::unavailable(format!("the path of this program is not known: {e}")))
}

/// The state directory, if it is not the one that the command finds by itself.
pub(super) fn named_home(home: &Home) -> Option<&Path> {
    let is_default = Home::open(None).is_ok_and(|default| default.dir() == home.dir());
    (!is_default || std::env::var_os("POSTERN_HOME").is_some()).then(|| home.dir())
}

/// The options with which ssh reaches `resource`.
pub(super) fn options(
    program: &Path,
    home: Option<&Path>,
    resource: &ResourceRef,
) -> Result<Vec<(&'static str, String)>, Failure> {
    let mut call = word(program)?;
    if let Some(home) = home {
        call.push_str(" --home ");
        call.push_str(&word(home)?);
    }
    Ok(vec![
        ("ProxyCommand", format!("{call} proxy -- {resource}")),
        ("HostKeyAlias", resource.host()),
        ("KnownHostsCommand", format!("{call} known-hosts -- {resource}")),
        // There is no address to check: the connection has none.
        ("CheckHostIP", "no".to_owned()),
    ])
}

/// A path as one word for a shell, for ssh's own word splitting and for its `%` and `${}` expansion alike.
fn word(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().unwrap_or_default();
    let is_plain = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-' | b'+' | b'@' | b'=' | b',')
    };
    if text.starts_with('/') && text.bytes().all(is_plain) {
        return Ok(text.to_owned());
    }
    if text.starts_with('/') && text.bytes().all(|b| is_plain(b) || b == b' ') {
        return Ok(format!("\"{text}\""));
    }
    Err(Failure::usage(format!(
        "{} cannot be written into an ssh configuration; use a path of plain letters",
        path.display()
    )))
}

/// The whole block for these resources.
fn block(program: &Path, home: Option<&Path>, resources: &[ResourceRef]) -> Result<String, Failure> {
    let mut text = String::new();
    for resource in resources {
        text.push_str(&format!("Host {}\n", resource.host()));
        for (key, value) in options(program, home, resource)? {
            text.push_str(&format!("    {key} {value}\n"));
        }
    }
    if !text.is_empty() {
        // What follows in the file holds for all hosts again, as it did before the block was put in front of it.
        text.push_str("Match all\n");
    }
    Ok(text)
}

/// Writes, shows or removes the block.
pub fn run(home: &Home, command: &SshConfig, resources: &[MyResource]) -> Result<(), Failure> {
    let path = command.file.clone().map_or_else(default_file, Ok)?;
    let old = match fs::read_to_string(&path) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::usage(format!("{}: {error}", path.display()))),
    };
    let ssh: Vec<ResourceRef> = resources
        .iter()
        .filter(|resource| resource.protocol == ResourceKind::Ssh && !command.remove)
        .filter_map(|resource| resource.name.as_str().parse().ok())
        .collect();
    if ssh.is_empty() && !command.remove {
        eprintln!("there is no SSH resource that you may reach; what there is: postern ls");
    }
    let block = block(&own_path()?, named_home(home), &ssh)?;
    let new = config_file::with_block(&old, &block)
        .map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
    if command.dry_run {
        return show::text(&new);
    }
    if new == old {
        eprintln!("{} is up to date", path.display());
        return Ok(());
    }
    write(&path, &new)?;
    let count = match ssh.len() {
        0 => "no SSH resource".to_owned(),
        1 => "one SSH resource".to_owned(),
        more => format!("{more} SSH resources"),
    };
    eprintln!("{} now knows {count}", path.display());
    if let Some(first) = ssh.first() {
        eprintln!("try: ssh {}", first.host());
    }
    Ok(())
}

fn default_file() -> Result<PathBuf, Failure> {
    let home =
        etcetera::home_dir().map_err(|_| Failure::usage("no home directory is known").then("--file FILE"))?;
    Ok(home.join(".ssh/config"))
}

/// Replaces the file in one step, keeping its mode; a symbolic link (a file kept elsewhere) stays one.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::usage(format!("{}: {e}", path.display()));
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
        Err(error) => return Err(failed(error)),
    };
    if let Some(directory) = real.parent().filter(|directory| !directory.exists()) {
        private_file::ensure_dir(directory)?;
    }
    let mode = fs::metadata(&real).ok().map(|found| found.permissions().mode() & 0o7777);
    private_file::write(&real, text.as_bytes())?;
    mode.map_or(Ok(()), |mode| fs::set_permissions(&real, fs::Permissions::from_mode(mode))).map_err(failed)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use postern_api::{Action, Labels};
    use postern_ids::Timestamp;

    fn resource(name: &str, protocol: ResourceKind) -> MyResource {
        MyResource {
            id: postern_ids::ResourceId::mint(Timestamp::EPOCH, [1; 10]),
            name: name.parse().unwrap(),
            protocol,
            site: "office".into(),
            labels: Labels::default(),
            actions: vec![Action::Connect],
            online: true,
            url: None,
            host_keys: vec![],
        }
    }

    fn run_on(dir: &Path, file: &Path, resources: &[MyResource], remove: bool) -> String {
        let home = Home::open(Some(&dir.join("state"))).unwrap();
        let command = SshConfig { dry_run: false, file: Some(file.to_path_buf()), remove };
        run(&home, &command, resources).unwrap();
        fs::read_to_string(file).unwrap()
    }

    #[test]
    fn the_block_is_idempotent_and_leaves_the_rest_and_its_mode_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        fs::write(&file, "Host other\n    User me\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let resources = [resource("bastion", ResourceKind::Ssh), resource("db", ResourceKind::Tcp)];
        let once = run_on(dir.path(), &file, &resources, false);
        assert!(once.contains("Host bastion.postern\n") && !once.contains("db.postern"));
        assert!(once.ends_with("Host other\n    User me\n"));
        assert_eq!(run_on(dir.path(), &file, &resources, false), once);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(run_on(dir.path(), &file, &resources, true), "Host other\n    User me\n");
    }

    #[test]
    fn a_linked_configuration_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("dotfiles"), dir.path().join("config"));
        fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        run_on(dir.path(), &link, &[resource("bastion", ResourceKind::Ssh)], false);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read_to_string(&real).unwrap().contains("bastion.postern"));
    }

    #[test]
    fn s2_nothing_that_ssh_expands_is_in_the_block() {
        let names = ["bastion".parse().unwrap()];
        let text =
            block(Path::new("/opt/my tools/postern"), Some(Path::new("/home/a/state")), &names).unwrap();
        assert!(!text.contains('%') && !text.contains('$') && !text.contains('`'), "{text}");
        assert!(
            text.contains("ProxyCommand \"/opt/my tools/postern\" --home /home/a/state proxy -- bastion\n"),
            "{text}"
        );
    }

    #[test]
    fn s2_a_program_path_that_a_shell_could_read_is_refused() {
        for bad in [
            "/opt/$(id)/postern",
            "/a`id`",
            "/a'b",
            "/a\"b",
            "/a%h",
            "/a\nb",
            "/a;b",
            "relative/postern",
            "/a\\b",
            "/é",
        ] {
            assert_eq!(word(Path::new(bad)).unwrap_err().code, 64, "{bad:?}");
        }
    }

    #[test]
    fn stock_ssh_reads_the_block_as_it_is_meant() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        fs::write(&file, "User everywhere\n").unwrap();
        run_on(dir.path(), &file, &[resource("bastion", ResourceKind::Ssh)], false);
        let ask = |host: &str| {
            let out = std::process::Command::new("ssh").arg("-G").arg("-F").arg(&file).arg(host).output();
            out.ok().map(|out| String::from_utf8_lossy(&out.stdout).into_owned())
        };
        let (Some(ours), Some(other)) = (ask("bastion.postern"), ask("elsewhere")) else {
            eprintln!("skipped: there is no ssh on this machine");
            return;
        };
        assert!(ours.contains("hostkeyalias bastion.postern") && ours.contains("proxy -- bastion"), "{ours}");
        assert!(!other.contains("proxycommand"), "{other}");
        assert!(other.contains("user everywhere"), "options for all hosts hold for all hosts: {other}");
    }
}
