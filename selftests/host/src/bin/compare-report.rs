// SPDX-License-Identifier: GPL-2.0

//! Says what came of bursts in the lab's domains under each manager of memory.

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use cmm::coordinator::SECOND;
use cmm_host_tests::fleet::demand::{total, unavoidable};
use cmm_host_tests::fleet::outcome::{Outcome, HEAD};
use cmm_host_tests::lab::case::{demands, HOST};
use cmm_host_tests::lab::report::{beside, outcome, Said};

const USAGE: &str = "\
Usage: compare-report OUT RUN...

Reads what each RUN of the lab has left, adds a line for each manager to OUT/results.json, in
the place of those of an earlier comparison in the lab, prints a table, and writes it for
gnuplot to OUT/compare.tsv.
";

/// In the table's order; what was not played is left out.
const POLICIES: [&str; 13] = [
    "owned",
    "ours",
    "ours-reserve",
    "static",
    "qmemman-0.1s",
    "qmemman-1s",
    "qmemman-10s",
    "squeezed-0.1s",
    "squeezed-1s",
    "squeezed-10s",
    "self-balloon",
    "self-1s",
    "self-0.1s",
];

/// A line, and what the lab can say besides.
struct Row {
    outcome: Outcome,
    said: Vec<Said>,
    /// Seconds of CPU of Dom0 and of all domains.
    dom0: f64,
    all: f64,
    seconds: u64,
}

impl Row {
    fn sum(&self, of: fn(&Said) -> u64) -> u64 {
        self.said.iter().map(of).sum()
    }

    /// The most that others had when one was killed, in MiB.
    fn beside(&self) -> u64 {
        beside(&self.said) / 1_024
    }

    fn longest(&self) -> u64 {
        let longest = self.said.iter().map(|said| said.longest);
        longest.max().unwrap_or(0)
    }

    fn percent(&self, seconds: f64) -> f64 {
        seconds * 100.0 / self.seconds as f64
    }

    fn json(&self) -> String {
        let line = self.outcome.to_string();
        let line = line.strip_suffix('}').unwrap_or(&line).to_owned();
        format!(
            "{line},\"killed_beside_mib\":{},\"longest_ns\":{},\"refaults\":{},\"direct_reclaims\":{},\"some_waited_us\":{},\"dom0_cpu_pct\":{:.1},\"all_cpu_pct\":{:.1}}}",
            self.beside(),
            self.longest(),
            self.sum(|said| said.refaults),
            self.sum(|said| said.reclaims),
            self.sum(|said| said.waited_us),
            self.percent(self.dom0),
            self.percent(self.all),
        )
    }

    fn row(&self) -> String {
        format!(
            "{} {:7} {:9.1} {:8} {:8} {:6.1} {:6.1}",
            self.outcome.row(),
            self.beside(),
            self.longest() as f64 / 1e6,
            self.sum(|said| said.reclaims),
            self.sum(|said| said.refaults),
            self.percent(self.dom0),
            self.percent(self.all),
        )
    }

    fn tsv(&self) -> String {
        let Outcome {
            policy,
            guest,
            load_pct,
            unmet_pct,
            killed,
            ..
        } = &self.outcome;
        let guest = guest.as_deref().unwrap_or("-");
        format!("{guest}\t{load_pct}\t{policy}\t{unmet_pct:.3}\t{killed}\n")
    }
}

/// Reads `NAME=VALUE` lines.
fn setting(text: &str, name: &str) -> Result<String, String> {
    let mut lines = text.lines().filter_map(|line| line.split_once('='));
    let found = lines.find(|(key, _)| *key == name);
    let found = found.ok_or_else(|| format!("case: no {name}"))?;
    Ok(found.1.to_owned())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|err| format!("{}: {err}", path.display()))
}

fn rows(run: &Path) -> Result<Vec<Row>, String> {
    let case = read(&run.join("case"))?;
    let number = |name: &str| -> Result<u64, String> {
        setting(&case, name)?
            .parse()
            .map_err(|_| format!("case: {name}"))
    };
    let (guest, load) = (setting(&case, "TYPE")?, number("LOAD")? as u32);
    let (seed, seconds) = (number("SEED")?, number("SPAN")?);
    let cpu = read(&run.join("cpu"))?;
    let named = |policy: &str, outcome| Outcome {
        case: "lab-4".into(),
        policy: policy.into(),
        guest: Some(guest.clone()),
        load_pct: load,
        ..outcome
    };
    let end = seconds * SECOND;
    let all = demands(load, seed, end).ok_or("case: no such load")?;
    let mut rows = vec![Row {
        outcome: named(
            "oracle",
            Outcome {
                unmet_pct: unavoidable(&total(&all, end), HOST),
                ..Outcome::default()
            },
        ),
        said: Vec::new(),
        dom0: 0.0,
        all: 0.0,
        seconds,
    }];
    for policy in POLICIES {
        let files = (1..=all.len()).map(|n| run.join(format!("{policy}.{guest}{n}")));
        let files: Vec<_> = files.collect();
        if !files[0].exists() {
            continue;
        }
        let said = |path: &std::path::PathBuf| {
            let parsed = Said::parse(&read(path)?);
            parsed.map_err(|line| format!("{}: {line}", path.display()))
        };
        let said: Vec<Said> = files.iter().map(said).collect::<Result<_, _>>()?;
        let time = |is_meant: fn(&str) -> bool| -> f64 {
            let words = cpu.lines().map(|line| line.split(' ').collect::<Vec<_>>());
            let meant =
                words.filter(|words| words.len() == 3 && words[0] == policy && is_meant(words[1]));
            meant
                .filter_map(|words| words[2].parse::<f64>().ok())
                .sum::<f64>()
                / 10.0
        };
        rows.push(Row {
            outcome: named(policy, outcome(&said)),
            said,
            dom0: time(|name| name == "Domain-0"),
            all: time(|_| true),
            seconds,
        });
    }
    Ok(rows)
}

fn report(out: &Path, runs: &[String]) -> Result<(), String> {
    println!("{HEAD}  beside   longest reclaims refaults  dom0 %  all %");
    let path = out.join("results.json");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let kept = before.lines().filter(|line| !line.contains("\"guest\":"));
    let mut lines: String = kept.flat_map(|line| [line, "\n"]).collect();
    let mut table = String::new();
    for run in runs {
        for row in rows(Path::new(run))? {
            println!("{}", row.row());
            lines += &format!(
                "{}\n",
                if row.said.is_empty() {
                    row.outcome.to_string()
                } else {
                    row.json()
                }
            );
            table += &row.tsv();
        }
    }
    let write = |path: &Path, text: &str| {
        fs::write(path, text).map_err(|err| format!("{}: {err}", path.display()))
    };
    write(&path, &lines)?;
    write(&out.join("compare.tsv"), &table)
}

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let [out, runs @ ..] = words.as_slice() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    if runs.is_empty() || out.starts_with('-') {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    }
    match report(Path::new(out), runs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("compare-report: {what}");
            ExitCode::FAILURE
        }
    }
}
