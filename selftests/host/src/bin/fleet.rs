// SPDX-License-Identifier: GPL-2.0

//! Compares managers of memory: the same bursts, the same domains, one after the other.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use cmm::coordinator::{Nanos, Policy, MILLISECOND, SECOND};
use cmm_bursts::shapes::{parse, Shape};
use cmm_host_tests::fleet::balanced::{Balanced, Rule, SELF_BALLOON};
use cmm_host_tests::fleet::balancers::{qmemman, self_balloon, squeezed};
use cmm_host_tests::fleet::demand::{mean, recorded, total, unavoidable, Bursts, Segment, SIZE};
use cmm_host_tests::fleet::host::{Host, Manager};
use cmm_host_tests::fleet::ours::Ours;
use cmm_host_tests::fleet::outcome::{Outcome, HEAD};
use cmm_host_tests::lab::case as lab;
use cmm_host_tests::random::Random;

const USAGE: &str = "\
Usage: fleet DIRECTORY [OPTION]...

Has fleets of domains whose demand comes in bursts managed by ours, by fixed sizes, by
pollers with qmemman's and squeezed's rules, and by guests that balloon by themselves, and
says what would have been possible. Prints a table, and adds to DIRECTORY/results.json.

  --shapes FILE  the shapes of recorded bursts: without them only made up ones are played
  --seed N       other bursts (1)
  --only WORD    only cases and policies with this in \"CASE POLICY LOAD\"; may be repeated
";

/// How many domains, and for how many seconds.
const FLEETS: [(usize, u64); 3] = [(8, 1_200), (100, 200), (1_000, 30)];

/// Mean demand in percent of the host's memory, and the bursts that are played then.
const LOADS: [(u32, Bursts); 3] = [
    (70, bursts(40, 160, 9, 3)),
    (85, bursts(45, 180, 7, 4)),
    (95, bursts(50, 180, 5, 5)),
];

const fn bursts(base: u64, peak: u64, calm: u64, burst: u64) -> Bursts {
    Bursts {
        base,
        peak,
        calm,
        burst,
    }
}

/// What is kept ready, if any is, is this part of the host.
const RESERVE_PART: u64 = 20;

/// What is tried.
struct Case {
    name: String,
    load: u32,
    demands: Vec<Vec<Segment>>,
    end: Nanos,
}

struct Options {
    directory: PathBuf,
    shapes: Vec<Shape>,
    seed: u64,
    only: Vec<String>,
}

fn options() -> Option<Result<Options, String>> {
    let mut words = env::args().skip(1);
    let mut options = Options {
        directory: words.next().filter(|word| !word.starts_with('-'))?.into(),
        shapes: Vec::new(),
        seed: 1,
        only: Vec::new(),
    };
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word.as_str() {
            "--shapes" => match shapes(&value) {
                Ok(shapes) => options.shapes = shapes,
                Err(what) => return Some(Err(what)),
            },
            "--seed" => options.seed = value.parse().ok()?,
            "--only" => options.only.push(value),
            _ => return None,
        }
    }
    Some(Ok(options))
}

fn shapes(file: &str) -> Result<Vec<Shape>, String> {
    let text = fs::read_to_string(file).map_err(|err| format!("{file}: {err}"))?;
    parse(&text).map_err(|line| format!("{file}: line {line} is no shape"))
}

