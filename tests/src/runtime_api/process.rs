//! The function's process and what it writes.
//! Files take its output, not pipes: what it wrote before it answered is there when the answer is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::{Child, Stdio};
use std::time::Instant;

/// A running or ended process, killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pub(super) started: Instant,
    /// Whether an invocation has already told of its end.
    pub(super) reported: bool,
}

impl Process {
    pub(super) fn new(child: Child) -> Self {
        Process {
            child,
            started: Instant::now(),
            reported: false,
        }
    }

    pub(super) fn has_exited(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) fn status(&mut self) -> String {
        match self.child.try_wait() {
            Ok(Some(status)) => status.to_string(),
            Ok(None) => "still running".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Standard output and standard error of all processes of a function.
#[derive(Debug)]
pub(super) struct Output {
    stdout: File,
    stderr: File,
}

/// How far the output had come.
#[derive(Debug)]
pub(super) struct Mark {
    stdout: u64,
    stderr: u64,
}

impl Output {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Output {
            stdout: tempfile::tempfile()?,
            stderr: tempfile::tempfile()?,
        })
    }

    pub(super) fn handles(&self) -> io::Result<(Stdio, Stdio)> {
        Ok((
            self.stdout.try_clone()?.into(),
            self.stderr.try_clone()?.into(),
        ))
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            stdout: length(&self.stdout),
            stderr: length(&self.stderr),
        }
    }

    pub(super) fn since(&self, mark: &Mark) -> (Vec<String>, Vec<String>) {
        let lines = |file, from| read(file, from).lines().map(str::to_owned).collect();
        (
            lines(&self.stdout, mark.stdout),
            lines(&self.stderr, mark.stderr),
        )
    }

    pub(super) fn all(&self) -> String {
        read(&self.stdout, 0) + &read(&self.stderr, 0)
    }
}

fn length(file: &File) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}

fn read(file: &File, from: u64) -> String {
    let size = length(file).saturating_sub(from);
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    // Not `read`: the offset is the process's.
    let _ = file.read_exact_at(&mut bytes, from);
    String::from_utf8_lossy(&bytes).into_owned()
}
