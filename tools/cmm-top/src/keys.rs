// SPDX-License-Identifier: GPL-2.0

//! What the screen is showing, and what keys do to that.

use crate::{
    knobs::{Change, Kind, Knob},
    model::{Domain, Snapshot},
    sort::{self, Key, Order},
};
use ratatui::crossterm::event::KeyCode;

/// More than this is no value.
const TYPED_MAX: usize = 20;

/// What the screen is showing.
#[derive(Debug, Default)]
pub struct Screen {
    /// The last look, sorted.
    pub snapshot: Snapshot,
    /// How it is sorted.
    pub order: Order,
    /// Which domain knobs are turned of.
    pub selected: Option<u32>,
    /// A knob whose value is being typed.
    pub prompt: Option<Prompt>,
    /// What there is to say.
    pub message: String,
    /// Whether the keys are shown.
    pub help: bool,
    /// Whether the last look stays.
    pub paused: bool,
}

/// A knob whose value is being typed.
#[derive(Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Which.
    pub knob: &'static Knob,
    /// Whose.
    pub domain: Option<(u32, String)>,
    /// What it is.
    pub now: String,
    /// What has been typed.
    pub typed: String,
}

/// What is to be done for a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// End.
    Quit,
    /// Turn a knob.
    Set(Change),
}

impl Screen {
    /// One that shows nothing yet.
    pub fn new(order: Order) -> Self {
        Self {
            order,
            ..Self::default()
        }
    }

    /// Shows another look. The domain that is selected stays so, as long as it is there.
    pub fn show(&mut self, snapshot: Snapshot) {
        self.snapshot = snapshot;
        self.sort();
        if self.position().is_none() {
            self.selected = self.snapshot.domains.first().map(|domain| domain.id);
        }
    }

    /// Where the selected domain is.
    pub fn position(&self) -> Option<usize> {
        let selected = self.selected?;
        let mut domains = self.snapshot.domains.iter();
        domains.position(|domain| domain.id == selected)
    }

    fn sort(&mut self) {
        sort::sort(&mut self.snapshot.domains, self.order);
    }

    /// A key was pressed.
    pub fn press(&mut self, key: KeyCode) -> Option<Action> {
        if self.prompt.is_some() {
            return self.type_in(key);
        }
        self.message.clear();
        match key {
            KeyCode::Char('q') | KeyCode::Esc if !self.help => return Some(Action::Quit),
            KeyCode::Char('h' | '?') => self.help = !self.help,
            _ if self.help => self.help = false,
            KeyCode::Up | KeyCode::Char('k') => self.select_by(-1),
            KeyCode::Down | KeyCode::Char('j') => self.select_by(1),
            KeyCode::PageUp => self.select_by(-10),
            KeyCode::PageDown => self.select_by(10),
            KeyCode::Char(' ') => self.paused = !self.paused,
            KeyCode::Char('r') => self.sort_by(self.order.key, !self.order.reverse),
            KeyCode::Char(pressed) => return self.letter(pressed),
            _ => {}
        }
        None
    }

    fn letter(&mut self, pressed: char) -> Option<Action> {
        if let Some(key) = Key::from_char(pressed) {
            self.sort_by(key, false);
        } else if let Some(knob) = Knob::from_key(pressed) {
            return self.turn(knob);
        }
        None
    }

    fn sort_by(&mut self, key: Key, reverse: bool) {
        self.order = Order { key, reverse };
        self.sort();
    }

    fn select_by(&mut self, steps: isize) {
        let last = self.snapshot.domains.len().saturating_sub(1);
        let at = self.position().unwrap_or(0).saturating_add_signed(steps);
        let domain = self.snapshot.domains.get(at.min(last));
        self.selected = domain.map(|domain| domain.id);
    }

    fn domain(&self) -> Option<&Domain> {
        self.snapshot.domains.get(self.position()?)
    }

    /// Turns a knob over, or begins to ask for its value.
    fn turn(&mut self, knob: &'static Knob) -> Option<Action> {
        let domain = self.domain().filter(|_| knob.of_domain);
        let Some(now) = knob.now(&self.snapshot, domain) else {
            self.message = if knob.of_domain {
                format!("this domain has no {} yet", knob.name)
            } else {
                format!("{} cannot be read", knob.name)
            };
            return None;
        };
        let domain = domain.map(|domain| (domain.id, domain.name.clone()));
        match knob.kind {
            Kind::Switch | Kind::Policy => {
                let value = knob.value(&now).ok()?;
                Some(Action::Set(Change {
                    knob,
                    domain,
                    value,
                }))
            }
            Kind::Size | Kind::Number => {
                self.prompt = Some(Prompt {
                    knob,
                    domain,
                    now,
                    typed: String::new(),
                });
                None
            }
        }
    }

    /// A key was pressed while a value is asked for.
    fn type_in(&mut self, key: KeyCode) -> Option<Action> {
        let prompt = self.prompt.as_mut()?;
        match key {
            KeyCode::Char(digit) if digit.is_ascii_digit() || digit == '.' => {
                if prompt.typed.len() < TYPED_MAX {
                    prompt.typed.push(digit);
                }
            }
            KeyCode::Backspace => {
                prompt.typed.pop();
            }
            KeyCode::Esc => self.prompt = None,
            KeyCode::Enter => return self.typed(),
            _ => {}
        }
        None
    }

    fn typed(&mut self) -> Option<Action> {
        let Prompt {
            knob,
            domain,
            typed,
            ..
        } = self.prompt.take()?;
        if typed.is_empty() {
            return None;
        }
        match knob.value(&typed) {
            Ok(value) => Some(Action::Set(Change {
                knob,
                domain,
                value,
            })),
            Err(wrong) => {
                self.message = wrong;
                None
            }
        }
    }
}
