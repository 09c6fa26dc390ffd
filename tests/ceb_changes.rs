//! Changes made to a signed message: our verdict is xmlsec1's, and where we know why, we say it.
#![cfg(all(feature = "xml", feature = "rsa"))]

#[path = "support/ceb_kit.rs"]
mod ceb_kit;
#[path = "ceb_changes/other_forms.rs"]
mod other_forms;
#[path = "ceb_changes/signed_info.rs"]
mod signed_info;

use ceb_kit::{Signer, VECTORS_TIME, have, replace, report, say, vector, vectors_time};
use shared_shield::format::{Format, ceb, xmldsig};
use shared_shield::{Certificate, Content, FindingKind, Report, Verdict};

const XSI: &str = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
const CEB: &str = " xmlns:ceb=\"http://www.chinaport.gov.cn/ceb\"";
const DS: &str = " xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"";

/// `text` broken into lines of `width` inside the element `local`.
fn wrapped(document: &[u8], local: &str, width: usize) -> Vec<u8> {
    let text = String::from_utf8(document.to_vec()).unwrap();
    let (before, rest) = text.split_once(&format!("<ds:{local}>")).unwrap();
    let (value, after) = rest.split_once("</").unwrap();
    let lines: Vec<&str> = value.as_bytes().chunks(width).map(|c| std::str::from_utf8(c).unwrap()).collect();
    format!("{before}<ds:{local}>{}</{after}", lines.join("\n")).into_bytes()
}

fn self_closed(document: &[u8]) -> Vec<u8> {
    ["CanonicalizationMethod", "SignatureMethod", "Transform", "DigestMethod"]
        .iter()
        .fold(document.to_vec(), |d, name| replace(&d, &format!("\"></ds:{name}>"), "\"/>"))
}

/// The rows of the table in `tests/vectors/INDEX.md`: change, whether a strict verifier accepts, what we say beside.
fn rows(d: &[u8]) -> Vec<(&'static str, Vec<u8>, bool, Option<FindingKind>)> {
    use FindingKind as F;
    let text = String::from_utf8(d.to_vec()).unwrap();
    let moved = replace(&replace(d, DS, ""), CEB, &[CEB, DS].concat());
    let order = replace(&replace(d, CEB, ""), XSI, "");
    let order = replace(&order, "<ceb:CEB311Message", &["<ceb:CEB311Message", XSI, CEB].concat());
    vec![
        ("untouched", d.to_vec(), true, None),
        (
            "newline after </ds:Signature>",
            replace(d, "</ds:Signature>", "</ds:Signature>\n"),
            false,
            Some(F::NewlineAdded),
        ),
        (
            "newline before <ds:Signature removed",
            replace(d, "\n<ds:Signature ", "<ds:Signature "),
            false,
            Some(F::NewlineRemoved),
        ),
        (
            "newline before <ds:Reference",
            replace(d, "<ds:Reference", "\n<ds:Reference"),
            false,
            Some(F::SignedInfoPretty),
        ),
        ("each tab two spaces", text.replace('\t', "  ").into_bytes(), false, Some(F::IndentationChanged)),
        ("xmlns:xsi removed", replace(d, XSI, ""), false, Some(F::NamespaceLost)),
        ("xmlns:q added", replace(d, CEB, &[CEB, " xmlns:q=\"urn:q\""].concat()), false, Some(F::NamespaceAdded)),
        ("xmlns:ds moved to the root", moved, false, Some(F::NamespaceAdded)),
        ("C14N with comments", replace(d, "20010315\"", "20010315#WithComments\""), false, Some(F::C14nWithComments)),
        ("a digit changed", replace(d, "20240101000000", "20240101000001"), false, Some(F::DigestWrong)),
        ("LF to CRLF", text.replace('\n', "\r\n").into_bytes(), true, None),
        ("namespaces before guid", order, true, None),
        ("single quotes", replace(d, "version=\"1.0\" xmlns", "version='1.0' xmlns"), true, None),
        ("empty elements self-closed", self_closed(d), true, None),
        ("newline before <ds:X509Data>", replace(d, "<ds:X509Data>", "\n<ds:X509Data>"), true, None),
        ("base64 wrapped", wrapped(&wrapped(d, "X509Certificate", 76), "SignatureValue", 64), true, None),
        ("XML declaration removed", text.split_once("?>\n").unwrap().1.as_bytes().to_vec(), true, None),
        ("byte order mark", [b"\xEF\xBB\xBF", d].concat(), true, None),
        ("newline after the root", [d, b"\n"].concat(), true, None),
        ("comment in the body", replace(d, "<ceb:Order>", "<ceb:Order><!-- x -->"), true, None),
        ("comment in a text", replace(d, "<ceb:guid>0", "<ceb:guid><!-- x -->0"), true, Some(F::CommentInText)),
        ("comment in KeyInfo", replace(d, "<ds:KeyName>", "<!-- x --><ds:KeyName>"), true, Some(F::SignatureExtras)),
        ("instruction in KeyInfo", replace(d, "<ds:KeyName>", "<?x y?><ds:KeyName>"), true, Some(F::SignatureExtras)),
        ("KeyName in upper case", replace(d, "0123abcd", "0123ABCD"), true, Some(F::NumberCase)),
    ]
}

