//! The fault matrix: every call that the function makes, every way in which it can go wrong, and
//! every trigger. `make faults` prints it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect, and lives in the present"
)]

mod calls;
mod cell;
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

use cell::{Cell, Row, cells};

/// Cells wait for the function far more than they compute.
const SIDE_BY_SIDE: usize = 20;

#[test]
fn whatever_fails_no_instance_is_lost_and_the_next_delivery_mends_the_rest() {
    let begun = Instant::now();
    let cells = cells();
    let mut rows = run(&cells);
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    println!("{}", table::of(&rows));
    let failing: Vec<String> = rows.iter().filter_map(Row::complaint).collect();
    println!(
        "{} cells, {} of them wrong, in {:.0} s",
        rows.len(),
        failing.len(),
        begun.elapsed().as_secs_f64()
    );
    assert_eq!(rows.len(), cells.len());
    assert!(failing.is_empty(), "\n{}", failing.join("\n"));
}

/// The longest first, so that the end waits for none.
fn run(cells: &[Cell]) -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
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
