//! The resources and cores of processes, as the kernel reports them.

use std::fs;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The time that the running threads of a process have spent on a core.
///
/// <https://docs.kernel.org/scheduler/sched-stats.html>: in nanoseconds, where `/proc/PID/stat` counts
/// hundredths of a second.
pub(crate) fn cpu_time(process: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    let on_core = threads.flatten().filter_map(|thread| {
        let schedstat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        schedstat
            .split_ascii_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
    });
    Duration::from_nanos(on_core.sum())
}

/// The peak memory of a process, in bytes; `None` once it has ended.
pub(crate) fn peak_memory(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

/// The cores that this program may use.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    all: CpuSet,
    /// The core of the function.
    pub(crate) second: usize,
}

impl Cores {
    /// Keeps this program and its fakes on the first core, away from the function. `None` with one core.
    pub(crate) fn leave_second() -> Option<Self> {
        let all = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let (first, second) = (cores.next()?, cores.next()?);
        let mut ours = CpuSet::new();
        ours.set(first);
        sched_setaffinity(None, &ours).ok()?;
        Some(Cores { all, second })
    }

    /// Runs work on all cores; processes that it starts may use all cores too.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let moved = || {
            sched_setaffinity(None, &self.all).expect("they are this program's");
            work()
        };
        std::thread::scope(|scope| scope.spawn(moved).join()).expect("the thread has not panicked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn work_counts_in_the_cpu_time() {
        let (process, start) = (std::process::id(), Instant::now());
        let before = cpu_time(process);
        while start.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        let used = cpu_time(process) - before;
        assert!(used > Duration::from_millis(5), "{used:?}");
    }

    #[test]
    fn memory_counts_in_the_peak_even_after_it_is_freed() {
        const SIZE: usize = 64 << 20;
        drop(std::hint::black_box(vec![1_u8; SIZE]));
        let peak = peak_memory(std::process::id()).unwrap();
        assert!(peak > SIZE as f64, "{peak}");
    }

    #[test]
    fn this_program_leaves_a_core_and_processes_may_use_all() {
        let before = sched_getaffinity(None).unwrap();
        let Some(cores) = Cores::leave_second() else {
            return;
        };
        let ours = sched_getaffinity(None).unwrap();
        assert!(ours.count() == 1 && !ours.is_set(cores.second));
        let all = cores.run(|| sched_getaffinity(None).unwrap());
        assert!(all == before && all.is_set(cores.second));
    }

    #[test]
    fn a_process_that_has_ended_has_no_peak() {
        assert_eq!(peak_memory(u32::MAX), None);
    }
}