fn accepted(report: &Report) -> bool {
    report.verdict() != Verdict::Invalid
}

#[test]
fn every_change_gets_the_verdict_that_xmlsec1_gives() {
    if !have("the change table against xmlsec1", &["xmlsec1"]) {
        return;
    }
    let signer = Signer::vectors("rsa");
    for (change, document, expected, _) in rows(&vector("synthetic_CEB311_rsa.xml")) {
        let theirs = signer.xmlsec_accepts(&document, Some(VECTORS_TIME));
        let report = report(&document, vectors_time());
        say(&format!("{change}: xmlsec1 {theirs}, we {}", accepted(&report)));
        assert_eq!(theirs, expected, "xmlsec1 on: {change}");
        assert_eq!(accepted(&report), theirs, "we on: {change}: {:?}", report.findings);
    }
}

#[test]
fn the_reason_for_a_refusal_is_named() {
    for (change, document, _, reason) in rows(&vector("synthetic_CEB311_rsa.xml")) {
        let report = report(&document, vectors_time());
        let Some(reason) = reason else { continue };
        assert!(report.has(reason), "{change}: {:?}", report.findings);
    }
}

fn only(document: &[u8], kind: FindingKind) -> String {
    let report = report(document, vectors_time());
    report.findings.iter().find(|f| f.kind == kind).unwrap_or_else(|| panic!("{:?}", report.findings)).to_string()
}

#[test]
fn a_newline_beside_the_signature_is_named_with_its_place() {
    let d = vector("synthetic_CEB311_rsa.xml");
    let after = only(&replace(&d, "</ds:Signature>", "</ds:Signature>\n"), FindingKind::NewlineAdded);
    let end = d.windows(15).position(|w| w == b"</ds:Signature>").unwrap() + 15;
    let said = format!("(after the Signature element); expected \"\\n\", found \"\\n\\n\" at line 12, octet {end}");
    assert!(after.contains(&said), "{after}");
    let crlf = String::from_utf8(d.clone()).unwrap().replace('\n', "\r\n");
    let after = only(&replace(crlf.as_bytes(), "</ds:Signature>", "</ds:Signature>\r\n"), FindingKind::NewlineAdded);
    assert!(after.contains("after the Signature element"), "{after}");
    let indented = replace(&d, "\n<ds:Signature ", "\n\t<ds:Signature ");
    let indented = replace(&indented, "</ds:Signature>", "</ds:Signature>\n");
    assert!(!accepted(&report(&indented, vectors_time())));
    let pretty = replace(&d, "\n<ds:Signature ", "<ds:Signature ");
    assert!(only(&pretty, FindingKind::NewlineRemoved).contains("at line 11"));
    let blank = only(&replace(&d, "</ds:Signature>", "</ds:Signature> "), FindingKind::IndentationChanged);
    let said = format!("(after the Signature element); expected \"\\n\", found \"\\n \" at line 12, octet {end}");
    assert!(blank.contains(&said), "{blank}");
}

