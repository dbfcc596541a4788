// SPDX-License-Identifier: GPL-2.0

//! The command line.

use crate::sort::{Key, Order};
use std::{ffi::OsString, path::PathBuf, time::Duration};

/// What `--help` says.
pub const HELP: &str = "\
Usage: cmm-top [OPTION]...
       cmm-top --draw FILE.csv [OUT.svg]

Shows in Dom0 which domains have borrowed and lent memory, as it happens.

  --batch [N]        no screen: print a table for each look, N times or until stopped
  --csv FILE         write each look into FILE, a line for each domain
  --prometheus FILE  keep the last look in FILE, for Prometheus's node exporter (*.prom)
                     These three go together; with one of them there is no screen.
  --count N          look N times, then end
  --interval S       seconds between looks, such as 0.5 (1)
  --sort COLUMN      id, name, size, borrowed, lent, available, pressure, waiting or
                     latency; with a - before it the other way round
  --draw FILE.csv    draw what --csv wrote, as SVG, into OUT.svg or standard output
  --root DIR         look at what is recorded in DIR (sys/..., xenstore/...), not at this host
  --version          which version this is
  --help             this text

On the screen, h tells the keys. cmm-top(8) tells what the columns are.
";

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Say how it is used.
    Help,
    /// Say which version it is.
    Version,
    /// Draw a file.
    Draw {
        /// What `--csv` wrote.
        from: PathBuf,
        /// Where to; to standard output without.
        to: Option<PathBuf>,
    },
    /// Look at domains.
    Look(Options),
}

/// How to look.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// Print tables.
    pub batch: bool,
    /// Write lines there.
    pub csv: Option<PathBuf>,
    /// Keep a file for Prometheus there.
    pub prometheus: Option<PathBuf>,
    /// How often to look; for ever without.
    pub count: Option<u64>,
    /// How long to wait in between.
    pub interval: Duration,
    /// In which order.
    pub order: Order,
    /// What to look at in place of this host.
    pub root: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch: false,
            csv: None,
            prometheus: None,
            count: None,
            interval: Duration::from_secs(1),
            order: Order::default(),
            root: None,
        }
    }
}

impl Options {
    /// Whether a screen is wanted.
    pub fn has_screen(&self) -> bool {
        !self.batch && self.csv.is_none() && self.prometheus.is_none()
    }
}

/// Reads the command line, without the program's name.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut options = Options::default();
    let mut words = arguments.into_iter().peekable();
    while let Some(word) = words.next() {
        let option = word.to_string_lossy().into_owned();
        let mut value = || {
            let value = words.next().filter(|value| !value.is_empty());
            value.ok_or_else(|| format!("{option} wants a value (see --help)"))
        };
        match option.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--version" => return Ok(Command::Version),
            "--draw" => {
                let from = value()?.into();
                let to = words.next().map(PathBuf::from);
                return match words.next() {
                    None => Ok(Command::Draw { from, to }),
                    Some(more) => Err(unknown(&more)),
                };
            }
            "--batch" => {
                options.batch = true;
                let is_value = |next: &OsString| !next.to_string_lossy().starts_with('-');
                if let Some(times) = words.next_if(is_value) {
                    options.count = Some(count(&option, &times)?);
                }
            }
            "--csv" => options.csv = Some(value()?.into()),
            "--prometheus" => options.prometheus = Some(value()?.into()),
            "--root" => options.root = Some(value()?.into()),
            "--count" => options.count = Some(count(&option, &value()?)?),
            "--interval" => options.interval = interval(&value()?)?,
            "--sort" => options.order = order(&value()?)?,
            _ => return Err(unknown(&word)),
        }
    }
    if options.count.is_some() && options.has_screen() {
        return Err("--count goes with --batch, --csv or --prometheus".into());
    }
    Ok(Command::Look(options))
}

fn unknown(word: &OsString) -> String {
    format!("what is {word:?}? (see --help)")
}

fn count(option: &str, value: &OsString) -> Result<u64, String> {
    let number = value.to_str().and_then(|value| value.parse().ok());
    let wrong = || format!("{option} wants a number from 1 on, not {value:?}");
    number.filter(|number| *number > 0).ok_or_else(wrong)
}

fn interval(value: &OsString) -> Result<Duration, String> {
    let seconds = value.to_str().and_then(|value| value.parse::<f64>().ok());
    let fitting = seconds.filter(|seconds| (0.05..=86_400.0).contains(seconds));
    let wrong = || format!("--interval wants seconds from 0.05 to 86400, not {value:?}");
    fitting.map(Duration::from_secs_f64).ok_or_else(wrong)
}

fn order(value: &OsString) -> Result<Order, String> {
    let name = value.to_string_lossy();
    let (reverse, column) = match name.strip_prefix('-') {
        Some(column) => (true, column),
        None => (false, name.as_ref()),
    };
    let key = Key::from_name(column);
    let wrong = || {
        let names = Key::ALL.map(|(_, name, _)| name).join(", ");
        format!("--sort wants one of {names}, not {value:?}")
    };
    key.map(|key| Order { key, reverse }).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_are_read() {
        let options = Options {
            batch: true,
            csv: Some("a".into()),
            prometheus: Some("b".into()),
            count: Some(3),
            interval: Duration::from_millis(500),
            order: Order {
                key: Key::Size,
                reverse: true,
            },
            root: Some("c".into()),
        };
        let line = "--batch 3 --csv a --prometheus b --interval 0.5 --sort -size --root c";
        assert_eq!(parsed(line), Ok(Command::Look(options)));
        assert_eq!(parsed(""), Ok(Command::Look(Options::default())));
    }

    #[test]
    fn batch_needs_no_number() {
        let Ok(Command::Look(options)) = parsed("--batch --csv a") else {
            panic!("not understood");
        };
        assert_eq!((options.batch, options.count), (true, None));
    }

    #[test]
    fn draw_stands_alone() {
        let command = |to| {
            Ok(Command::Draw {
                from: "a".into(),
                to,
            })
        };
        assert_eq!(parsed("--draw a"), command(None));
        assert_eq!(parsed("--draw a b"), command(Some("b".into())));
        assert!(parsed("--draw a b c").is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, said) in [
            ("--batch 0", "--batch wants a number"),
            ("--batch x", "--batch wants a number"),
            ("--csv", "--csv wants a value"),
            ("--interval 0", "--interval wants seconds"),
            ("--interval NaN", "--interval wants seconds"),
            ("--sort colour", "--sort wants one of id, name"),
            ("--count 2", "--count goes with"),
            ("alice", "what is \"alice\"?"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.starts_with(said), "{line}: {error}");
        }
    }
}
