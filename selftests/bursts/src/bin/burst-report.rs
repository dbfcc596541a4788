// SPDX-License-Identifier: GPL-2.0

//! burst-report: what recordings say of bursts, in tables and in columns to be drawn.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cmm_bursts::notice::{allowed, noticed, noticed_by_poll};
use cmm_bursts::numbers::{correlation, quantile};
use cmm_bursts::recording::{read, Recording};
use cmm_bursts::rise::{rises, Rise};
use cmm_bursts::series::Series;
use cmm_bursts::shapes::{file, Shape};
use cmm_bursts::sharing::share;

const USAGE: &str = "\
Usage: burst-report DIRECTORY [--shapes FILE] RECORDING...

Prints how high, how steep and how long the rises of these recordings are and how far
apart, how fast memory must come for a program not to notice, what is saved by sharing,
and how those recorded at the same time go together. DIRECTORY gets the columns of the
pictures; FILE, if there is one, the shapes of all rises.

Documentation/bursts.rst defines all of these.
";

const MIB: f64 = 256.0;
const MS: f64 = 1_000.0;

/// Over what times steepness is said, in ms.
const WINDOWS: [u64; 4] = [10, 50, 100, 500];

/// Headrooms for which the time allowed is said, in MiB.
const HEADROOMS: [u64; 4] = [4, 16, 32, 64];

/// How long memory takes to come, in ms.
const LATENCIES: [u64; 5] = [1, 5, 10, 30, 100];

/// How often somebody looks, in ms.
const PERIODS: [u64; 3] = [100, 1_000, 10_000];

/// How many domains share.
const CROWDS: [usize; 6] = [2, 4, 8, 16, 32, 64];

/// For how many times as long as it works each rests.
const RESTS: [u64; 2] = [0, 2];

/// With how many seeds that is tried.
const SEEDS: u64 = 15;

/// Of growth that is compared between recordings, in µs.
const BIN: u64 = 100_000;

/// What is drawn of a need is so far apart at least, in µs.
const DRAWN: u64 = 20_000;

/// A recording, and what was found in it.
struct Found {
    recording: Recording,
    series: Series,
    rises: Vec<Rise>,
}

impl Found {
    fn of(recording: Recording) -> Self {
        let series = Series::of(&recording);
        let rises = rises(&series, recording.head.every);
        Self {
            recording,
            series,
            rises,
        }
    }

    fn name(&self) -> &str {
        &self.recording.head.name
    }

    /// Whether others were recorded at the same time.
    fn overlaps(&self, other: &Self) -> bool {
        let span = |found: &Self| {
            let start = found.recording.head.start;
            (start, start + found.series.end)
        };
        let ((from, to), (begin, end)) = (span(self), span(other));
        from < end && begin < to
    }
}

fn mib(pages: u64) -> f64 {
    pages as f64 / MIB
}

fn median(numbers: impl Iterator<Item = u64>) -> u64 {
    let mut sorted: Vec<_> = numbers.collect();
    sorted.sort_unstable();
    quantile(&sorted, 50.0).unwrap_or(0)
}

fn table_of_workloads(all: &[Found]) -> String {
    let mut text = String::from(
        "What each needs. MiB; MiB/s over 10, 50, 100, 500 ms; of its rises of 4 MiB and more, how\n\
         many, the median height and the highest (MiB), and the medians of how long they took, how\n\
         long half of it stayed, and how long it was to the next (ms)\n\n",
    );
    let _ = writeln!(
        text,
        "{:8} {:>5} {:>5} {:>5} {:>5} {:>5} {:>5} {:>5} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}",
        "",
        "s",
        "peak",
        "/mean",
        "10",
        "50",
        "100",
        "500",
        "rises",
        "height",
        "most",
        "took",
        "stayed",
        "next"
    );
    for found in all {
        let (series, rises) = (&found.series, &found.rises);
        let _ = write!(
            text,
            "{:8} {:5.0} {:5.0} {:5.1}",
            found.name(),
            series.end as f64 / MS / MS,
            mib(series.peak()),
            series.peak() as f64 / series.mean().max(1.0)
        );
        for window in WINDOWS {
            let most = series.steepest(window * 1_000);
            let _ = write!(text, " {:5.0}", mib(most) * 1_000.0 / window as f64);
        }
        let heights = || rises.iter().map(Rise::height);
        let gaps = rises.windows(2).map(|two| two[1].begin - two[0].peaked);
        let _ = writeln!(
            text,
            " {:6} {:6.0} {:6.0} {:6} {:6} {:6}",
            rises.len(),
            mib(median(heights())),
            mib(heights().max().unwrap_or(0)),
            median(rises.iter().map(Rise::took)) / 1_000,
            median(rises.iter().map(|rise| rise.held)) / 1_000,
            median(gaps) / 1_000,
        );
    }
    text
}

