//! The findings of a verification.

use shield::Language::{self, Chinese, English};
use shield::{Severity, Verdict, Words};

use crate::border::export;
use crate::{Report, at, no_field, number};

/// `SHIELD_VERDICT_*`.
pub const SHIELD_REPORT_VERDICT: u32 = 1;
/// How many findings there are.
pub const SHIELD_REPORT_FINDINGS: u32 = 2;

/// The format's name.
pub const SHIELD_REPORT_FORMAT: u32 = 20;
/// The signature suite, such as `rsa-sha1`; empty where it was not recognised.
pub const SHIELD_REPORT_SUITE: u32 = 21;
/// SHA-256 fingerprint of the signer's certificate; empty where none was found.
pub const SHIELD_REPORT_SIGNER_FINGERPRINT: u32 = 22;
/// The number of the signer's certificate; empty where none was found.
pub const SHIELD_REPORT_SIGNER_NUMBER: u32 = 23;

/// All of the report as one line of JSON: format, verdict, suite, signer, and the findings with what was expected, found, where and what to do.
pub const SHIELD_REPORT_JSON: u32 = 24;

/// Something is wrong: see the findings.
pub const SHIELD_VERDICT_INVALID: i64 = 0;
/// Signature, digest, certificate, trust and role are right.
pub const SHIELD_VERDICT_VALID: i64 = 1;
/// The signature is right, but nobody said whom to trust: nothing is said of who signed.
pub const SHIELD_VERDICT_SIGNATURE_ONLY: i64 = 2;

/// `SHIELD_SEVERITY_*`.
pub const SHIELD_FINDING_SEVERITY: u32 = 1;
/// Line from 1; 0 where no place is known.
pub const SHIELD_FINDING_LINE: u32 = 2;
/// Octet from 0; -1 where no place is known.
pub const SHIELD_FINDING_OFFSET: u32 = 3;

/// The short code, such as `VF-101`.
pub const SHIELD_FINDING_CODE: u32 = 20;
/// What it means and what to do, in English.
pub const SHIELD_FINDING_TEXT: u32 = 21;
/// The same in Chinese.
pub const SHIELD_FINDING_TEXT_ZH: u32 = 22;
/// What exactly; may be empty.
pub const SHIELD_FINDING_DETAIL: u32 = 23;
/// What was expected; may be empty.
pub const SHIELD_FINDING_EXPECTED: u32 = 24;
/// What was found; may be empty.
pub const SHIELD_FINDING_FOUND: u32 = 25;
/// All of it in one English line.
pub const SHIELD_FINDING_LINE_OF_TEXT: u32 = 26;
/// What to do, in English; empty where there is nothing to do.
pub const SHIELD_FINDING_ADVICE: u32 = 27;
/// The same in Chinese.
pub const SHIELD_FINDING_ADVICE_ZH: u32 = 28;
/// All of it in one Chinese line.
pub const SHIELD_FINDING_LINE_OF_TEXT_ZH: u32 = 29;
/// The name of the kind, such as `NewlineAdded`.
pub const SHIELD_FINDING_KIND: u32 = 30;
/// `SHIELD_FINDING_DETAIL` in Chinese.
pub const SHIELD_FINDING_DETAIL_ZH: u32 = 31;
/// `SHIELD_FINDING_EXPECTED` in Chinese.
pub const SHIELD_FINDING_EXPECTED_ZH: u32 = 32;
/// `SHIELD_FINDING_FOUND` in Chinese.
pub const SHIELD_FINDING_FOUND_ZH: u32 = 33;

/// Good to know.
pub const SHIELD_SEVERITY_INFO: i64 = 1;
/// Accepted, but something is odd.
pub const SHIELD_SEVERITY_WARNING: i64 = 2;
/// The document must not be accepted.
pub const SHIELD_SEVERITY_WRONG: i64 = 3;

fn severity(of: Severity) -> i64 {
    match of {
        Severity::Info => SHIELD_SEVERITY_INFO,
        Severity::Warning => SHIELD_SEVERITY_WARNING,
        _ => SHIELD_SEVERITY_WRONG,
    }
}

fn said(words: &Option<Words>, language: Language) -> String {
    words.as_ref().map(|w| w.of(language).to_owned()).unwrap_or_default()
}

