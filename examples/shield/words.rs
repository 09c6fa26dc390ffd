//! Times, standings and tries as people and programs read them.

use std::time::SystemTime;

use serde_json::{Value, json};
use shared_shield::{
    Certificate, Error, Finding, FindingKind, PinState, PinStatus, Purpose, Receipt, Recovery, Severity, Standing,
};

use crate::screen::{Lang, clean};

/// What a certificate is for, in English and Chinese.
pub(crate) fn purpose(purpose: Purpose) -> (&'static str, &'static str) {
    match purpose {
        Purpose::Signing => ("signing", "签名"),
        Purpose::Encryption => ("encryption", "加密"),
        Purpose::Both => ("signing and encryption", "签名和加密"),
        Purpose::Neither => ("neither signing nor encryption", "既非签名也非加密"),
        _ => ("not said", "未说明"),
    }
}

/// A certificate by its number and who issued it, without naming a person: as the library does, in the person's language.
pub(crate) fn named(certificate: &Certificate, lang: Lang) -> String {
    let number = certificate.number();
    clean(&match lang {
        Lang::En => certificate.label(),
        Lang::Zh if certificate.is_self_issued() => format!("{number}（自签发）"),
        Lang::Zh => format!("{number}（{} 签发）", certificate.issuer().shown()),
    })
}

/// How a finding stands, at the head of its line. What could not be explained is not in order, though nothing is wrong with it alone.
pub(crate) fn weight(finding: &Finding, lang: Lang) -> &'static str {
    match finding.severity() {
        Severity::Info if finding.kind != FindingKind::NoKnownReason => lang.pick("ok  ", "正常"),
        Severity::Info | Severity::Warning => lang.pick("note", "注意"),
        _ => lang.pick("BAD ", "错误"),
    }
}

/// RFC 3339 in UTC, such as 2027-01-01T00:00:00Z.
pub(crate) fn instant(time: SystemTime) -> String {
    der::DateTime::from_system_time(time).map_or_else(|_| "-".to_owned(), |t| t.to_string())
}

/// Reads `2027-01-01` or `2027-01-01T12:00:00Z`.
pub(crate) fn parse_time(text: &str) -> Result<SystemTime, String> {
    let full = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    full.parse::<der::DateTime>()
        .map(|t| t.to_system_time())
        .map_err(|_| "write 2027-01-01 or 2027-01-01T12:00:00Z".to_owned())
}

/// Whole days to the end of validity; negative when it has ended.
pub(crate) fn days_left(certificate: &Certificate, now: SystemTime) -> i64 {
    let days = |seconds: u64| i64::try_from(seconds / 86_400).unwrap_or(i64::MAX);
    match certificate.not_after().duration_since(now) {
        Ok(left) => days(left.as_secs()),
        Err(over) => -days(over.duration().as_secs()) - 1,
    }
}

pub(crate) fn validity(certificate: &Certificate, now: SystemTime, lang: Lang) -> String {
    let day = |time| instant(time).chars().take(10).collect::<String>();
    let (from, to) = (day(certificate.not_before()), day(certificate.not_after()));
    let days = days_left(certificate, now);
    if now < certificate.not_before() {
        return lang.pick(format!("{from} to {to}, not valid yet"), format!("{from} 至 {to}，尚未生效"));
    }
    if days < 0 {
        return lang.pick(format!("{from} to {to}, expired"), format!("{from} 至 {to}，已过期"));
    }
    lang.pick(format!("{from} to {to}, {days} days left"), format!("{from} 至 {to}，剩余 {days} 天"))
}

/// The name that JSON uses, and the one that people read.
pub(crate) fn standing(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Serves => ("serves", "可用"),
        Standing::Superseded => ("superseded", "已被取代"),
        Standing::OutsideValidity => ("outside-validity", "不在有效期"),
        Standing::Encryption => ("encryption", "加密证书"),
        Standing::NotForSigning => ("not-for-signing", "不可签名"),
        Standing::NoRole => ("no-role", "无角色"),
        _ => ("other", "其他"),
    }
}

