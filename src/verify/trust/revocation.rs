//! What revocation lists say of a certificate.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::SystemTime;

use super::Store;
use crate::cert::{Certificate, Crl, Revoked, Why, date};
use crate::verify::{Finding, FindingKind};

/// What the store's lists say of a certificate; nothing where no list is asked for.
///
/// The last list that the issuer signed has the word. One that is out of date cannot say that a certificate is not revoked: it may have been since. That
/// it is revoked, such a list says as well as a current one: a revocation is not taken back (RFC 5280 §5.3.1), but for a hold, and that it was lifted is for
/// a later list to say. So an entry counts against the certificate until then.
pub(super) fn of(certificate: &Certificate, issuer: &Certificate, store: &Store, at: SystemTime) -> Vec<Finding> {
    if !store.revocation {
        return Vec::new();
    }
    let covering = store.crls.iter().filter(|crl| crl.covers(certificate));
    let mut about: Vec<(&Crl, Option<Revoked>)> = covering.map(|crl| (&**crl, crl.revoked(certificate))).collect();
    // Several lists may be current at a time: the last one has the word, and of two of one second the one that revokes.
    about.sort_by_key(|(crl, revoked)| (Reverse(crl.this_update()), revoked.is_none(), crl.der()));
    about.dedup_by_key(|(crl, _)| crl.der());
    let mut unusable = Vec::new();
    // Whether a later list, out of date by now, did not have it.
    let mut lifted = false;
    for (crl, revoked) in about {
        let told = match (crl.check_issued_by(issuer), crl.check_time(at), revoked) {
            (Err(why), _, _) => not_used(crl, why),
            (Ok(()), Ok(()), None) => return Vec::new(),
            (Ok(()), Ok(()), Some(revoked)) => return vec![is_revoked(certificate, crl, revoked, None)],
            (Ok(()), Err(why), Some(revoked)) if !lifted && crl.this_update() <= at => {
                return vec![is_revoked(certificate, crl, revoked, Some(why))];
            }
            (Ok(()), Err(why), revoked) => {
                lifted |= revoked.is_none() && crl.this_update() <= at;
                not_used(crl, why)
            }
        };
        unusable.push(told);
    }
    let given = store.crls.iter().map(|crl| crl.der()).collect::<BTreeSet<_>>().len();
    let found = match unusable.len() {
        0 => (format!("{given} lists, none of them about it"), format!("{given} 个 CRL，均不涉及该证书")),
        1 => ("1 list about it, and it is not usable".to_owned(), "1 个相关 CRL，不可用".to_owned()),
        n => (format!("{n} lists about it, none of them usable"), format!("{n} 个相关 CRL，均不可用")),
    };
    let finding = Finding::new(FindingKind::RevocationUnknown)
        .detail(super::numbered(certificate))
        .compared(("a current CRL of its issuer", "其签发者的有效 CRL"), found);
    unusable.insert(0, finding);
    unusable
}

/// `stale`: why the list is not the current one.
fn is_revoked(certificate: &Certificate, crl: &Crl, revoked: Revoked, stale: Option<Why>) -> Finding {
    let (english, chinese) = revoked.said();
    let (on, of) = (date(revoked.date), date(crl.this_update()));
    let (mut found, mut found_zh) = (format!("revoked on {on}, {english}"), format!("{on} 被吊销，{chinese}"));
    if let Some((why, why_zh)) = stale {
        found.push_str(&format!(" (of this list: {why}; no later one that can be used says otherwise)"));
        found_zh.push_str(&format!("（该 CRL {why_zh}；其后没有可用的 CRL 另有说明）"));
    }
    Finding::new(FindingKind::CertificateRevoked)
        .detail(super::numbered(certificate))
        .compared((format!("not in the CRL of {of}"), format!("不在 {of} 的 CRL 中")), (found, found_zh))
}

fn not_used(crl: &Crl, why: Why) -> Finding {
    let of = date(crl.this_update());
    let until = crl.next_update().map_or_else(|| "-".to_owned(), date);
    Finding::new(FindingKind::CrlUnusable).detail(why).compared(
        ("a list that is signed by the issuer and current", "由签发者签名且在有效期内的 CRL"),
        (format!("a list of {of}, current until {until}"), format!("{of} 签发、有效至 {until} 的 CRL")),
    )
}
