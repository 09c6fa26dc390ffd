//! Chains and revocation lists of P-256, RSA and SM2, made by OpenSSL: `openssl verify` and we give the same verdict.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shared_shield::{Certificate, Crl, FindingKind, Profile, Report, Severity, Sm2Id, Store, Trust, VerifyContext};

use crate::ceb_kit::{have, run, say};
use crate::pki::{Pki, USES};

const DAY: u64 = 24 * 3600;
/// Octets that are changed in each certificate and each list.
const CHANGES: usize = 40;

/// A question to both verifiers, all of it in PEM.
#[derive(Clone, Default)]
pub(crate) struct Question {
    pub(crate) signer: Vec<u8>,
    pub(crate) between: Vec<u8>,
    pub(crate) anchors: Vec<u8>,
    pub(crate) crls: Option<Vec<u8>>,
    pub(crate) at: Option<SystemTime>,
}

impl Question {
    /// OpenSSL's word. It takes the identifier of SM2 for the certificate that it is asked about and not for those above it, so of an SM2 chain it is
    /// asked about each step.
    pub(crate) fn theirs(&self, pki: &Pki) -> (bool, String) {
        if pki.kind != "sm2" {
            return self.asked(pki, &self.signer, &self.anchors, &self.between, &[]);
        }
        let between: Vec<Vec<u8>> = split(&self.between);
        for (index, certificate) in std::iter::once(&self.signer).chain(&between).enumerate() {
            let others = between.iter().enumerate().filter(|(i, _)| *i + 1 != index).flat_map(|(_, c)| c.clone());
            let trusted: Vec<u8> = self.anchors.iter().copied().chain(others).collect();
            let more = ["-partial_chain", "-vfyopt", "distid:1234567812345678"];
            let (right, said) = self.asked(pki, certificate, &trusted, &[], &more);
            if !right {
                return (false, said);
            }
        }
        (true, String::new())
    }

    /// The same with all that is given the other way round.
    fn turned(&self) -> Question {
        let turned = |pem: &[u8]| {
            let mut parts = split(pem);
            parts.reverse();
            parts.concat()
        };
        let (between, anchors) = (turned(&self.between), turned(&self.anchors));
        Question { between, anchors, crls: self.crls.as_deref().map(turned), ..self.clone() }
    }