fn verdict(of: Verdict) -> i64 {
    match of {
        Verdict::Valid => SHIELD_VERDICT_VALID,
        Verdict::SignatureOnly => SHIELD_VERDICT_SIGNATURE_ONLY,
        _ => SHIELD_VERDICT_INVALID,
    }
}

export! {
    /// A number of a report: `SHIELD_REPORT_VERDICT`, `SHIELD_REPORT_FINDINGS`.
    fn shield_report_number(report: *const Report, field: u32) -> (value: *mut i64) {
        Ok((match field {
            SHIELD_REPORT_VERDICT => verdict(report.verdict()),
            SHIELD_REPORT_FINDINGS => number(report.findings.len()),
            _ => return no_field(field),
        },))
    }
}

export! {
    /// A text of a report: `SHIELD_REPORT_FORMAT` to `SHIELD_REPORT_JSON`.
    fn shield_report_text(report: *const Report, field: u32) -> text {
        let signer = report.signer.as_ref();
        Ok(match field {
            SHIELD_REPORT_FORMAT => report.format.to_owned(),
            SHIELD_REPORT_SUITE => report.suite.map(|s| s.to_string()).unwrap_or_default(),
            SHIELD_REPORT_SIGNER_FINGERPRINT => signer.map(|s| s.fingerprint().to_string()).unwrap_or_default(),
            SHIELD_REPORT_SIGNER_NUMBER => signer.map(|s| s.number()).unwrap_or_default(),
            #[cfg(feature = "json")]
            SHIELD_REPORT_JSON => report.json(),
            #[cfg(not(feature = "json"))]
            SHIELD_REPORT_JSON => return Err(shield::Error::new(shield::ErrorKind::Unsupported, "report as JSON").detail("feature json")),
            _ => return no_field(field),
        })
    }
}

export! {
    /// A number of a finding: `SHIELD_FINDING_SEVERITY` to `SHIELD_FINDING_OFFSET`.
    fn shield_report_finding_number(report: *const Report, index: usize, field: u32) -> (value: *mut i64) {
        let finding = at(&report.findings, index)?;
        Ok((match field {
            SHIELD_FINDING_SEVERITY => severity(finding.severity()),
            SHIELD_FINDING_LINE => finding.place.map_or(0, |p| number(p.line)),
            SHIELD_FINDING_OFFSET => finding.place.map_or(-1, |p| number(p.offset)),
            _ => return no_field(field),
        },))
    }
}

export! {
    /// A text of a finding: `SHIELD_FINDING_CODE` to `SHIELD_FINDING_FOUND_ZH`.
    fn shield_report_finding_text(report: *const Report, index: usize, field: u32) -> text {
        let finding = at(&report.findings, index)?;
        Ok(match field {
            SHIELD_FINDING_CODE => finding.kind.code().to_owned(),
            SHIELD_FINDING_TEXT => finding.kind.text().to_owned(),
            SHIELD_FINDING_TEXT_ZH => finding.kind.text_zh().to_owned(),
            SHIELD_FINDING_DETAIL => said(&finding.detail, English),
            SHIELD_FINDING_EXPECTED => said(&finding.expected, English),
            SHIELD_FINDING_FOUND => said(&finding.found, English),
            SHIELD_FINDING_LINE_OF_TEXT => finding.line(English),
            SHIELD_FINDING_ADVICE => finding.kind.advice().to_owned(),
            SHIELD_FINDING_ADVICE_ZH => finding.kind.advice_zh().to_owned(),
            SHIELD_FINDING_LINE_OF_TEXT_ZH => finding.line(Chinese),
            SHIELD_FINDING_KIND => finding.kind.name().to_owned(),
            SHIELD_FINDING_DETAIL_ZH => said(&finding.detail, Chinese),
            SHIELD_FINDING_EXPECTED_ZH => said(&finding.expected, Chinese),
            SHIELD_FINDING_FOUND_ZH => said(&finding.found, Chinese),
            _ => return no_field(field),
        })
    }
}

export! {
    /// Frees a report.
    fn shield_report_free(report: *mut Report) -> () {
        drop(report);
        Ok(())
    }
}
