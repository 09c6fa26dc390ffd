//! Documents made to exhaust a parser end early: no stack overflow, no memory beyond a bound, no work without end.
#![cfg(feature = "xml")]

use std::process::Command;
use std::time::{Duration, Instant};

use shared_shield::format::Format;
use shared_shield::format::ceb::CEB;
use shared_shield::format::xmldsig::{MAX_DEPTH, MAX_OCTETS, digest_input};
use shared_shield::{Content, ErrorKind, FindingKind, Report, Verdict};

use ceb_kit::context;
use xml_attacks::{large_attacks, small_attacks};

#[path = "support/ceb_kit.rs"]
mod ceb_kit;
#[path = "support/xml_attacks.rs"]
mod xml_attacks;

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
    // The figures.
    ceb_kit::say(String::from_utf8_lossy(&ran.stderr).trim_end());
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

/// The most memory that this process has had, in KiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

/// Longest time that one attack may take, on a busy machine and without optimisation.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gives a document to the verifier and to the signer, and says what that cost.
fn attack(name: &str, content: &Content) -> (Result<Report, ErrorKind>, Option<ErrorKind>) {
    let started = Instant::now();
    let verdict = CEB.verify(content, None, &context(ceb_kit::vectors_time())).map_err(|e| e.kind());
    let by = ceb_kit::Signer::vectors("rsa").certificate;
    let signed = CEB.prepare(content, &by, &ceb_kit::customs(false)).err().map(|e| e.kind());
    assert_eq!(CEB.check(content, &by, &ceb_kit::customs(false)).err().map(|e| e.kind()), signed, "{name}: looked at");
    let (took, memory) = (started.elapsed(), most_memory());
    let said = match &verdict {
        Ok(report) => format!("{:?}", report.verdict()),
        Err(kind) => format!("{kind:?}"),
    };
    ceb_kit::say(&format!("{name}: {said} after {} ms, {} MiB at most so far", took.as_millis(), memory / 1024));
    assert!(took < PATIENCE, "{name}: {took:?}");
    (verdict, signed)
}

/// 100 MB of each, in a file as a program would get it, and as much as is read at all; entities, declarations, identifiers.
#[test]
fn attacks_on_the_parser_end_early_and_their_cost_is_printed() {
    if !memory_is_bounded("attacks_on_the_parser_end_early_and_their_cost_is_printed") {
        return;
    }
    let folder = ceb_kit::Folder::new();
    for (name, content, kind) in large_attacks(&folder).into_iter().chain(small_attacks()) {
        let (verdict, signed) = attack(name, &content);
        // A large text in references is only large: it has no signature.
        if name == "8 MiB of references" {
            assert!(verdict.is_ok_and(|r| r.verdict() == Verdict::Invalid));
            continue;
        }
        assert_eq!((verdict.err(), signed), (Some(kind), Some(kind)), "{name}");
    }
}

/// Whoever sends a wrong signature chooses for how long its reason is searched: not for longer than its size is worth.
#[test]
fn the_search_for_a_reason_is_bounded_whatever_the_message_holds() {
    if !memory_is_bounded("the_search_for_a_reason_is_bounded_whatever_the_message_holds") {
        return;
    }
    let large = MAX_OCTETS - 20_000;
    for kind in ["rsa", "sm2"] {
        let right = String::from_utf8(ceb_kit::vector(&format!("synthetic_CEB311_{kind}.xml"))).unwrap();
        // A value that is none over anything: each known way is tried.
        let (before, rest) = right.split_once("<ds:SignatureValue>").unwrap();
        let right = format!("{before}<ds:SignatureValue>AAAA{}", &rest[4..]);
        let (before, rest) = right.split_once("<ds:DigestValue>").unwrap();
        let after = rest.split_once("</").unwrap().1;
        // Each declaration is one more way in which SignedInfo may have been another.
        let declared: String = (0..12).map(|n| format!(" xmlns:n{n}=\"urn:n{n}\"")).collect();
        let before = before.replacen("xmlns:ceb=", &format!("{} xmlns:ceb=", declared.trim_start()), 1);
        let with_digest = |digest: &str| format!("{before}<ds:DigestValue>{digest}</{after}");
        let note = |text: &str| right.replacen("<ceb:note>", &format!("<ceb:note>{text}"), 1);
        for (name, message) in [
            ("a text like the mark of a place", note(&format!("signature-place{}", "x".repeat(large)))),
            ("a digest of 8 MiB", with_digest(&"AAAA".repeat(large / 4))),
            ("8 MiB of an identifier", right.replacen("REC-xml-c14n", &"x".repeat(large), 1)),
        ] {
            let (verdict, _) = attack(&format!("{name}, {kind}"), &Content::bytes(message));
            let report = verdict.unwrap_or_else(|kind| panic!("{name}: {kind:?}"));
            assert_eq!(report.verdict(), Verdict::Invalid, "{name}");
            let json = report.json();
            assert!(json.len() < 100_000, "{name}: {} octets of report", json.len());
            assert!(report.has(FindingKind::NoKnownReason), "{name}: {json}");
            assert!(most_memory() < 400 * 1024, "{name}: {} KiB", most_memory());
        }
    }
}