/// Whoever undoes one of two changes needs to know of the other.
#[test]
fn a_newline_beside_the_signature_is_named_beside_a_changed_indentation() {
    use FindingKind as F;
    let d = vector("synthetic_CEB311_rsa.xml");
    for (from, to, kind) in [
        ("</ds:Signature>", "</ds:Signature>\n", F::NewlineAdded),
        ("<ds:Signature ", "\n<ds:Signature ", F::NewlineAdded),
        ("\n<ds:Signature ", "<ds:Signature ", F::NewlineRemoved),
    ] {
        let one = replace(&d, from, to);
        for unit in ["  ", "    ", "   "] {
            let both = String::from_utf8(one.clone()).unwrap().replace('\t', unit).into_bytes();
            let report = report(&both, vectors_time());
            let told: Vec<F> = report.findings.iter().map(|f| f.kind).filter(|k| k.code() >= "VF-103").collect();
            assert!(told.contains(&kind) && told.contains(&F::IndentationChanged), "{:#?}", report.findings);
            let alone =
                |k: F| report.findings.iter().find(|f| f.kind == k).map(|f| (f.expected.clone(), f.found.clone()));
            let once = ceb_kit::report(&one, vectors_time());
            let newline = once.findings.iter().find(|f| f.kind == kind).map(|f| (f.expected.clone(), f.found.clone()));
            assert_eq!(alone(kind), newline, "{:#?}", report.findings);
        }
        // What only a formatted document has is no change of its own.
        let tabs = String::from_utf8(d.clone()).unwrap().replace('\t', "  ");
        assert!(!report(tabs.as_bytes(), vectors_time()).has(kind));
    }
}

/// Only what was done to it is said of the indentation: it is by tabs as before.
#[test]
fn blank_lines_and_blanks_at_ends_are_named_and_not_the_indentation() {
    let d = vector("synthetic_CEB311_rsa.xml");
    for (to, said) in
        [("<ceb:Order>\n\n", "it had no blank lines"), ("<ceb:Order> \n", "it had no blanks at the ends of lines")]
    {
        let told = only(&replace(&d, "<ceb:Order>\n", to), FindingKind::IndentationChanged);
        assert!(told.contains(said), "{told}");
    }
}

/// A document may hold megabytes of white space, and a report is for people.
#[test]
fn a_report_shows_a_little_of_much_white_space_and_says_how_much_it_was() {
    let d = vector("synthetic_CEB311_rsa.xml");
    let many = replace(&d, "</ds:Signature>", &format!("</ds:Signature>{}", "\n".repeat(300_000)));
    let report = report(&many, vectors_time());
    let newline = report.findings.iter().find(|f| f.kind == FindingKind::NewlineAdded).unwrap();
    assert!(newline.to_string().contains("(300001 characters)"), "{newline}");
    assert!(newline.line(shared_shield::Language::Chinese).contains("共 300001 个字符"));
    assert!(report.findings.iter().all(|f| f.to_string().len() < 2_000), "{:#?}", report.findings);
    let blanks = replace(&d, "<ds:Reference", &format!("{}<ds:Reference", " ".repeat(30_000)));
    let report = ceb_kit::report(&blanks, vectors_time());
    assert!(only(&blanks, FindingKind::SignedInfoPretty).contains("(30000 characters)"), "{:#?}", report.findings);
    assert!(report.findings.iter().all(|f| f.to_string().len() < 2_000));
}

#[test]
fn a_declaration_that_came_or_went_on_the_root_is_named() {
    let d = vector("synthetic_CEB311_rsa.xml");
    let lost = only(&replace(&d, XSI, ""), FindingKind::NamespaceLost);
    assert!(lost.contains(&format!("expected {}, found no such declaration at line 2", XSI.trim())), "{lost}");
    let added = replace(&d, CEB, &[CEB, " xmlns:q=\"urn:q\""].concat());
    let added = only(&added, FindingKind::NamespaceAdded);
    assert!(added.contains("expected no such declaration, found xmlns:q=\"urn:q\" at line 2"), "{added}");
}

