//! What a function writes. It goes to files, not pipes, so that everything that was written before the
//! answer can be read with the answer.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::Stdio;

/// Standard output and standard error of all processes of a function.
#[derive(Debug)]
pub(super) struct FunctionOutput {
    stdout: File,
    stderr: File,
}

/// A position in the output.
#[derive(Debug, Default)]
pub(super) struct OutputMark {
    stdout: u64,
    stderr: u64,
}

impl FunctionOutput {
    pub(super) fn new() -> io::Result<Self> {
        Ok(FunctionOutput {
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

    pub(super) fn mark(&self) -> OutputMark {
        OutputMark {
            stdout: length(&self.stdout),
            stderr: length(&self.stderr),
        }
    }

    pub(super) fn since(&self, mark: &OutputMark) -> (Vec<String>, Vec<String>) {
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
