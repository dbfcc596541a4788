// SPDX-License-Identifier: GPL-2.0

//! What keys do, and what the screen shows then.

use cmm_top::{
    keys::{Action, Screen},
    model::{Books, Domain, Host, Snapshot, State},
    sort::{Key, Order},
    view,
};
use ratatui::{
    backend::TestBackend,
    crossterm::event::KeyCode,
    Terminal, //
};

fn domain(id: u32, name: &str, size_kb: u64, balance_kb: i64) -> Domain {
    Domain {
        id,
        name: name.into(),
        state: State::Connected,
        books: Books {
            size_kb: Some(size_kb),
            balance_kb: Some(balance_kb),
            floor_kb: Some(65_536),
            weight: Some(100),
            protected: Some(false),
            ..Books::default()
        },
        ..Domain::default()
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        domains: vec![
            domain(1, "alice", 131_072, 16_384),
            domain(2, "bob", 262_144, -16_384),
            Domain {
                id: 3,
                name: "carol".into(),
                ..Domain::default()
            },
        ],
        host: Host {
            reserve_kb: Some(0),
            policy: Some("largest".into()),
            ..Host::default()
        },
        ..Snapshot::default()
    }
}

fn screen() -> Screen {
    let mut screen = Screen::new(Order::default());
    screen.show(snapshot());
    screen
}

/// Types a text; what the last key did.
fn types(screen: &mut Screen, text: &str) -> Option<Action> {
    let keys = text.chars().map(|typed| match typed {
        '\n' => KeyCode::Enter,
        typed => KeyCode::Char(typed),
    });
    keys.map(|key| screen.press(key)).last().flatten()
}

fn shown(screen: &Screen) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(140, 30)).unwrap();
    terminal.draw(|frame| view::draw(frame, screen)).unwrap();
    let buffer = terminal.backend().buffer();
    buffer
        .content()
        .chunks(140)
        .map(|line| line.iter().map(|cell| cell.symbol()).collect())
        .collect()
}

fn change(action: Option<Action>) -> (&'static str, Option<u32>, String) {
    match action {
        Some(Action::Set(change)) => (
            change.knob.file,
            change.domain.map(|(id, _)| id),
            change.value,
        ),
        other => panic!("no knob was turned: {other:?}"),
    }
}

#[test]
fn a_size_is_typed() {
    let mut screen = screen();
    assert_eq!(types(&mut screen, "jF9x6"), None);
    assert!(shown(&screen)[29].starts_with("bob's floor in MiB, now 64: 96_"));
    assert_eq!(
        change(types(&mut screen, "\n")),
        ("floor_kb", Some(2), "98304".into())
    );
    assert!(screen.prompt.is_none());
}

#[test]
fn a_size_that_is_none_is_refused() {
    let mut screen = screen();
    assert_eq!(types(&mut screen, "F1.2.3\n"), None);
    assert!(shown(&screen)[29].starts_with("'1.2.3' is no floor"));
    assert_eq!(types(&mut screen, "F\n"), None, "nothing was typed");
    types(&mut screen, "F7");
    assert_eq!(screen.press(KeyCode::Esc), None);
    assert_eq!(types(&mut screen, "\n"), None);
}

#[test]
fn a_switch_is_turned_at_once() {
    let mut screen = screen();
    assert_eq!(
        change(types(&mut screen, "P")),
        ("protected", Some(1), "1".into())
    );
    assert_eq!(
        change(types(&mut screen, "Y")),
        ("policy", None, "spread".into())
    );
}

#[test]
fn what_is_for_all_needs_no_domain() {
    let mut screen = screen();
    assert_eq!(
        change(types(&mut screen, "R32\n")),
        ("reserve_kb", None, "32768".into())
    );
    types(&mut screen, "K");
    assert!(shown(&screen)[29].starts_with("credit cannot be read"));
}

#[test]
fn who_has_no_front_end_has_no_knobs() {
    let mut screen = screen();
    assert_eq!(types(&mut screen, "jjjjW"), None);
    assert_eq!(screen.selected, Some(3));
    assert!(shown(&screen)[29].starts_with("this domain has no weight yet"));
}

#[test]
fn the_selected_domain_stays_so() {
    let mut screen = screen();
    types(&mut screen, "j");
    assert_eq!((screen.selected, screen.position()), (Some(2), Some(1)));
    types(&mut screen, "s");
    assert_eq!(screen.order.key, Key::Size);
    assert_eq!((screen.selected, screen.position()), (Some(2), Some(0)));
    let mut without = snapshot();
    without.domains.remove(1);
    screen.show(without);
    assert_eq!(screen.selected, Some(1));
    screen.show(Snapshot::default());
    types(&mut screen, "jkF");
    assert_eq!(screen.selected, None);
}

#[test]
fn the_table_is_shown() {
    let lines = shown(&screen());
    assert!(lines[0].contains("3 domains, 16 MiB borrowed, 16 lent"));
    let words = |line: &str| {
        line.split_whitespace()
            .map(String::from)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(&lines[2])[..6],
        ["1", "alice", "connected", "128", "16", "0"]
    );
    assert_eq!(words(&lines[4])[..6], ["3", "carol", "none", "-", "-", "-"]);
}

#[test]
fn keys_are_told_and_gone_with_the_next() {
    let mut screen = screen();
    types(&mut screen, "h");
    assert!(shown(&screen)
        .iter()
        .any(|line| line.starts_with("  F  floor")));
    assert_eq!(types(&mut screen, "q"), None);
    assert!(!screen.help);
    assert_eq!(types(&mut screen, "q"), Some(Action::Quit));
}
