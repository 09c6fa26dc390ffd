//! Documents of anybody: customs messages, CMS, payment data of announcement 179, certificates and revocation lists.
//!
//! What never may happen: a panic, memory without a bound, and a verdict that is better than what was signed. The keys of the vectors sign nothing here,
//! so whatever is found valid must say what the vectors say.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use shared_shield::format::cms::{self, CMS};
use shared_shield::format::payment179::{self, VALUE_OUT};
use shared_shield::format::{Format, SignContext, ceb::CEB, xmldsig};
use shared_shield::{
    CardKind, Certificate, Content, Crl, Language, Profile, RawSignature, Report, Role, Sm2Id, Suite, Trust, Verdict,
    VerifyContext,
};

use crate::{counts, memory};

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/", $name)).as_slice()
    };
}

/// Memory that one document may take beside what it has itself: trees and canonical forms of a small document, and no more.
const MEMORY: usize = 64 * 1024 * 1024;

/// Runs a target's body, counts it, and holds it against the bound on memory.
fn counted(input: &[u8], body: impl FnOnce() -> bool) {
    let before = memory::restart();
    let reached = body();
    let used = memory::most().saturating_sub(before);
    assert!(used < MEMORY, "{used} octets of memory");
    counts::add(input, &[reached]);
}

/// 2027-01-01: inside the validity of the vectors' certificates.
fn day() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_798_761_600)
}

fn certificate(pem: &[u8]) -> Arc<Certificate> {
    Arc::new(Certificate::from_pem(pem).expect("a vector"))
}

fn signers() -> &'static [Arc<Certificate>; 2] {
    static SIGNERS: OnceLock<[Arc<Certificate>; 2]> = OnceLock::new();
    SIGNERS.get_or_init(|| [vector!("synthetic_rsa_cert.pem"), vector!("synthetic_sm2_cert.pem")].map(certificate))
}

/// Trusts the vectors' certificates and no others.
fn context(given: Option<&Arc<Certificate>>) -> VerifyContext {
    VerifyContext {
        trust: Trust::Pinned(signers().iter().map(|c| c.fingerprint()).collect()),
        role: None,
        profile: Arc::new(Profile::builtin()),
        at: day(),
        certificate: given.cloned(),
        sm2_id: Sm2Id::default(),
    }
}

/// Everything that can be said of a report is said, and nothing of it is for a terminal to obey.
fn tell(report: &Report) {
    for finding in &report.findings {
        for language in [Language::English, Language::Chinese] {
            assert!(!finding.line(language).contains('\u{1b}'), "{finding}");
        }
    }
    let json = report.json();
    assert!(!json.chars().any(char::is_control) && json.starts_with('{') && json.ends_with('}'), "{json}");
}

/// A customs message that anybody may have made is verified and explained. Its end: the signature value was read and tried.
///
/// # Panics
/// When a message is valid that the vectors' keys did not sign.
pub fn ceb_verify(input: &[u8]) {
    counted(input, || {
        let Ok(report) = CEB.verify(&Content::bytes(input), None, &context(None)) else { return false };
        tell(&report);
        if report.verdict() == Verdict::Valid {
            let signed = vector!("synthetic_CEB311_digestinput.c14n");
            assert_eq!(xmldsig::digest_input(input).expect("it was read"), signed, "valid, and another document");
        }
        report.findings.iter().any(|f| matches!(f.kind.code(), "VF-001" | "VF-101"))
    });
}

fn signing() -> SignContext {
    SignContext {
        role: Role::Customs,
        test: false,
        sha1: true,
        identifiers: None,
        card: CardKind::Unknown,
        suites: Suite::ALL.to_vec(),
        now: day(),
        sm2_id: Sm2Id::default(),
    }
}

/// A customs message is prepared for signing, and finished. Its end: a whole document came out.
///
/// # Panics
/// When an octet outside of the Signature element was changed, a verifier hashes another document than was prepared, or a look at it finds something else.
pub fn ceb_prepare(input: &[u8]) {
    counted(input, || {
        let by = &signers()[usize::from(input.first().is_some_and(|o| o % 2 == 1))];
        let content = Content::bytes(input);
        let (prepared, looked) = (CEB.prepare(&content, by, &signing()), CEB.check(&content, by, &signing()));
        assert_eq!(
            prepared.as_ref().err().map(|e| e.kind()),
            looked.err().map(|e| e.kind()),
            "looked at, and prepared"
        );
        let Ok(prepared) = prepared else { return false };
        let suite = prepared.tbs.suite;
        let length = if suite == Suite::Sm2Sm3 { 64 } else { 256 };
        let signature = RawSignature::new(suite, vec![7; length]).expect("the suite's length");
        let mut out = Vec::new();
        prepared.finish(&signature, &mut out).expect("a vector takes it");
        let start = out.iter().zip(input).take_while(|(a, b)| a == b).count();
        let inserted = out.len() - input.len();
        let fits = |at: &usize| {
            out[*at..].starts_with(b"<ds:Signature ")
                && out[..*at] == input[..*at]
                && out[*at + inserted..] == input[*at..]
        };
        assert!((0..=start).rev().any(|at| fits(&at)), "an octet outside of the Signature was changed");
        let report = CEB.verify(&Content::bytes(out), None, &context(None)).expect("what we write, we read");
        assert!(report.findings.iter().any(|f| f.kind.code() == "VF-002"), "{:?}", report.findings);
        true
    });
}

