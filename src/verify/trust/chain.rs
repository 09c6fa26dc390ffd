//! From a signer's certificate to an anchor (RFC 5280 §6).
//!
//! What comes out depends on which certificates are given, never on their order: whoever sorts a folder otherwise gets the same verdict and reason.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::{Store, numbered, revocation, untrusted};
use crate::cert::{Certificate, Fingerprint, Nearness, Refused};
use crate::policy;
use crate::verify::{Finding, FindingKind};

/// A chain from a signer's certificate to an anchor, both included.
pub(super) type Chain = Vec<Arc<Certificate>>;

/// Looks for a chain against which the store's revocation lists say nothing, until one revokes the signer's own certificate. What the document brings
/// along is tried after what the store has.
/// Nothing is returned where there is one; otherwise what the lists say of the first chain or, where there is none at all, why: of the ways that
/// were tried, the one that came nearest.
pub(super) fn judge(
    signer: &Arc<Certificate>,
    store: &Store,
    brought: &[Arc<Certificate>],
    at: SystemTime,
) -> Vec<Finding> {
    if let Some(oid) = signer.unknown_critical() {
        let found = (
            format!("it has a critical extension that is not understood, {oid}"),
            format!("含有无法识别的关键扩展 {oid}"),
        );
        return vec![untrusted(found).detail(numbered(signer))];
    }
    let (asked, revoked) = (BTreeMap::new(), BTreeMap::new());
    let mut search = Search { store, brought, at, tries: 0, nearest: None, asked, revoked, told: None, over: false };
    if search.from(vec![Arc::clone(signer)]) {
        return Vec::new();
    }
    search.told.unwrap_or_else(|| match search.nearest {
        Some(failure) => vec![failure.finding()],
        None => vec![untrusted(NONE_GIVEN).detail(numbered(signer))],
    })
}

const NONE_GIVEN: (&str, &str) = ("its issuer is none of those given", "其签发者不在所给的机构之中");

/// Why a way went no further.
struct Failure {
    /// How long the chain was.
    length: usize,
    nearness: Nearness,
    why: (&'static str, &'static str),
    /// The certificate that has no issuer here.
    below: Arc<Certificate>,
    /// The one that might have been it.
    above: Option<Arc<Certificate>>,
}

impl Failure {
    /// A search that had to end tells nothing of what it did not see. Of the others, the longest chain and the nearest issuer.
    fn rank(&self) -> (bool, usize, Nearness) {
        (self.nearness == Nearness::Limit, self.length, self.nearness)
    }

    fn finding(&self) -> Finding {
        let (mut english, mut chinese) = numbered(&self.below);
        // Only an issuer that signed is named: a namesake that did not has nothing to do with it.
        if let Some(issuer) = self.above.as_ref().filter(|_| self.nearness >= Nearness::Rights) {
            let number = issuer.number();
            english.push_str(&format!(", its issuer {number}"));
            chinese.push_str(&format!("，其签发者 {number}"));
        }
        untrusted(self.why).detail((english, chinese))
    }
}

/// Why a chain has no certificate above its last one: what is told where nothing was nearer. It verifies one signature at most, for each issuer that was
/// tried.
fn end_of(chain: &Chain, last: &Certificate) -> Refused {
    let own = ("it is issued by itself, and is none of those that are trusted", "为自签证书，且不在受信任的证书之中");
    let circle = ("its issuer, by the name, stands below it already", "按名称，其签发者已在其下级之中");
    let below = |c: &Arc<Certificate>| c.subject() == last.issuer();
    if last.is_self_signed() {
        (Nearness::Untold, own)
    } else if chain.iter().rev().skip(1).any(below) {
        (Nearness::Name, circle)
    } else {
        (Nearness::Name, NONE_GIVEN)
    }
}

struct Search<'s> {
    store: &'s Store,
    brought: &'s [Arc<Certificate>],
    at: SystemTime,
    tries: usize,
    nearest: Option<Failure>,
    /// What the lists say of a certificate and its issuer, so that they are asked no more often than issuers are tried.
    asked: BTreeMap<[Fingerprint; 2], Vec<Finding>>,
    /// Certificates that a list of their issuer revokes, and what it says.
    revoked: BTreeMap<Fingerprint, Vec<Finding>>,
    /// What they say of the first chain, or of the one in which the signer's own certificate is revoked.
    told: Option<Vec<Finding>>,
    /// The signer's own certificate is revoked: no other chain can help.
    over: bool,
}

