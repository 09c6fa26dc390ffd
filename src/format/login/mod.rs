//! Login: a signature over the random that a site sends (manual::customs §3).
//!
//! # What is signed
//!
//! The octets of the challenge, 1 to 256 of them. The e-port sends base64, and what is signed is the base64-*decoded* random
//! ([`Challenge::Base64`]). Whether every door of the e-port does so is not settled (manual::customs §11): [`Challenge::Text`] signs the text as it
//! stands, [`Challenge::Octets`] what the caller has decoded.
//!
//! # What comes out
//!
//! As customs: base64 of an RSA signature with SHA-1, or of SM2's r‖s. As the bank: base64 of RSA or ECDSA with SHA-256 or of SM2 with
//! SM3, the curves in DER as X.509 toolkits have them (RFC 3279 §2.2.3, GM/T 0009-2012 §7.3). The certificate number is in the receipt;
//! [`Output::Post`] gives both as JSON.
//!
//! # What is refused
//!
//! A challenge that begins as something else that this key signs, or that another protocol takes a signature over: XML and so SignedInfo, the
//! signing string of announcement 179, JSON, attributes in DER as CMS signs them, a DigestInfo, a certificate request or any other whole DER
//! SEQUENCE, the handshake of TLS 1.3, an SSH login, a JSON web token. White space and byte order marks before it do not hide it. The
//! rule for XML is its first character alone, so one binary random in 256 is refused by accident: ask the site for another.
//! What remains stands in `manual::threats`.

mod guard;

use std::io::Write;
use std::sync::Arc;

use base64ct::{Base64, Encoding};

use super::customs::{Given, Judge};
use super::double::Named;
use super::proof::{Form, Proof};
use super::{Format, Prepared, SignContext, customs};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::role::Role;
use crate::source::Content;
use crate::suite::{KeyKind, RawSignature, Suite, Summary, ToBeSigned, is_hidden};
use crate::verify::{Finding, FindingKind, Place, Report, VerifyContext};

/// The longest challenge, in octets.
pub const MAX_OCTETS: usize = 256;

/// As much base64 text as a challenge may have: longer by a third, and lines have ends.
const MAX_TEXT: usize = 512;

const PREPARE: &str = "prepare login";