pub(crate) fn tries(status: PinStatus, lang: Lang) -> String {
    if lang == Lang::En {
        return status.to_string();
    }
    match status {
        PinStatus::Known(n) => n.to_string(),
        PinStatus::AtLeast(n) => format!("至少 {n}"),
        PinStatus::Final => "1（最后一次）".to_owned(),
        PinStatus::Locked => "0（已锁定）".to_owned(),
        PinStatus::Unknown { refused: true } => "未知，且之前有口令被拒绝".to_owned(),
        _ => "未知".to_owned(),
    }
}

/// The tries of a PIN, and that it is still the maker's.
pub(crate) fn pin(pin: &PinState, lang: Lang) -> String {
    let factory = lang.pick(", still the maker's PIN: change it", "，仍为出厂口令：请修改");
    format!("{}{}", tries(pin.status, lang), if pin.factory == Some(true) { factory } else { "" })
}

pub(crate) fn tries_json(status: PinStatus) -> Value {
    match status {
        PinStatus::Known(n) => json!({ "state": "known", "left": n }),
        PinStatus::AtLeast(n) => json!({ "state": "at-least", "left": n }),
        PinStatus::Final => json!({ "state": "final", "left": 1 }),
        PinStatus::Locked => json!({ "state": "locked", "left": 0 }),
        PinStatus::Unknown { refused } => json!({ "state": "unknown", "refused_before": refused }),
        _ => json!({ "state": "unknown" }),
    }
}

pub(crate) fn error_json(error: &Error) -> Value {
    json!({
        "code": error.code(),
        "kind": format!("{:?}", error.kind()),
        "message": error.clone().candidates(Vec::new()).to_string(),
        "message_zh": error.message_zh(),
        "operation": error.operation(),
        "status": error.raw_status().map(ToString::to_string),
        "tries": error.tries_left().map(tries_json),
        "recovery": recovery(error.recovery()),
        "candidates": error.looked_at().iter().map(|c| json!({
            "label": c.label, "fingerprint": c.fingerprint, "reason": c.reason,
        })).collect::<Vec<_>>(),
    })
}

/// What a person can do now, by the name that programs know; the role stands in the message.
pub(crate) fn recovery(recovery: Recovery) -> &'static str {
    match recovery {
        Recovery::InsertShield => "InsertShield",
        Recovery::EnterPin(_) => "EnterPin",
        Recovery::UnlockAtIssuer(_) => "UnlockAtIssuer",
        Recovery::CloseOtherProgram => "CloseOtherProgram",
        Recovery::InstallDriver => "InstallDriver",
        Recovery::StartPcscd => "StartPcscd",
        Recovery::RenewCertificate => "RenewCertificate",
        Recovery::FixDocument => "FixDocument",
        Recovery::AskAdministrator => "AskAdministrator",
        Recovery::Retry => "Retry",
        Recovery::ChooseNewPin => "ChooseNewPin",
        _ => "None",
    }
}

/// The receipt in one line, its notes included.
pub(crate) fn receipt(receipt: &Receipt, lang: Lang) -> String {
    let digest: String = receipt.digest.octets().iter().map(|o| format!("{o:02x}")).collect();
    let algorithm = receipt.digest.algorithm().name();
    let (role, number) = (lang.role(receipt.role), clean(&receipt.number));
    let (suite, time) = (receipt.suite, instant(receipt.time));
    let left = tries(receipt.tries, lang);
    let mut line = lang.pick(
        format!("{role} certificate {number}, {suite}, {algorithm} {digest}, {time}, tries left: {left}"),
        format!("{role}证书 {number}，{suite}，{algorithm} {digest}，{time}，剩余次数：{left}"),
    );
    for note in &receipt.notes {
        line.push_str(&lang.pick(format!("; note: {}", note.text()), format!("；注意：{}", note.text_zh())));
    }
    line
}
