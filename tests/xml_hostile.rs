//! Documents made to exhaust a parser end early: no stack overflow, no memory beyond a bound, no work without end.
#![cfg(feature = "xml")]

use std::process::Command;

use shared_shield::format::Format;
use shared_shield::format::ceb::CEB;
use shared_shield::format::xmldsig::{MAX_DEPTH, MAX_OCTETS, digest_input};
use shared_shield::{Content, ErrorKind};

use ceb_kit::context;

#[path = "support/ceb_kit.rs"]
mod ceb_kit;

/// A thread stack well below what any system gives; the canonicaliser recurses.
const STACK: usize = 512 * 1024;
/// Address space of the process in KiB.
const MEMORY: u32 = 1_200_000;

/// What becomes of a document, in a thread with a small stack.
fn outcome(document: Vec<u8>) -> Result<usize, ErrorKind> {
    let work = move || digest_input(&document).map(|octets| octets.len()).map_err(|e| e.kind());
    std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap()
}

fn nested(depth: usize) -> Vec<u8> {
    ["<a>".repeat(depth), "</a>".repeat(depth)].concat().into_bytes()
}

fn filled(piece: &str, octets: usize) -> Vec<u8> {
    format!("<a>{}</a>", piece.repeat(octets / piece.len())).into_bytes()
}

#[test]
fn the_deepest_allowed_document_needs_little_stack() {
    let declared = "<a xmlns:p='urn:a' p:x='1'>".repeat(10) + &"<a>".repeat(MAX_DEPTH as usize - 10);
    let document = declared + &"</a>".repeat(MAX_DEPTH as usize);
    assert!(outcome(document.into_bytes()).is_ok());
    assert_eq!(outcome(nested(MAX_DEPTH as usize)), Ok(7 * MAX_DEPTH as usize));
    assert_eq!(outcome(nested(MAX_DEPTH as usize + 1)), Err(ErrorKind::DocumentTooDeep));
}

/// Whether this is the process with bounded memory; if not, the story runs in one, and has run when this returns.
fn memory_is_bounded(story: &str) -> bool {
    if std::env::var_os("HOSTILE_CHILD").is_some() {
        return true;
    }
    let me = std::env::current_exe().unwrap();
    let script = format!("ulimit -v {MEMORY} && exec \"$0\" --exact {story}");
    let ran = Command::new("sh").arg("-c").arg(script).arg(me).env("HOSTILE_CHILD", "1").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    false
}

#[test]
fn hostile_documents_are_refused_in_bounded_memory() {
    if memory_is_bounded("hostile_documents_are_refused_in_bounded_memory") {
        hostile();
    }
}