/// The named ways to wrap a signature: each leaves it right for somebody, over something else than what is read.
#[test]
fn the_named_forms_of_signature_wrapping_are_refused() {
    if !memory_is_bounded("the_named_forms_of_signature_wrapping_are_refused") {
        return;
    }
    let right = String::from_utf8(ceb_kit::vector("synthetic_CEB311_rsa.xml")).unwrap();
    let (declaration, message) = right.split_once("?>\n").unwrap();
    let (before, rest) = message.split_once("<ds:Signature ").unwrap();
    let (inside, after) = rest.split_once("</ds:Signature>").unwrap();
    let signature = format!("<ds:Signature {inside}</ds:Signature>");
    let bare = format!("{before}{after}");
    let evil = before.replacen("<ceb:note>", "<ceb:note>evil", 1);
    let (start, _) = before.split_once("\n\t<ceb:Order>").unwrap();
    let named = start.replacen(" guid=", " Id=\"m\" guid=", 1);
    let by_id = inside.replacen("URI=\"\"", "URI=\"#m\"", 1);
    let forms = [
        ("moved below a child", format!("{before}<ceb:x>{signature}</ceb:x>{after}")),
        ("moved into the evil order", evil.replacen("</ceb:Order>", &format!("{signature}</ceb:Order>"), 1) + after),
        ("doubled", format!("{before}{signature}{signature}{after}")),
        ("doubled, one of them evil first", format!("{start}{}{}{after}", signature.replacen("0Tp4", "0Tp5", 1), &message[start.len()..message.len() - after.len()])),
        ("a second child of the root holds what was signed", format!("{evil}<ceb:y>{message}</ceb:y>{signature}{after}")),
        ("the whole signed message below an evil root", format!("{start}<ceb:Order>evil</ceb:Order>{message}{after}")),
        ("a Reference to an Id on the root", format!("{}<ds:Signature {by_id}</ds:Signature>{after}", before.replacen(start, &named, 1))),
        ("a Reference to an Id on what was moved", format!("{evil}<ceb:y>{}</ceb:y><ds:Signature {by_id}</ds:Signature>{after}", bare.replacen(start, &named, 1))),
        ("wrapped in an Object of the Signature", format!("{evil}<ds:Signature {inside}<ds:Object>{bare}</ds:Object></ds:Signature>{after}")),
        ("the evil message in an Object", format!("{before}<ds:Signature {inside}<ds:Object>{evil}{after}</ds:Object></ds:Signature>{after}")),
        ("the Signature around the message", format!("{start}<ds:Signature {inside}<ds:Object>{bare}</ds:Object></ds:Signature>{after}")),
        ("a XPath that cuts the evil out", format!("{evil}<ds:Signature {}</ds:Signature>{after}", inside.replacen("</ds:Transforms>", "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>not(ancestor-or-self::ceb:note)</ds:XPath></ds:Transform></ds:Transforms>", 1))),
    ];
    for (name, message) in forms {
        let document = Content::bytes(format!("{declaration}?>\n{message}"));
        let (verdict, signed) = attack(name, &document);
        let report = verdict.unwrap_or_else(|kind| panic!("{name}: {kind:?}"));
        assert_eq!(report.verdict(), Verdict::Invalid, "{name}: {:?}", report.findings);
        assert!(signed.is_some(), "{name}: it would be signed once more");
    }
}

