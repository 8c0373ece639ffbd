//! A `postern proxy` that a test talks through.

use super::{code, postern, stderr};
use postern_client::home::Home;
use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

pub(crate) struct Talk {
    pub(crate) child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

impl Talk {
    pub(crate) fn begin(home: &Home, environment: &[(&str, &str)]) -> Self {
        let mut command = postern(home, &["proxy", "bastion"]);
        let mut child = command.envs(environment.iter().copied()).stdin(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    /// Says something to an echo, and hears exactly that.
    pub(crate) fn exchange(&mut self, bytes: &[u8]) {
        self.stdin.write_all(bytes).unwrap();
        let mut answer = vec![0; bytes.len()];
        self.stdout.read_exact(&mut answer).unwrap();
        assert_eq!(answer, bytes);
    }

    /// Ends the input, and waits for the end; nothing more comes.
    pub(crate) fn finish(mut self) -> (i32, String) {
        drop(self.stdin);
        let mut rest = Vec::new();
        self.stdout.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty(), "{rest:?}");
        let output = self.child.wait_with_output().unwrap();
        (code(&output), stderr(&output))
    }

    /// Waits for an end that comes from elsewhere, while the input stays open.
    pub(crate) fn end(self) -> (i32, String) {
        let output = self.child.wait_with_output().unwrap();
        drop(self.stdin);
        (code(&output), stderr(&output))
    }
}