    fn asked(&self, pki: &Pki, signer: &[u8], anchors: &[u8], between: &[u8], more: &[&str]) -> (bool, String) {
        let put = |name: &str, octets: &[u8]| pki.folder.write(name, octets).to_str().unwrap().to_owned();
        let (signer, anchors) = (put("q-signer", signer), put("q-anchors", anchors));
        let untrusted = put("q-between", between);
        let mut arguments = vec!["verify", "-CAfile", &anchors, "-no-CApath", "-no-CAstore"];
        arguments.extend(more);
        if !between.is_empty() {
            arguments.extend(["-untrusted", &untrusted]);
        }
        let crls = put("q-crls", self.crls.as_deref().unwrap_or_default());
        if self.crls.is_some() {
            arguments.extend(["-CRLfile", &crls, "-crl_check_all"]);
        }
        let at = self.at.map(|at| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().to_string());
        if let Some(at) = &at {
            arguments.extend(["-attime", at]);
        }
        arguments.push(&signer);
        let output = run("openssl", &arguments);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn context(&self) -> shared_shield::Result<VerifyContext> {
        let all = |pem: &[u8]| -> shared_shield::Result<Vec<Arc<Certificate>>> {
            if pem.is_empty() {
                return Ok(Vec::new());
            }
            Ok(Certificate::all_from(pem)?.into_iter().map(Arc::new).collect())
        };
        let mut store = Store::new(all(&self.anchors)?).between(all(&self.between)?);
        if let Some(crls) = &self.crls {
            let crls = if crls.is_empty() { Vec::new() } else { Crl::all_from(crls)? };
            store = store.crls(crls.into_iter().map(Arc::new).collect()).with_revocation();
        }
        Ok(VerifyContext {
            trust: Trust::Store(Arc::new(store)),
            role: None,
            profile: Arc::new(Profile::builtin()),
            at: self.at.unwrap_or_else(SystemTime::now),
            certificate: None,
            sm2_id: Sm2Id::default(),
        })
    }

    pub(crate) fn ours(&self) -> (bool, String) {
        self.asks(|context| {
            let mut report = Report::new("raw");
            report.judge_certificate(&Arc::new(Certificate::from_pem(&self.signer)?), context);
            Ok(report)
        })
    }

    pub(crate) fn asks(&self, verify: impl FnOnce(&VerifyContext) -> shared_shield::Result<Report>) -> (bool, String) {
        let report = match self.context().and_then(|context| verify(&context)) {
            Ok(report) => report,
            Err(error) => return (false, error.to_string()),
        };
        let told: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        (report.findings.iter().all(|f| f.severity() < Severity::Wrong), told.join("; "))
    }
}

/// The certificates, or the lists, of a PEM text.
fn split(pem: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8(pem.to_vec()).unwrap();
    let begin = "-----BEGIN";
    text.split(begin).skip(1).map(|rest| format!("{begin}{rest}").into_bytes()).collect()
}

pub(crate) fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    use base64ct::{Base64, Encoding};
    let text = Base64::encode_string(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|c| std::str::from_utf8(c).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
}

pub(crate) fn der(pem: &[u8]) -> Vec<u8> {
    use base64ct::{Base64, Encoding};
    let text = String::from_utf8(pem.to_vec()).unwrap();
    let body: String = text.lines().filter(|l| !l.starts_with("-----")).collect();
    Base64::decode_vec(&body).unwrap()
}

/// Two lists of one authority that are current at the same time, the older one first.
fn two_lists(pki: &Pki) -> Vec<(&'static str, Question, bool, &'static str)> {
    let question = |older: &[&str], newer: &[&str]| {
        let long = ["-crl_lastupdate", "20260101000000Z", "-crl_nextupdate", "20991231000000Z"];
        let older = pki.crl_of("o", "middle", older, &long);
        let crls = [older, pki.crl("m", "middle", newer, false), pki.crl("r", "root", &[], false)].concat();
        Question {
            signer: pki.read("signer"),
            between: pki.read("middle"),
            anchors: pki.read("root"),
            crls: Some(crls),
            at: None,
        }
    };
    vec![
        ("an older list without it before a newer one with it", question(&[], &["21"]), false, "VF-136"),
        ("an older list with it before a newer one without", question(&["21"], &[]), true, ""),
    ]
}

/// What has to be said where a chain is refused.
fn questions(pki: &Pki) -> Vec<(&'static str, Question, bool, &'static str)> {
    let now = SystemTime::now();
    let later = |days| Some(now + Duration::from_secs(days * DAY));
    let base = Question {
        signer: pki.read("signer"),
        between: pki.read("middle"),
        anchors: pki.read("root"),
        ..Question::default()
    };
    let lists = |middle: &[&str], root: &[&str], stale| {
        Some([pki.crl("m", "middle", middle, stale), pki.crl("r", "root", root, stale)].concat())
    };
    let of = |signer: &str, between: &[&str]| Question {
        signer: pki.read(signer),
        between: between.iter().flat_map(|name| pki.read(name)).collect(),
        ..base.clone()
    };
    vec![
        ("a whole chain", base.clone(), true, ""),
        ("the authority between is missing", Question { between: Vec::new(), ..base.clone() }, false, "VF-133"),
        ("another root", Question { anchors: pki.read("stranger"), ..base.clone() }, false, "VF-133"),
        (
            "two roots, one of them right",
            Question { anchors: [pki.read("stranger"), pki.read("root")].concat(), ..base.clone() },
            true,
            "",
        ),
        ("after its end", Question { at: later(3700), ..base.clone() }, false, "VF-130"),
        (
            "before its beginning",
            Question { at: Some(now - Duration::from_secs(10 * DAY)), ..base.clone() },
            false,
            "VF-131",
        ),
        ("an authority that is none", of("by-no-ca", &["no-ca"]), false, "not one of an authority"),
        ("an authority that may not sign", of("by-no-sign", &["no-sign"]), false, "does not allow certificates"),
        ("one authority below a path length of 0", of("under-short", &["short"]), true, ""),
        ("two authorities below a path length of 0", of("deep", &["below", "short"]), false, "no further authority"),
        ("a critical extension that nobody knows", of("strange", &["middle"]), false, "1.2.3.4"),
        ("current lists without it", Question { crls: lists(&["22"], &["12"], false), ..base.clone() }, true, ""),
        ("a list with it", Question { crls: lists(&["22", "21"], &[], false), ..base.clone() }, false, "VF-136"),
        (
            "a list with the authority above it",
            Question { crls: lists(&[], &["11"], false), ..base.clone() },
            false,
            "VF-136",
        ),
        ("lists that are out of date", Question { crls: lists(&[], &[], true), ..base.clone() }, false, "VF-137"),
        (
            "a list of another authority alone",
            Question { crls: Some(pki.crl("x", "stranger", &[], false)), ..base.clone() },
            false,
            "VF-137",
        ),
        ("no list where one is asked for", Question { crls: Some(Vec::new()), ..base.clone() }, false, "VF-137"),
    ]
}

#[test]
fn openssl_verify_and_we_agree_on_chains_and_revocation_lists() {
    if !have("chains against openssl verify", &["openssl"]) {
        return;
    }
    for kind in ["p256", "rsa", "sm2"] {
        let pki = Pki::new(kind);
        let mut count = [0, 0];
        for (name, question, expected, words) in questions(&pki).into_iter().chain(two_lists(&pki)) {
            let (ours, told) = question.ours();
            assert_eq!(ours, expected, "{kind}, {name}: {told}");
            assert!(told.contains(words), "{kind}, {name}: {told}");
            assert_eq!(question.turned().ours().1, told, "{kind}, {name}: the order of what is given matters");
            // OpenSSL 3 verifies SM2 lists with an empty identifier, which is not that of GM/T 0009, and step by step it sees no path length.
            let unable = kind == "sm2" && (question.crls.is_some() || name.contains("two authorities"));
            if !unable {
                let (theirs, said) = question.theirs(&pki);
                assert_eq!(theirs, expected, "openssl, {kind}, {name}: {said}");
                count[usize::from(expected)] += 1;
            }
        }
        say(&format!("{kind}: openssl verify accepts {} chains with us and refuses {}", count[1], count[0]));
    }
}

/// A signature that is right counts for nothing where the key is too short or too long, and that is said; of one that is not right it is not.
#[test]
fn an_issuer_whose_key_is_too_short_or_too_long_is_told_from_one_that_did_not_sign() {
    if !have("issuers of short keys", &["openssl"]) {
        return;
    }
    let pki = Pki::new("rsa");
    let authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
    let (short, long) = ("key is too short", "key is longer than is supported");
    let cases =
        [("512", "-sha1", short), ("512", "-sha256", short), ("1024", "-sha256", short), ("5120", "-sha256", long)];
    for (bits, digest, words) in cases {
        let [short, other, signer] = ["short", "other", "signer"].map(|name| format!("{name}{bits}{digest}"));
        for name in [&short, &other] {
            pki.issue_of_length(name, "root", "51", authority, (bits, "-sha256"));
        }
        pki.issue_of_length(&signer, &short, "52", "keyUsage=critical,digitalSignature\n", ("2048", digest));
        let asked = |between: &[&str]| {
            let between = between.iter().flat_map(|name| pki.read(name)).collect();
            Question { signer: pki.read(&signer), between, anchors: pki.read("root"), ..Question::default() }.ours()
        };
        for between in [&[short.as_str()][..], &[&short, &other], &[&other, &short]] {
            let (trusted, told) = asked(between);
            assert!(!trusted && told.contains(words) && told.contains("its issuer 51"), "{told}");
        }
        let (trusted, told) = asked(&[&other]);
        assert!(!trusted && told.contains("its signature is not the issuer's"), "{told}");
        let (_, told) = Question { signer: pki.read(&short), anchors: pki.read("root"), ..Question::default() }.ours();
        assert_eq!(told.contains("VF-150"), bits != "5120", "{told}");
        assert_eq!(told.contains("too short for any signature"), bits == "512", "{told}");
    }
}

/// OpenSSL looks at a signer's uses where it is told for what the certificate is.
#[test]
fn openssl_verify_and_we_agree_on_who_signs_no_documents_by_a_critical_use() {
    if !have("extended key usage against openssl verify", &["openssl"]) {
        return;
    }
    for kind in ["p256", "rsa"] {
        let pki = Pki::new(kind);
        let (anchors, between) = (pki.read("root"), pki.read("middle"));
        for (name, uses, expected) in USES.into_iter().chain([("signer", "none", true)]) {
            let signer = pki.read(name);
            let (theirs, said) =
                Question::default().asked(&pki, &signer, &anchors, &between, &["-purpose", "smimesign"]);
            assert_eq!(theirs, expected, "openssl, {kind}, {uses}: {said}");
            let question =
                Question { signer, between: between.clone(), anchors: anchors.clone(), ..Question::default() };
            let (ours, told) = question.ours();
            assert_eq!(ours, expected, "{kind}, {uses}: {told}");
            assert_eq!(told.contains("VF-132"), !expected, "{kind}, {uses}: {told}");
        }
    }
}

#[test]
fn one_octet_changed_in_a_chain_or_a_list_and_both_refuse() {
    if !have("changed chains against openssl verify", &["openssl"]) {
        return;
    }
    for kind in ["p256", "rsa", "sm2"] {
        let pki = Pki::new(kind);
        let lists = [pki.crl("m", "middle", &["22"], false), pki.crl("r", "root", &["12"], false)];
        let crls = (kind != "sm2").then(|| lists.concat());
        let base = Question {
            signer: pki.read("signer"),
            between: pki.read("middle"),
            anchors: pki.read("root"),
            crls,
            at: None,
        };
        assert!(base.ours().0 && base.theirs(&pki).0, "{kind}: {} {}", base.ours().1, base.theirs(&pki).1);
        let own = Question { crls: Some(lists.concat()), ..base.clone() };
        assert!(own.ours().0, "{kind}: {}", own.ours().1);
        let (mut by_us, mut by_both) = (0, 0);
        for part in ["signer", "between", "list"] {
            let whole = match part {
                "signer" => der(&base.signer),
                "between" => der(&base.between),
                _ => der(&lists[0]),
            };
            for change in 0..CHANGES {
                let at = change * whole.len() / CHANGES;
                let mut changed = whole.clone();
                changed[at] ^= 1;
                let mut question = if part == "list" { own.clone() } else { base.clone() };
                match part {
                    "signer" => question.signer = pem("CERTIFICATE", &changed),
                    "between" => question.between = pem("CERTIFICATE", &changed),
                    _ => question.crls = Some([pem("X509 CRL", &changed), lists[1].clone()].concat()),
                }
                let (ours, told) = question.ours();
                assert!(!ours, "{kind}, {part}, octet {at}: {told}");
                if kind != "sm2" || part != "list" {
                    assert!(!question.theirs(&pki).0, "openssl accepts: {kind}, {part}, octet {at}");
                    by_both += 1;
                }
                by_us += 1;
            }
        }
        say(&format!("{kind}: {by_us} changed octets, refused by us, and {by_both} of them by openssl too"));
    }
}

/// What OpenSSL does not verify as GM/T 0009 has it, it verifies as octets: the signature of an SM2 list.
#[test]
fn openssl_dgst_takes_the_signature_of_an_sm2_list() {
    if !have("an SM2 list against openssl dgst", &["openssl"]) {
        return;
    }
    let pki = Pki::new("sm2");
    let list = der(&pki.crl("m", "middle", &["22"], false));
    // SEQUENCE { TBSCertList, AlgorithmIdentifier, BIT STRING }, the first two headers long and short.
    let header = |octets: &[u8]| {
        if octets[1] < 0x80 {
            (2, usize::from(octets[1]))
        } else {
            let size = usize::from(octets[1] & 0x7F);
            (2 + size, octets[2..2 + size].iter().fold(0, |n, o| n * 256 + usize::from(*o)))
        }
    };
    let inner = &list[header(&list).0..];
    let (at, length) = header(inner);
    let signed = &inner[..at + length];
    let rest = &inner[at + length..];
    let (at, length) = header(rest);
    let bits = &rest[at + length..];
    let signature = &bits[header(bits).0 + 1..];
    let put = |name: &str, octets: &[u8]| pki.folder.write(name, octets).to_str().unwrap().to_owned();
    let verify = |message: &[u8]| {
        let (message, signature) = (put("signed", message), put("value", signature));
        let public = pki.path("middle.pub");
        let arguments = [
            "dgst",
            "-sm3",
            "-verify",
            &public,
            "-signature",
            &signature,
            "-sigopt",
            "distid:1234567812345678",
            &message,
        ];
        run("openssl", &arguments).status.success()
    };
    assert!(verify(signed));
    let mut changed = signed.to_vec();
    changed[20] ^= 1;
    assert!(!verify(&changed));
    let middle = Certificate::from_pem(&pki.read("middle")).unwrap();
    let crl = Crl::from_der(&list).unwrap();
    assert_eq!((crl.check_issued_by(&middle), crl.count()), (Ok(()), 1));
    let other = Certificate::from_pem(&pki.read("other")).unwrap();
    assert!(crl.revoked(&other).is_some_and(|r| r.said().0 == "key compromise"));
    assert!(crl.revoked(&middle).is_none());
    assert!(FindingKind::ALL.contains(&FindingKind::CertificateRevoked));
}