/// A CMS message, attached, or detached with the order as its document. Its end: a signer was judged.
///
/// # Panics
/// When a message is valid and holds anything but the vectors' order.
pub fn cms_verify(input: &[u8]) {
    counted(input, || {
        let Some((first, message)) = input.split_first() else { return false };
        let order = vector!("synthetic_order.txt");
        let detached = first % 2 == 1;
        let report = match detached {
            true => CMS.verify(&Content::bytes(order), Some(message), &context(None)),
            // The vectors themselves are seeds, and have no first octet to spare.
            false => CMS.verify(&Content::bytes(if *first == 0x30 { input } else { message }), None, &context(None)),
        };
        let Ok(report) = report else { return false };
        tell(&report);
        if report.verdict() == Verdict::Valid {
            let mut content = Vec::new();
            let whole = if *first == 0x30 && !detached { input } else { message };
            let held = cms::content(&Content::bytes(whole), &mut content);
            assert!(detached || held.is_ok(), "it was read");
            assert!(held.is_err() || content == order, "valid, and another order");
        }
        report.findings.iter().any(|f| matches!(f.kind.code(), "VF-001" | "VF-101"))
    });
}

/// A certificate, or a revocation list. Its end: it could be read.
///
/// # Panics
/// When a text of it is not fit for a terminal, or `Debug` names its holder.
pub fn cert_fields(input: &[u8]) {
    counted(input, || {
        if let Ok(lists) = Crl::all_from(input) {
            let by = &signers()[0];
            for list in &lists {
                let _ =
                    (list.check_issued_by(by), list.check_time(day()), list.covers(by), list.revoked(by), list.count());
            }
            return true;
        }
        let Ok(certificates) = Certificate::all_from(input) else { return false };
        for certificate in &certificates {
            let fields = certificate.eport();
            let texts = fields.iter().flat_map(|f| [&f.entity_name, &f.card_number, &f.entity_code, &f.entity_mode]);
            for text in texts.flatten() {
                assert!(!text.text.is_empty() && !text.text.chars().any(char::is_control), "{text:?}");
            }
            for shown in [certificate.issuer().shown(), certificate.label(), certificate.number()] {
                assert!(!shown.chars().any(char::is_control), "{shown:?}");
            }
            let debug = format!("{certificate:?} {:?}", certificate.subject());
            let holder = certificate.subject().common_name().filter(|name| name.len() > 16);
            assert!(holder.is_none_or(|name| !debug.contains(name)), "{debug}");
            let _ = (
                certificate.key().map(|k| k.kind()),
                certificate.policies(),
                certificate.may_sign(),
                certificate.is_encryption(),
            );
            let _ =
                (certificate.check_issued_by(certificate), certificate.unknown_critical(), certificate.path_length());
            let mut report = Report::new("raw");
            report.judge_certificate(&Arc::new(certificate.clone()), &context(None));
            tell(&report);
        }
        true
    });
}

/// Payment data of announcement 179, in every form in which it comes. Its end: a signing string came out.
///
/// # Panics
/// When the string of a string is another one, or a signature beside it is right over other fields than the vector's.
pub fn payment_179(input: &[u8]) {
    counted(input, || {
        let by = &signers()[0];
        let value = vector!("synthetic_179_sig_rsa.b64");
        for signature in [None, Some(value)] {
            let Ok(report) = VALUE_OUT.verify(&Content::bytes(input), signature, &context(Some(by))) else { continue };
            tell(&report);
            if report.verdict() == Verdict::Valid && signature.is_some() {
                let string =
                    payment179::signing_string(input).map(String::into_bytes).unwrap_or_else(|_| input.to_vec());
                assert_eq!(string, vector!("synthetic_179_string.txt"), "valid, and other payment data");
            }
        }
        let Ok(string) = payment179::signing_string(input) else { return false };
        assert_eq!(payment179::signing_string(string.as_bytes()).expect("it was made here"), string);
        true
    });
}
