//! Documents made by `documents.py`, one for each finding: exactly that finding is named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use shared_shield::format::login::SIGNATURE_OUT as LOGIN;
use shared_shield::format::payment179::VALUE_OUT;
use shared_shield::format::{Format, ceb::CEB, cms::CMS, raw::RAW};
use shared_shield::{
    Certificate, Content, Finding, FindingKind, Language, Profile, Report, Role, Severity, Sm2Id, Trust, Verdict,
    VerifyContext, Words,
};

use crate::ceb_kit::{Folder, have, say};

/// Every finding that a document has to show.
const ASKED: [&str; 49] = [
    "VF-103", "VF-104", "VF-105", "VF-106", "VF-107", "VF-108", "VF-109", "VF-110", "VF-111", "VF-112", "VF-113",
    "VF-114", "VF-115", "VF-116", "VF-117", "VF-118", "VF-119", "VF-120", "VF-121", "VF-123", "VF-124", "VF-130",
    "VF-132", "VF-133", "VF-135", "VF-140", "VF-141", "VF-160", "VF-161", "VF-162", "VF-163", "VF-164", "VF-165",
    "VF-166", "VF-167", "VF-201", "VF-202", "VF-203", "VF-204", "VF-205", "VF-206", "VF-207", "VF-208", "VF-209",
    "VF-211", "VF-212", "VF-221", "VF-222", "VF-302",
];

struct Documents {
    folder: Folder,
    cases: Vec<Value>,
}

/// The documents, made once; `None` where the programs that make them are missing.
fn documents(story: &str) -> Option<&'static Documents> {
    static MADE: OnceLock<Documents> = OnceLock::new();
    if !have(story, &["openssl", "python3"]) {
        return None;
    }
    Some(MADE.get_or_init(|| {
        let folder = Folder::new();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/findings/documents.py");
        let made = Command::new("python3").arg(script).arg(&folder.0).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let cases = serde_json::from_slice(&std::fs::read(folder.0.join("cases.json")).unwrap()).unwrap();
        Documents { folder, cases }
    }))
}

impl Documents {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    fn certificate(&self, name: &str) -> Arc<Certificate> {
        Arc::new(Certificate::from_pem(&std::fs::read(self.path(&format!("{name}.pem"))).unwrap()).unwrap())
    }

    fn context(&self, case: &Value) -> VerifyContext {
        let text = |name: &str| case[name].as_str();
        let anchors = match case["anchors"].as_array() {
            Some(names) => names.iter().map(|n| n.as_str().unwrap()).collect(),
            None => vec!["ca", "bank"],
        };
        let id = |name: &str| -> String {
            let id = self.certificate(name).subject_key_id().unwrap();
            id.iter().map(|o| format!("{o:02x}")).collect()
        };
        let rule = |role: &str, name: &str| format!("[[{role}.issuer]]\nauthority_key_id = \"{}\"\n", id(name));
        let profile = format!("schema = 1\n{}{}", rule("customs", "ca"), rule("bank", "bank"));
        VerifyContext {
            trust: Trust::Anchors(anchors.into_iter().map(|name| self.certificate(name)).collect()),
            role: text("role").map(|role| if role == "bank" { Role::Bank } else { Role::Customs }),
            profile: Arc::new(Profile::parse(&profile).unwrap()),
            at: if text("at").is_some() { later() } else { SystemTime::now() },
            certificate: text("given").map(|name| self.certificate(name)),
            sm2_id: Sm2Id::default(),
        }
    }

    fn report(&self, case: &Value) -> Report {
        let content = Content::file(self.path(case["file"].as_str().unwrap()));
        let signature = case["signature"].as_str().map(|name| std::fs::read(self.path(name)).unwrap());
        let (signature, context) = (signature.as_deref(), self.context(case));
        let report = match case["format"].as_str().unwrap() {
            "ceb" => CEB.verify(&content, signature, &context),
            "179" => VALUE_OUT.verify(&content, signature, &context),
            "login" => LOGIN.verify(&content, signature, &context),
            "raw" => RAW.verify(&content, signature, &context),
            _ => CMS.verify(&content, signature, &context),
        };
        report.unwrap_or_else(|e| panic!("{}: {e}", case["name"]))
    }
}

