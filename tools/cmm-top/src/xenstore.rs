// SPDX-License-Identifier: GPL-2.0

//! What xenstore says, by its own protocol, or a recording of it: a directory with a file for each node.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

/// Where xenstored listens in the domain it runs in, and where the kernel leads to it from any.
const SOCKET: &str = "/run/xenstored/socket";
const DEVICE: &str = "/dev/xen/xenbus";

/// What is asked and answered: `xs_wire.h` of Xen's public headers.
const DIRECTORY: u32 = 1;
const READ: u32 = 2;
const ERROR: u32 = 16;
/// More than this does not fit into an answer.
const PAYLOAD_MAX: u32 = 4096;

/// Xenstore.
pub enum Store {
    /// A connection to it.
    Connection(Connection),
    /// What somebody has recorded.
    Recorded(PathBuf),
}

impl Store {
    /// Connects to xenstored.
    pub fn connect() -> io::Result<Self> {
        let stream: Box<dyn Stream> = match UnixStream::connect(SOCKET) {
            Ok(stream) => Box::new(stream),
            Err(_) => Box::new(OpenOptions::new().read(true).write(true).open(DEVICE)?),
        };
        Ok(Self::Connection(Connection { stream, next: 1 }))
    }

    /// What a node has.
    pub fn read(&mut self, node: &str) -> io::Result<String> {
        let value = match self {
            Self::Connection(connection) => connection.ask(READ, node)?,
            Self::Recorded(dir) => fs::read(below(dir, node))?,
        };
        Ok(String::from_utf8_lossy(&value).into_owned())
    }

    /// What is below a node.
    pub fn list(&mut self, node: &str) -> io::Result<Vec<String>> {
        match self {
            Self::Connection(connection) => {
                let names = connection.ask(DIRECTORY, node)?;
                let names = names.split(|byte| *byte == 0).filter(|it| !it.is_empty());
                Ok(names
                    .map(|it| String::from_utf8_lossy(it).into_owned())
                    .collect())
            }
            Self::Recorded(dir) => fs::read_dir(below(dir, node))?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect(),
        }
    }
}

fn below(dir: &Path, node: &str) -> PathBuf {
    dir.join(node.trim_start_matches('/'))
}

/// What xenstored is talked to through.
trait Stream: Read + Write + Send {}

impl Stream for UnixStream {}
impl Stream for File {}

/// A connection to xenstored.
pub struct Connection {
    stream: Box<dyn Stream>,
    next: u32,
}

impl Connection {
    fn ask(&mut self, what: u32, node: &str) -> io::Result<Vec<u8>> {
        let id = self.next;
        self.next = id.wrapping_add(1);
        self.stream.write_all(&question(what, id, node)?)?;
        loop {
            let mut header = [0; 16];
            self.stream.read_exact(&mut header)?;
            let [kind, answered, _, len] = words(&header);
            if len > PAYLOAD_MAX {
                return Err(io::Error::other("xenstored's answer is too long"));
            }
            let mut payload = vec![0; len as usize];
            self.stream.read_exact(&mut payload)?;
            match kind {
                _ if answered != id => {}
                ERROR => return Err(refusal(&payload)),
                _ => return Ok(payload),
            }
        }
    }
}

/// A message: a header of four words, and the node's path.
fn question(what: u32, id: u32, node: &str) -> io::Result<Vec<u8>> {
    let len = u32::try_from(node.len() + 1)
        .ok()
        .filter(|len| *len <= PAYLOAD_MAX)
        .ok_or(io::ErrorKind::InvalidInput)?;
    let mut message = Vec::new();
    for word in [what, id, 0, len] {
        message.extend(word.to_le_bytes());
    }
    message.extend(node.as_bytes());
    message.push(0);
    Ok(message)
}

fn words(header: &[u8; 16]) -> [u32; 4] {
    std::array::from_fn(|at| {
        let bytes = std::array::from_fn(|byte| header[4 * at + byte]);
        u32::from_le_bytes(bytes)
    })
}

/// The errno's name is the payload.
fn refusal(payload: &[u8]) -> io::Error {
    let name = String::from_utf8_lossy(payload);
    match name.trim_end_matches('\0') {
        "ENOENT" => io::ErrorKind::NotFound.into(),
        "EACCES" => io::ErrorKind::PermissionDenied.into(),
        name => io::Error::other(format!("xenstored says {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers one question with these messages, and returns it.
    fn answered(answers: &[(u32, u32, &[u8])]) -> (io::Result<Vec<u8>>, Vec<u8>) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        for (kind, id, payload) in answers {
            for word in [*kind, *id, 0, payload.len() as u32] {
                theirs.write_all(&word.to_le_bytes()).unwrap();
            }
            theirs.write_all(payload).unwrap();
        }
        let mut connection = Connection {
            stream: Box::new(ours),
            next: 5,
        };
        let result = connection.ask(READ, "/a");
        let mut asked = [0; 19];
        theirs.read_exact(&mut asked).unwrap();
        (result, asked.to_vec())
    }

    #[test]
    fn the_answer_to_the_question_counts() {
        let (result, asked) = answered(&[(15, 0, b"watch"), (READ, 5, b"value")]);
        assert_eq!(result.unwrap(), b"value");
        assert_eq!(asked, b"\x02\0\0\0\x05\0\0\0\0\0\0\0\x03\0\0\0/a\0");
    }

    #[test]
    fn errors_are_told() {
        let (result, _) = answered(&[(ERROR, 5, b"ENOENT\0")]);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::NotFound);
        let (result, _) = answered(&[(ERROR, 5, b"EIO\0")]);
        assert_eq!(result.unwrap_err().to_string(), "xenstored says EIO");
        let long = [0; PAYLOAD_MAX as usize + 1];
        assert!(answered(&[(READ, 5, &long)]).0.is_err());
    }
}