/// The challenge as the site gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Challenge<'a> {
    /// Base64 text; what it stands for is signed. The e-port's form. White space in it is passed over.
    Base64(&'a str),
    /// Octets; they are signed.
    Octets(&'a [u8]),
    /// Text that is signed as it stands, in UTF-8, even where it looks like base64.
    Text(&'a str),
}

impl Challenge<'_> {
    /// The octets that are signed, found fit for it.
    ///
    /// # Errors
    /// `ChallengeEncoding`, `ChallengeEmpty`, `ChallengeTooLong`, `ChallengeDocument`.
    pub fn octets(&self) -> Result<Vec<u8>> {
        let octets = self.decoded()?;
        check(&octets)?;
        Ok(octets)
    }

    /// The octets that it stands for, fit to be signed or not: for a verifier, whose report says what they are.
    ///
    /// # Errors
    /// `ChallengeEncoding`.
    pub fn decoded(&self) -> Result<Vec<u8>> {
        match self {
            Challenge::Base64(text) => {
                let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
                Base64::decode_vec(&text).map_err(|_| Error::new(ErrorKind::ChallengeEncoding, PREPARE))
            }
            Challenge::Octets(octets) => Ok(octets.to_vec()),
            Challenge::Text(text) => Ok(text.as_bytes().to_vec()),
        }
    }
}

/// Why something is no challenge.
enum Unfit {
    Empty,
    TooLong,
    Begins(Named),
}

impl Unfit {
    fn of(octets: &[u8]) -> Option<Unfit> {
        match octets.len() {
            0 => Some(Unfit::Empty),
            1..=MAX_OCTETS => guard::begins_as(octets).map(Unfit::Begins),
            _ => Some(Unfit::TooLong),
        }
    }

    /// For whoever wants to sign it.
    fn refusal(&self) -> Error {
        let refuse = |kind| Error::new(kind, PREPARE);
        match self {
            Unfit::Empty => refuse(ErrorKind::ChallengeEmpty),
            Unfit::TooLong => refuse(ErrorKind::ChallengeTooLong).detail(format!("more than {MAX_OCTETS} octets")),
            Unfit::Begins((what, _)) => refuse(ErrorKind::ChallengeDocument).detail(format!("it begins as {what}")),
        }
    }

    /// For whoever was given a signature over it. The challenge begins where it begins: that is the place of all that is said of it.
    fn finding(&self) -> Finding {
        let expected = ("a random of 1 to 256 octets", "1 至 256 字节的随机数");
        let found = match self {
            Unfit::Empty => ("empty".to_owned(), "为空".to_owned()),
            Unfit::TooLong => (format!("more than {MAX_OCTETS} octets"), format!("超过 {MAX_OCTETS} 字节")),
            Unfit::Begins((english, chinese)) => (format!("it begins as {english}"), format!("开头是 {chinese}")),
        };
        Finding::new(FindingKind::ChallengeShape).compared(expected, found).at(START)
    }
}

fn check(octets: &[u8]) -> Result<()> {
    Unfit::of(octets).map_or(Ok(()), |unfit| Err(unfit.refusal()))
}

/// As many octets of visible ASCII in a row are shown as text, whatever stands around them.
const READABLE: usize = 8;

/// What a person is shown before the PIN: where the challenge is text or holds some, that text, so that an order in disguise can be seen.
/// One octet that is no text must not hide the rest. What is invisible or turns the writing direction is written as an escape.
fn summary(octets: &[u8]) -> String {
    let escaped = |c: char| match is_hidden(c) && !c.is_ascii() {
        true => c.escape_unicode().collect::<String>(),
        false => c.escape_debug().collect(),
    };
    if let Ok(text) = std::str::from_utf8(octets) {
        return format!("a login: the challenge is the text \"{}\"", text.chars().map(escaped).collect::<String>());
    }
    if octets.windows(READABLE).any(|run| run.iter().all(|o| matches!(o, b' '..=b'~'))) {
        return format!("a login: the challenge holds the text \"{}\"", octets.escape_ascii());
    }
    let hex: String = octets.iter().take(16).map(|o| format!("{o:02x}")).collect();
    let more = if octets.len() > 16 { "…" } else { "" };
    format!("a login: a challenge of {} octets, {hex}{more}", octets.len())
}

/// What is written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Output {
    /// The signature value in base64.
    #[default]
    Signature,
    /// JSON with the names that the login page posts: `{"certNo":"…","signData":"…"}`.
    Post,
}

/// The format `login`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Login {
    output: Output,
}

/// The instance that writes the signature value.
pub static SIGNATURE_OUT: Login = Login { output: Output::Signature };
/// The instance that writes JSON of certificate number and signature value.
pub static POST_OUT: Login = Login { output: Output::Post };

impl Login {
    /// The instance for an output.
    #[must_use]
    pub fn of(output: Output) -> &'static Login {
        match output {
            Output::Signature => &SIGNATURE_OUT,
            Output::Post => &POST_OUT,
        }
    }
}

