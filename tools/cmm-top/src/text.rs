// SPDX-License-Identifier: GPL-2.0

//! Text that others chose, made harmless, and numbers made readable.

/// More of a name than this says nothing, and leaves no room for the rest.
const LONGEST: usize = 64;

/// A name as it may be shown: a terminal, a spreadsheet or a browser gets no character of it that does anything but
/// stand there.
pub fn harmless(name: &str) -> String {
    let mut shown: String = name.chars().take(LONGEST).map(shown).collect();
    if name.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

fn shown(character: char) -> char {
    if character.is_control() || is_invisible(character) {
        '?'
    } else {
        character
    }
}

/// Characters that are not seen, but reorder, join or hide others.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}'
        | '\u{300}'..='\u{36f}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// KiB as MiB, with a digit behind the point where that is not 0.
pub fn mib(kib: u64) -> String {
    let tenths = u128::from(kib) * 10 / 1024;
    match tenths % 10 {
        0 => format!("{}", tenths / 10),
        digit => format!("{}.{digit}", tenths / 10),
    }
}

/// A time, in one word, in the unit that leaves one to three digits before the point.
pub fn duration(nanos: u64) -> String {
    let (unit, divisor) = match nanos {
        0..1_000 => return format!("{nanos}ns"),
        1_000..1_000_000 => ("us", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        _ => ("s", 1_000_000_000),
    };
    let tenths = u128::from(nanos) * 10 / divisor;
    format!("{}.{}{unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_nothing_to_a_terminal() {
        assert_eq!(harmless("web-1"), "web-1");
        assert_eq!(harmless("büro"), "büro");
        assert_eq!(harmless("\x1b[2J\r\nx\u{7f}\u{9b}"), "?[2J??x??");
        assert_eq!(harmless("a\u{202e}b\u{200b}c"), "a?b?c");
        assert_eq!(harmless("a\u{301}"), "a?");
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(harmless(&"a".repeat(64)), "a".repeat(64));
        assert_eq!(harmless(&"a".repeat(65)), "a".repeat(64) + "…");
    }

    #[test]
    fn sizes_are_read_in_mib() {
        assert_eq!(mib(0), "0");
        assert_eq!(mib(1024), "1");
        assert_eq!(mib(1536), "1.5");
        assert_eq!(mib(u64::MAX), "18014398509481983.9");
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration(999), "999ns");
        assert_eq!(duration(1_000), "1.0us");
        assert_eq!(duration(1_350_000), "1.3ms");
        assert_eq!(duration(2_000_000_000), "2.0s");
    }
}
