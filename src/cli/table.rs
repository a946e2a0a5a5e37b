//! Tables as wide as a terminal: selects the columns that fit, and cuts values that are too long.

use std::borrow::Borrow;
use std::fmt::Display;
use std::io::IsTerminal;

use comfy_table::{Attribute, Cell, ColumnConstraint, Table, TableStyle, Width};
use unicode_width::UnicodeWidthStr;

use super::text::{Text, shorten, start, wrap};

/// The width of a terminal that does not report one.
const USUAL_WIDTH: usize = 80;

/// The least width of a column, unless all its values are narrower.
const NARROWEST: usize = 8;

/// The default least width of a column, if there is room.
const LEAST: usize = 12;

/// The gap between two columns.
const GAP: usize = 2;

/// Most lines of a row.
const MOST_LINES: usize = 3;

/// A column of a list, and its behaviour if there is little room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    title: &'static str,
    fit: ColumnFit,
    rank: u8,
    least: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnFit {
    /// People copy it from here.
    Copied,
    Started,
    Shortened,
    Wrapped,
    Prose,
}

/// A field of a single thing, with its name.
pub(super) type CardField = (&'static str, Text);

/// A table, and the columns that did not fit.
pub(super) struct TableText {
    pub(super) text: String,
    pub(super) left_out: Vec<&'static str>,
}

impl Column {
    /// Ids and names that people copy: never cut, unless they do not fit even alone.
    pub(super) const fn copied(title: &'static str) -> Self {
        Self::new(title, ColumnFit::Copied)
    }

    /// Ids whose beginning is enough.
    pub(super) const fn started(title: &'static str) -> Self {
        Self::new(title, ColumnFit::Started).least(NARROWEST)
    }

    /// Values whose two ends are enough.
    pub(super) const fn shortened(title: &'static str) -> Self {
        Self::new(title, ColumnFit::Shortened)
    }

    /// Sentences and lists of names, on up to three lines.
    pub(super) const fn wrapped(title: &'static str) -> Self {
        Self::new(title, ColumnFit::Wrapped)
    }

    /// Sentences that must be complete, on as many lines as they need.
    pub(super) const fn prose(title: &'static str) -> Self {
        Self::new(title, ColumnFit::Prose)
    }

    /// Sets the least width, for columns whose values are as wide and if there is room.
    pub(super) const fn least(self, least: usize) -> Self {
        Self { least, ..self }
    }

    /// On a narrow terminal the columns of highest rank are dropped first. Rank 0 is never dropped.
    pub(super) const fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    const fn new(title: &'static str, fit: ColumnFit) -> Self {
        Self {
            title,
            fit,
            rank: 0,
            least: LEAST,
        }
    }

    fn least_of(&self, natural: usize) -> usize {
        match self.fit {
            ColumnFit::Copied => natural,
            _ => natural.min(self.least),
        }
    }

    /// The part of a value that a cell of this width shows.
    fn shown(&self, text: &Text, width: usize) -> String {
        match self.fit {
            ColumnFit::Copied | ColumnFit::Shortened => shorten(&text.shown(), width),
            ColumnFit::Started => start(&text.shown(), width),
            ColumnFit::Wrapped => text.wrapped(width, MOST_LINES),
            ColumnFit::Prose => text.shown(),
        }
    }
}

/// The table on a terminal of this width. A column without any value is not drawn.
pub(super) fn render(columns: &[Column], rows: &[Vec<Text>], width: Option<usize>) -> TableText {
    let is_used = |index: &usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(*index));
        rows.is_empty() || cells.any(|text| !text.shown().is_empty())
    };
    let used: Vec<usize> = (0..columns.len()).filter(is_used).collect();
    let columns: Vec<Column> = used
        .iter()
        .filter_map(|index| columns.get(*index))
        .copied()
        .collect();
    let rows = rows.iter().map(|row| {
        let cells = used.iter().filter_map(|index| row.get(*index));
        cells.collect()
    });
    let rows: Vec<Vec<&Text>> = rows.collect();
    let widths = natural(&columns, &rows);
    let widths = fit(&columns, &widths, width.unwrap_or(USUAL_WIDTH));
    draw(&columns, &rows, &widths, true)
}

