//! A diagnosis as a text that may be sent to a stranger.
//!
//! It is made of words of this program and of a few facts. Texts that somebody else wrote (readers, makers, issuers) are searched for what names
//! a person, a company or a card; texts that are made for the person at this computer (an error's details, reasons, paths, labels) stay out.

use std::fmt::Write as _;

use super::{Diagnosis, Examined, ExaminedCertificate, Finding};
use crate::cert::Certificate;
use crate::cert::{date, plain};
use crate::error::Error;
use crate::error::Status;
use crate::link::Presence;
use crate::token::{PinForm, PinState};
use crate::tries::PinStatus;

/// How much of another's text is shown, in characters.
const SHOWN_MAX: usize = 64;
/// Digits in a row that may be a serial number.
const DIGITS: usize = 6;
/// Organisation, unit and country of a holder are often those of the issuer too; they name no person.
const COMMON: [&str; 3] = ["2.5.4.10", "2.5.4.11", "2.5.4.6"];

impl Diagnosis {
    /// The diagnosis as a plain text for a stranger who helps: no PIN, no name, no identity number, no label of a token, no path. Of a
    /// certificate it has role, dates, issuer, key and the beginning of the fingerprint; serial and card numbers and unit codes are masked.
    #[must_use]
    pub fn bundle(&self) -> String {
        Bundle { private: private(self), text: String::new() }.write(self)
    }
}

struct Bundle {
    /// What must not stand anywhere, the longest first.
    private: Vec<String>,
    text: String,
}

impl Bundle {
    fn line(&mut self, depth: usize, text: &str) {
        // Writing to a text does not fail.
        let _ = writeln!(self.text, "{}{text}", "  ".repeat(depth));
    }

    fn write(mut self, seen: &Diagnosis) -> String {
        self.line(0, "shared-shield doctor, bundle 1");
        self.line(0, &format!("version {}, made on {}", env!("CARGO_PKG_VERSION"), date(seen.at)));
        let host = &seen.host;
        let known = |it: Option<bool>| it.map_or("not known", |yes| if yes { "yes" } else { "no" });
        self.line(
            0,
            &format!(
                "system {}, smart-card service installed: {}, its USB driver: {}",
                host.system,
                known(host.service),
                known(host.usb_driver)
            ),
        );
        self.line(0, &format!("USB devices with a smart-card interface: {}", list(&host.usb)));
        self.line(0, &format!("profile: {}", if seen.test_profile { "a test profile" } else { "no test profile" }));
        for service in &seen.services {
            self.service(service);
        }
        for card in &seen.cards {
            let reader = self.foreign(&card.reader);
            self.line(0, &format!("card in {reader}, ATR {}", card.atr));
            for tried in &card.tried {
                // What a driver says of a failure names the card that it found.
                let outcome = tried.outcome.split(": ").next().unwrap_or_default();
                self.line(1, &format!("driver {} (ATR: {:?}): {outcome}", tried.driver, tried.fit));
            }
        }
        for module in &seen.modules {
            let name = module.path.file_name().map(|n| self.foreign(&n.to_string_lossy())).unwrap_or_default();
            let problem = module.problem.as_ref().map(|e| format!(", {}", facts(e))).unwrap_or_default();
            self.line(0, &format!("module {name}: {} tokens{problem}", module.tokens));
        }
        for shield in &seen.shields {
            self.shield(shield);
        }
        for finding in &seen.findings {
            self.finding(finding);
        }
        self.text
    }

    fn service(&mut self, service: &super::Service) {
        match &service.readers {
            Err(error) => self.line(0, &format!("smart-card service: {}", facts(error))),
            Ok(readers) => {
                self.line(0, &format!("smart-card service: runs, {} readers", readers.len()));
                for state in readers {
                    let reader = self.foreign(&state.reader);
                    let what = match &state.presence {
                        Presence::Empty => "empty".to_owned(),
                        Presence::Mute => "a card that does not answer".to_owned(),
                        Presence::Card(atr) => format!("a card, ATR {atr}"),
                    };
                    let held = if state.exclusive { ", held by another program for itself alone" } else { "" };
                    self.line(1, &format!("{reader}: {what}{held}"));
                }
            }
        }
    }

    fn shield(&mut self, examined: &Examined) {
        self.line(0, &format!("shield {}", masked(examined.shield.serial())));
        for door in examined.shield.doors() {
            let known: Vec<_> = [&door.module, &door.manufacturer, &door.model]
                .into_iter()
                .map(|t| self.foreign(t))
                .filter(|t| !t.is_empty())
                .collect();
            let dialect = if door.dialect.is_empty() {
                String::new()
            } else {
                format!(", dialect {}", self.foreign(&door.dialect))
            };
            self.line(1, &format!("door {}{dialect}, serial number {}", known.join(", "), masked(&door.serial)));
        }
        for one in &examined.certificates {
            self.certificate(one);
        }
    }