/// The times that all rises allow with this headroom, sorted.
fn all_allowed(all: &[Found], headroom: u64) -> Vec<u64> {
    let each = all.iter().flat_map(|found| {
        let of = |rise| allowed(rise, &found.series, headroom);
        found.rises.iter().filter_map(of)
    });
    let mut times: Vec<_> = each.collect();
    times.sort_unstable();
    times
}

fn table_of_times(all: &[Found]) -> String {
    let mut text = String::from(
        "How fast memory must come: the time from when a rise shows (1 MiB) until the headroom is used\n\
         up, in ms: what 99, 95, 75 and 50 % of the rises allow that need more than the headroom. And\n\
         how many % of them are noticed if memory comes so long after (ms), or if somebody looks so often\n\n",
    );
    let _ = write!(
        text,
        "{:>8} {:>6} {:>7} {:>7} {:>7} {:>7} |",
        "headroom", "rises", "99 %", "95 %", "75 %", "50 %"
    );
    for latency in LATENCIES {
        let _ = write!(text, " {latency:>5}");
    }
    text.push_str(" |");
    for period in PERIODS {
        let _ = write!(text, " {:>6}", format!("{} s", period as f64 / 1e3));
    }
    text.push('\n');
    for headroom in HEADROOMS {
        let times = all_allowed(all, headroom * 256);
        let _ = write!(text, "{:>8} {:>6}", format!("{headroom} MiB"), times.len());
        for percent in [1.0, 5.0, 25.0, 50.0] {
            let time = quantile(&times, percent).unwrap_or(0);
            let _ = write!(text, " {:7.1}", time as f64 / MS);
        }
        text.push_str(" |");
        for latency in LATENCIES {
            let _ = write!(text, " {:5.0}", noticed(&times, latency * 1_000) * 100.0);
        }
        text.push_str(" |");
        for period in PERIODS {
            let part = noticed_by_poll(&times, period * 1_000);
            let _ = write!(text, " {:6.0}", part * 100.0);
        }
        text.push('\n');
    }
    text
}

/// What so many domains save by sharing, in %, if they rest so many times as long as they work: the
/// median, the least and the most of all seeds.
struct Saving {
    domains: usize,
    rests: u64,
    median: f64,
    least: f64,
    most: f64,
}

fn savings(all: &[Found]) -> Vec<Saving> {
    let series: Vec<_> = all.iter().map(|found| found.series.clone()).collect();
    let of = |rests, domains| {
        let each = (0..SEEDS).map(|seed| share(&series, domains, rests, seed).saved());
        let mut saved: Vec<f64> = each.collect();
        saved.sort_by(f64::total_cmp);
        Saving {
            domains,
            rests,
            median: saved[saved.len() / 2],
            least: saved[0],
            most: saved[saved.len() - 1],
        }
    };
    let rest = |rests| CROWDS.map(|domains| of(rests, domains));
    RESTS.into_iter().flat_map(rest).collect()
}

fn table_of_savings(savings: &[Saving]) -> String {
    let mut text = String::from(
        "What a host saves if so many domains share what they need, each playing one of these over and\n\
         over, in % of the sum of their peaks: median, least and most of 15 mixtures; with no rest, and\n\
         if each rests twice as long as it works\n\n",
    );
    for domains in CROWDS {
        let _ = write!(text, "{domains:8}");
        for saving in savings.iter().filter(|saving| saving.domains == domains) {
            let Saving {
                median,
                least,
                most,
                ..
            } = saving;
            let _ = write!(text, " | {median:6.1} {least:6.1} {most:6.1}");
        }
        text.push('\n');
    }
    text
}

/// As the picture has them, a block for each kind of rest.
fn lines_of_savings(savings: &[Saving]) -> String {
    let mut text = String::new();
    for rests in RESTS {
        let _ = writeln!(text, "\"rests {rests} times as long\"");
        for saving in savings.iter().filter(|saving| saving.rests == rests) {
            let Saving {
                domains,
                median,
                least,
                most,
                ..
            } = saving;
            let _ = writeln!(text, "{domains} {median:.2} {least:.2} {most:.2}");
        }
        text.push_str("\n\n");
    }
    text
}

/// By how much each grows in each 100 ms that all of these were recorded.
fn growth(together: &[&Found]) -> Vec<Vec<f64>> {
    let from = together
        .iter()
        .map(|found| found.recording.head.start)
        .max();
    let end = |found: &&Found| found.recording.head.start + found.series.end;
    let to = together.iter().map(end).min();
    let (Some(from), Some(to)) = (from, to) else {
        return Vec::new();
    };
    let of = |found: &&Found| {
        let at = |time| found.series.at(time - found.recording.head.start) as f64;
        let times = (from..to.saturating_sub(BIN)).step_by(BIN as usize);
        times.map(|time| at(time + BIN) - at(time)).collect()
    };
    together.iter().map(of).collect()
}

