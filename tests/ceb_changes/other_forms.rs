//! SignedInfo under another prefix, with another digest, with a character too many: what was done is named, and nothing else.

use base64ct::{Base64, Encoding};
use shared_shield::format::xmldsig;
use shared_shield::{DigestAlgorithm, FindingKind};

use super::ceb_kit::{self, Signer, have, replace, report, vector, vectors_time};
use super::signed_info::{info_of, told, with_text};
use super::{CEB, DS, XSI, accepted};

/// The digest that was signed is known to nobody but the value, and the value proves it.
#[test]
fn a_digest_value_that_was_changed_together_with_the_document_is_named_with_what_was_done_to_the_document() {
    use FindingKind as F;
    for (kind, digest) in
        [("rsa", "0Tp4b5fUWNXMiPpyUhMGCL1rfM0="), ("sm2", "el+GoDRiN5fWHTk4VvoPHpMfiTHfrRmKDlg+YSyyS5c=")]
    {
        let d = vector(&format!("synthetic_CEB311_{kind}.xml"));
        let tabs = String::from_utf8(d.clone()).unwrap().replace('\t', "  ").into_bytes();
        for (changed, cause) in [
            (replace(&d, "</ds:Signature>", "</ds:Signature>\n"), F::NewlineAdded),
            (replace(&d, "\n<ds:Signature ", "<ds:Signature "), F::NewlineRemoved),
            (tabs, F::IndentationChanged),
            (replace(&d, XSI, ""), F::NamespaceLost),
            (replace(&d, CEB, &[CEB, " xmlns:q=\"urn:q\""].concat()), F::NamespaceAdded),
            (replace(&d, CEB, &[CEB, " xml:base=\"urn:b\""].concat()), F::NamespaceAdded),
            (replace(&replace(&d, DS, ""), CEB, &[CEB, DS].concat()), F::NamespaceAdded),
        ] {
            let damaged = [
                with_text(&changed, "DigestValue", &digest.to_lowercase()),
                with_text(&changed, "DigestValue", ""),
                // Hashed anew by whoever changed it: the digest is right, and was not signed.
                with_text(&changed, "DigestValue", &own_digest(&changed, kind)),
            ];
            for document in damaged {
                let (kinds, said, report) = told(&document);
                let mut expected = [cause, F::SignedInfoChanged];
                expected.sort_by_key(|k| k.code());
                assert_eq!(kinds, expected, "{said:#?}");
                assert!(report.has(F::SignatureWrong) && !accepted(&report), "{:#?}", report.findings);
                let compared = format!("(in DigestValue); expected {digest}, found ");
                assert!(said.iter().any(|s| s.contains(&compared)), "{said:#?}");
            }
        }
        // The value of another key proves nothing, nor does one over a document that is not known.
        let other =
            with_text(&d, "SignatureValue", &Base64::encode_string(&vec![7; if kind == "rsa" { 256 } else { 64 }]));
        let newline = replace(&other, "</ds:Signature>", "</ds:Signature>\n");
        assert!(!told(&newline).0.contains(&F::SignedInfoChanged), "{:#?}", told(&newline).1);
    }
}

/// The digest of the document in base64, with the algorithm of the vector.
fn own_digest(document: &[u8], kind: &str) -> String {
    let algorithm = if kind == "rsa" { DigestAlgorithm::Sha1 } else { DigestAlgorithm::Sm3 };
    Base64::encode_string(algorithm.of(&xmldsig::digest_input(document).unwrap()).unwrap().octets())
}

/// With whatever prefix the Signature is written, and nothing is said of elements that are as they were.
#[test]
fn a_signature_under_another_prefix_is_told_by_its_prefix() {
    use FindingKind as F;
    if !have("a Signature under another prefix", &["openssl"]) {
        return;
    }
    let d = vector("synthetic_CEB311_rsa.xml");
    let text = String::from_utf8(d.clone()).unwrap();
    for (prefix, shown) in [("dsig:", "dsig:"), ("", "no prefix"), ("a:", "a:")] {
        let declared =
            if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{}", &prefix[..prefix.len() - 1]) };
        let renamed = text.replace("<ds:", &format!("<{prefix}")).replace("</ds:", &format!("</{prefix}"));
        let renamed = renamed.replace("xmlns:ds", &declared).into_bytes();
        let (kinds, said, _) = told(&renamed);
        assert_eq!(kinds, [F::SignedInfoChanged], "{said:#?}");
        let offset = renamed.windows(10 + prefix.len()).position(|w| w.ends_with(b"SignedInfo")).unwrap() - 1;
        let compared = format!(
            "(the prefix of the Signature was renamed); expected ds:, found {shown} at line 12, octet {offset}"
        );
        assert!(said[0].contains(&compared), "{compared}: {said:#?}");
        // What was changed under the new prefix is told by itself.
        let at = |local: &str| format!("<{prefix}{local}");
        let pretty = replace(&renamed, &at("Reference "), &format!("\n{}", at("Reference ")));
        assert_eq!(told(&pretty).0, [F::SignedInfoPretty, F::SignedInfoChanged], "{:#?}", told(&pretty).1);
        assert_eq!(
            told(&replace(&renamed, XSI, "")).0,
            [F::NamespaceLost, F::SignedInfoChanged],
            "{:#?}",
            told(&replace(&renamed, XSI, "")).1
        );
        // Signed under that prefix: DigestValue is found under it, too.
        let value = Signer::vectors("rsa");
        let file = value.folder.write("message", &info_of(&renamed));
        let arguments = ["dgst", "-sha1", "-sign", value.key.to_str().unwrap(), file.to_str().unwrap()];
        let value = Base64::encode_string(&ceb_kit::run_well("openssl", &arguments).stdout);
        let whole = String::from_utf8(renamed).unwrap();
        let (head, rest) = whole.split_once(&format!("{}>", at("SignatureValue"))).unwrap();
        let signed = format!("{head}{}>{value}</{}", at("SignatureValue"), rest.split_once("</").unwrap().1);
        assert!(accepted(&report(signed.as_bytes(), vectors_time())));
        let damaged = replace(signed.as_bytes(), "0Tp4b5fU", "AAAAAAAA");
        let (kinds, said, _) = told(&damaged);
        assert_eq!(kinds, [F::SignedInfoChanged], "{said:#?}");
        assert!(said[0].contains("(in DigestValue); expected 0Tp4b5fU"), "{said:#?}");
        let newline = replace(&damaged, "Signature></ceb:", "Signature>\n</ceb:");
        assert_eq!(told(&newline).0, [F::NewlineAdded, F::SignedInfoChanged], "{:#?}", told(&newline).1);
    }
}

#[test]
fn a_character_beside_an_element_of_signed_info_is_shown_and_not_the_element() {
    let d = vector("synthetic_CEB311_rsa.xml");
    let nbsp = replace(&d, "<ds:DigestMethod", "\u{a0}<ds:DigestMethod");
    let (kinds, said, _) = told(&nbsp);
    assert_eq!(kinds, [FindingKind::SignedInfoChanged], "{said:#?}");
    assert!(said[0].contains("(before DigestMethod); expected nothing, found \"\\u{a0}\" at line 12"), "{said:#?}");
}