    fn certificate(&mut self, one: &ExaminedCertificate) {
        let certificate = &one.listed.certificate;
        let role = one.listed.role.map_or("no role", |r| r.name());
        let (from, to) = (date(certificate.not_before()), date(certificate.not_after()));
        let issuer = if certificate.is_self_issued() {
            "itself".to_owned()
        } else {
            self.foreign(&certificate.issuer().shown())
        };
        let start: String = certificate.fingerprint().to_string().chars().take(8).collect();
        let key = certificate.key().map_or_else(|e| e.code(), |k| k.kind().to_string());
        self.line(
            1,
            &format!("certificate {start}: {role}, {:?}, {key}, {from} to {to}, issuer {issuer}", one.listed.standing),
        );
        if let Some(fields) = certificate.eport() {
            let show =
                |text: &Option<crate::cert::EportText>| text.as_ref().map_or("-".to_owned(), |t| masked(&t.text));
            let (code, card) = (show(&fields.entity_code), show(&fields.card_number));
            self.line(
                2,
                &format!("unit code {code}, card number {card}, unreadable fields: {}", fields.unreadable.len()),
            );
        }
        let opens: Vec<_> = one.opens.iter().map(|r| r.name().to_owned()).collect();
        let tries = match &one.pin {
            None => "-".to_owned(),
            Some(Ok(state)) => pin(state),
            Some(Err(error)) => facts(error),
        };
        self.line(
            2,
            &format!(
                "tries left: {tries}; its PIN opens: {}; ways to its key: {}",
                list(&opens),
                one.listed.doors.len()
            ),
        );
    }

    fn finding(&mut self, finding: &Finding) {
        let what = finding.error().map_or_else(|| format!("{} {:?}", finding.code(), finding.kind), facts);
        let shield = finding.shield.as_deref().map(|s| format!(", shield {}", masked(s))).unwrap_or_default();
        self.line(0, &format!("finding, {:?}: {what}{shield}", finding.severity));
    }

    /// A text that somebody else wrote: without what is private, without long numbers, fit for a terminal, cut.
    fn foreign(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for private in &self.private {
            text = text.replace(private.as_str(), "***");
        }
        plain(without_numbers(&text).trim(), SHOWN_MAX)
    }
}

/// What is known of a PIN.
fn pin(state: &PinState) -> String {
    let form = match state.form {
        PinForm::Sure => "",
        PinForm::Unproven { .. } => ", dialect never proved",
        PinForm::Unknown => ", dialect not known",
    };
    let factory = if state.factory == Some(true) { ", still the maker's PIN" } else { "" };
    format!("{}{form}{factory}", state.status)
}

/// An error without its details, which are made for the person at this computer.
fn facts(error: &Error) -> String {
    let mut text = format!("{} {:?}, {}", error.code(), error.kind(), error.operation());
    match error.raw_status() {
        Some(status @ (Status::Sw(_) | Status::Ckr(_) | Status::Pcsc(_))) => {
            let _ = write!(text, ", {status}");
        }
        _ => {
            let _ = error.io_kind().map(|kind| write!(text, ", {kind:?}"));
        }
    }
    if let Some(role) = error.concerns() {
        let _ = write!(text, ", {role}");
    }
    if let Some(left) = error.tries_left().filter(|t| !matches!(t, PinStatus::Unknown { refused: false })) {
        let _ = write!(text, ", tries left: {left}");
    }
    text
}

fn list(words: &[String]) -> String {
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

/// The end of a number that is long enough to stay private without its beginning.
fn masked(text: &str) -> String {
    let letters: Vec<char> = text.trim().chars().collect();
    let shown = match letters.len() {
        0 => return "-".to_owned(),
        1..8 => 0,
        8..12 => 2,
        _ => 4,
    };
    let end: String = letters.iter().rev().take(shown).rev().collect();
    format!("***{}", plain(&end, SHOWN_MAX))
}

/// Six or more digits in a row as stars: names of readers hold serial numbers.
fn without_numbers(text: &str) -> String {
    let (mut out, mut run) = (String::new(), String::new());
    for c in text.chars().map(Some).chain([None]) {
        match c.filter(char::is_ascii_digit) {
            Some(digit) => run.push(digit),
            None => {
                out.push_str(if run.len() >= DIGITS { "***" } else { run.as_str() });
                run.clear();
                out.extend(c);
            }
        }
    }
    out
}

/// What the certificates and tokens at hand hold of persons, companies and cards.
fn private(seen: &Diagnosis) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for examined in &seen.shields {
        for door in examined.shield.doors() {
            words.extend([door.label.clone(), door.serial.clone()]);
        }
        for one in &examined.certificates {
            words.extend(of_certificate(&one.listed.certificate));
        }
    }
    words.iter_mut().for_each(|w| *w = w.trim().to_owned());
    // One letter names nobody, and would take every text apart.
    words.retain(|w| w.chars().count() > if w.is_ascii() { 3 } else { 1 });
    words.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    words.dedup();
    words
}

fn of_certificate(certificate: &Certificate) -> Vec<String> {
    let subject = certificate.subject().all().filter(|(oid, _)| !COMMON.contains(oid)).map(|(_, v)| v.to_owned());
    let mut words: Vec<String> = subject.collect();
    // CFCA writes 051@NAME@NUMBER@1 into the common name: each part by itself.
    words.extend(words.clone().iter().flat_map(|w| w.split('@')).map(str::to_owned));
    if let Some(fields) = certificate.eport() {
        let texts = [&fields.entity_name, &fields.entity_code, &fields.card_number];
        words.extend(texts.into_iter().flatten().map(|t| t.text.clone()));
    }
    words
}