fn table_of_correlations(together: &[&Found]) -> String {
    let mut text = String::from(
        "How the growth in each 100 ms of those recorded at the same time goes together: 1 in step, 0\n\
         not at all, -1 against each other\n\n",
    );
    let growth = growth(together);
    let seconds = growth.first().map_or(0, Vec::len) / 10;
    for (found, row) in together.iter().zip(&growth) {
        let _ = write!(text, "{:18}", found.name());
        for other in &growth {
            let _ = write!(text, " {:6.2}", correlation(row, other));
        }
        text.push('\n');
    }
    let _ = writeln!(text, "({seconds} s)");
    text
}

/// The need of each over time, a block each; seconds, and MiB.
fn needs(all: &[Found]) -> String {
    let mut text = String::new();
    for found in all {
        let _ = writeln!(text, "\"{}\"", found.name());
        let mut next = 0;
        for point in &found.series.points {
            if point.time >= next {
                let _ = writeln!(
                    text,
                    "{:.3} {:.2}",
                    point.time as f64 / 1e6,
                    mib(point.need)
                );
                next = point.time + DRAWN;
            }
        }
        text.push_str("\n\n");
    }
    text
}

/// Each rise: how long it took (ms) and how high it is (MiB), a block each recording.
fn heights(all: &[Found]) -> String {
    let mut text = String::new();
    for found in all {
        let _ = writeln!(text, "\"{}\"", found.name());
        for rise in &found.rises {
            let _ = writeln!(
                text,
                "{:.3} {:.2}",
                rise.took() as f64 / MS,
                mib(rise.height())
            );
        }
        text.push_str("\n\n");
    }
    text
}

/// How many % of the rises allow less than so many ms, a block each headroom.
fn times(all: &[Found]) -> String {
    let mut text = String::new();
    for headroom in HEADROOMS {
        let _ = writeln!(text, "\"{headroom} MiB\"");
        let times = all_allowed(all, headroom * 256);
        for (i, time) in (1..).zip(&times) {
            let percent = f64::from(i) * 100.0 / times.len() as f64;
            let _ = writeln!(text, "{:.3} {percent:.2}", (*time as f64 / MS).max(0.1));
        }
        text.push_str("\n\n");
    }
    text
}

fn load(path: &Path) -> Result<Found, String> {
    let complain = |what: String| format!("{}: {what}", path.display());
    let bytes = fs::read(path).map_err(|err| complain(err.to_string()))?;
    let recording = read(&bytes).map_err(|mistake| complain(mistake.to_string()))?;
    if recording.rows.is_empty() {
        return Err(complain("nothing was recorded".into()));
    }
    Ok(Found::of(recording))
}

fn report(directory: &Path, shapes: Option<&Path>, files: &[PathBuf]) -> Result<(), String> {
    let all: Result<Vec<_>, _> = files.iter().map(|path| load(path)).collect();
    let (crowd, alone): (Vec<_>, Vec<_>) = all?
        .into_iter()
        .partition(|found| found.name().starts_with("together-"));
    if alone.is_empty() {
        return Err("there is no recording of a program by itself".into());
    }
    let together: Vec<_> = crowd
        .iter()
        .filter(|found| found.overlaps(&crowd[0]))
        .collect();
    let savings = savings(&alone);
    println!("{}", table_of_workloads(&alone));
    println!("{}", table_of_times(&alone));
    println!("{}", table_of_savings(&savings));
    if together.len() > 1 {
        println!("{}", table_of_correlations(&together));
    }
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|err| format!("{}: {err}", path.display()))
    };
    write("needs", needs(&alone))?;
    write("heights", heights(&alone))?;
    write("times", times(&alone))?;
    write("savings", lines_of_savings(&savings))?;
    if let Some(path) = shapes {
        let all: Vec<_> = alone
            .iter()
            .flat_map(|found| Shape::of(&found.recording))
            .collect();
        fs::write(path, file(&all)).map_err(|err| format!("{}: {err}", path.display()))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (directory, shapes, files) = match words.as_slice() {
        [directory, "--shapes", shapes, files @ ..] => (directory, Some(Path::new(*shapes)), files),
        [directory, files @ ..] => (directory, None, files),
        [] => (&"", None, [].as_slice()),
    };
    if files.is_empty() || files.iter().any(|file| file.starts_with('-')) {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    }
    let files: Vec<_> = files.iter().map(PathBuf::from).collect();
    match report(Path::new(directory), shapes, &files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("burst-report: {what}");
            ExitCode::FAILURE
        }
    }
}
