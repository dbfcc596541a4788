// SPDX-License-Identifier: GPL-2.0

//! What many numbers are like.

/// The number that `percent` of these, which are sorted, do not exceed; `None` if there is none.
pub fn quantile<T: Copy>(sorted: &[T], percent: f64) -> Option<T> {
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// How two rows of numbers go together: 1 if in step, -1 if against each other, 0 if neither, or if
/// one does not change.
pub fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let count = one.len().min(other.len());
    let mean = |row: &[f64]| row[..count].iter().sum::<f64>() / count.max(1) as f64;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let (mut both, mut square_one, mut square_other) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (a - mean_one, b - mean_other);
        both += a * b;
        square_one += a * a;
        square_other += b * b;
    }
    let size = f64::sqrt(square_one * square_other);
    if size > 0.0 {
        both / size
    } else {
        0.0
    }
}