/// The natural width of each column.
fn natural<T: Borrow<Text>>(columns: &[Column], rows: &[Vec<T>]) -> Vec<usize> {
    let columns = columns.iter().enumerate();
    let widths = columns.map(|(index, column)| {
        let cells = rows.iter().filter_map(|row| row.get(index));
        let cells = cells.map(|text| text.borrow().shown().width());
        cells.chain([column.title.width()]).max().unwrap_or(1)
    });
    widths.collect()
}

fn draw<T: Borrow<Text>>(
    columns: &[Column],
    rows: &[Vec<T>],
    widths: &[Option<usize>],
    has_header: bool,
) -> TableText {
    let kept: Vec<(usize, &Column, usize)> = columns
        .iter()
        .zip(widths)
        .enumerate()
        .filter_map(|(index, (column, width))| Some((index, column, (*width)?)))
        .collect();
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    if has_header {
        table.set_header(kept.iter().map(|(_, column, width)| {
            Cell::new(shorten(column.title, *width)).add_attribute(Attribute::Bold)
        }));
    }
    for row in rows {
        let cells = kept.iter().filter_map(|(index, column, width)| {
            let text = row.get(*index)?.borrow();
            let cell = Cell::new(column.shown(text, *width));
            Some(match text.color() {
                Some(color) => cell.fg(color),
                None => cell,
            })
        });
        table.add_row(cells.collect::<Vec<_>>());
    }
    for (place, (_, _, width)) in kept.iter().enumerate() {
        let gap = if place + 1 == kept.len() { 0 } else { GAP };
        if let Some(column) = table.column_mut(place) {
            let whole = Width::Fixed(u16::try_from(width + gap).unwrap_or(u16::MAX));
            column.set_padding((0, u16::try_from(gap).unwrap_or_default()));
            column.set_constraint(ColumnConstraint::Absolute(whole));
        }
    }
    let left_out = columns.iter().enumerate();
    let left_out = left_out.filter(|(index, _)| kept.iter().all(|(kept, _, _)| kept != index));
    TableText {
        text: table.trim_fmt() + "\n",
        left_out: left_out.map(|(_, column)| column.title).collect(),
    }
}

/// A table that grows while it is read. Printed lines stay, so columns only get wider, and then get a new header.
#[derive(Default)]
pub(super) struct GrowingTable {
    natural: Vec<usize>,
    widths: Vec<Option<usize>>,
    told: Option<Vec<&'static str>>,
}

impl GrowingTable {
    /// The lines of further rows, on a terminal whose width may have changed.
    pub(super) fn add(
        &mut self,
        columns: &[Column],
        rows: &[Vec<Text>],
        width: Option<usize>,
    ) -> TableText {
        let wanted = natural(columns, rows);
        if self.natural.is_empty() {
            // Room for later rows.
            let usual = columns.iter().map(|column| match column.fit {
                ColumnFit::Copied => 0,
                _ => column.least,
            });
            self.natural = usual.collect();
        }
        for (known, wanted) in self.natural.iter_mut().zip(wanted) {
            *known = wanted.max(*known);
        }
        let widths = fit(columns, &self.natural, width.unwrap_or(USUAL_WIDTH));
        let has_header = widths != self.widths;
        self.widths = widths;
        let drawn = draw(columns, rows, &self.widths, has_header);
        match self.told.as_ref() == Some(&drawn.left_out) {
            false => {
                self.told = Some(drawn.left_out.clone());
                drawn
            }
            // It is said once.
            true => TableText {
                left_out: Vec::new(),
                ..drawn
            },
        }
    }
}