/// SignedInfo inherits them, and nobody changed it.
#[test]
fn what_was_added_to_the_root_is_named_and_not_blamed_on_signed_info() {
    for kind in ["rsa", "sm2"] {
        let d = vector(&format!("synthetic_CEB311_{kind}.xml"));
        for added in [
            &["xml:base=\"urn:b\""][..],
            &["xml:lang=\"zh\""],
            &["xml:lang=\"zh\"", "xml:space=\"preserve\""],
            &["xmlns:q=\"urn:q\"", "xmlns:r=\"urn:r\""],
        ] {
            let changed = replace(&d, CEB, &format!("{CEB} {}", added.join(" ")));
            let report = report(&changed, vectors_time());
            let told: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
            let causes: Vec<FindingKind> =
                report.findings.iter().map(|f| f.kind).filter(|k| ("VF-160".."VF-200").contains(&k.code())).collect();
            assert_eq!(causes, vec![FindingKind::NamespaceAdded; added.len()], "{told:#?}");
            for one in added {
                assert!(told.iter().any(|t| t.contains(&format!("found {one} at line 2"))), "{one}: {told:#?}");
            }
        }
        // On the Signature it is not the root's.
        let changed = replace(&d, "<ds:Signature ", "<ds:Signature xml:lang=\"zh\" ");
        assert!(report(&changed, vectors_time()).has(FindingKind::SignedInfoChanged));
    }
}

#[test]
fn a_signature_that_was_never_filled_in_is_told_as_empty() {
    let text = String::from_utf8(vector("synthetic_CEB311_rsa.xml")).unwrap();
    let emptied = |name: &str| {
        let (head, rest) = text.split_once(&format!("<ds:{name}>")).unwrap();
        let tail = rest.split_once("</").unwrap().1;
        format!("{head}<ds:{name}>\n</{tail}").into_bytes()
    };
    for (name, kind) in [
        ("DigestValue", FindingKind::Structure),
        ("SignatureValue", FindingKind::SignatureUnreadable),
        ("X509Certificate", FindingKind::CertificateUnreadable),
    ] {
        let said = only(&emptied(name), kind);
        assert!(said.contains("(it is empty); expected base64 and nothing else, found nothing at line 12"), "{said}");
        let report = report(&emptied(name), vectors_time());
        assert!(!accepted(&report) && !report.has(FindingKind::DigestWrong), "{:?}", report.findings);
    }
}

#[test]
fn what_was_changed_inside_signed_info_is_named_and_not_blamed_on_namespaces() {
    let d = vector("synthetic_CEB311_rsa.xml");
    let xpath = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>1</ds:XPath>\
                 </ds:Transform></ds:Transforms>";
    let cases = [
        (replace(&d, "URI=\"\"", "URI=\"#x\""), "Reference"),
        (replace(&d, "2000/09/xmldsig#sha1", "2001/04/xmlenc#sha256"), "DigestMethod"),
        (replace(&d, "20010315\"", "20010315#WithComments\""), "CanonicalizationMethod"),
        (replace(&d, "</ds:Transforms>", xpath), "Transforms"),
        (replace(&d, "<ds:SignedInfo>", "<ds:SignedInfo Id=\"s\">"), "SignedInfo"),
        (replace(&d, "<ds:SignedInfo>", "<ds:SignedInfo xml:lang=\"zh\">"), "SignedInfo"),
        // The namespaces as well: both are named.
        (replace(&replace(&d, XSI, ""), "URI=\"\"", "URI=\"#x\""), "Reference"),
    ];
    for (changed, place) in cases {
        let kind = match place {
            "CanonicalizationMethod" => FindingKind::C14nWithComments,
            _ => FindingKind::SignedInfoChanged,
        };
        let said = only(&changed, kind);
        assert!(place == "CanonicalizationMethod" || said.contains(&format!("(in {place})")), "{said}");
    }
}

#[test]
fn a_digest_of_another_algorithm_is_named() {
    let d = vector("synthetic_CEB311_rsa.xml");
    // The SM3 digest of the same document, as the SM2 vector has it.
    let mixed = replace(&d, "0Tp4b5fUWNXMiPpyUhMGCL1rfM0=", "el+GoDRiN5fWHTk4VvoPHpMfiTHfrRmKDlg+YSyyS5c=");
    let said = only(&mixed, FindingKind::SignedInfoChanged);
    assert!(said.contains("(in DigestValue)"), "{said}");
}

