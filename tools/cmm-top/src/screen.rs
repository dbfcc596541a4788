// SPDX-License-Identifier: GPL-2.0

//! The terminal: keys in, the screen out.

use crate::{
    keys::{Action, Screen},
    knobs,
    reader::Reader,
    sort::Order,
    view,
};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::{
    io,
    time::{Duration, Instant},
};

/// Shows domains until somebody wants no more.
///
/// # Errors
///
/// The terminal's.
pub fn run(reader: &mut Reader, order: Order, interval: Duration) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let ended = show(&mut terminal, reader, order, interval);
    ratatui::restore();
    ended
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    reader: &mut Reader,
    order: Order,
    interval: Duration,
) -> io::Result<()> {
    let mut screen = Screen::new(order);
    screen.show(reader.look());
    let mut next = Instant::now() + interval;
    loop {
        terminal.draw(|frame| view::draw(frame, &screen))?;
        let left = next.saturating_duration_since(Instant::now());
        if event::poll(left)? {
            match pressed(&event::read()?).and_then(|key| screen.press(key)) {
                Some(Action::Quit) => return Ok(()),
                Some(Action::Set(change)) => {
                    screen.message = knobs::set(reader, &change);
                    screen.show(reader.look());
                }
                None => {}
            }
        }
        if Instant::now() >= next {
            if !screen.paused {
                screen.show(reader.look());
            }
            next = Instant::now() + interval;
        }
    }
}

/// Which key it was. In raw mode Control-C is a key as any other: the one that ends.
fn pressed(event: &Event) -> Option<KeyCode> {
    let Event::Key(key) = event else {
        return None;
    };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(KeyCode::Char('q'));
    }
    Some(key.code)
}