/// Fields one below the other, each value on as many lines as it needs.
pub(super) fn card(fields: &[CardField], width: Option<usize>) -> String {
    let names = fields.iter().map(|(name, _)| name.width());
    let names = names.max().unwrap_or_default() + GAP;
    let values = width.unwrap_or(USUAL_WIDTH).saturating_sub(names);
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    for (name, text) in fields {
        let value = Cell::new(text.whole());
        table.add_row([
            Cell::new(name).add_attribute(Attribute::Bold),
            match text.color() {
                Some(color) => value.fg(color),
                None => value,
            },
        ]);
    }
    for (place, width) in [names, values.max(NARROWEST)].into_iter().enumerate() {
        if let Some(column) = table.column_mut(place) {
            let whole = Width::Fixed(u16::try_from(width).unwrap_or(u16::MAX));
            column.set_padding((0, 0));
            column.set_constraint(ColumnConstraint::Absolute(whole));
        }
    }
    table.trim_fmt() + "\n"
}

/// The width of the terminal; `None` if it does not report one.
pub(super) fn terminal_width() -> Option<usize> {
    let width = Table::new().width().map(usize::from);
    // Some report zero.
    width.filter(|width| *width > 0)
}

/// Prints a note on stderr, beside the output. On a terminal, words are not split.
pub(super) fn note(text: impl Display) {
    let text = text.to_string();
    match std::io::stderr().is_terminal() {
        true => eprintln!("{}", wrap(&text, terminal_width().unwrap_or(USUAL_WIDTH))),
        false => eprintln!("{text}"),
    }
}

/// Sentences for stdout. On a terminal, words are not split.
pub(super) fn fitted_sentences(text: &str) -> String {
    match std::io::stdout().is_terminal() {
        true => wrap(text, terminal_width().unwrap_or(USUAL_WIDTH)),
        false => text.to_owned(),
    }
}

/// The width of each column; none for columns that do not fit.
fn fit(columns: &[Column], natural: &[usize], room: usize) -> Vec<Option<usize>> {
    let least = columns.iter().zip(natural);
    let mut widths: Vec<Option<usize>> = least
        .map(|(column, natural)| Some(column.least_of(*natural)))
        .collect();
    while needed(&widths) > room {
        let shown = columns.iter().enumerate();
        let shown = shown.filter(|(index, column)| {
            column.rank > 0 && widths.get(*index).is_some_and(Option::is_some)
        });
        let Some((last, _)) = shown.max_by_key(|(_, column)| column.rank) else {
            break;
        };
        if let Some(width) = widths.get_mut(last) {
            *width = None;
        }
    }
    // Not even the remaining columns fit, so values to copy are cut, too.
    if needed(&widths) > room {
        for (width, natural) in widths.iter_mut().zip(natural) {
            *width = width.map(|_| (*natural).min(NARROWEST));
        }
    }
    // Nor that: the last goes first, and one that is left is as wide as the terminal.
    while needed(&widths) > room {
        let mut shown = widths.iter_mut().filter(|width| width.is_some());
        match (shown.next(), shown.next_back()) {
            (_, Some(last)) => *last = None,
            (Some(only), None) => {
                *only = Some(room.max(1));
                break;
            }
            (None, None) => break,
        }
    }
    // A letter for each column that wants one, for as long as there is room.
    let mut spare = room.saturating_sub(needed(&widths));
    loop {
        let before = spare;
        for (width, natural) in widths.iter_mut().zip(natural) {
            if let Some(width) = width
                && *width < *natural
                && spare > 0
            {
                *width += 1;
                spare -= 1;
            }
        }
        if spare == before {
            return widths;
        }
    }
}

