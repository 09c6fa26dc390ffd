//! Who is to blame where the value is none over SignedInfo: the document, SignedInfo, or the program that signed.

use base64ct::{Base64, Encoding};
use shared_shield::format::xmldsig;
use shared_shield::{DigestAlgorithm, FindingKind, Report};

use super::ceb_kit::{self, Signer, have, replace, report, vector, vectors_time};
use super::{CEB, DS, XSI, accepted};

/// The document with the value that the vectors' RSA key makes over `message` in place of its own.
fn with_value_over(document: &[u8], message: &[u8]) -> Vec<u8> {
    let signer = Signer::vectors("rsa");
    let file = signer.folder.write("message", message);
    let arguments = ["dgst", "-sha1", "-sign", signer.key.to_str().unwrap(), file.to_str().unwrap()];
    let value = Base64::encode_string(&ceb_kit::run_well("openssl", &arguments).stdout);
    with_text(document, "SignatureValue", &value)
}

/// The canonical form of its SignedInfo.
pub(super) fn info_of(document: &[u8]) -> Vec<u8> {
    xmldsig::signed_info(document).unwrap().unwrap()
}

/// The document with the digest that it has in its DigestValue.
fn digested(document: &[u8]) -> Vec<u8> {
    let digest = DigestAlgorithm::Sha1.of(&xmldsig::digest_input(document).unwrap()).unwrap();
    with_text(document, "DigestValue", &Base64::encode_string(digest.octets()))
}

pub(super) fn with_text(document: &[u8], local: &str, text: &str) -> Vec<u8> {
    let whole = String::from_utf8(document.to_vec()).unwrap();
    let (before, rest) = whole.split_once(&format!("<ds:{local}>")).unwrap();
    let after = rest.split_once("</").unwrap().1;
    format!("{before}<ds:{local}>{text}</{after}").into_bytes()
}

/// What is said of how the document became wrong, and the kinds of it in the order of their codes.
pub(super) fn told(document: &[u8]) -> (Vec<FindingKind>, Vec<String>, Report) {
    let report = report(document, vectors_time());
    let causes = || {
        report
            .findings
            .iter()
            .filter(|f| ("VF-103".."VF-106").contains(&f.kind.code()) || ("VF-160".."VF-200").contains(&f.kind.code()))
    };
    let mut kinds: Vec<FindingKind> = causes().map(|f| f.kind).collect();
    kinds.sort_by_key(|k| k.code());
    (kinds, causes().map(ToString::to_string).collect(), report)
}

/// Where the digest proves that nobody touched the document element, "put it back" and "take it out" would break the digest as well.
#[test]
fn a_signed_info_hashed_from_a_template_is_not_blamed_on_the_root() {
    use FindingKind as F;
    if !have("a SignedInfo that was hashed from a template", &["openssl"]) {
        return;
    }
    let d = vector("synthetic_CEB311_rsa.xml");
    let bare = digested(&replace(&d, XSI, ""));
    let more = replace(&info_of(&bare), DS, &[DS, XSI].concat());
    let bare = with_value_over(&bare, &more);
    let less = replace(&replace(&info_of(&d), CEB, ""), XSI, "");
    let less = with_value_over(&d, &less);
    let lang = " xml:lang=\"zh\"";
    let tongue = digested(&replace(&d, CEB, &[CEB, lang].concat()));
    let tongue = with_value_over(&tongue, &replace(&info_of(&tongue), lang, ""));
    let one = [F::SignedInfoChanged];
    let at = |document: &[u8]| {
        let text = std::str::from_utf8(document).unwrap();
        let offset = text.find("<ds:SignedInfo").unwrap();
        format!("at line {}, octet {offset}", text[..offset].matches('\n').count() + 1)
    };
    for (document, expected, found) in [
        (&bare, XSI.trim(), "nothing of it"),
        (&less, "nothing of it", &*format!("{} {}", CEB.trim(), XSI.trim())),
        (&tongue, "nothing of it", lang.trim()),
    ] {
        let (kinds, said, report) = told(document);
        assert_eq!(kinds, one, "{said:#?}");
        assert!(report.has(F::DigestRight) && report.has(F::SignatureWrong), "{:#?}", report.findings);
        let compared = format!("expected {expected}, found {found} {}", at(document));
        assert!(
            said[0].contains("hashed with other namespaces") && said[0].contains(&compared),
            "{compared}: {said:#?}"
        );
    }
    // The same where the digest is wrong for a reason that is not the root's, known or not.
    let newline = replace(&bare, "</ds:Signature>", "</ds:Signature>\n");
    assert_eq!(told(&newline).0, [F::NewlineAdded, F::SignedInfoChanged], "{:#?}", told(&newline).1);
    let digit = replace(&less, "20240101000000", "20240101000001");
    assert_eq!(told(&digit).0, [F::SignedInfoChanged, F::NoKnownReason], "{:#?}", told(&digit).1);
    // The root's where the digest says so, beside what the signer did, and where more came to the root than a digest is tried for.
    let lost = replace(&tongue, XSI, "");
    assert_eq!(told(&lost).0, [F::NamespaceLost, F::SignedInfoChanged], "{:#?}", told(&lost).1);
    let said = told(&lost).1.join("\n");
    assert!(said.contains(&format!("expected nothing of it, found {} at", lang.trim())), "{said}");
    let three = replace(&d, CEB, &[CEB, " xmlns:q=\"urn:q\" xmlns:r=\"urn:r\" xmlns:s=\"urn:s\""].concat());
    assert_eq!(told(&three).0, [F::NamespaceAdded; 3], "{:#?}", told(&three).1);
}

