//! The rows of a scan: the first of them in memory and the rest on disk, so that memory does not grow
//! with the fleet.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::row::Row;

/// Rows in the order in which they were added.
#[derive(Debug)]
pub(crate) struct Spool {
    parts: Vec<Part>,
}

/// The rows of one region.
#[derive(Debug)]
pub(crate) struct Part {
    room: Arc<Room>,
    kept: Vec<Row>,
    /// Without a name, so that it goes with the process.
    file: Option<BufWriter<File>>,
    rows: usize,
}

/// How many more rows memory has room for, all parts together.
#[derive(Debug)]
pub(crate) struct Room(AtomicUsize);

impl Default for Room {
    /// A row takes about 1 KB.
    fn default() -> Self {
        Room(AtomicUsize::new(20_000))
    }
}

impl Room {
    fn take(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

impl Part {
    /// An empty one.
    pub(crate) fn new(room: &Arc<Room>) -> Self {
        Part {
            room: Arc::clone(room),
            kept: Vec::new(),
            file: None,
            rows: 0,
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When there is no room on disk either.
    pub(crate) fn add(&mut self, row: Row) -> io::Result<()> {
        self.rows += 1;
        if self.file.is_none() {
            if self.room.take() {
                self.kept.push(row);
                return Ok(());
            }
            self.file = Some(BufWriter::new(tempfile::tempfile()?));
        }
        if let Some(file) = &mut self.file {
            serde_json::to_writer(&mut *file, &row)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    }

    fn rows(&self) -> impl Iterator<Item = io::Result<Cow<'_, Row>>> {
        let kept = self.kept.iter().map(|row| Ok(Cow::Borrowed(row)));
        let spilled = self.file.iter().flat_map(|file| {
            let mut file = file.get_ref();
            let start = file.seek(SeekFrom::Start(0)).err().map(Err);
            let lines = BufReader::new(file).lines();
            let rows = lines.map(|line| Ok(Cow::Owned(serde_json::from_str(&line?)?)));
            start.into_iter().chain(rows)
        });
        kept.chain(spilled)
    }
}

impl Spool {
    /// The regions' rows, in this order.
    pub(crate) fn of(parts: impl IntoIterator<Item = Part>) -> io::Result<Self> {
        let mut parts: Vec<Part> = parts.into_iter().collect();
        for part in &mut parts {
            part.file.as_mut().map_or(Ok(()), BufWriter::flush)?;
        }
        Ok(Spool { parts })
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// All rows from the start; one reading at a time.
    pub(crate) fn rows(&self) -> impl Iterator<Item = io::Result<Cow<'_, Row>>> {
        self.parts.iter().flat_map(Part::rows)
    }
}

#[cfg(test)]
impl Spool {
    /// For tests.
    pub(crate) fn with(rows: &[Row]) -> Self {
        Spool::with_room(rows, Room::default())
    }

    fn with_room(rows: &[Row], room: Room) -> Self {
        let mut part = Part::new(&Arc::new(room));
        for row in rows {
            part.add(row.clone()).unwrap();
        }
        Spool::of([part]).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    #[test]
    fn rows_come_in_order_from_memory_and_disk_alike_and_more_than_once() {
        let rows: Vec<Row> = (0..30).map(sample::row).collect();
        for room in [0, 1, 29, 30, 31] {
            let spool = Spool::with_room(&rows, Room(AtomicUsize::new(room)));
            assert_eq!(spool.len(), 30);
            let kept: usize = spool.parts.iter().map(|part| part.kept.len()).sum();
            assert_eq!(kept, room.min(30), "memory holds no more than it may");
            for _ in 0..2 {
                let read: Vec<Row> = spool.rows().map(|row| row.unwrap().into_owned()).collect();
                assert_eq!(read, rows, "with room for {room}");
            }
        }
    }
}