impl Format for Login {
    fn name(&self) -> &'static str {
        "login"
    }

    fn prepare(&self, content: &Content, by: &Arc<Certificate>, context: &SignContext) -> Result<Prepared> {
        let octets = read(content)?;
        check(&octets)?;
        let key = by.key()?;
        let suite = suite(key.kind(), context)?;
        let mut tbs = ToBeSigned::over_with(suite, key, &context.sm2_id, &octets)?;
        tbs.display = Some(Arc::new(Summary { text: summary(&octets) }));
        tbs.message = Some(Arc::from(octets));
        let notes = customs::notes(key.kind(), suite, context.role);
        let (output, role, number) = (self.output, context.role, by.number());
        let finish = Box::new(move |signature: &RawSignature, out: &mut dyn Write| {
            let customs = customs::value(signature, suite, "finish login")?;
            let value = match role {
                Role::Customs => customs,
                _ => Base64::encode_string(&signature.to_wire()?),
            };
            let text = match output {
                Output::Signature => value,
                // Hex and base64: nothing in them needs an escape.
                Output::Post => format!("{{\"certNo\":\"{number}\",\"signData\":\"{value}\"}}"),
            };
            out.write_all(text.as_bytes()).map_err(|e| Error::new(ErrorKind::OutputFailed, "write login").io(&e))
        });
        Ok(Prepared::new(tbs, notes, finish))
    }

    /// As the trait says. `content` is the challenge's octets, `signature` its value as base64 text or octets. Where the context expects
    /// customs, only customs' suites and r‖s are right; where it expects the bank or nobody, the bank's and DER too.
    fn verify(&self, content: &Content, signature: Option<&[u8]>, context: &VerifyContext) -> Result<Report> {
        let customs = context.role == Some(Role::Customs);
        if customs {
            customs::identifier(&context.sm2_id, "verify login")?;
        }
        let mut report = Report::new(self.name());
        let octets = match content.read(MAX_TEXT, PREPARE) {
            Ok(octets) => octets,
            Err(error) if error.kind() == ErrorKind::DocumentTooLarge => {
                report.add(Unfit::TooLong.finding());
                return Ok(report);
            }
            Err(error) => return Err(error),
        };
        // Base64 of a challenge may be longer than a challenge: whether that was signed is asked first.
        let long = octets.len() > MAX_OCTETS;
        let random = decoded(&octets).filter(|random| long && Unfit::of(random).is_none());
        match Unfit::of(&octets) {
            Some(unfit) if random.is_none() => report.add(unfit.finding()),
            _ => {}
        }
        if long && random.is_none() {
            return Ok(report);
        }
        let suites: &[Suite] = match context.role {
            Some(Role::Customs) => &[Suite::RsaSha1, Suite::Sm2Sm3, Suite::P256Sha256],
            Some(_) => &[Suite::RsaSha256, Suite::Sm2Sm3, Suite::P256Sha256],
            None => &[Suite::RsaSha256, Suite::RsaSha1, Suite::Sm2Sm3, Suite::P256Sha256],
        };
        let form = if customs { Form::Raw } else { Form::Either };
        let given = signature.map(|s| Given::beside(s, START));
        let over = |other: &Proof| other.is_over(&octets);
        if let Some(judge) = Judge::open(&mut report, given, context, suites, form, over) {
            match random.filter(|random| judge.made(random).is_none()) {
                Some(_) => report.add(Unfit::TooLong.finding()),
                None => value(&octets, &judge, &mut report, context),
            }
        }
        Ok(report)
    }
}

/// The challenge's first octet.
const START: Place = Place { offset: 0, line: 1 };

/// As many octets as a random has that nobody can guess: base64 of so many is hardly a challenge by itself.
const RANDOM: usize = 16;

fn value(octets: &[u8], judge: &Judge, report: &mut Report, context: &VerifyContext) {
    if let Some(suite) = judge.fits(octets) {
        judge.accept(report, suite, context.role == Some(Role::Customs));
        // Hex digits are base64 characters too, and a text of them is no base64. Banks have their own forms.
        let is_hex = octets.trim_ascii().iter().all(u8::is_ascii_hexdigit);
        let other = is_hex || context.role == Some(Role::Bank);
        let random = decoded(octets).filter(|random| random.len() >= RANDOM && !other);
        report.findings.extend(random.map(|random| {
            let said = ("the signature is over the text as it stands", "签名针对该文本本身");
            let finding = Finding::new(FindingKind::ChallengeIsBase64).detail(said);
            finding.compared(octets_of(&random), in_base64(octets)).at(START)
        }));
        return;
    }
    report.add(judge.wrong(octets).at(START));
    let causes = cause(octets, &|octets| judge.made(octets));
    let by_other = || {
        let (signer, causes) = judge.other_signer(context, |other| {
            let made = |octets: &[u8]| other.made(octets);
            made(octets).map(|way| way.into_iter().collect()).or_else(|| cause(octets, &made))
        })?;
        Some(std::iter::once(signer).chain(causes).collect())
    };
    let unknown = || vec![Finding::new(FindingKind::NoKnownReason).detail(("the signature value", "签名值"))];
    let told = causes.or_else(by_other).unwrap_or_else(unknown);
    report.findings.extend(told.into_iter().map(|f| f.maybe_at(Some(START))));
}

