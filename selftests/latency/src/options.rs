// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::time::Duration;

/// What a command may be told.
pub struct Options {
    pub case: String,
    pub guest: String,
    pub hogs: u32,
    pub sched: String,
    /// balloon: how often the balancer looks.
    pub period: Option<Duration>,
    /// balloon: by the toolstack's command, rather than by targets.
    pub tool: bool,
    /// transfer: print this domain's part of the last one, too.
    pub parts: bool,
    /// transfer: many requests in a row, with what the driver fetches ahead.
    pub row: bool,
    pub path: String,
    pub sizes: Vec<u64>,
    pub runs: Vec<usize>,
    pub settle: Duration,
    /// By how much the pauses differ.
    pub spread: Duration,
    pub donor: Option<u16>,
    pub requester: Option<u16>,
    pub malloc: Option<String>,
    pub strict: bool,
    pub files: Vec<String>,
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            case: "transfer".into(),
            guest: "unknown".into(),
            hogs: 0,
            sched: "credit".into(),
            period: None,
            tool: false,
            parts: false,
            row: false,
            path: "cold".into(),
            sizes: vec![4, 64, 2048, 8192, 65536],
            runs: vec![40, 40, 20, 10, 5],
            settle: Duration::from_millis(1000),
            spread: Duration::ZERO,
            donor: None,
            requester: None,
            malloc: None,
            strict: false,
            files: Vec::new(),
        };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name} wants a value"));
            match name.as_str() {
                "--case" => options.case = value()?,
                "--hogs" => options.hogs = number(&name, &value()?)?,
                "--sched" => options.sched = value()?,
                "--period" => {
                    options.period = Some(Duration::from_millis(number(&name, &value()?)?));
                }
                "--tool" => options.tool = true,
                "--parts" => options.parts = true,
                "--row" => options.row = true,
                "--guest" => options.guest = value()?,
                "--path" => options.path = value()?,
                "--sizes" => options.sizes = list(&name, &value()?)?,
                "--runs" => options.runs = list(&name, &value()?)?,
                "--settle" => options.settle = Duration::from_millis(number(&name, &value()?)?),
                "--spread" => options.spread = Duration::from_millis(number(&name, &value()?)?),
                "--donor" => options.donor = Some(number(&name, &value()?)?),
                "--requester" => options.requester = Some(number(&name, &value()?)?),
                "--malloc" => options.malloc = Some(value()?),
                "--strict" => options.strict = true,
                _ if name.starts_with('-') => return Err(format!("unknown option {name}")),
                _ => options.files.push(name),
            }
        }
        Ok(options)
    }

    /// The sizes in KiB, and how often to measure each.
    pub fn plan(&self) -> impl Iterator<Item = (u64, usize)> + '_ {
        let last = self.runs.last().copied().unwrap_or(1);
        let runs = self.runs.iter().copied().chain(std::iter::repeat(last));
        self.sizes.iter().copied().zip(runs)
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{name} wants a number, not '{text}'"))
}

fn list<T: std::str::FromStr>(name: &str, text: &str) -> Result<Vec<T>, String> {
    text.split(',').map(|item| number(name, item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn the_last_number_of_runs_holds_for_the_rest() {
        let options = parse("--sizes 1,2,3 --runs 9,5").unwrap();
        assert_eq!(options.plan().collect::<Vec<_>>(), [(1, 9), (2, 5), (3, 5)]);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["--sizes", "--sizes 4,x", "--what", "--settle soon"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