/// Signed by xmlsec1 with a Reference to an Id, so that the signature is right for who follows it: of the root, and of a part below an evil root.
#[test]
fn a_right_signature_over_an_identifier_is_refused_for_that_alone() {
    if !ceb_kit::have("Reference to an Id, signed by xmlsec1", &["xmlsec1"]) {
        return;
    }
    let signer = ceb_kit::Signer::vectors("rsa");
    let right = String::from_utf8(ceb_kit::vector("synthetic_CEB311_rsa.xml")).unwrap();
    let value = |text: &str, local: &str| {
        let (_, rest) = text.split_once(&format!("<ds:{local}>")).unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    let template =
        ["DigestValue", "SignatureValue"].iter().fold(right.clone(), |t, local| t.replacen(&value(&t, local), "", 1));
    let template = template.replacen("URI=\"\"", "URI=\"#m\"", 1);
    let on_root = template.replacen(" guid=", " Id=\"m\" guid=", 1);
    let on_part = template.replacen("<ceb:Order>", "<ceb:Order Id=\"m\">", 1);
    for (name, template, element) in [("the root", on_root, "CEB311Message"), ("a part", on_part, "Order")] {
        let (input, output) =
            (signer.folder.write("template.xml", template.as_bytes()), signer.folder.0.join("signed.xml"));
        let id = format!("--id-attr:Id http://www.chinaport.gov.cn/ceb:{element}");
        let (option, named) = id.split_once(' ').unwrap();
        let key = format!("{},{}", signer.key.display(), signer.pem.display());
        let arguments = [
            "--sign",
            "--privkey-pem",
            &key,
            option,
            named,
            "--output",
            output.to_str().unwrap(),
            input.to_str().unwrap(),
        ];
        ceb_kit::run_well("xmlsec1", &arguments);
        let signed = std::fs::read(&output).unwrap();
        // Whatever stands outside of the part may be changed without harm to the signature.
        let evil = ceb_kit::replace(&signed, "version=\"1.0\">", "version=\"9.9\">");
        let documents = if element == "Order" { vec![signed, evil] } else { vec![signed] };
        for document in documents {
            let file = signer.folder.write("document.xml", &document);
            let time = ["--verification-gmt-time", ceb_kit::VECTORS_TIME];
            let pem = signer.pem.to_str().unwrap();
            let theirs = ceb_kit::run(
                "xmlsec1",
                &["--verify", "--trusted-pem", pem, time[0], time[1], option, named, file.to_str().unwrap()],
            );
            assert!(
                theirs.status.success(),
                "{name}: xmlsec1 follows the Id: {}",
                String::from_utf8_lossy(&theirs.stderr)
            );
            let report = ceb_kit::report(&document, ceb_kit::vectors_time());
            assert!(
                report.has(FindingKind::Wrapping) && report.has(FindingKind::SignatureRight),
                "{name}: {:?}",
                report.findings
            );
            assert_eq!(report.verdict(), Verdict::Invalid, "{name}");
        }
    }
}

/// Who explains, searches: the search ends, whatever the document holds.
#[test]
fn an_explanation_of_a_hostile_document_ends() {
    if !memory_is_bounded("an_explanation_of_a_hostile_document_ends") {
        return;
    }
    let right = String::from_utf8(ceb_kit::vector("synthetic_CEB311_rsa.xml")).unwrap();
    let filler = "\n \t<ceb:a>x</ceb:a><!-- -->";
    let many = |count: usize| right.replacen("<ceb:note>", &format!("{}<ceb:note>", filler.repeat(count)), 1);
    let namespaces: String = (0..12).map(|i| format!(" xmlns:n{i}='urn:n{i}'")).collect();
    let crowded = |text: String| text.replacen(" xmlns:ceb=", &format!("{namespaces} xmlns:ceb="), 1);
    for (name, document) in [
        ("a changed message of 20 KB", many(700)),
        ("a changed message of 1 MB", many(36_000)),
        ("a changed message of 5 MB", many(180_000)),
        ("a changed message with many namespaces", crowded(many(700))),
        (
            "white space alone",
            right.replacen("\n<ds:Signature", &format!("{}<ds:Signature", "\n \t".repeat(1_000_000)), 1),
        ),
    ] {
        let (verdict, _) = attack(name, &Content::bytes(document));
        assert_eq!(verdict.unwrap().verdict(), Verdict::Invalid, "{name}");
    }
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

/// To find a place reads the document up to there: that is done for what is told, not for each time that is looked at.
#[test]
fn a_thousand_times_of_making_far_behind_in_a_message_cost_no_thousand_readings() {
    let times = [" ".repeat(4_000_000), "<ceb:appTime>20240101000000</ceb:appTime>".repeat(1_000)].concat();
    let document = loaded("<ceb:note>", &times, 1);
    let begun = Instant::now();
    let report = CEB.verify(&Content::bytes(document), None, &context(ceb_kit::vectors_time())).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let told = report.findings.iter().filter(|f| f.kind == FindingKind::SigningTimeOutside).count();
    assert_eq!((report.verdict(), told), (Verdict::Invalid, 1));
    ceb_kit::say(&format!("a thousand times of making: {:?}", begun.elapsed()));
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
