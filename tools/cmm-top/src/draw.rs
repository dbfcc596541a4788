// SPDX-License-Identifier: GPL-2.0

//! The picture of a run: the size of each domain over time, and when it waited.

use crate::{csv::Row, text::mib};
use std::{collections::BTreeMap, fmt::Write};

/// The picture, and what is left and right, above and below of the lines in it.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 200.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 50.0;

/// Told apart by those who see no red and green, too.
const COLORS: [&str; 8] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#999933",
];

/// More than these would not be told apart: those whose size changed most are drawn.
const LINES_MAX: usize = 24;

/// A domain's line: when, what it had, and whether it waited.
struct Curve<'a> {
    name: &'a str,
    points: Vec<(u64, u64, bool)>,
}

impl Curve<'_> {
    fn change(&self) -> u64 {
        let sizes = || self.points.iter().map(|(_, size, _)| *size);
        sizes().max().unwrap_or(0) - sizes().min().unwrap_or(0)
    }
}

/// How times and sizes lie in the picture.
struct Scale {
    begin: u64,
    span: u64,
    most: u64,
}

impl Scale {
    fn x(&self, unix_ms: u64) -> f64 {
        let part = unix_ms.saturating_sub(self.begin) as f64 / self.span as f64;
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, kib: u64) -> f64 {
        HEIGHT - BOTTOM - kib as f64 / self.most as f64 * (HEIGHT - TOP - BOTTOM)
    }
}

/// Draws it, as SVG.
///
/// # Errors
///
/// That there is nothing to be drawn.
pub fn svg(rows: &[Row]) -> Result<String, String> {
    let mut curves = curves(rows);
    curves.sort_by_key(|curve| std::cmp::Reverse(curve.change()));
    let left_out = curves.len().saturating_sub(LINES_MAX);
    curves.truncate(LINES_MAX);
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let times = || points().map(|(unix_ms, _, _)| *unix_ms);
    let (Some(begin), Some(end)) = (times().min(), times().max()) else {
        return Err("there is no domain's size in it".into());
    };
    let most = points().map(|(_, size, _)| *size).max().unwrap_or(0);
    let scale = Scale {
        begin,
        span: (end - begin).max(1),
        most: most.max(1).saturating_add(most / 20),
    };

    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    axes(&mut text, &scale);
    for (at, curve) in curves.iter().enumerate() {
        draw(&mut text, &scale, curve, at);
    }
    if left_out > 0 {
        let y = TOP + 16.0 * (curves.len() as f64 + 1.0);
        label(
            &mut text,
            WIDTH - RIGHT + 15.0,
            y,
            "start",
            &format!("{left_out} more"),
        );
    }
    text.push_str("</svg>\n");
    Ok(text)
}

/// A curve for each domain, and one for the pool if ever something was in it.
fn curves(rows: &[Row]) -> Vec<Curve<'_>> {
    let mut domains: BTreeMap<u32, Curve<'_>> = BTreeMap::new();
    let mut pool = BTreeMap::new();
    for row in rows {
        let fresh = || Curve {
            name: &row.name,
            points: Vec::new(),
        };
        let curve = domains.entry(row.id).or_insert_with(fresh);
        if let Some(size) = row.size_kb {
            curve.points.push((row.unix_ms, size, row.waiting > 0));
        }
        if let Some(kib) = row.pool_kb {
            pool.insert(row.unix_ms, kib);
        }
    }
    let mut curves: Vec<_> = domains.into_values().collect();
    if pool.values().any(|kib| *kib > 0) {
        let points = pool.into_iter().map(|(at, kib)| (at, kib, false));
        curves.push(Curve {
            name: "(pool)",
            points: points.collect(),
        });
    }
    curves.retain(|curve| !curve.points.is_empty());
    curves
}

fn axes(text: &mut String, scale: &Scale) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let step = step(scale.most / 1024 + 1);
    let lines = (0..).map(|line| line * step * 1024);
    for kib in lines.take_while(|kib| *kib <= scale.most) {
        let y = scale.y(kib);
        let _ = writeln!(text, "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>");
        label(text, LEFT - 6.0, y + 4.0, "end", &mib(kib));
    }
    for part in 0..=4 {
        let ms = scale.span * part / 4;
        let seconds = format!("{}.{:02}", ms / 1000, ms % 1000 / 10);
        label(
            text,
            scale.x(scale.begin + ms),
            bottom + 18.0,
            "middle",
            &seconds,
        );
    }
    label(
        text,
        (LEFT + right) / 2.0,
        HEIGHT - 10.0,
        "middle",
        "seconds",
    );
    label(text, 6.0, TOP - 6.0, "start", "MiB");
    let _ = writeln!(
        text,
        "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#000\"/>"
    );
}

