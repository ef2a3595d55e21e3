//! Tables that fit the terminal and never wrap a row.

use resume_core::status::StateWord;

use crate::render::Paint;
use crate::render::text::{cut, width};

/// What stands between two columns.
const GAP: &str = "  ";

/// How one column behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its heading.
    pub(crate) title: &'static str,
    /// Whether it is set to the right: numbers.
    pub(crate) right: bool,
    /// The fewest columns of the terminal that it may shrink to; none if it may not.
    pub(crate) shrinks_to: Option<usize>,
    /// Its turn to be left out where there is no room, the lowest first; none if it always stays.
    pub(crate) leaves: Option<u8>,
}

/// One cell: its text, and the state that colours it.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    state: Option<StateWord>,
}

impl From<StateWord> for Cell {
    fn from(state: StateWord) -> Self {
        Self { text: state.as_str().to_owned(), state: Some(state) }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, state: None }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// The table in lines; at most `room` columns wide where that is given. Each row has a cell for each column.
pub(crate) fn render(columns: &[Column], rows: &[Vec<Cell>], room: Option<usize>, paint: Paint) -> String {
    let natural = columns.iter().enumerate().map(|(index, column)| {
        let cells = rows.iter().map(|row| width(&row[index].text));
        cells.max().unwrap_or(0).max(width(column.title))
    });
    let widths = fitted(columns, natural.collect(), room);
    let mut text = String::new();
    let titles: Vec<_> = columns.iter().map(|column| Cell::from(column.title)).collect();
    push_row(&mut text, columns, &titles, &widths, |_, title| paint.bold(title));
    for row in rows {
        push_row(&mut text, columns, row, &widths, |cell, content| match cell.state {
            Some(state) => paint.state(state, content),
            None => content.to_owned(),
        });
    }
    text
}

/// The width of each column, none for those that are left out.
fn fitted(columns: &[Column], natural: Vec<usize>, room: Option<usize>) -> Vec<Option<usize>> {
    let mut widths: Vec<_> = natural.into_iter().map(Some).collect();
    let Some(room) = room else { return widths };
    loop {
        let excess = total(&widths).saturating_sub(room);
        if excess == 0 || shrink(columns, &mut widths, excess) {
            return widths;
        }
        let next = (0..columns.len()).filter(|index| widths[*index].is_some() && columns[*index].leaves.is_some());
        let Some(next) = next.min_by_key(|index| columns[*index].leaves) else {
            cut_down(columns, &mut widths, excess);
            return widths;
        };
        widths[next] = None;
    }
}

/// The last resort: every column that can shrink does, then the widest are cut whatever they say of themselves.
fn cut_down(columns: &[Column], widths: &mut [Option<usize>], mut excess: usize) {
    for (column, width) in columns.iter().zip(&mut *widths) {
        if let (Some(least), Some(width)) = (column.shrinks_to, width) {
            let taken = width.saturating_sub(least).min(excess);
            *width -= taken;
            excess -= taken;
        }
    }
    while excess > 0
        && let Some(widest) = widths.iter_mut().flatten().max().filter(|widest| **widest > 1)
    {
        *widest -= 1;
        excess -= 1;
    }
}

fn total(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten();
    shown.clone().sum::<usize>() + GAP.len() * shown.count().saturating_sub(1)
}

/// Takes `excess` from the columns that can shrink, the last first, if together they can; else changes nothing.
fn shrink(columns: &[Column], widths: &mut [Option<usize>], mut excess: usize) -> bool {
    let slack = |column: &Column, width: Option<usize>| match (column.shrinks_to, width) {
        (Some(least), Some(width)) => width.saturating_sub(least),
        (None, _) | (_, None) => 0,
    };
    let all: usize = columns.iter().zip(&*widths).map(|(column, width)| slack(column, *width)).sum();
    if all < excess {
        return false;
    }
    for (column, width) in columns.iter().zip(widths).rev() {
        let taken = slack(column, *width).min(excess);
        *width = width.map(|width| width - taken);
        excess -= taken;
    }
    true
}

fn push_row(
    text: &mut String,
    columns: &[Column],
    row: &[Cell],
    widths: &[Option<usize>],
    painted: impl Fn(&Cell, &str) -> String,
) {
    let start = text.len();
    let shown = columns.iter().zip(row).zip(widths).filter_map(|(both, width)| Some((both, (*width)?)));
    for (nth, ((column, cell), room)) in shown.enumerate() {
        if nth > 0 {
            text.push_str(GAP);
        }
        let content = cut(&cell.text, room);
        let padding = " ".repeat(room.saturating_sub(width(&content)));
        let content = painted(cell, &content);
        text.push_str(if column.right { &padding } else { "" });
        text.push_str(&content);
        text.push_str(if column.right { "" } else { &padding });
    }
    text.truncate(start + text[start..].trim_end_matches(' ').len());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column { title: "NAME", right: false, shrinks_to: Some(4), leaves: None },
        Column { title: "PID", right: true, shrinks_to: None, leaves: None },
        Column { title: "CPU", right: true, shrinks_to: None, leaves: Some(0) },
        Column { title: "COMMAND", right: false, shrinks_to: Some(7), leaves: Some(1) },
    ];

    fn check(room: Option<usize>, expected: &str) {
        let row = |cells: [&str; 4]| cells.into_iter().map(Cell::from).collect();
        let rows: Vec<Vec<Cell>> =
            vec![row(["web", "7", "0.5%", "node server.js"]), row(["日本語", "12345", "100%", "sleep 日本"])];
        let text = render(&COLUMNS, &rows, room, Paint::new(false));
        assert_eq!(text, expected, "{room:?}\n{text}");
        for line in text.lines() {
            assert!(room.is_none_or(|room| width(line) <= room), "{line}");
        }
    }

    #[test]
    fn without_a_limit_every_column_is_whole() {
        check(
            None,
            "NAME      PID   CPU  COMMAND\nweb         7  0.5%  node server.js\n日本語  12345  100%  sleep 日本\n",
        );
    }

    #[test]
    fn a_long_column_shrinks_first_then_columns_leave_then_the_widest_is_cut() {
        check(
            Some(30),
            "NAME      PID   CPU  COMMAND\nweb         7  0.5%  node ser…\n日本語  12345  100%  sleep 日…\n",
        );
        check(Some(20), "NAME    PID  COMMAND\nweb       7  node s…\n日…   12345  sleep …\n");
        check(Some(12), "NAME     PID\nweb        7\n日本…  12345\n");
        check(Some(8), "NA…  PID\nweb    7\n日…  12…\n");
    }

    #[test]
    fn a_table_without_rows_has_its_heading() {
        assert_eq!(render(&COLUMNS[..1], &[], Some(80), Paint::new(false)), "NAME\n");
    }

    #[test]
    fn colours_take_no_room() {
        let rows = vec![vec![StateWord::Lost.into(), "1".into()]];
        let text = render(&COLUMNS[..2], &rows, None, Paint::new(true));
        assert_eq!(text, "\x1b[1mNAME\x1b[0m  \x1b[1mPID\x1b[0m\n\x1b[31mlost\x1b[0m    1\n");
    }
}
