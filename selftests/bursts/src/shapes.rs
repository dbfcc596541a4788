// SPDX-License-Identifier: GPL-2.0

//! The shapes of rises, kept, and needs made of them that are new and like those recorded.
//!
//! A line a rise: which program, what it needed at first, how much more at the peak (in pages), when
//! each eighth of that was there, how long half of it stayed, and how long it was until the next (in
//! ms). What is made takes whole rises of a program in a random order, so that high ones are as steep
//! and as long as they were, and scales each by as much as a quarter.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::random::Random;
use crate::recording::Recording;
use crate::rise::{rises, STEPS};
use crate::series::{Point, Series};

/// The first line of the file.
const FIRST: &str = "# SPDX-License-Identifier: GPL-2.0
# Written by scripts/bursts report --shapes. Documentation/bursts.rst says what the columns are.
";

const MILLISECOND: u64 = 1_000;

/// How far a height is changed either way, in percent.
const SCALED: u64 = 25;

/// A rise as it is kept. Pages, and µs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Whose it is.
    pub name: String,
    /// What was needed when it began.
    pub base: u64,
    /// How much more at its peak.
    pub height: u64,
    /// After how long each eighth of that was there.
    pub course: [u64; STEPS],
    /// How long half of it stayed after the peak.
    pub held: u64,
    /// How long it was from its peak until the next began, or until the end.
    pub gap: u64,
}

impl Shape {
    /// Those of a recording.
    pub fn of(recording: &Recording) -> Vec<Self> {
        let series = Series::of(recording);
        let all = rises(&series, recording.head.every);
        let nexts = all.iter().skip(1).map(|rise| rise.begin);
        let pairs = all.iter().zip(nexts.chain([series.end]));
        pairs
            .map(|(rise, next)| Self {
                name: recording.head.name.clone(),
                base: rise.base,
                height: rise.height(),
                course: rise.course(&series),
                held: rise.held,
                gap: next.saturating_sub(rise.peaked),
            })
            .collect()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.base, self.height)?;
        for time in self.course.iter().chain([&self.held, &self.gap]) {
            write!(f, " {}", time / MILLISECOND)?;
        }
        Ok(())
    }
}

/// It is no line of such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoShape;

impl FromStr for Shape {
    type Err = NoShape;

    fn from_str(line: &str) -> Result<Self, NoShape> {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().ok_or(NoShape)?.to_owned();
        let numbers: Result<Vec<u64>, _> = words.map(str::parse).collect();
        let numbers = numbers.map_err(|_| NoShape)?;
        let [base, height, times @ ..] = numbers.as_slice() else {
            return Err(NoShape);
        };
        let [course @ .., held, gap] = times else {
            return Err(NoShape);
        };
        let mut course: [u64; STEPS] = course.try_into().map_err(|_| NoShape)?;
        if *height == 0 || !course.is_sorted() {
            return Err(NoShape);
        }
        course = course.map(|time| time * MILLISECOND);
        Ok(Self {
            name,
            base: *base,
            height: *height,
            course,
            held: held * MILLISECOND,
            gap: gap * MILLISECOND,
        })
    }
}

/// The file of these.
pub fn file(shapes: &[Shape]) -> String {
    let mut text = FIRST.to_owned();
    for shape in shapes {
        // Strings take all.
        let _ = writeln!(text, "{shape}");
    }
    text
}

/// What is in a file; the number of the line that is wrong, if one is.
///
/// # Errors
///
/// A line is no shape.
pub fn parse(text: &str) -> Result<Vec<Shape>, usize> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.starts_with('#'));
    lines
        .map(|(i, line)| line.parse().map_err(|NoShape| i + 1))
        .collect()
}

/// Makes a need that goes on for ever out of shapes, all of one program.
#[derive(Clone, Debug)]
pub struct Generator {
    shapes: Vec<Shape>,
    random: Random,
    /// Points that are made and not taken, the next one last.
    ready: Vec<Point>,
    time: u64,
}

impl Generator {
    /// Of the shapes that this program has; `None` if there are none.
    pub fn new(shapes: &[Shape], name: &str, seed: u64) -> Option<Self> {
        let own = shapes.iter().filter(|shape| shape.name == name);
        let shapes: Vec<_> = own.cloned().collect();
        (!shapes.is_empty()).then_some(Self {
            shapes,
            random: Random::new(seed),
            ready: Vec::new(),
            time: 0,
        })
    }

    /// As a series of so many µs.
    pub fn series(self, end: u64) -> Series {
        let points = self.take_while(|point| point.time < end).collect();
        Series { points, end }
    }

    /// The points of one rise, of its stay, and of its fall.
    fn rise(&mut self) {
        let which = self.random.range(0, self.shapes.len() as u64) as usize;
        let shape = &self.shapes[which];
        let percent = self.random.range(100 - SCALED, 100 + SCALED + 1);
        let height = (shape.height * percent / 100).max(1);
        let mut begin = self.time;
        let at = |time, need| Point { time, need };
        let mut points = vec![at(begin, shape.base)];
        begin += 1;
        for (i, passed) in (1..).zip(shape.course) {
            let need = shape.base + height * i / STEPS as u64;
            points.push(at(begin + passed, need));
        }
        let peaked = begin + shape.course[STEPS - 1];
        let held = shape.held.max(MILLISECOND);
        points.push(at(peaked + held, shape.base));
        self.time = peaked + held.max(shape.gap) + MILLISECOND;
        points.reverse();
        self.ready = points;
    }
}

impl Iterator for Generator {
    type Item = Point;

    fn next(&mut self) -> Option<Point> {
        if self.ready.is_empty() {
            self.rise();
        }
        self.ready.pop()
    }
}