/// The document element is as it was, and the digest says so.
#[test]
fn a_declaration_added_to_the_signature_is_told_where_it_stands() {
    let d = vector("synthetic_CEB311_rsa.xml");
    for (tag, declaration, expected) in [
        ("<ds:Signature ", "xmlns:q=\"urn:q\"", "no such declaration"),
        ("<ds:SignedInfo", "xmlns:q=\"urn:q\"", "no such declaration"),
        ("<ds:Signature ", "xmlns:xsi=\"urn:q\"", XSI.trim()),
    ] {
        let changed = replace(
            &d,
            tag,
            &format!("{} {declaration} ", tag.trim()).replace("Info xmlns:q=\"urn:q\" ", "Info xmlns:q=\"urn:q\""),
        );
        let (kinds, said, report) = told(&changed);
        let offset = changed.windows(tag.len()).position(|w| w == tag.as_bytes()).unwrap();
        assert_eq!(kinds, [FindingKind::SignedInfoChanged], "{said:#?}");
        assert!(report.has(FindingKind::DigestRight), "{:#?}", report.findings);
        let compared = format!("expected {expected}, found {declaration} at line 12, octet {offset}");
        assert!(said[0].contains(&compared), "{compared}: {said:#?}");
    }
}

/// Whoever signs with white space in SignedInfo has signed the white space.
#[test]
fn a_signed_info_that_was_signed_indented_is_not_blamed_for_a_change_of_the_root() {
    use FindingKind as F;
    if !have("a SignedInfo that was signed indented", &["openssl"]) {
        return;
    }
    let d = vector("synthetic_CEB311_rsa.xml");
    for blank in ["\n    ", " "] {
        let indented = replace(&d, "<ds:SignatureMethod", &format!("{blank}<ds:SignatureMethod"));
        let indented = replace(&indented, "<ds:Reference", &format!("{blank}<ds:Reference"));
        let indented = with_value_over(&indented, &info_of(&indented));
        assert!(accepted(&report(&indented, vectors_time())));
        for (changed, kind) in [
            (replace(&indented, XSI, ""), F::NamespaceLost),
            (replace(&indented, CEB, &[CEB, " xml:lang=\"zh\""].concat()), F::NamespaceAdded),
            (replace(&indented, "20010315\"", "20010315#WithComments\""), F::C14nWithComments),
        ] {
            let (kinds, said, _) = told(&changed);
            assert_eq!(kinds, [kind], "{said:#?}");
        }
        // One more line end than was signed.
        let more = replace(&indented, "<ds:Transforms", "\n<ds:Transforms");
        assert_eq!(told(&more).0, [F::NoKnownReason], "{:#?}", told(&more).1);
    }
    // White space in a text is none between elements: this one was signed in one line.
    let text = String::from_utf8(d).unwrap().replace("M0=</ds:DigestValue>", "M0=\n</ds:DigestValue>").into_bytes();
    let text = with_value_over(&text, &info_of(&text));
    assert!(accepted(&report(&text, vectors_time())));
    assert_eq!(told(&replace(&text, "<ds:Reference", "\n<ds:Reference")).0, [F::SignedInfoPretty]);
}

