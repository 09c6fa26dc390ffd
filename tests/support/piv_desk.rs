//! A shield on the third-party PIV card behind a private pcscd: what its stories share. Needs `pcscd`, `piv_card` and `softhsm` beside it.

#![allow(dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use shared_shield::{
    Certificate, Content, Declined, Error, PinEntry, PinQuestion, Policy, Profile, RawSignature, Receipt, Request,
    Role, Scan, Scanner, Session, Shield, Suite, ToBeSigned, Unlock, Wait, link,
};

use crate::piv_card::{self, Made, PivCard};

/// OpenSC's module, another way to the same card, where it is installed.
pub fn opensc() -> Option<PathBuf> {
    let found = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|of| format!("/usr/lib/{of}/opensc-pkcs11.so"));
    found.iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned)
}

/// Looks at the readers of the story's pcscd.
pub fn scanner(made: &Made) -> Scanner {
    Scanner::new().profile(Arc::new(Profile::load(&made.profile).unwrap())).readers(link::pcsc::system())
}

pub fn scan(scanner: &Scanner) -> Scan {
    scanner.scan(&Wait::default()).unwrap()
}

/// The one shield on the desk.
pub fn shield(made: &Made) -> Shield {
    let scan = scan(&scanner(made));
    scan.only().unwrap_or_else(|e| panic!("{e}; {:?}; {:?}", scan.problems, scan.cards)).clone()
}

/// Types this PIN.
pub fn typist(pin: &str) -> impl FnMut(&PinQuestion<'_>) -> Result<PinEntry, Declined> + '_ {
    move |q| q.pin(pin.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
}

pub fn request(role: Role, document: &str) -> Request {
    Request::raw(role, Content::bytes(document.as_bytes().to_vec()))
}

/// A batch of many signatures, also for the bank.
pub fn unlock(shield: &Shield, role: Role) -> Session {
    let policy = Policy { signatures: 500, resends: 16, ..Policy::of(role) };
    shield.unlock(Unlock::of(role).policy(policy), &mut typist(piv_card::PIN), &Wait::default()).unwrap()
}

pub fn sign_in(session: &Session, document: &str) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let done = session.sign(request(session.role(), document), &Wait::default(), &mut out);
    assert!(done.is_ok() || out.is_empty(), "nothing leaves with an error");
    done.map(|_| out)
}

/// One signature by one entry of this PIN.
pub fn sign(shield: &Shield, role: Role, document: &str, pin: &str) -> Result<(Receipt, Vec<u8>), Error> {
    let mut out = Vec::new();
    let receipt = shield.sign(request(role, document), &mut typist(pin), &Wait::default(), &mut out)?;
    Ok((receipt, out))
}

/// Judged by another implementation of P-256 than the card's.
pub fn verifies(certificate: &[u8], document: &str, signature: &[u8]) -> bool {
    let certificate = Certificate::from_der(certificate).unwrap();
    let key = certificate.key().unwrap();
    let tbs = ToBeSigned::over(Suite::P256Sha256, key, document.as_bytes()).unwrap();
    RawSignature::from_wire(Suite::P256Sha256, signature).is_ok_and(|s| key.verify(&tbs, &s).is_ok())
}

/// VERIFY commands with a PIN that the card has got.
pub fn logins(card: &PivCard) -> usize {
    card.commands().iter().filter(|c| c.is_login()).count()
}

/// Those that it refused.
pub fn refused_logins(card: &PivCard) -> usize {
    card.commands().iter().filter(|c| c.is_login() && c.status != 0x9000).count()
}
