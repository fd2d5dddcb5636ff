//! The matrix as text.

use crate::cell::MatrixRow;

const HEAD: [&str; 7] = [
    "action",
    "fault",
    "trigger, policy",
    "outcomes",
    "function",
    "calls",
    "delivered again",
];

pub(crate) fn render(rows: &[MatrixRow]) -> String {
    let lines: Vec<[String; 7]> = std::iter::once(HEAD.map(str::to_owned))
        .chain(rows.iter().map(line))
        .collect();
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| {
            lines
                .iter()
                .map(|line| line[column].chars().count())
                .max()
                .unwrap()
        })
        .collect();
    let printed = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(text, width)| format!("{text:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    });
    printed.collect::<Vec<_>>().join("\n")
}

fn line(row: &MatrixRow) -> [String; 7] {
    let [action, fault, trigger] = row.key.clone();
    let again = if row.faults.is_empty() {
        row.again.clone()
    } else {
        format!("{} ERROR", row.again)
    };
    [
        action,
        fault,
        trigger,
        row.outcomes.clone(),
        row.function.to_owned(),
        row.calls.to_string(),
        again,
    ]
}