#[test]
fn a_digest_value_that_was_emptied_after_signing_is_why_the_value_is_wrong() {
    for (kind, digest) in
        [("rsa", "0Tp4b5fUWNXMiPpyUhMGCL1rfM0="), ("sm2", "el+GoDRiN5fWHTk4VvoPHpMfiTHfrRmKDlg+YSyyS5c=")]
    {
        let d = vector(&format!("synthetic_CEB311_{kind}.xml"));
        for (text, found) in [("", "nothing"), ("?", "?")] {
            let (kinds, said, report) = told(&with_text(&d, "DigestValue", text));
            assert!(report.has(FindingKind::Structure) && report.has(FindingKind::SignatureWrong));
            assert_eq!(kinds, [FindingKind::SignedInfoChanged], "{:#?}", report.findings);
            let compared = format!("(in DigestValue); expected {digest}, found {found} at line 12");
            assert!(said[0].contains(&compared), "{said:#?}");
        }
    }
}

/// The value is right over a SignedInfo that inherits the declaration, so nobody touched the document element after that.
#[test]
fn a_digest_made_over_another_root_than_the_value_is_the_signers_fault() {
    use FindingKind as F;
    if !have("a digest that was made over another document element", &["openssl"]) {
        return;
    }
    let d = vector("synthetic_CEB311_rsa.xml");
    let bare = replace(&d, XSI, "");
    let lang = " xml:lang=\"zh\"";
    let tongue = replace(&d, CEB, &[CEB, lang].concat());
    let with_digest_of = |document: &[u8], other: &[u8]| {
        let digest = DigestAlgorithm::Sha1.of(&xmldsig::digest_input(other).unwrap()).unwrap();
        let mixed = with_text(document, "DigestValue", &Base64::encode_string(digest.octets()));
        with_value_over(&mixed, &info_of(&mixed))
    };
    let signers = "digest and signature value are of different document elements";
    for (document, kind) in [
        (with_digest_of(&d, &bare), F::NamespaceAdded),
        (with_digest_of(&bare, &d), F::NamespaceLost),
        (with_digest_of(&tongue, &d), F::NamespaceAdded),
    ] {
        let (kinds, said, report) = told(&document);
        assert_eq!(kinds, [kind], "{said:#?}");
        assert!(report.has(F::SignatureRight) && report.has(F::DigestWrong), "{:#?}", report.findings);
        assert!(said[0].contains(signers), "{said:#?}");
        // What came may stand on the Signature as well as on the root; a prefix that is declared further out has no way back.
        assert_eq!(said[0].contains("no change of it makes both right"), kind == F::NamespaceLost, "{said:#?}");
    }
    // The Signature declares it for itself: the value does not tell when it came to the root.
    let moved = replace(&d, CEB, &[CEB, DS].concat());
    let (kinds, said, report) = told(&moved);
    assert_eq!(kinds, [F::NamespaceAdded], "{said:#?}");
    assert!(report.has(F::SignatureRight) && !said[0].contains(signers), "{said:#?}");
    // A value that is wrong since the same declaration went tells nothing of the signer.
    assert!(told(&bare).1.iter().all(|said| !said.contains(signers)));
}

/// As programs do that write a document anew: "take it out" and "sign again" would both be wrong.
#[test]
fn a_declaration_of_the_signature_that_was_moved_to_the_root_goes_back_on_the_signature() {
    use FindingKind as F;
    let back = "it was moved up from the Signature element, which uses it: put it back there";
    for kind in ["rsa", "sm2"] {
        let d = vector(&format!("synthetic_CEB311_{kind}.xml"));
        let moved = replace(&replace(&d, DS, ""), CEB, &[CEB, DS].concat());
        let (kinds, said, report) = told(&moved);
        assert_eq!(kinds, [F::NamespaceAdded], "{said:#?}");
        assert!(report.has(F::SignatureRight) && report.has(F::DigestWrong), "{:#?}", report.findings);
        assert!(said[0].contains(back), "{said:#?}");
        let undone = replace(&replace(&moved, DS, ""), "<ds:Signature>", &format!("<ds:Signature{DS}>"));
        assert!(accepted(&ceb_kit::report(&undone, vectors_time())), "what is said makes it right");
        // With a value that is wrong for a reason of its own, and with a declaration that came beside it.
        let (kinds, said, _) = told(&replace(&moved, "<ds:Reference", "\n<ds:Reference"));
        assert_eq!(kinds, [F::SignedInfoPretty, F::NamespaceAdded], "{said:#?}");
        assert!(said.iter().any(|s| s.contains(back)), "{said:#?}");
        let (kinds, said, _) = told(&replace(&moved, DS, &format!("{DS} xmlns:q=\"urn:q\"")));
        assert_eq!(kinds, [F::NamespaceAdded; 2], "{said:#?}");
        assert_eq!(said.iter().filter(|s| s.contains(back)).count(), 1, "{said:#?}");
    }
}