/// Whoever reads on from a message that passes has to know what of it nobody signed.
#[test]
fn what_is_not_signed_in_a_message_that_passes_is_told_with_its_place() {
    use FindingKind as F;
    let d = vector("synthetic_CEB311_rsa.xml");
    let order = report(&replace(&d, "<ceb:Order>", "<ceb:Order><!-- x -->"), vectors_time());
    let odd =
        |report: &Report| [F::CommentInText, F::SignatureExtras, F::SignatureNotLast].map(|kind| report.has(kind));
    assert_eq!(odd(&report(&d, vectors_time())), [false; 3]);
    assert_eq!(odd(&order), [false; 3], "a comment between elements parts no text");
    let text = replace(
        &replace(&d, "<ceb:appTime>2024", "<ceb:appTime>2024<!--a--><!--b-->"),
        "<ceb:note>",
        "<ceb:note><!---->",
    );
    let said = only(&text, F::CommentInText);
    assert!(said.contains("(in appTime; 3 in all, the first) at line 7"), "{said}");
    let keys = "<ds:KeyValue/><x xmlns='urn:x'>evil</x>";
    let said = only(&replace(&d, "<ds:X509Data>", &format!("{keys}<ds:X509Data><ds:X509CRL/>")), F::SignatureExtras);
    assert!(said.contains("KeyValue in KeyInfo; 3 in all"), "{said}");
    let said = only(&replace(&d, "<ds:KeyInfo>", "<ds:KeyInfo>evil"), F::SignatureExtras);
    assert!(said.contains("text in KeyInfo"), "{said}");
}

/// Moved to where the digest input stays the same: before the line end that stood before it.
#[test]
fn a_signature_that_is_not_the_last_child_passes_as_with_xmlsec1_and_is_told() {
    let text = String::from_utf8(vector("synthetic_CEB311_rsa.xml")).unwrap();
    let (head, rest) = text.split_once("<ds:Signature ").unwrap();
    let (inside, tail) = rest.split_once("</ds:Signature>").unwrap();
    let first =
        head.replacen("\t<ceb:Order>", &format!("<ds:Signature {inside}</ds:Signature>\t<ceb:Order>"), 1) + tail;
    let report = report(first.as_bytes(), vectors_time());
    assert!(accepted(&report) && report.has(FindingKind::SignatureNotLast), "{:?}", report.findings);
    if have("a signature that is not last, against xmlsec1", &["xmlsec1"]) {
        let signer = Signer::vectors("rsa");
        assert!(signer.xmlsec_accepts(first.as_bytes(), Some(VECTORS_TIME)));
        let changed = replace(first.as_bytes(), "20240101000000", "20240101000001");
        assert!(!signer.xmlsec_accepts(&changed, Some(VECTORS_TIME)));
    }
}

/// Whatever single octet is replaced: it is refused, or what is hashed, what is signed, value and certificate are the same.
#[test]
fn no_changed_octet_passes_unless_canonical_xml_hides_it() {
    let whole = vector("synthetic_CEB311_rsa.xml");
    let input = xmldsig::digest_input(&whole).unwrap();
    let signed_info = xmldsig::signed_info(&whole).unwrap();
    let judge = have("octets that we accept, against xmlsec1", &["xmlsec1"]).then(|| Signer::vectors("rsa"));
    let pinned = Certificate::from_pem(&vector("synthetic_rsa_cert.pem")).unwrap();
    let mut passed = 0;
    for offset in 0..whole.len() {
        let mut changed = whole.clone();
        changed[offset] = if changed[offset] == b'0' { b'1' } else { b'0' };
        let content = Content::bytes(changed.clone());
        let Ok(report) = ceb::CEB.verify(&content, None, &ceb_kit::context(vectors_time())) else { continue };
        // As a verifier does that pins the certificate: nothing in the message says that it is the right one.
        if !accepted(&report) || report.signer.as_deref() != Some(&pinned) {
            continue;
        }
        passed += 1;
        assert_eq!(xmldsig::digest_input(&changed).unwrap(), input, "octet {offset}");
        assert_eq!(xmldsig::signed_info(&changed).unwrap(), signed_info, "octet {offset}");
        if let Some(judge) = &judge {
            assert!(judge.xmlsec_accepts(&changed, Some(VECTORS_TIME)), "octet {offset} passes here alone");
        }
    }
    say(&format!("{passed} of {} octets may change", whole.len()));
    // KeyName's eight digits and the padding bits of base64, no more.
    assert!((8..16).contains(&passed), "{passed}");
}
