//! What a revocation list is about: a part of an authority's certificates, changes to another list, another time. A list that does not tell about a
//! certificate is never taken for one that says that it is not revoked.

use crate::ceb_kit::have;
use crate::chains::Question;
use crate::pki::Pki;

const DAYS: [&str; 2] = ["-crldays", "30"];
const FUTURE: [&str; 4] = ["-crl_lastupdate", "20980101000000Z", "-crl_nextupdate", "20991231000000Z"];

/// Extensions of the list of the authority between; whether a signer that is not on it is trusted; what is said where not.
const SCOPES: [(&str, &str, bool, &str); 9] = [
    ("everything", "", true, ""),
    ("signers' certificates", "issuingDistributionPoint=critical,@p\n[p]\nonlyuser=TRUE\n", true, ""),
    ("authorities' certificates", "issuingDistributionPoint=critical,@p\n[p]\nonlyCA=TRUE\n", false, "VF-137"),
    ("attribute certificates", "issuingDistributionPoint=critical,@p\n[p]\nonlyAA=TRUE\n", false, "VF-137"),
    ("other authorities' too", "issuingDistributionPoint=critical,@p\n[p]\nindirectCRL=TRUE\n", false, "SH-"),
    ("some reasons", "issuingDistributionPoint=critical,@p\n[p]\nonlysomereasons=keyCompromise\n", false, "SH-"),
    ("changes to another list", "2.5.29.27=critical,DER:020101\n", false, "SH-"),
    ("changes to another list, not critical", "2.5.29.27=DER:020101\n", false, "SH-"),
    ("what nobody knows", "1.2.3.4=critical,ASN1:NULL\n", false, "1.2.3.4"),
];

fn question(pki: &Pki, signer: &str, middle: Vec<u8>) -> Question {
    let crls = Some([middle, pki.crl("r", "root", &[], false)].concat());
    Question { signer: pki.read(signer), between: pki.read("middle"), anchors: pki.read("root"), crls, at: None }
}

#[track_caller]
fn is(question: &Question, name: &str, trusted: bool, words: &str) {
    let (ours, told) = question.ours();
    assert!(ours == trusted && told.contains(words), "{name}: {told}");
}

#[test]
fn a_list_that_is_not_about_a_certificate_says_nothing_of_it() {
    if !have("what lists are about", &["openssl"]) {
        return;
    }
    let pki = Pki::new("p256");
    for (name, extensions, trusted, words) in SCOPES {
        let list = pki.crl_with("m", "middle", &["22"], &DAYS, extensions);
        is(&question(&pki, "signer", list), name, trusted, words);
        let list = pki.crl_with("m", "middle", &["21"], &DAYS, extensions);
        is(&question(&pki, "signer", list), name, false, if trusted { "VF-136" } else { words });
    }
    let list = pki.crl_of("m", "middle", &["21"], &FUTURE);
    is(&question(&pki, "signer", list), "a list of the future", false, "VF-137");
    // A list that is found under a name is about the certificates that name it.
    let found = |url: &str| format!("issuingDistributionPoint=critical,@p\n[p]\nfullname=URI:http://{url}\n");
    let signer = "keyUsage=critical,digitalSignature\ncrlDistributionPoints=URI:http://a.invalid/\n";
    pki.issue("named", "middle", "31", signer);
    for (url, signer, trusted) in
        [("a.invalid/", "named", true), ("b.invalid/", "named", false), ("a.invalid/", "signer", false)]
    {
        let list = pki.crl_with("m", "middle", &[], &DAYS, &found(url));
        is(&question(&pki, signer, list), url, trusted, if trusted { "" } else { "VF-137" });
    }
}

#[test]
fn an_authority_that_may_not_sign_lists_revokes_nothing_and_neither_does_another_key_of_its_name() {
    if !have("who signs lists", &["openssl"]) {
        return;
    }
    let pki = Pki::new("p256");
    pki.issue("no-lists", "root", "16", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n");
    pki.issue("by-no-lists", "no-lists", "32", "keyUsage=critical,digitalSignature\n");
    let list = pki.crl_of("n", "no-lists", &[], &DAYS);
    let asked = Question { between: pki.read("no-lists"), ..question(&pki, "by-no-lists", list) };
    is(&asked, "no right to lists", false, "does not allow CRLs");
    assert!(!asked.theirs(&pki).0);
    let authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
    pki.issue_to("middle-2", "middle", "root", "17", authority);
    let asked = question(&pki, "signer", pki.crl_of("m2", "middle-2", &["21"], &DAYS));
    is(&asked, "another key", false, "another key of the issuer");
    assert!(!asked.theirs(&pki).0);
}

/// RFC 5280 §4.2.1.9: an authority's new key under its old one is no further authority.
#[test]
fn an_authority_that_changes_its_key_stays_within_its_path_length() {
    if !have("path lengths against openssl verify", &["openssl"]) {
        return;
    }
    let pki = Pki::new("p256");
    let authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
    pki.issue_to("short-2", "short", "short", "18", authority);
    pki.issue("under-short-2", "short-2", "33", "keyUsage=critical,digitalSignature\n");
    let between = [pki.read("short-2"), pki.read("short")].concat();
    let asked =
        Question { signer: pki.read("under-short-2"), between, anchors: pki.read("root"), ..Question::default() };
    is(&asked, "a new key", true, "");
    assert!(asked.theirs(&pki).0, "{}", asked.theirs(&pki).1);
}
