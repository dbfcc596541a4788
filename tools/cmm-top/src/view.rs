// SPDX-License-Identifier: GPL-2.0

//! The screen.

use crate::{
    keys::Screen,
    knobs::{Kind, KNOBS},
    model::Domain,
    sort::Key,
    table::{cells, summary, COLUMNS},
};
use ratatui::{
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Text},
    widgets::{Cell, Clear, Paragraph, Row, Table, TableState},
    Frame,
};

/// Draws all of it.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let rows = [
        Constraint::Length(1),
        Constraint::Min(2),
        Constraint::Length(1),
    ];
    let [top, middle, bottom] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(head(screen), top);
    draw_table(frame, screen, middle);
    frame.render_widget(foot(screen), bottom);
    if screen.help {
        draw_help(frame, middle);
    }
}

fn head(screen: &Screen) -> Paragraph<'static> {
    let style = match screen.snapshot.host.balanced {
        Some(false) => Style::new().fg(Color::Red),
        _ => Style::new().add_modifier(Modifier::BOLD),
    };
    Paragraph::new(summary(&screen.snapshot)).style(style)
}

/// What is asked, else what was said, else what could not be read, else which keys there are.
fn foot(screen: &Screen) -> Paragraph<'static> {
    if let Some(prompt) = &screen.prompt {
        let whose = match &prompt.domain {
            Some((_, name)) => format!("{name}'s "),
            None => String::new(),
        };
        let unit = match prompt.knob.kind {
            Kind::Size => " in MiB",
            _ => "",
        };
        return Paragraph::new(format!(
            "{whose}{}{unit}, now {}: {}_",
            prompt.knob.name, prompt.now, prompt.typed
        ));
    }
    if !screen.message.is_empty() {
        return Paragraph::new(screen.message.clone()).style(Style::new().fg(Color::Yellow));
    }
    match screen.snapshot.notes.first() {
        Some(note) => Paragraph::new(note.clone()).style(Style::new().fg(Color::Yellow)),
        None if screen.paused => Paragraph::new("paused: the space bar goes on"),
        None => Paragraph::new(format!(
            "h: keys  q: end  sorted by {}{}",
            screen.order.key.name(),
            if screen.order.reverse {
                ", reversed"
            } else {
                ""
            },
        )),
    }
}

fn draw_table(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let titles = COLUMNS
        .iter()
        .map(|column| cell(column.title.into(), column.right));
    let last = COLUMNS.len() - 1;
    let widths = COLUMNS.iter().enumerate().map(|(at, column)| {
        let width = u16::try_from(column.width).unwrap_or(u16::MAX);
        if at == last {
            Constraint::Min(width)
        } else {
            Constraint::Length(width)
        }
    });
    let table = Table::new(screen.snapshot.domains.iter().map(row), widths)
        .header(Row::new(titles).style(Style::new().add_modifier(Modifier::REVERSED)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(screen.position());
    frame.render_stateful_widget(table, area, &mut state);
}

fn row(domain: &Domain) -> Row<'static> {
    let color = match (domain.books.waiting, domain.books.balance_kb) {
        (Some(1..), _) => Color::Red,
        (_, Some(1..)) => Color::Green,
        (_, Some(..=-1)) => Color::Cyan,
        _ => Color::Reset,
    };
    let cells = cells(domain).into_iter().zip(&COLUMNS);
    Row::new(cells.map(|(text, column)| cell(text, column.right))).style(Style::new().fg(color))
}

fn cell(text: String, right: bool) -> Cell<'static> {
    let alignment = if right {
        Alignment::Right
    } else {
        Alignment::Left
    };
    Cell::from(Text::from(text).alignment(alignment))
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let mut lines = vec![Line::from("Sort by:")];
    for (_, name, key) in Key::ALL {
        lines.push(Line::from(format!("  {key}  {name}")));
    }
    lines.push(Line::from("  r  the other way round"));
    lines.push(Line::from(
        "Turn, of the domain that is selected or of all:",
    ));
    for knob in &KNOBS {
        let whose = if knob.of_domain { "" } else { " (of all)" };
        lines.push(Line::from(format!("  {}  {}{whose}", knob.key, knob.name)));
    }
    lines.push(Line::from("Up, down: select; space: pause; q: end"));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines), area);
}