/// The algorithm was right when it was signed: "hash with the algorithm of the identifier" would be no advice.
#[test]
fn an_identifier_that_was_changed_after_signing_is_not_blamed_on_the_digest() {
    use FindingKind as F;
    let d = vector("synthetic_CEB311_rsa.xml");
    let changed = replace(&d, "2000/09/xmldsig#sha1", "2001/04/xmlenc#sha256");
    let (kinds, said, report) = told(&changed);
    assert_eq!(kinds, [F::SignedInfoChanged], "{said:#?}");
    assert!(report.has(F::DigestWrong) && !report.has(F::DigestAlgorithmOther), "{:#?}", report.findings);
}

/// The value says which digest was signed: what would make another one right happened to nobody.
#[test]
fn a_digest_value_that_was_changed_is_not_blamed_on_the_document() {
    use FindingKind as F;
    let d = vector("synthetic_CEB311_rsa.xml");
    for other in [
        digested(&replace(&d, "\n<ds:Signature ", "<ds:Signature ")),
        digested(&replace(&d, XSI, "")),
        digested(std::str::from_utf8(&d).unwrap().replace('\t', "  ").as_bytes()),
    ] {
        let other = String::from_utf8(other).unwrap();
        let digest = other.split_once("<ds:DigestValue>").unwrap().1.split_once('<').unwrap().0;
        let (kinds, said, report) = told(&with_text(&d, "DigestValue", digest));
        assert_eq!(kinds, [F::SignedInfoChanged], "{said:#?}");
        assert!(report.has(F::DigestWrong) && said[0].contains("(in DigestValue)"), "{said:#?}");
    }
}

/// Each cause is named where it is proved beside the others, and none where it is not.
#[test]
fn several_faults_at_once_are_each_named_or_none_is_guessed() {
    use FindingKind as F;
    let d = vector("synthetic_CEB311_sm2.xml");
    let digest = "el+GoDRiN5fWHTk4VvoPHpMfiTHfrRmKDlg+YSyyS5c=";
    let newline = |d: &[u8]| replace(d, "</ds:Signature>", "</ds:Signature>\n");
    let lower = |d: &[u8]| with_text(d, "DigestValue", &digest.to_lowercase());
    let method = |d: &[u8]| replace(d, "chinaport.gov.cn/2022/04/xmldsig#sm2-sm3", "w3.org/2000/09/xmldsig#sm2-sm3");
    let lost = |d: &[u8]| replace(d, XSI, "");
    let pretty = |d: &[u8]| replace(d, "<ds:Reference", "\n<ds:Reference");
    let unknown = F::NoKnownReason;
    for (name, document, expected, mixed) in [
        ("newline, identifier", newline(&method(&d)), &[F::NewlineAdded, F::SignedInfoChanged][..], true),
        ("digest, identifier", lower(&method(&d)), &[F::SignedInfoChanged; 2], true),
        ("digest, namespace", lower(&lost(&d)), &[F::NamespaceLost, F::SignedInfoChanged], false),
        ("newline, digest", newline(&lower(&d)), &[F::NewlineAdded, F::SignedInfoChanged], false),
        ("a digit, digest", lower(&replace(&d, "20240101000000", "20240101000001")), &[unknown; 2], false),
        ("newline, digest, identifier", newline(&lower(&method(&d))), &[unknown; 2], true),
        (
            "newline, namespace, white space",
            newline(&lost(&pretty(&d))),
            &[F::NewlineAdded, F::SignedInfoPretty, F::NamespaceLost],
            false,
        ),
        ("white space, identifier", pretty(&method(&d)), &[F::SignedInfoPretty, F::SignedInfoChanged], true),
    ] {
        let (kinds, said, report) = told(&document);
        assert_eq!(kinds, expected, "{name}: {said:#?}");
        assert_eq!(report.has(F::IdentifiersMixed), mixed, "{name}: {:#?}", report.findings);
        assert!(report.has(F::SignatureWrong) && !accepted(&report), "{name}: {:#?}", report.findings);
    }
    let said = told(&lower(&method(&d))).1.join("\n");
    assert!(
        said.contains("in SignatureMethod") && said.contains(&format!("in DigestValue); expected {digest}")),
        "{said}"
    );
}
