// SPDX-License-Identifier: GPL-2.0

//! What is needed, as a function of time: it stays as it is from one point to the next.

use crate::recording::Recording;

/// A value from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// In µs since the beginning.
    pub time: u64,
    /// In pages.
    pub need: u64,
}

/// Points, the earliest first, and when it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Their times grow.
    pub points: Vec<Point>,
    /// In µs.
    pub end: u64,
}

impl Series {
    /// Of a recording.
    pub fn of(recording: &Recording) -> Self {
        let last = recording.rows.last().map_or(0, |row| row.time);
        let mut points: Vec<Point> = Vec::new();
        for row in &recording.rows {
            if points.last().is_none_or(|point| point.need != row.need) {
                points.push(Point {
                    time: row.time,
                    need: row.need,
                });
            }
        }
        Self {
            points,
            end: recording.cost.map_or(last, |cost| cost.wall.max(last)),
        }
    }

    /// What is needed at a moment; what is first, before that.
    pub fn at(&self, time: u64) -> u64 {
        let after = self.points.partition_point(|point| point.time <= time);
        let point = self.points.get(after.saturating_sub(1));
        point.map_or(0, |point| point.need)
    }

    /// The most that is ever needed.
    pub fn peak(&self) -> u64 {
        self.points
            .iter()
            .map(|point| point.need)
            .max()
            .unwrap_or(0)
    }

    /// What is needed in the mean, over time.
    pub fn mean(&self) -> f64 {
        let ends = self.points.iter().skip(1).map(|point| point.time);
        let spans = self.points.iter().zip(ends.chain([self.end]));
        let area: f64 = spans
            .map(|(point, end)| point.need as f64 * (end - point.time) as f64)
            .sum();
        let from = self.points.first().map_or(0, |point| point.time);
        area / (self.end - from).max(1) as f64
    }

    /// The most that it grows by within `window` µs.
    pub fn steepest(&self, window: u64) -> u64 {
        let mut from = 0;
        let mut most = 0;
        for point in &self.points {
            // The last point that is not later than the beginning of the window.
            let begin = point.time.saturating_sub(window);
            while self.points[from + 1..]
                .first()
                .is_some_and(|next| next.time <= begin)
            {
                from += 1;
            }
            most = most.max(point.need.saturating_sub(self.points[from].need));
        }
        most
    }
}