fn hostile() {
    use ErrorKind::{DocumentAmbiguous, DocumentDtd, DocumentMalformed, DocumentTooDeep, DocumentTooLarge};
    let full = MAX_OCTETS - 100;
    let refused = |document: Vec<u8>, kind| assert_eq!(outcome(document), Err(kind));
    refused("<a>".repeat(35_000_000).into_bytes(), DocumentTooLarge);
    refused("<a>".repeat(full / 3).into_bytes(), DocumentTooDeep);
    refused(nested(full / 7), DocumentTooDeep);
    let attributes: String = (0..600_000).map(|i| format!(" a{i}=''")).collect();
    refused(format!("<a{attributes}/>").into_bytes(), DocumentTooLarge);
    refused(format!("<a{attributes}").into_bytes(), DocumentTooLarge);
    refused(format!("<a{}", " x=\">\"".repeat(full / 6)).into_bytes(), DocumentTooLarge);
    let namespaces: String = (0..60).map(|i| format!(" xmlns:a{i}='urn:a'")).collect();
    refused(format!("<a{namespaces}/>").into_bytes(), DocumentTooLarge);
    refused(filled("<b/>", full), DocumentTooLarge);
    refused(filled("<!---->", full), DocumentTooLarge);
    refused(filled("<?p?>", full), DocumentTooLarge);
    refused(filled("<![CDATA[]]>", full), DocumentTooLarge);
    refused(["<a/>".to_owned(), "<?p?>".repeat(full / 5)].concat().into_bytes(), DocumentTooLarge);
    refused("<".repeat(full).into_bytes(), DocumentMalformed);
    refused(filled("&#", full), DocumentMalformed);
    refused(format!("<{}/>", "n".repeat(full)).into_bytes(), DocumentTooLarge);
    let laughs = "<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><a>&b;</a>";
    refused(laughs.as_bytes().to_vec(), DocumentDtd);
    refused(b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>".to_vec(), DocumentDtd);
    refused(b"<a>&unknown;</a>".to_vec(), DocumentMalformed);
    refused(b"<a><b Id='x'/><b ID='x'/></a>".to_vec(), DocumentAmbiguous);
    refused(b"<a xmlns='relative'/>".to_vec(), DocumentAmbiguous);
    // What is only large goes through.
    let fine = |document: Vec<u8>| assert!(outcome(document).is_ok());
    fine(filled("x", full));
    fine(filled("&lt;", full));
    fine(filled("]", full));
    fine(format!("<a b='{}'/>", "\t".repeat(full)).into_bytes());
    fine(format!("<a b='{}'/>", "\r\nx".repeat(full / 3)).into_bytes());
    fine(filled("<b>0123456789012345678901234567890123456789</b>", full));
}

/// A signed message with `times` pieces put before `place`.
fn loaded(place: &str, piece: &str, times: usize) -> Vec<u8> {
    ceb_kit::replace(&ceb_kit::vector("synthetic_CEB311_rsa.xml"), place, &(piece.repeat(times) + place))
}

/// A finding for each would mean to look for its place each time, and a report that nobody can read.
#[test]
fn the_same_fault_many_thousand_times_is_told_once_with_its_number() {
    if !memory_is_bounded("the_same_fault_many_thousand_times_is_told_once_with_its_number") {
        return;
    }
    let many = 100_000;
    let transform = "<ds:Transform Algorithm=\"urn:x\" b=\"\">x</ds:Transform>";
    let cases = [
        (loaded("<ds:SignedInfo>", "x<?a?>", many), format!("{many} in all")),
        (loaded("<ds:KeyInfo>", "x<!---->", many), format!("{many} in all")),
        (loaded("<ds:DigestMethod", "<![CDATA[x]]>", many), format!("{many} in all")),
        (loaded("<ds:Transform ", transform, many), format!("{} transforms", many + 1)),
        (loaded("<ds:KeyInfo>", "<ds:SignatureValue>!</ds:SignatureValue>", many), "not expected here".to_owned()),
        (loaded("</ceb:note>", "x<!---->", many), format!("{many} in all")),
        (loaded("<ds:KeyName>", "<a/><?a?>", many), format!("a in KeyInfo; {many} in all")),
        (loaded("<ds:X509Data>", "<ds:KeyName>1</ds:KeyName>", many), format!("{} KeyName", many + 1)),
    ];
    for (document, number) in cases {
        let report = CEB.verify(&Content::bytes(document), None, &context(ceb_kit::vectors_time())).unwrap();
        let said: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert!(said.len() < 16, "{} findings", said.len());
        assert!(said.iter().any(|line| line.contains(&number)), "{number}: {said:?}");
    }
}

/// In every place and behind every length: the parser's fast paths see some of them only.
#[test]
fn characters_that_xml_does_not_have_are_refused_wherever_they_stand() {
    for forbidden in ['\0', '\u{1}', '\u{8}', '\u{B}', '\u{C}', '\u{E}', '\u{1F}', '\u{FFFE}', '\u{FFFF}'] {
        for length in [0, 1, 7, 15, 16, 17, 31, 32, 33, 70] {
            let text = format!("{}{forbidden}{}", "x".repeat(length), "中".repeat(length));
            for document in [
                format!("<a>{text}</a>"),
                format!("<a b='{text}'/>"),
                format!("<a b='&lt;{text}&#10;'/>"),
                format!("<a><![CDATA[{text}]]></a>"),
                format!("<a><!--{text}--></a>"),
                format!("<a><?p {text}?></a>"),
                format!("<a/>{text}"),
            ] {
                let error = digest_input(document.as_bytes()).unwrap_err();
                assert!(error.what().unwrap().contains("a character that XML does not allow"), "{error}: {document:?}");
            }
        }
    }
}

#[test]
fn no_truncation_and_no_changed_octet_makes_the_verifier_panic() {
    let whole = ceb_kit::vector("synthetic_CEB311_rsa.xml");
    let at = ceb_kit::vectors_time();
    for end in 0..whole.len() {
        let verdict = CEB.verify(&Content::bytes(&whole[..end]), None, &context(at));
        assert!(verdict.is_err(), "a truncated document passed as XML: {end}");
    }
    for (offset, put) in (0..whole.len()).flat_map(|o| [b'<', b'&', b'"', 0, 0xFF, b':'].map(|p| (o, p))) {
        let mut changed = whole.clone();
        changed[offset] = put;
        let _ = CEB.verify(&Content::bytes(changed), None, &context(at));
    }
}
