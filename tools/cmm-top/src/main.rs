// SPDX-License-Identifier: GPL-2.0

//! cmm-top: who has borrowed and lent memory, as it happens.

use cmm_top::{
    arguments::{self, Command, Options, HELP},
    batch, csv, draw,
    model::Snapshot,
    prometheus,
    reader::Reader,
    screen, sort,
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
    thread,
};

fn main() -> ExitCode {
    let (status, error) = match arguments::parse(std::env::args_os().skip(1)) {
        Err(wrong) => (2, wrong),
        Ok(command) => match run(command) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => (1, error),
        },
    };
    eprintln!("cmm-top: error: {error}");
    ExitCode::from(status)
}

fn run(command: Command) -> Result<(), String> {
    match command {
        Command::Help => print(HELP),
        Command::Version => print(concat!(
            "cmm-top (xen-cmm) ",
            env!("CARGO_PKG_VERSION"),
            "\n"
        )),
        Command::Draw { from, to } => picture(&from, to.as_deref()),
        Command::Look(options) => look(&options),
    }
}

/// Prints. Whoever does not want to read on, as `head`, is no error.
fn print(text: &str) -> Result<(), String> {
    let mut output = io::stdout().lock();
    let printed = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    match printed {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.map_err(|error| format!("cannot print: {error}")),
    }
}

/// Draws what `--csv` wrote.
fn picture(from: &Path, to: Option<&Path>) -> Result<(), String> {
    let text = fs::read_to_string(from).map_err(|error| cannot("read", from, &error))?;
    let svg = csv::parse(&text).and_then(|rows| draw::svg(&rows));
    let svg = svg.map_err(|wrong| format!("{}: {wrong}", from.display()))?;
    match to {
        Some(to) => fs::write(to, svg).map_err(|error| cannot("write", to, &error)),
        None => print(&svg),
    }
}

fn look(options: &Options) -> Result<(), String> {
    let mut reader = Reader::new(options.root.as_deref())?;
    if options.has_screen() {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err("this is no terminal: use --batch (see --help)".into());
        }
        let shown = screen::run(&mut reader, options.order, options.interval);
        return shown.map_err(|error| format!("cannot use the terminal: {error}"));
    }
    let mut outputs = Outputs::new(options)?;
    let mut left = options.count;
    loop {
        let mut snapshot = reader.look();
        sort::sort(&mut snapshot.domains, options.order);
        outputs.write(&snapshot)?;
        left = left.map(|left| left - 1);
        if left == Some(0) {
            return Ok(());
        }
        thread::sleep(options.interval);
    }
}

/// Where looks go.
struct Outputs<'a> {
    options: &'a Options,
    csv: Option<File>,
    has_printed: bool,
    /// What could not be read, and has been said.
    noted: BTreeSet<String>,
}

impl<'a> Outputs<'a> {
    fn new(options: &'a Options) -> Result<Self, String> {
        let csv = match &options.csv {
            Some(path) => {
                let created = File::create(path).and_then(|mut file| {
                    writeln!(file, "{}", csv::TITLE)?;
                    Ok(file)
                });
                Some(created.map_err(|error| cannot("write", path, &error))?)
            }
            None => None,
        };
        Ok(Self {
            options,
            csv,
            has_printed: false,
            noted: BTreeSet::new(),
        })
    }

    fn write(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        for note in &snapshot.notes {
            if self.noted.insert(note.clone()) {
                eprintln!("cmm-top: {note}");
            }
        }
        if self.options.batch {
            let gap = if self.has_printed { "\n" } else { "" };
            print(&format!("{gap}{}", batch::show(snapshot)))?;
            self.has_printed = true;
        }
        if let (Some(file), Some(path)) = (&mut self.csv, &self.options.csv) {
            let written = file.write_all(csv::lines(snapshot).as_bytes());
            written.map_err(|error| cannot("write", path, &error))?;
        }
        if let Some(path) = &self.options.prometheus {
            let written = prometheus::replace(path, &prometheus::show(snapshot));
            written.map_err(|error| cannot("write", path, &error))?;
        }
        Ok(())
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}
