//! Who is revoked is not freed by what is brought along: whichever certificates stand above, what the key of the issuer signed counts.

use shared_shield::format::Format;
use shared_shield::{CmsOptions, Content};

use crate::ceb_kit::{have, run_well};
use crate::chains::Question;
use crate::lists::{DAYS, LONG, question, told};
use crate::pki::Pki;

/// A message of `signer` that brings these certificates along.
fn message(pki: &Pki, signer: &str, brought: &[&str]) -> Vec<u8> {
    let document = pki.folder.write("document.txt", b"a document\n").to_str().unwrap().to_owned();
    let certificates: Vec<u8> = brought.iter().flat_map(|name| pki.read(name)).collect();
    let certificates = pki.folder.write("brought.pem", &certificates).to_str().unwrap().to_owned();
    let [pem, key, out] = ["pem", "key", "p7m"].map(|suffix| pki.path(&format!("{signer}.{suffix}")));
    let mut arguments = vec!["cms", "-sign", "-binary", "-nodetach", "-cades", "-outform", "DER", "-in", &document];
    arguments.extend(["-signer", &pem, "-inkey", &key, "-out", &out]);
    if !brought.is_empty() {
        arguments.extend(["-certfile", &certificates]);
    }
    run_well("openssl", &arguments);
    std::fs::read(out).unwrap()
}

fn of_message(question: &Question, message: Vec<u8>) -> (bool, String) {
    question.asks(|context| CmsOptions::attached().format().verify(&Content::bytes(message), None, context))
}

/// Other certificates of its issuer's key, whoever brings them, do not take a revocation back: not one with another key identifier, under which the list
/// that revokes would be another key's and an older one the last; not one by itself; not one of a key that may sign no lists.
#[test]
fn a_signer_that_is_revoked_is_not_freed_by_another_certificate_of_its_issuer() {
    if !have("other certificates of the issuer of a revoked signer", &["openssl"]) {
        return;
    }
    let pki = Pki::new("p256");
    let authority = "basicConstraints=critical,CA:TRUE\nauthorityKeyIdentifier=keyid\nkeyUsage=critical,keyCertSign";
    let with = |rights: &str, id: &str| format!("{authority}{rights}\nsubjectKeyIdentifier={id}\n");
    pki.certify_otherwise("with-other-id", "middle", "root", "1a", &with(",cRLSign", "0102030405060708090a"));
    pki.certify_otherwise("without-id", "middle", "root", "1b", &with(",cRLSign", "none"));
    pki.certify_otherwise("without-lists", "middle", "root", "1c", &with("", "0b0c"));
    // Another certificate of the anchor's key, by itself: a step more in the chain.
    pki.certify_otherwise("root-again", "root", "root", "1d", &with(",cRLSign", "0d0e"));
    pki.issue_without_ids("free", "middle", "2a");
    pki.issue_without_ids("gone", "middle", "2b");
    let root = pki.crl("r", "root", &[], false);
    // The newest list names its key as `middle` does; older ones, current all the same, name it so, otherwise or not at all.
    let new = pki.crl_of("new", "middle", &["2b"], &DAYS);
    let no_id = "authorityKeyIdentifier=none\n";
    let olds = [
        pki.crl_of("old", "middle", &[], &LONG),
        pki.crl_of("old", "with-other-id", &[], &LONG),
        pki.crl_with("old", "middle", &[], &LONG, no_id),
    ];
    let asked = |signer: &str, between: &[&str]| Question {
        between: between.iter().flat_map(|name| pki.read(name)).collect(),
        ..question(&pki, signer, Vec::new())
    };
    let others = ["with-other-id", "without-id", "without-lists", "root-again"];
    let mut sets: Vec<Vec<&str>> = vec![vec!["middle"], others[..3].to_vec(), [&["middle"][..], &others].concat()];
    for other in others {
        sets.extend([vec![other, "middle"], vec!["middle", other]]);
        sets.push(vec![other]);
    }
    let gone = message(&pki, "gone", &[]);
    for old in &olds {
        let lists = [&new[..], old, &root];
        for set in &sets {
            let told = told(&asked("gone", set), &lists);
            let alone = set[..] == ["without-lists"] || set[..] == ["root-again"];
            assert!(told.contains("VF-136") || (alone && told.contains("VF-1")), "{set:?}: {told}");
            // The same, all of it or all but the right one brought along.
            for (between, brought) in [(&[][..], &set[..]), (&["middle"], set)] {
                let asked = Question { crls: Some(lists.concat()), ..asked("gone", between) };
                let (trusted, told) = of_message(&asked, message(&pki, "gone", brought));
                assert!(!trusted && !told.contains("VF-101"), "{between:?} and {brought:?}: {told}");
                assert!(
                    told.contains("VF-136") || (alone && between.is_empty()),
                    "{between:?} and {brought:?}: {told}"
                );
            }
        }
        let free = Question { crls: Some(lists.concat()), ..asked("free", &["middle", "with-other-id"]) };
        assert_eq!(free.ours(), (true, String::new()), "its neighbour stays trusted");
        let (trusted, told) =
            of_message(&Question { crls: Some(root.clone()), ..asked("gone", &["middle"]) }, gone.clone());
        assert!(!trusted && told.contains("VF-137"), "{told}");
    }
}

/// The same of an authority that is revoked: what is above it cannot be exchanged to free it.
#[test]
fn an_authority_that_is_revoked_is_not_freed_by_another_certificate_of_the_root() {
    if !have("other certificates of the issuer of a revoked authority", &["openssl"]) {
        return;
    }
    let pki = Pki::new("p256");
    let other = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=0d0e\n";
    pki.certify_otherwise("root-again", "root", "root", "1d", other);
    pki.certify_otherwise(
        "gone",
        "middle",
        "root",
        "1e",
        "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n",
    );
    pki.issue_without_ids("leaf", "middle", "2a");
    let lists = [
        pki.crl_of("new", "root", &["1e"], &DAYS),
        pki.crl_with("old", "root", &[], &LONG, "authorityKeyIdentifier=none\n"),
        pki.crl("m", "middle", &[], false),
    ];
    let lists: Vec<&[u8]> = lists.iter().map(Vec::as_slice).collect();
    for between in [&["gone"][..], &["gone", "root-again"], &["root-again", "gone"]] {
        let between = between.iter().flat_map(|name| pki.read(name)).collect();
        let asked = Question { between, ..question(&pki, "leaf", Vec::new()) };
        let both = Question { anchors: [pki.read("root-again"), pki.read("root")].concat(), ..asked.clone() };
        for asked in [asked, both] {
            let told = told(&asked, &lists);
            assert!(told.contains("VF-136") && told.contains("(certificate 1e)"), "{told}");
        }
    }
}
