//! The fault matrix: every call of the function, every fault, and every trigger. `make faults` prints it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests panic on the unexpected and read the clock"
)]

mod calls;
mod cell;
mod delivery;
mod fleet;
mod items;
mod promise;
mod scenes;
#[path = "../enforcer/support.rs"]
mod support;
mod table;
mod troubles;
mod verdict;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use cell::{MatrixCell, MatrixRow, cells};

/// Cells mostly wait for the function.
const CONCURRENT_CELLS: usize = 32;

#[test]
fn after_every_fault_no_instance_is_lost_and_the_next_delivery_enforces_the_rest() {
    let begun = Instant::now();
    let cells = cells();
    let mut rows = run(&cells);
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    println!("{}", table::render(&rows));
    let failing: Vec<String> = rows.iter().filter_map(MatrixRow::failure).collect();
    println!(
        "{} cells, {} of them with errors, in {:.0} s",
        rows.len(),
        failing.len(),
        begun.elapsed().as_secs_f64()
    );
    assert_eq!(rows.len(), cells.len());
    assert!(failing.is_empty(), "\n{}", failing.join("\n"));
}

/// Runs the cells in their order, several at a time.
fn run(cells: &[MatrixCell]) -> Vec<MatrixRow> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENT_CELLS {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let row = catch_unwind(AssertUnwindSafe(|| cell.run()))
                        .unwrap_or_else(|_| cell.broken("the test itself panicked"));
                    rows.lock().unwrap().push(row);
                }
            });
        }
    });
    rows.into_inner().unwrap()
}