/// A round number, of which at most eight, and a part, make that much.
fn step(most: u64) -> u64 {
    let mut step = 1;
    while most / step > 8 {
        step = next_round(step);
    }
    step
}

/// 1, 2, 5, 10, 20, 50 ...
fn next_round(round: u64) -> u64 {
    let digits = round.to_string();
    if digits.starts_with('2') {
        round / 2 * 5
    } else {
        round * 2
    }
}

/// Its line, a step for each change, with what it waited drawn broad, and its name.
fn draw(text: &mut String, scale: &Scale, curve: &Curve<'_>, at: usize) {
    let color = COLORS[at % COLORS.len()];
    let dashes = if at < COLORS.len() {
        ""
    } else {
        " stroke-dasharray=\"5 3\""
    };
    let mut line = String::new();
    let mut waits = String::new();
    for pair in curve.points.windows(2) {
        let [(from, size, waited), (until, _, _)] = pair else {
            continue;
        };
        if *waited {
            let (from, until, y) = (scale.x(*from), scale.x(*until), scale.y(*size));
            let _ = write!(waits, "M{from:.1} {y:.1}H{until:.1}");
        }
    }
    for (point, (unix_ms, size, _)) in curve.points.iter().enumerate() {
        let (x, y) = (scale.x(*unix_ms), scale.y(*size));
        let _ = match point {
            0 => write!(line, "M{x:.1} {y:.1}"),
            _ => write!(line, "H{x:.1}V{y:.1}"),
        };
    }
    if !waits.is_empty() {
        let _ = writeln!(
            text,
            "<path d=\"{waits}\" stroke=\"{color}\" stroke-width=\"9\" stroke-opacity=\"0.4\"/>"
        );
    }
    let _ = writeln!(
        text,
        "<path d=\"{line}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.6\"{dashes}/>"
    );
    let y = TOP + 16.0 * (at as f64 + 1.0);
    let x = WIDTH - RIGHT + 15.0;
    let _ = writeln!(
        text,
        "<path d=\"M{x} {:.1}h20\" stroke=\"{color}\" stroke-width=\"3\"{dashes}/>",
        y - 4.0
    );
    label(text, x + 26.0, y, "start", curve.name);
}

fn label(text: &mut String, x: f64, y: f64, anchor: &str, shown: &str) {
    let escaped = shown
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        text,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{escaped}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(unix_ms: u64, id: u32, name: &str, size_kb: Option<u64>) -> Row {
        Row {
            unix_ms,
            id,
            name: name.into(),
            size_kb,
            waiting: u64::from(unix_ms == 1000),
            pool_kb: Some(0),
        }
    }

    #[test]
    fn each_domain_has_a_line_and_its_name() {
        let rows = [
            row(1000, 1, "a<script>", Some(1024)),
            row(1000, 2, "b", Some(2048)),
            row(2000, 1, "a<script>", Some(2048)),
            row(2000, 2, "b", Some(2048)),
            row(2000, 3, "c", None),
        ];
        let svg = svg(&rows).unwrap();
        assert_eq!(svg.matches("stroke-width=\"1.6\"").count(), 2);
        assert_eq!(svg.matches("stroke-opacity").count(), 2, "both waited");
        assert!(svg.contains(">a&lt;script&gt;<") && svg.contains(">b<"));
        assert!(!svg.contains("(pool)"));
    }

    #[test]
    fn too_many_are_left_out_and_counted() {
        let rows: Vec<_> = (0..30).map(|id| row(1000, id, "a", Some(1))).collect();
        let svg = svg(&rows).unwrap();
        assert!(svg.contains(">6 more<"));
    }

    #[test]
    fn nothing_is_not_drawn() {
        assert!(svg(&[]).is_err());
        assert!(svg(&[row(1, 1, "a", None)]).is_err());
    }

    #[test]
    fn steps_are_round() {
        assert_eq!(
            [1, 9, 18, 100, 400, 5000].map(step),
            [1, 2, 5, 20, 50, 1000]
        );
    }
}
