//! From a signer's certificate to an anchor (RFC 5280 §6), and what revocation lists say of the way.

use std::sync::Arc;
use std::time::SystemTime;

use super::Store;
use crate::cert::{Certificate, Crl, Why, date};
use crate::policy;
use crate::verify::{Finding, FindingKind, Words};

/// A chain from a signer's certificate to an anchor, both included.
pub(super) type Chain = Vec<Arc<Certificate>>;

/// Builds a chain. What the document brings along is tried after what the store has.
///
/// # Errors
/// Why there is none: of the ways that were tried, the one that came nearest.
pub(super) fn build(
    signer: &Arc<Certificate>,
    store: &Store,
    brought: &[Arc<Certificate>],
    at: SystemTime,
) -> Result<Chain, Words> {
    if let Some(oid) = signer.unknown_critical() {
        return Err((
            format!("it has a critical extension that is not understood, {oid}"),
            format!("含有无法识别的关键扩展 {oid}"),
        )
            .into());
    }
    let mut search = Search { store, brought, at, tries: 0, nearest: None };
    match search.from(vec![Arc::clone(signer)]) {
        Some(chain) => Ok(chain),
        None => {
            let none: Why = ("its issuer is none of those given", "其签发者不在所给的机构之中");
            Err(search.nearest.map_or(none, |(_, why)| why).into())
        }
    }
}

struct Search<'s> {
    store: &'s Store,
    brought: &'s [Arc<Certificate>],
    at: SystemTime,
    tries: usize,
    /// How long the chain was that failed last, and why.
    nearest: Option<(usize, Why)>,
}

impl Search<'_> {
    fn from(&mut self, chain: Chain) -> Option<Chain> {
        let last = Arc::clone(chain.last()?);
        // A certificate of the list is trusted in itself, intermediates too (RFC 5280 §6.1.1 (d)).
        if self.store.anchors.contains(&last) {
            return Some(chain);
        }
        if chain.len() >= policy::CHAIN_MAX {
            self.failed(&chain, ("the chain is too long", "证书链过长"));
            return None;
        }
        let anchors = self.store.anchors.iter();
        let candidates =
            anchors.chain(&self.store.between).chain(self.brought).filter(|c| c.subject() == last.issuer());
        let candidates: Vec<Arc<Certificate>> = candidates.filter(|c| !chain.contains(*c)).cloned().collect();
        for issuer in candidates {
            self.tries = self.tries.saturating_add(1);
            if self.tries > policy::CHAIN_TRIES {
                self.failed(&chain, ("too many issuers would have to be tried", "需尝试的签发者过多"));
                return None;
            }
            if let Err(why) = self.step(&chain, &last, &issuer) {
                self.failed(&chain, why);
                continue;
            }
            let mut longer = chain.clone();
            longer.push(issuer);
            if let Some(whole) = self.from(longer) {
                return Some(whole);
            }
        }
        if chain.len() > 1 {
            self.failed(&chain, ("an issuer above it is none of those given", "其上级签发者不在所给的机构之中"));
        }
        None
    }

    /// Whether `issuer` may stand above `last` in this chain.
    fn step(&self, chain: &Chain, last: &Certificate, issuer: &Certificate) -> Result<(), Why> {
        last.check_issued_by(issuer)?;
        if issuer.check_time(self.at).is_err() {
            return Err(("its issuer's certificate was not valid at the time", "其签发者证书在该时间无效"));
        }
        // RFC 5280 §4.2.1.9: authorities between, those that a name issued to itself not counted.
        let between = chain.iter().skip(1).filter(|c| !c.is_self_issued()).count();
        if issuer.path_length().is_some_and(|most| between > most) {
            return Err(("an issuer above it allows no further authority below", "其上级签发者不允许再有下级机构"));
        }
        Ok(())
    }

    fn failed(&mut self, chain: &Chain, why: Why) {
        let nearer = self.nearest.is_none_or(|(length, _)| chain.len() > length);
        if nearer {
            self.nearest = Some((chain.len(), why));
        }
    }
}

/// What the store's lists say of each certificate of a chain but the anchor. Nothing where no list is asked for.
pub(super) fn revocation(chain: &Chain, store: &Store, at: SystemTime) -> Vec<Finding> {
    if !store.revocation {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (certificate, issuer) in chain.iter().zip(chain.iter().skip(1)) {
        findings.extend(of(certificate, issuer, store, at));
    }
    findings
}

fn of(certificate: &Certificate, issuer: &Certificate, store: &Store, at: SystemTime) -> Vec<Finding> {
    let mut unusable = Vec::new();
    let number = certificate.number();
    let mut about: Vec<_> = store.crls.iter().filter(|crl| crl.covers(certificate)).collect();
    // Several lists may be current at a time: the last one has the word, and of two of one second the one that revokes.
    about.sort_by_key(|crl| std::cmp::Reverse((crl.this_update(), crl.revoked(certificate).is_some())));
    for crl in about {
        if let Err(why) = crl.check_issued_by(issuer).and_then(|()| crl.check_time(at)) {
            unusable.push(not_used(crl, why));
            continue;
        }
        let Some(revoked) = crl.revoked(certificate) else { return Vec::new() };
        let (english, chinese) = revoked.said();
        let on = date(revoked.date);
        let finding = Finding::new(FindingKind::CertificateRevoked)
            .detail((format!("certificate {number}"), format!("证书 {number}")))
            .compared(
                (
                    format!("not in the CRL of {}", date(crl.this_update())),
                    format!("不在 {} 的 CRL 中", date(crl.this_update())),
                ),
                (format!("revoked on {on}, {english}"), format!("{on} 被吊销，{chinese}")),
            );
        return vec![finding];
    }
    let found = match unusable.len() {
        0 => (
            format!("{} lists, none of them about it", store.crls.len()),
            format!("{} 个 CRL，均不涉及该证书", store.crls.len()),
        ),
        n => (format!("{n} lists about it, none of them usable"), format!("{n} 个相关 CRL，均不可用")),
    };
    let finding = Finding::new(FindingKind::RevocationUnknown)
        .detail((format!("certificate {number}"), format!("证书 {number}")))
        .compared(("a current CRL of its issuer", "其签发者的有效 CRL"), found);
    unusable.insert(0, finding);
    unusable
}

fn not_used(crl: &Crl, why: Why) -> Finding {
    let of = date(crl.this_update());
    let until = crl.next_update().map_or_else(|| "-".to_owned(), date);
    Finding::new(FindingKind::CrlUnusable).detail(why).compared(
        ("a list that is signed by the issuer and current", "由签发者签名且在有效期内的 CRL"),
        (format!("a list of {of}, current until {until}"), format!("{of} 签发、有效至 {until} 的 CRL")),
    )
}
