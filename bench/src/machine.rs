//! The machine of a measurement.

use std::fmt;
use std::fs;
use std::process::Command;

use serde::Serialize;

/// What a reader must know to compare figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HostMachine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    /// With `-dirty` if the working tree has changes.
    pub(crate) commit: String,
    /// The load average of the last minute; much above 0 distorts the figures.
    pub(crate) load: String,
}

impl HostMachine {
    /// Describes this machine; call it before the program is bound to a core.
    pub(crate) fn here() -> Self {
        let first = |text: String| {
            text.split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        HostMachine {
            cpu: cpu(&read("/proc/cpuinfo")),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            rustc: output("rustc", &["--version"]),
            commit: output("git", &["describe", "--always", "--dirty", "--exclude=*"]),
            load: first(read("/proc/loadavg")),
        }
    }
}

impl fmt::Display for HostMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostMachine {
            cpu,
            cores,
            kernel,
            rustc,
            commit,
            load,
        } = self;
        write!(
            f,
            "{cpu}, {cores} cores, Linux {kernel}, {rustc}, commit {commit}, load {load}"
        )
    }
}

/// The model's name, or the architecture, because arm64 has no model name.
fn cpu(info: &str) -> String {
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model
        .map_or(std::env::consts::ARCH, |(_, name)| name.trim())
        .to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The output of a command; empty if it fails.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::cpu;

    #[test]
    fn the_processor_is_named_by_its_model_or_its_architecture() {
        assert_eq!(cpu("processor\t: 0\nmodel name\t: AMD EPYC\n"), "AMD EPYC");
        assert_eq!(cpu("processor\t: 0\n"), std::env::consts::ARCH);
    }
}
