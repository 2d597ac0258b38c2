//! Aligned columns of plain text, cut at the screen's edge, with optional colour.

/// What a word means to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Bad,
}

/// One field.
#[derive(Debug)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
    whole: bool,
}

impl Cell {
    pub(super) fn new(text: &str, tone: Tone) -> Self {
        Self { text: clean(text), tone, whole: false }
    }

    pub(super) fn plain(text: &str) -> Self {
        Self::new(text, Tone::Plain)
    }

    /// In the last column: goes on in the next line instead of being cut.
    pub(super) fn whole(self) -> Self {
        Self { whole: true, ..self }
    }
}

/// A row of fields, or a line across.
#[derive(Debug)]
enum Row {
    Cells(Vec<Cell>),
    Line(String),
}

/// A table: all columns but the last are as wide as their widest field.
#[derive(Debug)]
pub(super) struct Table {
    indent: usize,
    /// By column: whether it is aligned to the right.
    right: Vec<bool>,
    rows: Vec<Row>,
}

impl Table {
    /// A table with these headings, `indent` blanks from the left; `>` before a heading aligns its column to the right.
    pub(super) fn new(indent: usize, headings: &[&str]) -> Self {
        let right = headings.iter().map(|h| h.starts_with('>')).collect();
        let cells = headings.iter().map(|h| Cell::plain(h.trim_start_matches('>'))).collect();
        Self { indent, right, rows: vec![Row::Cells(cells)] }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(Row::Cells(cells));
    }

    pub(super) fn line(&mut self, text: String) {
        self.rows.push(Row::Line(text));
    }

    /// The text, at most `width` characters wide but for cells that are whole and have no blank to break at.
    pub(super) fn render(&self, width: usize, colour: bool) -> String {
        let columns = self.right.len();
        let widths: Vec<usize> = (0..columns)
            .map(|c| {
                let in_column = self.rows.iter().filter_map(|row| match row {
                    Row::Cells(cells) => cells.get(c).map(|cell| length(&cell.text)),
                    Row::Line(_) => None,
                });
                in_column.max().unwrap_or(0)
            })
            .collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(self.indent);
            // Colours take no place on the screen, so the place is counted apart.
            let mut at = self.indent;
            match row {
                Row::Line(text) => line.push_str(&cut(text, width.saturating_sub(at))),
                Row::Cells(cells) => {
                    for (index, (cell, (&wide, &right))) in cells.iter().zip(widths.iter().zip(&self.right)).enumerate() {
                        if index + 1 == columns {
                            line.push_str(&last(cell, at, width, colour));
                            continue;
                        }
                        let pad = " ".repeat(wide.saturating_sub(length(&cell.text)));
                        let painted = paint(&cell.text, cell.tone, colour);
                        line.push_str(&if right { pad + &painted } else { painted + &pad });
                        line.push_str("  ");
                        at += wide + 2;
                    }
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// The last field of a row, which begins at column `at`.
fn last(cell: &Cell, at: usize, width: usize, colour: bool) -> String {
    let room = width.saturating_sub(at).max(20);
    if !cell.whole {
        return paint(&cut(&cell.text, room), cell.tone, colour);
    }
    let mut lines: Vec<String> = Vec::new();
    for word in cell.text.split(' ') {
        match lines.last_mut() {
            Some(line) if length(line) + 1 + length(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join(&format!("\n{}", " ".repeat(at)))
}

/// Without control characters: what a real server answers must not move the cursor.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// At most `width` characters, with dots where something was cut off.
pub(super) fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(3)).collect();
    kept + "..."
}

/// The text in the tone's colour.
pub(super) fn paint(text: &str, tone: Tone, colour: bool) -> String {
    match (tone, colour) {
        (Tone::Good, true) => format!("\x1b[32m{text}\x1b[0m"),
        (Tone::Bad, true) => format!("\x1b[1;31m{text}\x1b[0m"),
        _ => text.to_owned(),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_lines_cross_and_the_last_is_cut() {
        let mut table = Table::new(1, &["A", ">N", "TEXT"]);
        table.line("a line across".into());
        table.row(vec![Cell::plain("long name"), Cell::plain("7"), Cell::plain("x".repeat(40).as_str())]);
        table.row(vec![Cell::plain("b"), Cell::new("123", Tone::Bad), Cell::plain("")]);
        let expected = " A            N  TEXT\n a line across\n long name    7  xxxxxxxxxxxxxxxxx...\n b          123\n";
        assert_eq!(table.render(37, false), expected);
        let coloured = table.render(37, true);
        assert!(coloured.contains("b          \x1b[1;31m123\x1b[0m\n"), "{coloured:?}");
    }

    #[test]
    fn whole_cells_go_on_below_themselves() {
        let mut table = Table::new(0, &["A", "TEXT"]);
        table.row(vec![Cell::plain("b"), Cell::plain("one two three four five six").whole()]);
        assert_eq!(table.render(23, false), "A  TEXT\nb  one two three four\n   five six\n");
    }

    #[test]
    fn what_a_server_says_does_not_reach_the_terminal_as_control() {
        assert_eq!(clean("a\x1b[2Jb\r\nc\u{9b}d"), "a [2Jb  c d");
    }
}
