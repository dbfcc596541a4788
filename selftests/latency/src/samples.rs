// SPDX-License-Identifier: GPL-2.0

//! Measured times, and what is said of them.

/// Times in ns.
#[derive(Default)]
pub struct Samples(Vec<u64>);

impl Samples {
    pub fn push(&mut self, nanos: u64) {
        let at = self.0.partition_point(|&other| other <= nanos);
        self.0.insert(at, nanos);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest sample that `percent` of all do not exceed; 0 if there are none.
    pub fn percentile(&self, percent: usize) -> u64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or(0)
    }

    pub fn max(&self) -> u64 {
        self.percentile(100)
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn percentiles() {
        let mut samples = Samples::default();
        assert_eq!(samples.percentile(50), 0);
        for nanos in (1..=200).rev() {
            samples.push(nanos);
        }
        assert_eq!(samples.percentile(50), 100);
        assert_eq!(samples.percentile(99), 198);
        assert_eq!(samples.max(), 200);
    }

    #[test]
    fn one_sample_is_all_percentiles() {
        let mut samples = Samples::default();
        samples.push(7);
        assert_eq!([1, 50, 99, 100].map(|p| samples.percentile(p)), [7; 4]);
    }
}
