//! The rows of a scan on disk, so that memory holds a page and not the fleet.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};

use crate::row::Row;

/// Rows in the order in which they were added; the file has no name and goes with the process.
#[derive(Debug)]
pub(crate) struct Spool {
    parts: Vec<Part>,
}

/// The rows of one region.
#[derive(Debug)]
pub(crate) struct Part {
    file: BufWriter<File>,
    rows: usize,
}

impl Part {
    /// An empty one, in the folder for temporary files.
    pub(crate) fn new() -> io::Result<Self> {
        let file = BufWriter::new(tempfile::tempfile()?);
        Ok(Part { file, rows: 0 })
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, row: &Row) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, row)?;
        self.file.write_all(b"\n")?;
        self.rows += 1;
        Ok(())
    }
}

impl Spool {
    /// The regions' rows, in this order.
    pub(crate) fn of(parts: impl IntoIterator<Item = Part>) -> io::Result<Self> {
        let mut parts: Vec<Part> = parts.into_iter().collect();
        for part in &mut parts {
            part.file.flush()?;
        }
        Ok(Spool { parts })
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// All rows from the start; one reading at a time.
    pub(crate) fn rows(&self) -> impl Iterator<Item = io::Result<Row>> {
        self.parts.iter().flat_map(|part| {
            let mut file = part.file.get_ref();
            let start = file.seek(SeekFrom::Start(0)).err().map(Err);
            let lines = BufReader::new(file).lines();
            let rows = lines.map(|line| Ok(serde_json::from_str(&line?)?));
            start.into_iter().chain(rows)
        })
    }
}

#[cfg(test)]
impl Spool {
    /// For tests.
    pub(crate) fn with(rows: &[Row]) -> Self {
        let mut part = Part::new().unwrap();
        for row in rows {
            part.add(row).unwrap();
        }
        Spool::of([part]).unwrap()
    }
}
