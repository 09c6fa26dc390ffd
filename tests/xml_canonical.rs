//! What we hash is what every other verifier hashes: 20,000 generated documents against libxml2.
#![cfg(feature = "xml")]

#[path = "support/c14n_gen.rs"]
mod c14n_gen;
#[path = "support/ceb_kit.rs"]
mod ceb_kit;

use std::collections::BTreeMap;
use std::process::Command;

use ceb_kit::{Folder, say, skip};
use shared_shield::Error;
use shared_shield::format::xmldsig;

const DOCUMENTS: usize = 20_000;
const SEED: u64 = 20_261_123;

/// The three answers of the oracle for one document: whole, without Signature, SignedInfo.
type Answers = [Option<Vec<u8>>; 3];

/// A Python that has lxml.
fn python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|p| {
        Command::new(p).args(["-c", "import lxml.etree"]).output().is_ok_and(|output| output.status.success())
    })
}

fn ask_libxml2(python: &str, documents: &[Vec<u8>]) -> Vec<Answers> {
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

/// The reason without its place.
fn reason(error: &Error) -> String {
    let what = error.what().unwrap_or_default();
    format!("{:?}: {}", error.kind(), what.rsplit_once(": ").map_or(what, |(_, reason)| reason))
}

/// What we refuse although libxml2 takes it: on purpose, and each for a reason of its own.
const STRICTER: [&str; 5] = [
    "DocumentDtd: a document type declaration",
    "DocumentEncoding: the octets or the XML declaration are not UTF-8",
    "DocumentMalformed: the XML version is not 1.0",
    "DocumentAmbiguous: an identifier that stands twice, or an xml:id that is no name",
    "DocumentAmbiguous: a namespace name that is relative or has unusual characters",
];

#[test]
fn digest_inputs_are_those_of_libxml2_or_the_document_is_refused() {
    let Some(python) = python() else {
        return skip("canonical XML against libxml2", "no Python with lxml (Debian: python3-lxml)");
    };
    let mut rng = c14n_gen::Rng::new(SEED);
    let documents: Vec<Vec<u8>> = (0..DOCUMENTS).map(|_| c14n_gen::document(&mut rng)).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut differences = Vec::new();
    for (document, [whole, without, signed_info]) in documents.iter().zip(ask_libxml2(python, &documents)) {
        let mut count = |what: &str| *counts.entry(what.to_owned()).or_default() += 1;
        // A document without a signature is its own digest input.
        let expected = if signed_info.is_some() { without } else { whole.clone() };
        match (xmldsig::digest_input(document), expected) {
            (Ok(ours), Some(theirs)) if ours == theirs => count("equal: digest input"),
            (Err(error), None) => count(&format!("refused by both: {}", reason(&error))),
            (Err(error), Some(_)) => {
                let reason = reason(&error);
                count(&format!("refused by us alone: {reason}"));
                if !STRICTER.contains(&reason.as_str()) {
                    differences.push(document);
                }
                continue;
            }
            _ => differences.push(document),
        }
        match (xmldsig::signed_info(document), signed_info) {
            (Ok(Some(ours)), Some(theirs)) if ours == theirs => count("equal: SignedInfo in its document"),
            (Ok(Some(_)) | Err(_), Some(_)) => differences.push(document),
            _ => {}
        }
    }
    let equal = counts.get("equal: digest input").copied().unwrap_or_default();
    say(&format!("{DOCUMENTS} documents, {} differences: {counts:#?}", differences.len()));
    for document in differences.iter().take(3) {
        say(&format!("differs: {:?}", String::from_utf8_lossy(document)));
    }
    assert!(differences.is_empty(), "{} silent differences", differences.len());
    // Most documents have to reach the comparison, or it proves nothing.
    assert!(equal > DOCUMENTS * 3 / 4, "{equal} compared");
    assert!(counts["equal: SignedInfo in its document"] > DOCUMENTS / 5);
}

#[test]
fn white_space_in_attribute_values_is_hashed_as_the_parser_rules_say() {
    // XML 1.0, clauses 2.11 and 3.3.3: raw tab, LF, CR and CRLF are one space each; the same by reference stay.
    let document = "<a b='1\t2\n3\r4\r\n5&#9;&#10;&#13;'\r\n>\r\n\r&#13;</a>".as_bytes();
    let expected = "<a b=\"1 2 3 4 5&#x9;&#xA;&#xD;\">\n\n&#xD;</a>";
    assert_eq!(String::from_utf8(xmldsig::digest_input(document).unwrap()).unwrap(), expected);
}

#[test]
fn a_signature_inherits_what_the_document_element_says_about_language() {
    let dsig = "http://www.w3.org/2000/09/xmldsig#";
    let document = format!("<a xml:lang='zh'><Signature xmlns='{dsig}'><SignedInfo/></Signature></a>");
    let expected = format!("<SignedInfo xmlns=\"{dsig}\" xml:lang=\"zh\"></SignedInfo>");
    let found = xmldsig::signed_info(document.as_bytes()).unwrap().unwrap();
    assert_eq!(String::from_utf8(found).unwrap(), expected);
}
