// SPDX-License-Identifier: GPL-2.0

//! burst-play: uses memory as a program did, or as one like it would.

use std::env;
use std::fs;
use std::process::ExitCode;

use cmm_bursts::player::play;
use cmm_bursts::recording::read;
use cmm_bursts::series::{Point, Series};
use cmm_bursts::shapes::{parse, Generator};

const USAGE: &str = "\
Usage: burst-play [OPTION]... RECORDING
       burst-play [OPTION]... --like PROGRAM SHAPES

Touches memory page by page, and gives it up again, as a recording says; or, out of the
shapes of a recorded program's bursts, as that program might on another day, for a minute.

  --for SECONDS    so long, from the beginning
  --scale PERCENT  with so much of the memory (100)
  --seed N         which other day (1)

Prints a line of JSON: how many rises there were, how long half of them and 99 of a hundred
waited for pages (those that took more than 0.2 ms), the longest that one page took, and
how long all took beside what it was to take.
";

struct Job {
    file: String,
    like: Option<String>,
    limit: Option<u64>,
    scale: u64,
    seed: u64,
}

fn parse_arguments(mut words: impl Iterator<Item = String>) -> Option<Job> {
    let mut job = Job {
        file: String::new(),
        like: None,
        limit: None,
        scale: 100,
        seed: 1,
    };
    loop {
        let word = words.next()?;
        match word.as_str() {
            "--like" => job.like = Some(words.next()?),
            "--for" => job.limit = Some((words.next()?.parse::<f64>().ok()? * 1e6) as u64),
            "--scale" => job.scale = words.next()?.parse().ok()?,
            "--seed" => job.seed = words.next()?.parse().ok()?,
            _ if word.starts_with('-') => return None,
            _ => {
                job.file = word;
                return words.next().is_none().then_some(job);
            }
        }
    }
}

/// What is played if nobody says for how long: a minute, in µs.
const MINUTE: u64 = 60_000_000;

fn series(job: &Job) -> Result<Series, String> {
    let complain = |what: String| format!("{}: {what}", job.file);
    let bytes = fs::read(&job.file).map_err(|err| complain(err.to_string()))?;
    let Some(like) = &job.like else {
        let recording = read(&bytes).map_err(|mistake| complain(mistake.to_string()))?;
        return Ok(Series::of(&recording));
    };
    let text = String::from_utf8_lossy(&bytes);
    let shapes = parse(&text).map_err(|line| complain(format!("line {line} is no shape")))?;
    let made = Generator::new(&shapes, like, job.seed);
    let made = made.ok_or_else(|| complain(format!("no shape of {like}")))?;
    Ok(made.series(job.limit.unwrap_or(MINUTE)))
}

/// Less of it, in time and in memory.
fn cut(series: Series, job: &Job) -> Series {
    let end = job.limit.unwrap_or(series.end).min(series.end);
    let points = series.points.into_iter();
    let within = points.take_while(|point| point.time <= end);
    let scaled = within.map(|point| Point {
        need: point.need * job.scale / 100,
        ..point
    });
    Series {
        points: scaled.collect(),
        end,
    }
}

fn main() -> ExitCode {
    if env::args().any(|word| word == "--help" || word == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let Some(job) = parse_arguments(env::args().skip(1)) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let played = series(&job).and_then(|series| {
        let series = cut(series, &job);
        play(&series).map_err(|err| format!("{} pages: {err}", series.peak()))
    });
    match played {
        Ok(played) => {
            println!("{played}");
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprintln!("burst-play: {what}");
            ExitCode::FAILURE
        }
    }
}
