//! Canonical XML as libxml2 makes it, through a Python that has lxml.

use std::process::Command;

use crate::ceb_kit::{Folder, say};

/// The three answers of the oracle for one document: whole, without Signature, SignedInfo.
pub(crate) type Answers = [Option<Vec<u8>>; 3];

/// A Python that has lxml.
pub(crate) fn python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|p| {
        Command::new(p).args(["-c", "import lxml.etree"]).output().is_ok_and(|output| output.status.success())
    })
}

pub(crate) fn ask_libxml2(python: &str, documents: &[Vec<u8>]) -> Vec<Answers> {
    let folder = Folder::new();
    let mut batch = Vec::new();
    for document in documents {
        batch.extend(u32::try_from(document.len()).unwrap().to_le_bytes());
        batch.extend(document);
    }
    let (input, output) = (folder.write("in", &batch), folder.0.join("out"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/c14n_oracle.py");
    let ran = Command::new(python).arg(script).args([&input, &output]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    say(&format!("{} octets judged by {}", batch.len(), String::from_utf8_lossy(&ran.stdout).trim()));
    let answers = std::fs::read(&output).unwrap();
    let mut rest = answers.as_slice();
    let mut next = || {
        let (length, after) = rest.split_at(4);
        let length = u32::from_le_bytes(length.try_into().unwrap());
        rest = after;
        if length == u32::MAX {
            return None;
        }
        let (answer, after) = rest.split_at(length as usize);
        rest = after;
        Some(answer.to_vec())
    };
    documents.iter().map(|_| [next(), next(), next()]).collect()
}