fn octets_of(random: &[u8]) -> (String, String) {
    let length = random.len();
    (format!("{length} octets, decoded from base64"), format!("base64 解码后的 {length} 字节"))
}

fn in_base64(text: &[u8]) -> (String, String) {
    let length = text.trim_ascii().len();
    (format!("{length} characters of base64"), format!("{length} 个 base64 字符"))
}

/// What the octets stand for, where they are base64 text.
fn decoded(octets: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = octets.iter().copied().filter(|o| !o.is_ascii_whitespace()).collect();
    let text = std::str::from_utf8(&text).ok().filter(|text| !text.is_empty())?;
    Base64::decode_vec(text).ok()
}

/// In which way the signature was made over the challenge, or over one that stands for it: its base64 was signed, the octets that its base64 stands for, the
/// challenge with the newline that a file has at its end or without it; and in another way on top of that, where it was.
fn cause(octets: &[u8], made: &dyn Fn(&[u8]) -> Option<Option<Finding>>) -> Option<Vec<Finding>> {
    if let Some(way) = made(octets) {
        return Some(way.into_iter().collect());
    }
    let told = |finding: Finding, way: Option<Finding>| Some(std::iter::once(finding).chain(way).collect());
    let text = Base64::encode_string(octets);
    if let Some(way) = ["", "\n", "\r\n"].iter().find_map(|end| made(format!("{text}{end}").as_bytes())) {
        let finding = Finding::new(FindingKind::ChallengeAsText);
        return told(finding.compared(octets_of(octets), in_base64(text.as_bytes())), way);
    }
    if let Some(random) = decoded(octets)
        && let Some(way) = made(&random)
    {
        let said = ("the signature is over what the text stands for", "签名针对解码后的字节");
        let finding = Finding::new(FindingKind::ChallengeIsBase64).detail(said);
        return told(finding.compared(octets_of(&random), in_base64(octets)), way);
    }
    let with = |end: &'static str| Some((end, made(&[octets, end.as_bytes()].concat())?));
    let (end, way) = ["\n", "\r\n"].into_iter().find_map(with)?;
    let place = Place::of(octets, octets.len());
    let found = format!("\"{}\"", end.escape_debug());
    let finding = Finding::new(FindingKind::ContentNewline).compared(("no newline at the end", "末尾无换行"), found);
    told(finding.at(place), way)
}

fn read(content: &Content) -> Result<Vec<u8>> {
    content.read(MAX_OCTETS, PREPARE).map_err(|error| match error.kind() {
        ErrorKind::DocumentTooLarge => Unfit::TooLong.refusal(),
        _ => error,
    })
}

/// Customs has its suites; what a bank takes is what its key signs by preference.
fn suite(key: KeyKind, context: &SignContext) -> Result<Suite> {
    if context.role == Role::Customs {
        return customs::suite(key, context, PREPARE);
    }
    let offered = |s: &Suite| context.suites.contains(s);
    Suite::preferred(key).filter(offered).ok_or_else(|| {
        let kind = if key == KeyKind::Sm2 { ErrorKind::Unsupported } else { ErrorKind::KeyUnsuited };
        Error::new(kind, PREPARE)
            .role(context.role)
            .detail(format!("{key}; the token offers {}", crate::suite::names(&context.suites)))
    })
}