fn cases(options: &Options) -> Vec<Case> {
    let mut cases = Vec::new();
    for load in lab::loads() {
        let end = lab::SECONDS * SECOND;
        let demands = lab::demands(load, options.seed, end);
        cases.extend(demands.map(|demands| Case {
            name: "lab-4".into(),
            load,
            demands,
            end,
        }));
    }
    for (domains, seconds) in FLEETS {
        let end = seconds * SECOND;
        for (load, bursts) in LOADS {
            let random = |dom| Random::new(options.seed * 1_000_003 + dom);
            let demand = |dom| bursts.demand(SIZE, end, random(dom));
            cases.push(Case {
                name: format!("bursts-{domains}"),
                load,
                demands: (0..domains as u64).map(demand).collect(),
                end,
            });
        }
        let mut names: Vec<_> = options.shapes.iter().map(|shape| &shape.name).collect();
        names.dedup();
        for load in LOADS
            .map(|(load, _)| load)
            .into_iter()
            .filter(|_| !names.is_empty())
        {
            let demand = |dom: usize| {
                let seed = options.seed * 1_000_003 + dom as u64;
                recorded(&options.shapes, names[dom % names.len()], end, seed)
            };
            cases.push(Case {
                name: format!("recorded-{domains}"),
                load,
                demands: (0..domains).map(demand).collect(),
                end,
            });
        }
    }
    cases
}

fn play<M: Manager>(mut manager: M, case: &Case, pages: u64) -> Outcome {
    let mut host = Host::new(&case.demands, pages);
    host.run(&mut manager, case.end);
    host.check(pages);
    Outcome::of(&host)
}

/// Who manages.
const POLICIES: [&str; 13] = [
    "oracle",
    "ours",
    "ours-spread",
    "ours-reserve",
    "static",
    "qmemman-0.1s",
    "qmemman-1s",
    "qmemman-10s",
    "squeezed-0.1s",
    "squeezed-1s",
    "squeezed-10s",
    "self-balloon",
    "self-0.1s",
];

fn outcome(policy: &str, case: &Case) -> Outcome {
    let totals = total(&case.demands, case.end);
    let pages = (mean(&totals) * 100.0 / f64::from(case.load)) as u64;
    let domains = case.demands.len();
    let polled = |rule, period| {
        play(
            Balanced::new(domains, Rule::ForAll(rule), period),
            case,
            pages,
        )
    };
    let each = |period| {
        play(
            Balanced::new(domains, Rule::Each(self_balloon), period),
            case,
            pages,
        )
    };
    let ours = |policy, reserve| play(Ours::new(domains, policy, reserve), case, pages);
    let outcome = match policy {
        "oracle" => Outcome {
            unmet_pct: unavoidable(&totals, pages),
            ..Outcome::default()
        },
        "ours" => ours(Policy::Largest, 0),
        "ours-spread" => ours(Policy::Spread, 0),
        "ours-reserve" => ours(Policy::Largest, pages / RESERVE_PART),
        "static" => play(Balanced::new(domains, Rule::Static, SECOND), case, pages),
        "qmemman-0.1s" => polled(qmemman, 100 * MILLISECOND),
        "qmemman-1s" => polled(qmemman, SECOND),
        "qmemman-10s" => polled(qmemman, 10 * SECOND),
        "squeezed-0.1s" => polled(squeezed, 100 * MILLISECOND),
        "squeezed-1s" => polled(squeezed, SECOND),
        "squeezed-10s" => polled(squeezed, 10 * SECOND),
        "self-balloon" => each(SELF_BALLOON),
        "self-0.1s" => each(100 * MILLISECOND),
        _ => unreachable!("all are here"),
    };
    Outcome {
        case: case.name.clone(),
        policy: policy.into(),
        load_pct: case.load,
        ..outcome
    }
}

fn main() -> ExitCode {
    if env::args().any(|word| word == "--help" || word == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let options = match options() {
        Some(Ok(options)) => options,
        Some(Err(what)) => {
            eprintln!("fleet: {what}");
            return ExitCode::FAILURE;
        }
        None => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    println!("{HEAD}");
    let mut lines = String::new();
    for case in cases(&options) {
        for policy in POLICIES {
            let title = format!("{} {policy} {}", case.name, case.load);
            if options
                .only
                .iter()
                .all(|word| title.contains(word.as_str()))
            {
                let outcome = outcome(policy, &case);
                println!("{}", outcome.row());
                lines += &format!("{outcome}\n");
            }
        }
    }
    let path = options.directory.join("results.json");
    if let Err(err) = fs::write(&path, lines) {
        eprintln!("fleet: {}: {err}", path.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