/// 2099-01-01.
fn later() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(4_070_908_800)
}

/// What is wrong or odd, the symptoms aside.
fn causes(report: &Report) -> Vec<&Finding> {
    report.findings.iter().filter(|f| f.severity() > Severity::Info && !f.kind.is_symptom()).collect()
}

fn expected(case: &Value) -> BTreeSet<&str> {
    case["expected"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect()
}

#[test]
fn exactly_the_finding_that_a_document_was_made_for_is_named() {
    let Some(documents) = documents("documents for each finding") else { return };
    let mut wrong = Vec::new();
    for case in &documents.cases {
        let report = documents.report(case);
        let named: BTreeSet<&str> = causes(&report).iter().map(|f| f.kind.code()).collect();
        let symptom = report.findings.iter().any(|f| f.kind.is_symptom());
        let unexplained = case["unexplained"].as_bool().unwrap_or_default();
        let is_wrong = report.findings.iter().any(|f| f.severity() == Severity::Wrong);
        let right = named == expected(case)
            && causes(&report).len() == named.len()
            && report.has(FindingKind::NoKnownReason) == unexplained
            && (report.verdict() == Verdict::Valid) != is_wrong
            && (symptom || !unexplained);
        if !right {
            let lines: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
            wrong.push(format!(
                "{}: expected {:?}, named {named:?}\n  {}",
                case["name"],
                expected(case),
                lines.join("\n  ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), documents.cases.len(), wrong.join("\n"));
    let named: BTreeSet<&str> = documents.cases.iter().flat_map(expected).collect();
    let missing: Vec<&&str> = ASKED.iter().filter(|code| !named.contains(**code)).collect();
    assert!(missing.is_empty(), "no document shows {missing:?}");
    say(&format!("{} documents, {} findings", documents.cases.len(), named.len()));
}

/// What JSON has to say of a finding.
fn in_json(finding: &Finding) -> Value {
    let (kind, place) = (finding.kind, finding.place);
    let of = |words: &Option<Words>, language| words.as_ref().map(|w| w.of(language).to_owned());
    let (english, chinese) = (|w| of(w, Language::English), |w| of(w, Language::Chinese));
    json!({
        "code": kind.code(), "kind": kind.name(), "severity": kind.severity().name(),
        "text": kind.text(), "text_zh": kind.text_zh(), "advice": kind.advice(), "advice_zh": kind.advice_zh(),
        "detail": english(&finding.detail), "detail_zh": chinese(&finding.detail),
        "expected": english(&finding.expected), "expected_zh": chinese(&finding.expected),
        "found": english(&finding.found), "found_zh": chinese(&finding.found),
        "line": place.map(|p| p.line), "offset": place.map(|p| p.offset),
    })
}

/// Each finding says what was expected, what was found, where, and what to do, in both languages and in JSON.
#[test]
fn every_finding_says_what_where_and_what_to_do_in_both_languages() {
    let Some(documents) = documents("findings in both languages") else { return };
    let (mut said, mut lacking) = (BTreeSet::new(), Vec::new());
    for case in &documents.cases {
        let report = documents.report(case);
        let json: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&json["verdict"], &json["format"]), (&report.verdict().name().into(), &report.format.into()));
        assert_eq!(json["suite"].as_str(), report.suite.map(|s| s.name()));
        assert_eq!(json["findings"].as_array().unwrap().len(), report.findings.len());
        let signer = json["signer"].as_object();
        assert_eq!(signer.is_some(), report.signer.is_some());
        if let Some((signer, certificate)) = signer.zip(report.signer.as_ref()) {
            assert_eq!(signer["number"], certificate.number());
            assert_eq!(signer["fingerprint"], certificate.fingerprint().to_string());
            assert_eq!(signer["issuer"], certificate.issuer().shown());
            assert!(["not_before", "not_after"].iter().all(|name| signer[*name].as_str().unwrap().ends_with('Z')));
        }
        for (finding, told) in report.findings.iter().zip(json["findings"].as_array().unwrap()) {
            let (english, chinese) = (finding.line(Language::English), finding.line(Language::Chinese));
            assert_eq!(told, &in_json(finding), "{english}");
            for words in [&finding.detail, &finding.expected, &finding.found].into_iter().flatten() {
                let sentence = words
                    .of(Language::English)
                    .split(' ')
                    .filter(|w| w.len() > 1 && w.chars().all(char::is_alphabetic));
                if !words.is_translated() && sentence.count() > 3 {
                    lacking.push(format!("{}: not translated: {words}", finding.kind.code()));
                }
                let both =
                    english.contains(words.of(Language::English)) && chinese.contains(words.of(Language::Chinese));
                assert!(both, "{english}\n{chinese}");
            }
            assert!(chinese.contains(finding.kind.text_zh()), "{chinese}");
            if finding.severity() > Severity::Info {
                assert!(!finding.kind.advice().is_empty() && !finding.kind.advice_zh().is_empty());
            }
            let asked = expected(case).contains(finding.kind.code()) || finding.kind.is_symptom();
            if asked && said.insert(finding.kind.code()) {
                say(&format!(
                    "{english}\n  {chinese}\n  -> {}\n  -> {}",
                    finding.kind.advice(),
                    finding.kind.advice_zh()
                ));
            }
            // A certificate that the caller gave stands nowhere in the document.
            let beside = case["format"] != "ceb" && finding.kind == FindingKind::CertificateExpired;
            let whole = finding.expected.is_some() && finding.found.is_some() && (finding.place.is_some() || beside);
            if asked && !whole && !WITHOUT_PLACE.contains(&finding.kind) {
                lacking.push(format!("{}: {english}", case["name"]));
            }
        }
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

/// What is not there has no place, and a test profile's identifier is no fault.
const WITHOUT_PLACE: [FindingKind; 2] = [FindingKind::TestIdentifiers, FindingKind::TrailingOctets];

/// The finding's place is where the file goes on with `begins`.
#[track_caller]
fn stands(name: &str, finding: &Finding, file: &[u8], begins: &str) {
    let place = finding.place.unwrap_or_else(|| panic!("{name}: {finding}"));
    let (offset, line) = (place.offset, place.line);
    let behind = String::from_utf8_lossy(&file[offset..]);
    assert!(!begins.is_empty() && behind.starts_with(begins), "{name}: {finding}: {behind:?}");
    let lines =
        String::from_utf8_lossy(&file[..offset]).replace("\r\n", "\n").replace('\r', "\n").matches('\n').count();
    // A message in DER has no lines.
    let expected = if file[0] == 0x30 { 1 } else { lines + 1 };
    assert_eq!(line, expected, "{name}: {finding}");
}

/// A document, a finding of it, and how the file goes on at its place.
const PLACES: [(&str, &str, &str); 37] = [
    ("signed-info-pretty-rsa", "VF-105", "\n    <ds:Reference "),
    ("newline-after-rsa", "VF-103", "\n</ceb:CEB621Message>"),
    ("newline-before-rsa", "VF-103", "<ds:Signature "),
    ("newline-removed-sm2", "VF-104", "<ds:Signature "),
    ("tabs-to-spaces-rsa", "VF-160", "<ceb:Order>"),
    ("newline-after-and-tabs-to-spaces-rsa", "VF-103", "\n</ceb:CEB621Message>"),
    ("blank-line-sm2", "VF-160", "<ceb:OrderHead>"),
    ("blank-behind-rsa", "VF-160", " </ceb:CEB621Message>"),
    ("namespace-moved-rsa", "VF-162", "<ceb:CEB621Message "),
    ("prefix-renamed-sm2", "VF-165", "<dsig:SignedInfo>"),
    ("no-break-space-rsa", "VF-165", "<ds:DigestMethod "),
    ("digest-value-and-newline-sm2", "VF-165", "<ds:DigestValue>"),
    ("certificate-of-another-curve", "VF-122", "<ds:X509Certificate>"),
    ("namespace-lost-rsa", "VF-161", "<ceb:CEB621Message "),
    ("comments-named-rsa", "VF-163", "<ds:CanonicalizationMethod "),
    ("number-upper-case-rsa", "VF-212", "<ds:KeyName>"),
    ("another-declarant-sm2", "VF-141", "<ceb:agentCode>"),
    ("expired-at-signing-rsa", "VF-135", "<ceb:appTime>"),
    ("expired-rsa", "VF-130", "<ds:X509Certificate>"),
    ("digest-value-changed", "VF-165", "<ds:DigestValue>"),
    ("der-sm2", "VF-115", "<ds:SignatureValue>"),
    ("wrapped-part", "VF-112", "<ds:Reference "),
    ("179-number-in-quotes-rsa", "VF-203", "\"totalAmount\""),
    ("179-field-order-sm2", "VF-204", "\"payType\""),
    ("179-number-upper-case-sm2", "VF-212", "\"certNo\""),
    ("179-newline-added-rsa", "VF-201", "\n"),
    ("179-string-order-rsa", "VF-204", "payType\""),
    ("179-string-escaped-sm2", "VF-202", "{\\\"guid"),
    ("179-string-slashes-rsa", "VF-205", "\\/"),
    ("179-string-bom-sm2", "VF-207", "\u{feff}"),
    ("179-string-blank-behind-rsa", "VF-207", " "),
    ("179-base64-url-rsa", "VF-114", "\"signValue\""),
    ("raw-newline-added-p256", "VF-167", "\n"),
    ("raw-crlf-sm2", "VF-166", "\nto account"),
    ("raw-lf-rsa", "VF-166", "\r\nto account"),
    ("cms-newline-added", "VF-167", "\n"),
    ("cms-attached-crlf", "VF-166", "\r\nto account"),
];

/// Places are octets of the file that was given: what stands there begins with what the finding is about.
#[test]
fn places_are_those_of_the_file() {
    let Some(documents) = documents("places of findings") else { return };
    for (name, code, begins) in PLACES {
        let case = documents.cases.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("{name}"));
        let report = documents.report(case);
        let finding = report.findings.iter().find(|f| f.kind.code() == code).unwrap_or_else(|| panic!("{name}"));
        let file = std::fs::read(documents.path(case["file"].as_str().unwrap())).unwrap();
        stands(name, finding, &file, begins);
        if case["format"] != "ceb" {
            continue;
        }
        // Neither a byte order mark nor other line ends change what is signed; all of them move places.
        let text = String::from_utf8(file).unwrap();
        assert!(!text.is_ascii() && !text.contains('\r'), "{name}");
        for ends in ["\r\n", "\r"] {
            let moved = format!("\u{feff}{}", text.replace('\n', ends));
            let report = CEB.verify(&Content::bytes(moved.clone()), None, &documents.context(case)).unwrap();
            let finding = report.findings.iter().find(|f| f.kind.code() == code);
            stands(
                name,
                finding.unwrap_or_else(|| panic!("{name}, moved")),
                moved.as_bytes(),
                &begins.replace('\n', ends),
            );
        }
    }
}

/// "Without the PEM lines" is no help where the certificate can be read.
#[test]
fn a_certificate_whose_key_is_of_an_unsupported_kind_is_told_as_one_that_can_be_read() {
    let Some(documents) = documents("a certificate of another curve") else { return };
    let case = documents.cases.iter().find(|c| c["name"] == "certificate-of-another-curve").unwrap();
    let report = documents.report(case);
    let finding = report.findings.iter().find(|f| f.kind == FindingKind::CertificateUnreadable).unwrap();
    let line = finding.to_string();
    assert!(
        line.contains("1.3.132.0.34") && line.contains("expected a certificate with a key that rsa-sha1 takes"),
        "{line}"
    );
    assert!(
        line.contains("found a certificate that can be read, with a key of a kind that is not supported"),
        "{line}"
    );
    assert!(finding.line(Language::Chinese).contains("密钥类型不受支持") && report.signer.is_some(), "{line}");
}
