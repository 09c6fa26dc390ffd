//! The built-in rules, and when a file's rule would take their place.

use super::rule::{COMMON_NAME, COUNTRY, Fields, LOCALITY, ORGANISATION, Rule, STATE, UNIT, agree};
use crate::role::Role;

/// Authority key identifier of the e-port's RSA generation (manual::customs §6.1).
const RSA_KEY_ID: [u8; 20] = [
    0xF9, 0x75, 0xA3, 0x78, 0x45, 0x0B, 0x42, 0x68, 0xC2, 0x04, 0x53, 0xAB, 0xEB, 0xC3, 0x4E, 0x3E, 0x54, 0x78, 0x74,
    0x60,
];
/// Authority key identifier of the e-port's SM2 generation (manual::customs §6.1).
const SM2_KEY_ID: [u8; 20] = [
    0x44, 0x24, 0x31, 0xB7, 0x4C, 0x04, 0xBE, 0x80, 0x15, 0x5E, 0x6B, 0xA8, 0xE0, 0xDD, 0x5B, 0x8C, 0xA5, 0xD3, 0x87,
    0x45,
];

/// Names by which the issuers of CCB and of CFCA call themselves in public. **Unconfirmed**: no bank certificate of a shared
/// shield was available (manual::customs §6.3), so whole names alone count, and a profile names the real issuer.
const BANK_WORDS: &[&str] = &[
    "CCB",
    "China Construction Bank",
    "中国建设银行",
    "中国建设银行股份有限公司",
    "CFCA",
    "China Financial Certification Authority",
    "中国金融认证中心",
];

fn eport() -> Rule {
    let name = [
        (COUNTRY, "CN"),
        (STATE, "北京"),
        (LOCALITY, "北京"),
        (ORGANISATION, "中国电子口岸"),
        (UNIT, "证书管理中心"),
        (COMMON_NAME, "中国电子业务证书管理中心"),
    ];
    let mut rule = Rule::of(name.map(|(oid, value)| (oid, value.to_owned())).to_vec());
    rule.key_ids = vec![RSA_KEY_ID.to_vec(), SM2_KEY_ID.to_vec()];
    rule.fields = Fields::Eport;
    rule
}

/// The e-port's test centre (manual::customs §6.1); its key identifier is not known.
fn test_centre(accepted: bool) -> Rule {
    let name = [(ORGANISATION, "电子口岸"), (UNIT, "CA"), (COMMON_NAME, "中国电子口岸数据中心开发区")];
    let mut rule = Rule::of(name.map(|(oid, value)| (oid, value.to_owned())).to_vec());
    rule.fields = Fields::TestCentre;
    rule.refused = (!accepted).then_some("it comes from the e-port's test centre, which the profile does not accept");
    rule
}

pub(super) fn customs(test_centre_accepted: bool) -> Vec<Rule> {
    vec![eport(), test_centre(test_centre_accepted)]
}

pub(super) fn bank() -> Vec<Rule> {
    let mut rule = Rule::of(Vec::new());
    rule.words = BANK_WORDS;
    vec![rule]
}

/// Why a rule of a file would take the place of a built-in one, if it does.
///
/// - A bank rule that fits the e-port's issuers would take the customs role from their certificates, since what the rules of
///   both roles fit has none.
/// - A customs rule that fits them, but asks for less than the built-in one, would undo its checks. The same holds for the
///   test centre, which has a word of its own, `test_centre`.
/// - A customs rule for an issuer whose name has a bank's word would take the bank role from it in the same way.
pub(super) fn replaced_by(rule: &Rule, role: Role, test_centre_accepted: bool) -> Option<&'static str> {
    let fits_eport = overlap(rule, &eport());
    let fits_test_centre = overlap(rule, &test_centre(false));
    let words = bank();
    let of_bank = |oid| rule.attribute(oid).is_some_and(|v| words.iter().any(|w| w.has_word(v)));
    match role {
        Role::Bank if fits_eport || fits_test_centre => Some("a bank rule fits the e-port's issuers"),
        Role::Customs if fits_eport && !is_as_strict(rule) => {
            Some("a customs rule fits the e-port's issuers and asks for less than the built-in rule")
        }
        Role::Customs if fits_test_centre && !test_centre_accepted => {
            Some("a customs rule fits the e-port's test centre, for which there is test_centre = true")
        }
        Role::Customs if of_bank(ORGANISATION) || of_bank(COMMON_NAME) => {
            Some("a customs rule fits issuers that the built-in bank rule knows")
        }
        _ => None,
    }
}

/// Whether an issuer's certificate could fit both.
fn overlap(rule: &Rule, builtin: &Rule) -> bool {
    let oids = [COUNTRY, STATE, LOCALITY, ORGANISATION, UNIT, COMMON_NAME];
    let both_name = |oid: &&str| rule.attribute(oid).is_some() && builtin.attribute(oid).is_some();
    let keys = match builtin.key_ids.as_slice() {
        // Where the built-in rule knows no key identifier, a rule by key identifier overlaps only if it names the issuer too.
        [] => rule.key_ids.is_empty() || oids.iter().any(both_name),
        known => rule.key_ids.is_empty() || rule.key_ids.iter().any(|k| known.contains(k)),
    };
    keys && oids.iter().all(|oid| agree(oid, rule.attribute(oid), builtin.attribute(oid)))
}

fn is_as_strict(rule: &Rule) -> bool {
    rule.fields == Fields::Eport && !rule.key_ids.is_empty() && rule.attribute(ORGANISATION).is_some()
}
