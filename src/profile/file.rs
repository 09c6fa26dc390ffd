//! The TOML file of a profile, schema 1.
//!
//! The file is small and written by hand, so every mistake is named with its line; nothing is guessed and nothing passed over.

use std::fs::File as FsFile;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use const_oid::ObjectIdentifier;
use serde::Deserialize;
use toml::Spanned;

use super::cards::CardsFile;
use super::customs::Card;
use super::modules::ModulesFile;
use super::rule::{COMMON_NAME, COUNTRY, Fields, ORGANISATION, Rule, UNIT};
use super::together::Together;
use super::{Profile, Ruling, builtin};
use crate::cert::plain;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{PROFILE_MAX, Policy};
use crate::role::Role;

const SCHEMA: i64 = 1;
const OPERATION: &str = "read profile";

/// Read first and leniently: another schema has other keys.
#[derive(Deserialize)]
struct Head {
    schema: Option<Spanned<i64>>,
    builtin: Option<Spanned<toml::Value>>,
    #[serde(default)]
    replace_builtin: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "schema")]
    _schema: i64,
    name: Option<Spanned<String>>,
    #[serde(default)]
    test: bool,
    #[serde(default)]
    replace_builtin: bool,
    #[serde(default)]
    test_centre: bool,
    customs: Option<Customs>,
    bank: Option<Bank>,
    #[serde(default)]
    shield: Vec<Spanned<Together>>,
    #[serde(default)]
    routes: Vec<Spanned<String>>,
    cards: Option<CardsFile>,
    pkcs11: Option<ModulesFile>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Customs {
    #[serde(default)]
    issuer: Vec<Spanned<Issuer>>,
    policy: Option<Bounds>,
    label: Option<Spanned<String>>,
    sha1: Option<bool>,
    identifiers: Option<Spanned<String>>,
    #[serde(default)]
    card: Vec<Spanned<Card>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Bank {
    #[serde(default)]
    issuer: Vec<Spanned<Issuer>>,
    policy: Option<Bounds>,
    label: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Issuer {
    organisation: Option<Spanned<String>>,
    unit: Option<Spanned<String>>,
    common_name: Option<Spanned<String>>,
    country: Option<Spanned<String>>,
    authority_key_id: Option<Spanned<String>>,
    #[serde(default)]
    policies: Vec<Spanned<String>>,
    #[serde(default)]
    require_eport_fields: bool,
    #[serde(default)]
    allow_ca: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    signatures: Option<Spanned<u32>>,
    lifetime_minutes: Option<Spanned<u32>>,
    idle_minutes: Option<Spanned<u32>>,
}

impl Profile {
    /// Reads a profile from the file at `path`: TOML of at most [`PROFILE_MAX`] octets.
    ///
    /// # Errors
    /// `InputFailed` when it is not there, is not a file or cannot be read; else as [`Profile::parse`].
    pub fn load(path: &Path) -> Result<Profile> {
        let name = |e: Error| {
            let what = e.what().map(|w| format!(": {w}")).unwrap_or_default();
            e.detail(format!("{}{what}", plain(&path.display().to_string(), 200)))
        };
        read(path).and_then(|text| Profile::parse(&text)).map_err(name)
    }

    /// Reads a profile from TOML, schema 1. It extends the built-in rules, unless it says `replace_builtin = true`.
    ///
    /// ```toml
    /// schema = 1                    # required
    /// name = "our bank"
    /// test = false                  # true: P-256 under customs formats; what is signed is not for customs
    /// replace_builtin = false       # true: the rules below stand alone; logged as a warning
    /// test_centre = false           # true: certificates of the e-port's test centre have the customs role
    ///
    /// [[customs.issuer]]            # any number; everything that is set must fit
    /// organisation = "…"            # of the issuer; also unit, common_name, country
    /// authority_key_id = "f975…"    # hex
    /// policies = ["1.2.3"]          # one of these is in the certificate
    /// require_eport_fields = true   # extensions 5.1, 5.9 and 5.11 are there
    /// allow_ca = false              # true, only under test = true: a self-signed CA certificate may sign
    ///
    /// [customs]
    /// label = "…"                   # breaks a tie among certificates that the rules accept
    /// sha1 = true                   # false: RSA with SHA-1 is refused
    /// identifiers = "…"             # for the keys that it fits, such as legacy-2018-sha256
    ///
    /// [[customs.card]]              # which card this is: no field of a certificate is known to tell
    /// kind = "operator"             # or legal-person
    /// fingerprint = "…"             # of its certificate; also card_number, entity_mode (arc 5.12)
    ///
    /// [customs.policy]              # lowers what one PIN entry may sign, never raises it
    /// signatures = 500
    /// lifetime_minutes = 60
    /// idle_minutes = 10
    ///
    /// [[bank.issuer]]               # [bank] and [bank.policy] as above, but for sha1, identifiers and card
    /// common_name = "…"
    ///
    /// [[shield]]                    # tokens that are parts of one shield
    /// serials = ["0001", "0002"]
    ///
    /// [cards]                       # cards over PC/SC
    /// places = ["9A", "9C"]         # certificates that are read (PIV key references); by default all that the card has
    /// [[cards.driver]]              # a driver for a card that its ATR does not tell
    /// atr = "3B…"
    /// name = "piv"
    /// [[cards.dialect]]             # in which form a GM/T 0017 device takes its PINs: without it none is sent
    /// atr = "3B…"                   # atr, manufacturer and model are the device's own, as `shield doctor` shows them
    /// manufacturer = "…"
    /// model = "…"
    /// name = "syno-2015"            # or usbtool, gm3000 (see `token::gm0017`)
    /// proven = ["0001"]             # serial numbers of devices that have accepted a PIN in it
    ///
    /// [[pkcs11.sm2]]                # numbers of SM2 in a module; the first rule that fits holds, set C where none does
    /// module = "libvendor.so"       # file name; and manufacturer = "…": how its name begins (of library or token)
    /// set = "A"                     # one of those at token::Sm2Table; "none": no SM2 through this module
    /// output = "der"                # what all mechanisms of the set give, where that is otherwise: "raw" or "der"
    /// key_types = [0x80000001]      # more key types that are SM2
    /// mechanism = [{ number = 0x80000004, input = "e", output = "raw" }] # its own, before the set's; input also "message" (the
    ///                               # module adds Z and hashes) or "z-message" (it only hashes); output also "der"
    /// ```
    /// In `[cards]`, `applications = ["…"]` has only these applications of a GM/T 0017 device opened; by default all of them.
    /// `routes = ["pkcs11", "pcsc"]`, above the tables, has modules tried before cards where a certificate is behind both.
    ///
    /// # Errors
    /// `ProfileSchema` for a schema that is missing or not 1; `ProfileKey` for a key that is not in this list;
    /// `ProfileBuiltin` for a rule that would take the place of a built-in one without saying so; `ProfileMalformed` for
    /// everything else. Each names the line.
    pub fn parse(text: &str) -> Result<Profile> {
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > PROFILE_MAX {
            return Err(too_large());
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let reader = Reader { text };
        reader.head()?;
        let file: File = toml::from_str(text).map_err(|e| reader.refused(&e))?;
        reader.profile(file)
    }
}

fn too_large() -> Error {
    Error::new(ErrorKind::ProfileMalformed, OPERATION).detail(format!("larger than {PROFILE_MAX} octets"))
}

fn read(path: &Path) -> Result<String> {
    let failed = |e: std::io::Error| Error::new(ErrorKind::InputFailed, OPERATION).io(&e);
    // Asked before opening: to open a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Error::new(ErrorKind::InputFailed, OPERATION).detail("not a file"));
    }
    let mut octets = Vec::new();
    FsFile::open(path).map_err(failed)?.take(PROFILE_MAX.saturating_add(1)).read_to_end(&mut octets).map_err(failed)?;
    if u64::try_from(octets.len()).unwrap_or(u64::MAX) > PROFILE_MAX {
        return Err(too_large());
    }
    String::from_utf8(octets).map_err(|e| {
        let good = e.as_bytes().get(..e.utf8_error().valid_up_to()).unwrap_or_default();
        let line = good.iter().filter(|o| **o == b'\n').count().saturating_add(1);
        Error::new(ErrorKind::ProfileMalformed, OPERATION).detail(format!("line {line}: not UTF-8"))
    })
}

/// Knows the text, and so the line of each mistake.
pub(super) struct Reader<'t> {
    text: &'t str,
}

impl Reader<'_> {
    fn error(&self, kind: ErrorKind, at: usize, what: &str) -> Error {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let line = before.iter().filter(|o| **o == b'\n').count().saturating_add(1);
        Error::new(kind, OPERATION).detail(format!("line {line}: {}", plain(what, 300)))
    }

    pub(super) fn malformed<T>(&self, at: &Spanned<T>, what: &str) -> Error {
        self.error(ErrorKind::ProfileMalformed, at.span().start, what)
    }

    /// What serde and the parser say. That an unknown key is told apart by its words is held by a test.
    fn refused(&self, error: &toml::de::Error) -> Error {
        let at = error.span().map_or(0, |s| s.start);
        match error.message().strip_prefix("unknown field ") {
            Some(key) => self.error(ErrorKind::ProfileKey, at, &format!("unknown key {key}")),
            None => {
                let what = error.message().replace("expected i64", "expected an integer");
                self.error(ErrorKind::ProfileMalformed, at, &what.replace("expected u32", "expected an integer from 1"))
            }
        }
    }

    fn head(&self) -> Result<()> {
        let head: Head = toml::from_str(self.text).map_err(|e| self.refused(&e))?;
        match &head.schema {
            None => return Err(self.error(ErrorKind::ProfileSchema, 0, "schema = 1 is missing")),
            Some(schema) if *schema.get_ref() != SCHEMA => {
                let what = format!("schema is {}, this program knows {SCHEMA}", schema.get_ref());
                return Err(self.error(ErrorKind::ProfileSchema, schema.span().start, &what));
            }
            Some(_) => {}
        }
        match head.builtin {
            Some(value) if !head.replace_builtin => {
                let what = "builtin is no key: the built-in rules always hold, unless replace_builtin = true";
                Err(self.error(ErrorKind::ProfileBuiltin, value.span().start, what))
            }
            _ => Ok(()),
        }
    }

    fn profile(&self, file: File) -> Result<Profile> {
        let customs = file.customs.unwrap_or_default();
        let bank = file.bank.unwrap_or_default();
        let mut profile = Profile::builtin();
        profile.name = match &file.name {
            Some(name) => self.text_of(name)?,
            None => "unnamed".to_owned(),
        };
        profile.test = file.test;
        profile.joins = self.joins(&file.shield)?;
        profile.routes = self.routes(&file.routes, &profile.routes)?;
        profile.cards = self.cards(&file.cards.unwrap_or_default())?.into();
        profile.modules = self.modules(&file.pkcs11.unwrap_or_default())?.into();
        profile.customs.rules = builtin::customs(file.test_centre);
        profile.customs.sha1 = customs.sha1.unwrap_or(profile.customs.sha1);
        if file.replace_builtin {
            tracing::warn!(profile = profile.name, "the built-in rules for roles are replaced by the profile's");
            profile.customs.rules.clear();
            profile.bank.rules.clear();
        }
        let known = Known { test: file.test, test_centre: file.test_centre, replaced: file.replace_builtin };
        profile.identifiers = customs.identifiers.as_ref().map(|name| self.identifiers(name)).transpose()?;
        profile.card_kinds = customs.card.iter().map(|card| self.card_kind(card)).collect::<Result<_>>()?;
        self.fill(&mut profile.customs, Role::Customs, &customs.issuer, &known)?;
        self.fill(&mut profile.bank, Role::Bank, &bank.issuer, &known)?;
        profile.customs.policy = self.lowered(profile.customs.policy, customs.policy)?;
        profile.bank.policy = self.lowered(profile.bank.policy, bank.policy)?;
        profile.customs.label = customs.label.as_ref().map(|l| self.text_of(l)).transpose()?;
        profile.bank.label = bank.label.as_ref().map(|l| self.text_of(l)).transpose()?;
        Ok(profile)
    }

    fn fill(&self, ruling: &mut Ruling, role: Role, issuers: &[Spanned<Issuer>], known: &Known) -> Result<()> {
        for issuer in issuers {
            let rule = self.rule(issuer, known)?;
            let replaced = builtin::replaced_by(&rule, role, known.test_centre).filter(|_| !known.replaced);
            if let Some(what) = replaced {
                return Err(self.error(ErrorKind::ProfileBuiltin, issuer.span().start, what));
            }
            ruling.rules.push(rule);
        }
        Ok(())
    }

    fn rule(&self, issuer: &Spanned<Issuer>, known: &Known) -> Result<Rule> {
        let entry = issuer.get_ref();
        let named = [
            (ORGANISATION, &entry.organisation),
            (UNIT, &entry.unit),
            (COMMON_NAME, &entry.common_name),
            (COUNTRY, &entry.country),
        ];
        let mut attributes = Vec::new();
        for (oid, value) in named {
            if let Some(value) = value {
                attributes.push((oid, self.text_of(value)?));
            }
        }
        let names_issuer = attributes.iter().any(|(oid, _)| *oid != COUNTRY);
        let mut rule = Rule::of(attributes);
        rule.key_ids = entry.authority_key_id.iter().map(|id| self.key_id(id)).collect::<Result<_>>()?;
        rule.policies = entry.policies.iter().map(|oid| self.oid(oid)).collect::<Result<_>>()?;
        if !names_issuer && rule.key_ids.is_empty() {
            let what = "the rule names no issuer and would fit too many: set organisation, unit, common_name or authority_key_id";
            return Err(self.malformed(issuer, what));
        }
        if entry.allow_ca && !known.test {
            return Err(self.malformed(issuer, "allow_ca = true is for profiles with test = true alone"));
        }
        rule.allow_ca = entry.allow_ca;
        rule.fields = if entry.require_eport_fields { Fields::Eport } else { Fields::Any };
        Ok(rule)
    }

    /// Text for a comparison: an empty one would fit what is missing.
    pub(super) fn text_of(&self, value: &Spanned<String>) -> Result<String> {
        match value.get_ref() {
            text if text.trim().is_empty() => Err(self.malformed(value, "an empty text")),
            text if text.chars().any(char::is_control) => Err(self.malformed(value, "a text with control characters")),
            text => Ok(text.clone()),
        }
    }

    fn key_id(&self, value: &Spanned<String>) -> Result<Vec<u8>> {
        self.hex(value, 8..=64, "authority_key_id is not 8 to 64 octets in hex")
    }

    /// Octets in hex; colons and blanks are passed over.
    pub(super) fn hex(&self, value: &Spanned<String>, length: RangeInclusive<usize>, what: &str) -> Result<Vec<u8>> {
        let wrong = || self.malformed(value, what);
        let digits: Vec<u8> = value
            .get_ref()
            .chars()
            .filter(|c| !matches!(c, ':' | ' '))
            .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()).ok_or_else(wrong))
            .collect::<Result<_>>()?;
        let (pairs, rest) = digits.as_chunks::<2>();
        let octets: Vec<u8> = pairs.iter().map(|[h, l]| h.wrapping_shl(4) | l).collect();
        if rest.is_empty() && length.contains(&octets.len()) { Ok(octets) } else { Err(wrong()) }
    }

    fn oid(&self, value: &Spanned<String>) -> Result<String> {
        match ObjectIdentifier::new(value.get_ref()).map(|oid| oid.to_string()) {
            // RFC 5280 §4.2.1.4: anyPolicy says nothing of a certificate.
            Ok(any) if any == "2.5.29.32.0" => Err(self.malformed(value, "anyPolicy fits every certificate")),
            Ok(oid) => Ok(oid),
            Err(_) => Err(self.malformed(value, "a policy is a dotted object identifier such as 1.3.135.1.1.2")),
        }
    }

    fn lowered(&self, most: Policy, bounds: Option<Bounds>) -> Result<Policy> {
        let Some(bounds) = bounds else { return Ok(most) };
        let minutes = |time: Duration| u32::try_from(time.as_secs().div_ceil(60)).unwrap_or(u32::MAX);
        let check = |value: &Option<Spanned<u32>>, most: u32, key: &str| match value {
            Some(value) if *value.get_ref() == 0 || *value.get_ref() > most => {
                let what = format!(
                    "{key} is 1 to {most} here: a profile lowers what one PIN entry may sign, it never raises it"
                );
                Err(self.malformed(value, &what))
            }
            value => Ok(value.as_ref().map(|v| *v.get_ref())),
        };
        let time = |minutes: u32| Duration::from_secs(u64::from(minutes).saturating_mul(60));
        let mut policy = most;
        policy.signatures = check(&bounds.signatures, most.signatures, "signatures")?.unwrap_or(most.signatures);
        policy.lifetime =
            check(&bounds.lifetime_minutes, minutes(most.lifetime), "lifetime_minutes")?.map_or(most.lifetime, time);
        policy.idle = check(&bounds.idle_minutes, minutes(most.idle), "idle_minutes")?.map_or(most.idle, time);
        Ok(policy.lowered_by(most))
    }
}

/// What the head of the file says, for its rules.
struct Known {
    test: bool,
    test_centre: bool,
    replaced: bool,
}