fn needed(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten();
    let gaps = shown.clone().count().saturating_sub(1) * GAP;
    shown.sum::<usize>() + gaps
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Checks a list on narrow terminals: no line is wider, and no column is too narrow to read.
    #[track_caller]
    pub(in crate::cli) fn check_fits(columns: &[Column], rows: &[Vec<Text>]) {
        assert!(!rows.is_empty());
        for width in [40, 20, 6] {
            let text = render(columns, rows, Some(width)).text;
            let widest = text.lines().map(UnicodeWidthStr::width).max();
            assert!(widest <= Some(width), "{width}:\n{text}");
        }
        for width in [100, 80, 60] {
            let rendered = render(columns, rows, Some(width));
            for line in rendered.text.lines() {
                assert!(line.width() <= width, "{width}:\n{}", rendered.text);
            }
            let lines = rendered.text.lines().count();
            assert!(lines <= 1 + rows.len() * MOST_LINES, "{}", rendered.text);
            let natural: Vec<usize> = (0..columns.len())
                .map(|index| {
                    let cells = rows.iter().map(|row| row[index].shown().width());
                    cells.max().expect("rows").max(columns[index].title.width())
                })
                .collect();
            let widths = fit(columns, &natural, width);
            for (column, (shown, natural)) in columns.iter().zip(widths.into_iter().zip(natural)) {
                match shown {
                    Some(shown) => assert!(shown >= natural.min(NARROWEST), "{width} {column:?}"),
                    None => assert!(column.rank > 0, "{width} {column:?} is left out"),
                }
            }
        }
    }

    const COLUMNS: [Column; 4] = [
        Column::copied("Id"),
        Column::shortened("Tool"),
        Column::wrapped("Locations"),
        Column::shortened("Client").rank(1),
    ];

    fn rows() -> Vec<Vec<Text>> {
        let branches = (1..=40).map(|number| format!("branch-{number:02}"));
        vec![
            vec![
                "apr_rYFS3WxHyfsMCnpdo8Mo".into(),
                "conversations_send-a-new-message".into(),
                Text::names(branches),
                "Claude Code 2.1.197".into(),
            ],
            vec!["a".into(), "b".into(), "c".into(), "d".into()],
        ]
    }

    #[test]
    fn the_least_important_columns_are_dropped_first_and_nothing_overflows() {
        check_fits(&COLUMNS, &rows());
        let at = |width| render(&COLUMNS, &rows(), Some(width));
        let wide = at(100);
        assert!(wide.left_out.is_empty());
        assert!(
            wide.text.contains("and 3") && wide.text.contains(" more"),
            "{}",
            wide.text
        );
        let narrow = at(60);
        assert_eq!(narrow.left_out, ["Client"]);
        assert!(narrow.text.contains("apr_rYFS3WxHyfsMCnpdo8Mo"));
        // No room for what is to be copied either.
        assert_eq!(at(20).left_out, ["Locations", "Client"]);
    }

    #[test]
    fn a_growing_table_keeps_its_columns_and_never_overflows() {
        for width in [100, 80, 60] {
            let mut table = GrowingTable::default();
            let mut add = |rows: Vec<Vec<Text>>| {
                let text = table.add(&COLUMNS, &rows, Some(width)).text;
                for line in text.lines() {
                    assert!(line.width() <= width, "{width}: {line:?}");
                }
                text
            };
            let short = || vec!["a".into(), "b".into(), "c".into(), "d".into()];
            let row = "a   b             c             d\n";
            let header = "Id  Tool          Locations     Client\n";
            assert_eq!(add(vec![short()]), format!("{header}{row}"));
            assert_eq!(add(vec![short()]), row);
            // A wider value moves the columns, and a new header marks them.
            assert!(add(rows()).starts_with("Id  "));
            assert!(!add(vec![short()]).contains("Id"));
            assert!(!add(rows()).starts_with("Id  "));
        }
    }

    #[test]
    fn a_card_wraps_beside_its_names() {
        let fields = [
            ("Id", Text::from("apr_1")),
            (
                "Locations",
                Text::names(["branch-01", "branch-02", "branch-03"]),
            ),
        ];
        let expected = "Id         apr_1\nLocations  branch-01,\n           branch-02,\n           branch-03\n";
        assert_eq!(card(&fields, Some(22)), expected);
    }

    #[test]
    fn a_short_table_takes_no_more_than_it_needs() {
        let rows = vec![vec!["a".into(), Text::good("bcd")]];
        let columns = [Column::copied("X"), Column::wrapped("Y")];
        let rendered = render(&columns, &rows, None);
        assert_eq!(rendered.text, "X  Y\na  bcd\n");
    }
}
