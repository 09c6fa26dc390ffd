//! What a profile says of PKCS#11 modules: the numbers under which they have SM2.

use std::path::Path;
use std::sync::Arc;

/// What a profile says of PKCS#11 modules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleRules {
    /// Numbers of SM2; the first rule that fits a token holds, and where none fits [`Sm2Table::default`].
    pub sm2: Vec<Sm2Rule>,
}

/// For which modules a table of numbers holds. Everything that is named has to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sm2Rule {
    /// File name of the module.
    pub module: Option<String>,
    /// How the manufacturer's name begins, the library's (CK_INFO) or the token's (CK_TOKEN_INFO).
    pub manufacturer: Option<String>,
    /// The numbers.
    pub table: Arc<Sm2Table>,
}

/// Numbers under which a module has SM2.
///
/// PKCS#11 has no mechanism and no key type for SM2, so makers took numbers of their own. These sets are known:
///
/// | set | key type | mechanism | input | output | where it was seen |
/// |---|---|---|---|---|---|
/// | A | VD+1 | VD+4 | e | r‖s, assumed | header of one public client |
/// | B | VD+1 | VD+2 | e | r‖s, assumed | one public client |
/// | **C**, the default | VD+4 | VD+0x8105 | e | r‖s | headers of two public clients: "without SM3 digest, no DER" |
/// | | | VD+0x8104 | e | DER | the same headers: "without SM3 digest" |
/// | | | VD+0x8000 | e, assumed | r‖s, assumed | four clients name it CKM_SM2, one of them "base" |
/// | | | VD+0x8102 | M | r‖s | one header: "with SM3 digest and application id 1234567812345678" |
/// | | | VD+0x8103 | M | DER | the same; measured on signatures in a client's tests: e = SM3(Z ‖ M) |
/// | | | VD+0x8100 | Z ‖ M | r‖s; one client says DER | measured as above: e = SM3(what is given), without Z |
/// | | | VD+0x8101 | Z ‖ M | DER | one header: "DER coding" |
/// | D | 0x10001 | 0x10002 | e | r‖s, assumed | header and code of one public client: it gives 32 octets |
/// | | | 0x10004 | M, assumed | r‖s, assumed | the same header |
/// | E | VD+0x16 | none known | | | OpenSC pull request 3343, Luna's headers: SM3, SM4 and the key type alone |
/// | none | | | | | SM2 is not used through the module |
///
/// VD is `CKM_VENDOR_DEFINED` and `CKK_VENDOR_DEFINED`, 0x80000000. `CKK_EC` with the curve 1.2.156.10197.1.301 is an SM2 key in every set.
/// VD+0x8200 (`CKM_SM2_RAW`) is encryption in the headers that name it, and in no set. A mechanism is used where C_GetMechanismInfo
/// says that it signs, in the order of the table: first those that take the finished e, then, where the message is at hand, those that hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sm2Table {
    /// Its name for people: a set's, or `profile`.
    pub name: &'static str,
    /// Key types that are SM2, besides CKK_EC with the curve.
    pub key_types: Vec<u32>,
    /// Mechanisms for signatures, the best first.
    pub mechanisms: Vec<Sm2Mechanism>,
}

/// One mechanism that signs with SM2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sm2Mechanism {
    /// CK_MECHANISM_TYPE.
    pub number: u32,
    /// What C_Sign is given.
    pub input: Sm2Input,
    /// What it gives.
    pub output: Sm2Output,
}

/// What an SM2 mechanism is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sm2Input {
    /// The 32 octets of e = SM3(Z ‖ M).
    Digest,
    /// M: the module puts Z of the default identifier before it and hashes.
    Message,
    /// Z ‖ M: the module hashes and does not know of Z.
    ZMessage,
}

/// What an SM2 mechanism gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sm2Output {
    /// r‖s, 64 octets.
    Raw,
    /// `SEQUENCE { r INTEGER, s INTEGER }`.
    Der,
}

const VENDOR: u32 = 0x8000_0000;
/// The set that holds where the profile says nothing.
const DEFAULT: &str = "C";

