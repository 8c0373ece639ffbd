//! The harness keeps its own promises: what it starts works, and what it stops is gone.

use anyhow::Result;
use postern_tests::{Manner, Postgres, Sshd, Target, postgres, scenario, tools, until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

#[test]
fn a_private_sshd_lets_its_one_key_in_and_counts_visits() -> Result<()> {
    scenario("harness-sshd", |scratch| {
        let sshd = Sshd::start(&scratch.join("sshd"))?;
        assert_eq!((sshd.connections(), sshd.accepted()), (0, 0));
        let output = tools::command("ssh")?
            .args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "BatchMode=yes", "-i"])
            .arg(sshd.user_key())
            .args(["-p", &sshd.port().to_string(), &format!("{}@127.0.0.1", sshd.user()), "exit 7"])
            .output()?;
        assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
        until("the visit in the log", Duration::from_secs(5), || sshd.accepted() == 1)?;
        assert_eq!(sshd.connections(), 1);
        Ok(())
    })
}

#[test]
fn a_crashed_postgres_comes_back_with_its_data() -> Result<()> {
    let mut server = Postgres::start()?;
    let url = postgres::fresh_database(&server.url("postgres"))?;
    postgres::query(&url, "create table kept (id int); insert into kept values (1)")?;
    server.crash()?;
    assert!(postgres::query(&url, "select 1").is_err());
    server.restart()?;
    assert_eq!(postgres::query(&url, "select count(*) from kept")?, "1");
    server.stop()
}

#[test]
fn an_echo_target_keeps_half_closed_connections_and_counts_bytes() -> Result<()> {
    let target = Target::start(Manner::Echo)?;
    let mut stream = TcpStream::connect(target.address())?;
    stream.write_all(b"hello")?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert_eq!(answer, "hello");
    assert_eq!((target.connections(), target.bytes()), (1, 5));
    until("the end at the target", Duration::from_secs(5), || target.open() == 0)?;
    Ok(())
}
