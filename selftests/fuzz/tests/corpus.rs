// SPDX-License-Identifier: GPL-2.0

//! Replays what fuzzing has found worth keeping.

use std::fs;
use std::path::Path;

#[test]
fn corpus() {
    for (name, target) in cmm_fuzz::TARGETS {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let mut count = 0;
        for entry in fs::read_dir(directory).expect("a corpus for every target") {
            let path = entry.expect("an entry").path();
            println!("{}", path.display());
            target(&fs::read(path).expect("a file"));
            count += 1;
        }
        assert!(count > 0, "{name} has an empty corpus");
    }
}