/// Name, key type, mechanisms.
type Set = (&'static str, &'static [u32], &'static [(u32, Sm2Input, Sm2Output)]);

const SETS: [Set; 6] = {
    use Sm2Input::{Digest, Message, ZMessage};
    use Sm2Output::{Der, Raw};
    [
        ("A", &[VENDOR | 1], &[(VENDOR | 4, Digest, Raw)]),
        ("B", &[VENDOR | 1], &[(VENDOR | 2, Digest, Raw)]),
        (
            "C",
            &[VENDOR | 4],
            &[
                (VENDOR | 0x8105, Digest, Raw),
                (VENDOR | 0x8104, Digest, Der),
                (VENDOR | 0x8000, Digest, Raw),
                (VENDOR | 0x8102, Message, Raw),
                (VENDOR | 0x8103, Message, Der),
                (VENDOR | 0x8100, ZMessage, Raw),
                (VENDOR | 0x8101, ZMessage, Der),
            ],
        ),
        ("D", &[0x1_0001], &[(0x1_0002, Digest, Raw), (0x1_0004, Message, Raw)]),
        ("E", &[VENDOR | 0x16], &[]),
        ("none", &[], &[]),
    ]
};

impl Default for Sm2Table {
    fn default() -> Self {
        Sm2Table::set(DEFAULT).unwrap_or_else(Sm2Table::own)
    }
}

impl Sm2Table {
    /// A known set, by its name.
    #[must_use]
    pub fn set(name: &str) -> Option<Self> {
        let (name, key_types, mechanisms) = SETS.iter().find(|(known, ..)| *known == name)?;
        let mechanisms =
            mechanisms.iter().map(|&(number, input, output)| Sm2Mechanism { number, input, output }).collect();
        Some(Sm2Table { name, key_types: key_types.to_vec(), mechanisms })
    }

    /// The names of the sets, for people.
    #[must_use]
    pub fn sets() -> String {
        SETS.map(|(name, ..)| name).join(", ")
    }

    /// An empty table, for numbers that a profile names itself.
    #[must_use]
    pub fn own() -> Self {
        Sm2Table { name: "profile", key_types: Vec::new(), mechanisms: Vec::new() }
    }
}

impl ModuleRules {
    /// The numbers of a token: `files` are the names of its module, as it was named and as it is; `manufacturers` those of library and token.
    pub(crate) fn sm2(&self, files: &[&Path], manufacturers: &[&str]) -> Arc<Sm2Table> {
        let named = |file: &&Path, module: &str| {
            file.file_name().is_some_and(|name| name.to_string_lossy().eq_ignore_ascii_case(module))
        };
        let fits = |rule: &&Sm2Rule| {
            let module = rule.module.as_deref().is_none_or(|module| files.iter().any(|file| named(file, module)));
            let maker = rule.manufacturer.as_deref();
            module && maker.is_none_or(|maker| manufacturers.iter().any(|known| known.starts_with(maker)))
        };
        self.sm2.iter().find(fits).map(|rule| Arc::clone(&rule.table)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_a_token_holds_and_the_default_set_where_none_does() {
        let rule = |module: Option<&str>, manufacturer: Option<&str>, set| Sm2Rule {
            module: module.map(str::to_owned),
            manufacturer: manufacturer.map(str::to_owned),
            table: Arc::new(Sm2Table::set(set).unwrap()),
        };
        let rules = ModuleRules {
            sm2: vec![
                rule(Some("libone.so"), Some("Maker"), "A"),
                rule(Some("libone.so"), None, "B"),
                rule(None, Some("Maker"), "D"),
            ],
        };
        let of = |file: &str, makers: &[&str]| rules.sm2(&[Path::new("/opt/lib.so.1"), Path::new(file)], makers).name;
        assert_eq!(of("/opt/libone.so", &["Other", "Maker of tokens"]), "A");
        assert_eq!(of("/opt/LIBONE.SO", &["Other", ""]), "B", "file names are compared as people write them");
        assert_eq!(of("/opt/libtwo.so", &["Maker", "Other"]), "D");
        assert_eq!(of("/opt/libone.so.2", &["The Maker", ""]), "C");
    }

    #[test]
    fn every_set_can_be_named_and_no_number_stands_in_one_twice() {
        for (name, ..) in SETS {
            let set = Sm2Table::set(name).unwrap();
            let mut numbers: Vec<_> = set.mechanisms.iter().map(|m| m.number).collect();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), set.mechanisms.len(), "{name}");
            let hashing = |m: &Sm2Mechanism| m.input != Sm2Input::Digest;
            assert!(set.mechanisms.is_sorted_by_key(hashing), "{name}: those that take e come first");
        }
        assert_eq!(Sm2Table::default().name, "C");
        assert_eq!(Sm2Table::set("c"), None);
    }
}
