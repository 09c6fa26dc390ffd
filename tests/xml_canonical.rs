//! What we hash is what every other verifier hashes: 20,000 generated documents against libxml2.
#![cfg(feature = "xml")]

#[path = "support/c14n_gen.rs"]
mod c14n_gen;
#[path = "support/ceb_kit.rs"]
mod ceb_kit;
#[path = "support/libxml2.rs"]
mod libxml2;

use std::collections::BTreeMap;

use ceb_kit::{say, skip};
use libxml2::{ask_libxml2, python};
use shared_shield::Error;
use shared_shield::format::xmldsig;

const DOCUMENTS: usize = 20_000;
const SEED: u64 = 20_261_123;

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