impl Search<'_> {
    fn from(&mut self, chain: Chain) -> bool {
        let Some(last) = chain.last().cloned() else { return false };
        // A certificate of the list is trusted in itself, intermediates too (RFC 5280 §6.1.1 (d)).
        if self.store.anchors.contains(&last) {
            return self.whole(&chain);
        }
        if chain.len() >= policy::CHAIN_MAX {
            self.failed(&chain, (Nearness::Path, ("the chain is too long", "证书链过长")), None);
            return false;
        }
        for issuer in self.candidates(&last, &chain) {
            // What tells without a signature costs no try: an authority may have had many keys.
            if let Err(refused) = last.check_named_by(&issuer) {
                self.failed(&chain, refused, Some(&issuer));
                continue;
            }
            if self.tries >= policy::CHAIN_TRIES {
                let limit = ("too many issuers would have to be tried", "需尝试的签发者过多");
                self.failed(&chain, (Nearness::Limit, limit), None);
                return false;
            }
            self.tries = self.tries.saturating_add(1);
            if let Err(refused) = self.step(&chain, &last, &issuer) {
                self.failed(&chain, refused, Some(&issuer));
                continue;
            }
            let mut longer = chain.clone();
            longer.push(issuer);
            if self.from(longer) {
                return true;
            }
            if self.over {
                return false;
            }
        }
        self.failed(&chain, end_of(&chain, &last), None);
        false
    }

    /// Certificates of the name that `last` gives for its issuer, each once, in an order of their own: the anchors, then what stands between, then what
    /// was brought along; of each, authorities that are valid at the time before others, which cannot help; the newest first.
    fn candidates(&self, last: &Certificate, chain: &Chain) -> Chain {
        let sources = [self.store.anchors.as_slice(), &self.store.between, self.brought];
        let mut seen = BTreeSet::new();
        let mut found = Chain::new();
        for source in sources {
            let named = source.iter().filter(|c| c.subject() == last.issuer() && !chain.contains(c));
            let mut named: Chain = named.filter(|c| seen.insert(c.fingerprint())).cloned().collect();
            named.sort_by_cached_key(|c| {
                let ready = c.is_ca() && c.check_time(self.at).is_ok();
                (!ready, Reverse(c.not_before()), c.fingerprint())
            });
            found.extend(named);
        }
        found
    }

    /// Whether `issuer` may stand above `last` in this chain.
    fn step(&self, chain: &Chain, last: &Certificate, issuer: &Certificate) -> Result<(), Refused> {
        last.check_signed_by(issuer)?;
        if issuer.check_time(self.at).is_err() {
            let over = ("its issuer's certificate was not valid at the time", "其签发者证书在该时间无效");
            return Err((Nearness::Time, over));
        }
        // RFC 5280 §4.2.1.9: authorities between, those that a name issued to itself not counted.
        let between = chain.iter().skip(1).filter(|c| !c.is_self_issued()).count();
        if issuer.path_length().is_some_and(|most| between > most) {
            let path = ("its issuer allows no further authority below", "其签发者不允许再有下级机构");
            return Err((Nearness::Path, path));
        }
        Ok(())
    }

    /// Whether the lists say nothing against a chain. Where they do, another one may be right: an authority has a certificate from each that is above it,
    /// and one of them may be revoked. That certificate is then exchanged for another. Under another issuer it stays revoked, and so does the signer's,
    /// which nothing replaces: what a document brings along must not free its signer.
    fn whole(&mut self, chain: &Chain) -> bool {
        let mut told = Vec::new();
        for (place, (certificate, issuer)) in chain.iter().zip(chain.iter().skip(1)).enumerate() {
            let found = self.lists_say(certificate, issuer);
            self.over |= place == 0 && self.revoked.contains_key(&certificate.fingerprint());
            told.extend(found);
        }
        let free = told.is_empty();
        if self.over {
            self.told = Some(told);
        } else {
            self.told.get_or_insert(told);
        }
        free
    }

    fn lists_say(&mut self, certificate: &Certificate, issuer: &Certificate) -> Vec<Finding> {
        let one = certificate.fingerprint();
        if let Some(revoked) = self.revoked.get(&one) {
            return revoked.clone();
        }
        let ask = || revocation::of(certificate, issuer, self.store, self.at);
        let found = self.asked.entry([one, issuer.fingerprint()]).or_insert_with(ask).clone();
        if found.iter().any(|finding| finding.kind == FindingKind::CertificateRevoked) {
            self.revoked.insert(one, found.clone());
        }
        found
    }

    fn failed(&mut self, chain: &Chain, (nearness, why): Refused, above: Option<&Arc<Certificate>>) {
        let Some(below) = chain.last().cloned() else { return };
        let failure = Failure { length: chain.len(), nearness, why, below, above: above.cloned() };
        if self.nearest.as_ref().is_none_or(|nearest| failure.rank() > nearest.rank()) {
            self.nearest = Some(failure);
        }
    }
}
